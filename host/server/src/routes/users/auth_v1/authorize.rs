//! Where the client leads a browser that signs in with somebody else.

use super::view::not_here;
use crate::{
    extract::Query,
    problem::Problem,
    routes::users::{
        caller::{Me, Project},
        oauth::{
            refused,
            start::{self, Start},
        },
    },
    state::HostState,
};
use atlashub_app::users::BeginOAuth;
use atlashub_core::ProviderName;
use axum::{extract::State, response::Response};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
pub(super) struct Wanted {
    provider: String,
    redirect_to: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
}

impl Wanted {
    /// # Errors
    /// When there is no challenge: tokens never stand in an address that a
    /// provider leads back to.
    fn provider(&self) -> Result<ProviderName, Problem> {
        if self.code_challenge.is_none() {
            return Err(not_here("make the client with `flowType: 'pkce'`"));
        }
        let name = self.provider.parse();
        name.map_err(|_| not_here("there is no such provider"))
    }
}

/// Says where to lead the browser of who is signed in, to link an account
/// elsewhere.
pub(super) async fn link(
    State(state): State<HostState>,
    project: Project,
    Me(me): Me,
    Query(wanted): Query<Wanted>,
) -> Result<axum::Json<Value>, Problem> {
    let wanted = BeginOAuth {
        provider: wanted.provider()?,
        redirect_to: wanted.redirect_to,
        code_challenge: wanted.code_challenge,
        code_challenge_method: wanted.code_challenge_method,
        browser: None,
        link: None,
    };
    let address = project.address();
    let url = state.app.ask_to_link(&address, &me, wanted).await?;
    Ok(axum::Json(json!({ "url": url.as_str() })))
}

/// Leads to the host's own beginning. Tokens never stand in an address here,
/// so the client has to be one of the flow `pkce`.
pub(super) async fn lead(
    State(state): State<HostState>,
    project: Project,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let name = match wanted.provider() {
        Ok(name) => name,
        Err(Problem(error)) => {
            let to = wanted.redirect_to;
            return refused::answer(&state, project.id(), to, &headers, error).await;
        }
    };
    let callback = state.app.oauth_callback(&project.address().slug, &name);
    let begin = Start {
        redirect_to: wanted.redirect_to,
        code_challenge: wanted.code_challenge,
        code_challenge_method: wanted.code_challenge_method,
        home: true,
        link: None,
    };
    start::lead_home(&callback, &begin)
}
