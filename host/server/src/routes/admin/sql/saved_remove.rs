//! `DELETE /admin/v1/projects/{project}/sql/saved/{id}`.

use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use axum::extract::State;
use http::StatusCode;
use uuid::Uuid;

#[utoipa::path(
    delete, path = "/admin/v1/projects/{project}/sql/saved/{id}", tag = "sql", operation_id = "remove_saved_query",
    params(("project" = String, Path, description = "Id or slug"), ("id" = Uuid, Path, description = "Its id")),
    responses((status = 204, description = "The statement is no longer kept"))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path((project, id)): Path<(String, Uuid)>,
) -> Result<StatusCode, Problem> {
    let project = state.app.project(&project).await?;
    state
        .app
        .remove_query(&caller.actor, project.id, id)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
