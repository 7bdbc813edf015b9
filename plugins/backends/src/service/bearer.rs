//! Calls to services that know a bearer token (RFC 6750) and speak JSON.

use crate::{
    address, fault,
    oauth::{Provider, Tokens},
    settings::Settings,
};
use atlashub_sdk::{
    http::{Answer, Call},
    prelude::*,
};
use serde::de::DeserializeOwned;

/// Largest answer in JSON, bytes.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// Who calls, and where.
pub(crate) struct Bearer {
    pub(crate) provider: Provider,
    authorization: String,
    settings: Settings,
}

impl Bearer {
    pub(crate) fn new(provider: Provider, tokens: &Tokens, settings: &Settings) -> Self {
        Self {
            provider,
            authorization: format!("Bearer {}", tokens.access_token),
            settings: settings.clone(),
        }
    }

    /// A call to the service, at an address that was put together here.
    pub(crate) fn call(&self, method: Method, url: String) -> Call {
        atlashub_sdk::http::call(method, url).header("authorization", self.authorization.as_str())
    }

    /// A call to where the service leads, which carries its own permission and
    /// not the token.
    pub(crate) fn led(&self, method: Method, url: &str) -> Result<Call> {
        let url = address::checked(url, &self.settings)?;
        Ok(atlashub_sdk::http::call(method, url))
    }
}

/// Sends a call that is to succeed.
pub(crate) fn sent(call: Call) -> Result<Answer> {
    fault::success(call.send().map_err(fault::unanswered)?)
}

/// The whole answer as JSON.
pub(crate) fn json<T: DeserializeOwned>(answer: Answer) -> Result<T> {
    let bytes = answer.body.bytes(MAX_ANSWER).map_err(fault::unreadable)?;
    serde_json::from_slice(&bytes).map_err(|_| fault::unreadable("not the JSON of this service"))
}

/// The same, or nothing where nothing lies.
pub(crate) fn there<T>(outcome: Result<T>) -> Result<Option<T>> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.code() == "remote_not_found" => Ok(None),
        Err(error) => Err(error),
    }
}

/// A name as something can be called here.
pub(crate) fn plain_name(name: &str) -> String {
    match name {
        "" | "." | ".." => "_".to_owned(),
        name => name.replace(['/', '\0'], "_"),
    }
}
