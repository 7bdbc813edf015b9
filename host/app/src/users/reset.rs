//! A new password by a link in a mail: for who forgot theirs, and for who was
//! invited.

use super::{
    Client, MailKind, Onward, deeds,
    mails::{MailRequest, Recipient},
    verify::void,
};
use crate::{Actor, App, limits::Attempt, sessions::refusals::Refusal};
use atlashub_core::{Error, ProjectId, Result, UserId, token};
use atlashub_data::platform::{OneTimeKind, UserPatch};
use secrecy::SecretString;
use serde_json::json;

impl App {
    /// Sends a link that sets a new password to whoever has the address. Says
    /// the same whether anybody has it.
    ///
    /// # Errors
    /// `redirect_not_allowed`, `rate_limited`.
    pub async fn ask_to_reset(
        &self,
        project: ProjectId,
        email: &str,
        onward: Onward,
        client: &Client,
    ) -> Result<()> {
        self.ask_for_mail(
            (project, MailKind::ResetPassword),
            Attempt::Reset,
            email,
            onward,
            client,
        )
        .await
    }

    /// Sets a new password for whoever got the link, and ends all sessions.
    /// The address is proven with it; a second factor stays.
    ///
    /// # Errors
    /// 401 `invalid_token`; `weak_password`, `rate_limited`, 503 `busy`.
    pub async fn reset_password(
        &self,
        project: ProjectId,
        token: &str,
        password: SecretString,
        client: &Client,
    ) -> Result<()> {
        let auth = self.enabled_auth(project).await?;
        self.strict_limits()
            .count_address(Attempt::Reset, Some(project), client.address)
            .await?;
        let (kind, found) = match self
            .peek_token(project, OneTimeKind::ResetPassword, token)
            .await
        {
            Ok(found) => (OneTimeKind::ResetPassword, found),
            Err(_) => {
                let kind = OneTimeKind::Invite;
                match self.peek_token(project, kind, token).await {
                    Ok(found) => (kind, found),
                    Err(error) => {
                        self.note_user_refusal(Refusal::Link, project, None, client)
                            .await;
                        return Err(error);
                    }
                }
            }
        };
        // Before the token is used up: another try costs no other mail.
        super::password::check(&auth.settings, &password, &found.email)?;
        let hash = self.passwords().hash(password).await?;
        let unit = self.platform().begin().await?;
        let tokens = unit.one_time_tokens();
        let taken = tokens.take(project, kind, &token::hash(token)).await?;
        let taken = taken.ok_or_else(void)?;
        let user = unit.users().get(project, taken.user).await?;
        if user.email != taken.email || user.disabled_at.is_some() {
            return Err(void());
        }
        let patch = UserPatch {
            password_hash: Some(Some(hash)),
            email_verified: Some(true),
            ..UserPatch::default()
        };
        if user.email_verified_at.is_none() {
            // Whoever came in until then need not have owned the address.
            unit.identities().unlink_all(user.id).await?;
        }
        unit.users().update(project, user.id, patch).await?;
        tokens
            .void(
                user.id,
                &[
                    OneTimeKind::ResetPassword,
                    OneTimeKind::MagicLink,
                    OneTimeKind::Invite,
                ],
            )
            .await?;
        let action = match kind {
            OneTimeKind::Invite => "user.accept",
            _ => "user.reset_password",
        };
        unit.audit()
            .append(deeds::myself(&user, client).did(
                action,
                Some(project),
                user.id.to_string(),
                json!({ "address": client.address }),
            ))
            .await?;
        unit.commit().await?;
        self.access().forget_user(user.id);
        Ok(())
    }

    /// Sends a user who has no password yet a link that sets the first one.
    ///
    /// # Errors
    /// `not_found`, `already_joined`, `redirect_not_allowed`.
    pub async fn invite_user(
        &self,
        actor: &Actor,
        project: ProjectId,
        id: UserId,
        onward: Onward,
    ) -> Result<()> {
        let auth = self.access().project(project).await?;
        let onward = onward.checked(&auth.settings)?;
        let user = self.platform().users().get(project, id).await?;
        if user.password_hash.is_some() {
            return Err(Error::conflict(
                "already_joined",
                "the user has a password already",
            ));
        }
        self.platform()
            .audit()
            .append(actor.did("user.invite", Some(project), id.to_string(), json!({})))
            .await?;
        self.mails().ask(MailRequest {
            project,
            kind: MailKind::Invite,
            to: Recipient::User(id),
            onward,
        });
        Ok(())
    }
}
