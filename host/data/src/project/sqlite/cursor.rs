//! A result that is read page by page on SQLite: a statement that rests
//! between the pages in a reading connection of its own. No thread is held
//! meanwhile.

use super::{Worker, limited};
use async_trait::async_trait;
use atlashub_core::{
    Error, Result,
    capability::sql::{SqlCursor, SqlRows, SqlValue},
};
use std::time::Duration;

/// An open cursor; ended once a page failed or was given up.
pub(super) struct SqliteCursor {
    worker: Option<Worker>,
    time: Duration,
}

impl SqliteCursor {
    pub(super) async fn open(
        worker: Worker,
        time: Duration,
        sql: String,
        values: Vec<SqlValue>,
    ) -> Result<Self> {
        let (worker, begun) = worker
            .run(move |connection, _| connection.begin_reading(&sql, &values))
            .await;
        begun?;
        Ok(Self { worker, time })
    }
}

#[async_trait]
impl SqlCursor for SqliteCursor {
    async fn next(&mut self, max: usize) -> Result<SqlRows> {
        let ended = || Error::conflict("sql_failed", "the cursor has ended");
        let worker = self.worker.take().ok_or_else(ended)?;
        let time = self.time;
        let (worker, rows) = worker
            .run(move |connection, cancel| {
                connection.start_run(limited(time, cancel));
                connection.read_on(max)
            })
            .await;
        let rows = rows?;
        self.worker = worker;
        Ok(rows)
    }
}
