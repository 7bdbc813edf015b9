//! `/v1/auth/totp`: the second factor of the user.

use super::caller::{FromClient, Me};
use crate::{extract::Json, problem::Problem, state::HostState};
use axum::extract::State;
use http::StatusCode;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is needed to set a second factor up, shown once.
#[derive(Serialize, ToSchema)]
pub(crate) struct EnrolmentView {
    /// The secret, as it is typed.
    secret: String,
    /// The secret, as an authenticator app reads it out of a QR code.
    otpauth_url: String,
    /// That QR code: an SVG document.
    qr_svg: String,
    /// Stand in for a lost device, each once.
    recovery_codes: Vec<String>,
}

/// A code.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CodeBody {
    /// Six digits.
    #[serde(alias = "totp_code")]
    code: String,
}

/// A code, where one is asked for.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct MaybeCodeBody {
    /// Six digits, or a recovery code.
    #[serde(alias = "totp_code")]
    code: Option<String>,
}

#[utoipa::path(
    post, path = "/v1/auth/totp/enroll", tag = "users", operation_id = "enroll_totp", security(("user" = [])),
    responses((status = 200, description = "The secret and the recovery codes", body = EnrolmentView))
)]
pub(crate) async fn enroll(
    State(state): State<HostState>,
    project: super::caller::Project,
    Me(me): Me,
) -> Result<axum::Json<EnrolmentView>, Problem> {
    let issuer = project.0.project.slug.to_string();
    let made = state.app.enrol_totp(&me, &issuer).await?;
    Ok(axum::Json(EnrolmentView {
        secret: made.base32.expose_secret().to_owned(),
        otpauth_url: made.otpauth_url.expose_secret().to_owned(),
        qr_svg: made.qr_svg.expose_secret().to_owned(),
        recovery_codes: made.recovery_codes,
    }))
}

#[utoipa::path(
    post, path = "/v1/auth/totp/verify", tag = "users", operation_id = "verify_totp", security(("user" = [])),
    request_body = CodeBody,
    responses((status = 204, description = "The second factor is asked for from now on"))
)]
pub(crate) async fn verify(
    State(state): State<HostState>,
    Me(me): Me,
    FromClient(client): FromClient,
    Json(body): Json<CodeBody>,
) -> Result<StatusCode, Problem> {
    state.app.verify_totp(&me, &body.code, &client).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(
    delete, path = "/v1/auth/totp", tag = "users", operation_id = "remove_totp", security(("user" = [])),
    request_body = Option<MaybeCodeBody>,
    responses((status = 204, description = "There is no second factor any more"))
)]
pub(crate) async fn remove(
    State(state): State<HostState>,
    Me(me): Me,
    FromClient(client): FromClient,
    body: Option<Json<MaybeCodeBody>>,
) -> Result<StatusCode, Problem> {
    let code = body.and_then(|Json(body)| body.code);
    state.app.remove_totp(&me, code.as_deref(), &client).await?;
    Ok(StatusCode::NO_CONTENT)
}
