//! `GET /admin/v1/backup-runs/{id}`: how far a test or a restore is.

use super::{BackupRunView, id};
use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use axum::{Json, extract::State};

#[utoipa::path(
    get, path = "/admin/v1/backup-runs/{id}", tag = "backups", operation_id = "get_backup_run",
    params(("id" = String, Path, description = "The run's id")),
    responses((status = 200, description = "The test or restore", body = BackupRunView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path(run): Path<String>,
) -> Result<Json<BackupRunView>, Problem> {
    let run = state.app.backups().run(id(&run)?).await?;
    Ok(Json(run.into()))
}
