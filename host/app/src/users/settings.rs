//! How a project lets its end users in: what an admin may set, its defaults,
//! and its bounds.

use crate::{Actor, App};
use atlashub_core::{Error, Precondition, ProjectId, Result, precondition::tag_of};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};
use url::Url;

/// Most addresses that mails and sign-ins may lead to.
const MAX_REDIRECTS: usize = 50;
/// Longest such address, bytes.
const MAX_URL: usize = 2_000;
/// Longest subject of a mail, characters.
const MAX_SUBJECT: usize = 200;
/// Longest text of a mail, bytes.
const MAX_MAIL: usize = 20_000;
/// Seconds that an access token may be valid.
const ACCESS_SECONDS: std::ops::RangeInclusive<u32> = 60..=3_600;
/// Seconds after which an unused session may end: an hour to a year.
const REFRESH_SECONDS: std::ops::RangeInclusive<u32> = 3_600..=31_536_000;
/// Fewest characters that a project may ask of passwords.
const PASSWORD_CHARACTERS: std::ops::RangeInclusive<u16> = 8..=64;

/// Who may become a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignUpPolicy {
    /// Everybody.
    #[default]
    Open,
    /// Whom an admin invited.
    Invite,
    /// Nobody.
    Closed,
}

/// How a project lets its end users in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthSettings {
    /// Whether the project has end users at all.
    pub enabled: bool,
    /// Who may become one.
    pub sign_up: SignUpPolicy,
    /// Fewest characters of a password.
    pub password_min_characters: u16,
    /// Seconds that an access token is valid.
    pub access_token_seconds: u32,
    /// Seconds after which a session ends that was not refreshed.
    pub refresh_token_seconds: u32,
    /// Whether who signs in must have proven that the address is theirs.
    pub require_verified_email: bool,
    /// Where mails and sign-ins may lead: addresses, `/*` at the end for
    /// everything below. The first is where they lead unless asked otherwise.
    pub redirect_urls: Vec<String>,
    /// Mails in the project's own words, by kind.
    pub mail_templates: BTreeMap<MailKind, MailTemplate>,
}

/// The mails that users get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailKind {
    /// Proves the address.
    VerifyEmail,
    /// Signs in.
    MagicLink,
    /// Sets another password.
    ResetPassword,
    /// Sets the first password of somebody who was invited.
    Invite,
}

impl MailKind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::VerifyEmail,
        Self::MagicLink,
        Self::ResetPassword,
        Self::Invite,
    ];

    /// The kind as links and settings name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::MagicLink => "magic_link",
            Self::ResetPassword => "reset_password",
            Self::Invite => "invite",
        }
    }

    /// The kind as supabase's client names it.
    #[must_use]
    pub const fn in_dialect(self) -> &'static str {
        match self {
            Self::VerifyEmail => "signup",
            Self::MagicLink => "magiclink",
            Self::ResetPassword => "recovery",
            Self::Invite => "invite",
        }
    }
}

/// A mail, with `{{link}}`, `{{token}}`, `{{project}}`, `{{email}}` and
/// `{{name}}` to be filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailTemplate {
    /// The subject.
    pub subject: String,
    /// The mail as plain text.
    pub text: String,
    /// The mail as HTML beside it; what is filled in is escaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            sign_up: SignUpPolicy::Open,
            password_min_characters: 8,
            access_token_seconds: 15 * 60,
            refresh_token_seconds: 30 * 24 * 3_600,
            require_verified_email: false,
            redirect_urls: Vec::new(),
            mail_templates: BTreeMap::new(),
        }
    }
}

