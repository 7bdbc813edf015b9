//! What plugins write: taken without waiting, stored in batches, read in
//! pages and followed live on any node. Lines beyond the queue are dropped
//! and counted.

use crate::{App, changes::chain, directory::Directory};
use atlashub_core::{
    InstallationId, Result,
    capability::{
        PluginScope,
        log::{LogLine, LogSink},
    },
};
use atlashub_data::platform::{LogFilter, LogPage, Platform, StoredLogLine};
use futures::{Stream, StreamExt as _, stream};
use std::{
    collections::VecDeque,
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
    dropped: Arc<AtomicU64>,
    stored: watch::Receiver<u64>,
}

/// The other end of a [`PluginLog`]: stores the lines.
pub(crate) struct LogWriter {
    queue: mpsc::Receiver<LogLine>,
    dropped: Arc<AtomicU64>,
    stored: watch::Sender<u64>,
}

impl PluginLog {
    pub(crate) fn new() -> (Self, LogWriter) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let (stored, seen) = watch::channel(0);
        let dropped = Arc::new(AtomicU64::new(0));
        let log = Self {
            queue: sender,
            dropped: Arc::clone(&dropped),
            stored: seen,
        };
        (
            log,
            LogWriter {
                queue: receiver,
                dropped,
                stored,
            },
        )
    }
}

impl LogSink for PluginLog {
    fn write(&self, line: LogLine) {
        if self.queue.try_send(line).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            metrics::counter!("atlashub_plugin_log_lines_dropped_total").increment(1);
        }
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
    /// A page of a plugin's lines, newest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn plugin_logs(
        &self,
        scope: &PluginScope,
        filter: &LogFilter,
        limit: u64,
    ) -> Result<LogPage> {
        self.platform()
            .plugin_logs()
            .list(scope, filter, limit)
            .await
    }

    /// A plugin's lines as they come, oldest first, from the `past` newest
    /// that are there on. Ends with the plugin's removal from the project, with
    /// the app, or when it is dropped.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn follow_plugin_logs(
        &self,
        scope: PluginScope,
        past: u64,
    ) -> Result<impl Stream<Item = Result<StoredLogLine>> + Send + use<>> {
        let mut stored = self.plugin_log().stored.clone();
        stored.mark_unchanged();
        let newest = self
            .platform()
            .plugin_logs()
            .list(&scope, &LogFilter::default(), past.max(1))
            .await?;
        let after = newest.items.first().map_or(0, |line| line.seq);
        let mut waiting: VecDeque<StoredLogLine> = newest.items.into_iter().rev().collect();
        if past == 0 {
            waiting.clear();
        }
        let installation = self.platform().installations();
        let installation = installation.find(scope.project, &scope.plugin).await?;
        let mut ticks = tokio::time::interval(POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let follower = Follower {
            platform: self.platform().clone(),
            directory: Arc::clone(self.directory()),
            installation: installation.map(|found| found.id),
            stop: self.stopping(),
            scope,
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
    scope: PluginScope,
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
        if self.directory.by_id(self.scope.project).is_none() {
            return Ok(true);
        }
        let Some(installation) = self.installation else {
            return Ok(false);
        };
        let scope = &self.scope;
        let found = self.platform.installations();
        let found = found.find(scope.project, &scope.plugin).await?;
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
                .list(&self.scope, &filter, FOLLOW_PAGE)
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
