//! Backups: where each archive lies and what is known of it, the work on
//! them, and how each project wants it done.
//!
//! Work has an owner that renews its lease; one whose lease ran out has failed
//! and is said to have, so that nothing stays under way for ever. A backup
//! outlives its project.

mod policy;
mod turns;

pub use policy::BackupPolicy;
pub use turns::{BackupTurn, PolicyTask, TurnEnd, TurnFailure};

use super::{
    failure::failed,
    instant,
    unit::{Db, statement},
};
use atlashub_core::{Error, ProjectId, Result};
use sea_orm::{ConnectionTrait as _, DbErr, QueryResult, Value};
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// Why a backup was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupReason {
    /// Somebody asked for it.
    Manual,
    /// The policy did.
    Scheduled,
    /// To keep what a restore replaced.
    BeforeRestore,
}

impl BackupReason {
    /// The reason as it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Scheduled => "scheduled",
            Self::BeforeRestore => "before_restore",
        }
    }
}

/// A backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Its id.
    pub id: Uuid,
    /// Of which project; `None` for the platform.
    pub project: Option<ProjectId>,
    /// What the project was called.
    pub slug: Option<String>,
    /// Why it was made.
    pub reason: String,
    /// `running`, `ready` or `failed`.
    pub state: String,
    /// What is being done, or was done last.
    pub step: String,
    /// Bytes of the archive, so far.
    pub bytes: u64,
    /// SHA-256 of the archive in hexadecimal digits, once it is ready.
    pub sha256: Option<String>,
    /// Objects in it.
    pub objects: u64,
    /// Rows of the platform in it.
    pub rows: u64,
    /// Why it failed.
    pub error: Option<String>,
    /// Who asked for it.
    pub actor: String,
    /// When.
    pub created_at: OffsetDateTime,
    /// When it was ready or failed.
    pub finished_at: Option<OffsetDateTime>,
    /// When it was last verified.
    pub verified_at: Option<OffsetDateTime>,
    /// What was wrong then.
    pub verify_error: Option<String>,
}

/// What a run does with a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunKind {
    /// Reads it whole and loads it to be thrown away.
    Verify,
    /// Makes a project of it.
    RestoreNew,
    /// Puts it in place of a project.
    RestoreOver,
}

impl RunKind {
    /// The kind as it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::RestoreNew => "restore_new",
            Self::RestoreOver => "restore_over",
        }
    }
}

/// Work on a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupRun {
    /// Its id.
    pub id: Uuid,
    /// The backup.
    pub backup: Uuid,
    /// `verify`, `restore_new` or `restore_over`.
    pub kind: String,
    /// The project that is made or replaced.
    pub project: Option<ProjectId>,
    /// Where it is loaded to.
    pub staging: Option<ProjectId>,
    /// `running`, `done` or `failed`.
    pub state: String,
    /// What is being done, or was done last.
    pub step: String,
    /// Bytes of the archive that were read.
    pub bytes: u64,
    /// The backup of what was there before.
    pub before: Option<Uuid>,
    /// Why it failed.
    pub error: Option<String>,
    /// Who asked for it.
    pub actor: String,
    /// When it began.
    pub created_at: OffsetDateTime,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
}

/// What was counted of an archive.
#[derive(Clone, Debug, Default)]
pub struct BackupTotals {
    /// Bytes of the archive.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: String,
    /// Objects.
    pub objects: u64,
    /// Rows of the platform.
    pub rows: u64,
}

/// Backups, the work on them, policies.
pub struct Backups<'a> {
    db: Db<'a>,
}

const BACKUP: &str = "id, project_id, slug, reason, state, step, bytes, sha256, objects, \
     row_count, error, actor, created_at, finished_at, verified_at, verify_error";

