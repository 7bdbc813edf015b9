//! The error of a handler: a status, a stable code, and a sentence for the
//! caller. It becomes `application/problem+json` (RFC 9457). What a
//! capability answers turns into it by itself; causes go to the log only.

use crate::{IntoResponse, Response, host::HostError};
use http::StatusCode;
use serde_json::{Map, Value};
use std::{borrow::Cow, fmt};

/// The result of handlers and capabilities.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a request cannot be answered as asked.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    code: Cow<'static, str>,
    detail: String,
    fields: Map<String, Value>,
    headers: Vec<(&'static str, String)>,
    cause: Option<String>,
    sqlstate: Option<String>,
}

impl Error {
    /// An error with a stable snake_case `code` and a `detail` that says what
    /// to change.
    pub fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Self {
        Self(Box::new(Inner {
            status,
            code: code.into(),
            detail: detail.into(),
            fields: Map::new(),
            headers: Vec::new(),
            cause: None,
            sqlstate: None,
        }))
    }

    /// 400: the request is malformed.
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 401: no credentials, or bad ones.
    pub fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
    }

    /// 403: the caller may not do this.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// 404: `what` is unknown, or not the caller's to know of.
    pub fn not_found(what: impl fmt::Display) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("{what} not found"),
        )
    }

    /// 409: in conflict with what is there.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 422: well-formed but invalid.
    pub fn invalid(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// 500: the plugin's own failure. Only the log gets to see `cause`.
    pub fn internal(cause: impl fmt::Display) -> Self {
        let mut error = Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the plugin failed to answer",
        );
        error.0.cause = Some(cause.to_string());
        error
    }

    /// Adds an extension member to the problem document.
    #[must_use]
    pub fn with_field(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.fields.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a header field to the answer.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.headers.push((name, value.into()));
        self
    }

    /// Attaches a cause, for the log only.
    #[must_use]
    pub fn with_cause(mut self, cause: impl fmt::Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// The status that it is answered with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable code, also of a capability's error:
    /// `sql_constraint_unique`, `object_not_found`, …
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The sentence for the caller.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// What the failure came from, such as the database's own words. Not for
    /// the caller, unless the plugin has them for good.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The number of a failed statement on the project's own tables, as
    /// Postgres gives it: `23503`.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        self.0.sqlstate.as_deref()
    }

    /// Extension members of the problem document.
    #[must_use]
    pub fn fields(&self) -> &Map<String, Value> {
        &self.0.fields
    }

    /// The problem document. A 500 says only that it is one.
    pub(crate) fn into_problem(self, request_id: &str) -> Response {
        let Inner {
            status,
            code,
            detail,
            fields,
            headers,
            cause,
            sqlstate: _,
        } = *self.0;
        if status.is_server_error() {
            log::error!("{code}: {}", cause.as_deref().unwrap_or(&detail));
        } else if let Some(cause) = cause {
            log::debug!("{code}: {cause}");
        }
        let code = if status == StatusCode::INTERNAL_SERVER_ERROR {
            Cow::Borrowed("internal")
        } else {
            code
        };
        let mut problem = fields;
        problem.insert("type".into(), "about:blank".into());
        problem.insert(
            "title".into(),
            status.canonical_reason().unwrap_or("Error").into(),
        );
        problem.insert("status".into(), status.as_u16().into());
        problem.insert("code".into(), code.into());
        problem.insert("message".into(), detail.clone().into());
        problem.insert("detail".into(), detail.into());
        if !request_id.is_empty() {
            problem.insert("request_id".into(), request_id.into());
        }
        let mut response = Response::new(status)
            .with_header("content-type", "application/problem+json")
            .with_body(Value::Object(problem).to_string().into_bytes());
        for (name, value) in headers {
            response.headers_mut().set(name, value);
        }
        response
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.detail)?;
        self.0
            .cause
            .as_ref()
            .map_or(Ok(()), |cause| write!(f, ": {cause}"))
    }
}

impl std::error::Error for Error {}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Response::from_error(self)
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(error)
    }
}

impl From<fmt::Error> for Error {
    fn from(error: fmt::Error) -> Self {
        Self::internal(error)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            return Self::bad_request("upload_interrupted", "the body ended too early")
                .with_cause(error);
        }
        Self::internal(error)
    }
}

