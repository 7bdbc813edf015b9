//! Checking one assertion (RFC 7519, RFC 8725): one algorithm, the issuer
//! and the audience exact, every claim that we rely on required.

use super::refused;
use atlashub_core::Result;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use time::{Duration, OffsetDateTime};

/// How far the clocks may differ.
const LEEWAY: Duration = Duration::seconds(30);
/// Longest key id.
const MAX_KEY_ID: usize = 256;

/// What an assertion says.
#[derive(Debug)]
pub(super) struct Assertion {
    pub(super) email: String,
    pub(super) expires_at: OffsetDateTime,
}

#[derive(Deserialize)]
struct Claims {
    email: Option<String>,
    exp: i64,
    iat: i64,
    nbf: Option<i64>,
    /// `app` for a person at an application.
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Checks assertions of one application.
pub(super) struct Checker(Validation);

impl Checker {
    pub(super) fn new(issuer: &str, audience: &str) -> Self {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Against the host's clock, below.
        validation.validate_exp = false;
        Self(validation)
    }

    /// The id of the key that signed it, as it says itself.
    pub(super) fn key_id(&self, text: &str) -> Result<String> {
        let header = decode_header(text).map_err(|_| refused())?;
        header
            .kid
            .filter(|kid| header.alg == Algorithm::RS256 && kid.len() <= MAX_KEY_ID)
            .ok_or_else(refused)
    }

    pub(super) fn check(
        &self,
        text: &str,
        key: &DecodingKey,
        now: OffsetDateTime,
    ) -> Result<Assertion> {
        let claims = decode::<Claims>(text, key, &self.0)
            .map_err(|error| {
                tracing::debug!(%error, "an assertion of Access does not hold");
                refused()
            })?
            .claims;
        let at = |seconds| OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| refused());
        let expires_at = at(claims.exp)?;
        let begun = at(claims.nbf.unwrap_or(claims.iat).max(claims.iat))?;
        if expires_at + LEEWAY <= now || begun > now + LEEWAY {
            return Err(refused());
        }
        // A service token has no address, and is nobody.
        match (claims.email, claims.kind.as_deref()) {
            (Some(email), None | Some("app")) => Ok(Assertion { email, expires_at }),
            _ => Err(refused()),
        }
    }
}
