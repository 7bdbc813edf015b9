//! Calls of the other side, and what can come of them.

mod token;

use crate::settings::{Account, not_set_up};
use atlashub_sdk::prelude::*;
use serde_json::Value;
use std::time::Duration;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Largest answer, bytes.
const MAX: usize = 64 * 1024;

/// Why there is no answer that says what was asked.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It was refused before anything was done about it.
    Refused {
        status: u16,
        code: String,
        text: String,
    },
    /// It did not leave.
    NotSent(Error),
    /// Whether it was done nobody knows.
    Lost(String),
}

impl Trouble {
    /// The code and the text, for the table.
    pub(crate) fn words(&self) -> (String, String) {
        match self {
            Self::Refused { code, text, .. } => (code.clone(), text.clone()),
            Self::NotSent(error) => (error.code().to_owned(), error.detail().to_owned()),
            Self::Lost(what) => ("lost".to_owned(), what.clone()),
        }
    }

    /// Whether nothing was done, and nothing will be: the gateway refused before
    /// it began, by a code that says so.
    pub(crate) fn is_definite(&self) -> bool {
        match self {
            Self::NotSent(_) => true,
            Self::Lost(_) => false,
            Self::Refused { code, text, .. } => {
                let early = ["400.", "401.", "404.", "405.", "token_"];
                let text = text.to_ascii_lowercase();
                early.iter().any(|start| code.starts_with(start))
                    || matches!(code.as_str(), "500.003.02" | "500.003.03")
                    || (code == "500.001.1001"
                        && ["merchant", "credentials", "lock subscriber"]
                            .iter()
                            .any(|word| text.contains(word)))
            }
        }
    }

    /// What a client is told.
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::NotSent(error) => match error.code() {
                "no_secret" => not_set_up("a secret"),
                _ => error,
            },
            Self::Lost(what) => Error::new(
                StatusCode::GATEWAY_TIMEOUT,
                "mpesa_unanswered",
                "Safaricom did not answer",
            )
            .with_cause(what),
            Self::Refused { status, code, text } => refused(status, &code, &text),
        }
    }
}

fn refused(status: u16, code: &str, text: &str) -> Error {
    let error = match code {
        "500.003.02" | "500.003.03" => Error::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "mpesa_busy",
            "Safaricom is busy: try again later",
        )
        .with_header("retry-after", "30"),
        _ if text.contains("lock subscriber") => Error::conflict(
            "prompt_open",
            "the customer has another request on the phone: wait a minute",
        )
        .with_header("retry-after", "60"),
        "400.002.02" | "400.002.05" => Error::invalid(
            "mpesa_refused",
            format!("Safaricom refused the request: {text}"),
        ),
        _ => Error::new(
            StatusCode::BAD_GATEWAY,
            "mpesa_failed",
            "Safaricom refused the request: are the keys and the shortcode those of this environment?",
        ),
    };
    error
        .with_field("daraja_code", code)
        .with_cause(format_args!("{status} {code} {text}"))
}

/// Whether a code says that the token is not valid.
fn is_about_the_token(code: &str) -> bool {
    matches!(code, "404.001.03" | "400.003.01" | "401.002.01")
}

/// Whether the keys are taken now, whatever token there is.
pub(crate) fn sign_in(account: &Account) -> Result<(), Trouble> {
    token::renew(account).map(drop)
}

/// Asks, once more with another token when the first is not valid.
pub(crate) fn call(account: &Account, path: &str, body: &Value) -> Result<Value, Trouble> {
    let mut again = true;
    loop {
        let token = token::get(account)?;
        match once(account, path, body, &token) {
            Err(Trouble::Refused { code, .. }) if again && is_about_the_token(&code) => {
                token::forget(account, &token).map_err(Trouble::NotSent)?;
                again = false;
            }
            other => return other,
        }
    }
}

fn once(account: &Account, path: &str, body: &Value, token: &str) -> Result<Value, Trouble> {
    let call = http::post(format!("{}{path}", account.base))
        .header("authorization", format!("Bearer {token}"))
        .timeout(PATIENCE)
        .json(body)
        .map_err(Trouble::NotSent)?;
    let answer = call.send().map_err(|error| match error.code() {
        "upstream_denied" | "upstream_absent" | "upstream_busy" => Trouble::NotSent(error),
        _ => Trouble::Lost(error.to_string()),
    })?;
    let status = answer.status.as_u16();
    let bytes = answer.body.bytes(MAX);
    let bytes = bytes.map_err(|error| Trouble::Lost(error.to_string()))?;
    let value: Option<Value> = serde_json::from_slice(&bytes).ok();
    let value = value.filter(Value::is_object);
    let code = value.as_ref().and_then(|value| text(value, "errorCode"));
    match (code, value) {
        (Some(code), value) => Err(Trouble::Refused {
            status,
            code,
            text: value
                .and_then(|value| text(&value, "errorMessage"))
                .unwrap_or_default(),
        }),
        (None, Some(value)) if status == 200 => Ok(value),
        (None, _) => Err(Trouble::Lost(format!(
            "it answered {status} without a code"
        ))),
    }
}

/// A member as a text, whether it is one or a number.
pub(crate) fn text(value: &Value, name: &str) -> Option<String> {
    match value.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
