//! Talking to a provider: where to send somebody, and who came back with a
//! code (RFC 6749 with PKCE, RFC 7636; OpenID Connect Core 1.0).

use super::{
    github,
    id_token::{Expected, Person},
    issuer::{Issuer, Issuers},
    unproven,
};
use crate::outgoing::Outgoing;
use atlashub_core::{Error, ErrorKind, Result, UserId, token};
use atlashub_data::platform::{AuthProvider, ProviderKind};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use reqwest::RequestBuilder;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use std::sync::Arc;
use time::OffsetDateTime;
use url::{Url, form_urlencoded};

/// Longest access token of a provider, bytes.
const MAX_TOKEN: usize = 16 * 1_024;

/// Somebody, as a provider vouches for them.
#[derive(Clone, Debug)]
pub(super) struct OutsideUser {
    /// Who vouches.
    pub(super) issuer: String,
    /// What the issuer calls them, for good.
    pub(super) subject: String,
    /// The address there.
    pub(super) email: Option<String>,
    /// Whether the issuer says that it is theirs.
    pub(super) email_verified: bool,
    /// The name there.
    pub(super) name: Option<String>,
}

/// What only this host knows of a sign-in.
#[derive(serde::Serialize, Deserialize)]
pub(super) struct Secrets {
    pub(super) verifier: String,
    pub(super) nonce: String,
    /// The signed-in user who links an identity.
    #[serde(default)]
    pub(super) links: Option<uuid::Uuid>,
}

impl Secrets {
    pub(super) fn generate(links: Option<UserId>) -> Result<Self> {
        Ok(Self {
            verifier: token::generate("")?,
            nonce: token::generate("")?,
            links: links.map(|user| *user.as_uuid()),
        })
    }
}

/// What a verifier hashes to (RFC 7636, section 4.2, `S256`).
pub(super) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(token::hash(verifier).as_bytes())
}

/// An answer of a provider that leads back.
pub(super) struct Return<'a> {
    pub(super) code: &'a str,
    /// Who says that it answers (RFC 9207).
    pub(super) issuer: Option<&'a str>,
    pub(super) callback: &'a str,
    pub(super) secrets: &'a Secrets,
    pub(super) now: OffsetDateTime,
}

/// Where tokens are had.
pub(super) struct TokenPlace {
    pub(super) url: Url,
    pub(super) secret_in_body: bool,
}

/// What a provider gives for a code.
#[derive(Deserialize)]
pub(super) struct Given {
    access_token: Option<String>,
    id_token: Option<String>,
    error: Option<String>,
}

impl Given {
    /// The access token.
    ///
    /// # Errors
    /// 401 `provider_not_believed` without one.
    pub(super) fn access_token(&self) -> Result<&str> {
        let token = self.access_token.as_deref();
        token
            .filter(|token| token.len() <= MAX_TOKEN && token.is_ascii())
            .ok_or_else(|| unproven("the provider gave no access token"))
    }
}

/// Talks to the providers of all projects.
pub(crate) struct Providers {
    pub(super) outgoing: Arc<Outgoing>,
    issuers: Issuers,
}

impl Providers {
    pub(crate) fn new(outgoing: Arc<Outgoing>) -> Self {
        Self {
            issuers: Issuers::new(Arc::clone(&outgoing)),
            outgoing,
        }
    }

