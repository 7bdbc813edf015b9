//! The span of a request, made only where traces are sent. It is called by the
//! method, for its name has to be there when it begins, and says which way the
//! request took and what came of it, by the names of OpenTelemetry's
//! conventions; of the request itself only its method. A path may hold a name
//! or a signed link, a query and headers hold credentials: none is in a span.

use crate::request_id;
use axum::{body::Body, response::Response};
use http::{Method, Request};
use tracing::{Span, field::Empty};

/// The span of a request that begins.
pub(crate) fn begin<B>(request: &Request<B>) -> Span {
    let method = known(request.method());
    tracing::info_span!(
        "request",
        otel.name = method,
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = Empty,
        http.response.status_code = Empty,
        atlashub.project = Empty,
        atlashub.plugin = Empty,
        atlashub.request_id = Empty,
    )
}

/// Notes on the present span which way a request takes.
pub(crate) fn note(name: &'static str, value: &str) {
    Span::current().record(name, value);
}

/// Notes what was answered.
pub(crate) fn end(span: &Span, response: &Response<Body>) {
    let status = response.status();
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    let id = response.headers().get(request_id::HEADER);
    if let Some(id) = id.and_then(|id| id.to_str().ok()) {
        span.record("atlashub.request_id", id);
    }
}

/// A method as the conventions write it: one that a client made up would make
/// as many names of spans.
fn known(method: &Method) -> &'static str {
    const KNOWN: [Method; 8] = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
        Method::TRACE,
    ];
    const NAMES: [&str; 8] = [
        "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE",
    ];
    KNOWN
        .iter()
        .zip(NAMES)
        .find(|(known, _)| *known == method)
        .map_or("_OTHER", |(_, name)| name)
}
