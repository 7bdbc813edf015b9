//! `GET /admin/v1/projects/{project}/queue/{id}`.

use super::WholeItemView;
use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use axum::{Json, extract::State};

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/queue/{id}", tag = "queue", operation_id = "get_queue_item",
    params(("project" = String, Path, description = "Id or slug"), ("id" = String, Path, description = "The item's id")),
    responses((status = 200, description = "The item", body = WholeItemView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path((project, id)): Path<(String, String)>,
) -> Result<Json<WholeItemView>, Problem> {
    let project = state.app.project(&project).await?;
    let item = state.app.queue_item(project.id, id.parse()?).await?;
    Ok(Json(item.into()))
}
