//! Cloudflare Access in front of the admin interface.

use anyhow::{Context as _, bail};
use atlashub_app::AccessSettings;
use serde::{Deserialize, Serialize};
use url::Url;

/// Cloudflare Access in front of the admin interface; off unless a team is
/// named.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AccessConfig {
    /// The team's name, or its address.
    pub(crate) team: Option<String>,
    /// The audience tag of the application.
    pub(crate) audience: Option<String>,
    /// What somebody becomes whom Access lets in and who is no admin yet:
    /// `admin` or `viewer`; nobody comes in that way unless it is set.
    pub(crate) default_role: Option<String>,
}

impl AccessConfig {
    pub(super) fn validate(&self, in_development: bool) -> anyhow::Result<()> {
        self.settings(in_development).map(drop)
    }

    /// What the use cases need to know.
    ///
    /// # Errors
    /// Says which setting is wrong.
    pub(crate) fn settings(&self, in_development: bool) -> anyhow::Result<Option<AccessSettings>> {
        let (team, audience) = match (&self.team, &self.audience) {
            (None, None) => return Ok(None),
            (Some(team), Some(audience)) => (team, audience),
            _ => bail!("ATLASHUB_ACCESS_TEAM and ATLASHUB_ACCESS_AUDIENCE are set together"),
        };
        let default_role = match self.default_role.as_deref() {
            None => None,
            Some(role @ ("admin" | "viewer")) => Some(role.parse()?),
            Some(_) => bail!("ATLASHUB_ACCESS_DEFAULT_ROLE must be `admin` or `viewer`"),
        };
        Ok(Some(AccessSettings {
            team: address(team, in_development)?,
            audience: audience.trim().to_owned(),
            default_role,
        }))
    }
}

/// The team's address: of a name, or as it is given. Plain HTTP is for a
/// stand-in on a developer's machine.
fn address(team: &str, in_development: bool) -> anyhow::Result<String> {
    let given = team.trim();
    let team = given.trim_end_matches('/');
    let is_name = !team.is_empty() && team.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if is_name {
        return Ok(format!("https://{team}.cloudflareaccess.com"));
    }
    let with_scheme = if given.contains("://") {
        team.to_owned()
    } else {
        format!("https://{team}")
    };
    let url = Url::parse(&with_scheme).context("ATLASHUB_ACCESS_TEAM cannot be read")?;
    let is_safe = url.scheme() == "https" || (in_development && url.scheme() == "http");
    if !is_safe || !url.has_host() || url.path() != "/" || url.query().is_some() {
        bail!(
            "ATLASHUB_ACCESS_TEAM must be a team's name or `https://<team>.cloudflareaccess.com`"
        );
    }
    Ok(with_scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(team: Option<&str>, audience: Option<&str>, role: Option<&str>) -> AccessConfig {
        AccessConfig {
            team: team.map(str::to_owned),
            audience: audience.map(str::to_owned),
            default_role: role.map(str::to_owned),
        }
    }

    #[test]
    fn a_team_is_named_or_addressed() {
        let wanted = "https://acme.cloudflareaccess.com";
        for team in [
            "acme",
            "acme.cloudflareaccess.com",
            "https://acme.cloudflareaccess.com/",
        ] {
            let settings = config(Some(team), Some("aud"), None)
                .settings(false)
                .unwrap();
            assert_eq!(settings.unwrap().team, wanted, "{team}");
        }
        let stand_in = config(Some("http://127.0.0.1:9"), Some("aud"), None);
        assert!(stand_in.validate(true).is_ok());
        assert!(stand_in.validate(false).is_err());
    }

    #[test]
    fn half_a_configuration_is_refused() {
        assert!(config(None, None, None).settings(false).unwrap().is_none());
        assert!(config(Some("acme"), None, None).validate(false).is_err());
        assert!(config(None, Some("aud"), None).validate(false).is_err());
        let owner = config(Some("acme"), Some("aud"), Some("owner"));
        assert!(owner.validate(false).is_err());
        for team in ["", "ftp://x", "https://x/y", "https://"] {
            assert!(
                config(Some(team), Some("aud"), None)
                    .validate(true)
                    .is_err()
            );
        }
    }
}
