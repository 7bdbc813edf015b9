//! `PUT /admin/v1/projects/{project}/sql/saved/{id}`: changes a kept statement.

use super::QueryText;
use crate::{
    admin::AdminCaller,
    extract::{Json, Path},
    problem::Problem,
    state::HostState,
};
use axum::extract::State;
use http::StatusCode;
use uuid::Uuid;

#[utoipa::path(
    put, path = "/admin/v1/projects/{project}/sql/saved/{id}", tag = "sql", operation_id = "update_saved_query",
    params(("project" = String, Path, description = "Id or slug"), ("id" = Uuid, Path, description = "Its id")),
    request_body = QueryText,
    responses((status = 204, description = "The statement is kept as it is now"))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path((project, id)): Path<(String, Uuid)>,
    Json(body): Json<QueryText>,
) -> Result<StatusCode, Problem> {
    let project = state.app.project(&project).await?;
    state
        .app
        .update_query(&caller.actor, project.id, id, &body.name, &body.sql)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
