//! A plugin's own tables: bound parameters, transactions that roll back when
//! dropped, rows in pages. What a connection can reach, the database itself
//! enforces.

use super::PluginScope;
use crate::{Error, Result};
use async_trait::async_trait;

/// Most rows that one `query` returns; more is an error that names a cursor.
pub const MAX_ROWS: usize = 10_000;
/// Most bytes of values that one `query` or one page returns.
pub const MAX_RESULT_BYTES: usize = 4 * 1024 * 1024;
/// Most bytes of SQL text in one call.
pub const MAX_SQL_BYTES: usize = 256 * 1024;
/// Most bound parameters in one call.
pub const MAX_PARAMETERS: usize = 1_000;

/// The dialect of SQL that the project's database speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite 3.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

impl Dialect {
    /// The dialect's name as plugins see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// A value that crosses between guest and database.
///
/// On Postgres a parameter takes the type that the statement gives it (a
/// UUID, timestamp or JSON parameter is bound from [`SqlValue::Text`]), and
/// values of types without a variant here come back as text in their usual
/// form: UUIDs hyphenated, timestamps RFC 3339 in UTC, JSON as it is stored,
/// numerics in decimal.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue {
    /// SQL NULL.
    Null,
    /// A truth value (SQLite: 0 or 1).
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// Rows, with the names of their columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SqlRows {
    /// Column names in order.
    pub columns: Vec<String>,
    /// Rows in order, each as long as `columns`.
    pub rows: Vec<Vec<SqlValue>>,
}

/// SQL in a plugin's own schema. One statement a call.
///
/// Errors have stable codes: `sql_syntax`, `sql_constraint_unique`,
/// `sql_constraint`, `sql_denied` (not this plugin's to touch),
/// `sql_too_many_rows`, `sql_timeout`, `sql_busy`, `sql_invalid_text` (a text
/// value with a NUL, which Postgres cannot hold), `sql_failed`. Their
/// messages are the database's own where they speak of the plugin's
/// statement.
#[async_trait]
pub trait Sql: Send + Sync {
    /// The dialect to write in.
    fn dialect(&self) -> Dialect;

    /// Runs a statement and returns its rows, [`MAX_ROWS`] at most.
    async fn query(
        &self,
        scope: &PluginScope,
        sql: &str,
        parameters: Vec<SqlValue>,
    ) -> Result<SqlRows>;

    /// Runs a statement and returns how many rows it changed.
    async fn execute(
        &self,
        scope: &PluginScope,
        sql: &str,
        parameters: Vec<SqlValue>,
    ) -> Result<u64>;

    /// Begins a transaction that can write.
    async fn begin(&self, scope: &PluginScope) -> Result<Box<dyn SqlTransaction>>;

    /// Begins reading a result of any size, page by page.
    async fn cursor(
        &self,
        scope: &PluginScope,
        sql: &str,
        parameters: Vec<SqlValue>,
    ) -> Result<Box<dyn SqlCursor>>;
}

/// A transaction; dropped without [`SqlTransaction::commit`], it rolls back.
#[async_trait]
pub trait SqlTransaction: Send {
    /// As [`Sql::query`], within the transaction.
    async fn query(&mut self, sql: &str, parameters: Vec<SqlValue>) -> Result<SqlRows>;
    /// As [`Sql::execute`], within the transaction.
    async fn execute(&mut self, sql: &str, parameters: Vec<SqlValue>) -> Result<u64>;
    /// A name by which [`Database::was_committed`](super::database::Database::was_committed)
    /// tells what became of it.
    ///
    /// # Errors
    /// `not_supported` on others than the project's own tables.
    async fn identify(&mut self) -> Result<String> {
        Err(Error::invalid(
            "not_supported",
            "only transactions on the project's tables have names",
        ))
    }
    /// Makes the changes last.
    async fn commit(self: Box<Self>) -> Result<()>;
    /// Undoes the changes and waits until that is done.
    async fn rollback(self: Box<Self>) -> Result<()>;
}

/// A result that is read page by page; dropping it ends it.
#[async_trait]
pub trait SqlCursor: Send {
    /// The next `max` rows at most (fewer when they are large); no rows at
    /// the end.
    async fn next(&mut self, max: usize) -> Result<SqlRows>;
}
