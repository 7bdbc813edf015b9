//! What happens in one plugin, told to others of the project.

use super::PluginScope;
use crate::{Error, ErrorKind, EventId, PluginName, RequestId, Result};
use async_trait::async_trait;
use std::time::Duration;
use time::OffsetDateTime;

/// Longest payload, bytes.
pub const MAX_PAYLOAD_BYTES: usize = 64 * 1024;
/// Most events that lead to one another.
pub const MAX_HOPS: u8 = 16;
/// An event that waits so long follows from none: what comes round as rarely
/// is a timer, and no loop.
pub const TIMER: Duration = Duration::from_secs(3_600);
/// Longest that an event waits before it is told.
pub const MAX_DELAY: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Longest ordering key, bytes.
pub const MAX_KEY_BYTES: usize = 200;

/// An event to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// Its name within the plugin.
    pub name: String,
    /// JSON.
    pub payload: String,
    /// Events with the same key are told in order, one at a time.
    pub key: Option<String>,
    /// The request in which it happened.
    pub request: RequestId,
    /// How many events led to this one, each published by a handler of the
    /// one before.
    pub hops: u8,
    /// How long it waits before it is told.
    pub delay: Duration,
}

impl NewEvent {
    /// Checks what a plugin gave.
    ///
    /// # Errors
    /// `event_loop` after too many hops; `event_too_large` for the payload; `invalid_event` when that is not
    /// JSON, or when the key is empty, too long or has control characters.
    pub fn new(
        name: String,
        payload: String,
        key: Option<String>,
        request: RequestId,
        hops: u8,
    ) -> Result<Self> {
        if hops >= MAX_HOPS {
            return Err(Error::invalid(
                "event_loop",
                "the event follows from too many others, one after the other",
            ));
        }
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "event_too_large",
                format!(
                    "an event's payload has at most {MAX_PAYLOAD_BYTES} bytes: \
                     publish an id, and let subscribers ask for the rest"
                ),
            ));
        }
        if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&payload) {
            return Err(invalid(format!("the payload is not JSON: {error}")));
        }
        let is_key = |key: &String| {
            (1..=MAX_KEY_BYTES).contains(&key.len()) && !key.chars().any(char::is_control)
        };
        if !key.as_ref().is_none_or(is_key) {
            return Err(invalid(format!(
                "an ordering key has 1 to {MAX_KEY_BYTES} bytes and no control characters"
            )));
        }
        Ok(Self {
            name,
            payload,
            key,
            request,
            hops,
            delay: Duration::ZERO,
        })
    }

    /// Lets it wait before it is told; from [`TIMER`] on it begins anew.
    ///
    /// # Errors
    /// `invalid_event` beyond [`MAX_DELAY`].
    pub fn after(self, delay: Duration) -> Result<Self> {
        if delay > MAX_DELAY {
            let days = MAX_DELAY.as_secs() / (24 * 3_600);
            return Err(invalid(format!("an event waits {days} days at most")));
        }
        let hops = if delay >= TIMER { 0 } else { self.hops };
        Ok(Self {
            delay,
            hops,
            ..self
        })
    }
}

fn invalid(message: String) -> Error {
    Error::invalid("invalid_event", message)
}

/// An event as a subscriber gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveredEvent {
    /// The same for each subscriber and each attempt.
    pub id: EventId,
    /// The full name.
    pub name: String,
    /// Who published it.
    pub source: PluginName,
    /// JSON.
    pub payload: String,
    /// The ordering key.
    pub key: Option<String>,
    /// When it was published.
    pub published_at: OffsetDateTime,
    /// The number of the attempt, 1 at first.
    pub attempt: u32,
    /// The attempt after which the host gives up.
    pub max_attempts: u32,
}

/// Why a subscriber did not take an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRefusal {
    /// A stable code.
    pub code: String,
    /// For people.
    pub message: String,
    /// Whether there is use in trying again later.
    pub retry: bool,
}

/// Publishes events.
#[async_trait]
pub trait Events: Send + Sync {
    /// Puts the event into the queue of every subscriber. Code: `queue_full`.
    async fn publish(&self, scope: &PluginScope, event: NewEvent) -> Result<EventId>;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    fn made(payload: &str, key: Option<&str>) -> Result<NewEvent> {
        let key = key.map(str::to_owned);
        NewEvent::new("done".into(), payload.into(), key, RequestId::new(), 0)
    }

    #[test]
    fn events_that_lead_to_one_another_end() {
        let after = |hops| NewEvent::new("a".into(), "1".into(), None, RequestId::new(), hops);
        assert!(after(MAX_HOPS - 1).is_ok());
        assert_eq!(after(MAX_HOPS).unwrap_err().code(), "event_loop");
    }

    #[test]
    fn a_timer_is_no_loop() {
        let request = RequestId::new();
        let event = NewEvent::new("a".into(), "1".into(), None, request, MAX_HOPS - 1).unwrap();
        let soon = event.clone().after(TIMER - Duration::from_secs(1));
        assert_eq!(soon.unwrap().hops, MAX_HOPS - 1);
        assert_eq!(event.after(TIMER).unwrap().hops, 0);
    }

    #[test]
    fn events_wait_for_a_bounded_time() {
        let after = |delay| made("1", None).unwrap().after(delay);
        assert_eq!(after(MAX_DELAY).unwrap().delay, MAX_DELAY);
        let longer = after(MAX_DELAY + Duration::from_secs(1));
        assert_eq!(longer.unwrap_err().code(), "invalid_event");
    }

    #[test]
    fn events_are_bounded_json() {
        assert!(made("{\"a\":[1,null]}", Some("file 1")).is_ok());
        assert!(made("null", None).is_ok());
        let longest = format!("\"{}\"", "x".repeat(MAX_PAYLOAD_BYTES - 2));
        assert!(made(&longest, None).is_ok());
        let larger = format!("\"{}\"", "x".repeat(MAX_PAYLOAD_BYTES - 1));
        assert_eq!(made(&larger, None).unwrap_err().code(), "event_too_large");
        let long = "k".repeat(MAX_KEY_BYTES + 1);
        for (payload, key) in [
            ("", None),
            ("{", None),
            ("1 2", None),
            ("1", Some("")),
            ("1", Some("a\nb")),
            ("1", Some(long.as_str())),
        ] {
            let error = made(payload, key).unwrap_err();
            assert_eq!(error.code(), "invalid_event", "{payload} {key:?}");
        }
    }
}
