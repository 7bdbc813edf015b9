//! One prepared SQLite statement, owned: it can lie in a cache or travel
//! between threads together with its connection.
//!
//! This and the main database's name in `connection` are the only places
//! that speak to the C interface directly, since the safe wrapper ties a
//! statement's life to a borrow of its connection. **Invariant:** a
//! [`Statement`] is used and dropped only while the connection that made it
//! is open, and never by two threads at once. Its owner, the connection, sees
//! to that: it holds all its statements and drops them before it closes.

use super::{error::Failure, inline::Inline};
use atlashub_core::{
    Error, Result,
    capability::sql::{MAX_RESULT_BYTES, SqlValue},
};
use rusqlite::ffi;
use std::{
    ffi::{CStr, c_int},
    ptr::{self, NonNull},
};

/// What a step led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A row is there to be read.
    Row,
    /// The statement has ended.
    Done,
}

/// A prepared statement and what is known of it.
pub(super) struct Statement {
    raw: NonNull<ffi::sqlite3_stmt>,
    columns: Vec<String>,
    /// For each parameter of the statement, the number of the value that it
    /// takes, from 1.
    parameters: Vec<usize>,
    prepared_again: c_int,
    /// Whether it leaves the database as it is.
    pub(super) reads_only: bool,
    /// Whether it may run on an asynchronous thread.
    pub(super) inline: Inline,
    /// When it was last used, in the count of its cache.
    pub(super) used: u64,
}

// SAFETY: SQLite is built with thread safety, and a statement has no tie to
// a thread; the module's invariant rules out use by two at once.
unsafe impl Send for Statement {}

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: `raw` came from `sqlite3_prepare_v3` and is finalized once.
        // The code repeats the last step's error, which was reported.
        unsafe { ffi::sqlite3_finalize(self.raw.as_ptr()) };
    }
}

/// The first statement of `sql`, if there is one, and what follows it.
///
/// # Safety
/// `db` must be an open connection that no other thread uses.
pub(super) unsafe fn prepare(
    db: *mut ffi::sqlite3,
    sql: &str,
    keep: bool,
) -> Result<(Option<Statement>, &str), Failure> {
    let length = c_int::try_from(sql.len()).unwrap_or(c_int::MAX);
    let flags = if keep {
        ffi::SQLITE_PREPARE_PERSISTENT
    } else {
        0
    };
    let mut raw = ptr::null_mut();
    let mut tail = ptr::null();
    // SAFETY: `sql` is valid for `length` bytes and the out pointers for
    // writing.
    let code = unsafe {
        ffi::sqlite3_prepare_v3(db, sql.as_ptr().cast(), length, flags, &mut raw, &mut tail)
    };
    if code != ffi::SQLITE_OK {
        // SAFETY: as the caller promised.
        return Err(unsafe { Failure::last(db) });
    }
    let consumed = (tail as usize).saturating_sub(sql.as_ptr() as usize);
    let rest = sql.get(consumed..).unwrap_or_default();
    let Some(raw) = NonNull::new(raw) else {
        return Ok((None, rest));
    };
    let mut statement = Statement {
        raw,
        columns: Vec::new(),
        parameters: Vec::new(),
        prepared_again: 0,
        // SAFETY: `raw` is the statement that was just prepared.
        reads_only: unsafe { ffi::sqlite3_stmt_readonly(raw.as_ptr()) != 0 },
        inline: Inline::default(),
        used: 0,
    };
    statement.read_columns();
    statement.read_parameters()?;
    Ok((Some(statement), rest))
}

impl Statement {
    fn read_columns(&mut self) {
        // SAFETY: the statement is valid; a name is valid until the
        // statement is prepared again, and copied at once.
        self.columns = unsafe {
            let count = ffi::sqlite3_column_count(self.raw.as_ptr());
            (0..count)
                .map(|index| text(ffi::sqlite3_column_name(self.raw.as_ptr(), index)))
                .collect()
        };
    }

