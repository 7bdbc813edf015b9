//! What happened, told to other plugins of the project, and what others tell.
//!
//! A plugin publishes the events that its manifest lists:
//!
//! ```
//! # use atlashub_sdk::{prelude::*, testing::TestHost};
//! #[derive(Serialize, Deserialize)]
//! struct Shared { note: u32 }
//!
//! fn share(Path(note): Path<u32>) -> Result<StatusCode> {
//!     // … after the change is committed:
//!     events::publish("shared", &Shared { note }, Some(&note.to_string()))?;
//!     Ok(StatusCode::NO_CONTENT)
//! }
//! # let host = TestHost::new("notes");
//! # let router = Router::new().post("/notes/{note}/share", share);
//! # host.call(&router, Request::post("/notes/7/share", ""));
//! # assert_eq!(host.events()[0].name, "notes.shared");
//! ```
//!
//! and takes those that it subscribes to, in functions whose arguments are
//! taken from the event:
//!
//! ```
//! # use atlashub_sdk::{prelude::*, testing::TestHost};
//! # #[derive(Serialize, Deserialize)]
//! # struct Shared { note: u32 }
//! fn subscriptions() -> Subscriptions {
//!     Subscriptions::new().on("notes.shared", index)
//! }
//!
//! fn index(Payload(shared): Payload<Shared>) -> Result<()> {
//!     kv::set(&format!("shared/{}", shared.note), &true, None).map(drop)
//! }
//!
//! # fn routes() -> Router { Router::new() }
//! atlashub_sdk::plugin!(routes, events = subscriptions);
//! # let host = TestHost::new("index");
//! # host.deliver(&subscriptions(), Event::new("notes.shared", &Shared { note: 7 })?)?;
//! # assert_eq!(kv::get("shared/7")?, Some(true));
//! # Ok::<(), Error>(())
//! ```
//!
//! An event comes at least once: what was done under its id need not be done
//! again. A function that fails is called again later, unless its error says
//! that there is no use in it: a status from 400 to 499, but for 408, 409,
//! 425 and 429.

use crate::{Caller, Config, Error, Result, StatusCode, host};
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, fmt, time::Duration};

/// Publishes the event `<plugin>.<name>`; answers its id. Events with the same
/// `key` reach each subscriber in the order in which they were published, one
/// at a time. It is part of no transaction: publish after the commit.
///
/// # Errors
/// The host's: `event_not_declared`, `event_too_large`, `invalid_event`,
/// `event_loop`, `queue_full`.
pub fn publish<T: Serialize + ?Sized>(
    name: &str,
    payload: &T,
    key: Option<&str>,
) -> Result<String> {
    Ok(host::publish(name, &serde_json::to_string(payload)?, key)?)
}

/// As [`publish`], to be told after some time, of at most 30 days. Events with
/// the same `key` that come after it wait for it.
///
/// # Errors
/// As [`publish`].
pub fn publish_later<T: Serialize + ?Sized>(
    name: &str,
    payload: &T,
    key: Option<&str>,
    delay: Duration,
) -> Result<String> {
    let seconds = u32::try_from(delay.as_secs()).unwrap_or(u32::MAX);
    let payload = serde_json::to_string(payload)?;
    Ok(host::publish_later(name, &payload, key, seconds)?)
}

/// An event as a subscriber gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The same for each subscriber and each attempt.
    pub id: String,
    /// The full name, `files.uploaded`.
    pub name: String,
    /// JSON; see [`Event::json`].
    pub payload: String,
    /// As the publisher gave it.
    pub key: Option<String>,
    /// Milliseconds since 1970.
    pub published_ms: u64,
    /// 1 at first.
    pub attempt: u32,
    /// The attempt after which the host gives up.
    pub max_attempts: u32,
}

impl Event {
    /// An event for a test, as its first attempt.
    ///
    /// # Errors
    /// When the payload cannot be written as JSON.
    pub fn new<T: Serialize + ?Sized>(name: &str, payload: &T) -> Result<Self> {
        Ok(Self {
            id: "0190a6a8-0000-7000-8000-000000000001".to_owned(),
            name: name.to_owned(),
            payload: serde_json::to_string(payload)?,
            key: None,
            published_ms: 0,
            attempt: 1,
            max_attempts: 12,
        })
    }

    /// What it carries.
    ///
    /// # Errors
    /// 422 `invalid_event` when that is something else.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.payload).map_err(|error| {
            Error::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_event",
                format!("the payload of {}: {error}", self.name),
            )
        })
    }
}

/// What an event carries, as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<T>(pub T);

/// An argument of a function that takes events.
pub trait FromEvent: Sized {
    /// Takes it from the event.
    ///
    /// # Errors
    /// When it is not there; the function is not called then.
    fn from_event(event: &Event) -> Result<Self>;
}

