//! Becoming a user, signing in, going on, and out.

use super::{
    mails::{self, Leads},
    view::{self, Metadata, not_here},
};
use crate::{
    extract::{Json, Query},
    problem::Problem,
    routes::users::caller::{FromClient, MeOrAwaiting, Project},
    state::HostState,
};
use atlashub_app::users::{Factor, SignIn, SignUp};
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
pub(super) struct NewUser {
    email: Option<String>,
    password: Option<String>,
    #[serde(default)]
    data: Metadata,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Grant {
    grant_type: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Proof {
    email: String,
    password: String,
    refresh_token: String,
    auth_code: String,
    code_verifier: String,
    /// The host's own: a code of the second factor.
    totp_code: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Scope {
    #[default]
    Global,
    Local,
    Others,
}

#[derive(Deserialize)]
pub(super) struct Leaving {
    #[serde(default)]
    scope: Scope,
}

pub(super) async fn sign_up(
    State(state): State<HostState>,
    project: Project,
    FromClient(client): FromClient,
    Query(leads): Query<Leads>,
    Json(body): Json<NewUser>,
) -> Result<axum::Json<Value>, Problem> {
    let (Some(email), Some(password)) = (body.email, body.password) else {
        return Err(not_here("send `email` and `password`"));
    };
    let wanted = SignUp {
        email,
        password: password.into(),
        name: body.data.name.flatten(),
        handle: body.data.handle.flatten(),
        onward: mails::onward(
            leads,
            body.code_challenge,
            body.code_challenge_method.as_deref(),
        )?,
    };
    let made = state.app.sign_up(project.id(), wanted, &client).await?;
    match made.tokens {
        Some(tokens) => view::session(&state, project.id(), tokens).await,
        None => Ok(axum::Json(view::user(&made.user, &[]))),
    }
}

pub(super) async fn token(
    State(state): State<HostState>,
    project: Project,
    FromClient(client): FromClient,
    Query(grant): Query<Grant>,
    Json(body): Json<Proof>,
) -> Result<axum::Json<Value>, Problem> {
    let id = project.id();
    let factor = Factor::now_or_later(body.totp_code.as_deref());
    let tokens = match grant.grant_type.as_str() {
        "password" => {
            let wanted = SignIn {
                email: body.email,
                password: body.password.into(),
            };
            state.app.sign_in_user(id, wanted, factor, &client).await?
        }
        "refresh_token" => state.app.refresh(id, &body.refresh_token, &client).await?,
        "pkce" => {
            let redeemed = state.app.redeem_oauth_code(
                id,
                &body.auth_code,
                &body.code_verifier,
                factor,
                &client,
            );
            redeemed.await?
        }
        _ => return Err(not_here("`grant_type` is password, refresh_token or pkce")),
    };
    view::session(&state, id, tokens).await
}

pub(super) async fn sign_out(
    State(state): State<HostState>,
    MeOrAwaiting(me): MeOrAwaiting,
    FromClient(client): FromClient,
    Query(leaving): Query<Leaving>,
) -> Result<StatusCode, Problem> {
    let app = &state.app;
    match leaving.scope {
        // Who has yet to show the second factor ends no session of the user's.
        _ if me.awaits_factor() => app.sign_out_user(&me, false, &client).await?,
        Scope::Global => app.sign_out_user(&me, true, &client).await?,
        Scope::Local => app.sign_out_user(&me, false, &client).await?,
        Scope::Others => app.sign_out_others(&me, &client).await?,
    }
    Ok(StatusCode::NO_CONTENT)
}