impl AuthSettings {
    pub(crate) fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| Error::internal("read sign-in settings", error))
    }

    /// What is stored, or the defaults while nothing is.
    fn stored(text: Option<&str>) -> Result<Self> {
        text.map_or_else(|| Ok(Self::default()), Self::from_json)
    }

    /// The tag of what they say.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn tag(&self) -> Result<String> {
        tag_of(self)
    }

    /// How long an access token is valid.
    #[must_use]
    pub fn access_lifetime(&self) -> Duration {
        Duration::from_secs(self.access_token_seconds.into())
    }

    /// How long a session lasts without being refreshed.
    #[must_use]
    pub fn refresh_lifetime(&self) -> Duration {
        Duration::from_secs(self.refresh_token_seconds.into())
    }

    /// Checks what an admin wants to set.
    ///
    /// # Errors
    /// `invalid_auth_settings` with the member and its bounds.
    pub fn check(&self) -> Result<()> {
        within(
            "password_min_characters",
            u32::from(self.password_min_characters),
            u32::from(*PASSWORD_CHARACTERS.start())..=u32::from(*PASSWORD_CHARACTERS.end()),
        )?;
        within(
            "access_token_seconds",
            self.access_token_seconds,
            ACCESS_SECONDS,
        )?;
        within(
            "refresh_token_seconds",
            self.refresh_token_seconds,
            REFRESH_SECONDS,
        )?;
        if self.redirect_urls.len() > MAX_REDIRECTS {
            return Err(invalid(format!(
                "`redirect_urls` may have {MAX_REDIRECTS} addresses"
            )));
        }
        for text in &self.redirect_urls {
            allowed_form(text)?;
        }
        for template in self.mail_templates.values() {
            check_template(template)?;
        }
        Ok(())
    }

    /// Where a mail or a sign-in may lead: `wanted`, when the project allows
    /// it, or its first address when nothing is wanted.
    ///
    /// # Errors
    /// `redirect_not_allowed`.
    pub fn redirect(&self, wanted: Option<&str>) -> Result<Option<Url>> {
        let Some(wanted) = wanted.filter(|text| !text.is_empty()) else {
            let first = self.redirect_urls.iter().find(|text| !text.ends_with("/*"));
            return Ok(first.and_then(|text| Url::parse(text).ok()));
        };
        let refused = || {
            Error::bad_request(
                "redirect_not_allowed",
                "`redirect_to` is none of the project's `redirect_urls`",
            )
        };
        if wanted.len() > MAX_URL {
            return Err(refused());
        }
        let url = Url::parse(wanted).map_err(|_| refused())?;
        let plain = url.username().is_empty() && url.password().is_none();
        let allowed = self.redirect_urls.iter().any(|text| covers(text, &url));
        if plain && allowed {
            Ok(Some(url))
        } else {
            Err(refused())
        }
    }
}

/// Whether an allowed address covers `url`: same scheme, host and port, and
/// the same path or one below. Query and fragment are the client's.
fn covers(allowed: &str, url: &Url) -> bool {
    let (start, below) = match allowed.strip_suffix("/*") {
        Some(start) => (start, true),
        None => (allowed, false),
    };
    let Ok(start) = Url::parse(start) else {
        return false;
    };
    let same_place = start.scheme() == url.scheme()
        && start.host_str() == url.host_str()
        && start.port_or_known_default() == url.port_or_known_default();
    let path = start.path().trim_end_matches('/');
    let same_path = url.path().trim_end_matches('/') == path;
    same_place
        && (same_path
            || (below
                && url
                    .path()
                    .strip_prefix(path)
                    .is_some_and(|rest| rest.starts_with('/'))))
}

/// An address that may be allowed: `https`, an app's own scheme, or `http` on
/// the developer's own machine.
fn allowed_form(text: &str) -> Result<()> {
    let sound = Url::parse(text.strip_suffix("/*").unwrap_or(text)).is_ok_and(|url| {
        let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let scheme = match url.scheme() {
            "https" => url.has_host(),
            "http" => local,
            "javascript" | "data" | "file" | "blob" | "vbscript" | "about" => false,
            _ => true,
        };
        scheme
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
            && url.query().is_none()
    });
    if sound && text.len() <= MAX_URL {
        Ok(())
    } else {
        Err(invalid(format!(
            "`{}` cannot be allowed: give `https://…`, an app's own scheme, or `http://localhost…`, without query and fragment",
            text.chars().take(200).collect::<String>()
        )))
    }
}

fn check_template(template: &MailTemplate) -> Result<()> {
    let subject = &template.subject;
    if subject.trim().is_empty()
        || subject.chars().count() > MAX_SUBJECT
        || subject.chars().any(char::is_control)
    {
        return Err(invalid(format!(
            "a mail's `subject` needs 1 to {MAX_SUBJECT} characters on one line"
        )));
    }
    let long = template.text.len() > MAX_MAIL
        || template
            .html
            .as_ref()
            .is_some_and(|html| html.len() > MAX_MAIL);
    if long {
        return Err(invalid(format!("a mail may have {MAX_MAIL} bytes")));
    }
    let leads = |text: &str| text.contains("{{link}}") || text.contains("{{token}}");
    if !leads(&template.text) || template.html.as_deref().is_some_and(|html| !leads(html)) {
        return Err(invalid("a mail must have `{{link}}` or `{{token}}` in it"));
    }
    Ok(())
}

