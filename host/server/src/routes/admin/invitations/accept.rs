//! `POST /admin/v1/invitations/accept`: becomes an admin.

use crate::{
    client_address::ClientAddress,
    extract::Json,
    problem::Problem,
    request_id::RequestTag,
    routes::admin::session::{self, SessionView},
    state::HostState,
};
use axum::{Extension, extract::State, response::Response};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

/// An invitation and the password to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acceptance {
    /// The invitation's token.
    token: String,
    /// At least 8 characters.
    #[schema(format = Password)]
    password: String,
}

#[utoipa::path(
    post, path = "/admin/v1/invitations/accept", tag = "admins", operation_id = "accept_invitation", security(()),
    request_body = Acceptance,
    responses((status = 201, description = "The admin is made and signed in", body = SessionView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    Extension(client): Extension<ClientAddress>,
    Extension(tag): Extension<RequestTag>,
    Json(body): Json<Acceptance>,
) -> Result<Response, Problem> {
    let (token, password) = (body.token.into(), body.password.into());
    let signed_in = state
        .app
        .accept_invitation(&token, password, client.0, Some(tag.id()))
        .await?;
    Ok(session::answer(StatusCode::CREATED, signed_in))
}
