//! `GET /admin/v1/projects/{project}/backups/{id}/download` and
//! `GET /admin/v1/backups/{id}/download`: a signed link to the archive.

use super::id;
use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use atlashub_app::backups::BackupDownload;
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

/// Where an archive can be fetched.
#[derive(Serialize, ToSchema)]
pub(crate) struct BackupDownloadView {
    /// The address; whoever has it can fetch the archive.
    url: String,
    /// How long it is good, seconds.
    expires_in: u64,
    /// What the file should be called.
    filename: String,
    /// Bytes of the archive.
    bytes: u64,
    /// Its SHA-256 in hexadecimal digits.
    #[schema(required)]
    sha256: Option<String>,
}

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/backups/{id}/download", tag = "backups", operation_id = "download_backup",
    params(("project" = String, Path, description = "Id or slug"), ("id" = String, Path, description = "The backup's id")),
    responses((status = 200, description = "A link to the archive", body = BackupDownloadView))
)]
pub(crate) async fn of_project(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path((project, backup)): Path<(String, String)>,
) -> Result<Json<BackupDownloadView>, Problem> {
    let project = state.app.project(&project).await?.id;
    let backups = state.app.backups();
    let link = backups
        .download(&caller.actor, Some(project), id(&backup)?)
        .await?;
    Ok(Json(link.into()))
}

#[utoipa::path(
    get, path = "/admin/v1/backups/{id}/download", tag = "backups", operation_id = "download_platform_backup",
    params(("id" = String, Path, description = "The backup's id: of the platform, or of a project that is gone")),
    responses((status = 200, description = "A link to the archive", body = BackupDownloadView))
)]
pub(crate) async fn of_platform(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path(backup): Path<String>,
) -> Result<Json<BackupDownloadView>, Problem> {
    let backups = state.app.backups();
    let whose = backups.owner_of(id(&backup)?).await?;
    let link = backups.download(&caller.actor, whose, id(&backup)?).await?;
    Ok(Json(link.into()))
}

impl From<BackupDownload> for BackupDownloadView {
    fn from(link: BackupDownload) -> Self {
        Self {
            url: link.url,
            expires_in: link.valid.as_secs(),
            filename: link.filename,
            bytes: link.bytes,
            sha256: link.sha256,
        }
    }
}
