//! How projects and the platform are backed up by themselves, and how many
//! backups are kept. What was kept before a restore has its own number.

use super::Backups;
use crate::{Actor, changes::chain};
use atlashub_core::{Error, Precondition, ProjectId, Result, precondition::tag_of};
use atlashub_data::platform::{Backup, BackupPolicy, TurnFailure};
use serde_json::json;
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// Backups of what was there before a restore that are kept.
const KEEP_BEFORE_RESTORE: u32 = 3;
/// Failed ones that are kept, for what they say.
const KEEP_FAILED: u32 = 5;
/// Shortest and longest interval, seconds.
const INTERVALS: std::ops::RangeInclusive<u64> = 300..=366 * 24 * 3_600;
/// Most backups that a policy keeps.
const MAX_KEPT: u32 = 1_000;
/// Longest age, days.
const MAX_DAYS: u32 = 3_660;
/// Longest time between two tests of the newest, days.
const MAX_TEST_DAYS: u32 = 366;
/// Backups looked at at once.
const PAGE: u64 = 200;

impl Backups {
    /// The policy of the project, or the platform's for `None`.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn policy(&self, project: Option<ProjectId>) -> Result<BackupPolicy> {
        self.platform().backups().policy(project).await
    }

    /// When the next backup of a policy comes.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn next_due(&self, project: Option<ProjectId>) -> Result<Option<OffsetDateTime>> {
        self.platform().backups().next_due(project).await
    }

    /// When the newest backup of a policy is tested again.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn next_test(&self, project: Option<ProjectId>) -> Result<Option<OffsetDateTime>> {
        self.platform().backups().next_test(project).await
    }

    /// Sets a policy, where `condition` holds of what is there, by the tag of
    /// [`policy_tag`]. The first backup of one that is switched on comes soon,
    /// or at the first time of its schedule.
    ///
    /// # Errors
    /// `invalid_policy`, `invalid_schedule`, `not_found`,
    /// `precondition_failed`.
    pub async fn set_policy(
        &self,
        actor: &Actor,
        project: Option<ProjectId>,
        policy: &BackupPolicy,
        condition: &Precondition,
    ) -> Result<()> {
        check(policy)?;
        let unit = self.platform().begin().await?;
        // Who changes one at the same time waits here, and is seen below.
        unit.backups().lock_policies().await?;
        let before = unit.backups().policy(project).await?;
        condition.check_with("the backup policy", || policy_tag(&before).map(Some))?;
        let last = unit.backups().list(project, None, PAGE).await?;
        let last = last.iter().find(|backup| backup.state == "ready");
        let last = last.map(|backup| backup.created_at);
        let now = self.platform().now();
        let due = match policy.timetable()? {
            _ if !policy.enabled => None,
            Some(times) => times.next_after(now),
            None => Some(next(policy, last, now)),
        };
        unit.backups().set_policy(project, policy, due).await?;
        let details = json!({ "before": before, "now": policy });
        unit.audit()
            .append(actor.did("backup.policy", project, None, details))
            .await?;
        unit.commit().await?;
        self.keep_to_policy(project).await
    }

    /// Gives what has no policy the usual one, where there is one.
    pub(super) async fn give_usual_policy(&self) {
        let Some(policy) = &self.parts().usual_policy else {
            return;
        };
        if let Err(error) = self.platform().backups().set_missing_policies(policy).await {
            tracing::warn!(error = %chain(&error), "what has no backup policy did not get the usual one");
        }
    }

    /// How the last turn of a policy failed, while none has succeeded since.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn turn_failure(&self, project: Option<ProjectId>) -> Result<Option<TurnFailure>> {
        self.platform().backups().turn_failure(project).await
    }

    /// Removes the backups that the policy does not keep.
    pub(super) async fn keep_to_policy(&self, project: Option<ProjectId>) -> Result<()> {
        let policy = self.policy(project).await?;
        let mut all = Vec::new();
        let mut before = None;
        loop {
            let page = self
                .platform()
                .backups()
                .list(project, before, PAGE)
                .await?;
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            all.extend(page);
        }
        for id in surplus(&policy, &all, self.platform().now()) {
            match self.forget(project, id).await {
                // Removed by the next look.
                Err(error) if error.code() == "backup_in_use" => {}
                other => other?,
            }
        }
        Ok(())
    }
}

/// The tag of a policy.
///
/// # Errors
/// When it cannot be written.
pub fn policy_tag(policy: &BackupPolicy) -> Result<String> {
    tag_of(policy)
}

