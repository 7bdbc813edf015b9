//! `POST /v1/auth/logout`: ends the user's sessions.

use super::{
    caller::{FromClient, Me},
    kept::Browser,
};
use crate::{extract::Query, problem::Problem, state::HostState};
use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::StatusCode;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// Which sessions end.
#[derive(Clone, Copy, Default, Deserialize, ToSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scope {
    /// All of the user.
    #[default]
    Global,
    /// The one that asks.
    Local,
}

/// Which sessions to end.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogoutQuery {
    /// `global`, all of the user, unless it says `local`.
    #[serde(default)]
    #[param(inline)]
    scope: Scope,
}

#[utoipa::path(
    post, path = "/v1/auth/logout", tag = "users", operation_id = "sign_out_user", security(("user" = [])),
    params(LogoutQuery),
    responses((status = 204, description = "Signed out, on every node within a second"))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    Me(me): Me,
    FromClient(client): FromClient,
    browser: Browser,
    Query(query): Query<LogoutQuery>,
) -> Result<Response, Problem> {
    let everywhere = query.scope == Scope::Global;
    state.app.sign_out_user(&me, everywhere, &client).await?;
    Ok(browser.forget(StatusCode::NO_CONTENT.into_response()))
}
