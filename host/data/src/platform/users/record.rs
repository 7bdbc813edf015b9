//! What is known of an end user.

use super::super::{entity::user::Model, instant};
use atlashub_core::{ProjectId, Result, UserId, UserSessionId};
use time::OffsetDateTime;

/// An end user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndUser {
    /// The user's id.
    pub id: UserId,
    /// Whose user it is.
    pub project: ProjectId,
    /// The address, in lower case.
    pub email: String,
    /// The handle, in lower case.
    pub handle: Option<String>,
    /// The name that others see.
    pub name: Option<String>,
    /// What the user says of itself.
    pub bio: Option<String>,
    /// What is written down of the picture.
    pub avatar: Option<String>,
    /// The password's hash; `None` for who never set one.
    pub password_hash: Option<String>,
    /// When it was proven that the address is the user's.
    pub email_verified_at: Option<OffsetDateTime>,
    /// When the user was shut out.
    pub disabled_at: Option<OffsetDateTime>,
    /// The second factor, being set up or in use.
    pub second_factor: Option<SecondFactor>,
    /// The roles that the user holds, in order.
    pub roles: Vec<String>,
    /// When the user was added.
    pub created_at: OffsetDateTime,
    /// When the user was last changed.
    pub updated_at: OffsetDateTime,
}

/// A user's second factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondFactor {
    /// The secret, sealed.
    pub sealed_secret: String,
    /// Since when it is asked for; `None` until a code has proven it.
    pub enabled_at: Option<OffsetDateTime>,
    /// The last step of which a code was accepted.
    pub last_step: i64,
}

impl EndUser {
    /// The second factor, when it is in use.
    #[must_use]
    pub fn active_factor(&self) -> Option<&SecondFactor> {
        self.second_factor
            .as_ref()
            .filter(|factor| factor.enabled_at.is_some())
    }
}

/// A user to be added.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The address.
    pub email: String,
    /// The handle.
    pub handle: Option<String>,
    /// The name that others see.
    pub name: Option<String>,
    /// The password's hash, for who signs in with one.
    pub password_hash: Option<String>,
    /// Whether it is proven that the address is the user's.
    pub email_verified: bool,
    /// The roles that the user holds.
    pub roles: Vec<String>,
}

/// What to change of a user; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default)]
pub struct UserPatch {
    /// Another address; it is unproven unless `email_verified` says more.
    pub email: Option<String>,
    /// Whether the address is proven to be the user's.
    pub email_verified: Option<bool>,
    /// Another handle, or none.
    pub handle: Option<Option<String>>,
    /// Another name, or none.
    pub name: Option<Option<String>>,
    /// Another word about oneself, or none.
    pub bio: Option<Option<String>>,
    /// Another password's hash, or none.
    pub password_hash: Option<Option<String>>,
    /// The session that goes on when another password ends all others.
    pub keeps: Option<UserSessionId>,
    /// Shut out, or let in again.
    pub disabled: Option<bool>,
    /// Other roles, in place of all.
    pub roles: Option<Vec<String>>,
}

/// Which users to list.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    /// Those whose address or handle starts with this, in any case.
    pub starts_with: Option<String>,
    /// Those who hold this role.
    pub role: Option<String>,
    /// Only those who are not shut out.
    pub enabled: bool,
}

pub(super) fn read(row: Model, roles: Vec<String>) -> Result<EndUser> {
    let enabled_at = instant::from_micros_opt(row.totp_enabled_at)?;
    Ok(EndUser {
        id: UserId::from_uuid(row.id),
        project: ProjectId::from_uuid(row.project_id),
        email: row.email,
        handle: row.handle,
        name: row.name,
        bio: row.bio,
        avatar: row.avatar,
        password_hash: row.password_hash,
        email_verified_at: instant::from_micros_opt(row.email_verified_at)?,
        disabled_at: instant::from_micros_opt(row.disabled_at)?,
        second_factor: row.totp_secret.map(|sealed_secret| SecondFactor {
            sealed_secret,
            enabled_at,
            last_step: row.totp_last_step,
        }),
        roles,
        created_at: instant::from_micros(row.created_at)?,
        updated_at: instant::from_micros(row.updated_at)?,
    })
}
