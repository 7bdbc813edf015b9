//! `POST /admin/v1/projects/{project}/backups` and `POST /admin/v1/backups`.

use super::BackupView;
use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use atlashub_core::ProjectId;
use atlashub_data::platform::BackupReason;
use axum::{Json, extract::State, response::IntoResponse};
use http::StatusCode;

#[utoipa::path(
    post, path = "/admin/v1/projects/{project}/backups", tag = "backups", operation_id = "create_backup",
    params(
        ("project" = String, Path, description = "Id or slug"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the first answer again"),
    ),
    responses((status = 202, description = "The backup, which is being made", body = BackupView))
)]
pub(crate) async fn of_project(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path(project): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let project = state.app.project(&project).await?.id;
    begin(&state, &caller, Some(project)).await
}

#[utoipa::path(
    post, path = "/admin/v1/backups", tag = "backups", operation_id = "create_platform_backup",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the first answer again")),
    responses((status = 202, description = "The backup, which is being made", body = BackupView))
)]
pub(crate) async fn of_platform(
    State(state): State<HostState>,
    caller: AdminCaller,
) -> Result<impl IntoResponse, Problem> {
    begin(&state, &caller, None).await
}

async fn begin(
    state: &HostState,
    caller: &AdminCaller,
    project: Option<ProjectId>,
) -> Result<(StatusCode, Json<BackupView>), Problem> {
    let backups = state.app.backups();
    let backup = backups
        .begin(&caller.actor, project, BackupReason::Manual)
        .await?;
    Ok((StatusCode::ACCEPTED, Json(backup.into())))
}
