//! Tables in a schema of the plugin's own, named like the plugin with
//! underscores for dashes: `notes.entries`. Needs the grant `sql`.
//! Parameters are `$1`, `$2`, …, always bound; rows become structs by the
//! names of their columns.
//!
//! ```
//! # use atlashub_sdk::prelude::*;
//! #[derive(Deserialize)]
//! struct Note { id: String, title: String, stars: i64 }
//!
//! fn starred(least: i64) -> Result<Vec<Note>> {
//!     sql::query("SELECT id, title, stars FROM notes.entries WHERE stars >= $1", params![least])
//! }
//! ```

mod row;
mod value;

use crate::{Error, Result, host};
use serde::de::DeserializeOwned;
pub use value::Value;

/// What the project's database speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite 3.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// Bound values: `params![name, 7, None::<String>]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { ::std::vec![$($crate::sql::Value::from($value)),*] };
}

/// Rows as they came, with the names of their columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Column names in order.
    pub columns: Vec<String>,
    /// Rows in order, each as long as `columns`.
    pub rows: Vec<Vec<Value>>,
}

impl Rows {
    /// The rows as values of `T`: structs or maps by the names of columns,
    /// tuples by position, anything else from the first column.
    ///
    /// # Errors
    /// 500 when a value does not fit.
    pub fn typed<T: DeserializeOwned>(self) -> Result<Vec<T>> {
        let Self { columns, rows } = self;
        rows.into_iter()
            .map(|row| {
                row::read(&columns, row)
                    .map_err(|error| Error::internal(format_args!("read a row: {error}")))
            })
            .collect()
    }
}

/// The dialect to write in.
#[must_use]
pub fn dialect() -> Dialect {
    if host::sql_dialect() == "postgres" {
        Dialect::Postgres
    } else {
        Dialect::Sqlite
    }
}

/// The texts of the JSON list that is the parameter of this number, for a
/// condition on many at once: `id IN ({})`. The parameter is a
/// [`Value::json`] of them.
#[must_use]
pub fn texts_in(parameter: usize) -> String {
    match dialect() {
        Dialect::Sqlite => format!("SELECT value FROM json_each(${parameter})"),
        Dialect::Postgres => {
            format!("SELECT json_array_elements_text(CAST(${parameter} AS text)::json)")
        }
    }
}

/// Takes the meaning from the wildcards of `LIKE`, for patterns with
/// `ESCAPE '!'`.
///
/// ```
/// # use atlashub_sdk::sql;
/// assert_eq!(sql::escape_like("100%_sure!"), "100!%!_sure!!");
/// ```
#[must_use]
pub fn escape_like(text: &str) -> String {
    text.replace('!', "!!")
        .replace('%', "!%")
        .replace('_', "!_")
}

/// Runs one statement and returns its rows, 10,000 at most.
///
/// # Errors
/// The host's: `sql_constraint_unique` (409), `sql_constraint` (422),
/// `sql_busy` (503), `sql_timeout` (504), `not_granted` (403), and 500 for
/// the rest.
pub fn query<T: DeserializeOwned>(sql: &str, parameters: Vec<Value>) -> Result<Vec<T>> {
    query_rows(sql, parameters)?.typed()
}

/// The first row, if there is one.
///
/// # Errors
/// As [`query`].
pub fn query_optional<T: DeserializeOwned>(sql: &str, parameters: Vec<Value>) -> Result<Option<T>> {
    Ok(query(sql, parameters)?.into_iter().next())
}

/// The first row.
///
/// # Errors
/// As [`query`], and 404 when there is none.
pub fn query_one<T: DeserializeOwned>(sql: &str, parameters: Vec<Value>) -> Result<T> {
    query_optional(sql, parameters)?.ok_or_else(|| Error::not_found("the row"))
}

/// Runs one statement and returns its rows as they came.
///
/// # Errors
/// As [`query`].
pub fn query_rows(sql: &str, parameters: Vec<Value>) -> Result<Rows> {
    Ok(host::sql_query(sql, parameters)?)
}

/// Runs one statement and returns how many rows it changed.
///
/// # Errors
/// As [`query`].
pub fn execute(sql: &str, parameters: Vec<Value>) -> Result<u64> {
    Ok(host::sql_execute(sql, parameters)?)
}

/// Runs `work` in a transaction: committed when it succeeds, rolled back when
/// it fails.
///
/// # Errors
/// What `work` answers, and the host's.
pub fn transaction<T>(work: impl FnOnce(&Transaction) -> Result<T>) -> Result<T> {
    let transaction = Transaction::begin()?;
    let value = work(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

/// A transaction that can write; dropped without [`Transaction::commit`], it
/// rolls back.
#[derive(Debug)]
pub struct Transaction(host::SqlTransaction);

impl Transaction {
    /// Begins.
    ///
    /// # Errors
    /// As [`query`].
    pub fn begin() -> Result<Self> {
        Ok(Self(host::SqlTransaction::begin()?))
    }

    /// As [`query`], within the transaction.
    ///
    /// # Errors
    /// As [`query`].
    pub fn query<T: DeserializeOwned>(&self, sql: &str, parameters: Vec<Value>) -> Result<Vec<T>> {
        self.0.query(sql, parameters)?.typed()
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// As [`query`].
    pub fn query_optional<T: DeserializeOwned>(
        &self,
        sql: &str,
        parameters: Vec<Value>,
    ) -> Result<Option<T>> {
        Ok(self.query(sql, parameters)?.into_iter().next())
    }

    /// As [`execute`], within the transaction.
    ///
    /// # Errors
    /// As [`query`].
    pub fn execute(&self, sql: &str, parameters: Vec<Value>) -> Result<u64> {
        Ok(self.0.execute(sql, parameters)?)
    }

    /// Makes the changes last.
    ///
    /// # Errors
    /// The host's; nothing was changed then.
    pub fn commit(self) -> Result<()> {
        Ok(self.0.commit()?)
    }

    /// Undoes the changes, and waits until that is done.
    ///
    /// # Errors
    /// The host's.
    pub fn rollback(self) -> Result<()> {
        Ok(self.0.rollback()?)
    }
}

/// A result of any size, read page by page.
#[derive(Debug)]
pub struct Cursor(host::SqlCursor);

impl Cursor {
    /// Begins reading.
    ///
    /// # Errors
    /// As [`query`].
    pub fn open(sql: &str, parameters: Vec<Value>) -> Result<Self> {
        Ok(Self(host::SqlCursor::open(sql, parameters)?))
    }

    /// The next `max` rows at most; none at the end.
    ///
    /// # Errors
    /// As [`query`].
    pub fn next_page<T: DeserializeOwned>(&mut self, max: u32) -> Result<Vec<T>> {
        self.0.next(max)?.typed()
    }
}
