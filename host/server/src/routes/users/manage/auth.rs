//! `/admin/v1/projects/{project}/auth`: how a project lets its end users in.

use crate::{
    admin::AdminCaller,
    extract::{IfMatch, Json, Path, Tagged},
    problem::Problem,
    state::HostState,
};
use atlashub_app::users::AuthSettings;
use axum::extract::State;
use serde_json::Value;

#[utoipa::path(
    get, path = "/admin/v1/projects/{project}/auth", tag = "users", operation_id = "get_auth_settings",
    params(("project" = String, Path, description = "Id or slug")),
    responses((status = 200, description = "`enabled`, `sign_up` (open, invite, closed), `password_min_characters`, `access_token_seconds`, `refresh_token_seconds`, `require_verified_email`, `redirect_urls`, `mail_templates`", body = Value, headers(("ETag" = String, description = "What `If-Match` takes"))))
)]
pub(crate) async fn show(
    State(state): State<HostState>,
    _caller: AdminCaller,
    Path(project): Path<String>,
) -> Result<Tagged<axum::Json<AuthSettings>>, Problem> {
    let project = state.app.project(&project).await?;
    tagged(state.app.auth_settings(project.id).await?)
}

fn tagged(settings: AuthSettings) -> Result<Tagged<axum::Json<AuthSettings>>, Problem> {
    Ok(Tagged {
        tag: settings.tag()?,
        answer: axum::Json(settings),
    })
}

#[utoipa::path(
    put, path = "/admin/v1/projects/{project}/auth", tag = "users", operation_id = "put_auth_settings",
    params(
        ("project" = String, Path, description = "Id or slug"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of what was read: only what has it is changed"),
    ),
    request_body(content = Value, description = "As GET answers; absent members take their defaults"),
    responses(
        (status = 200, description = "What holds now, on every node within a second", body = Value, headers(("ETag" = String, description = "What `If-Match` takes"))),
        (status = 412, description = "It is another than `If-Match` says; nothing has changed"),
    )
)]
pub(crate) async fn put(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path(project): Path<String>,
    IfMatch(condition): IfMatch,
    Json(settings): Json<AuthSettings>,
) -> Result<Tagged<axum::Json<AuthSettings>>, Problem> {
    let project = state.app.project(&project).await?;
    state
        .app
        .put_auth_settings(&caller.actor, project.id, &settings, &condition)
        .await?;
    tagged(settings)
}

#[utoipa::path(
    post, path = "/admin/v1/projects/{project}/auth/keys/rotate", tag = "users", operation_id = "rotate_token_key",
    params(
        ("project" = String, Path, description = "Id or slug"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the first answer again"),
    ),
    responses((status = 200, description = "The public keys; tokens of the key before stay valid until they run out", body = Value))
)]
pub(crate) async fn rotate(
    State(state): State<HostState>,
    caller: AdminCaller,
    Path(project): Path<String>,
) -> Result<axum::Json<Value>, Problem> {
    let project = state.app.project(&project).await?;
    let keys = state
        .app
        .rotate_token_key(&caller.actor, project.id)
        .await?;
    Ok(axum::Json(keys))
}
