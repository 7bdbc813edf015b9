//! `/admin/v1/projects/{project}/queue`: work that a project's plugins are to
//! do.

pub(crate) mod cancel;
pub(crate) mod counts;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod retry;

use crate::state::HostState;
use atlashub_data::platform::QueueItem;
use axum::{
    Router,
    routing::{get, post},
};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// What is below `/admin`.
pub(super) fn router() -> Router<HostState> {
    Router::new()
        .route("/v1/projects/{project}/queue", get(list::handle))
        .route("/v1/projects/{project}/queue/counts", get(counts::handle))
        .route("/v1/projects/{project}/queue/{id}", get(get::handle))
        .route(
            "/v1/projects/{project}/queue/{id}/retry",
            post(retry::handle),
        )
        .route(
            "/v1/projects/{project}/queue/{id}/cancel",
            post(cancel::handle),
        )
}

/// A piece of work.
#[derive(Serialize, ToSchema)]
pub(crate) struct ItemView {
    /// Its id.
    id: Uuid,
    /// `event`, `mail`, `job`, or `platform`: a job that the platform does.
    kind: String,
    /// The plugin that does it.
    consumer: String,
    /// What is to be done: of an event, its full name; of a job, its name.
    name: String,
    /// The plugin that asked for it.
    #[schema(required)]
    source: Option<String>,
    /// What it is about: of an event, its id; of a schedule's job, the
    /// schedule's.
    subject: Uuid,
    /// The schedule that a job comes from.
    #[schema(required)]
    schedule: Option<String>,
    /// The time at which that was due.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    scheduled_at: Option<OffsetDateTime>,
    /// The request in which it was asked for.
    #[schema(required)]
    request_id: Option<Uuid>,
    /// `waiting` (behind another of its key), `ready`, `scheduled` (to be
    /// tried later), `held` (the plugin is off), `running`, `done`, `dead`
    /// (given up) or `cancelled`.
    state: &'static str,
    /// Items with the same key are worked on in order, one at a time.
    #[schema(required)]
    ordering_key: Option<String>,
    /// At most one open item has this key.
    #[schema(required)]
    unique_key: Option<String>,
    /// Within the project, lower numbers go first.
    priority: i64,
    /// When it may be taken.
    #[serde(with = "time::serde::rfc3339")]
    due_at: OffsetDateTime,
    /// The number of the last try, 0 before the first.
    attempt: u32,
    /// Tries after which it is given up.
    max_attempts: u32,
    /// How far the work is, percent.
    #[schema(required)]
    progress: Option<u8>,
    /// How far it is, in words.
    #[schema(required)]
    progress_note: Option<String>,
    /// Why the last try failed.
    #[schema(required)]
    error: Option<FailureView>,
    /// When it was added.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When the last try began.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    started_at: Option<OffsetDateTime>,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    finished_at: Option<OffsetDateTime>,
}

/// Why a try failed.
#[derive(Serialize, ToSchema)]
pub(crate) struct FailureView {
    /// A stable code.
    code: String,
    /// What happened.
    message: String,
}

/// A piece of work, with what it is to be done with.
#[derive(Serialize, ToSchema)]
pub(crate) struct WholeItemView {
    #[serde(flatten)]
    item: ItemView,
    /// What it is to be done with; null once it is done.
    #[schema(value_type = Object, required, nullable)]
    payload: Value,
}

impl From<QueueItem> for ItemView {
    fn from(item: QueueItem) -> Self {
        let tick = item.job.and_then(|job| job.tick);
        Self {
            id: *item.id.as_uuid(),
            kind: item.kind.as_str().to_owned(),
            consumer: item.consumer.to_string(),
            name: item.name,
            source: item.source.map(|source| source.to_string()),
            subject: item.subject,
            scheduled_at: tick.as_ref().map(|tick| tick.due_at),
            schedule: tick.map(|tick| tick.schedule),
            request_id: item.request.map(|id| *id.as_uuid()),
            state: item.state.as_str(),
            ordering_key: item.ordering_key,
            unique_key: item.unique_key,
            priority: item.priority,
            due_at: item.due_at,
            attempt: item.attempt,
            max_attempts: item.max_attempts,
            progress: item.progress,
            progress_note: item.progress_note,
            error: item.failure.map(|failure| FailureView {
                code: failure.code,
                message: failure.message,
            }),
            created_at: item.created_at,
            started_at: item.started_at,
            finished_at: item.finished_at,
        }
    }
}

impl From<QueueItem> for WholeItemView {
    fn from(item: QueueItem) -> Self {
        Self {
            payload: serde_json::from_str(&item.payload).unwrap_or_default(),
            item: item.into(),
        }
    }
}
