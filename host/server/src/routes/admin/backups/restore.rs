//! `POST /admin/v1/projects/{project}/backups/{id}/restore`: over the project,
//! or as a new one. `POST /admin/v1/backups/{id}/restore` is for projects that
//! are gone.

use super::{BackupRunView, id};
use crate::{
    admin::AdminCaller,
    extract::{Json, Path},
    problem::Problem,
    state::HostState,
};
use atlashub_app::backups::RestoreInto;
use atlashub_core::{Error, Result as CoreResult};
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

/// How to restore: over the project with `confirm`, or as a new one with
/// `new`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RestoreBackup {
    /// The project's slug, typed again: everything in it is replaced.
    confirm: Option<String>,
    /// The project to make.
    new: Option<NewFromBackup>,
}

/// A project to be made of a backup.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewFromBackup {
    /// Its display name; that of the backup unless given.
    name: Option<String>,
    /// Its name in addresses; that of the backup, or one like it, unless given.
    slug: Option<String>,
}

#[utoipa::path(
    post, path = "/admin/v1/projects/{project}/backups/{id}/restore", tag = "backups", operation_id = "restore_backup",
    params(
        ("project" = String, Path, description = "Id or slug"),
        ("id" = String, Path, description = "The backup's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the first answer again"),
    ),
    request_body = RestoreBackup,
    responses((status = 202, description = "The restore, which goes on", body = BackupRunView))
)]
pub(crate) async fn of_project(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path((project, backup)): Path<(String, String)>,
    Json(body): Json<RestoreBackup>,
) -> Result<(StatusCode, axum::Json<BackupRunView>), Problem> {
    let into = match (body.confirm, body.new) {
        (Some(confirm), None) => RestoreInto::Over { confirm },
        (None, Some(new)) => made(new)?,
        _ => {
            return Err(Problem(Error::invalid(
                "confirmation_required",
                "write the project's slug as `confirm` to replace it, or `new` to make another",
            )));
        }
    };
    let project = state.app.project(&project).await?.id;
    let backups = state.app.backups();
    let run = backups
        .restore(&caller.actor, Some(project), id(&backup)?, into)
        .await?;
    Ok((StatusCode::ACCEPTED, axum::Json(run.into())))
}

#[utoipa::path(
    post, path = "/admin/v1/backups/{id}/restore", tag = "backups", operation_id = "restore_gone_project",
    params(
        ("id" = String, Path, description = "The id of a backup of any project"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the first answer again"),
    ),
    request_body = NewFromBackup,
    responses((status = 202, description = "The restore as a new project, which goes on", body = BackupRunView))
)]
pub(crate) async fn as_new(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path(backup): Path<String>,
    Json(body): Json<NewFromBackup>,
) -> Result<(StatusCode, axum::Json<BackupRunView>), Problem> {
    let backups = state.app.backups();
    let whose = backups.owner_of(id(&backup)?).await?;
    let run = backups
        .restore(&caller.actor, whose, id(&backup)?, made(body)?)
        .await?;
    Ok((StatusCode::ACCEPTED, axum::Json(run.into())))
}

fn made(new: NewFromBackup) -> CoreResult<RestoreInto> {
    Ok(RestoreInto::New {
        name: new.name,
        slug: new.slug.map(|slug| slug.parse()).transpose()?,
    })
}
