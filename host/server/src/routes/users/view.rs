//! How users, sessions and tokens are shown.

use atlashub_app::{
    App,
    users::{Tokens, foremost_role},
};
use atlashub_data::platform::{EndUser, UserSession};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// A pair of tokens.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokensView {
    /// Says who, for `expires_in` seconds: `authorization: Bearer …`.
    access_token: String,
    /// Gets the next pair, once; absent where it is kept in a cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// `bearer`.
    token_type: &'static str,
    /// Seconds that the access token is valid.
    expires_in: u32,
}

/// A user, as the user itself and admins see one.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserView {
    /// The user's id.
    id: Uuid,
    /// The address.
    email: String,
    /// Whether it is proven that the address is the user's.
    email_verified: bool,
    /// The handle.
    handle: Option<String>,
    /// The name that others see.
    name: Option<String>,
    /// What the user says of itself.
    bio: Option<String>,
    /// Where the picture is; `&size=64`, `128` or `512` asks for another size
    /// than 256 pixels a side.
    avatar: Option<String>,
    /// The foremost of the roles.
    role: String,
    /// All roles.
    roles: Vec<String>,
    /// Whether a second factor is asked for at sign-in.
    totp_enabled: bool,
    /// When the user was shut out.
    #[serde(with = "time::serde::rfc3339::option")]
    disabled_at: Option<OffsetDateTime>,
    /// When the user was added.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When the user was last changed.
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

/// A user, as everybody may see one.
#[derive(Serialize, ToSchema)]
pub(crate) struct PublicProfile {
    /// The user's id.
    id: Uuid,
    /// The handle.
    handle: Option<String>,
    /// The name.
    name: Option<String>,
    /// Where the picture is; `&size=64`, `128` or `512` asks for another size
    /// than 256 pixels a side.
    avatar: Option<String>,
}

/// A session of a user.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserSessionView {
    /// Its id.
    id: Uuid,
    /// What the client said it is.
    user_agent: Option<String>,
    /// Where it was begun from.
    address: Option<String>,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it was last refreshed.
    #[serde(with = "time::serde::rfc3339")]
    refreshed_at: OffsetDateTime,
    /// When it ends unless it is refreshed.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    /// Whether it is the one that asks.
    current: bool,
}

impl TokensView {
    /// For a page that does not get to see the other.
    pub(crate) fn without_refresh(tokens: Tokens) -> Self {
        Self {
            refresh_token: None,
            ..tokens.into()
        }
    }

    /// The members, as a fragment has them.
    pub(crate) fn pairs(self) -> [(&'static str, String); 4] {
        [
            ("access_token", self.access_token),
            ("refresh_token", self.refresh_token.unwrap_or_default()),
            ("token_type", self.token_type.to_owned()),
            ("expires_in", self.expires_in.to_string()),
        ]
    }
}

impl From<Tokens> for TokensView {
    fn from(tokens: Tokens) -> Self {
        Self {
            access_token: tokens.access_token,
            refresh_token: Some(tokens.refresh_token),
            token_type: "bearer",
            expires_in: tokens.expires_in,
        }
    }
}

impl UserView {
    pub(crate) fn of(app: &App, user: EndUser) -> Self {
        Self {
            avatar: app.avatar_url(&user),
            id: *user.id.as_uuid(),
            email_verified: user.email_verified_at.is_some(),
            totp_enabled: user.active_factor().is_some(),
            email: user.email,
            handle: user.handle,
            name: user.name,
            bio: user.bio,
            role: foremost_role(&user.roles).to_owned(),
            roles: user.roles,
            disabled_at: user.disabled_at,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

impl PublicProfile {
    pub(crate) fn of(app: &App, user: EndUser) -> Self {
        Self {
            avatar: app.avatar_url(&user),
            id: *user.id.as_uuid(),
            handle: user.handle,
            name: user.name,
        }
    }
}

impl UserSessionView {
    pub(crate) fn of(session: UserSession, current: bool) -> Self {
        Self {
            id: *session.id.as_uuid(),
            user_agent: session.user_agent,
            address: session.address,
            created_at: session.created_at,
            refreshed_at: session.refreshed_at,
            expires_at: session.expires_at,
            current,
        }
    }
}
