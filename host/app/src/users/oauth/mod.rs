//! Signing in with others: Google, GitHub, Microsoft, and every issuer of
//! OpenID Connect.
//!
//! A browser begins here, proves itself there, and comes back with a code and
//! the state that was made for it; who it is then gets another code, of ours,
//! which the application exchanges for tokens with its own verifier. Sign-ins
//! under way lie in the platform database, so that any node ends what another
//! began; they belong to one browser by a cookie, and to one application by
//! its challenge. Whether somebody may come in is for the same rules as with a
//! password.

mod begin;
mod configure;
mod finish;
mod github;
mod id_token;
mod identities;
mod issuer;
mod link;
mod provider;
pub(super) mod redeem;

pub use begin::{BeginOAuth, OAuthBegun};
pub use configure::{ConfigureProvider, provider_tag};
pub use finish::OAuthReturn;
pub(crate) use provider::Providers;

use crate::App;
use atlashub_core::{Error, ErrorKind, ProjectId, ProviderName, Result, Slug};
use atlashub_data::platform::AuthProvider;
use secrecy::SecretString;

/// A project, as addresses name it.
#[derive(Clone, Debug)]
pub struct ProjectAddress {
    /// Its id.
    pub id: ProjectId,
    /// Its slug.
    pub slug: Slug,
}

impl App {
    /// Where a provider of a project has to lead back to.
    #[must_use]
    pub fn oauth_callback(&self, slug: &Slug, provider: &ProviderName) -> String {
        let base = self.directory().public_url(slug);
        format!("{base}/v1/auth/oauth/{provider}/callback")
    }

    /// A provider with which one can sign in now.
    async fn usable_provider(
        &self,
        project: ProjectId,
        name: &ProviderName,
    ) -> Result<AuthProvider> {
        let found = self.platform().auth_providers().find(project, name).await?;
        found
            .filter(|provider| provider.enabled)
            .ok_or_else(|| Error::not_found("provider"))
    }

    fn client_secret(&self, provider: &AuthProvider) -> Result<Option<SecretString>> {
        let identity = secret_identity(provider.project, &provider.name);
        provider
            .sealed_client_secret
            .as_deref()
            .map(|sealed| self.sealer().open_text(&identity, sealed))
            .transpose()
    }
}

/// The record that a client secret is sealed for.
pub(crate) fn secret_identity(project: ProjectId, name: &ProviderName) -> String {
    format!("project/{project}/auth-provider/{name}/client-secret")
}

/// Whatever a provider says that proves nothing; why is for the log.
fn unproven(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "provider_not_believed",
        "the provider did not prove who you are, try again",
    )
    .with_source(cause)
}