fn within(name: &str, value: u32, bounds: std::ops::RangeInclusive<u32>) -> Result<()> {
    if bounds.contains(&value) {
        return Ok(());
    }
    Err(invalid(format!(
        "`{name}` must be from {} to {}",
        bounds.start(),
        bounds.end()
    )))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::invalid("invalid_auth_settings", message)
}

impl App {
    /// How a project lets its end users in.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn auth_settings(&self, project: ProjectId) -> Result<AuthSettings> {
        let stored = self.platform().auth().settings(project).await?;
        AuthSettings::stored(stored.as_deref())
    }

    /// Sets how a project lets its end users in, where `condition` holds of
    /// what is there.
    ///
    /// # Errors
    /// `invalid_auth_settings`, `not_found`, `precondition_failed`.
    pub async fn put_auth_settings(
        &self,
        actor: &Actor,
        project: ProjectId,
        settings: &AuthSettings,
        condition: &Precondition,
    ) -> Result<()> {
        settings.check()?;
        let text = serde_json::to_string(settings)
            .map_err(|error| Error::internal("write sign-in settings", error))?;
        let unit = self.platform().begin().await?;
        // Who changes them at the same time waits here, and is seen below.
        unit.projects().lock(project).await?;
        let present = unit.auth().settings(project).await?;
        condition.check_with("how users sign in", || {
            AuthSettings::stored(present.as_deref())?.tag().map(Some)
        })?;
        unit.auth().put_settings(project, &text).await?;
        unit.audit()
            .append(actor.did(
                "auth.configure",
                Some(project),
                None,
                json!({ "enabled": settings.enabled, "sign_up": settings.sign_up }),
            ))
            .await?;
        unit.commit().await?;
        self.access().forget_project(project);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowing(urls: &[&str]) -> AuthSettings {
        AuthSettings {
            redirect_urls: urls.iter().map(|url| (*url).to_owned()).collect(),
            ..AuthSettings::default()
        }
    }

    #[test]
    fn a_redirect_leads_only_where_the_project_allows() {
        let settings = allowing(&["https://app.example.com/welcome", "https://b.example/app/*"]);
        settings.check().unwrap();
        for url in [
            "https://app.example.com/welcome",
            "https://app.example.com/welcome?next=1",
            "https://b.example/app",
            "https://b.example/app/deep/er",
        ] {
            assert!(settings.redirect(Some(url)).unwrap().is_some(), "{url}");
        }
        for url in [
            "http://app.example.com/welcome",
            "https://app.example.com.evil.example/welcome",
            "https://app.example.com:444/welcome",
            "https://app.example.com@evil.example/welcome",
            "https://user@app.example.com/welcome",
            "https://app.example.com/welcome/more",
            "https://b.example/application",
            "https://b.example/app/../other",
            "//app.example.com/welcome",
            "/welcome",
            "javascript:alert(1)",
        ] {
            let error = settings.redirect(Some(url)).unwrap_err();
            assert_eq!(error.code(), "redirect_not_allowed", "{url}");
        }
        let first = settings.redirect(None).unwrap().unwrap();
        assert_eq!(first.as_str(), "https://app.example.com/welcome");
        assert_eq!(AuthSettings::default().redirect(None).unwrap(), None);
    }

    #[test]
    fn doubtful_settings_are_refused() {
        for url in [
            "http://app.example.com",
            "javascript:alert(1)",
            "https://",
            "app",
            "https://u:p@app.example.com/",
            "https://app.example.com/#x",
        ] {
            assert!(allowing(&[url]).check().is_err(), "{url} was accepted");
        }
        assert!(
            allowing(&["myapp://callback", "http://localhost:3000/*"])
                .check()
                .is_ok()
        );
        let mut settings = AuthSettings {
            access_token_seconds: 0,
            ..AuthSettings::default()
        };
        assert!(settings.check().is_err());
        settings = AuthSettings::default();
        let mail = |subject: &str, text: &str| MailTemplate {
            subject: subject.to_owned(),
            text: text.to_owned(),
            html: None,
        };
        for bad in [
            mail("a\nBcc: x@y", "{{link}}"),
            mail("Hello", "no way in"),
            mail("", "{{link}}"),
        ] {
            settings.mail_templates.insert(MailKind::MagicLink, bad);
            assert!(settings.check().is_err());
        }
        settings
            .mail_templates
            .insert(MailKind::MagicLink, mail("Hello", "{{link}}"));
        assert!(settings.check().is_ok());
    }
}
