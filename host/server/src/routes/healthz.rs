//! `GET /healthz`: the process runs. Asks nothing of database or store, so
//! that a supervisor does not restart a node for their sake.

use axum::Json;
use serde_json::{Value, json};

pub(super) async fn handle() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}
