//! Who may do what.

use crate::buckets::{Bucket, Uploads};
use atlashub_sdk::{identity::CallerKind, prelude::*};

const READ: &str = "storage:read";
const WRITE: &str = "storage:write";
const DELETE: &str = "storage:delete";
const MANAGE: &str = "storage:manage";

/// As whom objects are kept that no user owns: those of keys and admins.
pub(crate) const NOBODY: &str = "";

/// Lets in who manages buckets: secret keys, admins, and users who may.
pub(crate) fn require_manager() -> Result<()> {
    users::require(MANAGE)
}

/// Lets in who may see what there is: also admins who only read.
pub(crate) fn require_overseer(caller: &Caller) -> Result<()> {
    if caller.kind == CallerKind::Admin {
        return Ok(());
    }
    require_manager()
}

/// As whom an upload comes.
#[derive(Debug)]
pub(crate) struct Uploader {
    pub(crate) owner: String,
    /// Whether it may take the place of an object that others sent.
    pub(crate) replaces: bool,
}

/// As whom the caller may upload to the bucket.
pub(crate) fn uploader(caller: &Caller, bucket: &Bucket) -> Result<Uploader> {
    let owner = match (caller.kind, &caller.id) {
        (CallerKind::User, Some(id)) => id.clone(),
        _ => NOBODY.to_owned(),
    };
    if users::has_permission(MANAGE) {
        return Ok(Uploader {
            owner,
            replaces: true,
        });
    }
    match (bucket.uploads, caller.kind) {
        (Uploads::Users | Uploads::Anyone, CallerKind::User) => users::require(WRITE)?,
        (Uploads::Anyone, CallerKind::PublishableKey) => {}
        (_, CallerKind::Nobody) => drop(caller.require_id()?),
        _ => {
            return Err(Error::forbidden(format!(
                "the bucket `{}` takes no uploads of this caller; its rule `uploads` says whose it takes",
                bucket.name
            )));
        }
    }
    Ok(Uploader {
        owner,
        replaces: false,
    })
}

/// Refuses whoever may not read an object of `owner`: as if it were not
/// there. What a public bucket holds is everybody's.
pub(crate) fn check_readable(caller: &Caller, bucket: &Bucket, owner: &str) -> Result<()> {
    if bucket.public || caller.is_trusted() || caller.kind == CallerKind::Admin {
        return Ok(());
    }
    check_own(caller, READ, owner)
}

/// Refuses whoever may not delete an object of `owner`.
pub(crate) fn check_deletable(caller: &Caller, owner: &str) -> Result<()> {
    if caller.is_trusted() {
        return Ok(());
    }
    check_own(caller, DELETE, owner)
}

fn check_own(caller: &Caller, permission: &str, owner: &str) -> Result<()> {
    let id = caller.require_id()?;
    users::require_of_users(permission)?;
    if caller.kind == CallerKind::User && owner == id {
        return Ok(());
    }
    Err(unknown())
}

/// What one hears of an object that is not there.
pub(crate) fn missing(caller: &Caller, bucket: &Bucket) -> Error {
    if bucket.public {
        return unknown();
    }
    caller.require_id().err().unwrap_or_else(unknown)
}

/// 404.
pub(crate) fn unknown() -> Error {
    Error::not_found("object")
}
