//! Connections that the host holds for plugins, and what is pushed to them.

use super::PluginScope;
use crate::{Caller, Error, ErrorKind, KeyId, Result, UserSessionId};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use std::net::IpAddr;
use time::OffsetDateTime;

/// Longest name of a channel, bytes.
pub const MAX_CHANNEL_BYTES: usize = 200;
/// Longest type of a message, bytes.
pub const MAX_EVENT_BYTES: usize = 64;
/// Longest data of a message, bytes.
pub const MAX_DATA_BYTES: usize = 16 * 1024;

/// A message to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// The channel.
    pub channel: String,
    /// The event's type.
    pub event: String,
    /// What it says.
    pub data: String,
}

impl NewMessage {
    /// Checks what a plugin gave.
    ///
    /// # Errors
    /// `invalid_channel`; `invalid_message` for the event's type;
    /// `message_too_large`.
    pub fn new(channel: String, event: String, data: String) -> Result<Self> {
        check_channel(&channel)?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if !(1..=MAX_EVENT_BYTES).contains(&event.len()) || !event.chars().all(allowed) {
            return Err(Error::invalid(
                "invalid_message",
                format!(
                    "the type of a message has 1 to {MAX_EVENT_BYTES} letters, digits, `_`, `.` or `-`"
                ),
            ));
        }
        if data.len() > MAX_DATA_BYTES {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "message_too_large",
                format!(
                    "a message has at most {MAX_DATA_BYTES} bytes: publish an id, and let clients ask for the rest"
                ),
            ));
        }
        Ok(Self {
            channel,
            event,
            data,
        })
    }
}

/// Whether a name may be a channel's.
///
/// # Errors
/// `invalid_channel`.
pub fn check_channel(name: &str) -> Result<()> {
    if (1..=MAX_CHANNEL_BYTES).contains(&name.len()) && !name.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Error::invalid(
        "invalid_channel",
        format!("a channel's name has 1 to {MAX_CHANNEL_BYTES} bytes and no control characters"),
    ))
}

/// The end user's session in which a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallerSession {
    /// Which one.
    pub id: UserSessionId,
    /// When the access token ends.
    pub until: OffsetDateTime,
}

/// For whom a connection is held, and how long that one may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Who asked.
    pub caller: Caller,
    /// In which session, if it is an end user.
    pub session: Option<CallerSession>,
    /// From where, as far as it is known.
    pub client: Option<IpAddr>,
}

impl Holder {
    /// The key with which the request came, if it came with one.
    #[must_use]
    pub fn key(&self) -> Option<KeyId> {
        match &self.caller {
            Caller::Key { id, .. } => Some(*id),
            _ => None,
        }
    }
}

/// What is written to a held connection, piece by piece, until its end.
pub type HeldStream = BoxStream<'static, Bytes>;

/// Holds connections, and pushes to them.
#[async_trait]
pub trait Channels: Send + Sync {
    /// A stream of what is published on the channel; what came after the
    /// message `last_id` first. Codes: `too_many_streams`.
    async fn hold(
        &self,
        scope: &PluginScope,
        channel: &str,
        last_id: Option<&str>,
        holder: &Holder,
    ) -> Result<HeldStream>;

    /// Publishes to all who listen, on every node; the message's number.
    /// Code: `rate_limited`.
    async fn publish(&self, scope: &PluginScope, message: NewMessage) -> Result<i64>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_bounded_and_their_types_cannot_break_a_line() {
        let made = |channel: &str, event: &str, data: usize| {
            NewMessage::new(channel.into(), event.into(), "x".repeat(data))
        };
        assert!(made("user/1", "unread", MAX_DATA_BYTES).is_ok());
        let code = |made: Result<NewMessage>| made.unwrap_err().code().to_owned();
        for channel in ["", "a\nb", &"c".repeat(MAX_CHANNEL_BYTES + 1)] {
            assert_eq!(code(made(channel, "a", 0)), "invalid_channel");
        }
        for event in ["", "a b", "a\ndata: b", &"e".repeat(MAX_EVENT_BYTES + 1)] {
            assert_eq!(code(made("c", event, 0)), "invalid_message");
        }
        let large = made("c", "a", MAX_DATA_BYTES + 1);
        assert_eq!(code(large), "message_too_large");
    }
}
