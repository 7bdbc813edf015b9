//! The worker of a node: one loop that takes items when there are places for
//! them, and a task for each that it took.
//!
//! It looks when it is told that there is work, when something falls due,
//! when a place is free again, and once a second. What it cannot take it
//! offers to other nodes. It ends by letting what runs end for a while, then
//! handing the rest back.

use super::{
    WorkQueue,
    actions::PlatformActions,
    attempt::Attempts,
    backoff::{FIRST, wait_after},
};
use crate::{changes::chain, directory::Directory, logs::PluginLog, mail::KeptMails};
use atlashub_core::{ItemId, ProjectId, Result, WorkerId};
use atlashub_data::platform::{ChangeHints, Platform, QueueItem};
use futures::StreamExt as _;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    task::{AbortHandle, Id, JoinError, JoinSet},
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

/// How often it looks without being told.
const POLL: Duration = Duration::from_secs(1);
/// Projects looked at in one round.
const ROUND: u32 = 32;
/// How long what runs may go on when the node stops.
const GRACE: Duration = Duration::from_secs(5);
/// Least time between two offers to other nodes.
const OFFER_EVERY: Duration = Duration::from_millis(20);
/// Wait before listening is tried again.
const RELISTEN: Duration = Duration::from_secs(10);

/// The worker of a node.
pub(crate) struct Worker {
    id: WorkerId,
    platform: Platform,
    queue: Arc<WorkQueue>,
    attempts: Arc<Attempts>,
    /// After whose turn the next round begins.
    last: Option<ProjectId>,
    running: JoinSet<()>,
    taken: HashMap<Id, Taken>,
    of_project: HashMap<ProjectId, u32>,
    offered_at: Option<Instant>,
}

/// An item that is being worked on.
struct Taken {
    item: ItemId,
    fence: i64,
    project: ProjectId,
    abort: AbortHandle,
}

impl Worker {
    pub(crate) fn new(
        platform: Platform,
        queue: Arc<WorkQueue>,
        directory: Arc<Directory>,
        mails: KeptMails,
        actions: Arc<PlatformActions>,
        log: PluginLog,
    ) -> Self {
        let attempts = Arc::new(Attempts {
            platform: platform.clone(),
            directory,
            mails,
            actions,
            log,
        });
        Self {
            id: WorkerId::new(),
            platform,
            queue,
            attempts,
            last: None,
            running: JoinSet::new(),
            taken: HashMap::new(),
            of_project: HashMap::new(),
            offered_at: None,
        }
    }

