//! What plugins write: taken without waiting, stored in batches, read in
//! pages and followed live on any node. Lines beyond the queue are dropped
//! and counted. It is one queue for all; what a single plugin of a project may
//! hold of it shrinks with what is left, so that a noisy one drops its own
//! lines and no others'.

use crate::{App, changes::chain, directory::Directory};
use atlashub_core::{
    InstallationId, PluginName, ProjectId, Result,
    capability::{
        PluginScope,
        log::{Level, LogLine, LogSink, Source},
    },
};
use atlashub_data::platform::{LogFilter, LogPage, Platform, StoredLogLine};
use futures::{Stream, StreamExt as _, stream};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    time::{Interval, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

/// Lines that may wait to be stored.
const QUEUE: usize = 8_192;
/// One plugin may hold one line for so many places that are left, and one more.
const LEFT_FOR_ONE: usize = 4;
/// Lines stored at once.
const BATCH: usize = 512;
/// How long the first line of a batch waits for others.
const GATHER: Duration = Duration::from_millis(50);
/// How often followers look for lines of other nodes.
const POLL: Duration = Duration::from_secs(1);
/// Lines that a follower reads at once.
const FOLLOW_PAGE: u64 = 500;

/// Takes lines of plugins, for the runtime.
#[derive(Clone)]
pub struct PluginLog {
    queue: mpsc::Sender<LogLine>,
    shares: Arc<Shares>,
    dropped: Arc<AtomicU64>,
    stored: watch::Receiver<u64>,
}

/// The other end of a [`PluginLog`]: stores the lines.
pub(crate) struct LogWriter {
    queue: mpsc::Receiver<LogLine>,
    shares: Arc<Shares>,
    dropped: Arc<AtomicU64>,
    stored: watch::Sender<u64>,
}

/// What each plugin has in the queue; of those that have nothing there, nothing.
#[derive(Default)]
struct Shares(Mutex<HashMap<PluginScope, Share>>);

#[derive(Default)]
struct Share {
    lines: usize,
    dropped: u64,
}

impl Shares {
    /// Takes a place for a line of `scope`, while `left` places are free.
    fn take(&self, scope: &PluginScope, left: usize) -> bool {
        let mut shares = self.0.lock();
        match shares.get_mut(scope) {
            Some(share) if share.lines > left / LEFT_FOR_ONE => {
                share.dropped = share.dropped.saturating_add(1);
                false
            }
            Some(share) => {
                share.lines += 1;
                true
            }
            None => {
                let share = Share {
                    lines: 1,
                    dropped: 0,
                };
                shares.insert(scope.clone(), share);
                true
            }
        }
    }

    /// Gives the place of a line back that did not get into the queue.
    fn refuse(&self, scope: &PluginScope) {
        let mut shares = self.0.lock();
        if let Some(share) = shares.get_mut(scope) {
            share.lines = share.lines.saturating_sub(1);
            share.dropped = share.dropped.saturating_add(1);
            if share.lines == 0 {
                shares.remove(scope);
            }
        }
    }

    /// Gives the places back of lines that left the queue; of whom how many
    /// were dropped meanwhile.
    fn give_back<'a>(
        &self,
        scopes: impl IntoIterator<Item = &'a PluginScope>,
    ) -> Vec<(PluginScope, u64)> {
        let mut shares = self.0.lock();
        let mut told = Vec::new();
        for scope in scopes {
            let Some(share) = shares.get_mut(scope) else {
                continue;
            };
            share.lines = share.lines.saturating_sub(1);
            if share.dropped > 0 {
                told.push((scope.clone(), std::mem::take(&mut share.dropped)));
            }
            if share.lines == 0 {
                shares.remove(scope);
            }
        }
        told
    }
}

impl PluginLog {
    pub(crate) fn new() -> (Self, LogWriter) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let (stored, seen) = watch::channel(0);
        let dropped = Arc::new(AtomicU64::new(0));
        let shares = Arc::new(Shares::default());
        let log = Self {
            queue: sender,
            shares: Arc::clone(&shares),
            dropped: Arc::clone(&dropped),
            stored: seen,
        };
        (
            log,
            LogWriter {
                queue: receiver,
                shares,
                dropped,
                stored,
            },
        )
    }
}

