//! `POST /admin/v1/projects/{project}/import`: rows or a whole database, taken in.
//! The host reads nothing itself: the project's plugin that provides it is asked.

use super::ProvidedJobView;
use crate::{
    admin::AdminCaller,
    extract::{Json, Path},
    problem::Problem,
    state::HostState,
};
use atlashub_core::job::IMPORT;
use axum::{extract::State, http::StatusCode};
use serde_json::{Map, Value};

#[utoipa::path(
    post, path = "/admin/v1/projects/{project}/import", tag = "projects", operation_id = "import_project",
    params(
        ("project" = String, Path, description = "Id or slug"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the first answer again"),
    ),
    request_body(content = Object, description = "What the plugin takes; of `transfer`: `what`, `source`, `table`, `format`, … as `POST /transfer/import`"),
    responses((status = 202, description = "The plugin's job, in the queue", body = ProvidedJobView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path(project): Path<String>,
    Json(wishes): Json<Map<String, Value>>,
) -> Result<(StatusCode, axum::Json<ProvidedJobView>), Problem> {
    let project = state.app.project(&project).await?.id;
    let wishes = Value::Object(wishes).to_string();
    let begun = state
        .app
        .begin_provided(&caller.actor, project, IMPORT, wishes)
        .await?;
    Ok((StatusCode::ACCEPTED, axum::Json(begun.into())))
}
