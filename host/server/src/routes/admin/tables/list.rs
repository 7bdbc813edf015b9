//! `GET /admin/v1/projects/{project}/tables`.

use super::TableView;
use crate::{
    admin::AdminCaller,
    extract::{List, Path},
    problem::Problem,
    state::HostState,
};
use axum::{Json, extract::State};

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/tables", tag = "tables", operation_id = "list_tables",
    params(("project" = String, Path, description = "Id or slug")),
    responses((status = 200, description = "Tables and views by name", body = List<TableView>))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path(project): Path<String>,
) -> Result<Json<List<TableView>>, Problem> {
    let project = state.app.project(&project).await?;
    let tables = state.app.tables(project.id).await?;
    Ok(Json(List::whole(
        tables.iter().cloned().map(TableView::from),
    )))
}
