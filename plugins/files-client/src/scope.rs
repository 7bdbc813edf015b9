//! Whose files a caller works with. `files` has the last word on each of them;
//! this keeps what it would refuse out of the pages.

use atlashub_sdk::{identity::CallerKind, prelude::*};

/// Whose files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everybody's.
    All,
    /// Those of one owner; what is shared with them, and what is public, is
    /// the plugin's to add.
    Owner(String),
}

impl Scope {
    /// Of this caller, who reads.
    ///
    /// # Errors
    /// 401 without credentials, 403 for publishable keys and for users whose
    /// roles do not read files.
    pub fn to_read(caller: &Caller) -> Result<Self> {
        let scope = match caller.kind {
            CallerKind::SecretKey | CallerKind::Admin => Self::All,
            _ => Self::Owner(caller.require_id()?.to_owned()),
        };
        users::require_of_users("files:read")?;
        Ok(scope)
    }

    /// Of this caller, who changes something.
    ///
    /// # Errors
    /// As [`Scope::to_read`], and 403 for those whose roles do not change
    /// files.
    pub fn to_write(caller: &Caller) -> Result<Self> {
        let scope = Self::to_read(caller)?;
        users::require_of_users("files:write")?;
        Ok(scope)
    }

    /// The name under which a plugin keeps what it has for this scope, such as
    /// how far it follows: an owner's id, or `*`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::All => "*",
            Self::Owner(owner) => owner,
        }
    }
}
