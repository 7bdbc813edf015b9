//! `POST /admin/v1/projects/{project}/sql/{id}/cancel`: stops a statement.

use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use axum::extract::State;
use http::StatusCode;
use uuid::Uuid;

#[utoipa::path(
    post, path = "/admin/v1/projects/{project}/sql/{id}/cancel", tag = "sql", operation_id = "cancel_sql",
    params(("project" = String, Path, description = "Id or slug"), ("id" = Uuid, Path, description = "The id that the statement was run with")),
    responses((status = 202, description = "The statement is stopped, if it still runs on any node"))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path((project, id)): Path<(String, Uuid)>,
) -> Result<StatusCode, Problem> {
    let project = state.app.project(&project).await?;
    state.app.cancel_sql(&caller.actor, project.id, id).await?;
    Ok(StatusCode::ACCEPTED)
}
