//! The WebAssembly runtime: one engine for the process, a cache of compiled
//! revisions, live plugins per project with warm instances, and the limits
//! that hold for all of them.
//!
//! A [`Revision`] is compiled code that all projects share; a [`LivePlugin`]
//! belongs to one project and one generation of its installation and owns its
//! instances; [`LivePlugin::handle`] is the road of a request,
//! [`LivePlugin::deliver`] that of an event. What plugins may ask of the host
//! stands behind the traits of [`atlashub_core::capability`], handed in as
//! [`Services`].
//!
//! This crate knows neither the HTTP server nor a database.

mod bindings;
mod breaker;
mod cache;
mod check;
mod compile;
mod cpu;
mod deliver;
mod dispatch;
mod egress;
mod engine;
mod heavy;
mod host;
mod instance;
mod limiter;
mod output;
mod pace;
mod places;
mod plugin;
mod revision;
mod runtime;
mod seat;
mod secrets;
mod state;
mod stats;
mod work;
pub mod worker;

pub use cache::CompileCache;
pub use compile::{CompileLimits, Compiler};
pub use dispatch::GuestBody;
pub use egress::{EgressPolicy, is_public, resolve_public};
pub use engine::EngineOptions;
pub use plugin::{LivePlugin, PluginSpec};
pub use revision::{ComponentInterface, Revision};
pub use runtime::{PluginCalls, RequestContext, Runtime, RuntimeOptions, Services};
pub use seat::Seat;
pub use stats::{PluginStats, StatsSnapshot};

/// The body of requests and responses inside the runtime.
pub use wasmtime_wasi_http::WasiBody;

/// The error of such a body.
pub use wasmtime_wasi_http::Error as BodyError;
