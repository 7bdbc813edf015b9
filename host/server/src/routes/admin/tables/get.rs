//! `GET /admin/v1/projects/{project}/tables/{table}`.

use super::TableDetailsView;
use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use axum::{Json, extract::State};

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/tables/{table}", tag = "tables", operation_id = "get_table",
    params(("project" = String, Path, description = "Id or slug"), ("table" = String, Path, description = "Its name")),
    responses((status = 200, description = "The table with all its parts", body = TableDetailsView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path((project, table)): Path<(String, String)>,
) -> Result<Json<TableDetailsView>, Problem> {
    let project = state.app.project(&project).await?;
    let details = state.app.table_details(project.id, &table).await?;
    Ok(Json(details.try_into()?))
}
