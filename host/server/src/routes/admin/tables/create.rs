//! `POST /admin/v1/projects/{project}/tables`: makes a table.

use super::TableDetailsView;
use crate::{
    admin::AdminCaller,
    extract::{Json, Path},
    problem::Problem,
    state::HostState,
};
use atlashub_data::project::schema::NewTable;
use axum::extract::State;
use http::StatusCode;

#[utoipa::path(
    post, path = "/admin/v1/projects/{project}/tables", tag = "tables", operation_id = "create_table",
    params(
        ("project" = String, Path, description = "Id or slug"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the first answer again"),
    ),
    request_body = NewTable,
    responses((status = 201, description = "The table; nobody but servers sees rows until it has policies", body = TableDetailsView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path(project): Path<String>,
    Json(body): Json<NewTable>,
) -> Result<(StatusCode, axum::Json<TableDetailsView>), Problem> {
    let project = state.app.project(&project).await?;
    state
        .app
        .create_table(&caller.actor, project.id, &body)
        .await?;
    let details = state.app.table_details(project.id, &body.name).await?;
    Ok((StatusCode::CREATED, axum::Json(details.try_into()?)))
}
