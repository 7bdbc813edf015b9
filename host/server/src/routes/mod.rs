//! The host's own addresses, one operation a file. A handler extracts, calls
//! one use case of `atlashub_app`, maps the answer.

mod admin;
mod backup;
mod blob;
mod healthz;
mod idempotency;
mod metrics;
pub(crate) mod openapi;
mod readyz;
mod users;

pub(crate) use users::refused_in_dialect;

use crate::{dashboard, problem::Problem, state::HostState};
use atlashub_core::{Error, ErrorKind};
use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request},
    middleware::{self, Next},
    response::Response,
    routing::get,
};
use tower_http::compression::CompressionLayer;

/// All routes of the host.
pub(crate) fn router(state: HostState) -> Router {
    let max_body = state.config.limits.max_body();
    Router::new()
        .route("/healthz", get(healthz::handle))
        .route("/readyz", get(readyz::handle))
        .route("/metrics", get(metrics::handle))
        .route("/openapi.json", get(openapi::handle))
        .nest("/admin", admin::router(&state))
        .layer(CompressionLayer::new())
        .nest("/_/blob", blob::router())
        .route("/_/backup/{token}", get(backup::get::handle))
        .merge(dashboard::router())
        .merge(users::router(&state))
        .route_layer(middleware::from_fn(note_route))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(max_body))
        .with_state(state)
}

/// Tells the boundary which route answered, for the metrics.
async fn note_route(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(route);
    }
    response
}

async fn unknown() -> Problem {
    Problem(Error::not_found("address"))
}

async fn wrong_method() -> Problem {
    Problem(Error::new(
        ErrorKind::MethodNotAllowed,
        "method_not_allowed",
        "this address does not answer this method, see the `allow` header",
    ))
}
