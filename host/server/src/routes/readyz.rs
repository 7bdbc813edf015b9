//! `GET /readyz`: the node can do its work: database and object store answer.
//! When one does not it says which, and the log says why.

use crate::{problem::Problem, state::HostState};
use atlashub_core::{Error, ErrorKind, Result as CoreResult};
use axum::{Json, extract::State};
use serde_json::{Value, json};
use std::time::Duration;

/// Time for a part to answer.
const PATIENCE: Duration = Duration::from_secs(5);

#[utoipa::path(
    get, path = "/readyz", tag = "operations", operation_id = "ready",
    responses((status = 200, description = "The node can do its work"))
)]
pub(crate) async fn handle(State(state): State<HostState>) -> Result<Json<Value>, Problem> {
    let (database, storage) = tokio::join!(
        in_time(state.app.check_database()),
        in_time(state.app.store_answers()),
    );
    let word = |found: &CoreResult<()>| if found.is_ok() { "ok" } else { "away" };
    let words = [("database", word(&database)), ("storage", word(&storage))];
    let Some(cause) = database.err().or(storage.err()) else {
        return Ok(Json(
            json!({ "status": "ok", "database": "ok", "storage": "ok" }),
        ));
    };
    let not_ready = Error::new(
        ErrorKind::Unavailable,
        "not_ready",
        "a part does not answer",
    );
    let not_ready = words.into_iter().fold(not_ready, |error, (part, word)| {
        error.with_field(part, word)
    });
    Err(Problem(not_ready.with_retry_after(1).with_source(cause)))
}

async fn in_time(check: impl Future<Output = CoreResult<()>>) -> CoreResult<()> {
    tokio::time::timeout(PATIENCE, check)
        .await
        .unwrap_or_else(|elapsed| Err(Error::internal("wait for a part", elapsed)))
}
