//! Connections that the host holds for the plugin, whose instance is gone by
//! then: server-sent events. Needs the grant `channel`.
//!
//! ```
//! # use atlashub_sdk::{prelude::*, testing::TestHost};
//! fn stream(caller: Caller, headers: Headers) -> Result<channel::Held> {
//!     Ok(channel::hold(caller.require_id()?, headers.get("last-event-id")))
//! }
//!
//! fn tell(user: &str) -> Result<()> {
//!     channel::publish(user, "unread", &3)?;
//!     Ok(())
//! }
//! # let host = TestHost::new("notes");
//! # tell("u1")?;
//! # assert_eq!(host.messages()[0].data, "3");
//! # Ok::<(), Error>(())
//! ```
//!
//! A channel is a name that the plugin chooses, such as a user's id; who may
//! listen to which is the plugin's to decide, when it answers with a hold.

use crate::{Result, host};
use serde::Serialize;

/// An answer whose body the host writes: what is published on a channel.
#[derive(Clone, Debug)]
pub struct Held {
    pub(crate) channel: String,
    pub(crate) last_id: Option<String>,
    /// The host's function, kept here so that only plugins that hold
    /// connections import it.
    #[cfg(target_family = "wasm")]
    pub(crate) attach: host::AttachChannel,
}

/// Lets the client listen to a channel. `last_id` is its `last-event-id`
/// field: what came since is written first.
#[must_use]
pub fn hold(channel: impl Into<String>, last_id: Option<&str>) -> Held {
    Held {
        channel: channel.into(),
        last_id: last_id.map(str::to_owned),
        #[cfg(target_family = "wasm")]
        attach: host::hold,
    }
}

impl Held {
    /// The channel.
    #[must_use]
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// What the client got last, as it says.
    #[must_use]
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }
}

/// Publishes to all who listen to a channel, as JSON; answers the message's
/// id.
///
/// # Errors
/// The host's: `not_granted`, `invalid_channel`, `invalid_message`,
/// `message_too_large`, `rate_limited`.
pub fn publish<T: Serialize + ?Sized>(channel: &str, event: &str, data: &T) -> Result<String> {
    let data = serde_json::to_string(data)?;
    Ok(host::publish_message(channel, event, &data)?)
}
