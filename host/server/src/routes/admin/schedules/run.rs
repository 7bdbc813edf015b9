//! `POST /admin/v1/projects/{project}/schedules/{id}/run`.

use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// The job of a schedule that was run out of its turn.
#[derive(Serialize, ToSchema)]
pub(crate) struct ScheduleRunView {
    /// The job, in the queue.
    job: Uuid,
    /// Whether it was there before: the run before has not ended.
    existing: bool,
}

#[utoipa::path(
    post, path = "/admin/v1/projects/{project}/schedules/{id}/run", tag = "schedules", operation_id = "run_schedule",
    params(
        ("project" = String, Path, description = "Id or slug"),
        ("id" = String, Path, description = "The schedule's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the first answer again"),
    ),
    responses((status = 202, description = "Its job, in the queue", body = ScheduleRunView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path((project, id)): Path<(String, String)>,
) -> Result<(StatusCode, Json<ScheduleRunView>), Problem> {
    let project = state.app.project(&project).await?;
    let added = state
        .app
        .run_schedule(&caller.actor, project.id, id.parse()?)
        .await?;
    let view = ScheduleRunView {
        job: *added.id.as_uuid(),
        existing: added.existing,
    };
    Ok((StatusCode::ACCEPTED, Json(view)))
}
