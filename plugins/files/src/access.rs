//! Who may see and change what.

use crate::record::Visibility;
use atlashub_sdk::{identity::CallerKind, prelude::*};

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

/// The owner of what is a caller's own.
pub(crate) fn owner(caller: &Caller) -> Result<String> {
    if caller.kind == CallerKind::Admin {
        return Ok(caller.id.clone().unwrap_or_else(|| NO_ID.to_owned()));
    }
    caller.require_id().map(str::to_owned)
}

/// The owner of what a caller sends.
pub(crate) fn sender(caller: &Caller) -> Result<String> {
    if caller.kind == CallerKind::Admin {
        require_write(caller)?;
    }
    owner(caller)
}

/// What a caller may read beside what is public.
pub(crate) fn readable(caller: &Caller) -> Result<Scope> {
    match caller.kind {
        CallerKind::SecretKey | CallerKind::Admin => Ok(Scope::All),
        _ => caller.require_id().map(|id| Scope::Owner(id.to_owned())),
    }
}

/// What a caller may change.
pub(crate) fn writable(caller: &Caller) -> Result<Scope> {
    if caller.kind == CallerKind::Admin {
        require_write(caller)?;
    }
    readable(caller)
}

fn require_write(caller: &Caller) -> Result<()> {
    if caller.is_trusted() {
        return Ok(());
    }
    Err(Error::forbidden("the role `viewer` may only read"))
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
    if readable(&identity::caller())?.covers(owner) {
        Ok(())
    } else {
        Err(unknown())
    }
}

/// The answer for what is not there, as seen by this caller.
pub(crate) fn missing() -> Error {
    readable(&identity::caller()).err().unwrap_or_else(unknown)
}

/// 404.
pub(crate) fn unknown() -> Error {
    Error::not_found("file")
}
