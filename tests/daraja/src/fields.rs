//! Fields of a request, checked as the gateway checks them: the first that is
//! wrong names itself.

use crate::{answer::Answer, clock, serve::Asked, state::State};
use serde_json::{Map, Value};

/// The members of a request.
#[derive(Debug)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// Of a JSON object that says that it is one.
    pub(crate) fn of(state: &mut State, asked: &Asked) -> Result<Self, Answer> {
        let kind = asked.headers.get("content-type");
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("");
        let members = match serde_json::from_slice(&asked.body) {
            Ok(Value::Object(members)) if kind.starts_with("application/json") => members,
            _ => {
                let id = state.request_id();
                return Err(Answer::fault(
                    400,
                    &id,
                    "400.002.05",
                    "Invalid Request Payload",
                ));
            }
        };
        Ok(Self(members))
    }

    /// A text, or a number as one.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A text that fits.
    pub(crate) fn fitting(
        &self,
        state: &mut State,
        name: &str,
        fits: impl FnOnce(&str) -> bool,
    ) -> Result<String, Answer> {
        self.named(state, name, name, fits)
    }

    /// The same, of which the gateway speaks by another name.
    pub(crate) fn named(
        &self,
        state: &mut State,
        name: &str,
        called: &str,
        fits: impl FnOnce(&str) -> bool,
    ) -> Result<String, Answer> {
        let text = self.text(name).filter(|text| fits(text));
        text.ok_or_else(|| invalid(state, called))
    }
}

/// What the gateway says of a field that is wrong.
pub(crate) fn invalid(state: &mut State, name: &str) -> Answer {
    let id = state.request_id();
    let message = format!("Bad Request - Invalid {name}");
    Answer::fault(400, &id, "400.002.02", &message)
}

/// Five to seven digits.
pub(crate) fn is_shortcode(text: &str) -> bool {
    (5..=7).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A Kenyan mobile number with the country's code.
pub(crate) fn is_phone(text: &str) -> bool {
    text.len() == 12
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text.starts_with("2547") || text.starts_with("2541"))
}

/// Whole shillings, at least one.
pub(crate) fn is_amount(text: &str) -> bool {
    text.parse::<u64>().is_ok_and(|amount| amount >= 1)
        && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A time as the gateway writes them.
pub(crate) fn is_timestamp(text: &str) -> bool {
    clock::is_compact(text)
}

/// An address that can be called: lower-case host, no blanks, no placeholders.
pub(crate) fn is_url(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest else {
        return false;
    };
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    !host.is_empty()
        && !host.bytes().any(|byte| byte.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !text.contains(['<', '>'])
}
