//! The host as the capabilities see it: the same functions over the WIT
//! bindings in a component, and over an in-memory host elsewhere.

#[cfg(target_family = "wasm")]
mod capabilities;
#[cfg(target_family = "wasm")]
pub(crate) mod checked;
#[cfg(target_family = "wasm")]
pub(crate) mod dispatch;
#[cfg(target_family = "wasm")]
mod outgoing;
#[cfg(target_family = "wasm")]
mod streams;
#[cfg(target_family = "wasm")]
pub(crate) use {
    capabilities::*,
    outgoing::send,
    streams::{Incoming, InputStream},
};

#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(not(target_family = "wasm"))]
pub(crate) use native::*;

/// What a capability answers when it fails: the WIT's `error` records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostError {
    pub(crate) code: String,
    pub(crate) message: String,
    /// JSON with details.
    pub(crate) details: Option<String>,
    /// Of a statement on the project's own tables.
    pub(crate) sqlstate: Option<String>,
    /// Seconds to wait before another try.
    pub(crate) retry_after: Option<u32>,
}

impl HostError {
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            details: None,
            sqlstate: None,
            retry_after: None,
        }
    }
}

/// What every function of the host answers.
pub(crate) type HostResult<T> = Result<T, HostError>;
