//! `/_/blob/{token}`: signed links to objects that this host answers itself.
//! The token is the credential; it binds method, object, type, size and time.
//! Pages of any origin may use it.

pub(crate) mod get;
pub(crate) mod put;

use crate::state::HostState;
use axum::{Router, extract::DefaultBodyLimit, routing};
use http::{HeaderName, Method, header};
use std::time::Duration;
use tower_http::cors::{Any, CorsLayer};

pub(super) fn router() -> Router<HostState> {
    let open = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD, Method::PUT])
        .allow_headers(Any)
        .expose_headers([
            header::CONTENT_LENGTH,
            header::CONTENT_RANGE,
            header::CONTENT_DISPOSITION,
            header::ETAG,
            HeaderName::from_static("x-request-id"),
        ])
        .max_age(Duration::from_secs(600));
    Router::new()
        .route("/{token}", routing::get(get::handle).put(put::handle))
        .layer(open)
        .layer(DefaultBodyLimit::disable())
}
