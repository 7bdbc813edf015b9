//! `POST /v1/auth/refresh`: the next pair of tokens.

use super::{
    caller::{FromClient, Project},
    view::TokensView,
};
use crate::{extract::Json, problem::Problem, state::HostState};
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

/// What is exchanged.
#[derive(Deserialize, ToSchema)]
pub(crate) struct RefreshBody {
    /// The refresh token that came last.
    refresh_token: String,
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
    Json(body): Json<RefreshBody>,
) -> Result<axum::Json<TokensView>, Problem> {
    let tokens = state
        .app
        .refresh(project.id(), &body.refresh_token, &client)
        .await?;
    Ok(axum::Json(tokens.into()))
}
