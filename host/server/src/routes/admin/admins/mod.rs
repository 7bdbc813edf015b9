//! `/admin/v1/admins`: who may sign in, and what they may do.

pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod remove;
pub(crate) mod reset_totp;
pub(crate) mod update;

use atlashub_core::AdminRole;
use atlashub_data::platform::Admin;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// An admin's account.
#[derive(Serialize, ToSchema)]
pub(crate) struct AdminAccountView {
    /// The admin's id.
    id: Uuid,
    /// The admin's address.
    email: String,
    /// `owner`, `admin` or `viewer`.
    #[schema(value_type = String)]
    role: AdminRole,
    /// Whether a second factor is asked for.
    totp_enabled: bool,
    /// Whether the account has a password here.
    has_password: bool,
    /// When the admin was added.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When the admin was shut out.
    #[serde(with = "time::serde::rfc3339::option")]
    disabled_at: Option<OffsetDateTime>,
}

impl From<Admin> for AdminAccountView {
    fn from(admin: Admin) -> Self {
        Self {
            id: *admin.id.as_uuid(),
            email: admin.email,
            role: admin.role,
            totp_enabled: admin.totp_enabled_at.is_some(),
            has_password: !admin.password_hash.is_empty(),
            created_at: admin.created_at,
            disabled_at: admin.disabled_at,
        }
    }
}
