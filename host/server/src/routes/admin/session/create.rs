//! `POST /admin/v1/session`: signs in.

use super::{SessionView, answer};
use crate::{
    client_address::ClientAddress, extract::Json, problem::Problem, request_id::RequestTag,
    state::HostState,
};
use atlashub_app::SignIn as Wanted;
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
    /// A code of the authenticator or a recovery code, for an account with a
    /// second factor.
    totp_code: Option<String>,
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
    let wanted = Wanted {
        email: body.email,
        password: body.password.into(),
        code: body.totp_code.map(Into::into),
        from: client.0,
        request: Some(tag.id()),
    };
    let signed_in = state.app.sign_in(wanted).await?;
    Ok(answer(StatusCode::OK, signed_in))
}
