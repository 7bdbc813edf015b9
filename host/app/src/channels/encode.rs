//! Messages as the client reads them: server-sent events of the HTML
//! standard, §9.2.

use super::streams::Ending;
use atlashub_data::platform::ChannelMessage;
use bytes::Bytes;

/// What a client that lost its stream waits, milliseconds.
const RETRY_MS: u32 = 2_000;
/// The shortest wait after a node has ended, milliseconds; the longest is as
/// much longer, so that not all come at once.
const MOVE_MS: u32 = 1_000;
const MOVE_SPREAD_MS: u32 = 4_000;

/// The first piece: the client knows that it is heard.
pub(super) fn opening() -> Bytes {
    Bytes::from(format!(": held\nretry: {RETRY_MS}\n\n"))
}

/// Keeps what lies between from taking the connection for dead.
pub(super) fn heartbeat() -> Bytes {
    Bytes::from_static(b":\n\n")
}

/// Some messages are not there any more: ask for the whole state.
pub(super) fn missed() -> Bytes {
    Bytes::from_static(b"event: missed\ndata: {}\n\n")
}

/// A message, with its number as its id.
pub(super) fn message(message: &ChannelMessage) -> Bytes {
    let mut text = format!("id: {}\nevent: {}\n", message.seq, message.event);
    // A line break of any kind begins a new field.
    for line in message.data.replace("\r\n", "\n").split(['\n', '\r']) {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
    Bytes::from(text)
}

/// The last piece: why the stream ends, and when to come back.
pub(super) fn ending(why: Ending) -> Bytes {
    let (reason, retry) = match why {
        Ending::Slow => ("slow", RETRY_MS),
        Ending::Changed => ("changed", RETRY_MS),
        Ending::Expired => ("expired", RETRY_MS),
        Ending::ShuttingDown => ("shutting_down", MOVE_MS + fastrand::u32(..MOVE_SPREAD_MS)),
    };
    Bytes::from(format!(
        "retry: {retry}\nevent: closed\ndata: {{\"reason\":\"{reason}\"}}\n\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use atlashub_core::ProjectId;

    #[test]
    fn no_line_break_in_data_makes_a_field_of_its_own() {
        let written = message(&ChannelMessage {
            seq: 7,
            project: ProjectId::new(),
            plugin: "p".into(),
            channel: "c".into(),
            event: "note".into(),
            data: "a\nevent: b\r\nid: 9\rretry: 1".into(),
        });
        assert_eq!(
            written,
            "id: 7\nevent: note\ndata: a\ndata: event: b\ndata: id: 9\ndata: retry: 1\n\n"
        );
    }
}
