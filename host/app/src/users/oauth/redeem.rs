//! Exchanging the code of a sign-in, or of a link in a mail, for tokens.

use super::provider::challenge;
use crate::{
    App,
    limits::Attempt,
    sessions::refusals::Refusal,
    users::{
        Client, Factor, Tokens,
        deeds::{Proof, myself},
        refresh::Entry,
        sign_in::may_enter,
    },
};
use atlashub_core::{Error, ErrorKind, ProjectId, Result, token};
use serde_json::json;

/// How a code starts.
pub(in crate::users) const PREFIX: &str = "ahc_";
/// Characters of a challenge: a SHA-256 in base64url.
const CHALLENGE: usize = 43;
/// Fewest and most characters of a verifier (RFC 7636, section 4.1).
const VERIFIER: std::ops::RangeInclusive<usize> = 43..=128;

impl App {
    /// Begins a session for whoever got the code, has the verifier of its
    /// challenge, and the second factor. The code is used up when everything
    /// fits, and then links the identity that it was got for, if any.
    ///
    /// # Errors
    /// 401 `invalid_code`, `totp_required`, `invalid_totp_code`; 403
    /// `email_not_verified`; `identity_taken`, `too_many_identities`,
    /// `rate_limited`.
    pub async fn redeem_oauth_code(
        &self,
        project: ProjectId,
        code: &str,
        verifier: &str,
        factor: Factor<'_>,
        client: &Client,
    ) -> Result<Tokens> {
        let auth = self.enabled_auth(project).await?;
        self.strict_limits()
            .count_address(Attempt::OAuth, Some(project), client.address)
            .await?;
        let (codes, hash) = (self.platform().oauth_codes(), token::hash(code));
        let found = codes.peek(project, &hash).await?.filter(|found| {
            VERIFIER.contains(&verifier.len())
                && token::matches(
                    &token::hash(&challenge(verifier)),
                    &token::hash(&found.code_challenge),
                )
        });
        let Some(found) = found else {
            self.note_user_refusal(Refusal::Link, project, None, client)
                .await;
            return Err(void());
        };
        let user = self.platform().users().get(project, found.user).await?;
        if user.disabled_at.is_some() {
            return Err(void());
        }
        may_enter(&auth, &user)?;
        let entry = Entry {
            proof: Proof::Code,
            level: self.pass_second_factor(&user, factor, client).await?,
            recovers_until: found.recovers.then(|| self.recovery_end()),
            ..Entry::default()
        };
        let unit = self.platform().begin().await?;
        if !unit.oauth_codes().take(project, &hash).await? {
            return Err(void());
        }
        if let Some(identity) = found.links {
            let linked = json!({ "provider": identity.provider });
            let _ = unit.identities().link(project, identity).await?;
            let target = user.id.to_string();
            let event =
                myself(&user, client).did("user.link_identity", Some(project), target, linked);
            unit.audit().append(event).await?;
        }
        unit.commit().await?;
        self.begin_user_session(&user, entry, client).await
    }
}

/// Whether a challenge is one that a verifier can hash to.
///
/// # Errors
/// `pkce_required`.
pub(in crate::users) fn check_challenge(text: &str) -> Result<()> {
    let sound = text.len() == CHALLENGE
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if sound {
        return Ok(());
    }
    Err(Error::bad_request(
        "pkce_required",
        "`code_challenge` must be the SHA-256 of the verifier, in base64url without padding",
    ))
}

/// A code that works no more, or never did.
fn void() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "invalid_code",
        "the code has run out, was used before, or is another application's: sign in again",
    )
}
