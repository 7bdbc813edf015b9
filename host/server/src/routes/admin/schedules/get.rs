//! `GET /admin/v1/projects/{project}/schedules/{id}`.

use super::WholeScheduleView;
use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use axum::{Json, extract::State};

/// How many of the next times are shown.
const NEXT_TIMES: usize = 10;

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/schedules/{id}", tag = "schedules", operation_id = "get_schedule",
    params(("project" = String, Path, description = "Id or slug"), ("id" = String, Path, description = "The schedule's id")),
    responses((status = 200, description = "The schedule, with its next times", body = WholeScheduleView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path((project, id)): Path<(String, String)>,
) -> Result<Json<WholeScheduleView>, Problem> {
    let project = state.app.project(&project).await?;
    let schedule = state.app.schedule(project.id, id.parse()?).await?;
    let next = state.app.next_times(&schedule, NEXT_TIMES)?;
    Ok(Json(WholeScheduleView::new(schedule, &next)))
}
