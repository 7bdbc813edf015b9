//! The only place where an [`Error`] becomes HTTP: `application/problem+json`
//! (RFC 9457) with the members that the contract names.
//!
//! A handler returns [`Problem`]; it travels as a response extension up to
//! the boundary ([`crate::host`]) or the gateway, where the request id is
//! known. There it is written once, and there a server fault is logged once.

use crate::request_id::RequestTag;
use atlashub_core::{Error, ErrorKind};
use axum::{
    body::Body,
    extract::rejection::{JsonRejection, PathRejection, QueryRejection},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};
use std::sync::Arc;

/// The media type of a problem document.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// What a handler answers when it failed.
#[derive(Debug)]
pub(crate) struct Problem(pub(crate) Error);

/// The error on its way to the boundary.
#[derive(Clone)]
pub(crate) struct Carried(Arc<Error>);

impl Carried {
    /// The error.
    pub(crate) fn error(&self) -> Arc<Error> {
        Arc::clone(&self.0)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status(&self.0);
        response.extensions_mut().insert(Carried(Arc::new(self.0)));
        response
    }
}

/// Writes the problem document into a response that carries an error, and
/// leaves every other response alone.
pub(crate) fn finish(mut response: Response, tag: &RequestTag) -> Response {
    let Some(Carried(error)) = response.extensions_mut().remove::<Carried>() else {
        return response;
    };
    let mut written = render(&error, tag);
    std::mem::swap(written.extensions_mut(), response.extensions_mut());
    // Headers that layers below the boundary added, such as CORS, stay.
    for (name, value) in response.headers() {
        if !written.headers().contains_key(name) && name != header::CONTENT_LENGTH {
            written.headers_mut().append(name.clone(), value.clone());
        }
    }
    written
}

/// The problem document of `error`; logs a server fault.
pub(crate) fn render(error: &Error, tag: &RequestTag) -> Response {
    let status = status(error);
    if status.is_server_error() {
        log(error, tag);
    }
    let detail = if status.is_server_error() {
        public_detail(error.kind())
    } else {
        error.message()
    };
    let mut members = Map::new();
    for (name, value) in error.fields() {
        members.insert(name.clone(), value.clone());
    }
    let title = status.canonical_reason().unwrap_or("Error");
    for (name, value) in [
        ("type", "about:blank"),
        ("title", title),
        ("detail", detail),
        ("message", detail),
        ("code", error.code()),
        ("request_id", tag.as_str()),
    ] {
        members.insert(name.to_owned(), Value::from(value));
    }
    members.insert("status".to_owned(), Value::from(status.as_u16()));
    let mut response = Response::new(Body::from(Value::Object(members).to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if let Some(seconds) = retry_after(error) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

fn status(error: &Error) -> StatusCode {
    StatusCode::from_u16(error.kind().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn retry_after(error: &Error) -> Option<u32> {
    error.retry_after_seconds().or(match error.kind() {
        ErrorKind::RateLimited | ErrorKind::Unavailable => Some(1),
        _ => None,
    })
}

/// What a client may know of a server fault.
fn public_detail(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::PluginFault => "the plugin failed to answer",
        ErrorKind::Unavailable => "not able to answer at the moment, try again later",
        ErrorKind::DeadlineExceeded => "the answer took too long",
        _ => "an internal error occurred",
    }
}

fn log(error: &Error, tag: &RequestTag) {
    let cause = chain(error);
    match error.kind() {
        ErrorKind::Internal => {
            tracing::error!(request_id = tag.as_str(), code = error.code(), failed_to = error.message(), %cause, "request failed");
        }
        _ => {
            tracing::warn!(request_id = tag.as_str(), code = error.code(), %cause, "request failed")
        }
    }
}

/// An error and all its causes in one line.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self(match rejection {
            JsonRejection::JsonSyntaxError(error) => Error::bad_request(
                "invalid_json",
                format!("the body is not JSON: {}", inner(&error)),
            ),
            JsonRejection::JsonDataError(error) => Error::invalid("invalid_body", inner(&error)),
            JsonRejection::MissingJsonContentType(_) => Error::new(
                ErrorKind::UnsupportedMediaType,
                "unsupported_media_type",
                "send the body as `content-type: application/json`",
            ),
            JsonRejection::BytesRejection(error) => from_body_status(error.status()),
            other => Error::bad_request("invalid_body", other.body_text()),
        })
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self(Error::bad_request("invalid_query", rejection.body_text()))
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self(Error::bad_request("invalid_path", rejection.body_text()))
    }
}

