//! `DELETE /admin/v1/projects/{project}/domains/{host}`.

use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use axum::extract::State;
use http::StatusCode;

#[utoipa::path(
    delete, path = "/admin/v1/projects/{project}/domains/{host}", tag = "projects", operation_id = "remove_domain",
    params(("project" = String, Path, description = "Id or slug"), ("host" = String, Path, description = "The host name")),
    responses((status = 204, description = "The project no longer answers at the name"))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path((project, host)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let project = state.app.project(&project).await?;
    state
        .app
        .remove_domain(&caller.actor, project.id, &host)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
