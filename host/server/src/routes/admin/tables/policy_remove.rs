//! `DELETE /admin/v1/projects/{project}/tables/{table}/policies/{name}`.

use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use axum::extract::State;
use http::StatusCode;

#[utoipa::path(
    delete, path = "/admin/v1/projects/{project}/tables/{table}/policies/{name}", tag = "tables", operation_id = "remove_policy",
    params(("project" = String, Path, description = "Id or slug"), ("table" = String, Path, description = "Its name"), ("name" = String, Path, description = "The policy's name")),
    responses((status = 204, description = "The policy is gone"))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path((project, table, name)): Path<(String, String, String)>,
) -> Result<StatusCode, Problem> {
    let project = state.app.project(&project).await?;
    state
        .app
        .remove_row_policy(&caller.actor, project.id, &table, &name)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
