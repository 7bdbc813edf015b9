//! A plugin's transaction on SQLite: it owns the plugin's one writing
//! connection until it ends.

use super::{Worker, limited, public::ended};
use crate::project::{no_name, transaction_over};
use async_trait::async_trait;
use atlashub_core::{
    Result,
    capability::sql::{SqlRows, SqlTransaction, SqlValue},
};
use std::time::Duration;

/// An open transaction. The connection is absent while a statement runs, for
/// good when the caller went away meanwhile: then the thread that runs it
/// rolls back.
pub(super) struct SqliteTransaction {
    worker: Option<Worker>,
    time: Duration,
    failed: bool,
}

impl SqliteTransaction {
    pub(super) fn new(worker: Option<Worker>, time: Duration) -> Self {
        Self {
            worker,
            time,
            failed: false,
        }
    }

    pub(super) async fn run<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut super::Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.failed {
            return Err(transaction_over());
        }
        let worker = self.worker.take().ok_or_else(transaction_over)?;
        let time = self.time;
        // Stays set when this future is dropped in the middle.
        self.failed = true;
        let (worker, result) = worker
            .run(move |connection, cancel| {
                // SQLite rolls back by itself after some failures.
                if !connection.in_transaction() {
                    return Err(transaction_over());
                }
                connection.start_run(limited(time, cancel));
                work(connection)
            })
            .await;
        self.worker = worker;
        self.failed = result.is_err();
        result
    }

    async fn end(
        mut self: Box<Self>,
        work: impl FnOnce(&mut super::Connection) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let worker = self.worker.take().ok_or_else(transaction_over)?;
        worker.run(move |connection, _| work(connection)).await.1
    }
}

impl Drop for SqliteTransaction {
    fn drop(&mut self) {
        // Its return to the pool rolls back, which may write: not here.
        if let Some(worker) = self.worker.take() {
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn_blocking(move || drop(worker))),
                Err(_) => drop(worker),
            }
        }
    }
}

#[async_trait]
impl SqlTransaction for SqliteTransaction {
    async fn query(&mut self, sql: &str, values: Vec<SqlValue>) -> Result<SqlRows> {
        crate::project::check_call(sql, &values)?;
        let sql = sql.to_owned();
        self.run(move |connection| connection.query(&sql, &values))
            .await
    }

    async fn execute(&mut self, sql: &str, values: Vec<SqlValue>) -> Result<u64> {
        crate::project::check_call(sql, &values)?;
        let sql = sql.to_owned();
        self.run(move |connection| connection.execute(&sql, &values))
            .await
    }

    async fn identify(&mut self) -> Result<String> {
        self.run(|connection| {
            if !connection.is_public() {
                return Err(no_name());
            }
            ended::identify(connection)
        })
        .await
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        if self.failed {
            // Dropping it rolls back.
            return Err(transaction_over());
        }
        self.end(|connection| {
            connection
                .commit()
                .inspect_err(|_| drop(connection.rollback()))
        })
        .await
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        self.end(|connection| connection.rollback()).await
    }
}
