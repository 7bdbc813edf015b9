//! What plugins add to the audit.

use super::PluginScope;
use crate::{Caller, Error, RequestId, Result};
use async_trait::async_trait;
use serde_json::{Map, Value};

/// Longest action, bytes.
pub const MAX_ACTION_BYTES: usize = 64;
/// Longest target, bytes.
pub const MAX_TARGET_BYTES: usize = 512;
/// Longest details, bytes of JSON.
pub const MAX_DETAILS_BYTES: usize = 4 * 1_024;

/// Something that was done in a plugin.
#[derive(Clone, Debug)]
pub struct PluginEvent {
    /// Who did it, as the host knows.
    pub caller: Caller,
    /// During which request.
    pub request: RequestId,
    /// What was done.
    pub action: String,
    /// To which thing.
    pub target: Option<String>,
    /// What else is worth knowing.
    pub details: Map<String, Value>,
}

impl PluginEvent {
    /// Checks what a plugin says of an event.
    ///
    /// # Errors
    /// `invalid_audit_event`.
    pub fn new(
        caller: Caller,
        request: RequestId,
        action: String,
        target: Option<String>,
        details: &str,
    ) -> Result<Self> {
        let of_action = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c);
        if action.is_empty() || action.len() > MAX_ACTION_BYTES || !action.chars().all(of_action) {
            return Err(invalid(
                "an action has 1 to 64 lower-case letters, digits, `.`, `-` and `_`",
            ));
        }
        let is_long = |target: &String| {
            target.len() > MAX_TARGET_BYTES || target.chars().any(char::is_control)
        };
        if target.as_ref().is_some_and(is_long) {
            return Err(invalid(
                "a target has at most 512 bytes and no control characters",
            ));
        }
        if details.len() > MAX_DETAILS_BYTES || details.contains("\\u0000") {
            return Err(invalid(
                "the details have at most 4096 bytes, none of them 0",
            ));
        }
        let details = match details {
            "" => Map::new(),
            text => serde_json::from_str(text)
                .map_err(|_| invalid("the details must be a JSON object"))?,
        };
        Ok(Self {
            caller,
            request,
            action,
            target,
            details,
        })
    }
}

fn invalid(message: &str) -> Error {
    Error::invalid("invalid_audit_event", message)
}

/// Takes events of plugins; they are stored when it answers. Code:
/// `rate_limited`.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Adds an event.
    async fn append(&self, scope: &PluginScope, event: PluginEvent) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(action: &str, target: &str, details: &str) -> Result<PluginEvent> {
        PluginEvent::new(
            Caller::Nobody,
            RequestId::new(),
            action.to_owned(),
            Some(target.to_owned()),
            details,
        )
    }

    #[test]
    fn doubtful_events_are_refused() {
        assert!(event("object.delete", "f1", "{\"size\": 3}").is_ok());
        assert!(event("object.delete", "f1", "").is_ok());
        let long = "x".repeat(5_000);
        for (action, target, details) in [
            ("", "t", ""),
            ("Delete", "t", ""),
            ("a b", "t", ""),
            (long.as_str(), "t", ""),
            ("a", "t\n", ""),
            ("a", long.as_str(), ""),
            ("a", "t", "[]"),
            ("a", "t", "{"),
            ("a", "t", "{\"a\":\"\\u0000\"}"),
            ("a", "t", long.as_str()),
        ] {
            let error = event(action, target, details).unwrap_err();
            assert_eq!(error.code(), "invalid_audit_event");
        }
    }
}
