//! `POST /admin/v1/session`: signs in.

use super::{SessionView, answer};
use crate::{
    client_address::ClientAddress, extract::Json, problem::Problem, request_id::RequestTag,
    state::HostState,
};
use axum::{Extension, extract::State, response::Response};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

/// Who signs in.
#[derive(Deserialize, ToSchema)]
pub(crate) struct SignIn {
    /// The admin's address.
    email: String,
    /// The password.
    #[schema(format = Password)]
    password: String,
}

#[utoipa::path(
    post, path = "/admin/v1/session", tag = "admins", operation_id = "sign_in", security(()),
    request_body = SignIn,
    responses((status = 200, description = "Signed in", body = SessionView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    Extension(client): Extension<ClientAddress>,
    Extension(tag): Extension<RequestTag>,
    Json(body): Json<SignIn>,
) -> Result<Response, Problem> {
    let signed_in = state
        .app
        .sign_in(&body.email, body.password.into(), client.0, Some(tag.id()))
        .await?;
    Ok(answer(StatusCode::OK, signed_in))
}
