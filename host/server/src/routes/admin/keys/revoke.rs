//! `DELETE /admin/v1/projects/{project}/keys/{id}`: ends a key.

use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use axum::extract::State;
use http::StatusCode;

#[utoipa::path(
    delete, path = "/admin/v1/projects/{project}/keys/{id}", tag = "keys", operation_id = "revoke_key",
    params(("project" = String, Path, description = "Id or slug"), ("id" = String, Path, description = "The key's id")),
    responses((status = 204, description = "The key is revoked"))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path((project, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let project = state.app.project(&project).await?;
    state
        .app
        .revoke_key(&caller.actor, project.id, id.parse()?)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
