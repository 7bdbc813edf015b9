//! Where a connection's requests enter. A plugin's request takes the short
//! way through the [`Gateway`]; what belongs to the host goes through
//! [`crate::host`] and its layers.

use crate::{
    gateway::{Gateway, InProject, Routed, answer},
    host::Host,
    problem, rate_limit,
    request_id::{self, RequestTag},
    telemetry::request_span,
};
use atlashub_core::Error;
use axum::{body::Body, response::Response};
use futures::FutureExt as _;
use http::Request;
use hyper::body::{Body as _, Incoming};
use std::{convert::Infallible, net::SocketAddr, panic::AssertUnwindSafe, sync::Arc};
use tokio::task;
use tracing::Instrument as _;

/// A node's two ways of answering.
pub(crate) struct Entry {
    gateway: Gateway,
    host: Host,
    /// Whether traces are sent.
    traced: bool,
}

impl Entry {
    pub(crate) fn new(gateway: Gateway, host: Host, traced: bool) -> Self {
        Self {
            gateway,
            host,
            traced,
        }
    }

    /// Answers one request; a panic on the way becomes a 500.
    pub(crate) async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Result<Response<Body>, Infallible> {
        if !self.traced {
            return Ok(self.answer(request, peer).await);
        }
        let span = request_span::begin(&request);
        let response = self.answer(request, peer).instrument(span.clone()).await;
        request_span::end(&span, &response);
        Ok(response)
    }

    async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        let brings_body = !request.body().is_end_stream();
        let answer = AssertUnwindSafe(self.route(request, peer))
            .catch_unwind()
            .await;
        let answer = answer.unwrap_or_else(|_| {
            let tag = RequestTag::new();
            let error = Error::internal("handle the request", "the handler panicked");
            let mut response = problem::render(&error, &tag);
            response
                .headers_mut()
                .insert(request_id::HEADER, tag.header());
            response
        });
        if brings_body && !answer.status().is_success() {
            // The body may have been left unread. The connection looks before it
            // writes the head: a body that is there is read away, and for one that
            // is not it closes, and can still say so (RFC 9112 §9.6).
            task::yield_now().await;
        }
        answer
    }

    async fn route(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        match self.gateway.handle(request, peer).await {
            Routed::Answered(response) => response,
            Routed::Host(request) => self.host.handle(request.map(Body::new), peer).await,
            Routed::Project(request, counted, admission) => {
                let project = request.extensions().get::<InProject>();
                let project = project.map(|within| within.project.id);
                let mut response = self.host.handle(request.map(Body::new), peer).await;
                if let Some(project) = project {
                    let tag = response.headers().get(request_id::HEADER);
                    let tag = tag.and_then(|tag| tag.to_str().ok()?.parse().ok());
                    counted.end(self.gateway.app(), project, None, tag, &response);
                }
                if let Some(admission) = admission {
                    rate_limit::tell(response.headers_mut(), &admission);
                }
                answer::allow_origin(response.headers_mut());
                response
            }
        }
    }
}
