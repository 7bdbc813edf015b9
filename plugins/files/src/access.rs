//! Who may see and change what.

use crate::record::Visibility;
use atlashub_sdk::{identity::CallerKind, prelude::*};

/// What one may be allowed to do, as the manifest declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    /// List and download.
    Read,
    /// Upload and change.
    Write,
    /// Delete and throw away.
    Delete,
    /// Let others see.
    Share,
}

impl Permission {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "files:read",
            Self::Write => "files:write",
            Self::Delete => "files:delete",
            Self::Share => "files:share",
        }
    }

    /// Refuses users whose roles do not have it.
    pub(crate) fn require(self) -> Result<()> {
        users::require_of_users(self.as_str())
    }
}

/// Whose files a caller works with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everybody's.
    All,
    /// Those of one owner.
    Owner(String),
}

/// What belongs to callers who have no id: the development token's.
const NO_ID: &str = "";

/// As whom a caller keeps files of its own.
pub(crate) fn owner(caller: &Caller, permission: Permission) -> Result<String> {
    let owner = if caller.kind == CallerKind::Admin {
        caller.id.clone().unwrap_or_else(|| NO_ID.to_owned())
    } else {
        caller.require_id()?.to_owned()
    };
    permission.require()?;
    Ok(owner)
}

/// Which files a caller may use so, beside what is public.
pub(crate) fn scope(caller: &Caller, permission: Permission) -> Result<Scope> {
    let scope = match caller.kind {
        CallerKind::SecretKey | CallerKind::Admin => Scope::All,
        _ => Scope::Owner(caller.require_id()?.to_owned()),
    };
    permission.require()?;
    Ok(scope)
}

impl Scope {
    /// Whether it covers what `owner` has.
    pub(crate) fn covers(&self, owner: &str) -> bool {
        match self {
            Self::All => true,
            Self::Owner(own) => own == owner,
        }
    }
}

/// Refuses whoever may not read a file: 404 for those who could own one, 401
/// or 403 for the rest. The caller is asked for only when it matters.
pub(crate) fn check_readable(owner: &str, visibility: Visibility) -> Result<()> {
    if visibility == Visibility::Public {
        return Ok(());
    }
    if scope(&identity::caller(), Permission::Read)?.covers(owner) {
        Ok(())
    } else {
        Err(unknown())
    }
}

/// The answer for what is not there, as seen by this caller.
pub(crate) fn missing() -> Error {
    scope(&identity::caller(), Permission::Read)
        .err()
        .unwrap_or_else(unknown)
}

/// 404.
pub(crate) fn unknown() -> Error {
    Error::not_found("file")
}
