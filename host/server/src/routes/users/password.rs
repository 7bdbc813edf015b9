//! `PUT /v1/auth/password`: sets another password.

use super::{
    caller::{FromClient, Me},
    kept::{Browser, Keeper},
    view::TokensView,
};
use crate::{extract::Json, problem::Problem, state::HostState};
use axum::{extract::State, response::Response};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

/// The present password and the new one.
#[derive(Deserialize, ToSchema)]
pub(crate) struct PasswordBody {
    /// The present password.
    #[schema(format = Password)]
    current_password: String,
    /// The new password.
    #[schema(format = Password)]
    password: String,
    /// Who keeps the refresh token.
    #[serde(default)]
    session: Keeper,
}

#[utoipa::path(
    put, path = "/v1/auth/password", tag = "users", operation_id = "change_password", security(("user" = [])),
    request_body = PasswordBody,
    responses((status = 200, description = "Tokens of a new session; all others have ended", body = TokensView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    Me(me): Me,
    FromClient(client): FromClient,
    browser: Browser,
    Json(body): Json<PasswordBody>,
) -> Result<Response, Problem> {
    browser.check(body.session)?;
    let tokens = state
        .app
        .change_password(
            &me,
            body.current_password.into(),
            body.password.into(),
            &client,
        )
        .await?;
    Ok(browser.answer(StatusCode::OK, body.session, Some(tokens), |tokens| tokens))
}
