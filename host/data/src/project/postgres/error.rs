//! Postgres' SQLSTATEs as the stable codes of `capability::sql`.

use crate::project::{busy, denied, public::forbidden, timed_out, too_much_kept};
use atlashub_core::{Error, ErrorKind};
use sqlx::postgres::PgDatabaseError;

/// Why work on a session ended.
#[derive(Debug)]
pub(super) enum Fault {
    /// The server or the way to it failed.
    Server(sqlx::Error),
    /// The host refused; the session is as it was.
    Refused(Error),
    /// The host stopped in the middle; the session is of no more use.
    Stopped(Error),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Server(error)
    }
}

impl Fault {
    /// The SQLSTATE, when the server answered one.
    fn state(&self) -> Option<String> {
        match self {
            Self::Server(sqlx::Error::Database(error)) => {
                error.code().map(std::borrow::Cow::into_owned)
            }
            _ => None,
        }
    }

    /// Whether the server refused with this code.
    pub(super) fn state_is(&self, state: &str) -> bool {
        self.state().as_deref() == Some(state)
    }

    /// Whether the session can go on: the server answered in an orderly way
    /// and did not end it.
    pub(super) fn leaves_session_usable(&self) -> bool {
        match self {
            Self::Refused(_) => true,
            Self::Stopped(_) => false,
            Self::Server(_) => self
                .state()
                .is_some_and(|state| !state.starts_with("57P") && !state.starts_with("08")),
        }
    }

    /// Whether the session holds a plan from before a change of the schema.
    pub(super) fn is_stale_plan(&self) -> bool {
        match self {
            Self::Server(sqlx::Error::Database(error)) => {
                error.code().as_deref() == Some("0A000") && error.message().contains("cached plan")
            }
            _ => false,
        }
    }

    /// As the host's error.
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Refused(error) | Self::Stopped(error) => error,
            Self::Server(error) => convert(error),
        }
    }
}

/// Whether the server did not take the password, or there is no such role.
pub(super) fn is_login_refused(error: &sqlx::Error) -> bool {
    state_is(error, &["28P01", "28000"])
}

/// Whether the role may not connect to the database.
pub(super) fn is_connect_denied(error: &sqlx::Error) -> bool {
    state_is(error, &["42501"])
}

/// Whether there is no such database.
pub(super) fn is_database_missing(error: &sqlx::Error) -> bool {
    state_is(error, &["3D000"])
}

fn state_is(error: &sqlx::Error, states: &[&str]) -> bool {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| states.contains(&code.as_ref()))
}

/// A failed statement of a plugin.
fn convert(error: sqlx::Error) -> Error {
    let Some(answer) = error.as_database_error() else {
        return Error::new(ErrorKind::Internal, "sql_failed", "the database failed")
            .with_source(error);
    };
    let state = answer.code().unwrap_or_default().into_owned();
    let message = answer.message().to_owned();
    let hint = answer
        .try_downcast_ref::<PgDatabaseError>()
        .and_then(|answer| answer.hint().map(str::to_owned));
    let error = coded(error, &state, message).with_field("sqlstate", state);
    match hint {
        Some(hint) if !error.kind().is_server_fault() => error.with_field("hint", hint),
        _ => error,
    }
}

/// Whether a statement was stopped while it waited for another transaction:
/// the server says in which row, which it does of nothing else.
fn waited(error: &sqlx::Error) -> bool {
    let within = error
        .as_database_error()
        .and_then(|answer| answer.try_downcast_ref::<PgDatabaseError>())
        .and_then(PgDatabaseError::r#where);
    within.is_some_and(|within| within.starts_with("while ") && within.contains(" tuple ("))
}

fn coded(error: sqlx::Error, state: &str, message: String) -> Error {
    match (state, state.get(..2).unwrap_or_default()) {
        ("23505", _) => Error::conflict("sql_constraint_unique", message),
        (_, "23") => Error::conflict("sql_constraint", message),
        // Read-only transaction; the wall of the role.
        ("42501", _) if message.contains("row-level security policy") => {
            forbidden(message.split('"').nth(1).unwrap_or_default())
        }
        ("42501" | "25006", _) => denied(message),
        ("57014", _) if waited(&error) => busy("the database is busy with other statements"),
        ("57014", _) => timed_out(),
        ("53400", _) => too_much_kept(),
        ("40001" | "40P01" | "55P03" | "57P03", _) | (_, "53") => {
            busy("the database is busy with other statements")
        }
        (_, "42" | "26" | "34" | "3F") => Error::invalid("sql_syntax", message),
        // Bad data, unsupported, triggers that raise, transaction states.
        (
            _,
            "22" | "0A" | "0B" | "P0" | "25" | "2B" | "2D" | "2F" | "09" | "38" | "39" | "3B"
            | "44" | "54" | "55" | "HV",
        ) => Error::invalid("sql_failed", message),
        (_, "57" | "08") => Error::new(
            ErrorKind::Unavailable,
            "sql_failed",
            "the database ended the connection",
        )
        .with_source(error),
        _ => {
            Error::new(ErrorKind::Internal, "sql_failed", "the database failed").with_source(error)
        }
    }
}
