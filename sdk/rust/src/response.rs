//! What a handler answers, and what can be turned into it.

use crate::{Body, Error, Headers, Result, blob::Served, channel::Held, host};
use http::StatusCode;
use std::{borrow::Cow, fmt, io};

/// An answer: status, header fields, body.
#[derive(Debug)]
pub struct Response {
    status: StatusCode,
    headers: Headers,
    pub(crate) body: ResponseBody,
    /// An error that has yet to become a problem document.
    error: Option<Error>,
}

/// Where the bytes of an answer come from.
pub(crate) enum ResponseBody {
    Empty,
    Bytes(Cow<'static, [u8]>),
    /// The host streams an object after the handler has returned.
    Served(Served),
    /// The host writes what is published on a channel.
    Held(Held),
    /// Bytes from elsewhere are passed on.
    Incoming(Body),
    /// Written once the head is on its way.
    Written(Box<WriteBody>),
}

type WriteBody = dyn FnOnce(&mut dyn io::Write) -> io::Result<()>;

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Served(object) => object.fmt(f),
            Self::Held(held) => held.fmt(f),
            Self::Incoming(_) => f.write_str("Incoming"),
            Self::Written(_) => f.write_str("Written"),
        }
    }
}

impl Response {
    /// An answer without a body.
    #[must_use]
    pub fn new(status: StatusCode) -> Self {
        Self {
            status,
            headers: Headers::new(),
            body: ResponseBody::Empty,
            error: None,
        }
    }

    /// An answer whose body is written by `write` once the head is on its
    /// way: for bodies that are long or not there yet. An error cuts the body
    /// off.
    pub fn streaming(write: impl FnOnce(&mut dyn io::Write) -> io::Result<()> + 'static) -> Self {
        let mut response = Self::new(StatusCode::OK);
        response.body = ResponseBody::Written(Box::new(write));
        response
    }

    pub(crate) fn from_error(error: Error) -> Self {
        let mut response = Self::new(error.status());
        response.error = Some(error);
        response
    }

    /// Sets the status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Sets a header field.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.set(name, value);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Cow<'static, [u8]>>) -> Self {
        self.body = ResponseBody::Bytes(body.into());
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The header fields.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The header fields, to change them.
    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }

    /// The first header field of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// What the client of this answer listens to, for tests.
    #[must_use]
    pub fn held(&self) -> Option<&Held> {
        match &self.body {
            ResponseBody::Held(held) => Some(held),
            _ => None,
        }
    }

    /// The whole body, for tests: reads what is streamed or served.
    ///
    /// # Errors
    /// When the source of the body fails.
    pub fn into_bytes(self) -> Result<Vec<u8>> {
        match self.body {
            // Nothing was published yet.
            ResponseBody::Empty | ResponseBody::Held(_) => Ok(Vec::new()),
            ResponseBody::Bytes(bytes) => Ok(bytes.into_owned()),
            ResponseBody::Served(object) => object.read()?.bytes(usize::MAX),
            ResponseBody::Incoming(body) => body.bytes(usize::MAX),
            ResponseBody::Written(write) => {
                let mut bytes = Vec::new();
                write(&mut bytes)?;
                Ok(bytes)
            }
        }
    }

    /// The whole body as text, for tests.
    ///
    /// # Errors
    /// As [`Response::into_bytes`], and when the body is not UTF-8.
    pub fn into_text(self) -> Result<String> {
        Body::from(self.into_bytes()?).text(usize::MAX)
    }

    /// The whole body, read as JSON, for tests.
    ///
    /// # Errors
    /// As [`Response::into_bytes`], and when the body is not such JSON.
    pub fn into_json<T: serde::de::DeserializeOwned>(self) -> Result<T> {
        Ok(serde_json::from_slice(&self.into_bytes()?)?)
    }

    /// Turns an error into its document, with the id that the client sees.
    pub(crate) fn settle(self) -> Self {
        match self.error {
            Some(error) => error.into_problem(&host::request_id()),
            None => self,
        }
    }

    /// The answer to `HEAD`: the length is said, the bytes are not sent.
    pub(crate) fn without_body(mut self) -> Self {
        if let ResponseBody::Bytes(bytes) = &self.body
            && !self.headers.contains("content-length")
        {
            self.headers
                .append("content-length", bytes.len().to_string());
        }
        self.body = ResponseBody::Empty;
        self
    }

    /// Whether an answer with this status has a body (RFC 9110 §6.4.1).
    #[cfg_attr(
        not(target_family = "wasm"),
        expect(dead_code, reason = "only a real host sends answers")
    )]
    pub(crate) fn may_have_body(&self) -> bool {
        !self.status.is_informational()
            && self.status != StatusCode::NO_CONTENT
            && self.status != StatusCode::NOT_MODIFIED
            && self.status != StatusCode::RESET_CONTENT
    }
}

