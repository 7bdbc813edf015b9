//! `atlashub:jobs/queue` and `atlashub:jobs/schedules`: work for later, and by
//! the clock.

use super::not_granted;
use crate::{
    bindings::jobs::{
        queue::{self, Enqueued, Error, Job, Options},
        schedules::{self, Definition, Explanation, Page},
    },
    state::{PluginShared, State, for_guest},
};
use atlashub_core::{
    Grant, ItemId, Result,
    capability::jobs::{
        AddedJob, JobOptions, JobStatus, JobTarget, JobTerms, MAX_PROGRESS_CHARS, NewJob, Schedule,
        ScheduleTerms, from_ms, to_ms,
    },
    schedule::Timetable,
};
use std::sync::Arc;

type Answer<T> = wasmtime::Result<std::result::Result<T, Error>>;

/// Most times that an explanation names.
const MAX_EXPLAINED: u32 = 100;
/// Most schedules on a page.
const MAX_LISTED: u32 = 100;

fn answer<T>(result: Result<T>) -> Answer<T> {
    Ok(result.map_err(|error| {
        let (code, message) = for_guest(&error);
        Error { code, message }
    }))
}

fn invalid(message: &str) -> atlashub_core::Error {
    atlashub_core::Error::invalid("invalid_job", message.to_owned())
}

impl PluginShared {
    fn may_have_jobs(&self) -> Result<()> {
        if self.grants.contains(&Grant::Jobs) {
            Ok(())
        } else {
            Err(not_granted("jobs"))
        }
    }

    /// Whether it may have this done, and on which terms.
    fn terms_of(&self, target: &JobTarget) -> Result<JobTerms> {
        self.may_have_jobs()?;
        match target {
            JobTarget::Own(name) => {
                let declared = self.jobs.iter().find(|declared| declared.name == *name);
                declared.map(JobTerms::of).ok_or_else(|| {
                    atlashub_core::Error::invalid(
                        "job_not_declared",
                        format!("the manifest declares no job `{name}`: add it to `[[jobs]]`"),
                    )
                })
            }
            JobTarget::Platform(_) if self.grants.contains(&Grant::PlatformJobs) => {
                Ok(JobTerms::PLATFORM)
            }
            JobTarget::Platform(_) => Err(not_granted("jobs:platform")),
        }
    }
}

impl State {
    async fn add_job(
        &mut self,
        target: Result<JobTarget>,
        payload: String,
        options: Options,
    ) -> Result<Enqueued> {
        let plugin = Arc::clone(&self.hooks.plugin);
        let target = target?;
        let terms = plugin.terms_of(&target)?;
        let options = JobOptions {
            run_at_ms: options.run_at_ms,
            delay_ms: options.delay_ms,
            priority: options.priority,
            unique_key: options.unique_key,
            ordering_key: options.ordering_key,
            max_attempts: options.max_attempts,
            timeout_ms: options.timeout_ms,
        };
        let jobs = &plugin.services.jobs;
        let job = NewJob {
            request: self.hooks.request.request_id,
            hops: self.hooks.request.hops,
            ..NewJob::new(target, payload, terms, options, jobs.now())?
        };
        jobs.enqueue(&plugin.scope, job).await.map(added)
    }

    /// The plugin, if it may have jobs.
    fn jobs(&self) -> Result<Arc<PluginShared>> {
        let plugin = Arc::clone(&self.hooks.plugin);
        plugin.may_have_jobs()?;
        Ok(plugin)
    }

    async fn note_progress(&mut self, percent: u8, message: Option<String>) -> Result<()> {
        let plugin = self.jobs()?;
        let Some(lease) = self.hooks.request.job else {
            return Err(atlashub_core::Error::invalid(
                "job_not_running",
                "only the handler of a job can say how far it is",
            ));
        };
        let note = message.map(|message| {
            let plain = |c: char| if c.is_control() { ' ' } else { c };
            message
                .chars()
                .take(MAX_PROGRESS_CHARS)
                .map(plain)
                .collect()
        });
        plugin.services.jobs.progress(lease, percent, note).await
    }

    async fn put_schedule(
        &mut self,
        name: String,
        definition: Definition,
    ) -> Result<schedules::Schedule> {
        let plugin = self.jobs()?;
        let target: JobTarget = definition.job.parse()?;
        plugin.terms_of(&target)?;
        let terms = ScheduleTerms {
            target,
            expression: definition.expression,
            zone: definition.zone,
            catch_up: definition.catch_up.parse()?,
            overlap: definition.overlap,
            payload: definition.payload,
            enabled: definition.enabled,
        };
        let (terms, times) = terms.checked(&name)?;
        let jobs = &plugin.services.jobs;
        let put = jobs.put_schedule(&plugin.scope, &name, terms, &times);
        put.await.map(guest_schedule)
    }

    async fn list_schedules(
        &mut self,
        prefix: String,
        limit: u32,
        cursor: Option<String>,
    ) -> Result<Page> {
        let plugin = self.jobs()?;
        let limit = limit.clamp(1, MAX_LISTED);
        let jobs = &plugin.services.jobs;
        let page = jobs.list_schedules(&plugin.scope, &prefix, limit, cursor);
        let page = page.await?;
        Ok(Page {
            schedules: page.schedules.into_iter().map(guest_schedule).collect(),
            next_cursor: page.next,
        })
    }

