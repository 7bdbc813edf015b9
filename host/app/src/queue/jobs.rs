//! Jobs of plugins: put into the queue, looked at, taken back; and the
//! schedules by which they come.

use super::{
    WorkQueue,
    actions::{PlatformActions, lost},
    terms::{Standing, TermsOfJobs},
};
use crate::Actor;
use async_trait::async_trait;
use atlashub_core::{
    Error, ItemId, Result,
    capability::{
        PluginScope,
        jobs::{
            AddedJob, JobLease, JobStatus, JobTarget, JobTerms, Jobs, NewJob, Schedule,
            SchedulePage, ScheduleTerms,
        },
    },
    schedule::{CatchUp, Timetable},
};
use atlashub_data::platform::{
    Backlog, Enqueued, ItemKind, JobWork, Lease, NewItem, NewSchedule, Platform, QueueItem, Tick,
};
use serde_json::json;
use std::sync::Arc;
use time::OffsetDateTime;

/// Keeps jobs and schedules of plugins.
pub(crate) struct JobsOfPlugins {
    platform: Platform,
    queue: Arc<WorkQueue>,
    actions: Arc<PlatformActions>,
    terms: Arc<TermsOfJobs>,
}

impl JobsOfPlugins {
    pub(crate) fn new(
        platform: Platform,
        queue: Arc<WorkQueue>,
        actions: Arc<PlatformActions>,
        terms: Arc<TermsOfJobs>,
    ) -> Self {
        Self {
            platform,
            queue,
            actions,
            terms,
        }
    }

    /// Adds the job of a schedule now. Where an admin wants it, the audit says
    /// so.
    ///
    /// # Errors
    /// `schedule_suspended` when its plugin is off or may not have it done;
    /// `queue_full`, `platform_job_unavailable`.
    pub(crate) async fn run(&self, schedule: &Schedule, by: Option<&Actor>) -> Result<AddedJob> {
        let standing = self.terms.of(&self.platform, schedule).await?;
        let Standing::Ready(terms) = standing else {
            return Err(Error::conflict(
                "schedule_suspended",
                "the schedule's plugin is off, or may not have this done",
            ));
        };
        if let JobTarget::Platform(job) = schedule.terms.target {
            self.actions.get(job)?.check(schedule.project).await?;
        }
        let item = item_of(schedule, terms, self.platform.now());
        let more = Backlog {
            items: 1,
            bytes: item.payload.len() as u64,
        };
        self.queue
            .take_share(&self.platform, schedule.project, more)
            .await?;
        let unit = self.platform.begin().await?;
        let added = outcome(&unit.queue().enqueue(vec![item]).await?)?;
        if let Some(actor) = by {
            let about = json!({
                "plugin": schedule.plugin, "name": schedule.name, "job": added.id.to_string(),
            });
            let id = schedule.id.to_string();
            let did = actor.did("schedule.run", Some(schedule.project), id, about);
            unit.audit().append(did).await?;
        }
        unit.commit().await?;
        self.queue.wake();
        if !added.existing {
            let schedules = self.platform.schedules();
            schedules.note_run(schedule.id, added.id).await?;
        }
        Ok(added)
    }

    async fn add(&self, item: NewItem) -> Result<AddedJob> {
        let added = self.platform.queue().enqueue(vec![item]).await?;
        self.queue.wake();
        outcome(&added)
    }
}

/// What came of adding one job.
fn outcome(added: &[Enqueued]) -> Result<AddedJob> {
    match added.first() {
        Some(Enqueued::Added(id)) => Ok(AddedJob {
            id: *id,
            existing: false,
        }),
        Some(Enqueued::Exists(id)) => Ok(AddedJob {
            id: *id,
            existing: true,
        }),
        None => Err(Error::internal("add a job", "nothing was added")),
    }
}

/// The job of a schedule for one of its times.
pub(super) fn item_of(schedule: &Schedule, terms: JobTerms, due_at: OffsetDateTime) -> NewItem {
    let wanted = &schedule.terms;
    // Where each time counts, runs wait for each other instead of being left
    // out.
    let key = (!wanted.overlap).then(|| format!("schedule:{}", schedule.id));
    let (unique_key, ordering_key) = match wanted.catch_up {
        CatchUp::All => (None, key),
        CatchUp::Skip | CatchUp::Once => (key, None),
    };
    NewItem {
        id: ItemId::new(),
        project: schedule.project,
        kind: kind_of(&wanted.target),
        consumer: schedule.plugin.clone(),
        name: wanted.target.name().to_owned(),
        source: Some(schedule.plugin.clone()),
        subject: *schedule.id.as_uuid(),
        request: None,
        payload: wanted.payload.clone(),
        ordering_key,
        unique_key,
        priority: 0,
        hops: 0,
        due_at: None,
        max_attempts: terms.max_attempts,
        job: Some(JobWork {
            timeout: terms.timeout,
            backoff: terms.backoff,
            tick: Some(Tick {
                schedule: schedule.name.clone(),
                due_at,
            }),
        }),
    }
}

