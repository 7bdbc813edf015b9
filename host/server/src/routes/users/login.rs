//! `POST /v1/auth/login`: signs in with a password.

use super::{
    caller::{FromClient, Project},
    kept::{Browser, Keeper},
    view::TokensView,
};
use crate::{extract::Json, problem::Problem, state::HostState};
use atlashub_app::users::{Factor, SignIn};
use axum::{extract::State, response::Response};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

/// Who signs in.
#[derive(Deserialize, ToSchema)]
pub(crate) struct LoginBody {
    /// The address.
    email: String,
    /// The password.
    #[schema(format = Password)]
    password: String,
    /// A code of the second factor or a recovery code, where one is asked for.
    totp_code: Option<String>,
    /// Who keeps the refresh token.
    #[serde(default)]
    session: Keeper,
}

#[utoipa::path(
    post, path = "/v1/auth/login", tag = "users", operation_id = "sign_in_user", security(()),
    request_body = LoginBody,
    responses((status = 200, description = "Tokens", body = TokensView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    project: Project,
    FromClient(client): FromClient,
    browser: Browser,
    Json(body): Json<LoginBody>,
) -> Result<Response, Problem> {
    browser.check(body.session)?;
    let wanted = SignIn {
        email: body.email,
        password: body.password.into(),
    };
    let factor = Factor::Now(body.totp_code.as_deref());
    let tokens = state
        .app
        .sign_in_user(project.id(), wanted, factor, &client)
        .await?;
    Ok(browser.answer(StatusCode::OK, body.session, Some(tokens), |tokens| tokens))
}
