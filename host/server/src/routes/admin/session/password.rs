//! `PUT /admin/v1/session/password`: another password of one's own.

use super::{SessionView, answer};
use crate::{
    admin::SignedInAdmin, client_address::ClientAddress, extract::Json, problem::Problem,
    request_id::RequestTag, state::HostState,
};
use axum::{Extension, extract::State, response::Response};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

/// The present password and the next.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPassword {
    /// The present password.
    #[schema(format = Password)]
    password: String,
    /// The next: at least 8 characters.
    #[schema(format = Password)]
    new_password: String,
}

#[utoipa::path(
    put, path = "/admin/v1/session/password", tag = "admins", operation_id = "change_password",
    request_body = NewPassword,
    responses((status = 200, description = "A new session; all others have ended", body = SessionView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    SignedInAdmin(identity): SignedInAdmin,
    Extension(client): Extension<ClientAddress>,
    Extension(tag): Extension<RequestTag>,
    Json(body): Json<NewPassword>,
) -> Result<Response, Problem> {
    let (old, new) = (body.password.into(), body.new_password.into());
    let signed_in = state
        .app
        .change_admin_password(&identity, old, new, client.0, Some(tag.id()))
        .await?;
    Ok(answer(StatusCode::OK, signed_in))
}
