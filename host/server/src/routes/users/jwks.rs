//! `GET /v1/auth/.well-known/jwks.json`: the keys that verify a project's
//! access tokens (RFC 7517).

use super::caller::Project;
use crate::{problem::Problem, state::HostState};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, header};

/// Others may keep the keys for so long; a retired one lasts longer.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300");

#[utoipa::path(
    get, path = "/v1/auth/.well-known/jwks.json", tag = "users", operation_id = "get_token_keys", security(()),
    responses((status = 200, description = "A JWK set", body = serde_json::Value))
)]
pub(crate) async fn handle(
    State(state): State<HostState>,
    project: Project,
) -> Result<Response, Problem> {
    let keys = state.app.token_keys(project.id()).await?;
    Ok(([(header::CACHE_CONTROL, CACHE)], Json(keys)).into_response())
}
