//! Who is at work on a backup: a lease that is renewed while work goes on,
//! and what is done about work that nobody renews.

use super::Backups;
use crate::changes::chain;
use atlashub_core::{Error, ErrorKind, Result};
use atlashub_data::platform::{BackupRun, Engine};
use atlashub_storage::PathPrefix;
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

/// How long work counts as going on after its owner last said so.
pub(super) const LEASE: Duration = Duration::from_secs(30);
/// How often it says so.
const RENEW: Duration = Duration::from_secs(2);
/// How often work without an owner is looked for, and what is due.
const PERIOD: Duration = Duration::from_secs(5);
/// What is older in the folder for passing things is nobody's.
const SCRATCH_AGE: Duration = Duration::from_secs(3 * 24 * 3_600);
/// Longest text of a failure that is kept, characters.
const MAX_TEXT: usize = 500;

/// What work tells of itself.
#[derive(Clone, Default)]
pub(super) struct Progress(Arc<Told>);

#[derive(Default)]
struct Told {
    step: Mutex<&'static str>,
    bytes: AtomicU64,
}

impl Progress {
    pub(super) fn step(&self, step: &'static str) {
        *self.0.step.lock() = step;
    }

    pub(super) fn bytes(&self, bytes: u64) {
        self.0.bytes.store(bytes, Ordering::Relaxed);
    }

    fn told(&self) -> (&'static str, u64) {
        let step = *self.0.step.lock();
        let step = if step.is_empty() { "starting" } else { step };
        (step, self.0.bytes.load(Ordering::Relaxed))
    }
}

/// What is being worked on.
#[derive(Clone, Copy)]
pub(super) enum Work {
    Backup(Uuid),
    Run(Uuid),
}

impl Backups {
    /// Does `work` as its owner: renews the lease, stops when it is lost or
    /// the node ends, and writes a failure down.
    pub(super) async fn own<T>(
        &self,
        what: Work,
        progress: &Progress,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let lost = || {
            Error::new(
                ErrorKind::Unavailable,
                "backup_given_up",
                "the work was given up: it was not heard of for too long",
            )
        };
        let outcome = tokio::select! {
            outcome = work => outcome,
            () = self.renew(what, progress) => Err(lost()),
            () = self.0.stop.cancelled() => Err(Error::new(
                ErrorKind::Unavailable,
                "backup_given_up",
                "the node ended before it was done: begin it again",
            )),
        };
        if let Err(error) = &outcome {
            let text = in_words(error);
            let backups = self.platform().backups();
            let noted = match what {
                Work::Backup(id) => backups.fail(id, &text).await,
                Work::Run(id) => backups.fail_run(id, &text).await,
            };
            if let Err(error) = noted {
                tracing::warn!(error = %chain(&error), "the end of a backup's work was not noted");
            }
        }
        outcome
    }

    /// Renews the lease until it is lost.
    async fn renew(&self, what: Work, progress: &Progress) {
        let mut ticks = tokio::time::interval(RENEW);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let (step, bytes) = progress.told();
            let backups = self.platform().backups();
            let renewed = match what {
                Work::Backup(id) => backups.renew(id, step, bytes, LEASE).await,
                Work::Run(id) => backups.renew_run(id, step, bytes, LEASE).await,
            };
            match renewed {
                Ok(true) => {}
                Ok(false) => return,
                // The lease may hold until the next try.
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "a lease was not renewed");
                }
            }
        }
    }

    /// Looks after backups until the node ends: begins those that are due,
    /// and ends what nobody works on. Called once by a node that serves.
    pub(crate) async fn look_after(self) {
        // On SQLite there is no other node that could be at work.
        let alone = self.platform().engine() == Engine::Sqlite;
        self.give_up_left(alone).await;
        if alone && let Err(error) = self.platform().backups().free_turns().await {
            tracing::warn!(error = %chain(&error), "what policies ask for is not taken up at once");
        }
        self.clear_scratch(alone).await;
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.0.stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            self.give_up_left(false).await;
            self.give_usual_policy().await;
            self.begin_due().await;
        }
    }

    /// Removes what a node that was killed has left in the folder: all of it
    /// when `all`, else what nobody can be at work on any more.
    async fn clear_scratch(&self, all: bool) {
        let folder = self.parts().scratch.clone();
        let cleared = tokio::task::spawn_blocking(move || {
            let Ok(entries) = std::fs::read_dir(&folder) else {
                return;
            };
            for entry in entries.flatten() {
                let modified = entry.metadata().and_then(|meta| meta.modified()).ok();
                let age = modified.and_then(|at| at.elapsed().ok());
                if all || age.is_some_and(|age| age > SCRATCH_AGE) {
                    let _ = std::fs::remove_dir_all(entry.path());
                }
            }
        });
        if let Err(error) = cleared.await {
            tracing::warn!(%error, "what backups left in the data folder was not removed");
        }
    }

    /// Ends work that nobody does any more; all of it when `all`. Whatever
    /// it was about to change is as it was.
    pub async fn give_up_left(&self, all: bool) {
        let given_up = async {
            for id in self.platform().backups().fail_left(all).await? {
                let backup = self.platform().backups().get(id).await?;
                tracing::warn!(backup = %id, "a backup was not ready when its node ended");
                if let Some(project) = backup.project {
                    self.let_go(project).await?;
                }
            }
            for run in self.platform().backups().fail_left_runs(all).await? {
                tracing::warn!(run = %run.id, kind = run.kind, "work on a backup was not done when its node ended");
                self.after_failed_run(&run).await?;
            }
            Ok::<_, Error>(())
        };
        if let Err(error) = given_up.await {
            tracing::warn!(error = %chain(&error), "work on backups without an owner was not ended");
        }
    }

    /// Lets callers into a project again whose restore failed.
    pub(super) async fn after_failed_run(&self, run: &BackupRun) -> Result<()> {
        let Some(project) = run.project else {
            return Ok(());
        };
        let Some(found) = self.platform().projects().find(project).await? else {
            return Ok(());
        };
        if found.settings.restoring() == Some(run.id) {
            self.parts().databases.unfence(project).await?;
            self.set_restoring(project, None).await?;
        }
        Ok(())
    }

    /// Removes what was deleted while a backup was made, and kept for it.
    pub(super) async fn let_go(&self, project: atlashub_core::ProjectId) -> Result<()> {
        let storage = self.parts().storage.as_it_lies();
        storage.delete_all(&PathPrefix::held(project)).await
    }
}

/// A failure as it is told to an admin: without what is the host's own.
pub(super) fn in_words(error: &Error) -> String {
    let text = if error.kind() == ErrorKind::Internal {
        format!("{error}: the node's log says why")
    } else {
        error.message().to_owned()
    };
    text.chars().take(MAX_TEXT).collect()
}
