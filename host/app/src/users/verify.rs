//! Proving that an address is the user's.

use super::{
    Client, MailKind, Onward, SignedInUser,
    deeds::myself,
    mails::{MailRequest, Recipient},
};
use crate::{App, limits::Attempt};
use atlashub_core::{Error, ErrorKind, ProjectId, Result, token};
use atlashub_data::platform::{OneTimeKind, OneTimeToken, UserPatch};
use serde_json::json;

impl App {
    /// Sends a mail that proves the address of whoever has it, once more.
    /// Says the same whether anybody has it.
    ///
    /// # Errors
    /// `redirect_not_allowed`, `rate_limited`.
    pub async fn ask_to_verify(
        &self,
        project: ProjectId,
        email: &str,
        onward: Onward,
        client: &Client,
    ) -> Result<()> {
        self.ask_for_mail(
            (project, MailKind::VerifyEmail),
            Attempt::MagicLink,
            email,
            onward,
            client,
        )
        .await
    }

    /// As [`App::ask_to_verify`], for the user behind an access token.
    ///
    /// # Errors
    /// `redirect_not_allowed`, `rate_limited`.
    pub async fn ask_to_verify_me(
        &self,
        me: &SignedInUser,
        onward: Onward,
        client: &Client,
    ) -> Result<()> {
        let user = self.signed_in_user(me).await?;
        self.ask_to_verify(me.project, &user.email, onward, client)
            .await
    }

    /// Takes note that the address is the user's who got the token there.
    ///
    /// # Errors
    /// 401 `invalid_token`.
    pub async fn verify_email(
        &self,
        project: ProjectId,
        token: &str,
        client: &Client,
    ) -> Result<()> {
        self.enabled_auth(project).await?;
        let unit = self.platform().begin().await?;
        let taken = unit
            .one_time_tokens()
            .take(project, OneTimeKind::VerifyEmail, &token::hash(token))
            .await?
            .ok_or_else(void)?;
        let user = unit.users().get(project, taken.user).await?;
        if user.email != taken.email {
            return Err(void());
        }
        let patch = UserPatch {
            email_verified: Some(true),
            ..UserPatch::default()
        };
        unit.users().update(project, taken.user, patch).await?;
        let target = user.id.to_string();
        let event =
            myself(&user, client).did("user.verify_email", Some(project), target, json!({}));
        unit.audit().append(event).await?;
        unit.commit().await
    }

    /// Asks for a mail to whoever has an address, if it may be asked for.
    pub(super) async fn ask_for_mail(
        &self,
        (project, kind): (ProjectId, MailKind),
        attempt: Attempt,
        email: &str,
        onward: Onward,
        client: &Client,
    ) -> Result<()> {
        let auth = self.enabled_auth(project).await?;
        let onward = onward.checked(&auth.settings)?;
        let email = email.trim().to_lowercase();
        self.count_try(attempt, project, &email, client).await?;
        self.mails().ask(MailRequest {
            project,
            kind,
            to: Recipient::Address(email),
            onward,
        });
        Ok(())
    }

    /// Whose a mailed token is that would work now.
    pub(super) async fn peek_token(
        &self,
        project: ProjectId,
        kind: OneTimeKind,
        token: &str,
    ) -> Result<OneTimeToken> {
        let tokens = self.platform().one_time_tokens();
        let found = tokens.peek(project, kind, &token::hash(token)).await?;
        found.ok_or_else(void)
    }
}

/// A token that works no more, or never did.
pub(super) fn void() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "invalid_token",
        "the link has run out, or was used before: ask for another",
    )
}