impl<'a> Backups<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Notes a backup that is being made. At most one of a project at a time.
    ///
    /// # Errors
    /// `backup_running`.
    pub async fn begin(
        &self,
        project: Option<(ProjectId, &str)>,
        reason: BackupReason,
        actor: &str,
        lease: Duration,
    ) -> Result<Uuid> {
        let id = Uuid::now_v7();
        let now = self.db.now();
        let inserted = self
            .run(
                "INSERT INTO backups (id, project_id, slug, reason, state, step, bytes, objects, \
                 row_count, actor, created_at, lease_until) \
                 VALUES ($1, $2, $3, $4, 'running', 'starting', 0, 0, 0, $5, $6, $7)",
                vec![
                    id.into(),
                    project.map(|(id, _)| *id.as_uuid()).into(),
                    project.map(|(_, slug)| slug.to_owned()).into(),
                    reason.as_str().into(),
                    actor.into(),
                    now.into(),
                    instant::later(now, lease).into(),
                ],
            )
            .await;
        match inserted {
            Ok(_) => Ok(id),
            Err(error) if super::failure::is_duplicate(&error) => Err(Error::conflict(
                "backup_running",
                "a backup is being made already: wait until it has ended",
            )
            .with_source(error)),
            Err(error) => Err(failed("begin a backup")(error)),
        }
    }

    /// Renews the lease of a backup, and says how far it is. `false` when it
    /// is no longer under way.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn renew(&self, id: Uuid, step: &str, bytes: u64, lease: Duration) -> Result<bool> {
        let until = instant::later(self.db.now(), lease);
        self.changed(
            "UPDATE backups SET step = $2, bytes = $3, lease_until = $4 \
             WHERE id = $1 AND state = 'running'",
            vec![
                id.into(),
                step.into(),
                instant::to_bytes(bytes)?.into(),
                until.into(),
            ],
        )
        .await
    }

    /// Says that a backup is there. `false` when it was given up meanwhile.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn ready(&self, id: Uuid, totals: &BackupTotals) -> Result<bool> {
        self.changed(
            "UPDATE backups SET state = 'ready', step = 'ready', bytes = $2, sha256 = $3, \
             objects = $4, row_count = $5, finished_at = $6, lease_until = NULL \
             WHERE id = $1 AND state = 'running'",
            vec![
                id.into(),
                instant::to_bytes(totals.bytes)?.into(),
                totals.sha256.as_str().into(),
                instant::to_bytes(totals.objects)?.into(),
                instant::to_bytes(totals.rows)?.into(),
                self.db.now().into(),
            ],
        )
        .await
    }

    /// Says that a backup failed, and why.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn fail(&self, id: Uuid, why: &str) -> Result<bool> {
        self.changed(
            "UPDATE backups SET state = 'failed', error = $2, finished_at = $3, \
             lease_until = NULL WHERE id = $1 AND state = 'running'",
            vec![id.into(), why.into(), self.db.now().into()],
        )
        .await
    }

    /// Fails what nobody renews any more: all that is under way when `all`.
    /// The ids of the backups.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn fail_left(&self, all: bool) -> Result<Vec<Uuid>> {
        let before = if all { i64::MAX } else { self.db.now() };
        let rows = self
            .rows(
                "UPDATE backups SET state = 'failed', finished_at = $2, lease_until = NULL, \
                 error = 'the node that made it ended before it was ready: make another' \
                 WHERE state = 'running' AND lease_until < $1 RETURNING id",
                vec![before.into(), self.db.now().into()],
            )
            .await?;
        ids(&rows)
    }

    /// As [`fail_left`](Self::fail_left), of runs, which are answered.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn fail_left_runs(&self, all: bool) -> Result<Vec<BackupRun>> {
        let before = if all { i64::MAX } else { self.db.now() };
        let rows = self
            .rows(
                "UPDATE backup_runs SET state = 'failed', finished_at = $2, lease_until = NULL, \
                 error = 'the node that did it ended before it was done: nothing has changed, \
                 begin it again' \
                 WHERE state = 'running' AND lease_until < $1 RETURNING *",
                vec![before.into(), self.db.now().into()],
            )
            .await?;
        rows.iter().map(run_record).collect()
    }

    /// Whether objects of the project that are deleted must be kept for a
    /// backup that is being made.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn keeps_deleted(&self, project: ProjectId) -> Result<bool> {
        let rows = self
            .rows(
                "SELECT 1 AS one FROM backups WHERE project_id = $1 AND state = 'running'",
                vec![(*project.as_uuid()).into()],
            )
            .await?;
        Ok(!rows.is_empty())
    }

    /// A backup.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn get(&self, id: Uuid) -> Result<Backup> {
        let rows = self
            .rows_of(
                format!("SELECT {BACKUP} FROM backups WHERE id = $1"),
                vec![id.into()],
            )
            .await?;
        rows.first()
            .map(record)
            .transpose()?
            .ok_or_else(|| Error::not_found("backup"))
    }

    /// Backups of a project, or of the platform, newest first, before
    /// `before`.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list(
        &self,
        project: Option<ProjectId>,
        before: Option<Uuid>,
        limit: u64,
    ) -> Result<Vec<Backup>> {
        let whose = if project.is_some() {
            "project_id = $1"
        } else {
            "project_id IS NULL AND $1 IS NULL"
        };
        self.listed(whose, project, before, limit).await
    }

    /// Backups of everything, newest first, before `before`: also of projects
    /// that are gone.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list_all(&self, before: Option<Uuid>, limit: u64) -> Result<Vec<Backup>> {
        self.listed("$1 IS NULL", None, before, limit).await
    }

    async fn listed(
        &self,
        whose: &str,
        project: Option<ProjectId>,
        before: Option<Uuid>,
        limit: u64,
    ) -> Result<Vec<Backup>> {
        let whose = match self.db.engine() {
            // Its type cannot be told from what it is compared with.
            super::Engine::Postgres => whose.replace("$1 IS NULL", "$1::uuid IS NULL"),
            super::Engine::Sqlite => whose.to_owned(),
        };
        let sql = format!(
            "SELECT {BACKUP} FROM backups WHERE {whose} AND id < $2 ORDER BY id DESC LIMIT $3"
        );
        let rows = self
            .rows_of(
                sql,
                vec![
                    project.map(|id| *id.as_uuid()).into(),
                    before.unwrap_or(Uuid::max()).into(),
                    i64::try_from(limit).unwrap_or(i64::MAX).into(),
                ],
            )
            .await?;
        rows.iter().map(record).collect()
    }

    /// Forgets a backup that is not being made and that nothing reads.
    /// Whether it was there.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn forget(&self, id: Uuid) -> Result<bool> {
        self.changed(
            "DELETE FROM backups WHERE id = $1 AND state <> 'running' AND NOT EXISTS \
             (SELECT 1 FROM backup_runs r WHERE r.backup_id = $1 AND r.state = 'running')",
            vec![id.into()],
        )
        .await
    }

    /// Notes what a look at a backup found.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn verified(&self, id: Uuid, error: Option<&str>) -> Result<bool> {
        self.changed(
            "UPDATE backups SET verified_at = $2, verify_error = $3 WHERE id = $1",
            vec![
                id.into(),
                self.db.now().into(),
                error.map(str::to_owned).into(),
            ],
        )
        .await
    }

    /// Notes work on a backup. At most one restore into a project at a time.
    ///
    /// # Errors
    /// `restore_running`.
    pub async fn begin_run(
        &self,
        backup: Uuid,
        kind: RunKind,
        project: Option<ProjectId>,
        staging: Option<ProjectId>,
        actor: &str,
        lease: Duration,
    ) -> Result<Uuid> {
        let id = Uuid::now_v7();
        let now = self.db.now();
        let inserted = self
            .run(
                "INSERT INTO backup_runs (id, backup_id, kind, project_id, staging_id, state, \
                 step, bytes, actor, created_at, lease_until) \
                 VALUES ($1, $2, $3, $4, $5, 'running', 'starting', 0, $6, $7, $8)",
                vec![
                    id.into(),
                    backup.into(),
                    kind.as_str().into(),
                    project.map(|id| *id.as_uuid()).into(),
                    staging.map(|id| *id.as_uuid()).into(),
                    actor.into(),
                    now.into(),
                    instant::later(now, lease).into(),
                ],
            )
            .await;
        match inserted {
            Ok(_) => Ok(id),
            Err(error) if super::failure::is_duplicate(&error) => Err(Error::conflict(
                "restore_running",
                "the project is being restored already: wait until that has ended",
            )
            .with_source(error)),
            Err(error) => Err(failed("begin work on a backup")(error)),
        }
    }

    /// As [`renew`](Self::renew), of a run.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn renew_run(
        &self,
        id: Uuid,
        step: &str,
        bytes: u64,
        lease: Duration,
    ) -> Result<bool> {
        let until = instant::later(self.db.now(), lease);
        self.changed(
            "UPDATE backup_runs SET step = $2, bytes = $3, lease_until = $4 \
             WHERE id = $1 AND state = 'running'",
            vec![
                id.into(),
                step.into(),
                instant::to_bytes(bytes)?.into(),
                until.into(),
            ],
        )
        .await
    }

    /// Notes which backup keeps what a restore replaces.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn keep_before(&self, id: Uuid, before: Uuid) -> Result<bool> {
        self.changed(
            "UPDATE backup_runs SET before_id = $2 WHERE id = $1 AND state = 'running'",
            vec![id.into(), before.into()],
        )
        .await
    }

    /// Says that a run is done. `false` when it was given up meanwhile: what
    /// is within the same unit must not be committed then.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn end_run(&self, id: Uuid, project: Option<ProjectId>) -> Result<bool> {
        self.changed(
            "UPDATE backup_runs SET state = 'done', step = 'done', finished_at = $2, \
             lease_until = NULL, project_id = coalesce($3, project_id) \
             WHERE id = $1 AND state = 'running'",
            vec![
                id.into(),
                self.db.now().into(),
                project.map(|id| *id.as_uuid()).into(),
            ],
        )
        .await
    }

    /// Says that a run failed, and why.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn fail_run(&self, id: Uuid, why: &str) -> Result<bool> {
        self.changed(
            "UPDATE backup_runs SET state = 'failed', error = $2, finished_at = $3, \
             lease_until = NULL WHERE id = $1 AND state = 'running'",
            vec![id.into(), why.into(), self.db.now().into()],
        )
        .await
    }

    /// Whether a run loads something to this place.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn is_loaded_to(&self, staging: ProjectId) -> Result<bool> {
        let rows = self
            .rows(
                "SELECT 1 AS one FROM backup_runs WHERE staging_id = $1 AND state = 'running'",
                vec![(*staging.as_uuid()).into()],
            )
            .await?;
        Ok(!rows.is_empty())
    }

    /// A run.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn get_run(&self, id: Uuid) -> Result<BackupRun> {
        let rows = self
            .rows("SELECT * FROM backup_runs WHERE id = $1", vec![id.into()])
            .await?;
        rows.first()
            .map(run_record)
            .transpose()?
            .ok_or_else(|| Error::not_found("run"))
    }

    /// The last runs on a backup, newest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn runs(&self, backup: Uuid) -> Result<Vec<BackupRun>> {
        let rows = self
            .rows(
                "SELECT * FROM backup_runs WHERE backup_id = $1 ORDER BY id DESC LIMIT 50",
                vec![backup.into()],
            )
            .await?;
        rows.iter().map(run_record).collect()
    }

    async fn run(&self, sql: &'static str, values: Vec<Value>) -> Result<u64, DbErr> {
        let done = self
            .db
            .write()
            .execute_raw(statement(self.db.engine(), sql, values))
            .await?;
        Ok(done.rows_affected())
    }

    async fn changed(&self, sql: &'static str, values: Vec<Value>) -> Result<bool> {
        let count = self
            .run(sql, values)
            .await
            .map_err(failed("note a backup"))?;
        Ok(count > 0)
    }

    async fn rows(&self, sql: &'static str, values: Vec<Value>) -> Result<Vec<QueryResult>> {
        let executor = if sql.starts_with("SELECT") {
            self.db.read()
        } else {
            self.db.write()
        };
        executor
            .query_all_raw(statement(self.db.engine(), sql, values))
            .await
            .map_err(failed("look up backups"))
    }

    async fn rows_of(&self, sql: String, values: Vec<Value>) -> Result<Vec<QueryResult>> {
        let statement = sea_orm::Statement::from_sql_and_values(self.db.backend(), sql, values);
        self.db
            .read()
            .query_all_raw(statement)
            .await
            .map_err(failed("look up backups"))
    }
}

