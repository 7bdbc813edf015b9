//! `/admin/v1/series` and `/admin/v1/projects/{project}/series`: what projects
//! did over time.

pub(crate) mod all;
pub(crate) mod of_project;
pub(crate) mod projects;

use crate::state::HostState;
use atlashub_app::series::{Quantiles, SeriesAsked, SeriesStep, SeriesView, ViewedPoint};
use atlashub_data::platform::SeriesCounts;
use axum::{Router, routing::get};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

/// What is below `/admin`.
pub(super) fn router() -> Router<HostState> {
    Router::new()
        .route("/v1/series", get(all::handle))
        .route("/v1/series/projects", get(projects::handle))
        .route("/v1/projects/{project}/series", get(of_project::handle))
}

/// How long a point is.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SeriesStepName {
    /// A minute; known for 24 hours.
    Minute,
    /// Ten minutes; known for 24 hours.
    TenMinutes,
    /// An hour; known for 30 days.
    Hour,
    /// A day (UTC); known for 400 days.
    Day,
}

impl From<SeriesStepName> for SeriesStep {
    fn from(step: SeriesStepName) -> Self {
        match step {
            SeriesStepName::Minute => Self::Minute,
            SeriesStepName::TenMinutes => Self::TenMinutes,
            SeriesStepName::Hour => Self::Hour,
            SeriesStepName::Day => Self::Day,
        }
    }
}

impl From<SeriesStep> for SeriesStepName {
    fn from(step: SeriesStep) -> Self {
        match step {
            SeriesStep::Minute => Self::Minute,
            SeriesStep::TenMinutes => Self::TenMinutes,
            SeriesStep::Hour => Self::Hour,
            SeriesStep::Day => Self::Day,
        }
    }
}

/// Which points; 1500 at most.
#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RangeQuery {
    /// From when on; an hour before `to` unless given. Rounded down to a
    /// whole step.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<OffsetDateTime>,
    /// Until when; until now unless given. Rounded up to a whole step.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<OffsetDateTime>,
    /// How long a point is; the shortest that fits unless given.
    #[param(inline)]
    step: Option<SeriesStepName>,
}

impl From<RangeQuery> for SeriesAsked {
    fn from(query: RangeQuery) -> Self {
        Self {
            from: query.from,
            to: query.to,
            step: query.step.map(SeriesStep::from),
        }
    }
}

/// What happened in a range.
#[derive(Serialize, ToSchema)]
pub(crate) struct SeriesAnswer {
    /// Where the first point begins.
    #[serde(with = "time::serde::rfc3339")]
    from: OffsetDateTime,
    /// Where the last ends.
    #[serde(with = "time::serde::rfc3339")]
    to: OffsetDateTime,
    /// How long each is.
    step: SeriesStepName,
    /// All of it together.
    total: CountedView,
    /// One for each step, oldest first. What happened within the last minute
    /// may be missing.
    points: Vec<SeriesPointView>,
}

/// What happened in one step.
#[derive(Serialize, ToSchema)]
pub(crate) struct SeriesPointView {
    /// Its beginning.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    #[serde(flatten)]
    counts: CountedView,
    /// Bytes in storage at its end; null before there was anything, and of one
    /// plugin.
    #[schema(required)]
    storage_bytes: Option<u64>,
    /// Open items of the queue at its end; null as above.
    #[schema(required)]
    jobs_waiting: Option<u64>,
}

/// What was counted.
#[derive(Serialize, ToSchema)]
pub(crate) struct CountedView {
    /// Requests from outside.
    requests: u64,
    /// Of those, answered with 400 to 499.
    client_errors: u64,
    /// Of those, answered with 500 or above.
    server_errors: u64,
    /// Bytes of answers whose length was known beforehand.
    bytes_out: u64,
    /// Items of the queue that were done.
    jobs_done: u64,
    /// Items of the queue that were given up.
    jobs_failed: u64,
    /// How long answers took until their head was there, about; null when
    /// there were none.
    #[schema(required)]
    latency_ms: Option<SeriesLatencyView>,
}

/// Quantiles, milliseconds.
#[derive(Serialize, ToSchema)]
pub(crate) struct SeriesLatencyView {
    /// The median.
    p50: f64,
    /// The 95th percentile.
    p95: f64,
    /// The 99th percentile.
    p99: f64,
}

impl CountedView {
    fn of(counts: &SeriesCounts, latency: Option<Quantiles>) -> Self {
        Self {
            requests: counts.requests,
            client_errors: counts.client_errors,
            server_errors: counts.server_errors,
            bytes_out: counts.bytes_out,
            jobs_done: counts.jobs_done,
            jobs_failed: counts.jobs_failed,
            latency_ms: latency.map(|Quantiles { p50, p95, p99 }| SeriesLatencyView {
                p50,
                p95,
                p99,
            }),
        }
    }
}

impl From<ViewedPoint> for SeriesPointView {
    fn from(point: ViewedPoint) -> Self {
        Self {
            at: point.at,
            counts: CountedView::of(&point.counts, point.latency),
            storage_bytes: point.level.map(|level| level.storage_bytes),
            jobs_waiting: point.level.map(|level| level.jobs_waiting),
        }
    }
}

impl From<SeriesView> for SeriesAnswer {
    fn from(view: SeriesView) -> Self {
        Self {
            from: view.from,
            to: view.to,
            step: view.step.into(),
            total: CountedView::of(&view.total, view.latency),
            points: view.points.into_iter().map(SeriesPointView::from).collect(),
        }
    }
}
