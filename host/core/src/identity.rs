//! Who is calling.

use crate::{AdminId, Error, KeyId, PluginName, Result};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt, str::FromStr, sync::Arc};

/// The two kinds of API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// May be shipped in a browser: names the project, reads what policies allow.
    Publishable,
    /// Stays on a server: everything within the project.
    Secret,
}

impl KeyKind {
    /// The readable start of a key of this kind.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Publishable => "ahp_",
            Self::Secret => "ahs_",
        }
    }

    /// The kind's name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Publishable => "publishable",
            Self::Secret => "secret",
        }
    }
}

impl FromStr for KeyKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "publishable" => Ok(Self::Publishable),
            "secret" => Ok(Self::Secret),
            _ => Err(Error::invalid(
                "invalid_key_kind",
                "a key is `publishable` or `secret`",
            )),
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a platform admin may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdminRole {
    /// Reads only.
    Viewer,
    /// Everything but other admins.
    Admin,
    /// Everything.
    Owner,
}

impl AdminRole {
    /// The role's name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

impl FromStr for AdminRole {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "viewer" => Ok(Self::Viewer),
            "admin" => Ok(Self::Admin),
            "owner" => Ok(Self::Owner),
            _ => Err(Error::invalid(
                "invalid_role",
                "a role is `owner`, `admin` or `viewer`",
            )),
        }
    }
}

/// An end user of a project, as an access token names one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user's id, unique within the project.
    pub id: uuid::Uuid,
    /// Roles the user holds in the project.
    pub roles: Vec<String>,
    /// Permissions of those roles that the project made: `<plugin>:<action>`,
    /// or `<plugin>:*`.
    pub permissions: BTreeSet<String>,
}

/// Who makes a request inside a project.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Caller {
    /// No credentials.
    #[default]
    Nobody,
    /// An API key of the project.
    Key {
        /// Which one.
        id: KeyId,
        /// Publishable or secret.
        kind: KeyKind,
    },
    /// A signed-in end user of the project.
    User(Arc<User>),
    /// A platform admin.
    Admin {
        /// Which one; `None` is the development token.
        id: Option<AdminId>,
        /// What the admin may do.
        role: AdminRole,
    },
    /// The host's own scheduler.
    Scheduler,
    /// Another plugin that acts for itself.
    Plugin(PluginName),
}

impl Caller {
    /// The caller's kind as plugins see it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Key {
                kind: KeyKind::Publishable,
                ..
            } => "publishable-key",
            Self::Key {
                kind: KeyKind::Secret,
                ..
            } => "secret-key",
            Self::User(_) => "user",
            Self::Admin { .. } => "admin",
            Self::Scheduler => "scheduler",
            Self::Plugin(_) => "plugin",
        }
    }

    /// The caller's id as plugins see it: a key's, user's or admin's UUID, or
    /// a plugin's name.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        match self {
            Self::Key { id, .. } => Some(id.to_string()),
            Self::User(user) => Some(user.id.to_string()),
            Self::Admin { id, .. } => id.map(|id| id.to_string()),
            Self::Plugin(name) => Some(name.to_string()),
            Self::Nobody | Self::Scheduler => None,
        }
    }

    /// Roles within the project.
    #[must_use]
    pub fn roles(&self) -> Vec<String> {
        match self {
            Self::User(user) => user.roles.clone(),
            Self::Admin { role, .. } => vec![role.as_str().to_owned()],
            _ => Vec::new(),
        }
    }
}
