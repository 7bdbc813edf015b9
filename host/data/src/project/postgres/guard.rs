//! Statements that belong to the host: those that begin or end
//! transactions, change the session's settings, or speak the copy protocol.
//!
//! The role is the wall. This keeps a plugin from confusing its own
//! connections, and says so in words.

use crate::project::{denied, text};
use atlashub_core::{Error, Result};

/// What a statement on the project's own tables may begin with.
const PUBLIC: &[&str] = &["SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "VALUES"];

/// Refuses what is not a statement on rows.
///
/// For callers whom row policies bind this is part of the wall: who calls
/// stands in settings of the session, and a statement of these kinds cannot
/// set any, since the function that could is taken from everybody.
///
/// # Errors
/// `sql_denied`, and `sql_syntax` for a text without a statement.
pub(super) fn check_public(sql: &str) -> Result<()> {
    check_offered(sql)?;
    if PUBLIC.contains(&text::first_word(sql).as_str()) {
        return Ok(());
    }
    Err(denied(
        "only SELECT, INSERT, UPDATE and DELETE are offered here; tables are changed by an admin",
    ))
}

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
        // Takes the role's right to connect, too.
        "DROP" if words.next().as_deref() == Some("OWNED") => {
            "drop tables one by one: what the role may touch belongs to the host"
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
