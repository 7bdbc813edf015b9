//! A refusal of `files`.

use atlashub_sdk::prelude::*;
use serde_json::{Map, Value};

/// Members that say how large something may be.
const LIMITS: [&str; 3] = ["limit_bytes", "used_bytes", "requested_bytes"];
/// Longest code that is passed on, bytes.
const MAX_CODE: usize = 64;

/// A status that is no success, with the problem document that came with it.
#[derive(Debug)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    problem: Map<String, Value>,
}

impl Refusal {
    /// Of an answer's status and body.
    #[must_use]
    pub fn new(status: StatusCode, body: &[u8]) -> Self {
        Self {
            status,
            problem: serde_json::from_slice(body).unwrap_or_default(),
        }
    }

    /// The stable code; empty when there is none.
    #[must_use]
    pub fn code(&self) -> &str {
        self.text("code")
    }

    /// The sentence for people; empty when there is none.
    #[must_use]
    pub fn detail(&self) -> &str {
        self.text("detail")
    }

    fn text(&self, name: &str) -> &str {
        let value = self.problem.get(name).and_then(Value::as_str);
        value.unwrap_or_default()
    }

    /// The refusal as one's own: with its status, code and sentence, and with
    /// the limits that it names. A failure is 502 `upstream_failed`, without a
    /// word of what it was.
    #[must_use]
    pub fn into_error(self) -> Error {
        let status = self.status;
        if !status.is_client_error() {
            return Error::new(
                StatusCode::BAD_GATEWAY,
                "upstream_failed",
                "the files cannot be asked",
            )
            .with_cause(format_args!("it answered {status}"));
        }
        let code = match self.code() {
            code if is_code(code) => code.to_owned(),
            _ if status == StatusCode::NOT_FOUND => return Error::not_found("file"),
            _ => "files_refused".to_owned(),
        };
        let error = Error::new(status, code, self.detail());
        LIMITS
            .iter()
            .fold(error, |error, name| match self.problem.get(*name) {
                Some(value) => error.with_field(name, value.clone()),
                None => error,
            })
    }
}

fn is_code(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !text.is_empty() && text.len() <= MAX_CODE && text.bytes().all(is_word)
}
