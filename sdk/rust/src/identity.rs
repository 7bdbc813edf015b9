//! Who is calling, and in which project.

use crate::{Error, FromRequest, Request, Result, host};
use std::str::FromStr;

/// What sort of caller it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CallerKind {
    /// Without credentials, or of a kind that this SDK does not know.
    #[default]
    Nobody,
    /// A key that may be shipped in a browser.
    PublishableKey,
    /// A key of a server: everything within the project.
    SecretKey,
    /// A signed-in end user.
    User,
    /// A platform admin.
    Admin,
    /// The host's scheduler.
    Scheduler,
    /// Another plugin that acts for itself.
    Plugin,
}

impl FromStr for CallerKind {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "publishable-key" => Self::PublishableKey,
            "secret-key" => Self::SecretKey,
            "user" => Self::User,
            "admin" => Self::Admin,
            "scheduler" => Self::Scheduler,
            "plugin" => Self::Plugin,
            _ => Self::Nobody,
        })
    }
}

/// The caller of the request that is being handled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// What sort of caller.
    pub kind: CallerKind,
    /// The UUID of the key, user or admin, or the plugin's name.
    pub id: Option<String>,
    /// Roles within the project.
    pub roles: Vec<String>,
    /// The plugin that passed the request on, if one did.
    pub via_plugin: Option<String>,
}

impl Caller {
    /// A caller of that kind, for tests.
    #[must_use]
    pub fn new(kind: CallerKind, id: impl Into<String>) -> Self {
        Self {
            kind,
            id: Some(id.into()),
            ..Self::default()
        }
    }

    /// Whether the caller may do everything within the project: a secret key
    /// or an admin who does not only read.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        match self.kind {
            CallerKind::SecretKey => true,
            CallerKind::Admin => !self.has_role("viewer"),
            _ => false,
        }
    }

    /// Whether the caller holds that role.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own == role)
    }

    /// The caller's id, for what belongs to a caller.
    ///
    /// # Errors
    /// 401 without credentials, 403 for a publishable key alone.
    pub fn require_id(&self) -> Result<&str> {
        match (self.kind, self.id.as_deref()) {
            (CallerKind::PublishableKey, _) => Err(Error::forbidden(
                "a publishable key may not do this, sign in or use a secret key",
            )),
            (CallerKind::Nobody, _) | (_, None) => Err(Error::unauthenticated(
                "sign in, or send a key in `x-api-key`",
            )),
            (_, Some(id)) => Ok(id),
        }
    }
}

impl FromRequest for Caller {
    fn from_request(_request: &mut Request) -> Result<Self> {
        Ok(caller())
    }
}

/// The project that this instance serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Project {
    /// A UUID.
    pub id: String,
    /// Its name in addresses.
    pub slug: String,
}

impl FromRequest for Project {
    fn from_request(_request: &mut Request) -> Result<Self> {
        Ok(project())
    }
}

/// The caller of the request that is being handled.
#[must_use]
pub fn caller() -> Caller {
    host::caller()
}

/// The project that this instance serves.
#[must_use]
pub fn project() -> Project {
    host::project()
}

/// The id of the request, as `x-request-id` shows it to the client.
#[must_use]
pub fn request_id() -> String {
    host::request_id()
}

/// What addresses of this project start with, without a slash at the end.
#[must_use]
pub fn public_url() -> String {
    host::public_url()
}
