//! SQLite's result codes as the stable codes of `capability::sql`.

use super::{
    public::refused_table,
    search::{INVALID_PATTERN, INVALID_QUERY},
};
use crate::project::{busy, denied, public::forbidden, timed_out};
use atlashub_core::{Error, ErrorKind};
use rusqlite::ffi;
use std::ffi::{CStr, c_int};

/// What SQLite says of a failure.
#[derive(Debug)]
pub(super) struct Failure {
    /// The extended result code.
    pub(super) code: c_int,
    message: String,
    syntax: bool,
}

impl Failure {
    pub(super) fn new(code: c_int, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            syntax: false,
        }
    }

    /// A statement that cannot be understood.
    pub(super) fn syntax(message: impl Into<String>) -> Self {
        Self {
            syntax: true,
            ..Self::new(ffi::SQLITE_ERROR, message)
        }
    }

    /// The connection's last failure.
    ///
    /// # Safety
    /// `db` must be an open connection that no other thread uses.
    pub(super) unsafe fn last(db: *mut ffi::sqlite3) -> Self {
        // SAFETY: as the caller promised; the message is copied at once.
        unsafe {
            let code = ffi::sqlite3_extended_errcode(db);
            let message = ffi::sqlite3_errmsg(db);
            let message = if message.is_null() {
                String::new()
            } else {
                CStr::from_ptr(message).to_string_lossy().into_owned()
            };
            Self::new(code, message)
        }
    }

    /// Says that it came up while the statement was being prepared, where a
    /// generic error means that it cannot be understood.
    pub(super) fn while_preparing(mut self) -> Self {
        self.syntax |= self.code & 0xff == ffi::SQLITE_ERROR;
        self
    }

    /// Whether the time ran out.
    pub(super) fn is_interrupt(&self) -> bool {
        self.code & 0xff == ffi::SQLITE_INTERRUPT
    }

    /// Whether the authorizer refused.
    pub(super) fn is_denial(&self) -> bool {
        self.code & 0xff == ffi::SQLITE_AUTH
    }

    /// As the host's error.
    pub(super) fn into_error(self) -> Error {
        let state = self.state();
        self.coded().with_field("sqlstate", state)
    }

    /// The number that Postgres would have given.
    fn state(&self) -> &'static str {
        if self.syntax {
            return if self.message.starts_with("no such table") {
                "42P01"
            } else if self.message.contains("no such column") {
                "42703"
            } else {
                "42601"
            };
        }
        match (self.code, self.code & 0xff) {
            (
                ffi::SQLITE_CONSTRAINT_UNIQUE
                | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
                | ffi::SQLITE_CONSTRAINT_ROWID,
                _,
            ) => "23505",
            (ffi::SQLITE_CONSTRAINT_FOREIGNKEY, _) => "23503",
            (ffi::SQLITE_CONSTRAINT_NOTNULL, _) => "23502",
            (ffi::SQLITE_CONSTRAINT_CHECK, _) => "23514",
            (ffi::SQLITE_CONSTRAINT_DATATYPE, _) | (_, ffi::SQLITE_MISMATCH) => "22P02",
            (ffi::SQLITE_CONSTRAINT_TRIGGER, _) if refused_table(&self.message).is_some() => {
                "42501"
            }
            (ffi::SQLITE_CONSTRAINT_TRIGGER, _) => "P0001",
            (_, ffi::SQLITE_CONSTRAINT) => "23000",
            (_, ffi::SQLITE_AUTH | ffi::SQLITE_PERM) => "42501",
            (_, ffi::SQLITE_READONLY) => "25006",
            (_, ffi::SQLITE_INTERRUPT) => "57014",
            (_, ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED) => "55P03",
            (_, ffi::SQLITE_TOOBIG) => "54000",
            (_, ffi::SQLITE_NOMEM) => "53200",
            (_, ffi::SQLITE_FULL) => "53100",
            (_, ffi::SQLITE_ERROR) if self.message.starts_with(INVALID_PATTERN) => "2201B",
            (_, ffi::SQLITE_ERROR) if self.message.starts_with(INVALID_QUERY) => "42601",
            (_, ffi::SQLITE_ERROR | ffi::SQLITE_RANGE) => "22000",
            _ => "XX000",
        }
    }

    fn coded(self) -> Error {
        if self.syntax {
            return Error::invalid("sql_syntax", self.message);
        }
        match (self.code, self.code & 0xff) {
            (
                ffi::SQLITE_CONSTRAINT_UNIQUE
                | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
                | ffi::SQLITE_CONSTRAINT_ROWID,
                _,
            ) => Error::conflict("sql_constraint_unique", self.message),
            (ffi::SQLITE_CONSTRAINT_FOREIGNKEY, _) => Error::conflict(
                "sql_constraint",
                format!(
                    "{}: a value refers to a row that is not there, or a row would go that others \
                     refer to",
                    self.message
                ),
            ),
            (ffi::SQLITE_CONSTRAINT_TRIGGER, _) => match refused_table(&self.message) {
                Some(table) => forbidden(table),
                None => Error::conflict("sql_constraint", self.message),
            },
            (_, ffi::SQLITE_CONSTRAINT) => Error::conflict("sql_constraint", self.message),
            (_, ffi::SQLITE_AUTH | ffi::SQLITE_PERM | ffi::SQLITE_READONLY) => denied(self.message),
            (_, ffi::SQLITE_INTERRUPT) => timed_out(),
            (_, ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED) => {
                busy("the database is busy with other statements")
            }
            (_, ffi::SQLITE_TOOBIG) => Error::new(
                ErrorKind::TooLarge,
                "sql_failed",
                "a value, a row or the statement is too large",
            ),
            (_, ffi::SQLITE_NOMEM) => Error::new(
                ErrorKind::TooLarge,
                "sql_failed",
                "the statement needs more memory than one may have: let it sort or keep fewer rows",
            ),
            (_, ffi::SQLITE_FULL) => Error::new(
                ErrorKind::TooLarge,
                "sql_failed",
                "the plugin's database is full",
            ),
            (_, ffi::SQLITE_ERROR | ffi::SQLITE_MISMATCH | ffi::SQLITE_RANGE) => {
                Error::invalid("sql_failed", self.message)
            }
            _ => Error::new(ErrorKind::Internal, "sql_failed", "the database failed")
                .with_source(format!("sqlite {}: {}", self.code, self.message)),
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::SqliteFailure(code, message) => Self::new(
                code.extended_code,
                message.unwrap_or_else(|| code.to_string()),
            ),
            other => Self::new(ffi::SQLITE_INTERNAL, other.to_string()),
        }
    }
}
