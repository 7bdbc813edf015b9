//! Whose documents a caller works with: those of the files that `files` would
//! show.

use atlashub_sdk::{identity::CallerKind, prelude::*};

/// Whose documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everybody's.
    All,
    /// Those of one owner.
    Owner(String),
}

impl Scope {
    /// Of this caller, who reads.
    ///
    /// # Errors
    /// 401 without credentials, 403 for publishable keys and for users whose
    /// roles do not read files.
    pub(crate) fn to_read(caller: &Caller) -> Result<Self> {
        let scope = match caller.kind {
            CallerKind::SecretKey | CallerKind::Admin => Self::All,
            // A plugin that takes an event of `files`, and calls here.
            CallerKind::Plugin if caller.id.as_deref() == Some("files") => Self::All,
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
    pub(crate) fn to_write(caller: &Caller) -> Result<Self> {
        if caller.kind == CallerKind::Plugin {
            return Err(Error::new(
                StatusCode::FORBIDDEN,
                "user_needed",
                "plugins that act for themselves change nothing here",
            ));
        }
        let scope = Self::to_read(caller)?;
        users::require_of_users("files:write")?;
        Ok(scope)
    }

    /// The name under which it is noted how far this plugin follows, and what
    /// topics of a caller's own are kept under.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::All => "*",
            Self::Owner(owner) => owner,
        }
    }

    /// The condition on `documents`; `parameters` gets the values.
    pub(crate) fn condition(&self, parameters: &mut Vec<sql::Value>) -> String {
        match self {
            Self::All => "TRUE".into(),
            Self::Owner(owner) => {
                parameters.push(owner.as_str().into());
                format!("owner = ${}", parameters.len())
            }
        }
    }
}
