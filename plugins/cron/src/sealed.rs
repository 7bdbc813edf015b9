//! What a job must not show: values of headers, and the address of a webhook.
//! The host seals them for the job's row.

use atlashub_sdk::prelude::*;
use std::collections::BTreeMap;

/// Stands for a secret in answers; sent back, it keeps the one that is there.
pub(crate) const MARK: &str = "[sealed]";
/// The name of the webhook's address.
pub(crate) const WEBHOOK: &str = "webhook";

/// The secrets of a job, by what they are for.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// Opens those of the row `id`.
    pub(crate) fn open(id: &str, sealed: Option<&str>) -> Result<Self> {
        let Some(sealed) = sealed else {
            return Ok(Self::default());
        };
        let plain = secret::open(&context(id), sealed).map_err(|error| {
            Error::invalid(
                "secrets_lost",
                "what is sealed of this job cannot be opened any more: give it anew",
            )
            .with_cause(error)
        })?;
        // Its own words would have values in them.
        serde_json::from_slice(&plain)
            .map_err(|_| Error::internal("sealed values are not of their type"))
    }

    /// Seals them for the row `id`; nothing when there are none.
    pub(crate) fn seal(&self, id: &str) -> Result<Option<String>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        secret::seal(&context(id), &serde_json::to_vec(self)?).map(Some)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.0.get(&of_header(name)).map(String::as_str)
    }

    pub(crate) fn set_header(&mut self, name: &str, value: &str) {
        self.0.insert(of_header(name), value.to_owned());
    }

    pub(crate) fn webhook(&self) -> Option<&str> {
        self.0.get(WEBHOOK).map(String::as_str)
    }

    pub(crate) fn set_webhook(&mut self, address: Option<&str>) {
        match address {
            Some(address) => self.0.insert(WEBHOOK.to_owned(), address.to_owned()),
            None => self.0.remove(WEBHOOK),
        };
    }

    /// The secrets themselves.
    pub(crate) fn values(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }
}

/// The same under the host's present key, if it is not.
pub(crate) fn renew(id: &str, sealed: &str) -> Result<Option<String>> {
    secret::renew(&context(id), sealed)
}

fn of_header(name: &str) -> String {
    format!("header/{name}")
}

fn context(id: &str) -> String {
    format!("job/{id}")
}

/// Whether a header of this name is sealed though nobody asked for it.
pub(crate) fn is_sensitive(name: &str) -> bool {
    const WORDS: [&str; 9] = [
        "auth",
        "cookie",
        "credential",
        "key",
        "pass",
        "secret",
        "session",
        "signature",
        "token",
    ];
    WORDS.iter().any(|word| name.contains(word)) && name != "idempotency-key"
}
