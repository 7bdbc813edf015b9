//! `GET /admin/v1/projects/{project}/backups/{id}` and
//! `GET /admin/v1/backups/{id}`: a backup, and the last work on it.

use super::{BackupRunView, BackupView, id};
use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use atlashub_core::ProjectId;
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

/// A backup, and the last work on it.
#[derive(Serialize, ToSchema)]
pub(crate) struct WholeBackupView {
    #[serde(flatten)]
    backup: BackupView,
    /// Tests and restores of it, newest first.
    runs: Vec<BackupRunView>,
}

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/backups/{id}", tag = "backups", operation_id = "get_backup",
    params(("project" = String, Path, description = "Id or slug"), ("id" = String, Path, description = "The backup's id")),
    responses((status = 200, description = "The backup", body = WholeBackupView))
)]
pub(crate) async fn of_project(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path((project, backup)): Path<(String, String)>,
) -> Result<Json<WholeBackupView>, Problem> {
    let project = state.app.project(&project).await?.id;
    show(&state, Some(project), &backup).await
}

#[utoipa::path(
    get, path = "/admin/v1/backups/{id}", tag = "backups", operation_id = "get_platform_backup",
    params(("id" = String, Path, description = "The backup's id: of the platform, or of any project")),
    responses((status = 200, description = "The backup", body = WholeBackupView))
)]
pub(crate) async fn of_platform(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path(backup): Path<String>,
) -> Result<Json<WholeBackupView>, Problem> {
    let whose = state.app.backups().owner_of(id(&backup)?).await?;
    show(&state, whose, &backup).await
}

async fn show(
    state: &HostState,
    project: Option<ProjectId>,
    backup: &str,
) -> Result<Json<WholeBackupView>, Problem> {
    let backups = state.app.backups();
    let backup = backups.get(project, id(backup)?).await?;
    let runs = backups.runs(backup.id).await?;
    Ok(Json(WholeBackupView {
        backup: backup.into(),
        runs: runs.into_iter().map(BackupRunView::from).collect(),
    }))
}
