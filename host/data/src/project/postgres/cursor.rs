//! A result that is read page by page on Postgres: a cursor of the server in
//! a read-only transaction. The server is asked for few rows at a time, more
//! as they turn out to be small.

use super::{error::Fault, session::Session};
use crate::project::{pool::Lease, row_too_large};
use async_trait::async_trait;
use atlashub_core::{
    Error, Result,
    capability::sql::{MAX_RESULT_BYTES, MAX_ROWS, SqlCursor, SqlRows, SqlValue},
};
use std::collections::VecDeque;

/// Rows that are asked for first.
const FIRST: usize = 64;
/// Bytes that one fetch is meant to bring.
const AIM_BYTES: usize = 1024 * 1024;

/// An open cursor; ended once a page failed or was given up.
pub(super) struct PostgresCursor {
    lease: Option<Lease<Session>>,
    columns: Vec<String>,
    ready: VecDeque<(Vec<SqlValue>, usize)>,
    fetch: usize,
    exhausted: bool,
}

impl PostgresCursor {
    /// Wraps a session that has declared the server's cursor.
    pub(super) fn new(lease: Lease<Session>) -> Self {
        Self {
            lease: Some(lease),
            columns: Vec::new(),
            ready: VecDeque::new(),
            fetch: FIRST,
            exhausted: false,
        }
    }

    async fn fill(&mut self, wanted: usize) -> Result<()> {
        let ended = || Error::conflict("sql_failed", "the cursor has ended");
        let mut lease = self.lease.take().ok_or_else(ended)?;
        let session = lease.connection.as_mut().ok_or_else(ended)?;
        let count = self.fetch.min(wanted).max(1);
        let (columns, rows) = session.fetch(count).await.map_err(Fault::into_error)?;
        self.lease = Some(lease);
        self.columns = columns;
        self.exhausted = rows.len() < count;
        let bytes: usize = rows.iter().map(|(_, bytes)| bytes).sum();
        let per_row = bytes.div_ceil(rows.len().max(1)).max(1);
        self.fetch = (AIM_BYTES / per_row)
            .clamp(1, (count * 4).max(FIRST))
            .min(MAX_ROWS);
        self.ready.extend(rows);
        Ok(())
    }
}

impl Drop for PostgresCursor {
    fn drop(&mut self) {
        let Some(mut lease) = self.lease.take() else {
            return;
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Some(session) = lease.connection.as_mut() {
                    // A session that fails at this is not used again.
                    let _ = session.rollback().await;
                }
            });
        }
    }
}

#[async_trait]
impl SqlCursor for PostgresCursor {
    async fn next(&mut self, max: usize) -> Result<SqlRows> {
        let max = max.clamp(1, MAX_ROWS);
        let mut rows = Vec::new();
        let mut room = MAX_RESULT_BYTES;
        while rows.len() < max {
            match self.ready.pop_front() {
                Some((row, bytes)) if bytes <= room => {
                    room -= bytes;
                    rows.push(row);
                }
                Some((_, bytes)) if bytes > MAX_RESULT_BYTES => return Err(row_too_large()),
                Some(row) => {
                    self.ready.push_front(row);
                    break;
                }
                None if self.exhausted => break,
                None => self.fill(max - rows.len()).await?,
            }
        }
        Ok(SqlRows {
            columns: self.columns.clone(),
            rows,
        })
    }
}
