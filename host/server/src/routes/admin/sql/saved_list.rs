//! `GET /admin/v1/projects/{project}/sql/saved`.

use super::SavedQueryView;
use crate::{
    admin::AdminCaller,
    extract::{List, Path},
    problem::Problem,
    state::HostState,
};
use axum::{Json, extract::State};

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/sql/saved", tag = "sql", operation_id = "list_saved_queries",
    params(("project" = String, Path, description = "Id or slug")),
    responses((status = 200, description = "Kept statements by name", body = List<SavedQueryView>))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path(project): Path<String>,
) -> Result<Json<List<SavedQueryView>>, Problem> {
    let project = state.app.project(&project).await?;
    let saved = state.app.saved_queries(project.id).await?;
    Ok(Json(List::whole(
        saved.into_iter().map(SavedQueryView::from),
    )))
}
