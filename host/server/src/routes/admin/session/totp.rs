//! `/admin/v1/session/totp`: one's own second factor.

use super::{SessionView, answer};
use crate::{
    admin::SignedInAdmin, client_address::ClientAddress, extract::Json, problem::Problem,
    request_id::RequestTag, state::HostState,
};
use axum::{Extension, extract::State, response::Response};
use http::StatusCode;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The password, once more.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Enrol {
    /// The present password.
    #[schema(format = Password)]
    password: String,
}

/// A second factor that was begun, shown once.
#[derive(Serialize, ToSchema)]
pub(crate) struct EnrolmentView {
    /// The secret in base32, to be typed.
    secret: String,
    /// The same as an address that authenticator apps read.
    otpauth_url: String,
    /// The address as a picture to be scanned: an SVG document.
    qr_svg: String,
    /// Codes for who loses the authenticator; each works once.
    recovery_codes: Vec<String>,
}

/// A code of the authenticator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Code {
    /// Six digits.
    code: String,
}

/// What removes a second factor.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Removal {
    /// The present password.
    #[schema(format = Password)]
    password: String,
    /// A code of the authenticator, or a recovery code.
    totp_code: Option<String>,
}

#[utoipa::path(
    post, path = "/admin/v1/session/totp", tag = "admins", operation_id = "begin_totp",
    request_body = Enrol,
    responses((status = 200, description = "Begun; in use once a code has proven it", body = EnrolmentView))
)]
pub(crate) async fn begin(
    State(state): State<HostState>,
    SignedInAdmin(identity): SignedInAdmin,
    Extension(client): Extension<ClientAddress>,
    Extension(tag): Extension<RequestTag>,
    Json(body): Json<Enrol>,
) -> Result<axum::Json<EnrolmentView>, Problem> {
    let begun = state
        .app
        .begin_second_factor(&identity, body.password.into(), client.0, Some(tag.id()))
        .await?;
    Ok(axum::Json(EnrolmentView {
        secret: begun.base32.expose_secret().to_owned(),
        otpauth_url: begun.otpauth_url.expose_secret().to_owned(),
        qr_svg: begun.qr_svg.expose_secret().to_owned(),
        recovery_codes: begun.recovery_codes,
    }))
}

#[utoipa::path(
    post, path = "/admin/v1/session/totp/verify", tag = "admins", operation_id = "verify_totp",
    request_body = Code,
    responses((status = 204, description = "The second factor is in use"))
)]
pub(crate) async fn verify(
    State(state): State<HostState>,
    SignedInAdmin(identity): SignedInAdmin,
    Extension(client): Extension<ClientAddress>,
    Extension(tag): Extension<RequestTag>,
    Json(body): Json<Code>,
) -> Result<StatusCode, Problem> {
    let request = Some(tag.id());
    state
        .app
        .prove_second_factor(&identity, &body.code.into(), client.0, request)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(
    delete, path = "/admin/v1/session/totp", tag = "admins", operation_id = "remove_totp",
    request_body = Removal,
    responses((status = 200, description = "A new session, without it; all others have ended", body = SessionView))
)]
pub(crate) async fn remove(
    State(state): State<HostState>,
    SignedInAdmin(identity): SignedInAdmin,
    Extension(client): Extension<ClientAddress>,
    Extension(tag): Extension<RequestTag>,
    Json(body): Json<Removal>,
) -> Result<Response, Problem> {
    let code = body.totp_code.map(Into::into);
    let request = Some(tag.id());
    let signed_in = state
        .app
        .remove_second_factor(&identity, body.password.into(), code, client.0, request)
        .await?;
    Ok(answer(StatusCode::OK, signed_in))
}
