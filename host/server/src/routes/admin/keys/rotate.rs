//! `POST /admin/v1/projects/{project}/keys/{id}/rotate`: a new key in place
//! of an old one.

use super::NewKeyView;
use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use axum::{Json, extract::State};
use http::StatusCode;

#[utoipa::path(
    post, path = "/admin/v1/projects/{project}/keys/{id}/rotate", tag = "keys", operation_id = "rotate_key",
    params(("project" = String, Path, description = "Id or slug"), ("id" = String, Path, description = "The key's id")),
    responses((status = 201, description = "The new key; the old one is revoked", body = NewKeyView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path((project, id)): Path<(String, String)>,
) -> Result<(StatusCode, Json<NewKeyView>), Problem> {
    let project = state.app.project(&project).await?;
    let made = state
        .app
        .rotate_key(&caller.actor, project.id, id.parse()?)
        .await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}