    /// Where to send somebody who wants to sign in.
    ///
    /// # Errors
    /// 503 `provider_unavailable`.
    pub(super) async fn authorization(
        &self,
        provider: &AuthProvider,
        callback: &str,
        state: &str,
        secrets: &Secrets,
    ) -> Result<Url> {
        let mut url = match provider.kind {
            ProviderKind::Github => github::authorization(&provider.issuer)?,
            kind => {
                let issuer = self.issuers.find(kind, &provider.issuer).await?;
                issuer.authorization.clone()
            }
        };
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &provider.client_id)
            .append_pair("redirect_uri", callback)
            .append_pair("scope", &provider.scopes.join(" "))
            .append_pair("state", state)
            .append_pair("code_challenge", &challenge(&secrets.verifier))
            .append_pair("code_challenge_method", "S256");
        if provider.kind != ProviderKind::Github {
            url.query_pairs_mut().append_pair("nonce", &secrets.nonce);
        }
        self.outgoing.check(&url).map_err(unavailable)?;
        Ok(url)
    }

    /// Who came back.
    ///
    /// # Errors
    /// 401 `provider_not_believed`, 503 `provider_unavailable`.
    pub(super) async fn identify(
        &self,
        provider: &AuthProvider,
        secret: Option<&SecretString>,
        back: Return<'_>,
    ) -> Result<OutsideUser> {
        if provider.kind == ProviderKind::Github {
            let place = github::token_place(&provider.issuer)?;
            let given = self.exchange(&place, provider, secret, &back).await?;
            return github::identify(&self.outgoing, &provider.issuer, &given).await;
        }
        let issuer = self.issuers.find(provider.kind, &provider.issuer).await?;
        check_answering(&issuer, back.issuer)?;
        let place = TokenPlace {
            url: issuer.token.clone(),
            secret_in_body: issuer.secret_in_body,
        };
        let given = self.exchange(&place, provider, secret, &back).await?;
        let id_token = given
            .id_token
            .as_deref()
            .ok_or_else(|| unproven("the provider gave no ID token"))?;
        let expected = Expected {
            kind: provider.kind,
            issuer: &issuer,
            client_id: &provider.client_id,
            nonce: &back.secrets.nonce,
            now: back.now,
        };
        let known = expected.check(id_token).await?;
        match &issuer.userinfo {
            Some(url) if known.email.is_none() => {
                self.ask_more(url, provider.kind, &given, known).await
            }
            _ => Ok(known),
        }
    }

    /// Exchanges a code for tokens.
    async fn exchange(
        &self,
        place: &TokenPlace,
        provider: &AuthProvider,
        secret: Option<&SecretString>,
        back: &Return<'_>,
    ) -> Result<Given> {
        let mut request = self.outgoing.post(&place.url)?;
        if let (Some(secret), false) = (secret, place.secret_in_body) {
            request = basic(request, &provider.client_id, secret);
        }
        let request = request
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form(place, provider, secret, back));
        let answer = self.outgoing.send(request).await.map_err(unavailable)?;
        if answer.status.is_server_error() {
            let status = format!("the token endpoint answered {}", answer.status);
            return Err(unavailable(Error::internal("exchange a code", status)));
        }
        let given: Given = answer.json().map_err(unproven)?;
        match &given.error {
            Some(code) => Err(unproven(format!("the provider refused the code: {code}"))),
            None if answer.status.is_success() => Ok(given),
            None => Err(unproven("the provider refused the code")),
        }
    }

    /// Asks for what the ID token leaves out (Core, section 5.3).
    async fn ask_more(
        &self,
        url: &Url,
        kind: ProviderKind,
        given: &Given,
        known: OutsideUser,
    ) -> Result<OutsideUser> {
        #[derive(Deserialize)]
        struct More {
            sub: String,
            #[serde(flatten)]
            person: Person,
        }
        let request = self.outgoing.get(url)?.bearer_auth(given.access_token()?);
        let more: More = self.outgoing.json(request).await.map_err(unavailable)?;
        if more.sub != known.subject {
            return Err(unproven("the user info is of somebody else"));
        }
        if !more.person.has_address() {
            return Ok(known);
        }
        let name = known.name;
        let asked = more.person.of(kind, known.issuer, known.subject);
        Ok(OutsideUser {
            name: name.or(asked.name),
            ..asked
        })
    }
}

/// Whether who leads back is who was asked (RFC 9207).
fn check_answering(issuer: &Issuer, named: Option<&str>) -> Result<()> {
    match named {
        Some(named) if issuer.expected(None).is_none_or(|own| own == named) => Ok(()),
        None if !issuer.names_itself => Ok(()),
        _ => Err(unproven("another provider answers than was asked")),
    }
}

/// The form that a code is exchanged with.
fn form(
    place: &TokenPlace,
    provider: &AuthProvider,
    secret: Option<&SecretString>,
    back: &Return<'_>,
) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "authorization_code")
        .append_pair("code", back.code)
        .append_pair("redirect_uri", back.callback)
        .append_pair("code_verifier", &back.secrets.verifier);
    match secret {
        Some(secret) if place.secret_in_body => {
            form.append_pair("client_id", &provider.client_id)
                .append_pair("client_secret", secret.expose_secret());
        }
        Some(_) => {}
        None => {
            form.append_pair("client_id", &provider.client_id);
        }
    }
    form.finish()
}

/// The client's own credentials (RFC 6749, section 2.3.1).
fn basic(request: RequestBuilder, id: &str, secret: &SecretString) -> RequestBuilder {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(id), encode(secret.expose_secret()));
    request.header("authorization", format!("Basic {}", STANDARD.encode(pair)))
}

/// A provider that cannot be asked just now.
pub(super) fn unavailable(error: Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "provider_unavailable",
        "reach the provider",
    )
    .with_retry_after(5)
    .with_source(error)
}
