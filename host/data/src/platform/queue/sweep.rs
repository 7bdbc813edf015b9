//! Forgets what has ended.

use super::{
    super::{failure::failed, instant, unit::statement},
    Queue,
};
use atlashub_core::Result;
use sea_orm::{ConnectionTrait as _, Value};
use std::time::Duration;

/// Most rows that one statement removes.
const REMOVED_AT_ONCE: i64 = 5_000;

/// How long items are kept after their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Those that were done.
    pub done: Duration,
    /// Those that were given up or cancelled.
    pub failed: Duration,
    /// Items in each of these states that a project keeps at most, the newest.
    pub per_project: u32,
}

impl Queue<'_> {
    /// Removes items that ended long ago, and the oldest of those that are
    /// too many; how many there were.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn sweep_ended(&self, retention: &Retention) -> Result<u64> {
        let now = self.db.now();
        let mut removed = 0;
        for (state, kept) in [
            ("done", retention.done),
            ("dead", retention.failed),
            ("cancelled", retention.failed),
        ] {
            let before = instant::earlier(now, kept);
            removed += self
                .remove(
                    "DELETE FROM queue_items WHERE seq IN (SELECT seq FROM queue_items \
                     WHERE state = $1 AND finished_at IS NOT NULL AND finished_at <= $2 \
                     ORDER BY finished_at LIMIT $3)",
                    [state.into(), before.into(), REMOVED_AT_ONCE.into()],
                )
                .await?;
            removed += self
                .remove(
                    "DELETE FROM queue_items WHERE seq IN (SELECT seq FROM \
                     (SELECT seq, row_number() OVER \
                     (PARTITION BY project_id ORDER BY seq DESC) AS place \
                     FROM queue_items WHERE state = $1 AND finished_at IS NOT NULL) AS ranked \
                     WHERE place > $2 LIMIT $3)",
                    [
                        state.into(),
                        i64::from(retention.per_project).into(),
                        REMOVED_AT_ONCE.into(),
                    ],
                )
                .await?;
        }
        Ok(removed)
    }

    /// Repeats a statement that removes some until none are left.
    async fn remove(&self, sql: &'static str, values: [Value; 3]) -> Result<u64> {
        let mut removed = 0;
        loop {
            let result = self
                .db
                .write()
                .execute_raw(statement(self.db.engine(), sql, values.clone()))
                .await
                .map_err(failed("remove items of the queue"))?;
            removed += result.rows_affected();
            if result.rows_affected() < REMOVED_AT_ONCE.unsigned_abs() {
                return Ok(removed);
            }
        }
    }
}