    fn read_parameters(&mut self) -> Result<(), Failure> {
        // SAFETY: the statement is valid, and each name as long as it is.
        let names: Vec<Option<String>> = unsafe {
            let count = ffi::sqlite3_bind_parameter_count(self.raw.as_ptr());
            (1..=count)
                .map(|index| {
                    let name = ffi::sqlite3_bind_parameter_name(self.raw.as_ptr(), index);
                    (!name.is_null()).then(|| text(name))
                })
                .collect()
        };
        for (index, name) in names.iter().enumerate() {
            let number = match name {
                // `?`, or a number left out between `?1` and `?3`.
                None => Some(index + 1),
                Some(name) => name
                    .strip_prefix(['$', '?'])
                    .and_then(|digits| digits.parse().ok())
                    .filter(|number| *number > 0),
            };
            let number = number.ok_or_else(|| {
                let name = name.as_deref().unwrap_or_default();
                Failure::syntax(format!(
                    "parameter `{name}` must be written as `$1`, `$2`, …"
                ))
            })?;
            self.parameters.push(number);
        }
        Ok(())
    }

    /// Whether it only tells how another would run.
    pub(super) fn explains(&self) -> bool {
        // SAFETY: the statement is valid.
        unsafe { ffi::sqlite3_stmt_isexplain(self.raw.as_ptr()) != 0 }
    }

    /// The columns' names; settled by the first step.
    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Binds the values; they are copied.
    ///
    /// # Errors
    /// `sql_syntax` when the statement takes another number of values.
    pub(super) fn bind(&mut self, values: &[SqlValue]) -> Result<()> {
        let wanted = self.parameters.iter().copied().max().unwrap_or(0);
        if wanted != values.len() {
            return Err(Error::invalid(
                "sql_syntax",
                format!(
                    "the statement takes {wanted} parameters, not {}",
                    values.len()
                ),
            ));
        }
        for (index, number) in (1..).zip(&self.parameters) {
            let Some(value) = values.get(number - 1) else {
                continue;
            };
            let raw = self.raw.as_ptr();
            // SAFETY: the statement is valid, each pointer for its length,
            // and `SQLITE_TRANSIENT` has the bytes copied before the return.
            let code = unsafe {
                match value {
                    SqlValue::Null => ffi::sqlite3_bind_null(raw, index),
                    SqlValue::Boolean(value) => {
                        ffi::sqlite3_bind_int64(raw, index, i64::from(*value))
                    }
                    SqlValue::Integer(value) => ffi::sqlite3_bind_int64(raw, index, *value),
                    SqlValue::Real(value) => ffi::sqlite3_bind_double(raw, index, *value),
                    SqlValue::Text(value) => ffi::sqlite3_bind_text64(
                        raw,
                        index,
                        value.as_ptr().cast(),
                        value.len() as u64,
                        ffi::SQLITE_TRANSIENT(),
                        UTF8,
                    ),
                    SqlValue::Blob(value) => ffi::sqlite3_bind_blob64(
                        raw,
                        index,
                        value.as_ptr().cast(),
                        value.len() as u64,
                        ffi::SQLITE_TRANSIENT(),
                    ),
                }
            };
            if code != ffi::SQLITE_OK {
                return Err(Failure::new(code, "the parameter is too large").into_error());
            }
        }
        Ok(())
    }

    /// Runs on to the next row or to the end.
    pub(super) fn step(&mut self) -> Result<Step, Failure> {
        // SAFETY: the statement is valid and used by this thread alone.
        let code = unsafe { ffi::sqlite3_step(self.raw.as_ptr()) };
        match code {
            ffi::SQLITE_ROW => {
                self.notice_new_plan();
                Ok(Step::Row)
            }
            ffi::SQLITE_DONE => {
                self.notice_new_plan();
                Ok(Step::Done)
            }
            // SAFETY: as above; the connection outlives the statement.
            _ => Err(unsafe { Failure::last(ffi::sqlite3_db_handle(self.raw.as_ptr())) }),
        }
    }

