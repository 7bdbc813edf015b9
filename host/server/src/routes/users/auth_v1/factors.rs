//! The second factor of the user. There is one, named by the user's id; a
//! challenge needs nothing to be kept, since a code works once anyway.
//!
//! Who signs in with a password or a link alone and has a second factor gets
//! a session that is good for [`challenge`], [`verify`], reading the user,
//! refreshing and ending it, and for nothing else anywhere.

use super::view::{self, not_here};
use crate::{
    extract::{Json, Path},
    problem::Problem,
    routes::users::caller::{FromClient, Me, MeOrAwaiting, Project},
    state::HostState,
};
use atlashub_app::users::SignedInUser;
use atlashub_core::{Error, ErrorKind};
use axum::{body::Bytes, extract::State};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Value, json};

/// No such factor.
pub(super) fn no_factor() -> Problem {
    Problem(Error::new(
        ErrorKind::NotFound,
        "mfa_factor_not_found",
        "there is no such factor",
    ))
}

/// Seconds that a code is awaited, as the client is told.
const PATIENCE: i64 = 300;

#[derive(Deserialize)]
pub(super) struct NewFactor {
    factor_type: String,
    friendly_name: Option<String>,
    issuer: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Code {
    code: String,
}

/// A code, where the factor is in use and the session is not fresh.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct MaybeCode {
    code: Option<String>,
}

fn check(me: &SignedInUser, id: &str) -> Result<(), Problem> {
    if me.id().to_string() == id {
        Ok(())
    } else {
        Err(no_factor())
    }
}

pub(super) async fn enroll(
    State(state): State<HostState>,
    project: Project,
    Me(me): Me,
    Json(body): Json<NewFactor>,
) -> Result<axum::Json<Value>, Problem> {
    if body.factor_type != "totp" {
        return Err(not_here("`factor_type` must be totp"));
    }
    let issuer = match body.issuer {
        Some(issuer) if !issuer.is_empty() && issuer.len() <= 64 => issuer,
        Some(_) => return Err(not_here("`issuer` must have 1 to 64 bytes")),
        None => project.0.project.slug.to_string(),
    };
    let made = state.app.enrol_totp(&me, &issuer).await?;
    Ok(axum::Json(json!({
        "id": me.id(), "type": "totp", "friendly_name": body.friendly_name,
        "totp": {
            "qr_code": made.qr_svg.expose_secret(), "secret": made.base32.expose_secret(),
            "uri": made.otpauth_url.expose_secret(), "recovery_codes": made.recovery_codes,
        },
    })))
}

pub(super) async fn challenge(
    State(state): State<HostState>,
    MeOrAwaiting(me): MeOrAwaiting,
    Path(id): Path<String>,
) -> Result<axum::Json<Value>, Problem> {
    check(&me, &id)?;
    let now = state.app.clock().now().unix_timestamp();
    Ok(axum::Json(json!({
        "id": me.session, "type": "totp", "expires_at": now + PATIENCE,
    })))
}

/// Takes the factor into use, or passes the one in use; the client goes on
/// with a session of two factors.
pub(super) async fn verify(
    State(state): State<HostState>,
    MeOrAwaiting(me): MeOrAwaiting,
    FromClient(client): FromClient,
    Path(id): Path<String>,
    Json(body): Json<Code>,
) -> Result<axum::Json<Value>, Problem> {
    check(&me, &id)?;
    let tokens = state.app.raise_session(&me, &body.code, &client).await?;
    view::session(&state, me.project, tokens).await
}

/// Removes the factor. One in use asks for a `code`, or for a session that
/// began with one just now.
pub(super) async fn unenroll(
    State(state): State<HostState>,
    Me(me): Me,
    FromClient(client): FromClient,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<axum::Json<Value>, Problem> {
    check(&me, &id)?;
    let app = &state.app;
    // The client says that it sends JSON, and sends nothing.
    let sent = if body.is_empty() {
        MaybeCode::default()
    } else {
        let read = axum::Json::<MaybeCode>::from_bytes(&body)?;
        read.0
    };
    match sent.code {
        Some(code) => app.remove_totp(&me, Some(&code), &client).await?,
        None => app.remove_totp_in_session(&me, &client).await?,
    }
    Ok(axum::Json(json!({ "id": id })))
}
