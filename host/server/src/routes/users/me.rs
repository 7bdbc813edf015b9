//! `GET` and `PUT /v1/auth/me`: the own profile.

use super::{caller::Me, view::UserView};
use crate::{
    extract::{Json, present},
    problem::Problem,
    state::HostState,
};
use atlashub_app::users::ProfilePatch;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

/// What to change; absent members stay as they are, null removes.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct ProfileBody {
    /// The name that others see.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    name: Option<Option<String>>,
    /// What the user says of itself.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    bio: Option<Option<String>>,
    /// The handle.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    handle: Option<Option<String>>,
}

#[utoipa::path(
    get, path = "/v1/auth/me", tag = "users", operation_id = "get_me", security(("user" = [])),
    responses((status = 200, description = "The user", body = UserView))
)]
pub(crate) async fn show(
    State(state): State<HostState>,
    Me(me): Me,
) -> Result<axum::Json<UserView>, Problem> {
    let user = state.app.signed_in_user(&me).await?;
    Ok(axum::Json(UserView::of(&state.app, user)))
}

#[utoipa::path(
    put, path = "/v1/auth/me", tag = "users", operation_id = "update_me", security(("user" = [])),
    request_body = ProfileBody,
    responses((status = 200, description = "The user as it is now", body = UserView))
)]
pub(crate) async fn update(
    State(state): State<HostState>,
    Me(me): Me,
    Json(body): Json<ProfileBody>,
) -> Result<axum::Json<UserView>, Problem> {
    let patch = ProfilePatch {
        name: body.name,
        bio: body.bio,
        handle: body.handle,
    };
    let user = state.app.update_profile(&me, patch).await?;
    Ok(axum::Json(UserView::of(&state.app, user)))
}
