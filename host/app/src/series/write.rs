//! Writing down what was counted: one batch a minute, none when nothing was.
//! A batch that could not be written is tried again with the next, under the
//! same id, so that it is added once whatever became of the first try.

use crate::{App, changes::chain};
use atlashub_data::platform::SeriesBatch;
use parking_lot::Mutex;
use std::{collections::VecDeque, time::Duration};
use time::OffsetDateTime;
use uuid::Uuid;

/// Batches that may wait for a database that does not answer.
const WAITING: usize = 30;
/// Levels are looked at every so many batches.
const SAMPLED_EVERY: u64 = 5;
/// How often it is looked for what is to be folded.
const FOLD_EVERY: Duration = Duration::from_secs(600);

/// What is to be written.
pub(crate) struct Unwritten(Mutex<Waiting>);

struct Waiting {
    batches: VecDeque<SeriesBatch>,
    /// When the last was made.
    since: OffsetDateTime,
    sampled: Option<u64>,
}

impl Unwritten {
    pub(crate) fn new(now: OffsetDateTime) -> Self {
        Self(Mutex::new(Waiting {
            batches: VecDeque::new(),
            since: now,
            sampled: None,
        }))
    }
}

/// Writes until the app ends; [`App::write_series`] writes what is left then.
pub(crate) async fn run(app: App) {
    let stop = app.stopping();
    let every = app.settings().series_every;
    let mut folded: Option<tokio::time::Instant> = None;
    loop {
        let now = app.clock().now();
        let next = tokio::time::sleep(until_next(now, every));
        if stop.run_until_cancelled(next).await.is_none() {
            return;
        }
        app.write_series().await;
        app.sample_levels().await;
        if folded.is_none_or(|at| at.elapsed() >= FOLD_EVERY) {
            folded = Some(tokio::time::Instant::now());
            if stop.run_until_cancelled(app.fold_series()).await.is_none() {
                return;
            }
        }
    }
}

/// How long it is until a whole multiple of `every`, so that a batch holds one
/// minute.
fn until_next(now: OffsetDateTime, every: Duration) -> Duration {
    let every = every.as_millis().max(1);
    let now = now.unix_timestamp_nanos().div_euclid(1_000_000);
    let past = now.rem_euclid(i128::try_from(every).unwrap_or(1));
    let left = every.saturating_sub(u128::try_from(past).unwrap_or(0));
    Duration::from_millis(u64::try_from(left).unwrap_or(1).max(1))
}

impl App {
    /// Adds what was counted on this node to what is known.
    pub(crate) async fn write_series(&self) {
        let now = self.clock().now();
        {
            let rows = self.traffic().take();
            let mut waiting = self.unwritten().0.lock();
            let since = std::mem::replace(&mut waiting.since, now);
            if !rows.is_empty() {
                waiting.batches.push_back(SeriesBatch {
                    id: Uuid::now_v7(),
                    // Most of it happened in the minute that has just ended.
                    at: since + (now - since) / 2,
                    rows,
                });
            }
            if waiting.batches.len() > WAITING {
                waiting.batches.pop_front();
                tracing::warn!(
                    "a minute of what projects did is lost: the database does not answer"
                );
            }
        }
        loop {
            let Some(batch) = self.unwritten().0.lock().batches.pop_front() else {
                return;
            };
            if let Err(error) = self.platform().series().add(&batch).await {
                tracing::warn!(error = %chain(&error), "what projects did was not written down yet");
                self.unwritten().0.lock().batches.push_front(batch);
                return;
            }
        }
    }

    /// Writes down what is stored and waits, on one node at a time.
    async fn sample_levels(&self) {
        let length = self.settings().series_every.as_millis().max(1);
        let now = self
            .clock()
            .now()
            .unix_timestamp_nanos()
            .div_euclid(1_000_000);
        let turn = u128::try_from(now).unwrap_or(0) / length;
        let turn = u64::try_from(turn).unwrap_or(0) / SAMPLED_EVERY;
        if self.unwritten().0.lock().sampled == Some(turn) {
            return;
        }
        // Not the id of any batch: those begin with a time.
        match self
            .platform()
            .series()
            .sample(Uuid::from_u64_pair(0, turn))
            .await
        {
            Ok(_) => self.unwritten().0.lock().sampled = Some(turn),
            Err(error) => tracing::warn!(error = %chain(&error), "levels were not sampled"),
        }
    }

    async fn fold_series(&self) {
        let series = self.platform().series();
        let outcomes = [
            ("counts", series.fold().await),
            ("levels", series.thin_levels().await),
            ("writes", series.forget_writes().await),
        ];
        for (what, outcome) in outcomes {
            match outcome {
                Ok(0) => {}
                Ok(count) => tracing::debug!(what, count, "folded"),
                Err(error) => tracing::warn!(what, error = %chain(&error), "not folded"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn batches_end_with_the_minute() {
        let minute = Duration::from_secs(60);
        let at = datetime!(2026-01-02 03:04:05.25 UTC);
        assert_eq!(until_next(at, minute), Duration::from_millis(54_750));
        let at = datetime!(2026-01-02 03:04:00 UTC);
        assert_eq!(until_next(at, minute), minute);
    }
}
