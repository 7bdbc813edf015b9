//! Mails by way of the host. Needs the grant `mail` for users of the project,
//! `mail:<address>` for anybody else.
//!
//! ```
//! # use atlashub_sdk::{prelude::*, testing::TestHost};
//! fn welcome(user: &str, name: &str) -> Result<()> {
//!     mail::Mail::new("Welcome, {{name}}", "Hello {{name}}, glad you came.")
//!         .html("<p>Hello {{name}}, glad you came.</p>")
//!         .value("name", name)
//!         .send_to_user(user)
//!         .map(drop)
//! }
//! # let host = TestHost::new("notes");
//! # welcome("u1", "Ada")?;
//! # assert_eq!(host.mails()[0].to, "u1");
//! # Ok::<(), Error>(())
//! ```
//!
//! The host keeps a mail until the mail server has taken it, fills `{{name}}`
//! in, and escapes the values in HTML.

use crate::{Result, host};

/// A mail: templates and what is filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mail {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: Option<String>,
    pub(crate) values: Vec<(String, String)>,
    pub(crate) key: Option<String>,
}

impl Mail {
    /// A mail with the templates of its subject and its plain text.
    pub fn new(subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            text: text.into(),
            ..Self::default()
        }
    }

    /// The template of the subject.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// The template of the plain text.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// The same as HTML.
    #[must_use]
    pub fn html(mut self, html: impl Into<String>) -> Self {
        self.html = Some(html.into());
        self
    }

    /// What stands for `{{name}}`.
    #[must_use]
    pub fn value(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.values.push((name.into(), value.into()));
        self
    }

    /// While a mail with this key waits, another is left out.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sends it to a user of the project; to nobody, if the user is gone or
    /// has never confirmed the address. Answers the id of the work.
    ///
    /// # Errors
    /// The host's: `not_granted`, `invalid_mail`, `mail_too_large`,
    /// `rate_limited`, `queue_full`.
    pub fn send_to_user(&self, id: &str) -> Result<String> {
        Ok(host::mail_user(id, self)?)
    }

    /// Sends it to an address that a grant names.
    ///
    /// # Errors
    /// As [`Mail::send_to_user`].
    pub fn send_to_address(&self, address: &str) -> Result<String> {
        Ok(host::mail_address(address, self)?)
    }
}
