//! `POST /admin/v1/projects/{project}/users/{id}/invite`: sends a user who has
//! no password yet a link that sets the first one.

use super::{super::caller::UserAdmin, UserPath};
use crate::{
    extract::{Json, Path},
    problem::Problem,
    state::HostState,
};
use atlashub_app::users::Onward;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Where the mail leads.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct InviteBody {
    /// One of the project's `redirect_urls`; the first of them unless given.
    redirect_to: Option<String>,
}

#[utoipa::path(
    post, path = "/admin/v1/projects/{project}/users/{id}/invite", tag = "users", operation_id = "invite_user",
    description = "Also `/v1/auth/admin/users/{id}/invite`.",
    params(
        ("project" = String, Path, description = "Id or slug"),
        ("id" = String, Path, description = "The user's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the first answer again"),
    ),
    request_body = Option<InviteBody>,
    responses((status = 202, description = "A mail is on its way", body = Value))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: UserAdmin,
    Path(path): Path<UserPath>,
    body: Option<Json<InviteBody>>,
) -> Result<(StatusCode, axum::Json<Value>), Problem> {
    let redirect = body.and_then(|Json(body)| body.redirect_to);
    state
        .app
        .invite_user(
            &caller.actor,
            caller.project,
            path.id.parse()?,
            Onward::to(redirect),
        )
        .await?;
    Ok((StatusCode::ACCEPTED, axum::Json(json!({}))))
}
