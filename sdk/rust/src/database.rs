//! The project's own tables, in its schema `public`, with the rights of the
//! caller of the request: row policies decide what a user or a publishable
//! key reaches, the database enforces it. Needs the grant `database`, or
//! `database:read` for reading alone.
//!
//! Read a table by its plain name, `todos`; write to `public.todos`. On
//! SQLite name the rows to write through what may be read:
//! `DELETE FROM public.todos WHERE rowid IN (SELECT _rowid_ FROM todos WHERE …)`.
//!
//! ```
//! # use atlashub_sdk::prelude::*;
//! fn open_todos() -> Result<Vec<String>> {
//!     database::query("SELECT title FROM todos WHERE done = $1", params![false])
//! }
//! ```

use crate::{
    Error, Result, host,
    sql::{Dialect, Rows, Value},
};
use serde::de::DeserializeOwned;

/// A column of a table or view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type in the database's own words, such as `bigint`.
    pub data_type: String,
    /// What it holds: `text`, `integer`, `real`, `numeric`, `boolean`,
    /// `json`, `timestamp`, `date`, `time`, `uuid`, `bytes`, `array` or
    /// `other`.
    pub kind: String,
    /// Whether it takes NULL.
    pub nullable: bool,
    /// Its default, SQL; `identity` for numbers that the database counts.
    pub default: Option<String>,
    /// Whether the database alone makes its values.
    pub generated: bool,
}

/// A foreign key of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForeignKey {
    /// Its name.
    pub name: String,
    /// The table's own columns.
    pub columns: Vec<String>,
    /// The other table.
    pub table: String,
    /// The other table's columns in the same order.
    pub references: Vec<String>,
}

/// A table or view of the project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// `table` or `view`.
    pub kind: String,
    /// Its columns in order.
    pub columns: Vec<Column>,
    /// Columns of the primary key; empty where there is none.
    pub primary_key: Vec<String>,
    /// Sets of columns that are unique, besides the primary key.
    pub unique: Vec<Vec<String>>,
    /// Its foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
}

/// The dialect to write in.
#[must_use]
pub fn dialect() -> Dialect {
    if host::database_dialect() == "postgres" {
        Dialect::Postgres
    } else {
        Dialect::Sqlite
    }
}

/// A number that is another one after tables have changed. It costs no
/// statement.
///
/// # Errors
/// `not_granted` (403).
pub fn schema_version() -> Result<u64> {
    Ok(host::database_schema_version()?)
}

/// The tables and views that there are, by name.
///
/// # Errors
/// As [`query`].
pub fn describe() -> Result<Vec<Table>> {
    Ok(host::database_describe()?)
}

/// The names of those tables and views that the caller is told of: all for
/// who reaches every row; for others those at which some row policy is for
/// them, and views that read only such. What a plugin shows of tables it
/// shows of these.
///
/// # Errors
/// As [`query`].
pub fn told() -> Result<Vec<String>> {
    Ok(host::database_told()?)
}

/// Runs one statement and returns its rows, 10,000 at most.
///
/// # Errors
/// Those of [`sql::query`](crate::sql::query), and `sql_policy` (403) where
/// a row policy forbids the row.
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
    Ok(host::database_query(sql, parameters)?)
}

