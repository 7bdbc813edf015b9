//! Turns a database's failures into the host's error.
//!
//! What passes by itself (a busy file, a deadlock, a full pool, a lost
//! connection) is 503, everything else 500; the cause goes to the log only.
//! What a constraint means is for the repository that owns the table.

use atlashub_core::{Error, ErrorKind};
use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};
use std::borrow::Cow;

/// Seconds after which a caller may try again.
const RETRY_AFTER_SECONDS: u32 = 1;

/// A failed statement as the host's error; `context` fits "failed to …".
pub(super) fn failed(context: &'static str) -> impl Fn(DbErr) -> Error {
    move |error| {
        if has_null_character(&error) {
            Error::invalid("invalid_text", "text may not have the character U+0000")
                .with_source(error)
        } else if passes_by_itself(&error) {
            Error::new(
                ErrorKind::Unavailable,
                "database_busy",
                format!("{context}: the database is busy, try again"),
            )
            .with_retry_after(RETRY_AFTER_SECONDS)
            .with_source(error)
        } else {
            Error::internal(context, error)
        }
    }
}

/// Whether a unique index or a primary key refused the statement.
pub(super) fn is_duplicate(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

/// Whether a foreign key refused the statement.
pub(super) fn is_dangling(error: &DbErr) -> bool {
    matches!(
        error.sql_err(),
        Some(SqlErr::ForeignKeyConstraintViolation(_))
    )
}

/// Whether the database refused a row for what is in it: a value that is
/// missing, of another type, or that a constraint does not let in.
pub(super) fn is_misfit(error: &DbErr) -> bool {
    database_code(error).is_some_and(|code| refuses_values(&code))
}

/// SQLite's `SQLITE_CONSTRAINT` and `SQLITE_MISMATCH` with their extended forms,
/// and Postgres' classes of data exceptions and of integrity.
fn refuses_values(code: &str) -> bool {
    match code.parse::<i32>() {
        Ok(number) if code.len() < 5 => matches!(number & 0xff, 19 | 20),
        _ => code.starts_with("22") || code.starts_with("23"),
    }
}

/// As [`failed`], for a row that belongs to another: `not_found` names `owner`
/// when that is not there.
pub(super) fn orphaned(owner: &'static str, context: &'static str) -> impl Fn(DbErr) -> Error {
    move |error| {
        if is_dangling(&error) {
            Error::not_found(owner).with_source(error)
        } else {
            failed(context)(error)
        }
    }
}

/// A stored value that no longer parses.
pub(super) fn corrupt(
    what: &'static str,
) -> impl Fn(Box<dyn std::error::Error + Send + Sync>) -> Error {
    move |error| Error::internal(format!("read a stored {what}"), error)
}

/// Whether Postgres refused text that it cannot hold, unlike SQLite.
fn has_null_character(error: &DbErr) -> bool {
    database_code(error).is_some_and(|code| code == "22021")
}

fn database_code(error: &DbErr) -> Option<Cow<'_, str>> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            match error.as_ref() {
                sqlx::Error::Database(error) => error.code(),
                _ => None,
            }
        }
        _ => None,
    }
}

fn passes_by_itself(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(_) => true,
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => match error.as_ref() {
            sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) => true,
            sqlx::Error::Database(error) => error.code().is_some_and(|code| is_transient(&code)),
            _ => false,
        },
        _ => false,
    }
}

/// SQLite result codes (`SQLITE_BUSY` and `SQLITE_LOCKED` with their extended
/// forms) and Postgres states (serialization, deadlock, lock not available,
/// shutting down, too many connections).
fn is_transient(code: &str) -> bool {
    matches!(
        code,
        "40001" | "40P01" | "55P03" | "57P01" | "57P02" | "57P03" | "53300"
    ) || code
        .parse::<i32>()
        .is_ok_and(|code| code < 10_000 && matches!(code & 0xff, 5 | 6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_refused_for_its_values_alone() {
        for code in [
            "19", "275", "787", "1299", "3091", "20", "23502", "23514", "22P02",
        ] {
            assert!(refuses_values(code), "{code}");
        }
        for code in [
            "1", "5", "11", "13", "261", "26000", "40001", "42P01", "53100",
        ] {
            assert!(!refuses_values(code), "{code}");
        }
    }

    #[test]
    fn only_what_passes_by_itself_is_transient() {
        for code in ["5", "261", "517", "6", "40001", "40P01"] {
            assert!(is_transient(code), "{code} counts as lasting");
        }
        for code in ["1", "19", "1555", "2067", "23505", "42P01", "11", "25006"] {
            assert!(!is_transient(code), "{code} counts as transient");
        }
    }
}
