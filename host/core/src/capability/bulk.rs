//! Rows of the project's own tables, many at once: as text, a line for each
//! row, as Postgres' `COPY` writes and reads it. Between the cells of a line
//! stands a tab, nothing is `\N`, and `\\`, `\t`, `\n` and `\r` stand for
//! these characters within a cell; other escapes of Postgres' may come, too.

use crate::Result;
use async_trait::async_trait;

/// Most bytes of one chunk of lines.
pub const MAX_LINES_BYTES: usize = 4 * 1024 * 1024;

/// Rows on their way out; dropping it ends the statement.
#[async_trait]
pub trait RowReader: Send {
    /// The next rows, whole lines; none at the end. A row of more than
    /// [`MAX_RESULT_BYTES`](super::sql::MAX_RESULT_BYTES) is
    /// `sql_too_many_rows`.
    async fn read(&mut self) -> Result<Option<Vec<u8>>>;
}

/// Rows on their way into one table, in a transaction of their own; dropped
/// without [`RowWriter::commit`], it rolls back.
#[async_trait]
pub trait RowWriter: Send {
    /// Adds rows, whole lines. They may still be refused later.
    async fn write(&mut self, lines: Vec<u8>) -> Result<()>;

    /// No more come: waits until the database has taken all, and answers how
    /// many there are.
    async fn finish(&mut self) -> Result<u64>;

    /// A name by which [`Database::was_committed`](super::database::Database::was_committed)
    /// tells what became of it.
    async fn identify(&mut self) -> Result<String>;

    /// Makes the rows last, once they are finished.
    async fn commit(self: Box<Self>) -> Result<()>;
}