/// Runs one statement and returns how many rows it changed.
///
/// # Errors
/// As [`query`].
pub fn execute(sql: &str, parameters: Vec<Value>) -> Result<u64> {
    Ok(host::database_execute(sql, parameters)?)
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

/// Whether the transaction of that name was committed; if not, it never will
/// be. None when it is too long ago: names are known for 30 days at least.
///
/// # Errors
/// `sql_busy` (503) while that is not decided; 422 for what is no such name.
pub fn was_committed(name: &str) -> Result<Option<bool>> {
    Ok(host::database_was_committed(name)?)
}

/// A transaction that can write, if the grant can; dropped without
/// [`Transaction::commit`], it rolls back.
#[derive(Debug)]
pub struct Transaction(host::DatabaseTransaction);

impl Transaction {
    /// Begins.
    ///
    /// # Errors
    /// As [`query`].
    pub fn begin() -> Result<Self> {
        Ok(Self(host::DatabaseTransaction::begin()?))
    }

    /// As [`query`], within the transaction.
    ///
    /// # Errors
    /// As [`query`].
    pub fn query<T: DeserializeOwned>(&self, sql: &str, parameters: Vec<Value>) -> Result<Vec<T>> {
        self.query_rows(sql, parameters)?.typed()
    }

    /// As [`query_rows`], within the transaction.
    ///
    /// # Errors
    /// As [`query`].
    pub fn query_rows(&self, sql: &str, parameters: Vec<Value>) -> Result<Rows> {
        Ok(self.0.query(sql, parameters)?)
    }

    /// As [`execute`], within the transaction.
    ///
    /// # Errors
    /// As [`query`].
    pub fn execute(&self, sql: &str, parameters: Vec<Value>) -> Result<u64> {
        Ok(self.0.execute(sql, parameters)?)
    }

    /// A name by which [`was_committed`] tells later what became of the
    /// transaction: note it where it lasts, then commit.
    ///
    /// # Errors
    /// As [`query`].
    pub fn identify(&self) -> Result<String> {
        Ok(self.0.identify()?)
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

/// Rows on their way out, many at once, as text: a line for each row, as
/// Postgres' `COPY` has them. Between cells stands a tab, nothing is `\N`,
/// and `\\`, `\t`, `\n`, `\r`, `\b`, `\f`, `\v` stand for these characters.
/// Truth values are `t` and `f` on Postgres, and numbers on SQLite. It costs
/// far less than [`query`].
#[derive(Debug)]
pub struct Reader(host::DatabaseReader);

impl Reader {
    /// Begins to read what a statement answers that only reads, and takes no
    /// parameters.
    ///
    /// # Errors
    /// As [`query`].
    pub fn open(sql: &str) -> Result<Self> {
        Ok(Self(host::DatabaseReader::open(sql)?))
    }

    /// The next rows, whole lines of a MiB or so; none at the end. What was
    /// read before an error counts.
    ///
    /// # Errors
    /// As [`query`]; `sql_too_many_rows` for a row of more than 4 MiB.
    pub fn read(&self) -> Result<Option<Vec<u8>>> {
        Ok(self.0.read()?)
    }
}

/// Rows on their way into one table, many at once, in a transaction of their
/// own; dropped without [`Writer::commit`], it rolls back. Only for callers
/// who reach every row. Lines are those of [`Reader`].
#[derive(Debug)]
pub struct Writer(host::DatabaseWriter);

impl Writer {
    /// Rows with values for these columns.
    ///
    /// # Errors
    /// As [`query`]; 404 for what is no table, or no column that takes values.
    pub fn begin(table: &str, columns: &[String]) -> Result<Self> {
        Ok(Self(host::DatabaseWriter::begin(table, columns)?))
    }

    /// Adds rows: whole lines, 4 MiB at most. What the database has against
    /// one may be told by a later call.
    ///
    /// # Errors
    /// As [`execute`].
    pub fn write(&self, lines: &[u8]) -> Result<()> {
        Ok(self.0.write(lines)?)
    }

    /// Waits until the database has taken all rows: how many there are.
    ///
    /// # Errors
    /// As [`execute`].
    pub fn finish(&self) -> Result<u64> {
        Ok(self.0.finish()?)
    }

    /// A name of the transaction, as [`Transaction::identify`] gives it.
    ///
    /// # Errors
    /// As [`query`].
    pub fn identify(&self) -> Result<String> {
        Ok(self.0.identify()?)
    }

    /// Makes finished rows last.
    ///
    /// # Errors
    /// The host's; nothing was changed then.
    pub fn commit(self) -> Result<()> {
        Ok(self.0.commit()?)
    }
}
