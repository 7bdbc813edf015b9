//! What the caller may do, and who the project's end users are.
//!
//! A permission is `<plugin>:<action>`, as a manifest declares it:
//!
//! ```
//! # use atlashub_sdk::{prelude::*, testing::TestHost, identity::CallerKind};
//! fn publish() -> Result<StatusCode> {
//!     users::require("notes:publish")?;
//!     Ok(StatusCode::NO_CONTENT)
//! }
//! # let host = TestHost::new("notes").with_caller(Caller::new(CallerKind::User, "u1"));
//! # assert_eq!(publish().unwrap_err().code(), "permission_needed");
//! # let host = host.with_permissions(["notes:publish"]);
//! # assert!(publish().is_ok());
//! ```
//!
//! Asking costs a host call and no database, and needs no grant. Looking
//! users up needs the grant `users`; those who are shut out are not there,
//! but for [`existing`]. Adding some needs `users:add`.

use crate::{Error, Result, host, identity::CallerKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// An end user of the project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// A UUID.
    pub id: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// The handle, without `@`.
    pub handle: Option<String>,
    /// The name that others see.
    pub name: Option<String>,
    /// The roles that the user holds.
    pub roles: Vec<String>,
    /// RFC 3339, in UTC.
    pub created_at: String,
}

/// A user to be added, without a password: whoever has the mailbox of the
/// address sets one, or signs in, by mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewUser {
    /// A UUID that nobody has: see [`free_ids`].
    pub id: String,
    /// The e-mail address.
    pub email: String,
    /// The handle, without `@`.
    pub handle: Option<String>,
    /// The name that others see.
    pub name: Option<String>,
    /// The roles to hold, built-in ones and the project's own, but for
    /// `admin`.
    pub roles: Vec<String>,
}

/// Some of the users, in order of their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The users.
    pub users: Vec<User>,
    /// Where the next page begins, if there is one.
    pub next_cursor: Option<String>,
}

/// Whether the caller of the present request holds the permission. Secret
/// keys, admins who do not only read, the scheduler and users with the role
/// `admin` hold all.
#[must_use]
pub fn has_permission(permission: &str) -> bool {
    host::has_permission(permission)
}

/// Refuses a caller who does not hold the permission.
///
/// # Errors
/// 401 without credentials, 403 for a publishable key alone, 403
/// `permission_needed` otherwise.
pub fn require(permission: &str) -> Result<()> {
    if has_permission(permission) {
        return Ok(());
    }
    let caller = host::caller();
    if matches!(caller.kind, CallerKind::Nobody | CallerKind::PublishableKey) {
        caller.require_id()?;
    }
    Err(missing(permission))
}

/// As [`require`], for plugins that decide about other callers than signed-in
/// users and admins in their own way: those pass.
///
/// # Errors
/// 403 `permission_needed`.
pub fn require_of_users(permission: &str) -> Result<()> {
    if has_permission(permission) {
        return Ok(());
    }
    match host::caller().kind {
        CallerKind::User | CallerKind::Admin => Err(missing(permission)),
        _ => Ok(()),
    }
}

fn missing(permission: &str) -> Error {
    Error::new(
        crate::StatusCode::FORBIDDEN,
        "permission_needed",
        format!("this needs the permission `{permission}`, which none of your roles has"),
    )
    .with_field("permission", permission)
}

/// The user with this id.
///
/// # Errors
/// The host's: `not_granted`.
pub fn get(id: &str) -> Result<Option<User>> {
    Ok(host::get_user(id)?)
}

/// The user with this e-mail address, or this handle with or without `@`
/// before it.
///
/// # Errors
/// The host's: `not_granted`.
pub fn find(name: &str) -> Result<Option<User>> {
    Ok(host::find_user(name)?)
}

/// Those of `ids` that are a user's, in no order; also of users who are shut
/// out. For what a plugin keeps for users, and has no use for without them.
///
/// # Errors
/// The host's: `not_granted`.
pub fn existing(ids: &[String]) -> Result<BTreeSet<String>> {
    let mut there = BTreeSet::new();
    // The host looks at so many at once.
    for some in ids.chunks(100) {
        there.extend(host::existing_users(some)?);
    }
    Ok(there)
}

/// At most `limit` users, and never more than 100, from `cursor` on.
///
/// # Errors
/// The host's: `not_granted`, `invalid_cursor`.
pub fn list(limit: u32, cursor: Option<&str>) -> Result<Page> {
    Ok(host::list_users(limit, cursor)?)
}

/// Those of `ids` that are no user's, in this project or another one. What is
/// no UUID is not among them.
///
/// # Errors
/// The host's: `not_granted` without `users:add`.
pub fn free_ids(ids: &[String]) -> Result<BTreeSet<String>> {
    let mut free = BTreeSet::new();
    for some in ids.chunks(100) {
        free.extend(host::free_ids(some)?);
    }
    Ok(free)
}

/// Adds a user. The audit tells of it, with the plugin's name.
///
/// # Errors
/// The host's: `not_granted` without `users:add`, `invalid_id`, `id_taken`,
/// `invalid_email`, `email_taken`, `invalid_handle`, `handle_taken`,
/// `invalid_name`, `unknown_role`, `too_many_roles`, and `role_not_given` for
/// the role `admin`.
pub fn add(user: NewUser) -> Result<()> {
    Ok(host::add_user(user)?)
}
