//! `/admin/v1/session`: signing in and out, and who one is.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod password;
pub(crate) mod show;
pub(crate) mod totp;

use crate::admin::credentials::COOKIE;
use atlashub_app::SignedIn;
use atlashub_core::AdminRole;
use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// Longest life of a session, and so of its cookie, seconds.
const MAX_AGE: u32 = 30 * 24 * 3_600;

/// A session.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionView {
    /// Its token, shown when it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// How the token is sent.
    token_type: &'static str,
    /// When it ends unless it is used; absent for the development token.
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    expires_at: Option<OffsetDateTime>,
    /// Whose it is.
    admin: AdminView,
}

/// An admin.
#[derive(Serialize, ToSchema)]
pub(crate) struct AdminView {
    /// The admin's id; null for the development token.
    id: Option<Uuid>,
    /// The admin's address.
    email: Option<String>,
    /// `owner`, `admin` or `viewer`.
    #[schema(value_type = String)]
    role: AdminRole,
}

/// The answer that begins a session, with its cookie.
pub(crate) fn answer(status: StatusCode, signed_in: SignedIn) -> Response {
    let cookie = format!(
        "{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={MAX_AGE}",
        signed_in.token
    );
    let view = SessionView {
        token: Some(signed_in.token),
        token_type: "bearer",
        expires_at: Some(signed_in.expires_at),
        admin: AdminView {
            id: Some(*signed_in.admin.as_uuid()),
            email: Some(signed_in.email),
            role: signed_in.role,
        },
    };
    let mut response = (status, Json(view)).into_response();
    response
        .headers_mut()
        .extend(HeaderValue::from_str(&cookie).map(|value| (header::SET_COOKIE, value)));
    response
}

/// The cookie that ends the one of [`answer`].
fn no_cookie() -> String {
    format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")
}
