//! The first owner, made once.

use super::{email, password};
use crate::{
    Actor, App,
    limits::Attempt,
    sessions::{SignedIn, sign_in::Proof},
};
use atlashub_core::{AdminRole, Caller, Error, RequestId, Result};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use std::net::IpAddr;

impl App {
    /// Whether there is an owner yet.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn is_set_up(&self) -> Result<bool> {
        self.platform().admins().has_owner().await
    }

    /// Makes the first owner and signs it in.
    ///
    /// # Errors
    /// `already_set_up`, `invalid_email`, `weak_password`, `rate_limited`.
    pub async fn set_up(
        &self,
        address: &str,
        secret: SecretString,
        from: IpAddr,
        request: Option<RequestId>,
    ) -> Result<SignedIn> {
        self.strict_limits()
            .count_address(Attempt::SetUp, None, from)
            .await?;
        if self.is_set_up().await? {
            return Err(Error::conflict(
                "already_set_up",
                "there is an owner already, sign in",
            ));
        }
        let address = email(address)?;
        password::check(secret.expose_secret(), &address)?;
        let hash = self.passwords().hash(secret).await?;
        let unit = self.platform().begin().await?;
        let owner = unit.admins().create_first_owner(&address, &hash).await?;
        let actor = Actor {
            caller: Caller::Admin {
                id: Some(owner.id),
                role: AdminRole::Owner,
            },
            request,
        };
        unit.audit()
            .append(actor.did(
                "admin.set_up",
                None,
                owner.id.to_string(),
                json!({ "email": owner.email }),
            ))
            .await?;
        unit.commit().await?;
        self.begin_session(&owner, Proof::Password, Some(from), request)
            .await
    }
}
