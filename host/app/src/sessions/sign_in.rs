//! Signing in.

use super::refusals::Refusal;
use super::{LONGEST, TOKEN_PREFIX};
use crate::{Actor, App, limits::Attempt, one_time_code};
use atlashub_core::{AdminId, AdminRole, Caller, Error, ErrorKind, RequestId, Result, token};
use atlashub_data::platform::{Admin, NewAuditEvent, NewSession};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use std::net::IpAddr;
use time::OffsetDateTime;

/// What somebody signs in with.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The admin's address.
    pub email: String,
    /// The password.
    pub password: SecretString,
    /// A code of the authenticator, or a recovery code.
    pub code: Option<SecretString>,
    /// Where it comes from.
    pub from: IpAddr,
    /// During which request.
    pub request: Option<RequestId>,
}

/// How somebody proved who it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Proof {
    Password,
    Totp,
    RecoveryCode,
    Invitation,
}

impl Proof {
    fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Totp => "totp",
            Self::RecoveryCode => "recovery_code",
            Self::Invitation => "invitation",
        }
    }
}

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
    /// Begins a session for whoever knows the password, and has the second
    /// factor where there is one. Takes as long for an address that no admin
    /// has.
    ///
    /// # Errors
    /// 401 `invalid_credentials`, `totp_required`, `invalid_totp_code`;
    /// `rate_limited`, 503 `busy`.
    pub async fn sign_in(&self, wanted: SignIn) -> Result<SignedIn> {
        let SignIn { from, request, .. } = wanted;
        self.strict_limits()
            .count(Attempt::SignIn, None, &wanted.email, from)
            .await?;
        let email = wanted.email.trim();
        let found = self.platform().admins().find_by_email(email).await?;
        // One who signs in elsewhere has no password here.
        let hash = found.as_ref().map(|admin| admin.password_hash.clone());
        let hash = hash.filter(|hash| !hash.is_empty());
        let fits = self.passwords().verify(wanted.password, hash).await?;
        let id = found.as_ref().map(|admin| admin.id);
        let Some(admin) = found.filter(|admin| fits && admin.disabled_at.is_none()) else {
            self.note_refusal(Refusal::Password, id, from, request)
                .await;
            return Err(refused());
        };
        let proof = self
            .check_admin_second_factor(&admin, wanted.code, from, request)
            .await?;
        self.begin_session(&admin, proof, Some(from), request).await
    }

    /// Checks the second factor of an admin who has one; a code works once.
    pub(crate) async fn check_admin_second_factor(
        &self,
        admin: &Admin,
        code: Option<SecretString>,
        from: IpAddr,
        request: Option<RequestId>,
    ) -> Result<Proof> {
        let (Some(sealed), Some(_)) = (&admin.totp_secret, admin.totp_enabled_at) else {
            return Ok(Proof::Password);
        };
        let Some(code) = code else {
            return Err(Error::new(
                ErrorKind::Unauthenticated,
                "totp_required",
                "this account has a second factor: send its code as `totp_code`",
            ));
        };
        self.strict_limits()
            .count(Attempt::SecondFactor, None, &admin.id.to_string(), from)
            .await?;
        if self.accept_code(admin.id, sealed, &code, None).await? {
            return Ok(Proof::Totp);
        }
        if let Some(hash) = one_time_code::recovery_hash(code.expose_secret()) {
            let admins = self.platform().admins();
            if admins.take_recovery_code(admin.id, &hash).await? {
                return Ok(Proof::RecoveryCode);
            }
        }
        self.note_refusal(Refusal::SecondFactor, Some(admin.id), from, request)
            .await;
        Err(wrong_code())
    }

    /// Whether `code` is one of the authenticator's that was not used before;
    /// it is used now, and what comes of that is noted with it.
    pub(crate) async fn accept_code(
        &self,
        admin: AdminId,
        sealed: &str,
        code: &SecretString,
        noted: Option<NewAuditEvent>,
    ) -> Result<bool> {
        let secret = self.sealer().open(&totp_identity(admin), sealed)?;
        let now = self.clock().now();
        let step = one_time_code::accepted_step(secret.expose_secret(), code.expose_secret(), now)?;
        let Some(step) = step else {
            return Ok(false);
        };
        let unit = self.platform().begin().await?;
        if !unit.admins().accept_step(admin, sealed, step).await? {
            return Ok(false);
        }
        if let Some(event) = noted {
            unit.audit().append(event).await?;
        }
        unit.commit().await?;
        Ok(true)
    }

    pub(crate) async fn begin_session(
        &self,
        admin: &Admin,
        proof: Proof,
        from: Option<IpAddr>,
        request: Option<RequestId>,
    ) -> Result<SignedIn> {
        let token = token::generate(TOKEN_PREFIX)?;
        let expires_at = self.clock().now() + self.settings().admin_session.min(LONGEST);
        let actor = Actor {
            caller: Caller::Admin {
                id: Some(admin.id),
                role: admin.role,
            },
            request,
        };
        let unit = self.platform().begin().await?;
        // What was checked may have been changed since.
        let present = unit.admins().find(admin.id).await?;
        let is_same = |present: Admin| {
            present.disabled_at.is_none()
                && present.password_hash == admin.password_hash
                && present.totp_enabled_at == admin.totp_enabled_at
        };
        if !present.is_some_and(is_same) {
            return Err(refused());
        }
        let session = unit
            .sessions()
            .create(NewSession {
                admin: admin.id,
                token_hash: token::hash(&token),
                expires_at,
            })
            .await?;
        unit.audit()
            .append(actor.did(
                "session.create",
                None,
                session.id.to_string(),
                json!({ "proof": proof.as_str(), "address": from }),
            ))
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

/// What an admin's secret is sealed for.
pub(crate) fn totp_identity(admin: AdminId) -> String {
    format!("admin/{admin}/totp")
}

pub(crate) fn wrong_code() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "invalid_totp_code",
        "the code is wrong, too old, or was used before",
    )
}

fn refused() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "invalid_credentials",
        "the email address or the password is wrong",
    )
}
