//! An admin's own new password.

use super::{own_account, password};
use crate::{
    App,
    limits::Attempt,
    sessions::{AdminIdentity, SignedIn, refusals::Refusal, sign_in::Proof},
};
use atlashub_core::{Error, RequestId, Result};
use atlashub_data::platform::{Admin, AdminPatch};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use std::net::IpAddr;

impl App {
    /// Sets another password, ends all sessions of the admin, and begins a
    /// new one for whoever changed it.
    ///
    /// # Errors
    /// 403 `wrong_password`, `weak_password`, `rate_limited`.
    pub async fn change_admin_password(
        &self,
        identity: &AdminIdentity,
        old: SecretString,
        new: SecretString,
        from: IpAddr,
        request: Option<RequestId>,
    ) -> Result<SignedIn> {
        let admin = self.check_password(identity, old, from, request).await?;
        password::check(new.expose_secret(), &admin.email)?;
        let hash = self.passwords().hash(new).await?;
        let unit = self.platform().begin().await?;
        let patch = AdminPatch {
            password_hash: Some(hash),
            ..AdminPatch::default()
        };
        let admin = unit.admins().update(admin.id, patch).await?;
        let actor = identity.actor(request);
        unit.audit()
            .append(actor.did("admin.password", None, admin.id.to_string(), json!({})))
            .await?;
        unit.commit().await?;
        self.forget_admins();
        self.begin_session(&admin, Proof::Password, Some(from), request)
            .await
    }

    /// The admin of a session, after the password was given once more: a
    /// session that was left open is not enough for what guards the account.
    pub(crate) async fn check_password(
        &self,
        identity: &AdminIdentity,
        given: SecretString,
        from: IpAddr,
        request: Option<RequestId>,
    ) -> Result<Admin> {
        self.strict_limits()
            .count(Attempt::SignIn, None, &identity.email, from)
            .await?;
        let admin = own_account(self, identity).await?;
        let hash = Some(admin.password_hash.clone()).filter(|hash| !hash.is_empty());
        if self.passwords().verify(given, hash).await? {
            return Ok(admin);
        }
        self.note_refusal(Refusal::Password, Some(admin.id), from, request)
            .await;
        Err(Error::new(
            atlashub_core::ErrorKind::Forbidden,
            "wrong_password",
            "the present password is wrong",
        ))
    }
}
