//! Requests that projects are asked, for those who look after one: the latest
//! of each are kept, with how they ended.
//!
//! A few of a project are kept each second on each node, those that failed on
//! an account of their own, so that a busy project costs no more than a quiet
//! one; the next that is kept tells how many were not. Queries, and what of a
//! path may be a token, are not kept at all.

use crate::{App, changes::chain};
use atlashub_core::{Clock, PluginName, ProjectId, RequestId, Result};
use atlashub_data::platform::{KeptRequest, Platform, RequestFilter, StoredRequest, page::Page};
use parking_lot::Mutex;
use std::{
    borrow::Cow,
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Requests of a project that are kept a second, of either kind, and at once.
const PER_SECOND: u32 = 10;
const AT_ONCE: u32 = 100;
/// Requests that may wait to be stored.
const QUEUE: usize = 2_048;
/// Requests stored at once.
const BATCH: usize = 512;
/// How long the first of a batch waits for others.
const GATHER: Duration = Duration::from_millis(500);
/// Locks, so that projects seldom wait for each other.
const SHARDS: usize = 8;
/// Projects of a lock beyond which those that were not asked for a while go.
const CROWDED: usize = 1_024;
/// A path is kept up to so many bytes.
const MAX_PATH: usize = 256;

/// A request that was answered inside a project.
#[derive(Clone, Copy, Debug)]
pub struct AnsweredRequest<'a> {
    /// The project that was asked.
    pub project: ProjectId,
    /// The plugin that answered, if one did.
    pub plugin: Option<&'a PluginName>,
    /// The method.
    pub method: &'a str,
    /// The path as it was sent, without its query.
    pub path: &'a str,
    /// The status of the answer.
    pub status: u16,
    /// Time until the head of the answer was there.
    pub latency: Duration,
    /// Length of the answer's body, where its head told it.
    pub bytes: u64,
    /// The kind of caller, where that is known.
    pub caller: Option<&'static str>,
    /// The request's id.
    pub request: Option<RequestId>,
}

/// What a project may still have kept.
#[derive(Debug)]
struct Budget {
    since: Instant,
    fine: u32,
    failed: u32,
    missed: u64,
}

impl Budget {
    fn new(now: Instant) -> Self {
        Self {
            since: now,
            fine: AT_ONCE,
            failed: AT_ONCE,
            missed: 0,
        }
    }

    /// Takes a place for a request: how many before it got none. Nothing when
    /// it gets none, either.
    fn take(&mut self, now: Instant, has_failed: bool) -> Option<u64> {
        let seconds = now.saturating_duration_since(self.since).as_secs();
        if seconds > 0 {
            let back = u32::try_from(seconds)
                .unwrap_or(u32::MAX)
                .saturating_mul(PER_SECOND);
            self.fine = self.fine.saturating_add(back).min(AT_ONCE);
            self.failed = self.failed.saturating_add(back).min(AT_ONCE);
            self.since += Duration::from_secs(seconds);
        }
        let places = if has_failed {
            &mut self.failed
        } else {
            &mut self.fine
        };
        if let Some(left) = places.checked_sub(1) {
            *places = left;
            return Some(std::mem::take(&mut self.missed));
        }
        self.missed = self.missed.saturating_add(1);
        None
    }
}

/// Takes requests, without waiting.
pub struct RequestLog {
    queue: mpsc::Sender<KeptRequest>,
    budgets: [Mutex<HashMap<ProjectId, Budget>>; SHARDS],
    clock: Arc<dyn Clock>,
}

/// The other end of a [`RequestLog`]: stores them.
pub(crate) struct RequestWriter(mpsc::Receiver<KeptRequest>);

impl RequestLog {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> (Self, RequestWriter) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let log = Self {
            queue: sender,
            budgets: std::array::from_fn(|_| Mutex::default()),
            clock,
        };
        (log, RequestWriter(receiver))
    }

    /// Keeps a request, if its project has a place for it.
    pub fn answered(&self, request: &AnsweredRequest<'_>) {
        let Some(missed) = self.admit(request.project, request.status >= 400) else {
            return;
        };
        let kept = KeptRequest {
            project: request.project,
            at: self.clock.now(),
            plugin: request.plugin.map(ToString::to_string),
            method: request.method.to_owned(),
            path: shown(request.path),
            status: request.status,
            latency: request.latency,
            bytes: request.bytes,
            caller: request.caller.map(str::to_owned),
            request: request.request,
            missed,
        };
        if let Err(error) = self.queue.try_send(kept) {
            let kept = error.into_inner();
            self.missed(kept.project, kept.missed.saturating_add(1));
        }
    }

    fn budgets(&self, project: ProjectId) -> Option<&Mutex<HashMap<ProjectId, Budget>>> {
        // The last bytes of an id are its random ones.
        let last = project.as_uuid().as_bytes().last();
        self.budgets
            .get(last.map_or(0, |byte| usize::from(*byte)) % SHARDS)
    }

    fn admit(&self, project: ProjectId, has_failed: bool) -> Option<u64> {
        let now = Instant::now();
        let mut budgets = self.budgets(project)?.lock();
        if budgets.len() > CROWDED && !budgets.contains_key(&project) {
            // Those have all their places again, but for what they missed.
            let whole = Duration::from_secs((AT_ONCE / PER_SECOND).into());
            budgets.retain(|_, own| {
                own.missed > 0 || now.saturating_duration_since(own.since) < whole
            });
        }
        let own = budgets.entry(project).or_insert_with(|| Budget::new(now));
        own.take(now, has_failed)
    }

    fn missed(&self, project: ProjectId, count: u64) {
        if let Some(budgets) = self.budgets(project)
            && let Some(own) = budgets.lock().get_mut(&project)
        {
            own.missed = own.missed.saturating_add(count);
        }
    }
}

