//! Pairs of tokens: an access token that says who, and an opaque refresh
//! token that gets the next pair.
//!
//! A refresh token's successor is derived from it under the host's own key:
//! whoever asks several times at once, on whichever nodes, gets the same one,
//! although only hashes are kept.

use super::{
    Client,
    deeds::{Proof, myself},
};
use crate::{Actor, App, changes::chain};
use atlashub_core::{Caller, Error, ErrorKind, ProjectId, Result, token};
use atlashub_data::platform::{EndUser, NewUserSession, Refreshed, SessionLevel, UserSession};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;
use std::time::Duration;
use time::OffsetDateTime;

/// How a refresh token starts.
const PREFIX: &str = "ahr_";
/// How long after it was spent the current token's parent is still answered
/// (RFC 9700 asks that reuse be noticed; requests that crossed are none).
const GRACE: Duration = Duration::from_secs(10);

/// How long a session waits for the second factor.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// What somebody has shown who begins a session.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// How it was proven who it is, for the audit.
    pub(super) proof: Proof,
    /// The password's hash that was found to fit, if one was asked for.
    pub(super) password_hash: Option<String>,
    /// Which factors.
    pub(super) level: SessionLevel,
    /// Until when a password may be set without the present one.
    pub(super) recovers_until: Option<OffsetDateTime>,
}

/// What a signed-in user gets.
#[derive(Clone)]
pub struct Tokens {
    /// Says who, for `expires_in` seconds.
    pub access_token: String,
    /// Gets the next pair, once.
    pub refresh_token: String,
    /// Seconds that the access token is valid.
    pub expires_in: u32,
}

impl App {
    /// Exchanges a refresh token for the next pair of tokens. One that was
    /// spent before ends its session.
    ///
    /// # Errors
    /// 401 `invalid_refresh_token`.
    pub async fn refresh(
        &self,
        project: ProjectId,
        token: &str,
        client: &Client,
    ) -> Result<Tokens> {
        let auth = self.enabled_auth(project).await?;
        if !token.starts_with(PREFIX) || token.len() > 128 {
            return Err(refused());
        }
        let successor = self.successor(token)?;
        let outcome = self
            .platform()
            .user_sessions()
            .refresh(
                project,
                &token::hash(token),
                &token::hash(&successor),
                auth.settings.refresh_lifetime(),
                GRACE,
            )
            .await?;
        let session = match outcome {
            Refreshed::Rotated(session) | Refreshed::Repeated(session) => session,
            Refreshed::Reused(session) => {
                tracing::warn!(
                    %project, user = %session.user, session = %session.id,
                    "a spent refresh token came again, its session is ended"
                );
                self.access().forget_session(session.id);
                self.note_reuse(&session, client).await;
                return Err(refused());
            }
            Refreshed::Void => return Err(refused()),
        };
        let user = self
            .platform()
            .users()
            .find(project, session.user)
            .await?
            .filter(|user| user.disabled_at.is_none())
            .ok_or_else(refused)?;
        self.tokens(&session, &user, successor).await
    }

    /// Notes that a spent refresh token came again, which ended the session:
    /// once a session, since one that is over has no tokens.
    async fn note_reuse(&self, session: &UserSession, client: &Client) {
        let actor = Actor {
            caller: Caller::Nobody,
            request: client.request,
        };
        let event = actor.did(
            "session.reuse",
            Some(session.project),
            session.id.to_string(),
            json!({ "user_id": session.user, "address": client.address }),
        );
        if let Err(error) = self.platform().audit().append(event).await {
            tracing::warn!(error = %chain(&error), "a reused refresh token was not noted");
        }
    }

    /// Begins a session. One that awaits the second factor is short.
    pub(super) async fn begin_user_session(
        &self,
        user: &EndUser,
        entry: Entry,
        client: &Client,
    ) -> Result<Tokens> {
        let auth = self.enabled_auth(user.project).await?;
        let token = token::generate(PREFIX)?;
        let lifetime = match entry.level {
            SessionLevel::AwaitsFactor => PATIENCE,
            _ => auth.settings.refresh_lifetime(),
        };
        let details = json!({
            "proof": entry.proof.as_str(),
            "level": entry.level.as_str(),
            "address": client.address,
        });
        let noted = myself(user, client).did("session.create", Some(user.project), None, details);
        let new = NewUserSession {
            noted,
            user: user.id,
            password_hash: entry.password_hash,
            token_hash: token::hash(&token),
            user_agent: client.user_agent.clone(),
            address: Some(client.address.to_string()),
            lifetime,
            level: entry.level,
            recovers_until: entry.recovers_until,
        };
        let sessions = self.platform().user_sessions();
        let session = sessions.begin(user.project, new).await?;
        self.tokens(&session, user, token).await
    }

    async fn tokens(
        &self,
        session: &UserSession,
        user: &EndUser,
        refresh_token: String,
    ) -> Result<Tokens> {
        let (access_token, expires_in) = self.access().issue(session, &user.roles).await?;
        Ok(Tokens {
            access_token,
            refresh_token,
            expires_in,
        })
    }

    fn successor(&self, token: &str) -> Result<String> {
        let key = self.sealer().derive("refresh-tokens");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key)
            .map_err(|error| Error::internal("derive a refresh token", error.to_string()))?;
        mac.update(token.as_bytes());
        let bytes = mac.finalize().into_bytes();
        Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }
}

fn refused() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "invalid_refresh_token",
        "the refresh token is not valid, or was used before: sign in again",
    )
}
