//! The queue of this node: what puts work in, the workers that take it out,
//! and what admins see of it.
//!
//! Events are published through [`EventsOfPlugins`], jobs added through
//! [`JobsOfPlugins`], or by [`scheduler`] when they are due; [`worker`] takes items,
//! fairly between projects, and [`attempt`] hands each to the plugin it is
//! for, by the same road as requests. The rows are the truth: a wake-up that
//! is lost heals by polling, a node that is lost by its leases.

mod actions;
mod attempt;
mod backlog;
mod backoff;
mod backup;
mod cleanup;
mod endings;
mod export;
mod jobs;
mod oversee;
mod provided;
mod publish;
mod scheduler;
mod schedules;
mod settings;
mod terms;
mod worker;

pub use actions::{PlatformAction, PlatformActions, PlatformTask};
pub(crate) use backup::BackUp;
pub(crate) use cleanup::Cleanup;
pub(crate) use export::Export;
pub(crate) use jobs::JobsOfPlugins;
pub use provided::BegunProvided;
pub(crate) use publish::EventsOfPlugins;
pub(crate) use scheduler::Scheduler;
pub use settings::QueueSettings;
pub(crate) use terms::TermsOfJobs;
pub(crate) use worker::Worker;

use atlashub_core::{ProjectId, Result};
use atlashub_data::platform::{Backlog, Platform, Retention};
use backlog::BacklogBudget;
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;

/// Items in one state that a project keeps after their end.
const KEPT_PER_PROJECT: u32 = 10_000;

/// What those who add to the queue and those who take from it share.
pub(crate) struct WorkQueue {
    settings: QueueSettings,
    backlog: BacklogBudget,
    wake: Notify,
    schedules: Notify,
}

impl WorkQueue {
    pub(crate) fn new(settings: QueueSettings) -> Arc<Self> {
        Arc::new(Self {
            backlog: BacklogBudget::new(settings.backlog_items, settings.backlog_bytes),
            settings,
            wake: Notify::new(),
            schedules: Notify::new(),
        })
    }

    /// Says that there may be work.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Says that a schedule may be due earlier than it was.
    pub(crate) fn look_at_schedules(&self) {
        self.schedules.notify_one();
    }

    /// Takes of what a project may have in the queue.
    ///
    /// # Errors
    /// `queue_full`.
    pub(crate) async fn take_share(
        &self,
        platform: &Platform,
        project: ProjectId,
        more: Backlog,
    ) -> Result<()> {
        self.backlog.take(platform, project, more).await
    }

    /// How long items are kept after their end.
    pub(crate) fn retention(&self) -> Retention {
        let days = |days: u32| Duration::from_secs(u64::from(days) * 24 * 3_600);
        Retention {
            done: Duration::from_secs(u64::from(self.settings.keep_done_hours) * 3_600),
            failed: days(self.settings.keep_failed_days),
            per_project: KEPT_PER_PROJECT,
        }
    }
}
