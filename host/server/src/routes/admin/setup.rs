//! `POST /admin/v1/setup`: the first owner; `GET` says whether there is one.

use super::session::{self, SessionView};
use crate::{
    client_address::ClientAddress, extract::Json, problem::Problem, request_id::RequestTag,
    state::HostState,
};
use axum::{Extension, extract::State, response::Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The first owner.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetUp {
    /// The owner's address.
    email: String,
    /// At least 8 characters.
    #[schema(format = Password)]
    password: String,
}

/// Whether there is an owner.
#[derive(Serialize, ToSchema)]
pub(crate) struct SetUpState {
    /// Whether there is an owner.
    set_up: bool,
}

#[utoipa::path(
    post, path = "/admin/v1/setup", tag = "admins", operation_id = "set_up", security(()),
    request_body = SetUp,
    responses((status = 201, description = "The owner is made and signed in", body = SessionView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    Extension(client): Extension<ClientAddress>,
    Extension(tag): Extension<RequestTag>,
    Json(body): Json<SetUp>,
) -> Result<Response, Problem> {
    let signed_in = state
        .app
        .set_up(&body.email, body.password.into(), client.0, Some(tag.id()))
        .await?;
    Ok(session::answer(StatusCode::CREATED, signed_in))
}

#[utoipa::path(
    get, path = "/admin/v1/setup", tag = "admins", operation_id = "show_set_up", security(()),
    responses((status = 200, description = "Whether there is an owner", body = SetUpState))
)]
pub(crate) async fn show(
    State(state): State<HostState>,
) -> Result<axum::Json<SetUpState>, Problem> {
    Ok(axum::Json(SetUpState {
        set_up: state.app.is_set_up().await?,
    }))
}
