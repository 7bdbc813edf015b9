//! Write AtlasHub plugins in Rust: routes, handlers and extractors as in
//! axum, and typed access to what the host offers.
//!
//! ```
//! use atlashub_sdk::prelude::*;
//!
//! fn routes() -> Router {
//!     Router::new().get("/hello/{name}", greet)
//! }
//!
//! fn greet(Path(name): Path<String>) -> Json<String> {
//!     Json(format!("hello, {name}"))
//! }
//!
//! atlashub_sdk::plugin!(routes);
//! # assert_eq!(routes().call(Request::get("/hello/you")).into_text().unwrap(), "\"hello, you\"");
//! ```
//!
//! A guest has one thread and serves one request at a time, so handlers are
//! plain functions. Between the bindings ([`plugin!`]) and [`Router::call`]
//! lies nothing but the translation of a request and a response, so that
//! other ways in can share all the rest. On other targets than WebAssembly
//! the capabilities stand on an in-memory host (feature `testing`), and
//! everything else is the same code.

#![cfg_attr(
    not(any(target_family = "wasm", feature = "testing")),
    allow(dead_code, reason = "what talks to a host has none to talk to")
)]

extern crate self as atlashub_sdk;

pub mod audit;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod bindings;
pub mod blob;
mod body;
pub mod channel;
pub mod check;
pub mod config;
pub mod database;
mod decode;
pub mod definitions;
mod error;
pub mod events;
mod extract;
mod handler;
mod headers;
mod host;
pub mod http;
pub mod idempotency;
pub mod identity;
pub mod jobs;
pub mod kv;
mod lifecycle;
mod logging;
pub mod mail;
pub mod moment;
pub mod multipart;
mod precondition;
mod request;
mod response;
mod router;
pub mod schedules;
pub mod secret;
pub mod sign_in;
pub mod sql;
#[cfg(all(feature = "testing", not(target_family = "wasm")))]
pub mod testing;
pub mod users;

pub use ::http::{Method, StatusCode};
pub use body::Body;
pub use error::{Error, Result};
pub use events::{Event, Payload, Subscriptions};
pub use extract::{Config, FromRequest, Json, Path, Query, Uri};
pub use handler::Handler;
pub use headers::Headers;
pub use identity::Caller;
pub use jobs::{Job, Jobs};
pub use lifecycle::{Activation, Deactivation};
/// Writing to the plugin's log: `log::info!("…")`.
pub use log;
pub use precondition::{Precondition, lists as lists_etag};
pub use request::Request;
pub use response::{IntoResponse, Response};
pub use router::Router;

/// What most plugins use.
pub mod prelude {
    pub use crate::{
        Body, Caller, Config, Error, Event, FromRequest, Headers, IntoResponse, Job, Jobs, Json,
        Method, Path, Payload, Precondition, Query, Request, Response, Result, Router, StatusCode,
        Subscriptions, Uri, audit, blob, channel, config, database, definitions, events, http,
        idempotency, identity, jobs, kv, log, mail, moment, multipart, params, schedules, secret,
        sign_in, sql, users,
    };
    pub use serde::{Deserialize, Serialize};
}

/// What the macros expand to. Not for use by hand.
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod __private {
    pub use crate::host::{
        checked::{inspect, known, mend, references},
        dispatch::{activate, deactivate, deliver, handle, work},
    };
    pub use wit_bindgen;
}

