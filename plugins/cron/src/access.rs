//! Who may do what.

use crate::record::Kind;
use atlashub_sdk::{identity::CallerKind, prelude::*};

const MANAGE: &str = "cron:manage";

/// Lets in who makes jobs: secret keys, admins, and users who may.
pub(crate) fn require_manager() -> Result<()> {
    users::require(MANAGE)
}

/// Lets in who may see them: also admins who only read.
pub(crate) fn require_overseer(caller: &Caller) -> Result<()> {
    if caller.kind == CallerKind::Admin {
        return Ok(());
    }
    require_manager()
}

/// Lets in who may have jobs of this kind: those that run with more rights
/// than a user's only a server or an admin has.
pub(crate) fn require_for(kind: Kind, caller: &Caller) -> Result<()> {
    require_manager()?;
    let is_user = matches!(caller.kind, CallerKind::User);
    if kind == Kind::Http || !is_user {
        return Ok(());
    }
    Err(Error::forbidden(
        "jobs of plugins and of the platform run with all rights: only a secret key or an admin has them",
    ))
}