    /// Runs to the end and lets go of all rows.
    pub(super) fn finish(&mut self) -> Result<()> {
        while self.step().map_err(Failure::into_error)? == Step::Row {}
        Ok(())
    }

    /// A changed schema has SQLite prepare the statement again, perhaps with
    /// other columns.
    fn notice_new_plan(&mut self) {
        // SAFETY: the statement is valid.
        let count = unsafe {
            ffi::sqlite3_stmt_status(self.raw.as_ptr(), ffi::SQLITE_STMTSTATUS_REPREPARE, 0)
        };
        if count != self.prepared_again {
            self.prepared_again = count;
            self.read_columns();
        }
    }

    /// The current row with the bytes of its values; `None` when it has more
    /// than `room` bytes.
    pub(super) fn row(&self, room: usize) -> Option<(Vec<SqlValue>, usize)> {
        let mut row = Vec::with_capacity(self.columns.len());
        let mut bytes = 0;
        for (index, _) in (0..).zip(&self.columns) {
            let (value, size) = self.value(index, room.checked_sub(bytes)?)?;
            bytes += size;
            row.push(value);
        }
        (bytes <= room).then_some((row, bytes))
    }

    fn value(&self, index: c_int, room: usize) -> Option<(SqlValue, usize)> {
        let raw = self.raw.as_ptr();
        // SAFETY: the statement stands on a row and `index` is one of its
        // columns; bytes are valid until the next step and copied at once.
        unsafe {
            let value = match ffi::sqlite3_column_type(raw, index) {
                ffi::SQLITE_INTEGER => SqlValue::Integer(ffi::sqlite3_column_int64(raw, index)),
                ffi::SQLITE_FLOAT => SqlValue::Real(ffi::sqlite3_column_double(raw, index)),
                ffi::SQLITE_NULL => SqlValue::Null,
                kind => {
                    let start = if kind == ffi::SQLITE_TEXT {
                        ffi::sqlite3_column_text(raw, index)
                    } else {
                        ffi::sqlite3_column_blob(raw, index).cast()
                    };
                    let length = ffi::sqlite3_column_bytes(raw, index);
                    let length = usize::try_from(length).unwrap_or_default();
                    if length > room {
                        return None;
                    }
                    let bytes = if start.is_null() {
                        &[]
                    } else {
                        std::slice::from_raw_parts(start, length)
                    };
                    let value = if kind == ffi::SQLITE_TEXT {
                        SqlValue::Text(String::from_utf8_lossy(bytes).into_owned())
                    } else {
                        SqlValue::Blob(bytes.to_vec())
                    };
                    return Some((value, length));
                }
            };
            Some((value, 8))
        }
    }

    /// Ends the run and lets go of the bound values.
    pub(super) fn reset(&mut self) {
        // SAFETY: the statement is valid. The code of the reset repeats the
        // last step's error, which was reported.
        unsafe {
            ffi::sqlite3_reset(self.raw.as_ptr());
            if !self.parameters.is_empty() {
                ffi::sqlite3_clear_bindings(self.raw.as_ptr());
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the constant is 1")]
const UTF8: std::ffi::c_uchar = ffi::SQLITE_UTF8 as std::ffi::c_uchar;

/// Largest value or row that SQLite itself takes: a page and what surrounds
/// the values in a row.
pub(super) const MAX_VALUE_BYTES: usize = MAX_RESULT_BYTES + 64 * 1024;

/// Copies a C string; empty for a null pointer.
///
/// # Safety
/// `start` must be null or a valid C string.
unsafe fn text(start: *const std::ffi::c_char) -> String {
    if start.is_null() {
        return String::new();
    }
    // SAFETY: as the caller promised.
    unsafe { CStr::from_ptr(start) }
        .to_string_lossy()
        .into_owned()
}
