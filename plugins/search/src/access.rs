//! Whose files a caller searches. `files` has the last word on each of them;
//! this keeps what it would refuse out of the pages.

use atlashub_sdk::{identity::CallerKind, prelude::*};

/// Whose files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everybody's.
    All,
    /// Those of one owner, what is shared with them, and what is public.
    Owner(String),
}

impl Scope {
    /// Of this caller.
    ///
    /// # Errors
    /// 401 without credentials, 403 for publishable keys and for users whose
    /// roles do not read files.
    pub(crate) fn of(caller: &Caller) -> Result<Self> {
        let scope = match caller.kind {
            CallerKind::SecretKey | CallerKind::Admin => Self::All,
            _ => Self::Owner(caller.require_id()?.to_owned()),
        };
        users::require_of_users("files:read")?;
        Ok(scope)
    }

    /// Of this caller, who wants to change tags.
    ///
    /// # Errors
    /// As [`Scope::of`], and 403 for those whose roles do not change files.
    pub(crate) fn to_write(caller: &Caller) -> Result<Self> {
        let scope = Self::of(caller)?;
        users::require_of_users("files:write")?;
        Ok(scope)
    }

    /// The name under which it is noted how far the index follows.
    pub(crate) fn mark(&self) -> &str {
        match self {
            Self::All => "*",
            Self::Owner(owner) => owner,
        }
    }

    /// The condition on `entries` for what may be shown. `parameters` gets
    /// the values.
    pub(crate) fn condition(&self, parameters: &mut Vec<sql::Value>) -> String {
        match self {
            Self::All => "TRUE".into(),
            Self::Owner(owner) => {
                parameters.push(owner.as_str().into());
                let place = parameters.len();
                format!(
                    "(entries.owner = ${place} OR entries.visibility = 'public' OR entries.number IN \
                     (SELECT readers.number FROM search.readers WHERE readers.reader = ${place}))"
                )
            }
        }
    }
}