impl FromEvent for Event {
    fn from_event(event: &Event) -> Result<Self> {
        Ok(event.clone())
    }
}

impl<T: DeserializeOwned> FromEvent for Payload<T> {
    fn from_event(event: &Event) -> Result<Self> {
        event.json().map(Self)
    }
}

impl FromEvent for Caller {
    fn from_event(_event: &Event) -> Result<Self> {
        Ok(host::caller())
    }
}

impl<T: DeserializeOwned> FromEvent for Config<T> {
    fn from_event(_event: &Event) -> Result<Self> {
        crate::config::load().map(Self)
    }
}

/// A function that takes events: up to four arguments that implement
/// [`FromEvent`], and `Result<()>` or nothing as its result.
pub trait EventFunction<Arguments>: 'static {
    /// Takes an event.
    ///
    /// # Errors
    /// The function's, or an argument's.
    fn call(&self, event: &Event) -> Result<()>;
}

/// What such a function answers.
pub trait IntoTaken {
    /// Whether it took the event.
    ///
    /// # Errors
    /// When it did not.
    fn into_taken(self) -> Result<()>;
}

impl IntoTaken for () {
    fn into_taken(self) -> Result<()> {
        Ok(())
    }
}

impl IntoTaken for Result<()> {
    fn into_taken(self) -> Result<()> {
        self
    }
}

macro_rules! event_function {
    ($($argument:ident),*) => {
        impl<F, R, $($argument),*> EventFunction<($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> R + 'static,
            R: IntoTaken,
            $($argument: FromEvent,)*
        {
            #[allow(non_snake_case, unused_variables, reason = "arguments are named like their types")]
            fn call(&self, event: &Event) -> Result<()> {
                $(let $argument = $argument::from_event(event)?;)*
                self($($argument),*).into_taken()
            }
        }
    };
}

event_function!();
event_function!(A);
event_function!(A, B);
event_function!(A, B, C);
event_function!(A, B, C, D);

type BoxedFunction = Box<dyn Fn(&Event) -> Result<()>>;

/// Which function takes which event.
#[derive(Default)]
pub struct Subscriptions(BTreeMap<String, BoxedFunction>);

impl fmt::Debug for Subscriptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Subscriptions {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives events of this full name, `files.uploaded`, to a function. The
    /// manifest has to list them, too.
    #[must_use]
    pub fn on<Arguments>(mut self, event: &str, function: impl EventFunction<Arguments>) -> Self {
        let function = Box::new(move |event: &Event| function.call(event));
        self.0.insert(event.to_owned(), function);
        self
    }

    /// Hands an event to the function that takes it.
    ///
    /// # Errors
    /// The function's; 404 `event_unknown` when none takes it.
    pub fn call(&self, event: &Event) -> Result<()> {
        match self.0.get(&event.name) {
            Some(function) => function(event),
            None => Err(Error::new(
                StatusCode::NOT_FOUND,
                "event_unknown",
                format!("nothing here takes the event `{}`", event.name),
            )),
        }
    }
}

/// Whether what failed may do better later.
#[must_use]
pub fn is_worth_retrying(error: &Error) -> bool {
    let status = error.status();
    !status.is_client_error() || matches!(status.as_u16(), 408 | 409 | 425 | 429)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn what_the_event_itself_is_at_fault_for_is_not_tried_again() {
        let retried = |status: u16| {
            let status = StatusCode::from_u16(status).unwrap();
            is_worth_retrying(&Error::new(status, "a", "b"))
        };
        for status in [408, 409, 425, 429, 500, 503] {
            assert!(retried(status), "{status}");
        }
        for status in [400, 403, 404, 422] {
            assert!(!retried(status), "{status}");
        }
    }

    #[test]
    fn an_event_reaches_the_function_of_its_name_with_what_it_asks_for() {
        let subscriptions = Subscriptions::new()
            .on(
                "a.done",
                |event: Event, Payload(count): Payload<u32>| match (event.name.as_str(), count) {
                    ("a.done", 3) => Ok(()),
                    other => Err(Error::internal(format_args!("{other:?}"))),
                },
            )
            .on("a.undone", || ());
        assert!(
            subscriptions
                .call(&Event::new("a.done", &3).unwrap())
                .is_ok()
        );
        assert!(
            subscriptions
                .call(&Event::new("a.undone", &()).unwrap())
                .is_ok()
        );
        let code = |event: Event| subscriptions.call(&event).unwrap_err().code().to_owned();
        assert_eq!(
            code(Event::new("a.done", "three").unwrap()),
            "invalid_event"
        );
        assert_eq!(code(Event::new("b.done", &3).unwrap()), "event_unknown");
    }
}
