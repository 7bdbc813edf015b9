//! `PATCH /admin/v1/projects/{project}/users/{id}`: changes a user.

use super::{
    super::{caller::UserAdmin, view::UserView},
    UserPath,
};
use crate::{
    extract::{Json, Path, present},
    problem::Problem,
    state::HostState,
};
use atlashub_app::users::AccountPatch;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

/// What to change; absent members stay as they are.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct UserChange {
    /// Another address; it is unproven unless `email_verified` says more.
    email: Option<String>,
    /// Whether it is known that the address is the user's.
    email_verified: Option<bool>,
    /// Another name; null removes it.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    name: Option<Option<String>>,
    /// Another handle; null removes it.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    handle: Option<Option<String>>,
    /// The roles, in place of all.
    roles: Option<Vec<String>>,
    /// Shut out, which ends all sessions, or let in again.
    disabled: Option<bool>,
}

#[utoipa::path(
    patch, path = "/admin/v1/projects/{project}/users/{id}", tag = "users", operation_id = "change_user",
    description = "Also `/v1/auth/admin/users/{id}`. Roles and being shut out hold everywhere within a second.",
    params(("project" = String, Path, description = "Id or slug"), ("id" = String, Path, description = "The user's id")),
    request_body = UserChange,
    responses((status = 200, description = "The user as it is now", body = UserView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: UserAdmin,
    Path(path): Path<UserPath>,
    Json(body): Json<UserChange>,
) -> Result<axum::Json<UserView>, Problem> {
    let wanted = AccountPatch {
        email: body.email,
        email_verified: body.email_verified,
        password: None,
        name: body.name,
        handle: body.handle,
        roles: body.roles,
        disabled: body.disabled,
    };
    let user = state
        .app
        .change_user(&caller.actor, caller.project, path.id.parse()?, wanted)
        .await?;
    Ok(axum::Json(UserView::of(&state.app, user)))
}
