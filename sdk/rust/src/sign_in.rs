//! Signing the project's end users in with what a client sent, for plugins
//! that speak to clients with a sign-in of their own. Needs the grant
//! `sign-in`.
//!
//! ```
//! # use atlashub_sdk::{prelude::*, testing::TestHost};
//! # let host = TestHost::new("door").with_password("ann@example.com", "right");
//! let tokens = sign_in::with_password("ann@example.com", "right").send()?;
//! assert!(!tokens.access_token.is_empty());
//! let refused = sign_in::with_password("ann@example.com", "wrong").send();
//! assert_eq!(refused.unwrap_err().code(), "invalid_credentials");
//! # Ok::<(), Error>(())
//! ```
//!
//! The host counts tries by the address and by where the request came from,
//! as it does for `POST /v1/auth/login`, which answers with the same codes.

use crate::{Result, host};

/// What a client sent.
#[derive(Clone)]
pub struct Credentials {
    pub(crate) email: String,
    pub(crate) password: String,
    pub(crate) totp_code: Option<String>,
    pub(crate) user_agent: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// The tokens of a new session.
#[derive(Clone)]
pub struct Tokens {
    /// Says who, for `expires_in` seconds: what a client sends as
    /// `Authorization: Bearer`.
    pub access_token: String,
    /// Gets the next pair from `POST /v1/auth/refresh`, once.
    pub refresh_token: String,
    /// Seconds that the access token is valid.
    pub expires_in: u32,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

/// Begins to sign a user in.
pub fn with_password(email: impl Into<String>, password: impl Into<String>) -> Credentials {
    Credentials {
        email: email.into(),
        password: password.into(),
        totp_code: None,
        user_agent: None,
    }
}

impl Credentials {
    /// With a code of the second factor, or a recovery code.
    #[must_use]
    pub fn with_totp_code(mut self, code: impl Into<String>) -> Self {
        self.totp_code = Some(code.into());
        self
    }

    /// With what the client says it is, which the user sees in the list of
    /// sessions.
    #[must_use]
    pub fn with_user_agent(mut self, agent: impl Into<String>) -> Self {
        self.user_agent = Some(agent.into());
        self
    }

    /// Begins a session.
    ///
    /// # Errors
    /// 401 `invalid_credentials`, `totp_required`, `invalid_totp_code`; 403
    /// `email_not_verified`; 404 `sign_in_disabled`; 429 `rate_limited`, 503
    /// `busy`; the host's: `not_granted`, `no_client`.
    pub fn send(self) -> Result<Tokens> {
        Ok(host::sign_in(self)?)
    }
}
