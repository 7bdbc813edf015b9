//! `DELETE /admin/v1/projects/{project}/users/{id}/totp`: takes away the second
//! factor of a user who lost it.

use super::{super::caller::UserAdmin, UserPath};
use crate::{extract::Path, problem::Problem, state::HostState};
use axum::extract::State;
use http::StatusCode;

#[utoipa::path(
    delete, path = "/admin/v1/projects/{project}/users/{id}/totp", tag = "users", operation_id = "reset_user_totp",
    description = "Also `/v1/auth/admin/users/{id}/totp`. Ends all sessions of the user.",
    params(("project" = String, Path, description = "Id or slug"), ("id" = String, Path, description = "The user's id")),
    responses((status = 204, description = "The user signs in without a second factor now"))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: UserAdmin,
    Path(path): Path<UserPath>,
) -> Result<StatusCode, Problem> {
    state
        .app
        .reset_second_factor(&caller.actor, caller.project, path.id.parse()?)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
