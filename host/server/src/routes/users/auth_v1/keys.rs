//! The keys of access tokens.

use super::error::VERSION;
use crate::{problem::Problem, routes::users::caller::Project, state::HostState};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderValue, header};
use serde_json::json;

/// The project's keys. The client itself, which names its version, verifies
/// tokens of RS256 and ES256 and fails at others; where it finds no key it
/// asks for the user instead, so it is told of none.
pub(super) async fn read(
    State(state): State<HostState>,
    project: Project,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let keys = if headers.contains_key(VERSION) {
        json!({ "keys": [] })
    } else {
        state.app.token_keys(project.id()).await?
    };
    let mut response = Json(keys).into_response();
    let vary = HeaderValue::from_static("x-supabase-api-version");
    response.headers_mut().insert(header::VARY, vary);
    Ok(response)
}
