//! `GET /healthz`: the process runs. Asks nothing of database or store, so
//! that a supervisor does not restart a node for their sake.

use axum::Json;
use serde_json::{Value, json};

#[utoipa::path(
    get, path = "/healthz", tag = "operations", operation_id = "health",
    responses((status = 200, description = "The process runs"))
)]
pub(crate) async fn handle() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}
