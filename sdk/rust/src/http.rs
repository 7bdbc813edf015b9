//! Calls to other services: hosts that the admin granted (`http:<host>`), and
//! other plugins of the same project at `http://<plugin>.internal/…`
//! (`plugin:<name>`), which see the same caller.

use crate::{Body, Error, Headers, IntoResponse as _, Response, Result, host};
use http::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;

/// Header fields that belong to the bytes of an answer.
const OF_BYTES: [&str; 10] = [
    "accept-ranges",
    "cache-control",
    "content-disposition",
    "content-length",
    "content-range",
    "content-security-policy",
    "content-type",
    "etag",
    "last-modified",
    "x-content-type-options",
];

/// A call that is being put together.
#[derive(Debug)]
#[must_use = "a call does nothing until it is sent"]
pub struct Call {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: Headers,
    pub(crate) body: Body,
    pub(crate) timeout: Option<Duration>,
}

/// What came back. Any status is an answer, not an error.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: Headers,
    /// The body, to be read as it arrives.
    pub body: Body,
}

/// A `GET` of `url`.
pub fn get(url: impl Into<String>) -> Call {
    call(Method::GET, url)
}

/// A `POST` to `url`.
pub fn post(url: impl Into<String>) -> Call {
    call(Method::POST, url)
}

/// A `PUT` of `url`.
pub fn put(url: impl Into<String>) -> Call {
    call(Method::PUT, url)
}

/// A `DELETE` of `url`.
pub fn delete(url: impl Into<String>) -> Call {
    call(Method::DELETE, url)
}

/// Text as one segment of a path, or as a value in a query: all but ASCII
/// letters and digits percent-encoded.
#[must_use]
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A call of any method.
pub fn call(method: Method, url: impl Into<String>) -> Call {
    Call {
        method,
        url: url.into(),
        headers: Headers::new(),
        body: Body::empty(),
        timeout: None,
    }
}

impl Call {
    /// Sets a header field.
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.set(name, value);
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Body::from(body.into());
        self
    }

    /// Passes a body on as it arrives, such as the one of the request that is
    /// being handled: its bytes do not enter the plugin. Set `content-length`
    /// beside it where the length is known. Should it break off, so does the
    /// call.
    ///
    /// ```no_run
    /// # use atlashub_sdk::prelude::*;
    /// # fn pass_on(request: &mut Request) -> Result<http::Answer> {
    /// http::put("http://files.internal/files/1/content")
    ///     .stream(request.take_body())
    ///     .send()
    /// # }
    /// ```
    pub fn stream(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// Sets the body to a value as JSON, and its content type.
    ///
    /// # Errors
    /// When the value cannot be written as JSON.
    pub fn json(self, value: &impl Serialize) -> Result<Self> {
        let body = serde_json::to_vec(value)?;
        Ok(self.header("content-type", "application/json").body(body))
    }

    /// How long to wait for the answer's head, and then for each piece of its
    /// body. The host has a limit of its own.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sends the call and waits for the answer's head. Redirects are not
    /// followed.
    ///
    /// # Errors
    /// `upstream_denied` when the address is not granted or not public,
    /// `upstream_absent` when there is no such host or plugin, `upstream_busy`
    /// when it was not asked: a plugin had no place or is cut off for a while,
    /// or too many calls of this one are on their way. `upstream_timeout`,
    /// `upstream_failed`, also of a plugin that broke at this call;
    /// `upload_interrupted` when a body that is passed on was read in part.
    pub fn send(mut self) -> Result<Answer> {
        let source = self.body.source()?;
        Ok(host::send(self, source)?)
    }
}

impl Answer {
    /// The answer, if its status is a success.
    ///
    /// # Errors
    /// 502 `upstream_failed` otherwise.
    pub fn success(self) -> Result<Self> {
        if self.status.is_success() {
            return Ok(self);
        }
        Err(Error::new(
            StatusCode::BAD_GATEWAY,
            "upstream_failed",
            "another service refused",
        )
        .with_cause(format_args!("it answered {}", self.status)))
    }

    /// The answer as one's own, for a file that another plugin serves: status,
    /// body, and the header fields that belong to the bytes. Nothing else, such
    /// as a cookie, is passed on.
    #[must_use]
    pub fn pass_on(self) -> Response {
        let headers: Headers = OF_BYTES
            .into_iter()
            .filter_map(|name| Some((name, self.headers.get_bytes(name)?.to_vec())))
            .collect();
        (self.status, headers, self.body).into_response()
    }

    /// The whole body as JSON, 1 MiB at most.
    ///
    /// # Errors
    /// 502 `upstream_failed` when it is not such JSON.
    pub fn json<T: DeserializeOwned>(self) -> Result<T> {
        let bytes = self.body.bytes(Body::DEFAULT_LIMIT)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Error::new(
                StatusCode::BAD_GATEWAY,
                "upstream_failed",
                "another service answered something else",
            )
            .with_cause(error)
        })
    }

    /// The whole body as text, 1 MiB at most.
    ///
    /// # Errors
    /// As [`Body::text`].
    pub fn text(self) -> Result<String> {
        self.body.text(Body::DEFAULT_LIMIT)
    }
}

/// An address, taken apart.
#[cfg_attr(
    not(target_family = "wasm"),
    allow(dead_code, reason = "the tests' host looks at the host's name only")
)]
pub(crate) struct Address<'a> {
    pub(crate) secure: bool,
    pub(crate) authority: &'a str,
    /// Path and query, starting with a slash.
    pub(crate) target: String,
}

/// Takes `http://` and `https://` addresses apart.
pub(crate) fn address(url: &str) -> Option<Address<'_>> {
    let (scheme, rest) = url.split_once("://")?;
    let secure = match scheme {
        "http" => false,
        "https" => true,
        _ => return None,
    };
    let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at_checked(end)?;
    if authority.is_empty() {
        return None;
    }
    let target = if target.starts_with('/') {
        target.to_owned()
    } else {
        format!("/{target}")
    };
    Some(Address {
        secure,
        authority,
        target,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let parts = |url| {
            let Address {
                secure,
                authority,
                target,
            } = address(url).unwrap();
            (secure, authority.to_owned(), target)
        };
        assert_eq!(
            parts("http://a.internal"),
            (false, "a.internal".into(), "/".into())
        );
        assert_eq!(
            parts("https://a:8/b/c?d#e"),
            (true, "a:8".into(), "/b/c?d".into())
        );
        assert_eq!(parts("http://a?b"), (false, "a".into(), "/?b".into()));
        for url in ["", "a", "ftp://a", "http://", "http:///x"] {
            assert!(address(url).is_none(), "{url:?} was taken");
        }
    }
}
