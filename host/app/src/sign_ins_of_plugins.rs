//! Users signed in by plugins with the grant `sign-in`: the same road as the
//! host's own sign-in, with its limits.

use crate::{
    App,
    app::WeakApp,
    users::{Client, Factor, SignIn},
};
use async_trait::async_trait;
use atlashub_core::{
    Error, ErrorKind, ProjectId, Result,
    capability::sign_in::{Credentials, SessionTokens, SignIns},
};
use std::sync::{Arc, OnceLock};

/// The sign-in as plugins have it. Made before the app, which needs the
/// runtime, which needs this.
#[derive(Default)]
pub(crate) struct SignInsOfPlugins {
    app: OnceLock<WeakApp>,
}

impl SignInsOfPlugins {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Connects it to the app; only the first call counts.
    pub(crate) fn connect(&self, app: &App) {
        let _ = self.app.set(app.downgrade());
    }
}

#[async_trait]
impl SignIns for SignInsOfPlugins {
    async fn with_password(
        &self,
        project: ProjectId,
        credentials: Credentials,
    ) -> Result<SessionTokens> {
        let app = self.app.get().and_then(WeakApp::upgrade);
        let app = app.ok_or_else(|| {
            Error::new(
                ErrorKind::Unavailable,
                "busy",
                "the server is not ready, try again",
            )
        })?;
        let wanted = SignIn {
            email: credentials.email,
            password: credentials.password,
        };
        let client = Client::new(credentials.address, credentials.user_agent.as_deref());
        let factor = Factor::Now(credentials.totp_code.as_deref());
        let tokens = app.sign_in_user(project, wanted, factor, &client).await?;
        Ok(SessionTokens {
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token,
            expires_in: tokens.expires_in,
        })
    }
}
