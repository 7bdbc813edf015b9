//! The project gateway: everything that is not the host's own goes through
//! tenant, caller, admission and route to a plugin.

use crate::problem::{self};
use crate::request_id::{self, RequestTag};
use atlashub_app::App;
use atlashub_core::{Error, manifest::is_host_path};
use axum::{body::Body, response::Response};
use http::Request;
use hyper::body::Incoming;
use std::net::SocketAddr;

/// What the gateway made of a request.
pub(crate) enum Routed {
    /// A project's: answered.
    Answered(Response<Body>),
    /// The host's own: given back untouched.
    Host(Request<Incoming>),
}

/// Routes requests to plugins.
pub(crate) struct Gateway {
    #[expect(dead_code, reason = "tenants are looked up in it")]
    app: App,
}

impl Gateway {
    pub(crate) fn new(app: App) -> Self {
        Self { app }
    }

    pub(crate) async fn handle(&self, request: Request<Incoming>, _peer: SocketAddr) -> Routed {
        if is_host_path(request.uri().path()) {
            return Routed::Host(request);
        }
        let tag = RequestTag::of(request.headers());
        let mut response = problem::render(&Error::not_found("project"), &tag);
        response
            .headers_mut()
            .insert(request_id::HEADER, tag.header());
        Routed::Answered(response)
    }
}
