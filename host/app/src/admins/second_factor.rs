//! An admin's second factor: begun with the password, in use once a code has
//! proven it, removed with password and code, or by an owner for somebody
//! who lost both.

use super::own_account;
use crate::{
    Actor, App,
    limits::Attempt,
    one_time_code::{self, Enrolment},
    sessions::{
        AdminIdentity, SignedIn,
        refusals::Refusal,
        sign_in::{Proof, totp_identity, wrong_code},
    },
};
use atlashub_core::{AdminId, Digest, Error, RequestId, Result};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use std::net::IpAddr;

/// Who is shown beside the account in an authenticator app.
const ISSUER: &str = "AtlasHub";

impl App {
    /// Begins a second factor; it is not asked for before
    /// [`prove_second_factor`](Self::prove_second_factor).
    ///
    /// # Errors
    /// 403 `wrong_password`, 409 `totp_enabled`, `rate_limited`.
    pub async fn begin_second_factor(
        &self,
        identity: &AdminIdentity,
        password: SecretString,
        from: IpAddr,
        request: Option<RequestId>,
    ) -> Result<Enrolment> {
        let admin = self
            .check_password(identity, password, from, request)
            .await?;
        let begun = Enrolment::new(ISSUER, &admin.email)?;
        let secret = begun.secret.expose_secret();
        let sealed = self.sealer().seal(&totp_identity(admin.id), secret)?;
        let codes: Vec<Digest> = begun
            .recovery_codes
            .iter()
            .filter_map(|code| one_time_code::recovery_hash(code))
            .collect();
        self.platform()
            .admins()
            .begin_second_factor(admin.id, &sealed, &codes)
            .await?;
        Ok(begun)
    }

    /// Puts the second factor to use, if `code` proves that the authenticator
    /// has the secret.
    ///
    /// # Errors
    /// 401 `invalid_totp_code`, 409 `totp_not_begun`, `rate_limited`.
    pub async fn prove_second_factor(
        &self,
        identity: &AdminIdentity,
        code: &SecretString,
        from: IpAddr,
        request: Option<RequestId>,
    ) -> Result<()> {
        let admin = own_account(self, identity).await?;
        let Some(sealed) = &admin.totp_secret else {
            return Err(Error::conflict(
                "totp_not_begun",
                "there is no second factor to prove, begin one first",
            ));
        };
        self.strict_limits()
            .count(Attempt::SecondFactor, None, &admin.id.to_string(), from)
            .await?;
        let enabled = admin.totp_enabled_at.is_none().then(|| {
            identity
                .actor(request)
                .did("admin.totp_enable", None, admin.id.to_string(), json!({}))
        });
        if !self.accept_code(admin.id, sealed, code, enabled).await? {
            self.note_refusal(Refusal::SecondFactor, Some(admin.id), from, request)
                .await;
            return Err(wrong_code());
        }
        Ok(())
    }

    /// Removes the admin's own second factor, ends all the admin's sessions,
    /// and begins a new one for whoever removed it.
    ///
    /// # Errors
    /// 403 `wrong_password`, 401 `totp_required` and `invalid_totp_code`,
    /// `not_found`, `rate_limited`.
    pub async fn remove_second_factor(
        &self,
        identity: &AdminIdentity,
        password: SecretString,
        code: Option<SecretString>,
        from: IpAddr,
        request: Option<RequestId>,
    ) -> Result<SignedIn> {
        let admin = self
            .check_password(identity, password, from, request)
            .await?;
        self.check_admin_second_factor(&admin, code, from, request)
            .await?;
        self.drop_second_factor(&identity.actor(request), admin.id)
            .await?;
        let admin = own_account(self, identity).await?;
        self.begin_session(&admin, Proof::Password, Some(from), request)
            .await
    }

    /// As an owner for another admin, without either.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn reset_admin_second_factor(&self, actor: &Actor, admin: AdminId) -> Result<()> {
        self.drop_second_factor(actor, admin).await
    }

    async fn drop_second_factor(&self, actor: &Actor, admin: AdminId) -> Result<()> {
        let unit = self.platform().begin().await?;
        if !unit.admins().remove_second_factor(admin).await? {
            return Err(Error::not_found("second factor"));
        }
        unit.audit()
            .append(actor.did("admin.totp_remove", None, admin.to_string(), json!({})))
            .await?;
        unit.commit().await?;
        self.forget_admins();
        Ok(())
    }

    /// How many recovery codes an admin has left.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn recovery_codes_left(&self, admin: AdminId) -> Result<u64> {
        self.platform().admins().recovery_codes_left(admin).await
    }
}
