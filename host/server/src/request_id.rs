//! The id of a request: what `x-request-id` says on every response, in every
//! problem document and beside every log line.

use atlashub_core::RequestId;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::str::FromStr as _;

/// The header that carries the id, both ways.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id that is taken over from a client, bytes.
const MAX_BYTES: usize = 64;

/// A request's id, and how it is shown.
#[derive(Clone, Debug)]
pub(crate) struct RequestTag {
    id: RequestId,
    shown: HeaderValue,
}

impl RequestTag {
    /// An id of this moment.
    pub(crate) fn new() -> Self {
        Self::from_id(RequestId::quick())
    }

    /// The id that the client gave, when it is a plain token; else a new one.
    /// A UUID becomes the id itself, any other token is only shown.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let given = headers
            .get(HEADER)
            .filter(|value| is_plain(value.as_bytes()))
            .and_then(|value| Some((value, value.to_str().ok()?)));
        match given {
            None => Self::new(),
            Some((value, text)) => Self {
                id: RequestId::from_str(text).unwrap_or_else(|_| RequestId::quick()),
                shown: value.clone(),
            },
        }
    }

    fn from_id(id: RequestId) -> Self {
        let text = id.to_string();
        let shown =
            HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("unknown"));
        Self { id, shown }
    }

    /// The id as plugins' log lines have it.
    pub(crate) fn id(&self) -> RequestId {
        self.id
    }

    /// The id as text.
    pub(crate) fn as_str(&self) -> &str {
        self.shown.to_str().unwrap_or_default()
    }

    /// The id as the value of `x-request-id`.
    pub(crate) fn header(&self) -> HeaderValue {
        self.shown.clone()
    }
}

fn is_plain(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes.len() <= MAX_BYTES
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn tag_of(value: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_str(value).unwrap());
        RequestTag::of(&headers).as_str().to_owned()
    }

    #[test]
    fn only_a_plain_token_is_taken_over() {
        assert_eq!(tag_of("build-17.a_b"), "build-17.a_b");
        for doubtful in ["", "a b", "a\"b", "<script>", &"a".repeat(65)] {
            assert_ne!(tag_of(doubtful), doubtful);
        }
        assert_ne!(RequestTag::new().as_str(), RequestTag::new().as_str());
    }
}
