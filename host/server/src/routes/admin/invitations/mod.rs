//! `/admin/v1/invitations`: how further admins come in.

pub(crate) mod accept;
pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod remove;

use atlashub_core::AdminRole;
use atlashub_data::platform::Invitation;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// An open invitation, without its token.
#[derive(Serialize, ToSchema)]
pub(crate) struct InvitationView {
    /// Its id.
    id: Uuid,
    /// Whom it is for.
    email: String,
    /// What the admin will be: `owner`, `admin` or `viewer`.
    #[schema(value_type = String)]
    role: AdminRole,
    /// Who invites; null for one who is gone.
    #[schema(required)]
    invited_by: Option<Uuid>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it ends by itself.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

impl From<Invitation> for InvitationView {
    fn from(invitation: Invitation) -> Self {
        Self {
            id: *invitation.id.as_uuid(),
            email: invitation.email,
            role: invitation.role,
            invited_by: invitation.invited_by.map(|id| *id.as_uuid()),
            created_at: invitation.created_at,
            expires_at: invitation.expires_at,
        }
    }
}
