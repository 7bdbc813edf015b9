//! `POST /v1/auth/refresh`: the next pair of tokens.

use super::{
    caller::{FromClient, Project},
    kept::{Browser, Keeper},
    view::TokensView,
};
use crate::{extract::Json, problem::Problem, state::HostState};
use axum::{extract::State, response::Response};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

/// What is exchanged.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct RefreshBody {
    /// The refresh token that came last; without it, the one in the cookie.
    refresh_token: Option<String>,
}

#[utoipa::path(
    post, path = "/v1/auth/refresh", tag = "users", operation_id = "refresh_tokens", security(()),
    request_body = RefreshBody,
    responses((status = 200, description = "Tokens; a token that was used before ends the session instead", body = TokensView))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    project: Project,
    FromClient(client): FromClient,
    browser: Browser,
    Json(body): Json<RefreshBody>,
) -> Result<Response, Problem> {
    let (token, keeper) = match &body.refresh_token {
        Some(token) => (token.as_str(), Keeper::Client),
        None => (browser.token()?, Keeper::Cookie),
    };
    let tokens = state.app.refresh(project.id(), token, &client).await?;
    Ok(browser.answer(StatusCode::OK, keeper, Some(tokens), |tokens| tokens))
}
