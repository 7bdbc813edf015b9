//! What an issuer of OpenID Connect says of itself (OpenID Connect Discovery
//! 1.0), and its keys; kept for an hour, so many issuers at once.

use crate::{key_set::KeySet, outgoing::Outgoing};
use atlashub_core::{Error, ErrorKind, Result};
use atlashub_data::platform::ProviderKind;
use moka::future::Cache;
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use url::Url;

/// Issuers that are remembered.
const ISSUERS: u64 = 1_000;
/// How long.
const GOOD_FOR: Duration = Duration::from_secs(3_600);
/// What stands for the tenant in the issuer of Microsoft's tokens for any.
const TENANT: &str = "{tenantid}";

/// The part of an issuer's document that is used.
#[derive(Debug, Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Url,
    userinfo_endpoint: Option<Url>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// An issuer, as it describes itself.
pub(super) struct Issuer {
    /// What its tokens name; may hold [`TENANT`].
    name: String,
    pub(super) authorization: Url,
    pub(super) token: Url,
    pub(super) userinfo: Option<Url>,
    /// Whether the client's secret goes into the body.
    pub(super) secret_in_body: bool,
    /// Whether it names itself when it leads back (RFC 9207).
    pub(super) names_itself: bool,
    pub(super) keys: KeySet,
}

impl Issuer {
    /// What a token's `iss` has to be, where it names this tenant.
    pub(super) fn expected(&self, tenant: Option<&str>) -> Option<String> {
        if !self.name.contains(TENANT) {
            return Some(self.name.clone());
        }
        let tenant = uuid::Uuid::parse_str(tenant?).ok()?;
        Some(self.name.replace(TENANT, &tenant.to_string()))
    }

    fn of(document: Document, outgoing: &Arc<Outgoing>) -> Self {
        let methods = &document.token_endpoint_auth_methods_supported;
        let takes = |method: &str| methods.iter().any(|other| other == method);
        Self {
            secret_in_body: takes("client_secret_post") && !takes("client_secret_basic"),
            name: document.issuer,
            authorization: document.authorization_endpoint,
            token: document.token_endpoint,
            userinfo: document.userinfo_endpoint,
            names_itself: document.authorization_response_iss_parameter_supported,
            keys: KeySet::new(Arc::clone(outgoing), document.jwks_uri),
        }
    }
}

/// The issuers that were asked lately.
pub(super) struct Issuers {
    outgoing: Arc<Outgoing>,
    known: Cache<(ProviderKind, String), Arc<Issuer>>,
}

impl Issuers {
    pub(super) fn new(outgoing: Arc<Outgoing>) -> Self {
        Self {
            outgoing,
            known: Cache::builder()
                .max_capacity(ISSUERS)
                .time_to_live(GOOD_FOR)
                .build(),
        }
    }

    /// An issuer by its address. Whoever asks for the same at once waits for
    /// one answer.
    ///
    /// # Errors
    /// 503 `provider_unavailable` when it does not answer, or describes
    /// another.
    pub(super) async fn find(&self, kind: ProviderKind, address: &str) -> Result<Arc<Issuer>> {
        let key = (kind, address.to_owned());
        let found = self.known.try_get_with(key, self.ask(kind, address)).await;
        found.map_err(|error| {
            Error::new(
                ErrorKind::Unavailable,
                "provider_unavailable",
                "ask the provider how to sign in with it",
            )
            .with_retry_after(5)
            .with_source(crate::changes::chain(error.as_ref()))
        })
    }

    async fn ask(&self, kind: ProviderKind, address: &str) -> Result<Arc<Issuer>> {
        let base = address.trim_end_matches('/');
        let url = Url::parse(&format!("{base}/.well-known/openid-configuration"))
            .map_err(|error| Error::internal("read the address of an issuer", error))?;
        let request = self.outgoing.get(&url)?;
        let document: Document = self.outgoing.json(request).await?;
        if !describes(kind, address, &document.issuer) {
            return Err(Error::internal(
                "ask an issuer about itself",
                format!("{address} says it is {}", document.issuer),
            ));
        }
        Ok(Arc::new(Issuer::of(document, &self.outgoing)))
    }
}

/// Whether a document that lies at `address` may speak for `issuer`: it has
/// to be the same (Discovery, section 4.3). Microsoft's speak for a tenant by
/// its id, or for any, at the same place.
fn describes(kind: ProviderKind, address: &str, issuer: &str) -> bool {
    if issuer == address {
        return true;
    }
    let origin = |text: &str| Url::parse(text).ok().map(|url| url.origin());
    kind == ProviderKind::Microsoft
        && origin(issuer).is_some_and(|own| Some(own) == origin(address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outgoing::Reach;
    use serde_json::json;

    fn issuer(name: &str) -> Issuer {
        let document = json!({
            "issuer": name,
            "authorization_endpoint": "https://id.example/authorize",
            "token_endpoint": "https://id.example/token",
            "jwks_uri": "https://id.example/keys",
        });
        let outgoing = Arc::new(Outgoing::new(Reach::Everywhere).unwrap());
        Issuer::of(serde_json::from_value(document).unwrap(), &outgoing)
    }

    #[test]
    fn an_issuer_describes_itself_and_nobody_else() {
        let microsoft = "https://login.microsoftonline.com/common/v2.0";
        let any = "https://login.microsoftonline.com/{tenantid}/v2.0";
        assert!(describes(
            ProviderKind::Oidc,
            "https://a.example",
            "https://a.example"
        ));
        assert!(!describes(
            ProviderKind::Oidc,
            "https://a.example",
            "https://b.example"
        ));
        assert!(!describes(
            ProviderKind::Oidc,
            "https://a.example",
            "https://a.example/"
        ));
        assert!(!describes(ProviderKind::Oidc, microsoft, any));
        assert!(describes(ProviderKind::Microsoft, microsoft, any));
        assert!(!describes(
            ProviderKind::Microsoft,
            microsoft,
            "https://evil.example/v2.0"
        ));
    }

    #[test]
    fn a_tenant_stands_in_the_issuer_of_microsofts_tokens() {
        let any = issuer("https://login.microsoftonline.com/{tenantid}/v2.0");
        let tenant = "9188040d-6c67-4c5b-b112-36a304b66dad";
        assert_eq!(
            any.expected(Some(tenant)).as_deref(),
            Some("https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0")
        );
        assert_eq!(any.expected(None), None);
        assert_eq!(any.expected(Some("../evil")), None);
        let one = issuer("https://id.example");
        assert_eq!(one.expected(None).as_deref(), Some("https://id.example"));
    }
}
