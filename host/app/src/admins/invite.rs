//! Inviting admins: an owner names an address and a role, and passes the
//! link on; whoever has it sets a password, once.

use super::{email, password};
use crate::{
    Actor, App,
    limits::Attempt,
    sessions::{SignedIn, sign_in::Proof},
};
use atlashub_core::{
    AdminId, AdminRole, Caller, Error, ErrorKind, InvitationId, RequestId, Result, token,
};
use atlashub_data::platform::{Invitation, NewAdmin, NewInvitation, Page};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use std::net::IpAddr;
use time::Duration;

/// How an invitation's token starts.
const TOKEN_PREFIX: &str = "ahi_";
/// How long an invitation is open.
const OPEN_FOR: Duration = Duration::days(7);

/// An invitation that was made.
pub struct Invited {
    /// What is kept of it.
    pub invitation: Invitation,
    /// Its token, shown once.
    pub token: SecretString,
}

impl App {
    /// Invites somebody; an invitation of the same address before ends.
    ///
    /// # Errors
    /// `invalid_email`, `email_taken`.
    pub async fn invite_admin(
        &self,
        actor: &Actor,
        address: &str,
        role: AdminRole,
    ) -> Result<Invited> {
        let address = email(address)?;
        let token = token::generate(TOKEN_PREFIX)?;
        let unit = self.platform().begin().await?;
        if unit.admins().find_by_email(&address).await?.is_some() {
            return Err(Error::conflict(
                "email_taken",
                "there is an admin with this address already",
            ));
        }
        let invited_by = match actor.caller {
            Caller::Admin { id, .. } => id,
            _ => None,
        };
        let invitation = unit
            .invitations()
            .create(NewInvitation {
                email: address,
                role,
                token_hash: token::hash(&token),
                invited_by,
                expires_at: self.clock().now() + OPEN_FOR,
            })
            .await?;
        unit.audit()
            .append(actor.did(
                "admin.invite",
                None,
                invitation.id.to_string(),
                json!({ "email": invitation.email, "role": role }),
            ))
            .await?;
        unit.commit().await?;
        Ok(Invited {
            invitation,
            token: token.into(),
        })
    }

    /// A page of the open invitations, oldest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn invitations(
        &self,
        after: Option<InvitationId>,
        limit: u64,
    ) -> Result<Page<Invitation, InvitationId>> {
        self.platform().invitations().list(after, limit).await
    }

    /// Takes an invitation back.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn remove_invitation(&self, actor: &Actor, id: InvitationId) -> Result<()> {
        let unit = self.platform().begin().await?;
        if !unit.invitations().remove(id).await? {
            return Err(Error::not_found("invitation"));
        }
        unit.audit()
            .append(actor.did("admin.uninvite", None, id.to_string(), json!({})))
            .await?;
        unit.commit().await
    }

    /// Makes an admin of whoever has the token of an invitation, and signs
    /// the admin in.
    ///
    /// # Errors
    /// 401 `invalid_invitation`, `weak_password`, `email_taken`,
    /// `rate_limited`.
    pub async fn accept_invitation(
        &self,
        given: &SecretString,
        secret: SecretString,
        from: IpAddr,
        request: Option<RequestId>,
    ) -> Result<SignedIn> {
        self.strict_limits()
            .count_address(Attempt::Invitation, None, from)
            .await?;
        let hash = token::hash(given.expose_secret());
        let found = self.platform().invitations().find_valid(&hash).await?;
        let invitation = found.ok_or_else(over)?;
        password::check(secret.expose_secret(), &invitation.email)?;
        let password_hash = self.passwords().hash(secret).await?;
        let unit = self.platform().begin().await?;
        if !unit.invitations().take(invitation.id).await? {
            return Err(over());
        }
        let admin = unit
            .admins()
            .create(NewAdmin {
                email: invitation.email,
                password_hash,
                role: invitation.role,
            })
            .await?;
        let actor = itself(admin.id, admin.role, request);
        unit.audit()
            .append(actor.did(
                "admin.accept",
                None,
                admin.id.to_string(),
                json!({ "email": admin.email, "role": admin.role, "invitation": invitation.id }),
            ))
            .await?;
        unit.commit().await?;
        self.begin_session(&admin, Proof::Invitation, Some(from), request)
            .await
    }
}

fn itself(id: AdminId, role: AdminRole, request: Option<RequestId>) -> Actor {
    Actor {
        caller: Caller::Admin { id: Some(id), role },
        request,
    }
}

fn over() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "invalid_invitation",
        "the invitation is unknown, over, or was used: ask for another",
    )
}