impl LogSink for PluginLog {
    fn write(&self, line: LogLine) {
        if self.shares.take(&line.scope, self.queue.capacity()) {
            let scope = line.scope.clone();
            if self.queue.try_send(line).is_ok() {
                return;
            }
            self.shares.refuse(&scope);
        }
        self.dropped.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("atlashub_plugin_log_lines_dropped_total").increment(1);
    }
}

impl LogWriter {
    /// Stores lines until `stop`, then those that still wait.
    pub(crate) async fn run(mut self, platform: Platform, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut stopping = false;
        loop {
            if stopping {
                while batch.len() < BATCH {
                    let Ok(line) = self.queue.try_recv() else {
                        break;
                    };
                    batch.push(line);
                }
                if batch.is_empty() {
                    return;
                }
            } else {
                tokio::select! {
                    () = stop.cancelled() => {
                        stopping = true;
                        continue;
                    }
                    count = self.queue.recv_many(&mut batch, BATCH) => {
                        if count == 0 {
                            return;
                        }
                    }
                }
                self.gather(&mut batch, &stop).await;
            }
            let told = self.shares.give_back(batch.iter().map(|line| &line.scope));
            batch.extend(told.into_iter().map(|(scope, dropped)| LogLine {
                scope,
                at: platform.now(),
                level: Level::Warn,
                source: Source::Host,
                request: None,
                message: format!(
                    "{dropped} lines were dropped: they came faster than lines are stored"
                ),
            }));
            self.store(&platform, &batch).await;
            batch.clear();
        }
    }

    /// Waits a moment for more lines, so that a chatty plugin costs few
    /// transactions.
    async fn gather(&mut self, batch: &mut Vec<LogLine>, stop: &CancellationToken) {
        let deadline = tokio::time::sleep(GATHER);
        tokio::pin!(deadline);
        while batch.len() < BATCH {
            tokio::select! {
                () = &mut deadline => return,
                () = stop.cancelled() => return,
                line = self.queue.recv() => match line {
                    Some(line) => batch.push(line),
                    None => return,
                },
            }
        }
    }

    async fn store(&self, platform: &Platform, batch: &[LogLine]) {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(
                dropped,
                "plugins write faster than their lines can be stored"
            );
        }
        match platform.plugin_logs().insert(batch).await {
            Ok(()) => self
                .stored
                .send_modify(|count| *count = count.wrapping_add(1)),
            Err(error) => {
                metrics::counter!("atlashub_plugin_log_lines_dropped_total")
                    .increment(u64::try_from(batch.len()).unwrap_or_default());
                tracing::error!(lines = batch.len(), error = %chain(&error), "lines of plugins were not stored");
            }
        }
    }
}

impl App {
    /// A page of a plugin's lines, or of all of the project's, newest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn plugin_logs(
        &self,
        project: ProjectId,
        plugin: Option<&PluginName>,
        filter: &LogFilter,
        limit: u64,
    ) -> Result<LogPage> {
        self.platform()
            .plugin_logs()
            .list_of(project, plugin, filter, limit)
            .await
    }

    /// Lines of a plugin, or of all of the project's, as they come, oldest
    /// first, from the `past` newest that are there on. Ends with the plugin's
    /// removal from the project or with the project's, with the app, or when it
    /// is dropped.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn follow_plugin_logs(
        &self,
        project: ProjectId,
        plugin: Option<PluginName>,
        past: u64,
    ) -> Result<impl Stream<Item = Result<StoredLogLine>> + Send + use<>> {
        let mut stored = self.plugin_log().stored.clone();
        stored.mark_unchanged();
        let newest = self
            .platform()
            .plugin_logs()
            .list_of(project, plugin.as_ref(), &LogFilter::default(), past.max(1))
            .await?;
        let after = newest.items.first().map_or(0, |line| line.seq);
        let mut waiting: VecDeque<StoredLogLine> = newest.items.into_iter().rev().collect();
        if past == 0 {
            waiting.clear();
        }
        let installation = match &plugin {
            Some(plugin) => {
                self.platform()
                    .installations()
                    .find(project, plugin)
                    .await?
            }
            None => None,
        };
        let mut ticks = tokio::time::interval(POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let follower = Follower {
            platform: self.platform().clone(),
            directory: Arc::clone(self.directory()),
            installation: installation.map(|found| found.id),
            stop: self.stopping(),
            project,
            plugin,
            after,
            stored,
            waiting,
            ticks,
        };
        Ok(stream::unfold(follower, Follower::next).fuse())
    }
}