fn kind_of(target: &JobTarget) -> ItemKind {
    match target {
        JobTarget::Own(_) => ItemKind::Job,
        JobTarget::Platform(_) => ItemKind::Platform,
    }
}

fn status(item: QueueItem) -> JobStatus {
    let tick = item.job.and_then(|job| job.tick);
    JobStatus {
        id: item.id,
        name: item.name,
        platform: item.kind == ItemKind::Platform,
        state: item.state.as_str(),
        payload: item.payload,
        attempt: item.attempt,
        max_attempts: item.max_attempts,
        priority: i32::try_from(item.priority).unwrap_or(0),
        due_at: item.due_at,
        created_at: item.created_at,
        started_at: item.started_at,
        finished_at: item.finished_at,
        progress: item.progress,
        progress_note: item.progress_note,
        failure: item.failure.map(|failure| (failure.code, failure.message)),
        scheduled_at: tick.as_ref().map(|tick| tick.due_at),
        schedule: tick.map(|tick| tick.schedule),
    }
}

#[async_trait]
impl Jobs for JobsOfPlugins {
    fn now(&self) -> OffsetDateTime {
        self.platform.now()
    }

    async fn enqueue(&self, scope: &PluginScope, job: NewJob) -> Result<AddedJob> {
        if let JobTarget::Platform(action) = job.target {
            self.actions.get(action)?.check(scope.project).await?;
        }
        let more = Backlog {
            items: 1,
            bytes: job.payload.len() as u64,
        };
        self.queue
            .take_share(&self.platform, scope.project, more)
            .await?;
        let id = ItemId::new();
        let name = job.target.name().to_owned();
        self.add(NewItem {
            id,
            project: scope.project,
            kind: kind_of(&job.target),
            consumer: scope.plugin.clone(),
            unique_key: job.unique_key.map(|key| format!("job:{name}:{key}")),
            name,
            source: Some(scope.plugin.clone()),
            subject: *id.as_uuid(),
            request: Some(job.request),
            payload: job.payload,
            ordering_key: job.ordering_key.map(|key| format!("job:{key}")),
            priority: job.priority.into(),
            hops: job.hops,
            due_at: job.due_at,
            max_attempts: job.terms.max_attempts,
            job: Some(JobWork {
                timeout: job.terms.timeout,
                backoff: job.terms.backoff,
                tick: None,
            }),
        })
        .await
    }

    async fn find(&self, scope: &PluginScope, job: ItemId) -> Result<Option<JobStatus>> {
        let found = self.platform.queue().find(scope.project, job).await?;
        Ok(found.filter(|item| is_job_of(item, scope)).map(status))
    }

    async fn cancel(&self, scope: &PluginScope, job: ItemId) -> Result<bool> {
        let found = self.platform.queue().find(scope.project, job).await?;
        if !found.is_some_and(|item| is_job_of(&item, scope)) {
            return Ok(false);
        }
        let cancelled = self.platform.queue().cancel(scope.project, job).await;
        match cancelled {
            Ok(_) => {
                self.queue.wake();
                Ok(true)
            }
            Err(error) if matches!(error.code(), "queue_item_ended" | "not_found") => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn progress(&self, lease: JobLease, percent: u8, note: Option<String>) -> Result<()> {
        let lease = Lease {
            item: lease.item,
            fence: lease.fence,
        };
        let queue = self.platform.queue();
        if queue.note_progress(lease, percent, note).await? {
            Ok(())
        } else {
            Err(lost())
        }
    }

    async fn put_schedule(
        &self,
        scope: &PluginScope,
        name: &str,
        terms: ScheduleTerms,
        times: &Timetable,
    ) -> Result<Schedule> {
        let new = NewSchedule {
            name,
            terms: &terms,
            times,
        };
        let put = self.platform.schedules().put(scope, new).await?;
        self.queue.look_at_schedules();
        Ok(put)
    }

    async fn find_schedule(&self, scope: &PluginScope, name: &str) -> Result<Option<Schedule>> {
        self.platform.schedules().find(scope, name).await
    }

    async fn remove_schedule(&self, scope: &PluginScope, name: &str) -> Result<bool> {
        self.platform.schedules().remove(scope, name).await
    }

    async fn list_schedules(
        &self,
        scope: &PluginScope,
        prefix: &str,
        limit: u32,
        after: Option<String>,
    ) -> Result<SchedulePage> {
        let schedules = self.platform.schedules();
        schedules
            .list_of_plugin(scope, prefix, limit.into(), after)
            .await
    }

    async fn run_schedule(&self, scope: &PluginScope, name: &str) -> Result<AddedJob> {
        let found = self.platform.schedules().find(scope, name).await?;
        let schedule = found.ok_or_else(|| Error::not_found("schedule"))?;
        self.run(&schedule, None).await
    }
}

fn is_job_of(item: &QueueItem, scope: &PluginScope) -> bool {
    item.consumer == scope.plugin && matches!(item.kind, ItemKind::Job | ItemKind::Platform)
}