/// Gives a capability's error the status that a client should see. The
/// message is passed on where it speaks of what the client sent; what the
/// database says stays in the log.
impl From<HostError> for Error {
    fn from(error: HostError) -> Self {
        let HostError {
            code,
            message,
            details,
            sqlstate,
            retry_after,
        } = error;
        let (status, detail) = match code.as_str() {
            "quota_exceeded"
            | "object_too_large"
            | "multipart_too_large"
            | "event_too_large"
            | "job_too_large"
            | "kv_value_too_large" => (StatusCode::PAYLOAD_TOO_LARGE, None),
            "object_not_found" => (StatusCode::NOT_FOUND, Some("the object was not found")),
            "object_exists" | "upload_busy" => (StatusCode::CONFLICT, None),
            "not_granted" => (StatusCode::FORBIDDEN, None),
            "invalid_credentials" | "totp_required" | "invalid_totp_code" => {
                (StatusCode::UNAUTHORIZED, None)
            }
            "email_not_verified" => (StatusCode::FORBIDDEN, None),
            "sign_in_disabled" => (StatusCode::NOT_FOUND, None),
            "no_client" => (StatusCode::UNPROCESSABLE_ENTITY, None),
            "no_secret" => (
                StatusCode::SERVICE_UNAVAILABLE,
                Some("the plugin has not been set up for this"),
            ),
            "too_many_streams" | "too_many_uploads" | "rate_limited" => {
                (StatusCode::TOO_MANY_REQUESTS, None)
            }
            "busy" => (StatusCode::SERVICE_UNAVAILABLE, None),
            "invalid_range" => (StatusCode::RANGE_NOT_SATISFIABLE, None),
            "invalid_object_key"
            | "kv_key_invalid"
            | "invalid_event"
            | "event_not_declared"
            | "event_loop"
            | "invalid_job"
            | "job_not_declared"
            | "invalid_schedule"
            | "platform_job_unknown" => (StatusCode::UNPROCESSABLE_ENTITY, None),
            "invalid_id" | "invalid_email" | "invalid_handle" | "invalid_name" | "unknown_role"
            | "too_many_roles" | "role_not_given" => (StatusCode::UNPROCESSABLE_ENTITY, None),
            "id_taken" | "email_taken" | "handle_taken" => (StatusCode::CONFLICT, None),
            "job_lost" | "too_many_schedules" => (StatusCode::CONFLICT, None),
            "not_found" => (StatusCode::NOT_FOUND, None),
            "platform_job_unavailable" => (StatusCode::NOT_IMPLEMENTED, None),
            "queue_full" => (StatusCode::SERVICE_UNAVAILABLE, None),
            "multipart_invalid" | "upload_interrupted" | "invalid_cursor" => {
                (StatusCode::BAD_REQUEST, None)
            }
            "sql_invalid_text" => (
                StatusCode::BAD_REQUEST,
                Some("a text contains a NUL character"),
            ),
            "sql_constraint_unique" => (
                StatusCode::CONFLICT,
                Some("there is already one with these values"),
            ),
            "sql_constraint" => (
                StatusCode::UNPROCESSABLE_ENTITY,
                Some("the values do not fit together"),
            ),
            "sql_policy" => (
                StatusCode::FORBIDDEN,
                Some("a row policy does not allow this row"),
            ),
            "sql_busy" => (
                StatusCode::SERVICE_UNAVAILABLE,
                Some("the database is busy, try again"),
            ),
            "sql_timeout" => (
                StatusCode::GATEWAY_TIMEOUT,
                Some("the database took too long"),
            ),
            "upstream_timeout" => (
                StatusCode::GATEWAY_TIMEOUT,
                Some("another service took too long"),
            ),
            "upstream_busy" => (
                StatusCode::SERVICE_UNAVAILABLE,
                Some("another service has no room now, try again"),
            ),
            "upstream_denied" => (
                StatusCode::BAD_GATEWAY,
                Some("a call to another service was not allowed"),
            ),
            "upstream_failed" | "upstream_absent" => (
                StatusCode::BAD_GATEWAY,
                Some("another service could not be reached"),
            ),
            _ => (
                StatusCode::INTERNAL_SERVER_ERROR,
                Some("the plugin failed to answer"),
            ),
        };
        let mut own = match detail {
            Some(detail) => Self::new(status, code, detail).with_cause(message),
            None => Self::new(status, code, message),
        };
        let wait = retry_after.or_else(|| (status == StatusCode::SERVICE_UNAVAILABLE).then_some(1));
        if let Some(seconds) = wait {
            own = own.with_header("retry-after", seconds.to_string());
        }
        own.0.sqlstate = sqlstate;
        if let Some(Ok(Value::Object(fields))) = details.map(|text| serde_json::from_str(&text)) {
            own.0.fields = fields;
        }
        own
    }
}
