//! Signing in with others: a project's providers, sign-ins under way, and the
//! codes that end them. Secrets come sealed; states, cookies and codes come as
//! digests. Read anew at each sign-in, so that nothing of it is in a cache.

mod codes;
mod providers;
mod sign_ins;

pub use codes::{NewOAuthCode, OAuthCode, OAuthCodes};
pub use providers::{AuthProvider, AuthProviders, ProviderKind, PutProvider};
pub use sign_ins::{NewOAuthSignIn, OAuthSignIn, OAuthSignIns};
