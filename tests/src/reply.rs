//! An answer, read whole, with the assertions that tests make about it.

use bytes::Bytes;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// An answer with its body.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Reply {
    /// Sends `request` and reads the whole answer.
    ///
    /// # Panics
    /// When no whole answer comes.
    pub async fn to(request: reqwest::RequestBuilder) -> Self {
        Self::try_to(request).await.expect("a whole answer")
    }

    /// Sends `request` and reads the whole answer; of server-sent events, which
    /// do not end, the first piece.
    ///
    /// # Errors
    /// When no whole answer comes.
    pub async fn try_to(request: reqwest::RequestBuilder) -> reqwest::Result<Self> {
        let mut response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let is_stream = headers
            .get("content-type")
            .is_some_and(|of_type| of_type == "text/event-stream");
        let body = if is_stream {
            response.chunk().await?.unwrap_or_default()
        } else {
            response.bytes().await?
        };
        Ok(Self {
            status,
            headers,
            body,
        })
    }

    /// As [`try_to`](Self::try_to), again for as long as the answer is a 503: many
    /// at once on a slow machine are told to come again.
    ///
    /// # Errors
    /// When no whole answer comes.
    ///
    /// # Panics
    /// When the body is a stream, which cannot be sent twice.
    pub async fn try_patiently(request: reqwest::RequestBuilder) -> reqwest::Result<Self> {
        loop {
            let again = request.try_clone().expect("a body of bytes");
            let reply = Self::try_to(again).await?;
            if reply.status != 503 {
                return Ok(reply);
            }
        }
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{error} in the answer {}: {}", self.status, self.text())
        })
    }

    /// A header's value, or an empty text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("")
    }

    /// Asserts the status, and passes the answer on.
    ///
    /// # Panics
    /// When it is another.
    #[must_use]
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "the answer was {}", self.text());
        self
    }

    /// Asserts any status of success, and passes the answer on.
    ///
    /// # Panics
    /// When it is another.
    #[must_use]
    #[track_caller]
    pub fn expect_success(self) -> Self {
        assert!(
            (200..300).contains(&self.status),
            "the answer was {} {}",
            self.status,
            self.text()
        );
        self
    }

    /// Asserts that this is a complete problem document (RFC 9457) with
    /// `status`, and answers its `code`.
    ///
    /// # Panics
    /// When something is missing or does not fit.
    #[track_caller]
    pub fn expect_problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "the answer was {}", self.text());
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{}",
            self.text()
        );
        let problem = self.json();
        let text = |name: &str| {
            problem[name]
                .as_str()
                .unwrap_or_else(|| panic!("no text `{name}` in {problem}"))
                .to_owned()
        };
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(text("message"), text("detail"), "{problem}");
        assert_eq!(text("request_id"), self.header("x-request-id"), "{problem}");
        assert!(
            !text("type").is_empty() && !text("title").is_empty(),
            "{problem}"
        );
        let code = text("code");
        let is_snake_case = !code.is_empty()
            && code
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        assert!(is_snake_case, "the code `{code}` is not snake_case");
        code
    }
}
