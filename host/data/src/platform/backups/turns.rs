//! Turns: what a policy asks for when its time has come. A node takes one under
//! a lease with a fence and renews it; the policy's time moves only when the
//! turn has ended, so that one whose node was killed, or that failed, is taken
//! again, and what came of it is accepted from its last taker only.

use super::{
    super::{failure::failed, instant},
    BackupPolicy, Backups,
    policy::owner,
};
use atlashub_core::{ProjectId, Result};
use sea_orm::{ConnectionTrait as _, DbErr, QueryResult, Value};
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// Policies looked at at once.
const PAGE: i64 = 10;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyTask {
    /// A backup is to be made, and tested where the policy says so.
    Backup,
    /// The newest one is to be tested again.
    Verify,
}

impl PolicyTask {
    /// The task in one word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Verify => "verify",
        }
    }
}

/// A turn that somebody has taken.
#[derive(Clone, Debug)]
pub struct BackupTurn {
    /// The project; `None` for the platform.
    pub project: Option<ProjectId>,
    /// What is to be done.
    pub task: PolicyTask,
    /// The policy.
    pub policy: BackupPolicy,
    /// 1 at first.
    pub attempt: u32,
    /// A backup that an attempt before has made, and that is still to be
    /// tested.
    pub made: Option<Uuid>,
    fence: i64,
}

/// How a turn ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnEnd<'a> {
    /// All is done: the next comes in its time.
    Done,
    /// It failed, and is tried again after this.
    Retry(&'a str, Duration),
    /// It could not be tried, and comes again after this; no attempt is
    /// counted.
    Postponed(Duration),
    /// It failed, and is not tried again: the next comes in its time.
    GivenUp(&'a str),
}

/// How a policy's last turn failed, while none has succeeded since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnFailure {
    /// When.
    pub at: OffsetDateTime,
    /// Why.
    pub error: String,
    /// Attempts so far; 0 when it was given up until the policy's next time.
    pub attempt: u32,
}

