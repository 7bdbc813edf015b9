//! `POST /admin/v1/projects/{project}/backups/{id}/verify` and
//! `POST /admin/v1/backups/{id}/verify`: reads a backup whole, loads it, and
//! throws that away.

use super::{BackupRunView, id};
use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use axum::{Json, extract::State};
use http::StatusCode;

#[utoipa::path(
    post, path = "/admin/v1/projects/{project}/backups/{id}/verify", tag = "backups", operation_id = "verify_backup",
    params(
        ("project" = String, Path, description = "Id or slug"),
        ("id" = String, Path, description = "The backup's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the first answer again"),
    ),
    responses((status = 202, description = "The test, which goes on", body = BackupRunView))
)]
pub(crate) async fn of_project(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path((project, backup)): Path<(String, String)>,
) -> Result<(StatusCode, Json<BackupRunView>), Problem> {
    let project = state.app.project(&project).await?.id;
    let backups = state.app.backups();
    let run = backups
        .verify(&caller.actor, Some(project), id(&backup)?)
        .await?;
    Ok((StatusCode::ACCEPTED, Json(run.into())))
}

#[utoipa::path(
    post, path = "/admin/v1/backups/{id}/verify", tag = "backups", operation_id = "verify_platform_backup",
    params(
        ("id" = String, Path, description = "The backup's id: of the platform, or of a project that is gone"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the first answer again"),
    ),
    responses((status = 202, description = "The test, which goes on", body = BackupRunView))
)]
pub(crate) async fn of_platform(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path(backup): Path<String>,
) -> Result<(StatusCode, Json<BackupRunView>), Problem> {
    let backups = state.app.backups();
    let whose = backups.owner_of(id(&backup)?).await?;
    let run = backups.verify(&caller.actor, whose, id(&backup)?).await?;
    Ok((StatusCode::ACCEPTED, Json(run.into())))
}
