//! `POST /admin/v1/projects/{project}/schedules/{id}/pause`.

use super::ScheduleView;
use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use axum::{Json, extract::State};

#[utoipa::path(
    post, path = "/admin/v1/projects/{project}/schedules/{id}/pause", tag = "schedules", operation_id = "pause_schedule",
    params(("project" = String, Path, description = "Id or slug"), ("id" = String, Path, description = "The schedule's id")),
    responses((status = 200, description = "The schedule, on hold", body = ScheduleView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path((project, id)): Path<(String, String)>,
) -> Result<Json<ScheduleView>, Problem> {
    let project = state.app.project(&project).await?;
    let schedule = state
        .app
        .pause_schedule(&caller.actor, project.id, id.parse()?, true)
        .await?;
    Ok(Json(schedule.into()))
}
