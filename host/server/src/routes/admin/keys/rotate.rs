//! `POST /admin/v1/projects/{project}/keys/{id}/rotate`: a new key in place
//! of an old one.

use super::NewKeyView;
use crate::{admin::AdminCaller, extract::Path, problem::Problem, state::HostState};
use atlashub_app::RotateKey;
use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
};
use http::StatusCode;
use serde::Deserialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// How a key is replaced; may be left out.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rotation {
    /// How long the old key stays valid, seconds; 0 unless given, 30 days at
    /// most.
    overlap_seconds: u64,
    /// When the new key stops working by itself; as the old one unless given.
    #[serde(with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
}

#[utoipa::path(
    post, path = "/admin/v1/projects/{project}/keys/{id}/rotate", tag = "keys", operation_id = "rotate_key",
    params(
        ("project" = String, Path, description = "Id or slug"),
        ("id" = String, Path, description = "The key's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the first answer again"),
    ),
    request_body = Option<Rotation>,
    responses((status = 201, description = "The new key; the old one ends after the overlap", body = NewKeyView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path((project, id)): Path<(String, String)>,
    body: Result<Option<Json<Rotation>>, JsonRejection>,
) -> Result<(StatusCode, Json<NewKeyView>), Problem> {
    let Json(body) = body?.unwrap_or_default();
    let project = state.app.project(&project).await?;
    let wanted = RotateKey {
        overlap_seconds: body.overlap_seconds,
        expires_at: body.expires_at,
    };
    let made = state
        .app
        .rotate_key(&caller.actor, project.id, id.parse()?, wanted)
        .await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}
