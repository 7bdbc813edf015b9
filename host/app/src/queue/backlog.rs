//! How much of a project may be in the queue.
//!
//! What this node adds is summed up in memory on top of what was measured
//! last, and measured anew at most once a second while something is added. So
//! a project exceeds its share by what its plugins add in a second at most,
//! and adding costs no query beyond that.

use atlashub_core::{Error, ErrorKind, ProjectId, Result};
use atlashub_data::platform::{Backlog, Platform};
use moka::sync::Cache;
use parking_lot::Mutex;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How long a measurement serves.
const MEASURED_FOR: Duration = Duration::from_secs(1);
/// Projects whose measurements are remembered.
const REMEMBERED: u64 = 10_000;
/// Seconds after which it is worth trying again.
const RETRY_AFTER_SECONDS: u32 = 5;

/// The shares of all projects.
pub(super) struct BacklogBudget {
    items: u64,
    bytes: u64,
    known: Cache<ProjectId, Arc<Mutex<Account>>>,
}

#[derive(Default)]
struct Account {
    taken: Backlog,
    measured_at: Option<Instant>,
}

impl BacklogBudget {
    pub(super) fn new(items: u64, bytes: u64) -> Self {
        Self {
            items,
            bytes,
            known: Cache::builder()
                .max_capacity(REMEMBERED)
                .time_to_idle(MEASURED_FOR * 60)
                .build(),
        }
    }

    /// Takes `more` of a project's share.
    ///
    /// # Errors
    /// `queue_full` (503).
    pub(super) async fn take(
        &self,
        platform: &Platform,
        project: ProjectId,
        more: Backlog,
    ) -> Result<()> {
        let account = self.known.get_with(project, Arc::default);
        if account.lock().is_stale() {
            // One more than may be there tells that there are too many.
            let limit = self.items.saturating_add(1);
            let measured = platform.queue().backlog(project, limit).await?;
            *account.lock() = Account {
                taken: measured,
                measured_at: Some(Instant::now()),
            };
        }
        let mut account = account.lock();
        let after = Backlog {
            items: account.taken.items.saturating_add(more.items),
            bytes: account.taken.bytes.saturating_add(more.bytes),
        };
        if after.items > self.items || after.bytes > self.bytes {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "queue_full",
                format!(
                    "the project has {} items with {} bytes in the queue, \
                     and may have {} with {}: wait until some are done",
                    account.taken.items, account.taken.bytes, self.items, self.bytes
                ),
            )
            .with_retry_after(RETRY_AFTER_SECONDS));
        }
        account.taken = after;
        Ok(())
    }
}

impl Account {
    fn is_stale(&self) -> bool {
        self.measured_at
            .is_none_or(|at| at.elapsed() >= MEASURED_FOR)
    }
}
