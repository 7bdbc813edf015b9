//! `POST /admin/v1/projects/{project}/users`: adds a user.

use super::super::{caller::UserAdmin, view::UserView};
use crate::{extract::Json, problem::Problem, state::HostState};
use atlashub_app::users::AddUser;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

/// A user to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUserBody {
    /// The address.
    email: String,
    /// The password; without one the user signs in by mail, or sets one.
    #[schema(format = Password)]
    password: Option<String>,
    /// The name that others see.
    name: Option<String>,
    /// The handle.
    handle: Option<String>,
    /// The roles; `editor` unless given.
    roles: Option<Vec<String>>,
    /// Whether it is known that the address is the user's.
    #[serde(default)]
    email_verified: bool,
}

#[utoipa::path(
    post, path = "/admin/v1/projects/{project}/users", tag = "users", operation_id = "add_user",
    description = "Also `/v1/auth/admin/users`, for users with the role `admin` and secret keys.",
    params(
        ("project" = String, Path, description = "Id or slug"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body: the first answer again"),
    ),
    request_body = NewUserBody,
    responses((status = 201, description = "The user", body = UserView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    caller: UserAdmin,
    Json(body): Json<NewUserBody>,
) -> Result<(StatusCode, axum::Json<UserView>), Problem> {
    let wanted = AddUser {
        email: body.email,
        password: body.password.map(Into::into),
        name: body.name,
        handle: body.handle,
        roles: body.roles,
        email_verified: body.email_verified,
    };
    let user = state
        .app
        .add_user(&caller.actor, caller.project, wanted)
        .await?;
    Ok((
        StatusCode::CREATED,
        axum::Json(UserView::of(&state.app, user)),
    ))
}