/// When the next backup is due.
fn next(
    policy: &BackupPolicy,
    last: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> OffsetDateTime {
    let interval = Duration::from_secs(policy.interval_seconds);
    last.map_or(now, |last| (last + interval).max(now))
}

/// The backups, of all, newest first, that need not be kept.
fn surplus(policy: &BackupPolicy, all: &[Backup], now: OffsetDateTime) -> Vec<Uuid> {
    let (mut usual, mut replaced, mut failed) = (0, 0, 0);
    let mut gone = Vec::new();
    for backup in all {
        let (count, most) = match (backup.state.as_str(), backup.reason.as_str()) {
            ("failed", _) => (&mut failed, KEEP_FAILED),
            // One that cannot be restored takes no sound one's place.
            ("ready", _) if backup.verify_error.is_some() => (&mut failed, KEEP_FAILED),
            ("ready", "before_restore") => (&mut replaced, KEEP_BEFORE_RESTORE),
            ("ready", _) => (&mut usual, policy.keep_last),
            _ => continue,
        };
        let is_newest = *count == 0;
        *count += 1;
        let age = policy
            .keep_days
            .map(|days| Duration::from_secs(u64::from(days) * 86_400));
        let too_old = age.is_some_and(|age| backup.created_at + age < now);
        if *count > most || (too_old && !is_newest) {
            gone.push(backup.id);
        }
    }
    gone
}

fn check(policy: &BackupPolicy) -> Result<()> {
    let invalid = |message: String| Err(Error::invalid("invalid_policy", message));
    if !INTERVALS.contains(&policy.interval_seconds) {
        return invalid(format!(
            "`interval_seconds` is {} to {}",
            INTERVALS.start(),
            INTERVALS.end()
        ));
    }
    if policy.timezone.is_some() && policy.schedule.is_none() {
        return invalid("`timezone` is that of a `schedule`, which is missing".to_owned());
    }
    if !(1..=MAX_KEPT).contains(&policy.keep_last) {
        return invalid(format!("`keep_last` is 1 to {MAX_KEPT}"));
    }
    if policy
        .keep_days
        .is_some_and(|days| !(1..=MAX_DAYS).contains(&days))
    {
        return invalid(format!("`keep_days` is 1 to {MAX_DAYS}"));
    }
    if policy
        .verify_every_days
        .is_some_and(|days| !(1..=MAX_TEST_DAYS).contains(&days))
    {
        return invalid(format!("`verify_every_days` is 1 to {MAX_TEST_DAYS}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup(days: i64, reason: &str, state: &str) -> Backup {
        Backup {
            id: Uuid::now_v7(),
            project: None,
            slug: None,
            reason: reason.to_owned(),
            state: state.to_owned(),
            step: String::new(),
            bytes: 0,
            sha256: None,
            objects: 0,
            rows: 0,
            error: None,
            actor: String::new(),
            created_at: OffsetDateTime::UNIX_EPOCH - time::Duration::days(days),
            finished_at: None,
            verified_at: None,
            verify_error: None,
        }
    }

    #[test]
    fn the_last_ones_are_kept_and_the_newest_whatever_its_age() {
        let all = [
            backup(0, "manual", "running"),
            backup(1, "manual", "failed"),
            backup(40, "scheduled", "ready"),
            backup(41, "before_restore", "ready"),
            backup(42, "manual", "ready"),
            backup(50, "scheduled", "ready"),
        ];
        let policy = |keep_last, keep_days| BackupPolicy {
            keep_last,
            keep_days,
            ..BackupPolicy::default()
        };
        let gone = |policy: BackupPolicy| -> Vec<usize> {
            let ids = surplus(&policy, &all, OffsetDateTime::UNIX_EPOCH);
            (0..all.len())
                .filter(|at| all.get(*at).is_some_and(|backup| ids.contains(&backup.id)))
                .collect()
        };
        assert_eq!(gone(policy(2, None)), [5]);
        assert_eq!(gone(policy(1, None)), [4, 5]);
        assert_eq!(gone(policy(9, Some(30))), [4, 5]);
        assert_eq!(gone(policy(9, Some(45))), [5]);
        assert!(gone(policy(9, None)).is_empty());
        // One that failed its test takes no sound one's place.
        let mut broken = backup(0, "scheduled", "ready");
        broken.verify_error = Some("damaged".to_owned());
        let all = [broken, backup(1, "scheduled", "ready")];
        let ids = surplus(&policy(1, None), &all, OffsetDateTime::UNIX_EPOCH);
        assert!(ids.is_empty());
    }

    #[test]
    fn the_first_backup_comes_soon_and_others_in_their_time() {
        let policy = BackupPolicy::default();
        let now = OffsetDateTime::UNIX_EPOCH;
        let hours = time::Duration::hours;
        assert_eq!(next(&policy, None, now), now);
        assert_eq!(next(&policy, Some(now - hours(30)), now), now);
        assert_eq!(next(&policy, Some(now - hours(4)), now), now + hours(20));
    }
}
