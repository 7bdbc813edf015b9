//! `PUT /v1/auth/password`: sets another password.

use super::{
    caller::{FromClient, Me},
    view::TokensView,
};
use crate::{extract::Json, problem::Problem, state::HostState};
use axum::extract::State;
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
    Json(body): Json<PasswordBody>,
) -> Result<axum::Json<TokensView>, Problem> {
    let tokens = state
        .app
        .change_password(
            &me,
            body.current_password.into(),
            body.password.into(),
            &client,
        )
        .await?;
    Ok(axum::Json(tokens.into()))
}
