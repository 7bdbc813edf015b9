//! With whom the users of a project may sign in, as admins set it up.

use super::{github, secret_identity};
use crate::{Actor, App};
use atlashub_core::{Error, Precondition, ProjectId, ProviderName, Result, precondition::tag_of};
use atlashub_data::platform::{AuthProvider, ProviderKind, PutProvider};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use url::Url;

/// Providers that a project may have.
const MOST: u64 = 20;
/// Longest issuer, client id, secret and scope, bytes.
const MAX_ISSUER: usize = 500;
const MAX_CLIENT_ID: usize = 500;
const MAX_SECRET: usize = 2_000;
const MAX_SCOPE: usize = 200;
/// Most scopes.
const MAX_SCOPES: usize = 20;
/// Names that are addresses of their own.
const RESERVED: &[&str] = &["token"];
/// The issuer of Google's tokens.
const GOOGLE: &str = "https://accounts.google.com";
/// Microsoft's place for accounts of any tenant, and personal ones.
const MICROSOFT: &str = "https://login.microsoftonline.com/common/v2.0";

/// A provider as an admin wants it.
#[derive(Clone, Debug)]
pub struct ConfigureProvider {
    /// What it speaks.
    pub kind: ProviderKind,
    /// Who vouches; known of Google, and unless said otherwise of GitHub and
    /// Microsoft.
    pub issuer: Option<String>,
    /// What the project is called there.
    pub client_id: String,
    /// The secret that goes with it; the one before stays unless it is given.
    pub client_secret: Option<SecretString>,
    /// What is asked for; who somebody is, and the address, unless given.
    pub scopes: Option<Vec<String>>,
    /// Whether one can sign in with it.
    pub enabled: bool,
    /// Whether somebody who is no user yet becomes one.
    pub sign_up: bool,
}

/// The tag of a provider: another with each change, also of its secret.
///
/// # Errors
/// When it cannot be written.
pub fn provider_tag(provider: &AuthProvider) -> Result<String> {
    tag_of(&(
        (
            provider.kind.as_str(),
            &provider.issuer,
            &provider.client_id,
        ),
        (&provider.sealed_client_secret, &provider.scopes),
        (provider.enabled, provider.sign_up),
        provider.updated_at.unix_timestamp_nanos().to_string(),
    ))
}

impl App {
    /// The providers of a project, by name.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn auth_providers(&self, project: ProjectId) -> Result<Vec<AuthProvider>> {
        self.platform().auth_providers().list(project).await
    }

    /// A provider of a project.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn auth_provider(
        &self,
        project: ProjectId,
        name: &ProviderName,
    ) -> Result<AuthProvider> {
        let found = self.platform().auth_providers().find(project, name).await?;
        found.ok_or_else(|| Error::not_found("provider"))
    }

    /// Sets a provider up, in place of one of that name, where `condition`
    /// holds of it. A secret is given anew when it would go to somebody else
    /// than before.
    ///
    /// # Errors
    /// `invalid_provider`, `secret_required`, `too_many_providers`,
    /// `precondition_failed`.
    pub async fn put_auth_provider(
        &self,
        actor: &Actor,
        project: ProjectId,
        name: &ProviderName,
        wanted: ConfigureProvider,
        condition: &Precondition,
    ) -> Result<AuthProvider> {
        if RESERVED.contains(&name.as_str()) {
            return Err(Error::invalid(
                "reserved_name",
                format!("the name `{name}` is reserved, choose another"),
            ));
        }
        let unit = self.platform().begin().await?;
        // Who changes it at the same time waits here, and is seen below.
        unit.projects().lock(project).await?;
        let before = unit.auth_providers().find(project, name).await?;
        condition.check_with(&format!("the provider `{name}`"), || {
            before.as_ref().map(provider_tag).transpose()
        })?;
        let issuer = self.checked_issuer(wanted.kind, wanted.issuer.as_deref())?;
        let client_id = printable("client_id", wanted.client_id, MAX_CLIENT_ID)?;
        let sealed_client_secret = match wanted.client_secret {
            Some(secret) => {
                let text = printable("client_secret", secret.expose_secret().into(), MAX_SECRET)?;
                let identity = secret_identity(project, name);
                Some(self.sealer().seal(&identity, text.as_bytes())?)
            }
            None => before
                .filter(|before| {
                    (before.kind, &before.issuer, &before.client_id)
                        == (wanted.kind, &issuer, &client_id)
                })
                .and_then(|before| before.sealed_client_secret),
        };
        if sealed_client_secret.is_none() && wanted.kind != ProviderKind::Oidc {
            return Err(Error::invalid(
                "secret_required",
                "give the `client_secret`, also when the issuer or the client is another",
            ));
        }
        let put = PutProvider {
            kind: wanted.kind,
            issuer,
            client_id,
            sealed_client_secret,
            scopes: scopes(wanted.kind, wanted.scopes)?,
            enabled: wanted.enabled,
            sign_up: wanted.sign_up,
        };
        let details = json!({
            "provider": name, "kind": put.kind.as_str(), "issuer": put.issuer,
            "enabled": put.enabled, "sign_up": put.sign_up,
        });
        let stored = unit.auth_providers().put(project, name, put, MOST).await?;
        unit.audit()
            .append(actor.did(
                "auth.put_provider",
                Some(project),
                name.to_string(),
                details,
            ))
            .await?;
        unit.commit().await?;
        self.access().forget_project(project);
        Ok(stored)
    }

    /// Removes a provider. Its users stay, and are known again when one of the
    /// same issuer is set up.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn delete_auth_provider(
        &self,
        actor: &Actor,
        project: ProjectId,
        name: &ProviderName,
    ) -> Result<()> {
        let unit = self.platform().begin().await?;
        unit.projects().lock(project).await?;
        if !unit.auth_providers().delete(project, name).await? {
            return Err(Error::not_found("provider"));
        }
        unit.audit()
            .append(actor.did(
                "auth.delete_provider",
                Some(project),
                name.to_string(),
                json!({}),
            ))
            .await?;
        unit.commit().await?;
        self.access().forget_project(project);
        Ok(())
    }

    fn checked_issuer(&self, kind: ProviderKind, wanted: Option<&str>) -> Result<String> {
        let standard = match kind {
            ProviderKind::Google => Some(GOOGLE),
            ProviderKind::Github => Some(github::ISSUER),
            ProviderKind::Microsoft => Some(MICROSOFT),
            ProviderKind::Oidc => None,
        };
        let issuer = wanted
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .or(standard)
            .ok_or_else(|| invalid("`issuer` is missing: give the address of the issuer"))?;
        if kind == ProviderKind::Google && issuer != GOOGLE {
            return Err(invalid(format!("the `issuer` of Google is {GOOGLE}")));
        }
        let url = Url::parse(issuer).map_err(|_| invalid("`issuer` is not an address"))?;
        if issuer.len() > MAX_ISSUER || url.query().is_some() || url.fragment().is_some() {
            return Err(invalid(format!(
                "`issuer` must be an address of at most {MAX_ISSUER} bytes, without query"
            )));
        }
        let reachable = self.providers().outgoing.check(&url);
        reachable.map_err(|error| invalid(format!("`issuer`: {}", error.message())))?;
        Ok(issuer.to_owned())
    }
}

