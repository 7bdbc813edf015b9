//! Answers of the gateway.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

/// An answer before it is put on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Body,
    /// Whether it gets lost on the way.
    pub(crate) lost: bool,
}

/// What an answer carries.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Json(Value),
    Html(&'static str),
    Empty,
}

/// Marks an answer whose connection breaks in its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lost;

impl Answer {
    pub(crate) fn ok(value: Value) -> Self {
        Self {
            status: StatusCode::OK,
            body: Body::Json(value),
            lost: false,
        }
    }

    /// The gateway's envelope for what it refuses.
    pub(crate) fn fault(status: u16, id: &str, code: &str, message: &str) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            body: Body::Json(json!({
                "requestId": id, "errorCode": code, "errorMessage": message,
            })),
            lost: false,
        }
    }

    pub(crate) fn bare(status: StatusCode) -> Self {
        Self {
            status,
            body: Body::Empty,
            lost: false,
        }
    }

    pub(crate) fn of_the_edge() -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            body: Body::Html("<html><body><h1>503 Service Unavailable</h1></body></html>"),
            lost: false,
        }
    }

    /// What the journal says of it.
    pub(crate) fn shown(&self) -> Value {
        match &self.body {
            Body::Json(value) => value.clone(),
            Body::Html(text) => Value::from(*text),
            Body::Empty => Value::Null,
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = match self.body {
            Body::Json(value) => (self.status, axum::Json(value)).into_response(),
            Body::Html(text) => {
                (self.status, [("content-type", "text/html")], text).into_response()
            }
            Body::Empty => self.status.into_response(),
        };
        if self.lost {
            response.extensions_mut().insert(Lost);
        }
        response
    }
}
