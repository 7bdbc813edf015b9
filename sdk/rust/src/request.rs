//! A request on its way through the router. Headers and body stay with the
//! host until somebody asks for them.

use crate::{Body, Headers, host};
use http::Method;
use std::cell::OnceCell;

/// What a client asks for.
#[derive(Debug)]
pub struct Request {
    method: Method,
    /// Path and query as the client wrote them.
    target: String,
    headers: OnceCell<Headers>,
    body: Option<Body>,
    /// Where headers and body are, when they have not been fetched.
    incoming: Option<host::Incoming>,
    /// Variables of the route, decoded.
    pub(crate) params: Vec<(String, String)>,
}

impl Request {
    /// A request with an empty body. `target` is the path, with the query if
    /// there is one.
    #[must_use]
    pub fn new(method: Method, target: impl Into<String>) -> Self {
        Self {
            method,
            target: target.into(),
            headers: OnceCell::new(),
            body: None,
            incoming: None,
            params: Vec::new(),
        }
    }

    /// A `GET` request.
    #[must_use]
    pub fn get(target: impl Into<String>) -> Self {
        Self::new(Method::GET, target)
    }

    /// A `POST` request with `body`.
    #[must_use]
    pub fn post(target: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self::new(Method::POST, target).with_body(body)
    }

    /// Adds a header field.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers();
        if let Some(headers) = self.headers.get_mut() {
            headers.append(name, value);
        }
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(Body::from(body.into()));
        self
    }

    /// Sets the body to a value as JSON, and its content type.
    ///
    /// # Errors
    /// When the value cannot be written as JSON.
    pub fn with_json(self, value: &impl serde::Serialize) -> crate::Result<Self> {
        let body = serde_json::to_vec(value)?;
        Ok(self
            .with_header("content-type", "application/json")
            .with_body(body))
    }

    #[cfg_attr(
        not(target_family = "wasm"),
        expect(dead_code, reason = "only a real host has incoming requests")
    )]
    pub(crate) fn from_host(method: Method, target: String, incoming: host::Incoming) -> Self {
        Self {
            incoming: Some(incoming),
            ..Self::new(method, target)
        }
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path, percent-encoded as the client wrote it.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target
            .split_once('?')
            .map_or(&self.target, |(path, _)| path)
    }

    /// The query after the question mark, still encoded.
    #[must_use]
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// Path and query.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The header fields. The first call fetches them from the host.
    pub fn headers(&self) -> &Headers {
        self.headers.get_or_init(|| {
            self.incoming
                .as_ref()
                .map(host::Incoming::headers)
                .unwrap_or_default()
        })
    }

    /// The first header field of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().get(name)
    }

    /// Takes the body; the second time it is empty.
    pub fn take_body(&mut self) -> Body {
        if let Some(body) = self.body.take() {
            return body;
        }
        self.incoming
            .as_ref()
            .and_then(host::Incoming::body)
            .map(Body::from_stream)
            .unwrap_or_default()
    }

    /// A variable of the route, decoded.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }
}
