//! Statements that belong to the host: those that begin or end
//! transactions, change the session's settings, or speak the copy protocol.
//!
//! The role is the wall. This keeps a plugin from confusing its own
//! connections, and says so in words.

use crate::project::{denied, text};
use atlashub_core::{Error, Result};

/// Refuses statements that would leave the connection in another state.
///
/// # Errors
/// `sql_denied`, and `sql_syntax` for a text without a statement.
pub(super) fn check_offered(sql: &str) -> Result<()> {
    if text::skip_blanks(sql)
        .trim_matches([';', ' ', '\n', '\t', '\r'])
        .is_empty()
    {
        return Err(Error::invalid("sql_syntax", "there is no statement"));
    }
    let mut words = text::words(sql);
    let first = words.next().unwrap_or_default();
    let reason = match first.as_str() {
        "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" | "SAVEPOINT" | "RELEASE" => {
            "transactions are begun and ended through the interface, not in SQL"
        }
        "SET" | "RESET" | "DISCARD" | "PREPARE" | "EXECUTE" | "DEALLOCATE" | "LISTEN"
        | "UNLISTEN" | "NOTIFY" | "LOAD" => "the connection's settings belong to the host",
        "DECLARE" | "FETCH" | "MOVE" | "CLOSE" => {
            "cursors are opened through the interface, not in SQL"
        }
        "COPY" => "COPY is not offered: insert rows and read them with a cursor",
        "GRANT" | "REVOKE" | "REASSIGN" | "SECURITY" => {
            "what a plugin may touch is granted by an admin"
        }
        "VACUUM" | "CLUSTER" | "CHECKPOINT" => "maintenance is the host's work",
        "ALTER" => match words.next().unwrap_or_default().as_str() {
            "ROLE" | "USER" | "GROUP" | "SYSTEM" | "DATABASE" | "DEFAULT" => {
                "roles and settings belong to the host"
            }
            _ => return Ok(()),
        },
        _ => return Ok(()),
    };
    Err(denied(reason))
}
