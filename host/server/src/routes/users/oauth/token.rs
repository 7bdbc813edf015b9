//! `POST /v1/auth/oauth/token`: tokens for the code that ends a sign-in with
//! a provider.

use crate::{
    extract::Json,
    problem::Problem,
    routes::users::{
        caller::{FromClient, Project},
        view::TokensView,
    },
    state::HostState,
};
use atlashub_app::users::Factor;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

/// A code, and the proof that it is the application's.
#[derive(Deserialize, ToSchema)]
pub(crate) struct OAuthCodeBody {
    /// The code.
    code: String,
    /// The verifier whose challenge began the sign-in (RFC 7636).
    code_verifier: String,
    /// A code of the second factor or a recovery code, where one is asked for.
    totp_code: Option<String>,
}

#[utoipa::path(
    post, path = "/v1/auth/oauth/token", tag = "users", operation_id = "redeem_oauth_code", security(()),
    request_body = OAuthCodeBody,
    responses((status = 200, description = "Tokens; the code is used up", body = TokensView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    project: Project,
    FromClient(client): FromClient,
    Json(body): Json<OAuthCodeBody>,
) -> Result<axum::Json<TokensView>, Problem> {
    let redeemed = state.app.redeem_oauth_code(
        project.id(),
        &body.code,
        &body.code_verifier,
        Factor::Now(body.totp_code.as_deref()),
        &client,
    );
    Ok(axum::Json(redeemed.await?.into()))
}
