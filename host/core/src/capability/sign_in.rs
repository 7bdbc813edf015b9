//! Signing end users in with what a plugin was sent.

use crate::{ProjectId, Result};
use async_trait::async_trait;
use secrecy::SecretString;
use std::net::IpAddr;

/// What a client sent to a plugin.
#[derive(Debug)]
pub struct Credentials {
    /// The e-mail address.
    pub email: String,
    /// The password.
    pub password: SecretString,
    /// A code of the second factor.
    pub totp_code: Option<String>,
    /// Where the request came from.
    pub address: IpAddr,
    /// What the client says it is.
    pub user_agent: Option<String>,
}

/// The tokens of a new session.
pub struct SessionTokens {
    /// Says who, for `expires_in` seconds.
    pub access_token: String,
    /// Gets the next pair, once.
    pub refresh_token: String,
    /// Seconds that the access token is valid.
    pub expires_in: u32,
}

/// Signs users in, under the limits that hold for the host's own sign-in.
#[async_trait]
pub trait SignIns: Send + Sync {
    /// Begins a session. Codes as `POST /v1/auth/login` has them.
    async fn with_password(
        &self,
        project: ProjectId,
        credentials: Credentials,
    ) -> Result<SessionTokens>;
}
