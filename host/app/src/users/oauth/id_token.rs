//! Checking an ID token (OpenID Connect Core 1.0, section 3.1.3.7): signed by
//! a key of the issuer with an asymmetric algorithm, for this client, in
//! answer to this sign-in, and not over.

use super::{issuer::Issuer, provider::OutsideUser, unproven};
use atlashub_core::{Result, token};
use atlashub_data::platform::ProviderKind;
use jsonwebtoken::{
    Algorithm, Validation, dangerous::insecure_decode_claims, decode, decode_header,
};
use serde::Deserialize;
use serde_json::Value;
use time::{Duration, OffsetDateTime};

/// How far the clocks may differ.
const LEEWAY: Duration = Duration::seconds(60);
/// Longest token, bytes.
const MAX_BYTES: usize = 32 * 1_024;
/// Longest subject, characters (Core, section 2).
const MAX_SUBJECT: usize = 255;

#[derive(Deserialize)]
struct Claims {
    sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: i64,
    iat: i64,
    nonce: Option<String>,
    #[serde(flatten)]
    person: Person,
}

/// What a token, or the user info beside it, says of somebody.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Person {
    email: Option<String>,
    email_verified: Option<Value>,
    /// Microsoft: whether the owner of the address' domain vouches for it.
    xms_edov: Option<Value>,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// What a token has to fit.
pub(super) struct Expected<'a> {
    pub(super) kind: ProviderKind,
    pub(super) issuer: &'a Issuer,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now: OffsetDateTime,
}

impl Expected<'_> {
    /// Whoever a token is of.
    ///
    /// # Errors
    /// 401 `provider_not_believed`, 503 when the issuer's keys are not to be
    /// had.
    pub(super) async fn check(&self, text: &str) -> Result<OutsideUser> {
        if text.len() > MAX_BYTES {
            return Err(unproven("the ID token is too long"));
        }
        let header = decode_header(text).map_err(unproven)?;
        if header.crit.is_some() {
            return Err(unproven("the ID token has extensions that are not known"));
        }
        let key = self.issuer.keys.find(header.kid.as_deref()).await?;
        let key = key
            .filter(|key| key.takes(header.alg))
            .ok_or_else(|| unproven("the ID token is signed with an unknown key"))?;
        let issuer = self
            .issuer
            .expected(tenant(text).as_deref())
            .ok_or_else(|| unproven("the ID token names no tenant"))?;
        let claims = decode::<Claims>(text, &key.key, &self.validation(header.alg, &issuer))
            .map_err(unproven)?
            .claims;
        self.check_claims(&claims)?;
        Ok(claims.person.of(self.kind, issuer, claims.sub))
    }

    fn validation(&self, algorithm: Algorithm, issuer: &str) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[self.client_id]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Against the host's clock, below.
        validation.validate_exp = false;
        validation
    }

    fn check_claims(&self, claims: &Claims) -> Result<()> {
        let at = |seconds| OffsetDateTime::from_unix_timestamp(seconds).map_err(unproven);
        if at(claims.exp)? + LEEWAY <= self.now || at(claims.iat)? > self.now + LEEWAY {
            return Err(unproven("the ID token is over, or not yet valid"));
        }
        let nonce = claims.nonce.as_deref().unwrap_or_default();
        if !token::matches(&token::hash(nonce), &token::hash(self.nonce)) {
            return Err(unproven("the ID token is of another sign-in"));
        }
        let shared = matches!(&claims.aud, Audience::Many(all) if all.len() > 1);
        let party = claims.azp.as_deref();
        if party.is_some_and(|party| party != self.client_id) || (shared && party.is_none()) {
            return Err(unproven("the ID token is for another client"));
        }
        if let Audience::One(one) = &claims.aud
            && one != self.client_id
        {
            return Err(unproven("the ID token is for another client"));
        }
        if claims.sub.is_empty() || claims.sub.chars().count() > MAX_SUBJECT {
            return Err(unproven("the ID token names nobody"));
        }
        Ok(())
    }
}

impl Person {
    /// Whether anything is said of an address.
    pub(super) fn has_address(&self) -> bool {
        self.email.is_some()
    }

    /// The person as `subject` of an issuer. Who administers a tenant of
    /// Microsoft writes addresses, and most claims, at will: there only the
    /// claim counts that Microsoft makes itself.
    pub(super) fn of(self, kind: ProviderKind, issuer: String, subject: String) -> OutsideUser {
        let says_yes = |value: &Option<Value>| match value {
            Some(Value::Bool(yes)) => *yes,
            Some(Value::Number(number)) => number.as_i64() == Some(1),
            Some(Value::String(text)) => matches!(text.as_str(), "true" | "1"),
            _ => false,
        };
        let email_verified = match kind {
            ProviderKind::Microsoft => says_yes(&self.xms_edov),
            _ => says_yes(&self.email_verified),
        };
        OutsideUser {
            issuer,
            subject,
            email_verified: email_verified && self.email.is_some(),
            email: self.email,
            name: self.name,
        }
    }
}

/// The tenant that a token names; what it says is checked with the rest.
fn tenant(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Tenant {
        tid: Option<String>,
    }
    insecure_decode_claims::<Tenant>(text).ok()?.tid
}
