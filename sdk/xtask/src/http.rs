//! As much of an HTTP client as setting up a local server takes: JSON to and
//! from a loopback address, one connection a call.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// The largest answer that is read, bytes.
const MAX_ANSWER: u64 = 4 * 1024 * 1024;

/// An answer.
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The body; null when it was not JSON.
    pub(crate) body: Value,
}

impl Answer {
    /// The body of a success.
    ///
    /// Fails with the server's own words otherwise.
    pub(crate) fn expect_success(self, purpose: &str) -> Result<Value> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        bail!(
            "failed to {purpose}: the server answered {} {}",
            self.status,
            self.body
        )
    }
}

/// Calls a server, AtlasHub's as its developer.
pub(crate) struct Client {
    address: SocketAddr,
    /// Lines of every request's head.
    headers: String,
}

impl Client {
    /// A client of the server at `address`.
    pub(crate) fn new(address: SocketAddr, admin_token: &str) -> Self {
        Self::with_headers(address, &format!("x-dev-admin-token: {admin_token}\r\n"))
    }

    /// As [`Self::new`], of another server: whole lines of the head say who
    /// calls it.
    pub(crate) fn with_headers(address: SocketAddr, headers: &str) -> Self {
        Self {
            address,
            headers: headers.to_owned(),
        }
    }

    /// Sends one request.
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
        let mut stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(5))
            .with_context(|| format!("connect to {}", self.address))?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let body = body.map(Value::to_string).unwrap_or_default();
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nhost: {}\r\n{}\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            self.headers,
            body.len()
        )?;
        let mut text = Vec::new();
        stream.take(MAX_ANSWER).read_to_end(&mut text)?;
        let text = String::from_utf8_lossy(&text);
        let (head, body) = text
            .split_once("\r\n\r\n")
            .context("the server's answer was cut off")?;
        let status = head
            .split_ascii_whitespace()
            .nth(1)
            .and_then(|word| word.parse().ok())
            .context("the server's answer has no status")?;
        Ok(Answer {
            status,
            body: serde_json::from_str(body).unwrap_or_default(),
        })
    }

    /// Whether the server says that it can serve.
    pub(crate) fn is_ready(&self) -> bool {
        self.call("GET", "/readyz", None)
            .is_ok_and(|answer| answer.status == 200)
    }
}
