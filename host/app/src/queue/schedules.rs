//! What admins see of schedules and do with them.

use super::jobs::JobsOfPlugins;
use crate::{Actor, App};
use atlashub_core::{
    Error, ProjectId, Result, ScheduleId,
    capability::jobs::{AddedJob, Schedule},
    schedule::Timetable,
};
use atlashub_data::platform::{Page, ScheduleFilter};
use serde_json::json;
use time::OffsetDateTime;

impl App {
    /// A page of a project's schedules, in the order in which they were made.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn schedules(
        &self,
        project: ProjectId,
        filter: &ScheduleFilter,
        after: Option<ScheduleId>,
        limit: u64,
    ) -> Result<Page<Schedule, ScheduleId>> {
        let schedules = self.platform().schedules();
        schedules.list(project, filter, after, limit).await
    }

    /// One schedule of a project.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn schedule(&self, project: ProjectId, id: ScheduleId) -> Result<Schedule> {
        let found = self.platform().schedules().find_by_id(project, id).await?;
        found.ok_or_else(|| Error::not_found("schedule"))
    }

    /// The next times of a schedule, whether it is on or not.
    ///
    /// # Errors
    /// `invalid_schedule` when it cannot be read any more.
    pub fn next_times(&self, schedule: &Schedule, count: usize) -> Result<Vec<OffsetDateTime>> {
        let terms = &schedule.terms;
        let times = Timetable::new(&terms.expression, &terms.zone)?;
        let from = schedule.last_due_at.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let from = from.max(self.clock().now());
        Ok(times.times_after(from).take(count).collect())
    }

    /// Puts a schedule on hold, or lets it go on from now.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn pause_schedule(
        &self,
        actor: &Actor,
        project: ProjectId,
        id: ScheduleId,
        paused: bool,
    ) -> Result<Schedule> {
        let unit = self.platform().begin().await?;
        let changed = unit.schedules().pause(project, id, paused).await?;
        let changed = changed.ok_or_else(|| Error::not_found("schedule"))?;
        let action = if paused {
            "schedule.pause"
        } else {
            "schedule.resume"
        };
        let about = json!({ "plugin": changed.plugin, "name": changed.name });
        let did = actor.did(action, Some(project), id.to_string(), about);
        unit.audit().append(did).await?;
        unit.commit().await?;
        self.queue().look_at_schedules();
        Ok(changed)
    }

    /// Adds the job of a schedule now.
    ///
    /// # Errors
    /// `not_found`, `schedule_suspended`, `queue_full`,
    /// `platform_job_unavailable`.
    pub async fn run_schedule(
        &self,
        actor: &Actor,
        project: ProjectId,
        id: ScheduleId,
    ) -> Result<AddedJob> {
        let schedule = self.schedule(project, id).await?;
        let jobs: &JobsOfPlugins = self.jobs();
        jobs.run(&schedule, Some(actor)).await
    }
}
