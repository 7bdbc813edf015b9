//! What a manifest says of events: those that a plugin publishes, and those
//! of others that it listens to.

use crate::{Error, Grant, GrantSet, PluginName, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most events that one plugin publishes or listens to.
pub const MAX_EVENTS: usize = 64;
/// Longest name of an event within its plugin, bytes.
const MAX_NAME_BYTES: usize = 64;
/// Attempts at handing an event over, unless a subscription says otherwise.
const DEFAULT_ATTEMPTS: u32 = 12;
/// Most attempts that a subscription may ask for.
const MAX_ATTEMPTS: u32 = 20;

/// An event that a plugin publishes.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct EventDeclaration {
    /// Its name within the plugin: `uploaded` of `files` is `files.uploaded`.
    pub name: String,
    /// When it happens and what it carries, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// An event of another plugin that a plugin listens to.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// Its full name, `files.uploaded`.
    pub event: String,
    /// Attempts at handing it over after which the host gives up.
    #[serde(default = "default_attempts")]
    pub max_attempts: u32,
}

fn default_attempts() -> u32 {
    DEFAULT_ATTEMPTS
}

impl EventDeclaration {
    /// Checks the events that a manifest declares.
    ///
    /// # Errors
    /// `invalid_manifest` that names the event.
    pub(crate) fn check_all(declared: &[Self]) -> Result<()> {
        if declared.len() > MAX_EVENTS {
            return Err(invalid(format!("a plugin has at most {MAX_EVENTS} events")));
        }
        let mut names = BTreeSet::new();
        for event in declared {
            if !is_name(&event.name) {
                return Err(invalid(format!(
                    "the event `{}` needs a name of lower-case letters, digits, `_` and `-` \
                     that starts with a letter",
                    event.name
                )));
            }
            if !names.insert(&event.name) {
                return Err(invalid(format!(
                    "the event `{}` is there twice",
                    event.name
                )));
            }
        }
        Ok(())
    }
}

impl Subscription {
    /// The plugin that publishes the event.
    #[must_use]
    pub fn publisher(&self) -> Option<PluginName> {
        self.event.split_once('.')?.0.parse().ok()
    }

    /// Checks the subscriptions of a manifest, which asks for `grants`.
    ///
    /// # Errors
    /// `invalid_manifest` that names the event.
    pub(crate) fn check_all(subscriptions: &mut [Self], grants: &GrantSet) -> Result<()> {
        if subscriptions.len() > MAX_EVENTS {
            return Err(invalid(format!(
                "a plugin listens to at most {MAX_EVENTS} events"
            )));
        }
        let mut events = BTreeSet::new();
        for subscription in subscriptions.iter_mut() {
            let event = &subscription.event;
            let named = event.split_once('.').filter(|(_, name)| is_name(name));
            let publisher = named.and_then(|_| subscription.publisher());
            let Some(publisher) = publisher else {
                return Err(invalid(format!(
                    "the subscription `{event}` must name an event as `<plugin>.<name>`"
                )));
            };
            if !events.insert(event.clone()) {
                return Err(invalid(format!(
                    "the subscription `{event}` is there twice"
                )));
            }
            let needed = Grant::Events(publisher);
            if !grants.contains(&needed) {
                return Err(invalid(format!(
                    "the subscription `{event}` needs the grant `{needed}`"
                )));
            }
            subscription.max_attempts = subscription.max_attempts.clamp(1, MAX_ATTEMPTS);
        }
        Ok(())
    }
}

pub(crate) fn is_name(name: &str) -> bool {
    name.len() <= MAX_NAME_BYTES
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'))
}

fn invalid(message: String) -> Error {
    Error::invalid("invalid_manifest", message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use crate::Manifest;

    fn read(rest: &str) -> crate::Result<Manifest> {
        Manifest::from_toml(&format!("name = \"notes\"\nversion = \"1.0.0\"\n{rest}"))
    }

    #[test]
    fn events_and_subscriptions_are_read() {
        let manifest = read(
            "grants = [\"events:files\"]\n\
             [[events]]\nname = \"shared\"\ndescription = \"a note was shared\"\n\
             [[subscriptions]]\nevent = \"files.uploaded\"\n\
             [[subscriptions]]\nevent = \"files.deleted\"\nmax_attempts = 900\n",
        )
        .unwrap();
        assert!(manifest.event("shared").is_some());
        assert!(manifest.event("files.uploaded").is_none());
        let attempts = |event| manifest.subscription(event).unwrap().max_attempts;
        assert_eq!(
            (attempts("files.uploaded"), attempts("files.deleted")),
            (12, 20)
        );
        let json = serde_json::to_vec(&manifest).unwrap();
        assert_eq!(Manifest::from_json(&json).unwrap(), manifest);
    }

    #[test]
    fn doubtful_events_are_refused() {
        for (rest, named) in [
            ("[[events]]\nname = \"Shared\"\n", "`Shared`"),
            ("[[events]]\nname = \"a.b\"\n", "`a.b`"),
            ("[[events]]\nname = \"1a\"\n", "`1a`"),
            ("[[events]]\nname = \"\"\n", "``"),
            (
                "[[events]]\nname = \"a\"\n[[events]]\nname = \"a\"\n",
                "twice",
            ),
            (
                "[[subscriptions]]\nevent = \"files.uploaded\"\n",
                "`events:files`",
            ),
            (
                "grants = [\"events:files\"]\n[[subscriptions]]\nevent = \"files\"\n",
                "`files`",
            ),
            (
                "grants = [\"events:files\"]\n[[subscriptions]]\nevent = \"files.\"\n",
                "`files.`",
            ),
            (
                "grants = [\"events:files\"]\n[[subscriptions]]\nevent = \"files.a\"\n\
                 [[subscriptions]]\nevent = \"files.a\"\n",
                "twice",
            ),
        ] {
            let error = read(rest).unwrap_err();
            assert_eq!(error.code(), "invalid_manifest");
            assert!(error.message().contains(named), "{}", error.message());
        }
    }
}
