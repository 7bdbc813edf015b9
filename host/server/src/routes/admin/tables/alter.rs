//! `PATCH /admin/v1/projects/{project}/tables/{table}`: changes a table.

use super::TableDetailsView;
use crate::{
    admin::AdminCaller,
    extract::{Json, Path},
    problem::Problem,
    state::HostState,
};
use atlashub_data::project::schema::TableChange;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

/// Changes to a table.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TableChanges {
    /// The changes in their order; all are made or none.
    changes: Vec<TableChange>,
}

#[utoipa::path(
    patch, path = "/admin/v1/projects/{project}/tables/{table}", tag = "tables", operation_id = "alter_table",
    params(("project" = String, Path, description = "Id or slug"), ("table" = String, Path, description = "Its name")),
    request_body = TableChanges,
    responses((status = 200, description = "The table as it is now", body = TableDetailsView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path((project, table)): Path<(String, String)>,
    Json(body): Json<TableChanges>,
) -> Result<axum::Json<TableDetailsView>, Problem> {
    let project = state.app.project(&project).await?;
    state
        .app
        .alter_table(&caller.actor, project.id, &table, &body.changes)
        .await?;
    let renamed = body.changes.iter().rev().find_map(|change| match change {
        TableChange::Rename { to } => Some(to.as_str()),
        _ => None,
    });
    let name = renamed.unwrap_or(&table);
    let details = state.app.table_details(project.id, name).await?;
    Ok(axum::Json(details.try_into()?))
}
