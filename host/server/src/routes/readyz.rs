//! `GET /readyz`: the node can do its work: database and object store answer.

use crate::{problem::Problem, state::HostState};
use atlashub_core::{Error, ErrorKind};
use axum::{Json, extract::State};
use serde_json::{Value, json};
use std::time::Duration;

/// Time for the parts to answer.
const PATIENCE: Duration = Duration::from_secs(5);

#[utoipa::path(
    get, path = "/readyz", tag = "operations", operation_id = "ready",
    responses((status = 200, description = "The node can do its work"))
)]
pub(crate) async fn handle(State(state): State<HostState>) -> Result<Json<Value>, Problem> {
    let not_ready = || {
        Error::new(
            ErrorKind::Unavailable,
            "not_ready",
            "a part does not answer",
        )
        .with_retry_after(1)
    };
    match tokio::time::timeout(PATIENCE, state.app.check()).await {
        Ok(Ok(())) => Ok(Json(
            json!({ "status": "ok", "database": "ok", "storage": "ok" }),
        )),
        Ok(Err(error)) => Err(Problem(not_ready().with_source(error))),
        Err(elapsed) => Err(Problem(not_ready().with_source(elapsed))),
    }
}
