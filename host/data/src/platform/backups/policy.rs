//! How projects and the platform are backed up by themselves.

use super::{
    super::{
        Engine,
        failure::{failed, orphaned},
        instant,
        unit::statement,
    },
    Backups,
};
use atlashub_core::{ProjectId, Result, schedule::Timetable};
use sea_orm::{ConnectionTrait as _, DbErr, Statement, Value};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// Held on Postgres while a policy is changed.
const LOCK: &str = "SELECT pg_advisory_xact_lock(4711046016)";

/// How a project, or the platform, is backed up by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackupPolicy {
    /// Whether backups are made by themselves.
    pub enabled: bool,
    /// How far apart, seconds; without a schedule.
    pub interval_seconds: u64,
    /// Times, as a cron expression of five or six fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// The zone of the schedule's times; UTC unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Most backups that are kept of those that were asked for or came by
    /// themselves.
    pub keep_last: u32,
    /// Days after which one goes; the newest stays.
    pub keep_days: Option<u32>,
    /// Whether each scheduled one is loaded once to see that it can be.
    pub verify: bool,
    /// Days after which the newest is loaded again to see that it still can
    /// be; never for `None`.
    pub verify_every_days: Option<u32>,
}

impl Default for BackupPolicy {
    fn default() -> Self {
        Self {
            enabled: false,
            interval_seconds: 24 * 3_600,
            schedule: None,
            timezone: None,
            keep_last: 7,
            keep_days: None,
            verify: true,
            verify_every_days: Some(7),
        }
    }
}

impl BackupPolicy {
    /// The schedule's times; `None` for an interval.
    ///
    /// # Errors
    /// `invalid_schedule` that says what is wrong.
    pub fn timetable(&self) -> Result<Option<Timetable>> {
        let zone = self.timezone.as_deref().unwrap_or("UTC");
        let times = self.schedule.as_deref();
        times.map(|times| Timetable::new(times, zone)).transpose()
    }

    /// When the backup after one at `now` is due. What was missed meanwhile is
    /// one backup: a schedule that cannot be read any more never comes.
    pub(super) fn next_after(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        if !self.enabled {
            return None;
        }
        match self.timetable() {
            Ok(Some(times)) => times.next_after(now),
            Ok(None) => Some(now + Duration::from_secs(self.interval_seconds.max(60))),
            Err(error) => {
                tracing::warn!(%error, "a backup policy rests: its schedule cannot be read");
                None
            }
        }
    }

    /// When the test after one at `now` is due.
    pub(super) fn next_test_after(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let days = self.verify_every_days.filter(|_| self.enabled)?;
        Some(now + Duration::from_secs(u64::from(days) * 86_400))
    }
}

impl Backups<'_> {
    /// The policy of a project; `None` for the platform's.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn policy(&self, project: Option<ProjectId>) -> Result<BackupPolicy> {
        let rows = self
            .rows(
                "SELECT settings FROM backup_policies WHERE owner_id = $1",
                vec![owner(project).into()],
            )
            .await?;
        let Some(row) = rows.first() else {
            return Ok(BackupPolicy::default());
        };
        let settings: String = row
            .try_get("", "settings")
            .map_err(failed("read a backup policy"))?;
        instant::from_json("backup policy", &settings)
    }

    /// Lets one unit at a time change policies. SQLite has one writer anyway.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn lock_policies(&self) -> Result<()> {
        if self.db.engine() == Engine::Sqlite {
            return Ok(());
        }
        let lock = statement(Engine::Postgres, LOCK, []);
        let locked = self.db.write().execute_raw(lock).await;
        locked.map(drop).map_err(failed("lock the backup policies"))
    }

    /// Sets a policy; the next backup is due at `due`.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn set_policy(
        &self,
        project: Option<ProjectId>,
        policy: &BackupPolicy,
        due: Option<OffsetDateTime>,
    ) -> Result<()> {
        self.run(
            "INSERT INTO backup_policies (owner_id, project_id, settings, due_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (owner_id) DO UPDATE SET \
             settings = excluded.settings, due_at = excluded.due_at, \
             updated_at = excluded.updated_at",
            vec![
                owner(project).into(),
                project.map(|id| *id.as_uuid()).into(),
                instant::to_json(policy)?.into(),
                due.map(instant::to_micros).into(),
                self.db.now().into(),
            ],
        )
        .await
        .map_err(orphaned("project", "set a backup policy"))?;
        // What has failed is tried anew under the new one.
        let test = policy.next_test_after(self.db.platform().now());
        let failing = if policy.enabled { "failed_at" } else { "NULL" };
        let sql = format!(
            "UPDATE backup_turns SET wait_until = NULL, verify_due_at = $2, \
             attempt = CASE WHEN lease_until IS NULL THEN 0 ELSE attempt END, \
             failed_at = {failing} WHERE owner_id = $1"
        );
        let values = [owner(project).into(), test.map(instant::to_micros).into()];
        let statement = Statement::from_sql_and_values(self.db.backend(), sql, values);
        let set = self.db.write().execute_raw(statement).await;
        set.map(drop).map_err(failed("set a backup policy"))
    }

    /// Sets a policy for every project, and the platform, that has none.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn set_missing_policies(&self, policy: &BackupPolicy) -> Result<()> {
        let due = policy.next_after(self.db.platform().now());
        let values = || -> Result<Vec<Value>> {
            Ok(vec![
                instant::to_json(policy)?.into(),
                due.map(instant::to_micros).into(),
                self.db.now().into(),
            ])
        };
        let _ = self
            .changed(
                "INSERT INTO backup_policies (owner_id, project_id, settings, due_at, updated_at) \
                 SELECT p.id, p.id, $1, $2, $3 FROM projects p WHERE p.deleted_at IS NULL \
                 AND NOT EXISTS (SELECT 1 FROM backup_policies b WHERE b.owner_id = p.id) \
                 ON CONFLICT (owner_id) DO NOTHING",
                values()?,
            )
            .await?;
        let mut of_platform = values()?;
        of_platform.push(owner(None).into());
        let _ = self
            .changed(
                "INSERT INTO backup_policies (owner_id, project_id, settings, due_at, updated_at) \
                 VALUES ($4, NULL, $1, $2, $3) ON CONFLICT (owner_id) DO NOTHING",
                of_platform,
            )
            .await?;
        Ok(())
    }

    /// When the next backup of a policy comes: when it is due, or is tried
    /// again.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn next_due(&self, project: Option<ProjectId>) -> Result<Option<OffsetDateTime>> {
        let rows = self
            .rows(
                "SELECT p.due_at, t.wait_until FROM backup_policies p \
                 LEFT JOIN backup_turns t ON t.owner_id = p.owner_id WHERE p.owner_id = $1",
                vec![owner(project).into()],
            )
            .await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let read = || -> Result<(Option<i64>, Option<i64>), DbErr> {
            Ok((row.try_get("", "due_at")?, row.try_get("", "wait_until")?))
        };
        let (due, wait) = read().map_err(failed("read a backup policy"))?;
        instant::from_micros_opt(due.map(|due| due.max(wait.unwrap_or(due))))
    }
}

/// What a policy's row is kept by: the platform's has the nil id.
pub(super) fn owner(project: Option<ProjectId>) -> Uuid {
    project.map_or(Uuid::nil(), |project| *project.as_uuid())
}
