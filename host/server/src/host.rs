//! The boundary of the host's own interface: request id, trace, time-out,
//! panic catcher, problem documents and security headers around the router.

use crate::{
    client_address,
    config::Config,
    problem::{self, Problem},
    rate_limit,
    request_id::{self, RequestTag},
    routes,
    state::HostState,
    telemetry::request_span,
};
use atlashub_app::limits::Admission;
use atlashub_core::{Error, ErrorKind, manifest::is_user_path};
use axum::{
    Router,
    body::Body,
    extract::MatchedPath,
    response::{IntoResponse as _, Response},
};
use futures::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use std::{
    net::SocketAddr,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};
use tower::ServiceExt as _;
use tracing::Instrument as _;

/// Time for calls that may compile a component or run migrations.
const LONG: Duration = Duration::from_secs(180);
/// Time for calls whose body is of any size.
const OBJECTS: Duration = Duration::from_secs(6 * 3_600);

/// The host's own interface.
pub(crate) struct Host {
    router: Router,
    state: HostState,
    request_timeout: Duration,
    strict_transport: bool,
}

impl Host {
    pub(crate) fn new(state: HostState, config: &Config) -> Self {
        Self {
            router: routes::router(state.clone()),
            state,
            request_timeout: config.limits.request_timeout(),
            strict_transport: config.network.public_url().starts_with("https://"),
        }
    }

    /// Answers one request.
    pub(crate) async fn handle(&self, mut request: Request<Body>, peer: SocketAddr) -> Response {
        let started = Instant::now();
        let tag = RequestTag::of(request.headers());
        let client = client_address::resolve(peer, request.headers(), &self.state.proxies);
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        // Where traces are sent the request has a span already.
        let traced = Some(tracing::Span::current()).filter(|span| !span.is_none());
        let span = traced.clone().unwrap_or_else(
            || tracing::info_span!("request", method = %method, path = %shown(&path), request_id = tag.as_str()),
        );
        request.extensions_mut().insert(tag.clone());
        request.extensions_mut().insert(client);
        let limits = self.state.app.request_limits();
        let admission = path
            .starts_with("/admin")
            .then(|| limits.admit_admin(client.0));
        let response = match admission.as_ref().map(Admission::check) {
            Some(Err(error)) => Problem(error).into_response(),
            _ => self.answer(request, &method, &path, &span).await,
        };
        let mut response = span.in_scope(|| problem::finish(response, &tag));
        self.protect(response.headers_mut(), &path);
        if let Some(admission) = &admission {
            rate_limit::tell(response.headers_mut(), admission);
        }
        response
            .headers_mut()
            .insert(request_id::HEADER, tag.header());
        tracing::debug!(parent: &span, status = response.status().as_u16(), "answered");
        let route = route(&response);
        if traced.is_some() {
            request_span::note("http.route", &route);
        }
        record(&method, route, &response, started.elapsed());
        response
    }

    /// What the router answers; a panic or an answer that takes too long
    /// becomes a problem.
    async fn answer(
        &self,
        request: Request<Body>,
        method: &Method,
        path: &str,
        span: &tracing::Span,
    ) -> Response {
        let limit = self.time_limit(method, path);
        let answer = AssertUnwindSafe(self.router.clone().oneshot(request)).catch_unwind();
        match tokio::time::timeout(limit, answer.instrument(span.clone())).await {
            Ok(Ok(Ok(response))) => response,
            Ok(Ok(Err(never))) => match never {},
            Ok(Err(_)) => Problem(Error::internal(
                "handle the request",
                "the handler panicked",
            ))
            .into_response(),
            Err(_) => Problem(Error::new(
                ErrorKind::DeadlineExceeded,
                "deadline_exceeded",
                "the call took too long",
            ))
            .into_response(),
        }
    }

    fn time_limit(&self, method: &Method, path: &str) -> Duration {
        let changes = method != Method::GET && method != Method::HEAD;
        let takes_long = path == "/admin/v1/projects"
            || (path.starts_with("/admin/v1/") && path.contains("/plugins"));
        if path.starts_with("/_/blob/") {
            OBJECTS
        } else if changes && takes_long {
            LONG
        } else {
            self.request_timeout
        }
    }

    fn protect(&self, headers: &mut HeaderMap, path: &str) {
        let mut set = |name: HeaderName, value: &'static str| {
            headers
                .entry(name)
                .or_insert(HeaderValue::from_static(value));
        };
        set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        set(header::REFERRER_POLICY, "no-referrer");
        set(header::X_FRAME_OPTIONS, "DENY");
        set(
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'; sandbox",
        );
        if path.starts_with("/admin") || is_user_path(path) {
            set(header::CACHE_CONTROL, "no-store");
        }
        if self.strict_transport {
            set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
        }
    }
}

/// A path as the log may show it: a signed link is a credential.
fn shown(path: &str) -> &str {
    if path.starts_with("/_/blob/") {
        "/_/blob/…"
    } else {
        path
    }
}

/// The route that answered, with names in place of what they stand for.
fn route(response: &Response) -> String {
    response
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", MatchedPath::as_str)
        .to_owned()
}

fn record(method: &Method, route: String, response: &Response, took: Duration) {
    let status = response.status().as_u16().to_string();
    metrics::counter!(
        "atlashub_host_requests_total",
        "method" => method.as_str().to_owned(), "route" => route.clone(), "status" => status
    )
    .increment(1);
    metrics::histogram!("atlashub_host_request_seconds", "route" => route)
        .record(took.as_secs_f64());
}
