//! `POST /admin/v1/projects/{project}/sql/saved`: keeps a statement.

use super::{QueryText, SavedQueryView};
use crate::{
    admin::AdminCaller,
    extract::{Json, Path},
    problem::Problem,
    state::HostState,
};
use axum::extract::State;
use http::StatusCode;

#[utoipa::path(
    post, path = "/admin/v1/projects/{project}/sql/saved", tag = "sql", operation_id = "save_query",
    params(
        ("project" = String, Path, description = "Id or slug"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the first answer again"),
    ),
    request_body = QueryText,
    responses((status = 201, description = "The statement is kept", body = SavedQueryView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path(project): Path<String>,
    Json(body): Json<QueryText>,
) -> Result<(StatusCode, axum::Json<SavedQueryView>), Problem> {
    let project = state.app.project(&project).await?;
    let saved = state
        .app
        .save_query(&caller.actor, project.id, &body.name, &body.sql)
        .await?;
    Ok((StatusCode::CREATED, axum::Json(saved.into())))
}