    /// Works until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let queue = Arc::clone(&self.queue);
        let mut hints = self.listen().await;
        let mut relisten = Instant::now() + RELISTEN;
        let mut polls = interval(POLL);
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut beats = interval(queue.settings.lease / 4);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut due: Option<Instant> = None;
        loop {
            // Work that no other node has heard of yet.
            let mut fresh = false;
            tokio::select! {
                () = stop.cancelled() => break,
                _ = beats.tick() => {
                    if let Err(error) = self.keep_hold().await {
                        tracing::warn!(error = %chain(&error), "leases were not prolonged");
                    }
                    continue;
                }
                Some(ended) = self.running.join_next_with_id(), if !self.running.is_empty() => {
                    self.ended(ended);
                }
                _ = polls.tick() => {
                    if hints.is_none() && Instant::now() >= relisten {
                        hints = self.listen().await;
                        relisten = Instant::now() + RELISTEN;
                    }
                    self.take_back().await;
                }
                () = queue.wake.notified() => fresh = true,
                () = next(&mut hints) => {}
                () = until(due) => fresh = true,
            }
            // All that ended by now, before places are counted.
            while let Some(ended) = self.running.try_join_next_with_id() {
                self.ended(ended);
            }
            match self.fill(fresh).await {
                Ok(next_due) => due = next_due,
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "the queue was not looked at");
                    due = None;
                }
            }
        }
        self.end().await;
    }

    /// Takes what there are places for; when the next item falls due. What
    /// is left of `fresh` work is offered to other nodes.
    async fn fill(&mut self, fresh: bool) -> Result<Option<Instant>> {
        let rows = self.platform.queue();
        let mut next_due = rows.next_due().await?;
        if next_due.is_some_and(|at| at <= self.platform.now()) {
            rows.ready_due().await?;
            next_due = rows.next_due().await?;
        }
        if self.take_ready().await? && fresh {
            self.offer().await;
        }
        Ok(next_due.map(|at| {
            let wait = (at - self.platform.now()).try_into();
            Instant::now() + wait.unwrap_or(Duration::ZERO)
        }))
    }

    /// Goes round the projects that have work, a few items of each, until no
    /// place is free or nothing is left; whether something may be left.
    async fn take_ready(&mut self) -> Result<bool> {
        let settings = self.queue.settings;
        loop {
            let projects = self
                .platform
                .queue()
                .projects_with_work(self.last, ROUND)
                .await?;
            if projects.is_empty() {
                return Ok(false);
            }
            let mut took = false;
            let count = u32::try_from(projects.len()).unwrap_or(u32::MAX);
            let share = (self.free() / count.max(1)).max(1);
            for project in projects {
                let free = self.free();
                let mine = self.of_project.get(&project).copied().unwrap_or(0);
                let limit = settings
                    .workers_per_project
                    .saturating_sub(mine)
                    .min(free)
                    .min(share);
                if limit == 0 {
                    continue;
                }
                let items = self
                    .platform
                    .queue()
                    .take(project, self.id, settings.lease, limit)
                    .await?;
                took |= !items.is_empty();
                self.last = Some(project);
                for item in items {
                    self.start(item);
                }
            }
            if !took || self.free() == 0 {
                return Ok(true);
            }
        }
    }

    fn free(&self) -> u32 {
        let running = u32::try_from(self.taken.len()).unwrap_or(u32::MAX);
        self.queue.settings.workers.saturating_sub(running)
    }

    fn start(&mut self, item: QueueItem) {
        if let Some(started) = item.started_at {
            let due = item.due_at.max(item.created_at);
            let waited = Duration::try_from(started - due).unwrap_or_default();
            metrics::histogram!("atlashub_queue_pickup_seconds").record(waited.as_secs_f64());
        }
        let (id, fence, project) = (item.id, item.fence, item.project);
        let attempts = Arc::clone(&self.attempts);
        let abort = self.running.spawn(async move { attempts.run(item).await });
        *self.of_project.entry(project).or_insert(0) += 1;
        let taken = Taken {
            item: id,
            fence,
            project,
            abort: abort.clone(),
        };
        self.taken.insert(abort.id(), taken);
        self.note_running();
    }

    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        let Some(taken) = self.taken.remove(&id) else {
            return;
        };
        if let Some(count) = self.of_project.get_mut(&taken.project) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.of_project.remove(&taken.project);
            }
        }
        if let Err(error) = ended
            && error.is_panic()
        {
            tracing::error!(item = %taken.item, %error, "work panicked");
        }
        self.note_running();
    }

    fn note_running(&self) {
        #[expect(clippy::cast_precision_loss, reason = "a gauge; exact to 2^53")]
        metrics::gauge!("atlashub_queue_running").set(self.taken.len() as f64);
    }

    /// Prolongs the leases of what runs, and ends what is not ours any more:
    /// it was cancelled, or this node was silent for too long.
    async fn keep_hold(&self) -> Result<()> {
        if self.taken.is_empty() {
            return Ok(());
        }
        let items: Vec<ItemId> = self.taken.values().map(|taken| taken.item).collect();
        let lease = self.queue.settings.lease;
        let held = self.platform.queue().renew(self.id, &items, lease).await?;
        let held: HashSet<_> = held
            .into_iter()
            .map(|lease| (lease.item, lease.fence))
            .collect();
        for taken in self.taken.values() {
            if !held.contains(&(taken.item, taken.fence)) {
                taken.abort.abort();
            }
        }
        Ok(())
    }

    /// Takes items back from nodes that went silent.
    async fn take_back(&self) {
        let now = self.platform.now();
        let again = |attempt| now + wait_after(FIRST, attempt, fastrand::f64());
        match self.platform.queue().take_back_expired(again).await {
            Ok(0) => {}
            Ok(count) => tracing::warn!(count, "work was taken back from a node that went silent"),
            Err(error) => tracing::warn!(error = %chain(&error), "work was not taken back"),
        }
    }

    /// Tells other nodes that there is more.
    async fn offer(&mut self) {
        let now = Instant::now();
        if self.offered_at.is_some_and(|at| now < at + OFFER_EVERY) {
            return;
        }
        self.offered_at = Some(now);
        if let Err(error) = self.platform.offer_work().await {
            tracing::warn!(error = %chain(&error), "other nodes were not told of work");
        }
    }

    async fn listen(&self) -> Option<ChangeHints> {
        match self.platform.listen_for_work().await {
            Ok(hints) => Some(hints),
            Err(error) => {
                tracing::warn!(error = %chain(&error), "no notifications of work, looking once a second");
                None
            }
        }
    }

    async fn end(mut self) {
        let all = async { while self.running.join_next().await.is_some() {} };
        // Well within the leases, which nobody prolongs now.
        let grace = GRACE.min(self.queue.settings.lease / 2);
        if timeout(grace, all).await.is_err() {
            self.running.shutdown().await;
        }
        match self.platform.queue().hand_back(self.id).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "work was handed back"),
            Err(error) => tracing::warn!(error = %chain(&error), "work was not handed back"),
        }
        self.offered_at = None;
        self.offer().await;
    }
}

async fn next(hints: &mut Option<ChangeHints>) {
    match hints {
        Some(stream) => {
            if stream.next().await.is_none() {
                *hints = None;
            }
        }
        None => std::future::pending().await,
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
