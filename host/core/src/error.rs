//! The one error that crosses rooms. It knows no transport: the server turns
//! it into `application/problem+json` (RFC 9457) in a single place, the
//! runtime into the `error` record of a WIT interface.

use std::{borrow::Cow, fmt};

/// The result of everything that can fail in the host.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of failure it was; each kind has one HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request itself is malformed (400).
    BadRequest,
    /// No credentials, or bad ones (401).
    Unauthenticated,
    /// The caller is known and may not do this (403).
    Forbidden,
    /// Unknown, or not the caller's to know of (404).
    NotFound,
    /// The path exists, the method does not (405).
    MethodNotAllowed,
    /// In conflict with what is there (409).
    Conflict,
    /// A precondition such as `If-Match` does not hold (412).
    PreconditionFailed,
    /// Too large, or over quota (413).
    TooLarge,
    /// The media type is refused (415).
    UnsupportedMediaType,
    /// The requested range lies outside the object (416).
    RangeNotSatisfiable,
    /// Well-formed but invalid (422).
    Invalid,
    /// Too many requests (429); carries a time to wait.
    RateLimited,
    /// The host's own failure (500); the cause stays in the log.
    Internal,
    /// A plugin trapped or answered nothing usable (502).
    PluginFault,
    /// Saturated, cut off or shutting down (503); carries a time to wait.
    Unavailable,
    /// A deadline passed (504).
    DeadlineExceeded,
}

impl ErrorKind {
    /// The HTTP status code of this kind.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Conflict => 409,
            Self::PreconditionFailed => 412,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::RangeNotSatisfiable => 416,
            Self::Invalid => 422,
            Self::RateLimited => 429,
            Self::Internal => 500,
            Self::PluginFault => 502,
            Self::Unavailable => 503,
            Self::DeadlineExceeded => 504,
        }
    }

    /// Whether the fault lies on the host's side, so that nothing of the
    /// cause may reach the client.
    #[must_use]
    pub fn is_server_fault(self) -> bool {
        self.status() >= 500
    }
}

/// A failure: its kind, a stable code, a message for the caller, and a cause
/// for the log.
///
/// Messages are lower-case fragments that fit "failed to …" and say what to
/// change. The source never reaches a client.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    code: Cow<'static, str>,
    message: String,
    retry_after_seconds: Option<u32>,
    fields: serde_json::Map<String, serde_json::Value>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` with a stable snake_case `code`.
    pub fn new(
        kind: ErrorKind,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self(Box::new(Inner {
            kind,
            code: code.into(),
            message: message.into(),
            retry_after_seconds: None,
            fields: serde_json::Map::new(),
            source: None,
        }))
    }

    /// 400: the request is malformed.
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::BadRequest, code, message)
    }

    /// 401: no credentials, or bad ones.
    pub fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unauthenticated, "unauthenticated", message)
    }

    /// 403: the caller may not do this.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Forbidden, "forbidden", message)
    }

    /// 404: `what` is unknown, or not the caller's to know of.
    pub fn not_found(what: impl fmt::Display) -> Self {
        Self::new(
            ErrorKind::NotFound,
            "not_found",
            format!("{what} not found"),
        )
    }

    /// 409: in conflict with what is there.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, code, message)
    }

    /// 422: well-formed but invalid.
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, code, message)
    }

    /// 500 with a cause that only the log sees.
    pub fn internal(
        context: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::new(ErrorKind::Internal, "internal", context).with_source(source)
    }

    /// Attaches the cause, for the log only.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Says after how many seconds another try makes sense.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after_seconds = Some(seconds);
        self
    }

    /// Adds an extension member to the problem document.
    #[must_use]
    pub fn with_field(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.0.fields.insert(name.to_owned(), value.into());
        self
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The message for the caller. For a server fault the transport replaces
    /// it; it goes to the log.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Seconds after which another try makes sense.
    #[must_use]
    pub fn retry_after_seconds(&self) -> Option<u32> {
        self.0.retry_after_seconds
    }

    /// Extension members of the problem document.
    #[must_use]
    pub fn fields(&self) -> &serde_json::Map<String, serde_json::Value> {
        &self.0.fields
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}