/// What a handler may return.
pub trait IntoResponse {
    /// Makes the answer.
    fn into_response(self) -> Response;
}

impl IntoResponse for Response {
    fn into_response(self) -> Response {
        self
    }
}

impl IntoResponse for () {
    fn into_response(self) -> Response {
        Response::new(StatusCode::NO_CONTENT)
    }
}

impl IntoResponse for StatusCode {
    fn into_response(self) -> Response {
        Response::new(self)
    }
}

impl IntoResponse for &'static str {
    fn into_response(self) -> Response {
        typed("text/plain; charset=utf-8", self.as_bytes())
    }
}

impl IntoResponse for String {
    fn into_response(self) -> Response {
        typed("text/plain; charset=utf-8", self.into_bytes())
    }
}

impl IntoResponse for Vec<u8> {
    fn into_response(self) -> Response {
        typed("application/octet-stream", self)
    }
}

impl IntoResponse for &'static [u8] {
    fn into_response(self) -> Response {
        typed("application/octet-stream", self)
    }
}

/// Passes bytes on as they arrive.
impl IntoResponse for Body {
    fn into_response(self) -> Response {
        let mut response = Response::new(StatusCode::OK);
        response.body = ResponseBody::Incoming(self);
        response
    }
}

/// The host streams the object.
impl IntoResponse for Served {
    fn into_response(self) -> Response {
        let mut response = Response::new(StatusCode::OK);
        response.body = ResponseBody::Served(self);
        response
    }
}

/// The host holds the connection.
impl IntoResponse for Held {
    fn into_response(self) -> Response {
        let mut response = typed("text/event-stream", Vec::new())
            .with_header("cache-control", "no-store")
            // For proxies that would collect the answer first.
            .with_header("x-accel-buffering", "no");
        response.body = ResponseBody::Held(self);
        response
    }
}

impl<T: IntoResponse, E: Into<Error>> IntoResponse for Result<T, E> {
    fn into_response(self) -> Response {
        match self {
            Ok(value) => value.into_response(),
            Err(error) => Response::from_error(error.into()),
        }
    }
}

/// What is there, or 404.
impl<T: IntoResponse> IntoResponse for Option<T> {
    fn into_response(self) -> Response {
        match self {
            Some(value) => value.into_response(),
            None => Error::not_found("the resource").into_response(),
        }
    }
}

impl<T: IntoResponse> IntoResponse for (StatusCode, T) {
    fn into_response(self) -> Response {
        self.1.into_response().with_status(self.0)
    }
}

impl<const N: usize, V: Into<Vec<u8>>, T: IntoResponse> IntoResponse for ([(&str, V); N], T) {
    fn into_response(self) -> Response {
        let (headers, value) = self;
        with_headers(value.into_response(), headers)
    }
}

impl<const N: usize, V: Into<Vec<u8>>, T: IntoResponse> IntoResponse
    for (StatusCode, [(&str, V); N], T)
{
    fn into_response(self) -> Response {
        let (status, headers, value) = self;
        with_headers(value.into_response(), headers).with_status(status)
    }
}

impl<T: IntoResponse> IntoResponse for (Headers, T) {
    fn into_response(self) -> Response {
        let (headers, value) = self;
        with_headers(value.into_response(), headers.0)
    }
}

impl<T: IntoResponse> IntoResponse for (StatusCode, Headers, T) {
    fn into_response(self) -> Response {
        let (status, headers, value) = self;
        with_headers(value.into_response(), headers.0).with_status(status)
    }
}

fn with_headers<N: AsRef<str>, V: Into<Vec<u8>>>(
    mut response: Response,
    headers: impl IntoIterator<Item = (N, V)>,
) -> Response {
    for (name, value) in headers {
        response.headers.set(name.as_ref(), value);
    }
    response
}

pub(crate) fn typed(content_type: &str, body: impl Into<Cow<'static, [u8]>>) -> Response {
    let mut response = Response::new(StatusCode::OK);
    response.headers.append("content-type", content_type);
    response.with_body(body)
}
