//! `DELETE /admin/v1/projects/{project}/users/{id}`: removes a user.

use super::{super::caller::UserAdmin, UserPath};
use crate::{extract::Path, problem::Problem, state::HostState};
use axum::extract::State;
use http::StatusCode;

#[utoipa::path(
    delete, path = "/admin/v1/projects/{project}/users/{id}", tag = "users", operation_id = "delete_user",
    description = "Also `/v1/auth/admin/users/{id}`.",
    params(("project" = String, Path, description = "Id or slug"), ("id" = String, Path, description = "The user's id")),
    responses((status = 204, description = "The user and all sessions are gone"))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: UserAdmin,
    Path(path): Path<UserPath>,
) -> Result<StatusCode, Problem> {
    state
        .app
        .delete_user(&caller.actor, caller.project, path.id.parse()?)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
