//! What policies ask for when their time has come: a backup, tested where the
//! policy says so, and the newest one tested again from time to time.
//!
//! Each is a turn with a lease (see [`BackupTurn`]): one whose node was killed
//! is taken again, one that failed is tried again after a while, and one that
//! is given up is told in the audit, in the log and beside the policy. What a
//! turn has made already is not made again, unless its test found it damaged.

use super::{
    Backups,
    watch::{LEASE, in_words},
};
use crate::{Actor, changes::chain};
use atlashub_core::{Error, ErrorKind, ProjectId, Result};
use atlashub_data::platform::{Backup, BackupReason, BackupTurn, PolicyTask, RunKind, TurnEnd};
use serde_json::json;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

/// Waits after each try; after the try behind the last it is given up.
const WAITS: [Duration; 4] = [
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
];
/// How long somebody else's backup of the same project is waited for at once.
const MOMENT: Duration = Duration::from_secs(10);
/// How often the lease is renewed.
const RENEW: Duration = Duration::from_secs(2);
/// Newest backups among which one to test is looked for.
const NEWEST: u64 = 50;

impl Backups {
    /// Makes the backup that a schedule asks for, verifies it where the
    /// policy says so, and removes what need not be kept any more. Answers
    /// when all is done.
    ///
    /// # Errors
    /// `backup_running`, and whatever keeps it from being made.
    pub async fn run_scheduled(&self, project: Option<ProjectId>) -> Result<Backup> {
        let actor = Actor::host();
        let backup = self
            .make_now(&actor, project, BackupReason::Scheduled)
            .await?;
        let policy = self.policy(project).await?;
        if policy.verify {
            self.test(&backup).await?;
        }
        self.keep_to_policy(project).await?;
        self.platform().backups().get(backup.id).await
    }

    /// Reads a backup whole and loads it to be thrown away.
    async fn test(&self, backup: &Backup) -> Result<()> {
        let actor = Actor::host().name();
        let backups = self.platform().backups();
        let run = backups
            .begin_run(backup.id, RunKind::Verify, None, None, &actor, LEASE)
            .await?;
        self.verify_now(run, backup).await
    }

    /// Begins what is due.
    pub(super) async fn begin_due(&self) {
        loop {
            let turn = match self.platform().backups().take_turn(LEASE).await {
                Ok(Some(turn)) => turn,
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "it was not looked up which backups are due");
                    return;
                }
            };
            let this = self.clone();
            self.0.tasks.spawn(async move { this.take(turn).await });
        }
    }

    /// Does what a turn asks for, and notes how it ended.
    pub(super) async fn take(&self, turn: BackupTurn) {
        let outcome = if usize::try_from(turn.attempt).unwrap_or(usize::MAX) > WAITS.len() + 1 {
            Err(Error::new(
                ErrorKind::Unavailable,
                "backup_given_up",
                "the nodes that were at it ended each time before it was done",
            ))
        } else {
            tokio::select! {
                outcome = self.act(&turn) => outcome,
                never = self.hold(&turn) => match never {},
            }
        };
        if let Err(error) = self.note_end(&turn, outcome).await {
            // The lease runs out, and it is taken again.
            tracing::warn!(project = ?turn.project, error = %chain(&error), "the end of a scheduled backup was not noted");
        }
    }

    async fn note_end(&self, turn: &BackupTurn, outcome: Result<()>) -> Result<()> {
        let Err(error) = outcome else {
            return self.end(turn, TurnEnd::Done).await;
        };
        let why = in_words(&error);
        let task = turn.task.as_str();
        if self.0.stop.is_cancelled() {
            return self.end(turn, TurnEnd::Postponed(Duration::ZERO)).await;
        }
        if error.code() == "backup_running" {
            return self.end(turn, TurnEnd::Postponed(MOMENT)).await;
        }
        let tried = usize::try_from(turn.attempt).unwrap_or(usize::MAX);
        let wait = WAITS.get(tried.saturating_sub(1));
        // What is damaged is so the next time, too.
        let is_lost = turn.task == PolicyTask::Verify && !error.kind().is_server_fault();
        if let Some(wait) = wait.filter(|_| !is_lost) {
            tracing::warn!(
                project = ?turn.project, task, attempt = turn.attempt, error = %chain(&error),
                "a scheduled backup failed, it is tried again"
            );
            return self.end(turn, TurnEnd::Retry(&why, *wait)).await;
        }
        tracing::error!(
            project = ?turn.project, task, attempt = turn.attempt, error = %chain(&error),
            "a scheduled backup was given up"
        );
        let details = json!({ "task": task, "attempts": turn.attempt, "error": why });
        let unit = self.platform().begin().await?;
        if !unit
            .backups()
            .end_turn(turn, TurnEnd::GivenUp(&why))
            .await?
        {
            return unit.roll_back().await;
        }
        unit.audit()
            .append(Actor::host().did("backup.failed", turn.project, None, details))
            .await?;
        unit.commit().await
    }

    async fn end(&self, turn: &BackupTurn, end: TurnEnd<'_>) -> Result<()> {
        if !self.platform().backups().end_turn(turn, end).await? {
            tracing::info!(project = ?turn.project, "the end of a scheduled backup was not taken: another node has it");
        }
        Ok(())
    }

    /// Renews the lease for as long as this is polled. Who has lost it goes on:
    /// the backup has a lease of its own.
    async fn hold(&self, turn: &BackupTurn) -> std::convert::Infallible {
        let mut ticks = tokio::time::interval(RENEW);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.platform().backups().renew_turn(turn, LEASE).await {
                tracing::warn!(error = %chain(&error), "a lease was not renewed");
            }
        }
    }

    async fn act(&self, turn: &BackupTurn) -> Result<()> {
        if turn.task == PolicyTask::Verify {
            return match self.newest(turn.project).await? {
                Some(backup) => self.test(&backup).await,
                None => Ok(()),
            };
        }
        let backups = self.platform().backups();
        let backup = match self.made_before(turn).await? {
            Some(backup) => backup,
            None => {
                let actor = Actor::host();
                let made = self
                    .make_now(&actor, turn.project, BackupReason::Scheduled)
                    .await?;
                let _ = backups.note_made(turn, Some(made.id)).await?;
                made
            }
        };
        if turn.policy.verify
            && let Err(error) = self.test(&backup).await
        {
            if !error.kind().is_server_fault() {
                // It stays as it is, for what it says; another is made.
                let _ = backups.note_made(turn, None).await?;
            }
            return Err(error);
        }
        self.keep_to_policy(turn.project).await
    }

    /// What an attempt before has made, if it is there and ready.
    async fn made_before(&self, turn: &BackupTurn) -> Result<Option<Backup>> {
        let Some(id) = turn.made else { return Ok(None) };
        match self.platform().backups().get(id).await {
            Ok(backup) if backup.state == "ready" => Ok(Some(backup)),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The newest backup that is ready, but for what a restore kept.
    async fn newest(&self, project: Option<ProjectId>) -> Result<Option<Backup>> {
        let listed = self
            .platform()
            .backups()
            .list(project, None::<Uuid>, NEWEST)
            .await?;
        let kept = BackupReason::BeforeRestore.as_str();
        let mut ready = listed
            .into_iter()
            .filter(|backup| backup.state == "ready" && backup.reason != kept);
        Ok(ready.next())
    }
}
