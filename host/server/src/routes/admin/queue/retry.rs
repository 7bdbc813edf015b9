//! `POST /admin/v1/projects/{project}/queue/{id}/retry`.

use super::ItemView;
use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use axum::{Json, extract::State};

#[utoipa::path(
    post, path = "/admin/v1/projects/{project}/queue/{id}/retry", tag = "queue", operation_id = "retry_queue_item",
    params(("project" = String, Path, description = "Id or slug"), ("id" = String, Path, description = "The item's id")),
    responses((status = 200, description = "The item, to be tried at once", body = ItemView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path((project, id)): Path<(String, String)>,
) -> Result<Json<ItemView>, Problem> {
    let project = state.app.project(&project).await?;
    let item = state
        .app
        .retry_queue_item(&caller.actor, project.id, id.parse()?)
        .await?;
    Ok(Json(item.into()))
}
