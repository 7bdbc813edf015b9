//! Where the client leads a browser that signs in with somebody else.

use super::view::not_here;
use crate::{
    extract::Query,
    problem::Problem,
    routes::users::{
        caller::Project,
        oauth::start::{self, Start},
    },
    state::HostState,
};
use atlashub_core::ProviderName;
use axum::{extract::State, response::Response};
use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Wanted {
    provider: String,
    redirect_to: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
}

/// Leads to the host's own beginning. Tokens never stand in an address here,
/// so the client has to be one of the flow `pkce`.
pub(super) async fn lead(
    State(state): State<HostState>,
    project: Project,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    if wanted.code_challenge.is_none() {
        return Err(not_here("make the client with `flowType: 'pkce'`"));
    }
    let name: ProviderName = wanted
        .provider
        .parse()
        .map_err(|_| not_here("there is no such provider"))?;
    let callback = state.app.oauth_callback(&project.address().slug, &name);
    let begin = Start {
        redirect_to: wanted.redirect_to,
        code_challenge: wanted.code_challenge,
        code_challenge_method: wanted.code_challenge_method,
        home: true,
    };
    start::lead_home(&callback, &begin)
}
