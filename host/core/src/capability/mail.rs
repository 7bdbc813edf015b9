//! Mails that plugins send by way of the host.

use super::PluginScope;
use crate::{Error, ErrorKind, ItemId, RequestId, Result};
use async_trait::async_trait;

/// Most bytes of a mail, as its template and with its values.
pub const MAX_MAIL_BYTES: usize = 256 * 1024;
/// Most values of a template.
pub const MAX_VALUES: usize = 100;
/// Longest key, bytes.
pub const MAX_KEY_BYTES: usize = 200;

/// Whom a mail is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailTo {
    /// An end user of the project, by id.
    User(String),
    /// An address that the plugin's grant names.
    Address(String),
}

/// A mail to be sent: templates, and what is filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginMail {
    /// For whom.
    pub to: MailTo,
    /// The subject's template.
    pub subject: String,
    /// The template of the plain text.
    pub text: String,
    /// The template of the HTML, in which values are escaped.
    pub html: Option<String>,
    /// Names and values.
    pub values: Vec<(String, String)>,
    /// While one with this key waits, another is left out.
    pub key: Option<String>,
    /// The request in which it is asked for.
    pub request: RequestId,
}

impl PluginMail {
    /// Checks the sizes of what a plugin gave.
    ///
    /// # Errors
    /// `invalid_mail`, `mail_too_large`.
    pub fn check(&self) -> Result<()> {
        let html = self.html.as_ref().map_or(0, String::len);
        let values = self
            .values
            .iter()
            .map(|(name, value)| name.len() + value.len());
        let bytes = self.subject.len() + self.text.len() + html + values.sum::<usize>();
        if bytes > MAX_MAIL_BYTES {
            return Err(too_large());
        }
        let is_key = |key: &String| {
            (1..=MAX_KEY_BYTES).contains(&key.len()) && !key.chars().any(char::is_control)
        };
        if self.subject.trim().is_empty()
            || self.values.len() > MAX_VALUES
            || !self.key.as_ref().is_none_or(is_key)
        {
            return Err(Error::invalid(
                "invalid_mail",
                format!(
                    "a mail has a subject, at most {MAX_VALUES} values, and a key of 1 to \
                     {MAX_KEY_BYTES} bytes without control characters, or none"
                ),
            ));
        }
        Ok(())
    }
}

/// The error of a mail that is too large, as a template or filled in.
#[must_use]
pub fn too_large() -> Error {
    Error::new(
        ErrorKind::TooLarge,
        "mail_too_large",
        format!("a mail has at most {MAX_MAIL_BYTES} bytes"),
    )
}

/// Takes mails.
#[async_trait]
pub trait Mails: Send + Sync {
    /// Keeps a mail until the mail server has taken it. Codes: `invalid_mail`,
    /// `mail_too_large`, `rate_limited`, `queue_full`.
    async fn send(&self, scope: &PluginScope, mail: PluginMail) -> Result<ItemId>;
}
