//! `DELETE /admin/v1/projects/{project}/tables/{table}?confirm=<name>`.

use crate::{
    admin::AdminCaller,
    extract::{Path, Query},
    problem::Problem,
    state::HostState,
};
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

/// That it is meant.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DropQuery {
    /// The table's name once more.
    confirm: Option<String>,
}

#[utoipa::path(
    delete, path = "/admin/v1/projects/{project}/tables/{table}", tag = "tables", operation_id = "drop_table",
    params(("project" = String, Path, description = "Id or slug"), ("table" = String, Path, description = "Its name"), DropQuery),
    responses((status = 204, description = "The table is gone with its rows"))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path((project, table)): Path<(String, String)>,
    Query(query): Query<DropQuery>,
) -> Result<StatusCode, Problem> {
    let project = state.app.project(&project).await?;
    state
        .app
        .drop_table(&caller.actor, project.id, &table, query.confirm.as_deref())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