fn ids(rows: &[QueryResult]) -> Result<Vec<Uuid>> {
    rows.iter()
        .map(|row| row.try_get("", "id"))
        .collect::<Result<_, _>>()
        .map_err(failed("read a backup"))
}

fn record(row: &QueryResult) -> Result<Backup> {
    let read = || -> Result<_, DbErr> {
        let time = |name: &str| row.try_get::<Option<i64>>("", name);
        let created: i64 = row.try_get("", "created_at")?;
        let times = (created, time("finished_at")?, time("verified_at")?);
        let count = |name: &str| row.try_get::<i64>("", name).map(instant::from_bytes);
        Ok((
            Backup {
                id: row.try_get("", "id")?,
                project: row
                    .try_get::<Option<Uuid>>("", "project_id")?
                    .map(ProjectId::from_uuid),
                slug: row.try_get("", "slug")?,
                reason: row.try_get("", "reason")?,
                state: row.try_get("", "state")?,
                step: row.try_get("", "step")?,
                bytes: count("bytes")?,
                sha256: row.try_get("", "sha256")?,
                objects: count("objects")?,
                rows: count("row_count")?,
                error: row.try_get("", "error")?,
                actor: row.try_get("", "actor")?,
                created_at: OffsetDateTime::UNIX_EPOCH,
                finished_at: None,
                verified_at: None,
                verify_error: row.try_get("", "verify_error")?,
            },
            times,
        ))
    };
    let (backup, (created, finished, verified)) = read().map_err(failed("read a backup"))?;
    Ok(Backup {
        created_at: instant::from_micros(created)?,
        finished_at: instant::from_micros_opt(finished)?,
        verified_at: instant::from_micros_opt(verified)?,
        ..backup
    })
}