/// Makes a component out of routes: `plugin!(routes)`, where
/// `fn routes() -> Router` is called once per instance.
///
/// `plugin!(routes, activate = on_activate, deactivate = on_deactivate)` also
/// exports the lifecycle hooks; `fn on_activate(Activation) -> Result<()>`
/// may refuse a revision, `fn on_deactivate(Deactivation) -> Result<()>`
/// tidies up. Each may stand alone.
///
/// `plugin!(routes, events = subscriptions)`, before any of those, also takes
/// events of other plugins: `fn subscriptions() -> Subscriptions` says which
/// function takes which.
///
/// `plugin!(routes, jobs = work)`, before those, also does jobs: `fn work() ->
/// Jobs` says which function does which.
///
/// `plugin!(routes, check = Records)`, before those, lets `atlashub fsck`
/// compare the plugin's tables with its objects: see [`check`].
#[macro_export]
macro_rules! plugin {
    ($routes:path) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Plugin;
            impl $crate::bindings::handler::exports::wasi::http::incoming_handler::Guest for Plugin {
                fn handle(
                    request: $crate::bindings::imports::wasi::http::types::IncomingRequest,
                    out: $crate::bindings::imports::wasi::http::types::ResponseOutparam,
                ) {
                    $crate::__private::handle(request, out, $routes);
                }
            }
            $crate::bindings::handler::export_handler!(
                Plugin with_types_in $crate::bindings::handler
            );
        };
        #[cfg(not(target_family = "wasm"))]
        const _: fn() -> $crate::Router = $routes;
    };
    ($routes:path, check = $records:ty $(, $($rest:tt)*)?) => {
        $crate::plugin!($routes $(, $($rest)*)?);
        #[cfg(target_family = "wasm")]
        const _: () = {
            use $crate::bindings::check::exports::atlashub::check::records;
            struct Checked;
            impl records::Guest for Checked {
                fn known(
                    bucket: String,
                    keys: Vec<String>,
                ) -> Result<Vec<records::Reference>, records::Error> {
                    $crate::__private::known::<$records>(&bucket, &keys)
                }
                fn references(
                    bucket: String,
                    cursor: Option<String>,
                ) -> Result<records::Page, records::Error> {
                    $crate::__private::references::<$records>(&bucket, cursor)
                }
                fn mend(
                    bucket: String,
                    lost: Vec<records::Lost>,
                ) -> Result<(), records::Error> {
                    $crate::__private::mend::<$records>(&bucket, lost)
                }
                fn inspect(
                    cursor: Option<String>,
                    grace_seconds: u64,
                    repair: bool,
                ) -> Result<records::Report, records::Error> {
                    $crate::__private::inspect::<$records>(cursor, grace_seconds, repair)
                }
            }
            $crate::bindings::check::export_check!(
                Checked with_types_in $crate::bindings::check
            );
        };
        #[cfg(not(target_family = "wasm"))]
        const _: fn(&str, &[String]) -> $crate::Result<Vec<$crate::check::Reference>> =
            <$records as $crate::check::Records>::known;
    };
    ($routes:path, jobs = $jobs:path $(, $($rest:tt)*)?) => {
        $crate::plugin!($routes $(, $($rest)*)?);
        #[cfg(target_family = "wasm")]
        const _: () = {
            use $crate::bindings::job_handler::exports::atlashub::jobs::handler;
            struct Worker;
            impl handler::Guest for Worker {
                fn run(job: handler::Job) -> Result<(), handler::Error> {
                    $crate::__private::work(job, $jobs)
                }
            }
            $crate::bindings::job_handler::export_job_handler!(
                Worker with_types_in $crate::bindings::job_handler
            );
        };
        #[cfg(not(target_family = "wasm"))]
        const _: fn() -> $crate::Jobs = $jobs;
    };
    ($routes:path, events = $subscriptions:path $(, $($rest:tt)*)?) => {
        $crate::plugin!($routes $(, $($rest)*)?);
        #[cfg(target_family = "wasm")]
        const _: () = {
            use $crate::bindings::event_handler::exports::atlashub::events::handler;
            struct Handler;
            impl handler::Guest for Handler {
                fn handle(event: handler::Event) -> Result<(), handler::Error> {
                    $crate::__private::deliver(event, $subscriptions)
                }
            }
            $crate::bindings::event_handler::export_event_handler!(
                Handler with_types_in $crate::bindings::event_handler
            );
        };
        #[cfg(not(target_family = "wasm"))]
        const _: fn() -> $crate::Subscriptions = $subscriptions;
    };
    ($routes:path, activate = $activate:path $(,)?) => {
        $crate::plugin!($routes, activate = $activate, deactivate = $crate::Deactivation::ignore);
    };
    ($routes:path, deactivate = $deactivate:path $(,)?) => {
        $crate::plugin!($routes, activate = $crate::Activation::accept, deactivate = $deactivate);
    };
    ($routes:path, activate = $activate:path, deactivate = $deactivate:path $(,)?) => {
        $crate::plugin!($routes);
        #[cfg(target_family = "wasm")]
        const _: () = {
            use $crate::bindings::lifecycle::exports::atlashub::lifecycle::hooks;
            struct Hooks;
            impl hooks::Guest for Hooks {
                fn activate(
                    reason: String,
                    previous_version: Option<String>,
                ) -> Result<(), hooks::Error> {
                    $crate::__private::activate(reason, previous_version, $activate)
                }
                fn deactivate(reason: String) -> Result<(), hooks::Error> {
                    $crate::__private::deactivate(reason, $deactivate)
                }
            }
            $crate::bindings::lifecycle::export_lifecycle!(
                Hooks with_types_in $crate::bindings::lifecycle
            );
        };
        #[cfg(not(target_family = "wasm"))]
        const _: (
            fn($crate::Activation) -> $crate::Result<()>,
            fn($crate::Deactivation) -> $crate::Result<()>,
        ) = ($activate, $deactivate);
    };
}
