//! The worker of a node: one loop that takes items when there are places for
//! them, and a task for each that it took.
//!
//! It looks when it is told that there is work, when something falls due,
//! when a place is free again and something was left, and once a second. A
//! place is free when a try has ended; that this is noted it does not wait for,
//! but so many items are its own at most. What the platform does itself has
//! places of its own: an export waits there for a plugin's job, which needs one
//! of these. What it cannot take it offers to other nodes. It ends by letting what runs end for a while, then handing the
//! rest back.

use super::{
    WorkQueue,
    actions::PlatformActions,
    attempt::{Attempts, is_done_alone},
    backoff::{FIRST, wait_after},
    endings::{Endings, Noting},
};
use crate::{
    changes::chain, directory::Directory, logs::PluginLog, mail::KeptMails, series::Traffic,
};
use atlashub_core::{ItemId, ProjectId, Result, WorkerId};
use atlashub_data::platform::{ChangeHints, ItemKind, Platform, QueueItem};
use futures::StreamExt as _;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, Id, JoinError, JoinSet},
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

/// How often it looks without being told.
const POLL: Duration = Duration::from_secs(1);
/// Projects looked at in one round.
const ROUND: u32 = 32;
/// Items for each place that are its own at most, with those that are noted.
const HELD_PER_PLACE: u32 = 4;
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
    /// What notes ends, until it is begun.
    to_note: Option<Noting>,
    noting: JoinSet<()>,
    running: JoinSet<()>,
    /// Tries that have ended, and whether nothing follows from them.
    tried: mpsc::UnboundedReceiver<(Id, bool)>,
    tell_tried: mpsc::UnboundedSender<(Id, bool)>,
    taken: HashMap<Id, Taken>,
    /// Of those, how many hold places.
    at_work: u32,
    /// How many the platform does itself: they are not among those that it may
    /// hold.
    acting: u32,
    /// Something may be left that there was no place for.
    left: bool,
    of_project: HashMap<ProjectId, u32>,
    offered_at: Option<Instant>,
}

/// An item that is being worked on, or whose end is being noted.
struct Taken {
    item: ItemId,
    fence: i64,
    project: ProjectId,
    abort: AbortHandle,
    holds_place: bool,
    /// It is what the platform does itself.
    acts: bool,
    /// It was done, and nothing follows from that.
    done_alone: bool,
}