impl RequestWriter {
    /// Stores requests until `stop`, then those that still wait.
    pub(crate) async fn run(mut self, platform: Platform, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let stopping = tokio::select! {
                () = stop.cancelled() => true,
                count = self.0.recv_many(&mut batch, BATCH) => count == 0,
            };
            if !stopping {
                let _ = stop.run_until_cancelled(tokio::time::sleep(GATHER)).await;
            }
            while let Ok(request) = self.0.try_recv() {
                batch.push(request);
            }
            if !batch.is_empty()
                && let Err(error) = platform.requests().insert(&batch).await
            {
                tracing::error!(requests = batch.len(), error = %chain(&error), "requests were not stored");
            }
            batch.clear();
            if stopping {
                return;
            }
        }
    }
}

/// A path without what may be a secret: of a part that is long, and neither an
/// id of ours nor words, only the beginning is shown.
fn shown(path: &str) -> String {
    let mut shown = String::with_capacity(path.len().min(MAX_PATH));
    for (place, part) in path.split('/').enumerate() {
        if place > 0 {
            shown.push('/');
        }
        shown.push_str(&shown_part(part));
        if shown.len() > MAX_PATH {
            let end = shown.floor_char_boundary(MAX_PATH);
            shown.truncate(end);
            shown.push('…');
            break;
        }
    }
    shown
}

fn shown_part(part: &str) -> Cow<'_, str> {
    let is_words = || {
        part.bytes()
            .all(|byte| byte.is_ascii_lowercase() || b"-_.".contains(&byte))
    };
    // Ours begin with the time; those that are random may be good for something.
    let is_id = || Uuid::try_parse(part).is_ok_and(|id| id.get_version_num() == 7);
    if part.len() < 16 || is_words() || is_id() {
        return Cow::Borrowed(part);
    }
    let begin = part.get(..part.floor_char_boundary(4)).unwrap_or_default();
    Cow::Owned(format!("{begin}…"))
}

impl App {
    /// A page of a project's requests, newest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn requests(
        &self,
        project: ProjectId,
        filter: &RequestFilter,
        limit: u64,
    ) -> Result<Page<StoredRequest, i64>> {
        self.platform()
            .requests()
            .list(project, filter, limit)
            .await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use atlashub_core::SystemClock;

    fn ask(log: &RequestLog, project: ProjectId, status: u16) {
        log.answered(&AnsweredRequest {
            project,
            plugin: None,
            method: "GET",
            path: "/hello",
            status,
            latency: Duration::from_millis(1),
            bytes: 2,
            caller: None,
            request: None,
        });
    }

    #[test]
    fn a_busy_project_leaves_room_for_its_failures_and_for_others() {
        let (log, mut writer) = RequestLog::new(Arc::new(SystemClock));
        let (busy, quiet) = (ProjectId::new(), ProjectId::new());
        for _ in 0..1_000 {
            ask(&log, busy, 200);
        }
        ask(&log, busy, 500);
        ask(&log, quiet, 200);
        let mut kept = Vec::new();
        while let Ok(request) = writer.0.try_recv() {
            kept.push(request);
        }
        let of = |project: ProjectId| kept.iter().filter(move |one| one.project == project);
        let most = usize::try_from(AT_ONCE).unwrap();
        // A second may have passed meanwhile.
        assert!((most..most + 50).contains(&of(busy).filter(|one| one.status == 200).count()));
        let failed = of(busy).find(|one| one.status == 500).unwrap();
        let kept_fine = of(busy).count() as u64 - 1;
        let told: u64 = of(busy).map(|one| one.missed).sum();
        assert_eq!(told + kept_fine, 1_000);
        assert!(failed.missed > 0);
        assert_eq!(of(quiet).count(), 1);
    }

    #[test]
    fn places_come_back_with_time() {
        let now = Instant::now();
        let mut budget = Budget::new(now);
        let taken = (0..1_000).filter(|_| budget.take(now, false).is_some());
        assert_eq!(taken.count(), usize::try_from(AT_ONCE).unwrap());
        let later = now + Duration::from_secs(2);
        let again = (0..1_000)
            .filter_map(|_| budget.take(later, false))
            .collect::<Vec<_>>();
        assert_eq!(again.len(), usize::try_from(2 * PER_SECOND).unwrap());
        assert_eq!(again.first(), Some(&900));
    }

    #[test]
    fn tokens_in_paths_are_not_kept() {
        let id = "0198c5d2-7a3b-7c4d-8e5f-0123456789ab";
        for (path, expected) in [
            ("/", "/"),
            (
                "/files/upload-by-direct-link",
                "/files/upload-by-direct-link",
            ),
            (
                &*format!("/files/{id}/download"),
                &*format!("/files/{id}/download"),
            ),
            ("/s/Zk3xQ9bT7wLmN2pR5vYc8d", "/s/Zk3x…"),
            (
                "/mpesa/callback/0f0e0d0c-0b0a-4908-8706-050403020100",
                "/mpesa/callback/0f0e…",
            ),
            ("/dav/%C3%A4%C3%B6%C3%BC-2026", "/dav/%C3%…"),
        ] {
            assert_eq!(shown(path), expected);
        }
        let long = shown(&"/a".repeat(1_000));
        assert!(long.len() <= MAX_PATH + "…".len() && long.ends_with('…'));
    }
}
