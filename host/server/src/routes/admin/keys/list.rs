//! `GET /admin/v1/projects/{project}/keys`.

use super::KeyView;
use crate::{
    admin::AdminCaller,
    extract::{List, PageQuery, Path, Query},
    problem::Problem,
    state::HostState,
};
use axum::{Json, extract::State};

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/keys", tag = "keys", operation_id = "list_keys",
    params(("project" = String, Path, description = "Id or slug"), PageQuery),
    responses((status = 200, description = "Keys, oldest first, revoked ones included", body = List<KeyView>))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path(project): Path<String>,
    Query(page): Query<PageQuery>,
) -> Result<Json<List<KeyView>>, Problem> {
    let project = state.app.project(&project).await?;
    let keys = state
        .app
        .keys(project.id, page.cursor()?, page.limit())
        .await?;
    Ok(Json(List::of(keys, KeyView::from)))
}