    fn explained(
        &self,
        expression: &str,
        zone: &str,
        after_ms: Option<u64>,
        count: u32,
    ) -> Result<Explanation> {
        let plugin = self.jobs()?;
        let times = Timetable::new(expression, zone)?;
        let after = match after_ms {
            Some(ms) => from_ms(ms).ok_or_else(|| invalid("the time is too far ahead"))?,
            None => plugin.services.jobs.now(),
        };
        let count = count.min(MAX_EXPLAINED) as usize;
        Ok(Explanation {
            expression: times.expression(),
            next_ms: times.times_after(after).take(count).map(to_ms).collect(),
        })
    }
}

fn added(job: AddedJob) -> Enqueued {
    Enqueued {
        id: job.id.to_string(),
        existing: job.existing,
    }
}

fn guest_job(job: JobStatus) -> Job {
    let (error_code, error_message) = job.failure.unzip();
    Job {
        id: job.id.to_string(),
        name: job.name,
        platform: job.platform,
        state: job.state.to_owned(),
        payload: job.payload,
        attempt: job.attempt,
        max_attempts: job.max_attempts,
        priority: job.priority,
        due_ms: to_ms(job.due_at),
        created_ms: to_ms(job.created_at),
        started_ms: job.started_at.map(to_ms),
        finished_ms: job.finished_at.map(to_ms),
        progress: job.progress,
        progress_message: job.progress_note,
        error_code,
        error_message,
        schedule: job.schedule,
        scheduled_ms: job.scheduled_at.map(to_ms),
    }
}

fn guest_schedule(schedule: Schedule) -> schedules::Schedule {
    let terms = schedule.terms;
    schedules::Schedule {
        name: schedule.name,
        definition: Definition {
            job: terms.target.to_string(),
            expression: terms.expression,
            zone: terms.zone,
            catch_up: terms.catch_up.as_str().to_owned(),
            overlap: terms.overlap,
            payload: terms.payload,
            enabled: terms.enabled,
        },
        fixed: schedule.fixed,
        paused: schedule.paused,
        next_ms: schedule.next_at.map(to_ms),
        last_due_ms: schedule.last_due_at.map(to_ms),
        last_job: schedule.last_item.map(|item| item.to_string()),
        missed: schedule.missed,
        last_missed_ms: schedule.last_missed_at.map(to_ms),
        created_ms: to_ms(schedule.created_at),
        updated_ms: to_ms(schedule.updated_at),
    }
}

impl queue::Host for State {
    async fn enqueue(
        &mut self,
        name: String,
        payload: String,
        options: Options,
    ) -> Answer<Enqueued> {
        let target = Ok(JobTarget::Own(name));
        answer(self.add_job(target, payload, options).await)
    }

    async fn enqueue_platform(
        &mut self,
        action: String,
        payload: String,
        options: Options,
    ) -> Answer<Enqueued> {
        let target = action.parse().map(JobTarget::Platform);
        answer(self.add_job(target, payload, options).await)
    }

    async fn get(&mut self, id: String) -> Answer<Option<Job>> {
        let plugin = self.jobs();
        let found = async {
            let plugin = plugin?;
            let Ok(id) = id.parse::<ItemId>() else {
                return Ok(None);
            };
            let found = plugin.services.jobs.find(&plugin.scope, id).await?;
            Ok(found.map(guest_job))
        };
        answer(found.await)
    }

    async fn cancel(&mut self, id: String) -> Answer<bool> {
        let plugin = self.jobs();
        let cancelled = async {
            let plugin = plugin?;
            match id.parse::<ItemId>() {
                Ok(id) => plugin.services.jobs.cancel(&plugin.scope, id).await,
                Err(_) => Ok(false),
            }
        };
        answer(cancelled.await)
    }

    async fn progress(&mut self, percent: u8, message: Option<String>) -> Answer<()> {
        answer(self.note_progress(percent, message).await)
    }
}

impl schedules::Host for State {
    async fn put(&mut self, name: String, definition: Definition) -> Answer<schedules::Schedule> {
        answer(self.put_schedule(name, definition).await)
    }

    async fn get(&mut self, name: String) -> Answer<Option<schedules::Schedule>> {
        let plugin = self.jobs();
        let found = async {
            let plugin = plugin?;
            let jobs = &plugin.services.jobs;
            let found = jobs.find_schedule(&plugin.scope, &name).await?;
            Ok(found.map(guest_schedule))
        };
        answer(found.await)
    }

    async fn remove(&mut self, name: String) -> Answer<bool> {
        let plugin = self.jobs();
        let removed = async {
            let plugin = plugin?;
            let jobs = &plugin.services.jobs;
            jobs.remove_schedule(&plugin.scope, &name).await
        };
        answer(removed.await)
    }

    async fn list(&mut self, prefix: String, limit: u32, cursor: Option<String>) -> Answer<Page> {
        answer(self.list_schedules(prefix, limit, cursor).await)
    }

    async fn run_now(&mut self, name: String) -> Answer<Enqueued> {
        let plugin = self.jobs();
        let ran = async {
            let plugin = plugin?;
            let jobs = &plugin.services.jobs;
            jobs.run_schedule(&plugin.scope, &name).await.map(added)
        };
        answer(ran.await)
    }

    async fn explain(
        &mut self,
        expression: String,
        zone: String,
        after_ms: Option<u64>,
        count: u32,
    ) -> Answer<Explanation> {
        answer(self.explained(&expression, &zone, after_ms, count))
    }
}