fn scopes(kind: ProviderKind, wanted: Option<Vec<String>>) -> Result<Vec<String>> {
    let standard: &[&str] = match kind {
        ProviderKind::Github => &["read:user", "user:email"],
        _ => &["openid", "email", "profile"],
    };
    let Some(scopes) = wanted else {
        return Ok(standard.iter().map(|&scope| scope.to_owned()).collect());
    };
    // RFC 6749, section 3.3.
    let token = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    let sound = |scope: &String| (1..=MAX_SCOPE).contains(&scope.len()) && scope.bytes().all(token);
    if scopes.len() > MAX_SCOPES || !scopes.iter().all(sound) {
        return Err(invalid(format!(
            "`scopes` may have {MAX_SCOPES} names of visible ASCII characters"
        )));
    }
    if kind != ProviderKind::Github && !scopes.iter().any(|scope| scope == "openid") {
        return Err(invalid("`scopes` must have `openid`"));
    }
    Ok(scopes)
}

fn printable(member: &str, text: String, most: usize) -> Result<String> {
    let text = text.trim().to_owned();
    // RFC 6749, appendix A.1 and A.2.
    let sound =
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if sound {
        Ok(text)
    } else {
        Err(invalid(format!(
            "`{member}` must have 1 to {most} printable ASCII characters"
        )))
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::invalid("invalid_provider", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_names_and_ask_who_it_is() {
        let of = |kind, scopes: &[&str]| {
            let wanted = scopes.iter().map(|&scope| scope.to_owned()).collect();
            super::scopes(kind, Some(wanted))
        };
        assert!(of(ProviderKind::Oidc, &["openid", "groups"]).is_ok());
        assert!(of(ProviderKind::Github, &["user:email"]).is_ok());
        for bad in [
            &["email"][..],
            &["openid", "a b"],
            &["openid", ""],
            &["openid", "a\"b"],
        ] {
            assert!(of(ProviderKind::Oidc, bad).is_err(), "{bad:?}");
        }
        let standard = scopes(ProviderKind::Microsoft, None).unwrap();
        assert_eq!(standard, ["openid", "email", "profile"]);
    }

    #[test]
    fn what_is_typed_has_bounds() {
        assert_eq!(printable("client_id", " abc ".into(), 10).unwrap(), "abc");
        for bad in ["", " ", "a\nb", "ä", "aaaaaaaaaaa"] {
            assert!(printable("client_id", bad.into(), 10).is_err(), "{bad:?}");
        }
    }
}