/// The error behind a body that could not be read.
pub(crate) fn from_body_status(status: StatusCode) -> Error {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        Error::new(
            ErrorKind::TooLarge,
            "body_too_large",
            "the body is too large",
        )
    } else {
        Error::bad_request("body_interrupted", "the body ended early")
    }
}

/// The cause that axum wraps, without axum's own words in front.
fn inner(error: &dyn std::error::Error) -> String {
    let mut current = error;
    while let Some(source) = current.source() {
        current = source;
    }
    current.to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use axum::{Json, extract::FromRequest as _};
    use http::Request;
    use http_body_util::BodyExt as _;

    async fn read(response: Response) -> (StatusCode, http::HeaderMap, Value) {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (
            parts.status,
            parts.headers,
            serde_json::from_slice(&bytes).unwrap(),
        )
    }

    #[tokio::test]
    async fn a_problem_has_all_members_of_the_contract() {
        let tag = RequestTag::new();
        let error = Error::new(ErrorKind::TooLarge, "quota_exceeded", "over quota")
            .with_field("limit_bytes", 10)
            .with_field("used_bytes", 9);
        let (status, headers, body) = read(finish(Problem(error).into_response(), &tag)).await;
        assert_eq!(status, 413);
        assert_eq!(headers[header::CONTENT_TYPE], MEDIA_TYPE);
        assert_eq!(body["type"], "about:blank");
        assert_eq!(body["title"], "Payload Too Large");
        assert_eq!(body["status"], 413);
        assert_eq!(body["detail"], "over quota");
        assert_eq!(body["message"], "over quota");
        assert_eq!(body["code"], "quota_exceeded");
        assert_eq!(body["request_id"], tag.as_str());
        assert_eq!(body["limit_bytes"], 10);
    }

    #[tokio::test]
    async fn a_server_fault_says_nothing_of_its_cause() {
        let error = Error::internal("read /var/lib/secret.db", "SELECT password FROM admins");
        let (status, _, body) = read(render(&error, &RequestTag::new())).await;
        assert_eq!(status, 500);
        let text = body.to_string();
        assert!(
            !text.contains("SELECT") && !text.contains("/var/lib"),
            "{text}"
        );
        assert_eq!(body["code"], "internal");
    }

    #[tokio::test]
    async fn an_extension_member_cannot_replace_a_standard_one() {
        let error = Error::forbidden("no")
            .with_field("status", 200)
            .with_field("code", "fine");
        let (_, _, body) = read(render(&error, &RequestTag::new())).await;
        assert_eq!(body["status"], 403);
        assert_eq!(body["code"], "forbidden");
    }

    #[tokio::test]
    async fn waiting_is_always_said_when_it_helps() {
        let limited =
            Error::new(ErrorKind::RateLimited, "rate_limited", "slower").with_retry_after(7);
        let (status, headers, _) = read(render(&limited, &RequestTag::new())).await;
        assert_eq!(
            (
                status.as_u16(),
                headers[header::RETRY_AFTER].to_str().unwrap()
            ),
            (429, "7")
        );
        let busy = Error::new(ErrorKind::Unavailable, "saturated", "busy");
        let (_, headers, _) = read(render(&busy, &RequestTag::new())).await;
        assert!(headers.contains_key(header::RETRY_AFTER));
    }

    #[tokio::test]
    async fn bad_bodies_have_codes_of_their_own() {
        #[derive(serde::Deserialize, Debug)]
        struct Wanted {
            #[expect(dead_code, reason = "only parsed")]
            name: String,
        }
        for (media, body, status, code) in [
            ("application/json", "{", 400, "invalid_json"),
            ("application/json", "{\"name\":1}", 422, "invalid_body"),
            ("text/plain", "{}", 415, "unsupported_media_type"),
        ] {
            let request = Request::builder()
                .method("POST")
                .header(header::CONTENT_TYPE, media)
                .body(Body::from(body))
                .unwrap();
            let rejection = Json::<Wanted>::from_request(request, &())
                .await
                .unwrap_err();
            let problem = Problem::from(rejection);
            assert_eq!(
                (problem.0.kind().status(), problem.0.code()),
                (status, code),
                "{body}"
            );
        }
    }
}
