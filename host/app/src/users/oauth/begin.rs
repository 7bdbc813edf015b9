//! Beginning a sign-in with somebody else.

use super::{ProjectAddress, provider::Secrets, redeem};
use crate::{App, limits::Attempt, users::Client};
use atlashub_core::{Digest, Error, ProjectId, ProviderName, Result, token};
use atlashub_data::platform::NewOAuthSignIn;
use std::time::Duration;
use url::Url;

/// How long a sign-in may take, with all that the provider asks.
pub(super) const LIFETIME: Duration = Duration::from_secs(10 * 60);
/// Sign-ins of a project that are under way at once; more push the oldest out.
const MOST: u64 = 10_000;
/// How the token of a browser starts.
const BROWSER_PREFIX: &str = "ahb_";
/// Characters of a browser's token after the prefix.
const BROWSER: usize = 43;

/// A sign-in that an application wants to begin.
#[derive(Clone, Debug)]
pub struct BeginOAuth {
    /// With whom.
    pub provider: ProviderName,
    /// Where it leads in the end.
    pub redirect_to: Option<String>,
    /// The application's challenge (RFC 7636).
    pub code_challenge: Option<String>,
    /// How it was made: `S256`.
    pub code_challenge_method: Option<String>,
    /// The token that the browser has from an earlier sign-in.
    pub browser: Option<String>,
    /// The ticket of [`App::ask_to_link`], for who is signed in and links an
    /// identity.
    pub link: Option<String>,
}

/// A sign-in that has begun.
#[derive(Clone, Debug)]
pub struct OAuthBegun {
    /// Where to send the browser.
    pub location: Url,
    /// The token that the browser has to come back with.
    pub browser: String,
    /// How long it may take.
    pub lifetime: Duration,
}

impl App {
    /// Begins a sign-in with somebody else, for one browser and one
    /// application.
    ///
    /// # Errors
    /// `not_found` when there is no such provider, or it is switched off;
    /// `pkce_required`, `redirect_not_allowed`, `invalid_ticket`,
    /// `rate_limited`, 503 `provider_unavailable`.
    pub async fn begin_oauth(
        &self,
        project: &ProjectAddress,
        wanted: BeginOAuth,
        client: &Client,
    ) -> Result<OAuthBegun> {
        let auth = self.enabled_auth(project.id).await?;
        self.strict_limits()
            .count_address(Attempt::OAuth, Some(project.id), client.address)
            .await?;
        let provider = self.usable_provider(project.id, &wanted.provider).await?;
        let redirect_to = auth.settings.redirect(wanted.redirect_to.as_deref())?;
        let redirect_to = redirect_to.ok_or_else(|| {
            Error::bad_request(
                "redirect_not_allowed",
                "the project allows no `redirect_urls`, there is nowhere to lead to",
            )
        })?;
        let code_challenge = challenge(&wanted)?;
        let links = self.read_ticket(project.id, &wanted)?;
        let (state, secrets) = (token::generate("")?, Secrets::generate(links)?);
        let callback = self.oauth_callback(&project.slug, &provider.name);
        let location = self
            .providers()
            .authorization(&provider, &callback, &state, &secrets)
            .await?;
        let state_hash = token::hash(&state);
        let browser = match wanted.browser.filter(|text| is_browser(text)) {
            Some(known) => known,
            None => token::generate(BROWSER_PREFIX)?,
        };
        let text = serde_json::to_vec(&secrets)
            .map_err(|error| Error::internal("write what a sign-in keeps to itself", error))?;
        let new = NewOAuthSignIn {
            state_hash,
            provider: provider.name,
            browser_hash: token::hash(&browser),
            sealed_secrets: self
                .sealer()
                .seal(&secrets_identity(project.id, &state_hash), &text)?,
            redirect_to: redirect_to.into(),
            code_challenge,
            lifetime: LIFETIME,
        };
        let sign_ins = self.platform().oauth_sign_ins();
        sign_ins.begin(project.id, new, MOST).await?;
        Ok(OAuthBegun {
            location,
            browser,
            lifetime: LIFETIME,
        })
    }
}

/// The record that a sign-in's secrets are sealed for.
pub(super) fn secrets_identity(project: ProjectId, state: &Digest) -> String {
    format!("project/{project}/oauth-sign-in/{state}")
}

/// The application's challenge: without one, a code would be good for
/// whoever saw it.
pub(super) fn challenge(wanted: &BeginOAuth) -> Result<String> {
    let refused = |message: &str| Error::bad_request("pkce_required", message);
    let text = wanted
        .code_challenge
        .as_deref()
        .ok_or_else(|| refused("send a `code_challenge` (PKCE)"))?;
    let method = wanted.code_challenge_method.as_deref().unwrap_or("S256");
    if !method.eq_ignore_ascii_case("S256") {
        return Err(refused("`code_challenge_method` must be `S256`"));
    }
    redeem::check_challenge(text)?;
    Ok(text.to_owned())
}

fn is_browser(text: &str) -> bool {
    text.starts_with(BROWSER_PREFIX) && text.len() == BROWSER_PREFIX.len() + BROWSER
}
