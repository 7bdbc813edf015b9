//! `GET /admin/v1/projects/{project}/queue/counts`.

use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use atlashub_data::platform::{ItemState, QueueCounts};
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

/// How many items are in each state.
#[derive(Serialize, ToSchema)]
pub(crate) struct CountsView {
    /// Behind another of their key.
    waiting: u64,
    /// May be taken.
    ready: u64,
    /// To be tried later.
    scheduled: u64,
    /// Their plugin is off.
    held: u64,
    /// Being worked on.
    running: u64,
    /// Done, as long as that is remembered.
    done: u64,
    /// Given up.
    dead: u64,
    /// Taken back.
    cancelled: u64,
}

impl From<QueueCounts> for CountsView {
    fn from(counts: QueueCounts) -> Self {
        Self {
            waiting: counts.of(ItemState::Waiting),
            ready: counts.of(ItemState::Ready),
            scheduled: counts.of(ItemState::Scheduled),
            held: counts.of(ItemState::Held),
            running: counts.of(ItemState::Running),
            done: counts.of(ItemState::Done),
            dead: counts.of(ItemState::Dead),
            cancelled: counts.of(ItemState::Cancelled),
        }
    }
}

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/queue/counts", tag = "queue", operation_id = "count_queue",
    params(("project" = String, Path, description = "Id or slug")),
    responses((status = 200, description = "How many items are in each state", body = CountsView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path(project): Path<String>,
) -> Result<Json<CountsView>, Problem> {
    let project = state.app.project(&project).await?;
    let counts = state.app.queue_counts(project.id).await?;
    Ok(Json(counts.into()))
}
