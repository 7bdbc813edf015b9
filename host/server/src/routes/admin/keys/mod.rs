//! `/admin/v1/projects/{project}/keys`.

pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod revoke;
pub(crate) mod rotate;

use atlashub_app::CreatedKey;
use atlashub_core::KeyKind;
use atlashub_data::platform::Key;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// An API key, without the key itself.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyView {
    /// Its id.
    id: Uuid,
    /// `publishable` or `secret`.
    #[schema(value_type = String)]
    kind: KeyKind,
    /// What people call it.
    name: String,
    /// Its first characters.
    hint: String,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it stops working by itself.
    #[serde(with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
    /// From when on it is revoked.
    #[serde(with = "time::serde::rfc3339::option")]
    revoked_at: Option<OffsetDateTime>,
    /// When it was last used, give or take a minute.
    #[serde(with = "time::serde::rfc3339::option")]
    last_used_at: Option<OffsetDateTime>,
}

/// An API key that was just made.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewKeyView {
    #[serde(flatten)]
    view: KeyView,
    /// The key itself, shown once.
    key: String,
}

impl From<Key> for KeyView {
    fn from(key: Key) -> Self {
        Self {
            id: *key.id.as_uuid(),
            kind: key.kind,
            name: key.name,
            hint: key.hint,
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
            last_used_at: key.last_used_at,
        }
    }
}

impl From<CreatedKey> for NewKeyView {
    fn from(made: CreatedKey) -> Self {
        Self {
            view: made.key.into(),
            key: made.token,
        }
    }
}
