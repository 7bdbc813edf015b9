//! Linking who a user is elsewhere while signed in.
//!
//! A browser that is led to a provider carries no access token, so the
//! application asks with one and is told where to lead: the address holds a
//! ticket, sealed by this host, good for minutes, one provider and one
//! challenge. Nothing is linked when the browser comes back: the application
//! gets a code, and the identity is linked for whoever has the verifier. An
//! address that somebody else made, and another browser followed, links
//! nothing, since the application there has no such verifier (RFC 9700,
//! section 4.7).

use super::{BeginOAuth, ProjectAddress};
use crate::{App, users::SignedInUser};
use atlashub_core::{Error, ProjectId, Result, UserId};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use url::Url;
use uuid::Uuid;

/// How long a ticket is good.
const LIFETIME: Duration = Duration::from_secs(5 * 60);
/// Longest ticket that is read, bytes.
const MAX_TICKET: usize = 1_024;

/// What a ticket says.
#[derive(Serialize, Deserialize)]
struct Ticket {
    user: Uuid,
    provider: String,
    challenge: String,
    until: i64,
}

impl App {
    /// Where to lead the browser of a signed-in user, so that whoever they are
    /// with a provider is linked to them.
    ///
    /// # Errors
    /// `not_found` when there is no such provider, or it is switched off;
    /// `pkce_required`, `redirect_not_allowed`.
    pub async fn ask_to_link(
        &self,
        project: &ProjectAddress,
        me: &SignedInUser,
        wanted: BeginOAuth,
    ) -> Result<Url> {
        let auth = self.enabled_auth(project.id).await?;
        let provider = self.usable_provider(project.id, &wanted.provider).await?;
        let redirect_to = auth.settings.redirect(wanted.redirect_to.as_deref())?;
        let challenge = super::begin::challenge(&wanted)?;
        let until = self.clock().now() + LIFETIME;
        let ticket = Ticket {
            user: *me.id().as_uuid(),
            provider: provider.name.to_string(),
            challenge: challenge.clone(),
            until: until.unix_timestamp(),
        };
        let text = serde_json::to_vec(&ticket)
            .map_err(|error| Error::internal("write a ticket", error))?;
        let sealed = self.sealer().seal(&identity(project.id), &text)?;
        let callback = self.oauth_callback(&project.slug, &provider.name);
        let start = callback.strip_suffix("/callback").unwrap_or(&callback);
        let mut url = Url::parse(start)
            .map_err(|error| Error::internal("say where a sign-in begins", error))?;
        {
            let mut query = url.query_pairs_mut();
            if let Some(page) = &redirect_to {
                query.append_pair("redirect_to", page.as_str());
            }
            query
                .append_pair("code_challenge", &challenge)
                .append_pair("code_challenge_method", "S256")
                .append_pair("home", "true")
                .append_pair("link", &sealed);
        }
        Ok(url)
    }

    /// Whose ticket this is.
    ///
    /// # Errors
    /// 400 `invalid_ticket`.
    pub(super) fn read_ticket(
        &self,
        project: ProjectId,
        wanted: &BeginOAuth,
    ) -> Result<Option<UserId>> {
        let Some(text) = &wanted.link else {
            return Ok(None);
        };
        if text.len() > MAX_TICKET {
            return Err(void());
        }
        let opened = self.sealer().open(&identity(project), text);
        let opened = opened.map_err(|_| void())?;
        let ticket = serde_json::from_slice(opened.expose_secret());
        let ticket: Ticket = ticket.map_err(|_| void())?;
        let fits = ticket.until > self.clock().now().unix_timestamp()
            && ticket.provider == wanted.provider.as_str()
            && wanted.code_challenge.as_deref() == Some(ticket.challenge.as_str());
        if fits {
            Ok(Some(UserId::from_uuid(ticket.user)))
        } else {
            Err(void())
        }
    }
}

fn identity(project: ProjectId) -> String {
    format!("project/{project}/link-ticket")
}

fn void() -> Error {
    Error::bad_request(
        "invalid_ticket",
        "the address to link an account has run out, or was changed: ask for another",
    )
}
