//! What a user types to connect a service, field by field, and how it is kept.
//! A refusal names fields, never what is in them.

use atlashub_sdk::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Most fields.
const MAX_FIELDS: usize = 16;

/// The fields of `credentials` in a request.
#[derive(Debug)]
pub(crate) struct Fields {
    values: Map<String, Value>,
}

impl Fields {
    /// Takes them if there are no others than `known`.
    pub(crate) fn of(value: Value, known: &[&str]) -> Result<Self> {
        let Value::Object(values) = value else {
            return Err(invalid(format!(
                "`credentials` is an object of {}",
                listed(known)
            )));
        };
        if values.len() > MAX_FIELDS || values.keys().any(|name| !known.contains(&name.as_str())) {
            return Err(invalid(format!(
                "`credentials` of this type has no other fields than {}",
                listed(known)
            )));
        }
        Ok(Self { values })
    }

    /// A text of at most `most` bytes that has to be there.
    pub(crate) fn text(&mut self, name: &str, most: usize) -> Result<String> {
        self.optional(name, most)?
            .ok_or_else(|| invalid(format!("`credentials` needs the text `{name}`")))
    }

    /// A text that may be missing, which an empty one is, too.
    pub(crate) fn optional(&mut self, name: &str, most: usize) -> Result<Option<String>> {
        match self.values.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => {
                if text.len() > most || text.chars().any(char::is_control) {
                    return Err(invalid(format!(
                        "`credentials.{name}` has {most} bytes at most, and none that cannot be seen"
                    )));
                }
                Ok(Some(text))
            }
            Some(_) => Err(invalid(format!("`credentials.{name}` is a text"))),
        }
    }

    /// Yes or no, if it is there.
    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>> {
        match self.values.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(invalid(format!("`credentials.{name}` is true or false"))),
        }
    }
}

/// 422: what is wrong with them.
pub(crate) fn invalid(detail: impl Into<String>) -> Error {
    Error::invalid("invalid_credentials", detail)
}

/// Seals what a connection keeps.
pub(crate) fn seal(id: &str, kept: &impl Serialize) -> Result<String> {
    secret::seal(&context(id), &serde_json::to_vec(kept)?)
}

/// Opens what a connection keeps.
pub(crate) fn open<T: DeserializeOwned>(id: &str, sealed: &str) -> Result<T> {
    let plain = secret::open(&context(id), sealed).map_err(|error| {
        Error::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "reconnect_needed",
            "the kept credentials cannot be opened any more: give them anew",
        )
        .with_cause(error)
    })?;
    // Its own words would have values in them.
    serde_json::from_slice(&plain)
        .map_err(|_| Error::internal("kept credentials are not of their type"))
}

/// The same under the host's present key, if it is not.
pub(crate) fn renew(id: &str, sealed: &str) -> Result<Option<String>> {
    secret::renew(&context(id), sealed)
}

fn context(id: &str) -> String {
    format!("connection/{id}")
}

fn listed(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
