//! Lets schedules fall due. Any number of nodes run this: who locks a row that
//! is due adds its jobs and moves it on in one unit of work.
//!
//! It sleeps until the nearest is due, is woken when one changes here, and
//! looks once a second nonetheless, at one entry of an index: for what changed
//! on other nodes, and for a clock that was set.

use super::{
    WorkQueue,
    jobs::item_of,
    terms::{Standing, TermsOfJobs},
};
use crate::changes::chain;
use atlashub_core::{
    ItemId, Result,
    capability::{PluginScope, jobs::JobTerms, jobs::Schedule},
    schedule::{Plan, Timetable},
};
use atlashub_data::platform::{Advance, Backlog, DueSchedule, Enqueued, Platform, Unit};
use std::{sync::Arc, time::Duration};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

/// How often it looks without being told.
const POLL: Duration = Duration::from_secs(1);
/// Wait before it looks again at what another node is at.
const MOMENT: Duration = Duration::from_millis(100);
/// Schedules in one unit of work.
const AT_ONCE: u32 = 50;

/// The scheduler of a node.
pub(crate) struct Scheduler {
    platform: Platform,
    queue: Arc<WorkQueue>,
    terms: Arc<TermsOfJobs>,
}

impl Scheduler {
    pub(crate) fn new(platform: Platform, queue: Arc<WorkQueue>, terms: Arc<TermsOfJobs>) -> Self {
        Self {
            platform,
            queue,
            terms,
        }
    }

    /// Lets schedules fall due until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        loop {
            let wait = match self.look().await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "schedules were not looked at");
                    POLL
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.queue.schedules.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Runs what is due; how long there is nothing to do.
    async fn look(&self) -> Result<Duration> {
        loop {
            let now = self.platform.now();
            match self.platform.schedules().next_due().await? {
                None => return Ok(POLL),
                Some(next) if next > now => {
                    let wait = Duration::try_from(next - now).unwrap_or(POLL);
                    return Ok(wait.min(POLL));
                }
                Some(_) => {}
            }
            if self.run_due().await? == 0 {
                return Ok(MOMENT);
            }
        }
    }

    /// How many schedules were moved on.
    async fn run_due(&self) -> Result<usize> {
        let unit = self.platform.begin().await?;
        let due = unit.schedules().lock_due(AT_ONCE).await?;
        let count = due.len();
        let mut ran = 0;
        for schedule in due {
            ran += self.move_on(&unit, schedule).await?;
        }
        unit.commit().await?;
        if ran > 0 {
            self.queue.wake();
        }
        Ok(count)
    }

    /// Adds the jobs of a schedule that is due; how many those are.
    async fn move_on(&self, unit: &Unit, due: DueSchedule) -> Result<usize> {
        let DueSchedule { schedule, due_at } = due;
        let now = self.platform.now();
        let times = match Timetable::new(&schedule.terms.expression, &schedule.terms.zone) {
            Ok(times) => times,
            Err(error) => {
                tracing::warn!(%error, schedule = %schedule.id, "a schedule rests: it cannot be read");
                let rest = Advance::default();
                unit.schedules().advance(schedule.id, rest).await?;
                return Ok(0);
            }
        };
        let last = schedule.last_due_at;
        let Some(due_at) = due_at else {
            let from = last.map_or(now, |last| last.max(now));
            let armed = Advance {
                next: times.next_after(from),
                ..Advance::default()
            };
            unit.schedules().advance(schedule.id, armed).await?;
            return Ok(0);
        };
        let mut plan = times.plan(schedule.terms.catch_up, due_at, now);
        // No time runs twice, whatever the clock does.
        plan.run.retain(|at| last.is_none_or(|last| *at > last));
        let ran = match self.terms.within(unit, &schedule).await? {
            Standing::Ready(terms) => self.add(unit, &schedule, terms, &mut plan).await?,
            Standing::Refused => {
                plan.miss_all();
                Vec::new()
            }
            Standing::Off => {
                let scope = PluginScope {
                    project: schedule.project,
                    plugin: schedule.plugin,
                };
                unit.schedules().plugin_is_off(&scope).await?;
                return Ok(0);
            }
        };
        note(&ran, &plan, now);
        let count = ran.len();
        let advance = Advance {
            next: plan.next,
            ran: ran.last().copied(),
            missed: plan.missed,
            last_missed: plan.last_missed,
        };
        unit.schedules().advance(schedule.id, advance).await?;
        Ok(count)
    }

    /// Adds a job for each time; those that were added.
    async fn add(
        &self,
        unit: &Unit,
        schedule: &Schedule,
        terms: JobTerms,
        plan: &mut Plan,
    ) -> Result<Vec<(OffsetDateTime, ItemId)>> {
        if plan.run.is_empty() {
            return Ok(Vec::new());
        }
        let items: Vec<_> = plan
            .run
            .iter()
            .map(|at| item_of(schedule, terms, *at))
            .collect();
        let more = Backlog {
            items: items.len() as u64,
            bytes: items.iter().map(|item| item.payload.len() as u64).sum(),
        };
        let share = self
            .queue
            .take_share(&self.platform, schedule.project, more);
        if let Err(error) = share.await {
            if error.code() != "queue_full" {
                return Err(error);
            }
            tracing::warn!(%error, schedule = %schedule.id, "times of a schedule were missed");
            plan.miss_all();
            return Ok(Vec::new());
        }
        let added = unit.queue().enqueue(items).await?;
        let times = std::mem::take(&mut plan.run);
        let mut ran = Vec::with_capacity(added.len());
        for (at, added) in times.into_iter().zip(added) {
            match added {
                Enqueued::Added(id) => ran.push((at, id)),
                // The run before has not ended.
                Enqueued::Exists(_) => plan.miss([at]),
            }
        }
        Ok(ran)
    }
}

fn note(ran: &[(OffsetDateTime, ItemId)], plan: &Plan, now: OffsetDateTime) {
    let ran_count = ran.len() as u64;
    metrics::counter!("atlashub_schedule_times_total", "result" => "ran").increment(ran_count);
    metrics::counter!("atlashub_schedule_times_total", "result" => "missed").increment(plan.missed);
    for (at, _) in ran {
        let late = Duration::try_from(now - *at).unwrap_or_default();
        metrics::histogram!("atlashub_schedule_delay_seconds").record(late.as_secs_f64());
    }
}
