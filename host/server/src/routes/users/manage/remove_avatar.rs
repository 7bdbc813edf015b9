//! `DELETE /admin/v1/projects/{project}/users/{id}/avatar`: takes a user's
//! picture away.

use super::{super::caller::UserAdmin, UserPath};
use crate::{extract::Path, problem::Problem, state::HostState};
use axum::extract::State;
use http::StatusCode;

#[utoipa::path(
    delete, path = "/admin/v1/projects/{project}/users/{id}/avatar", tag = "users", operation_id = "remove_user_avatar",
    description = "Also `/v1/auth/admin/users/{id}/avatar`.",
    params(("project" = String, Path, description = "Id or slug"), ("id" = String, Path, description = "The user's id")),
    responses((status = 204, description = "There is no picture"))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: UserAdmin,
    Path(path): Path<UserPath>,
) -> Result<StatusCode, Problem> {
    state
        .app
        .remove_avatar(&caller.actor, caller.project, path.id.parse()?)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