fn run_record(row: &QueryResult) -> Result<BackupRun> {
    let read = || -> Result<_, DbErr> {
        let project = |name: &str| {
            row.try_get::<Option<Uuid>>("", name)
                .map(|id| id.map(ProjectId::from_uuid))
        };
        let times: (i64, Option<i64>) = (
            row.try_get("", "created_at")?,
            row.try_get("", "finished_at")?,
        );
        Ok((
            BackupRun {
                id: row.try_get("", "id")?,
                backup: row.try_get("", "backup_id")?,
                kind: row.try_get("", "kind")?,
                project: project("project_id")?,
                staging: project("staging_id")?,
                state: row.try_get("", "state")?,
                step: row.try_get("", "step")?,
                bytes: row.try_get("", "bytes").map(instant::from_bytes)?,
                before: row.try_get("", "before_id")?,
                error: row.try_get("", "error")?,
                actor: row.try_get("", "actor")?,
                created_at: OffsetDateTime::UNIX_EPOCH,
                finished_at: None,
            },
            times,
        ))
    };
    let (run, (created, finished)) = read().map_err(failed("read work on a backup"))?;
    Ok(BackupRun {
        created_at: instant::from_micros(created)?,
        finished_at: instant::from_micros_opt(finished)?,
        ..run
    })
}
