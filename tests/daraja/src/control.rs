//! The stand-in's own calls, below `/_sim`, for whoever develops against it.

use crate::{
    c2b, deliver,
    fault::Faults,
    journal::{Entry, Journal},
    state::{Payment, Shared},
};
use axum::{Json, extract::State, response::IntoResponse};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

type Shown = State<Arc<Shared>>;

/// `GET /_sim/faults`.
pub(crate) async fn faults(State(shared): Shown) -> Json<Faults> {
    Json(shared.state().faults.clone())
}

/// `PUT /_sim/faults`: all of them, the rest as on a good day.
pub(crate) async fn set_faults(State(shared): Shown, Json(faults): Json<Faults>) -> Json<Faults> {
    shared.state().faults = faults.clone();
    Json(faults)
}

/// `POST /_sim/reset`: no faults, no payments, no tokens.
pub(crate) async fn reset(State(shared): Shown) -> StatusCode {
    let mut state = shared.state();
    state.faults = Faults::default();
    state.tokens.clear();
    state.payments.clear();
    state.registered.clear();
    state.paid.clear();
    state.pulled.clear();
    state.movements.clear();
    state.conversations.clear();
    state.held.clear();
    state.journal = Journal::default();
    StatusCode::NO_CONTENT
}

/// `POST /_sim/release`: sends what was held back.
pub(crate) async fn release(State(shared): Shown) -> Json<Value> {
    Json(json!({"released": deliver::release(&shared).await}))
}

/// `GET /_sim/payments`.
pub(crate) async fn payments(State(shared): Shown) -> Json<Vec<Payment>> {
    Json(shared.state().payments.clone())
}

/// `GET /_sim/journal`.
pub(crate) async fn journal(State(shared): Shown) -> Json<Vec<Entry>> {
    Json(shared.state().journal.entries())
}

/// What a customer enters.
#[derive(Debug, Deserialize)]
pub(crate) struct Entered {
    shortcode: String,
    phone: String,
    amount: u64,
    #[serde(default)]
    reference: String,
}

/// `POST /_sim/pay`: a customer pays from the phone's menu.
pub(crate) async fn pay(
    State(shared): Shown,
    Json(entered): Json<Entered>,
) -> axum::response::Response {
    let Entered {
        shortcode,
        phone,
        amount,
        reference,
    } = entered;
    let paid = c2b::pay(&shared, &shortcode, &phone, &amount.to_string(), &reference).await;
    match paid {
        Ok(receipt) => Json(json!({"receipt": receipt})).into_response(),
        Err(error) => (StatusCode::CONFLICT, error).into_response(),
    }
}
