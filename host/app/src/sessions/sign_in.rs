//! Signing in.

use super::{IDLE, TOKEN_PREFIX};
use crate::{Actor, App, limits::Attempt};
use atlashub_core::{AdminId, AdminRole, Caller, Error, RequestId, Result, token};
use atlashub_data::platform::{Admin, NewSession};
use secrecy::SecretString;
use serde_json::json;
use std::net::IpAddr;
use time::OffsetDateTime;

/// A session that was begun.
#[derive(Clone)]
pub struct SignedIn {
    /// Its token, shown once.
    pub token: String,
    /// When it ends unless it is used.
    pub expires_at: OffsetDateTime,
    /// Whose it is.
    pub admin: AdminId,
    /// The admin's address.
    pub email: String,
    /// What the admin may do.
    pub role: AdminRole,
}

impl App {
    /// Begins a session for whoever knows the password. Takes as long for an
    /// address that no admin has.
    ///
    /// # Errors
    /// 401 `invalid_credentials`, `rate_limited`, 503 `busy`.
    pub async fn sign_in(
        &self,
        email: &str,
        password: SecretString,
        from: IpAddr,
        request: Option<RequestId>,
    ) -> Result<SignedIn> {
        self.strict_limits()
            .count(Attempt::SignIn, None, email, from)
            .await?;
        let admin = self.platform().admins().find_by_email(email.trim()).await?;
        let hash = admin.as_ref().map(|admin| admin.password_hash.clone());
        let fits = self.passwords().verify(password, hash).await?;
        match admin.filter(|admin| fits && admin.disabled_at.is_none()) {
            Some(admin) if admin.totp_secret.is_none() => self.begin_session(&admin, request).await,
            // A second factor is never skipped: it is checked by what sets it.
            _ => Err(refused()),
        }
    }

    pub(crate) async fn begin_session(
        &self,
        admin: &Admin,
        request: Option<RequestId>,
    ) -> Result<SignedIn> {
        let token = token::generate(TOKEN_PREFIX)?;
        let expires_at = self.clock().now() + IDLE;
        let actor = Actor {
            caller: Caller::Admin {
                id: Some(admin.id),
                role: admin.role,
            },
            request,
        };
        let unit = self.platform().begin().await?;
        let session = unit
            .sessions()
            .create(NewSession {
                admin: admin.id,
                token_hash: token::hash(&token),
                expires_at,
            })
            .await?;
        unit.audit()
            .append(actor.did("session.create", None, session.id.to_string(), json!({})))
            .await?;
        unit.commit().await?;
        Ok(SignedIn {
            token,
            expires_at,
            admin: admin.id,
            email: admin.email.clone(),
            role: admin.role,
        })
    }
}

fn refused() -> Error {
    Error::new(
        atlashub_core::ErrorKind::Unauthenticated,
        "invalid_credentials",
        "the email address or the password is wrong",
    )
}