impl Worker {
    pub(crate) fn new(
        platform: Platform,
        queue: Arc<WorkQueue>,
        directory: Arc<Directory>,
        mails: KeptMails,
        actions: Arc<PlatformActions>,
        log: PluginLog,
        traffic: Arc<Traffic>,
    ) -> Self {
        let (endings, to_note) = Endings::new(platform.clone());
        let attempts = Arc::new(Attempts {
            platform: platform.clone(),
            directory,
            mails,
            actions,
            log,
            traffic,
            endings,
        });
        let (tell_tried, tried) = mpsc::unbounded_channel();
        Self {
            id: WorkerId::new(),
            platform,
            queue,
            attempts,
            last: None,
            to_note: Some(to_note),
            noting: JoinSet::new(),
            running: JoinSet::new(),
            tried,
            tell_tried,
            taken: HashMap::new(),
            at_work: 0,
            acting: 0,
            left: true,
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
        if let Some(noting) = self.to_note.take() {
            self.noting.spawn(noting.run());
        }
        loop {
            // Work that no other node has heard of yet.
            let mut fresh = false;
            // Rows may have changed, not only places.
            let mut changed = true;
            tokio::select! {
                () = stop.cancelled() => break,
                _ = beats.tick() => {
                    if let Err(error) = self.keep_hold().await {
                        tracing::warn!(error = %chain(&error), "leases were not prolonged");
                    }
                    continue;
                }
                Some(ended) = self.running.join_next_with_id(), if !self.running.is_empty() => {
                    self.hear_tried();
                    changed = self.ended(ended);
                }
                Some((id, done_alone)) = self.tried.recv() => {
                    changed = false;
                    self.has_tried(id, done_alone);
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
            self.hear_tried();
            while let Some(ended) = self.running.try_join_next_with_id() {
                changed |= self.ended(ended);
            }
            if changed {
                match self.ready_due().await {
                    Ok(next_due) => due = next_due,
                    Err(error) => {
                        tracing::warn!(error = %chain(&error), "the queue was not looked at");
                        due = None;
                        continue;
                    }
                }
            }
            if (changed || self.left)
                && let Err(error) = self.fill(fresh).await
            {
                tracing::warn!(error = %chain(&error), "no work was taken");
            }
        }
        self.end().await;
    }

    /// Readies what has fallen due; when the next does.
    async fn ready_due(&self) -> Result<Option<Instant>> {
        let rows = self.platform.queue();
        let mut next_due = rows.next_due().await?;
        if next_due.is_some_and(|at| at <= self.platform.now()) {
            rows.ready_due().await?;
            next_due = rows.next_due().await?;
        }
        Ok(next_due.map(|at| {
            let wait = (at - self.platform.now()).try_into();
            Instant::now() + wait.unwrap_or(Duration::ZERO)
        }))
    }

    /// Takes what there are places for. What is left of `fresh` work is offered
    /// to other nodes.
    async fn fill(&mut self, fresh: bool) -> Result<()> {
        // Until it is known otherwise.
        self.left = true;
        if self.free() > 0 {
            self.left = self.take_ready().await?;
        }
        if self.left && fresh {
            self.offer().await;
        }
        Ok(())
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
            let count = u32::try_from(projects.len()).unwrap_or(u32::MAX);
            let share = (self.free() / count.max(1)).max(1);
            let mut took_all_asked = false;
            // More projects than were looked at, or more than may be taken now.
            let mut left = count >= ROUND;
            for project in projects {
                let free = self.free();
                let mine = self.of_project.get(&project).copied().unwrap_or(0);
                let limit = settings
                    .workers_per_project
                    .saturating_sub(mine)
                    .min(free)
                    .min(share);
                if limit == 0 {
                    left = true;
                    continue;
                }
                let items = self
                    .platform
                    .queue()
                    .take(project, self.id, settings.lease, limit)
                    .await?;
                took_all_asked |= u32::try_from(items.len()).unwrap_or(u32::MAX) >= limit;
                self.last = Some(project);
                for item in items {
                    self.start(item);
                }
            }
            if !took_all_asked && !left {
                return Ok(false);
            }
            if !took_all_asked || self.free() == 0 {
                return Ok(true);
            }
        }
    }

    /// Items that may be taken: of the places, and of what may be held.
    fn free(&self) -> u32 {
        let workers = self.queue.settings.workers;
        let taken = u32::try_from(self.taken.len()).unwrap_or(u32::MAX);
        let own = taken.saturating_sub(self.acting);
        let held = workers.saturating_mul(HELD_PER_PLACE).saturating_sub(own);
        workers.saturating_sub(self.at_work).min(held)
    }

    fn start(&mut self, item: QueueItem) {
        if let Some(started) = item.started_at {
            let due = item.due_at.max(item.created_at);
            let waited = Duration::try_from(started - due).unwrap_or_default();
            metrics::histogram!("atlashub_queue_pickup_seconds").record(waited.as_secs_f64());
        }
        let (id, fence, project) = (item.id, item.fence, item.project);
        let acts = item.kind == ItemKind::Platform;
        let attempts = Arc::clone(&self.attempts);
        let tell_tried = self.tell_tried.clone();
        let abort = self.running.spawn(async move {
            let outcome = attempts.outcome(&item).await;
            let done_alone = is_done_alone(&item, &outcome);
            // Nobody hears it once the worker has ended.
            let _ = tell_tried.send((tokio::task::id(), done_alone));
            attempts.note(&item, outcome).await;
        });
        if acts {
            self.acting += 1;
        } else {
            *self.of_project.entry(project).or_insert(0) += 1;
            self.at_work += 1;
        }
        let taken = Taken {
            item: id,
            fence,
            project,
            abort: abort.clone(),
            holds_place: !acts,
            acts,
            done_alone: false,
        };
        self.taken.insert(abort.id(), taken);
        self.note_running();
    }

    fn hear_tried(&mut self) {
        while let Ok((id, done_alone)) = self.tried.try_recv() {
            self.has_tried(id, done_alone);
        }
    }

    /// A try has ended: its place is free.
    fn has_tried(&mut self, id: Id, done_alone: bool) {
        if let Some(taken) = self.taken.get_mut(&id) {
            taken.done_alone = done_alone;
            if std::mem::take(&mut taken.holds_place) {
                let project = taken.project;
                self.leave_place(project);
            }
        }
    }

    fn leave_place(&mut self, project: ProjectId) {
        self.at_work = self.at_work.saturating_sub(1);
        if let Some(count) = self.of_project.get_mut(&project) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.of_project.remove(&project);
            }
        }
        self.note_running();
    }

    /// What came of an item was noted, or it was stopped; whether something
    /// may follow from that.
    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) -> bool {
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        let Some(taken) = self.taken.remove(&id) else {
            return true;
        };
        if taken.holds_place {
            self.leave_place(taken.project);
        }
        if taken.acts {
            self.acting = self.acting.saturating_sub(1);
        }
        if let Err(error) = ended
            && error.is_panic()
        {
            tracing::error!(item = %taken.item, %error, "work panicked");
        }
        !taken.done_alone
    }

    fn note_running(&self) {
        metrics::gauge!("atlashub_queue_running").set(f64::from(self.at_work));
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
        self.noting.shutdown().await;
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