struct Follower {
    platform: Platform,
    directory: Arc<Directory>,
    /// What wrote the lines, where it was installed at the beginning.
    installation: Option<InstallationId>,
    stop: CancellationToken,
    project: ProjectId,
    plugin: Option<PluginName>,
    after: i64,
    stored: watch::Receiver<u64>,
    waiting: VecDeque<StoredLogLine>,
    ticks: Interval,
}

impl Follower {
    async fn next(mut self) -> Option<(Result<StoredLogLine>, Self)> {
        loop {
            if let Some(line) = self.waiting.pop_front() {
                self.after = self.after.max(line.seq);
                return Some((Ok(line), self));
            }
            if let Err(error) = self.read().await {
                return Some((Err(error), self));
            }
            if !self.waiting.is_empty() {
                continue;
            }
            tokio::select! {
                () = self.stop.cancelled() => return None,
                _ = self.stored.changed() => {}
                _ = self.ticks.tick() => match self.is_over().await {
                    Ok(false) => {}
                    Ok(true) => return None,
                    Err(error) => return Some((Err(error), self)),
                },
            }
        }
    }

    /// Whether the project is gone, or the plugin from it.
    async fn is_over(&self) -> Result<bool> {
        if self.directory.by_id(self.project).is_none() {
            return Ok(true);
        }
        let (Some(installation), Some(plugin)) = (self.installation, &self.plugin) else {
            return Ok(false);
        };
        let found = self.platform.installations();
        let found = found.find(self.project, plugin).await?;
        Ok(found.is_none_or(|found| found.id != installation))
    }

    /// Reads what came since; pages run from the newest back.
    async fn read(&mut self) -> Result<()> {
        let mut filter = LogFilter {
            after: Some(self.after),
            ..LogFilter::default()
        };
        loop {
            let page = self
                .platform
                .plugin_logs()
                .list_of(self.project, self.plugin.as_ref(), &filter, FOLLOW_PAGE)
                .await?;
            for line in page.items {
                self.waiting.push_front(line);
            }
            match page.next {
                Some(before) if self.waiting.len() < QUEUE => filter.before = Some(before),
                _ => return Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use atlashub_core::{Clock as _, SystemClock};

    fn scope(name: &str) -> PluginScope {
        PluginScope {
            project: ProjectId::new(),
            plugin: name.parse().unwrap(),
        }
    }

    fn line(scope: &PluginScope) -> LogLine {
        LogLine {
            scope: scope.clone(),
            at: SystemClock.now(),
            level: Level::Info,
            source: Source::Log,
            request: None,
            message: "a line".to_owned(),
        }
    }

    #[tokio::test]
    async fn noisy_plugins_leave_room_for_the_lines_of_others() {
        let (log, mut writer) = PluginLog::new();
        for number in 0..16 {
            let noisy = scope(&format!("noisy-{number}"));
            for _ in 0..QUEUE {
                log.write(line(&noisy));
            }
        }
        let dropped = log.dropped.load(Ordering::Relaxed);
        assert!(dropped > 0);
        let quiet = scope("quiet");
        for _ in 0..10 {
            log.write(line(&quiet));
        }
        assert_eq!(log.dropped.load(Ordering::Relaxed), dropped);
        let mut of_quiet = 0;
        while let Ok(line) = writer.queue.try_recv() {
            of_quiet += u32::from(line.scope == quiet);
        }
        assert_eq!(of_quiet, 10);
    }

    #[test]
    fn what_a_plugin_could_not_write_is_told_and_its_places_come_back() {
        let shares = Shares::default();
        let noisy = scope("noisy");
        let taken = (0..100).filter(|_| shares.take(&noisy, 40)).count();
        assert_eq!(taken, 40 / LEFT_FOR_ONE + 1);
        assert!(shares.take(&scope("quiet"), 1));
        let left = [&noisy; 3];
        let told = shares.give_back(left);
        assert_eq!(told, [(noisy.clone(), 100 - taken as u64)]);
        assert_eq!((0..100).filter(|_| shares.take(&noisy, 40)).count(), 3);
        shares.give_back(vec![&noisy; taken]);
        assert!(!shares.0.lock().contains_key(&noisy));
    }
}
