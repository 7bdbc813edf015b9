//! `GET /admin/v1/projects/{project}/openapi.json`: what the project offers.

use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use atlashub_core::Error;
use axum::{Json, extract::State};
use serde_json::Value;

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/openapi.json", tag = "tables", operation_id = "project_openapi",
    params(("project" = String, Path, description = "Id or slug")),
    responses((status = 200, description = "The description (OpenAPI 3.1) of its tables and its plugins' routes", body = Object))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path(project): Path<String>,
) -> Result<Json<Value>, Problem> {
    let project = state.app.project(&project).await?;
    let entry = state.app.directory().by_id(project.id);
    let entry = entry.ok_or_else(|| Error::not_found("project"))?;
    Ok(Json(state.app.project_openapi(&entry).await?))
}
