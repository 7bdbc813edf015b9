//! Results that are read page by page: the statement rests in its connection
//! meanwhile.

use super::{
    connection::Connection,
    statement::{Statement, Step},
    watch::Watch,
};
use crate::project::{denied, row_too_large};
use atlashub_core::{
    Result,
    capability::sql::{MAX_RESULT_BYTES, MAX_ROWS, SqlRows, SqlValue},
};

impl Connection {
    /// Begins to read a result page by page. It rests in the connection,
    /// which is the cursor's alone until it is given back.
    ///
    /// # Errors
    /// `sql_denied` when the statement writes.
    pub(super) fn begin_reading(&mut self, sql: &str, values: &[SqlValue]) -> Result<()> {
        let mut statement = self.prepare_only(sql, false)?;
        if !statement.reads_only {
            return Err(denied("a cursor can only read"));
        }
        statement.bind(values)?;
        self.reading = Some(Reading {
            statement,
            at_row: false,
            ended: false,
        });
        Ok(())
    }

    /// The next rows of [`Connection::begin_reading`], `max` at most.
    pub(super) fn read_on(&mut self, max: usize) -> Result<SqlRows> {
        match &mut self.reading {
            Some(reading) => reading.next(max, &self.watch),
            None => Ok(SqlRows::default()),
        }
    }
}

/// A statement that is read on from page to page.
pub(super) struct Reading {
    statement: Statement,
    at_row: bool,
    ended: bool,
}

impl Reading {
    fn next(&mut self, max: usize, watch: &Watch) -> Result<SqlRows> {
        let mut rows = Vec::new();
        let mut room = MAX_RESULT_BYTES;
        let max = max.clamp(1, MAX_ROWS);
        while rows.len() < max && !self.ended {
            if !self.at_row {
                match self.statement.step() {
                    Ok(Step::Row) => self.at_row = true,
                    Ok(Step::Done) => self.ended = true,
                    Err(failure) => {
                        self.ended = true;
                        return Err(watch.explain(failure).into_error());
                    }
                }
                continue;
            }
            match self.statement.row(room) {
                Some((row, bytes)) => {
                    room -= bytes;
                    rows.push(row);
                    self.at_row = false;
                }
                None if rows.is_empty() => return Err(row_too_large()),
                None => break,
            }
        }
        Ok(SqlRows {
            columns: self.statement.columns().to_vec(),
            rows,
        })
    }
}
