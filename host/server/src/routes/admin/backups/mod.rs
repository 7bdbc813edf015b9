//! `/admin/v1/projects/{project}/backups`, `/admin/v1/backups` and the
//! policies: backups of projects and of the platform.

pub(crate) mod create;
pub(crate) mod download;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod policy;
pub(crate) mod remove;
pub(crate) mod restore;
pub(crate) mod run;
pub(crate) mod verify;

use crate::state::HostState;
use atlashub_core::{Error, Result};
use atlashub_data::platform::{Backup, BackupRun};
use axum::{
    Router,
    routing::{get, post},
};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// What is below `/admin`, without what creates.
pub(super) fn router() -> Router<HostState> {
    Router::new()
        .route("/v1/backups", get(list::of_all))
        .route(
            "/v1/backups/{id}",
            get(get::of_platform).delete(remove::of_platform),
        )
        .route("/v1/backups/{id}/download", get(download::of_platform))
        .route("/v1/backup-runs/{id}", get(run::handle))
        .route(
            "/v1/backup-policy",
            get(policy::show_platforms).put(policy::put_platforms),
        )
        .route("/v1/projects/{project}/backups", get(list::of_project))
        .route(
            "/v1/projects/{project}/backups/{id}",
            get(get::of_project).delete(remove::of_project),
        )
        .route(
            "/v1/projects/{project}/backups/{id}/download",
            get(download::of_project),
        )
        .route(
            "/v1/projects/{project}/backup-policy",
            get(policy::show_projects).put(policy::put_projects),
        )
}

/// Calls that make a backup or begin a run, which take an `Idempotency-Key`.
pub(super) fn creating() -> Router<HostState> {
    Router::new()
        .route("/v1/backups", post(create::of_platform))
        .route("/v1/backups/{id}/verify", post(verify::of_platform))
        .route("/v1/backups/{id}/restore", post(restore::as_new))
        .route("/v1/projects/{project}/backups", post(create::of_project))
        .route(
            "/v1/projects/{project}/backups/{id}/verify",
            post(verify::of_project),
        )
        .route(
            "/v1/projects/{project}/backups/{id}/restore",
            post(restore::of_project),
        )
}

/// A backup.
#[derive(Serialize, ToSchema)]
pub(crate) struct BackupView {
    /// Its id.
    id: Uuid,
    /// The project; null for the platform.
    #[schema(required)]
    project: Option<Uuid>,
    /// What the project was called.
    #[schema(required)]
    slug: Option<String>,
    /// `manual`, `scheduled` or `before_restore`.
    reason: String,
    /// `running`, `ready` or `failed`.
    state: String,
    /// What is being done, or was done last.
    step: String,
    /// Bytes of the archive, so far.
    bytes: u64,
    /// SHA-256 of the archive in hexadecimal digits, once it is ready.
    #[schema(required)]
    sha256: Option<String>,
    /// Objects in it.
    objects: u64,
    /// Rows of the platform in it.
    rows: u64,
    /// Why it failed.
    #[schema(required)]
    error: Option<String>,
    /// Who asked for it.
    actor: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it was ready or failed.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    finished_at: Option<OffsetDateTime>,
    /// When it was last tested.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    verified_at: Option<OffsetDateTime>,
    /// What was wrong then.
    #[schema(required)]
    verify_error: Option<String>,
}

/// Work on a backup.
#[derive(Serialize, ToSchema)]
pub(crate) struct BackupRunView {
    /// Its id.
    id: Uuid,
    /// The backup.
    backup: Uuid,
    /// `verify`, `restore_new` or `restore_over`.
    kind: String,
    /// The project that is made or replaced.
    #[schema(required)]
    project: Option<Uuid>,
    /// `running`, `done` or `failed`.
    state: String,
    /// What is being done, or was done last.
    step: String,
    /// Bytes that were read.
    bytes: u64,
    /// The backup of what a restore replaced.
    #[schema(required)]
    before: Option<Uuid>,
    /// Why it failed; then nothing has changed.
    #[schema(required)]
    error: Option<String>,
    /// Who asked for it.
    actor: String,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    finished_at: Option<OffsetDateTime>,
}

impl From<Backup> for BackupView {
    fn from(backup: Backup) -> Self {
        Self {
            id: backup.id,
            project: backup.project.map(|id| *id.as_uuid()),
            slug: backup.slug,
            reason: backup.reason,
            state: backup.state,
            step: backup.step,
            bytes: backup.bytes,
            sha256: backup.sha256,
            objects: backup.objects,
            rows: backup.rows,
            error: backup.error,
            actor: backup.actor,
            created_at: backup.created_at,
            finished_at: backup.finished_at,
            verified_at: backup.verified_at,
            verify_error: backup.verify_error,
        }
    }
}

impl From<BackupRun> for BackupRunView {
    fn from(run: BackupRun) -> Self {
        Self {
            id: run.id,
            backup: run.backup,
            kind: run.kind,
            project: run.project.map(|id| *id.as_uuid()),
            state: run.state,
            step: run.step,
            bytes: run.bytes,
            before: run.before,
            error: run.error,
            actor: run.actor,
            created_at: run.created_at,
            finished_at: run.finished_at,
        }
    }
}

/// The id of a backup or a run in an address.
fn id(text: &str) -> Result<Uuid> {
    text.parse()
        .map_err(|_| Error::bad_request("invalid_id", "the id is not a UUID"))
}
