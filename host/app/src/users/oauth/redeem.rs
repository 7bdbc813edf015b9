//! Exchanging the code of a sign-in for tokens.

use super::provider::challenge;
use crate::{
    App,
    limits::Attempt,
    users::{Client, Tokens, sign_in::may_enter},
};
use atlashub_core::{Error, ErrorKind, ProjectId, Result, token};

/// Fewest and most characters of a verifier (RFC 7636, section 4.1).
const VERIFIER: std::ops::RangeInclusive<usize> = 43..=128;

impl App {
    /// Begins a session for whoever got the code, has the verifier of its
    /// challenge, and the second factor. The code is used up when everything
    /// fits.
    ///
    /// # Errors
    /// 401 `invalid_code`, `totp_required`, `invalid_totp_code`; 403
    /// `email_not_verified`; `rate_limited`.
    pub async fn redeem_oauth_code(
        &self,
        project: ProjectId,
        code: &str,
        verifier: &str,
        totp_code: Option<&str>,
        client: &Client,
    ) -> Result<Tokens> {
        let auth = self.enabled_auth(project).await?;
        self.strict_limits()
            .count_address(Attempt::OAuth, Some(project), client.address)
            .await?;
        let (codes, hash) = (self.platform().oauth_codes(), token::hash(code));
        let found = codes.peek(project, &hash).await?.ok_or_else(void)?;
        let fits = VERIFIER.contains(&verifier.len())
            && token::matches(
                &token::hash(&challenge(verifier)),
                &token::hash(&found.code_challenge),
            );
        if !fits {
            return Err(void());
        }
        let user = self.platform().users().get(project, found.user).await?;
        if user.disabled_at.is_some() {
            return Err(void());
        }
        may_enter(&auth, &user)?;
        self.pass_second_factor(&user, totp_code, client).await?;
        if !codes.take(project, &hash).await? {
            return Err(void());
        }
        self.begin_user_session(&user, None, client).await
    }
}

/// A code that works no more, or never did.
fn void() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "invalid_code",
        "the code has run out, was used before, or is another application's: sign in again",
    )
}