impl Backups<'_> {
    /// Takes one turn that is due: no two nodes take the same.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn take_turn(&self, lease: Duration) -> Result<Option<BackupTurn>> {
        let now = self.db.now();
        let due = self
            .rows(
                "SELECT p.owner_id, p.project_id, p.settings, p.due_at, t.fence, t.attempt, \
                 t.made_id FROM backup_policies p \
                 LEFT JOIN backup_turns t ON t.owner_id = p.owner_id \
                 WHERE (p.due_at <= $1 OR t.verify_due_at <= $1) \
                 AND coalesce(t.lease_until, 0) <= $1 AND coalesce(t.wait_until, 0) <= $1 \
                 ORDER BY coalesce(p.due_at, t.verify_due_at) LIMIT $2",
                vec![now.into(), PAGE.into()],
            )
            .await?;
        for row in &due {
            let (id, seen, turn) = found(row, now)?;
            let taken = self
                .changed(
                    "INSERT INTO backup_turns (owner_id, fence, attempt, lease_until) \
                     VALUES ($1, $2, $3, $4) ON CONFLICT (owner_id) DO UPDATE SET \
                     fence = excluded.fence, attempt = excluded.attempt, \
                     lease_until = excluded.lease_until, wait_until = NULL \
                     WHERE backup_turns.fence = $5",
                    vec![
                        id.into(),
                        turn.fence.into(),
                        i64::from(turn.attempt).into(),
                        instant::later(now, lease).into(),
                        seen.into(),
                    ],
                )
                .await?;
            if taken {
                return Ok(Some(turn));
            }
        }
        Ok(None)
    }

    /// Renews the lease of a turn. `false` when somebody else has it.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn renew_turn(&self, turn: &BackupTurn, lease: Duration) -> Result<bool> {
        let until = instant::later(self.db.now(), lease);
        self.of_turn(turn, "lease_until = $3", vec![until.into()])
            .await
    }

    /// Notes which backup a turn has made, which is to be tested; `None` when
    /// it is to make another.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn note_made(&self, turn: &BackupTurn, made: Option<Uuid>) -> Result<bool> {
        self.of_turn(turn, "made_id = $3", vec![made.into()]).await
    }

    /// Ends a turn, and moves the policy's times where it is over. `false`
    /// when somebody else has it.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn end_turn(&self, turn: &BackupTurn, end: TurnEnd<'_>) -> Result<bool> {
        let now = self.db.platform().now();
        let at = |after: Duration| instant::to_micros(now + after);
        let attempt = i64::from(turn.attempt);
        let micros = instant::to_micros(now);
        match end {
            TurnEnd::Retry(why, after) => {
                let values = vec![at(after).into(), micros.into(), why.into()];
                let set = "lease_until = NULL, wait_until = $3, failed_at = $4, error = $5";
                self.of_turn(turn, set, values).await
            }
            TurnEnd::Postponed(after) => {
                let values = vec![at(after).into(), (attempt - 1).into()];
                let set = "lease_until = NULL, wait_until = $3, attempt = $4";
                self.of_turn(turn, set, values).await
            }
            TurnEnd::Done => {
                let set = "lease_until = NULL, wait_until = NULL, attempt = 0, made_id = NULL, \
                           failed_at = NULL, error = NULL";
                self.over(turn, set, Vec::new(), now).await
            }
            TurnEnd::GivenUp(why) => {
                let set = "lease_until = NULL, wait_until = NULL, attempt = 0, made_id = NULL, \
                           failed_at = $3, error = $4";
                let values = vec![micros.into(), why.into()];
                self.over(turn, set, values, now).await
            }
        }
    }

    async fn over(
        &self,
        turn: &BackupTurn,
        set: &str,
        mut values: Vec<Value>,
        now: OffsetDateTime,
    ) -> Result<bool> {
        let unit = self.db.begin().await?;
        let within = unit.backups();
        // It may have been changed meanwhile.
        let policy = within.policy(turn.project).await?;
        let micros = |at: Option<OffsetDateTime>| at.map(instant::to_micros);
        let set = format!("{set}, verify_due_at = ${}", values.len() + 3);
        values.push(micros(policy.next_test_after(now)).into());
        if !within.of_turn(turn, &set, values).await? {
            unit.roll_back().await?;
            return Ok(false);
        }
        if turn.task == PolicyTask::Backup {
            let _ = within
                .changed(
                    "UPDATE backup_policies SET due_at = $2 WHERE owner_id = $1",
                    vec![
                        owner(turn.project).into(),
                        micros(policy.next_after(now)).into(),
                    ],
                )
                .await?;
        }
        unit.commit().await?;
        Ok(true)
    }

    /// Lets every turn be taken again: for a node that is the only one and has
    /// just begun.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn free_turns(&self) -> Result<bool> {
        self.changed(
            "UPDATE backup_turns SET lease_until = NULL WHERE lease_until IS NOT NULL",
            Vec::new(),
        )
        .await
    }

    /// When the newest backup of a policy is tested again.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn next_test(&self, project: Option<ProjectId>) -> Result<Option<OffsetDateTime>> {
        let rows = self
            .rows(
                "SELECT verify_due_at FROM backup_turns WHERE owner_id = $1",
                vec![owner(project).into()],
            )
            .await?;
        let due = rows.first().map(|row| row.try_get("", "verify_due_at"));
        let due = due
            .transpose()
            .map_err(failed("read a backup policy's turn"))?;
        instant::from_micros_opt(due.flatten())
    }

    /// How the last turn of a policy failed, while none has succeeded since.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn turn_failure(&self, project: Option<ProjectId>) -> Result<Option<TurnFailure>> {
        let rows = self
            .rows(
                "SELECT failed_at, error, attempt FROM backup_turns \
                 WHERE owner_id = $1 AND failed_at IS NOT NULL",
                vec![owner(project).into()],
            )
            .await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let read = || -> Result<(i64, Option<String>, i64), DbErr> {
            Ok((
                row.try_get("", "failed_at")?,
                row.try_get("", "error")?,
                row.try_get("", "attempt")?,
            ))
        };
        let (at, error, attempt) = read().map_err(failed("read a backup policy's turn"))?;
        Ok(Some(TurnFailure {
            at: instant::from_micros(at)?,
            error: error.unwrap_or_default(),
            attempt: u32::try_from(attempt).unwrap_or(0),
        }))
    }

    /// Changes a turn that is still this one's; `values` begin with `$3`.
    async fn of_turn(&self, turn: &BackupTurn, set: &str, values: Vec<Value>) -> Result<bool> {
        let sql = format!(
            "UPDATE backup_turns SET {set} \
             WHERE owner_id = $1 AND fence = $2 AND lease_until IS NOT NULL"
        );
        let mut all: Vec<Value> = vec![owner(turn.project).into(), turn.fence.into()];
        all.extend(values);
        let done = self
            .db
            .write()
            .execute_raw(sea_orm::Statement::from_sql_and_values(
                self.db.backend(),
                sql,
                all,
            ))
            .await
            .map_err(failed("note a backup policy's turn"))?;
        Ok(done.rows_affected() > 0)
    }
}

/// A turn as it will be taken, its owner, and the fence that was seen.
fn found(row: &QueryResult, now: i64) -> Result<(Uuid, i64, BackupTurn)> {
    let read = || -> Result<_, DbErr> {
        Ok((
            row.try_get::<Uuid>("", "owner_id")?,
            row.try_get::<Option<Uuid>>("", "project_id")?,
            row.try_get::<String>("", "settings")?,
            row.try_get::<Option<i64>>("", "due_at")?,
            row.try_get::<Option<i64>>("", "fence")?.unwrap_or(0),
            row.try_get::<Option<i64>>("", "attempt")?.unwrap_or(0),
            row.try_get::<Option<Uuid>>("", "made_id")?,
        ))
    };
    let (id, project, settings, due, fence, attempt, made) =
        read().map_err(failed("read a backup policy"))?;
    let task = if due.is_some_and(|due| due <= now) {
        PolicyTask::Backup
    } else {
        PolicyTask::Verify
    };
    let turn = BackupTurn {
        project: project.map(ProjectId::from_uuid),
        task,
        policy: instant::from_json("backup policy", &settings)?,
        attempt: u32::try_from(attempt + 1).unwrap_or(u32::MAX),
        made,
        fence: fence + 1,
    };
    Ok((id, fence, turn))
}
