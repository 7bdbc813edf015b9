//! `POST /admin/v1/projects/{project}/keys`: makes a key, shown once.

use super::NewKeyView;
use crate::{
    admin::AdminCaller,
    extract::{Json, Path},
    problem::Problem,
    state::HostState,
};
use atlashub_app::CreateKey;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// A key to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKey {
    /// `publishable` or `secret`.
    kind: String,
    /// What people call it.
    name: Option<String>,
    /// When it stops working by itself.
    #[serde(default, with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
}

#[utoipa::path(
    post, path = "/admin/v1/projects/{project}/keys", tag = "keys", operation_id = "create_key",
    params(
        ("project" = String, Path, description = "Id or slug"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the first answer again"),
    ),
    request_body = NewKey,
    responses((status = 201, description = "The key", body = NewKeyView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path(project): Path<String>,
    Json(body): Json<NewKey>,
) -> Result<(StatusCode, axum::Json<NewKeyView>), Problem> {
    let project = state.app.project(&project).await?;
    let wanted = CreateKey {
        kind: body.kind.parse()?,
        name: body.name,
        expires_at: body.expires_at,
    };
    let made = state
        .app
        .create_key(&caller.actor, project.id, wanted)
        .await?;
    Ok((StatusCode::CREATED, axum::Json(made.into())))
}
