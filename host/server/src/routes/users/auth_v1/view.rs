//! Users and sessions as the client knows them.

use crate::{problem::Problem, state::HostState};
use atlashub_app::users::Tokens;
use atlashub_core::{Error, ProjectId};
use atlashub_data::platform::{EndUser, Identity};
use axum::Json;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

fn text(at: OffsetDateTime) -> Option<String> {
    at.format(&Rfc3339).ok()
}

/// A user. What the host has no word for is left out.
pub(super) fn user(user: &EndUser, identities: &[Identity]) -> Value {
    let mut providers: Vec<&str> = identities
        .iter()
        .map(|identity| identity.provider.as_str())
        .collect();
    if user.password_hash.is_some() || providers.is_empty() {
        providers.insert(0, "email");
    }
    let identities: Vec<Value> = identities
        .iter()
        .map(|identity| {
            json!({
                "identity_id": identity.id, "id": identity.subject, "user_id": user.id,
                "provider": identity.provider,
                "identity_data": { "email": identity.email, "sub": identity.subject },
                "created_at": text(identity.created_at),
                "last_sign_in_at": text(identity.last_used_at),
            })
        })
        .collect();
    json!({
        "id": user.id, "aud": "authenticated", "role": "authenticated",
        "email": user.email, "phone": "",
        "email_confirmed_at": user.email_verified_at.and_then(text),
        "confirmed_at": user.email_verified_at.and_then(text),
        "banned_until": user.disabled_at.map(|_| "9999-12-31T23:59:59Z"),
        "app_metadata": {
            "provider": providers.first(), "providers": providers, "roles": user.roles,
        },
        "user_metadata": { "name": user.name, "handle": user.handle, "bio": user.bio },
        "identities": identities, "factors": factors(user), "is_anonymous": false,
        "created_at": text(user.created_at), "updated_at": text(user.updated_at),
    })
}

/// The factors of a user: the one that is there, or none.
pub(super) fn factors(user: &EndUser) -> Value {
    let shown = user.second_factor.iter().map(|factor| {
        json!({
            "id": user.id, "factor_type": "totp", "friendly_name": "",
            "status": if factor.enabled_at.is_some() { "verified" } else { "unverified" },
            "created_at": text(factor.enabled_at.unwrap_or(user.updated_at)),
            "updated_at": text(user.updated_at),
        })
    });
    shown.collect()
}

/// A session: the tokens, and whose they are.
///
/// # Errors
/// When the user is gone already.
pub(super) async fn session(
    state: &HostState,
    project: ProjectId,
    tokens: Tokens,
) -> Result<Json<Value>, Problem> {
    let me = state.app.authenticate_user(project, &tokens.access_token);
    let me = me.await?;
    let known = state.app.signed_in_user(&me).await?;
    let identities = state.app.user_identities(&me).await?;
    let now = state.app.clock().now().unix_timestamp();
    Ok(Json(json!({
        "access_token": tokens.access_token, "refresh_token": tokens.refresh_token,
        "token_type": "bearer", "expires_in": tokens.expires_in,
        "expires_at": now + i64::from(tokens.expires_in),
        "user": user(&known, &identities),
    })))
}

/// What a client says of a user beside the address: the host keeps a name, a
/// handle and a word about oneself, and says so of anything else.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Metadata {
    #[serde(alias = "full_name", deserialize_with = "crate::extract::present")]
    pub(super) name: Option<Option<String>>,
    #[serde(alias = "username", deserialize_with = "crate::extract::present")]
    pub(super) handle: Option<Option<String>>,
    #[serde(deserialize_with = "crate::extract::present")]
    pub(super) bio: Option<Option<String>>,
}

/// What the host does not do.
pub(super) fn not_here(what: &str) -> Problem {
    Problem(Error::bad_request("validation_failed", what))
}
