//! `/admin/v1/projects/{project}/schedules`: times at which jobs of a
//! project's plugins come by themselves.

pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod pause;
pub(crate) mod resume;
pub(crate) mod run;

use crate::state::HostState;
use atlashub_core::capability::jobs::Schedule;
use axum::{
    Router,
    routing::{get, post},
};
use serde::Serialize;
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use utoipa::ToSchema;
use uuid::Uuid;

/// What is below `/admin`.
pub(super) fn router() -> Router<HostState> {
    Router::new()
        .route("/v1/projects/{project}/schedules", get(list::handle))
        .route("/v1/projects/{project}/schedules/{id}", get(get::handle))
        .route(
            "/v1/projects/{project}/schedules/{id}/pause",
            post(pause::handle),
        )
        .route(
            "/v1/projects/{project}/schedules/{id}/resume",
            post(resume::handle),
        )
}

/// Creating calls, which take an `Idempotency-Key`.
pub(super) fn creating() -> Router<HostState> {
    Router::new().route(
        "/v1/projects/{project}/schedules/{id}/run",
        post(run::handle),
    )
}

/// A schedule.
#[derive(Serialize, ToSchema)]
pub(crate) struct ScheduleView {
    /// Its id.
    id: Uuid,
    /// The plugin whose it is.
    plugin: String,
    /// Its name within the plugin.
    name: String,
    /// The plugin's job, or `platform:` and one of the platform's.
    job: String,
    /// Six fields: second, minute, hour, day of the month, month, day of the
    /// week.
    expression: String,
    /// As the IANA names it.
    zone: String,
    /// What becomes of times that went by: `skip`, `once` or `all`.
    catch_up: &'static str,
    /// Whether a run may begin while the one before has not ended.
    overlap: bool,
    /// Whether the plugin has it on.
    enabled: bool,
    /// Whether an admin has put it on hold.
    paused: bool,
    /// Whether its plugin is off.
    suspended: bool,
    /// Whether it stands in the plugin's manifest.
    fixed: bool,
    /// When it is due next.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    next_at: Option<OffsetDateTime>,
    /// When it was due the last time that it ran.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    last_due_at: Option<OffsetDateTime>,
    /// The last job that it made, in the queue.
    #[schema(required)]
    last_job: Option<Uuid>,
    /// Times that went by without a run.
    missed: u64,
    /// The last of them.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    last_missed_at: Option<OffsetDateTime>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it was changed.
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

/// A schedule, with what its jobs carry and its next times.
#[derive(Serialize, ToSchema)]
pub(crate) struct WholeScheduleView {
    #[serde(flatten)]
    schedule: ScheduleView,
    /// What each of its jobs carries.
    #[schema(value_type = Object, required, nullable)]
    payload: Value,
    /// The next times, RFC 3339 in UTC, as if it were on.
    next_times: Vec<String>,
}

impl From<Schedule> for ScheduleView {
    fn from(schedule: Schedule) -> Self {
        let terms = schedule.terms;
        Self {
            id: *schedule.id.as_uuid(),
            plugin: schedule.plugin.to_string(),
            name: schedule.name,
            job: terms.target.to_string(),
            expression: terms.expression,
            zone: terms.zone,
            catch_up: terms.catch_up.as_str(),
            overlap: terms.overlap,
            enabled: terms.enabled,
            paused: schedule.paused,
            suspended: schedule.suspended,
            fixed: schedule.fixed,
            next_at: schedule.next_at,
            last_due_at: schedule.last_due_at,
            last_job: schedule.last_item.map(|item| *item.as_uuid()),
            missed: schedule.missed,
            last_missed_at: schedule.last_missed_at,
            created_at: schedule.created_at,
            updated_at: schedule.updated_at,
        }
    }
}

impl WholeScheduleView {
    fn new(schedule: Schedule, next: &[OffsetDateTime]) -> Self {
        Self {
            payload: serde_json::from_str(&schedule.terms.payload).unwrap_or_default(),
            next_times: next
                .iter()
                .filter_map(|at| at.format(&Rfc3339).ok())
                .collect(),
            schedule: schedule.into(),
        }
    }
}
