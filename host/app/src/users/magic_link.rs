//! Signing in by a link in a mail.

use super::{Client, MailKind, Tokens, sign_in::may_enter, verify::void};
use crate::{App, limits::Attempt};
use atlashub_core::{ProjectId, Result, token};
use atlashub_data::platform::{OneTimeKind, UserPatch};

impl App {
    /// Sends a link that signs in to whoever has the address. Says the same
    /// whether anybody has it.
    ///
    /// # Errors
    /// `redirect_not_allowed`, `rate_limited`.
    pub async fn ask_for_magic_link(
        &self,
        project: ProjectId,
        email: &str,
        redirect: Option<&str>,
        client: &Client,
    ) -> Result<()> {
        self.ask_for_mail(
            (project, MailKind::MagicLink),
            Attempt::MagicLink,
            email,
            redirect,
            client,
        )
        .await
    }

    /// Begins a session for whoever got the link, and has the second factor.
    /// The link is used up when everything fits. An address that was not
    /// proven before is now, and a password that somebody chose until then, or
    /// an identity that they linked, is void: it need not have been the owner
    /// of the address.
    ///
    /// # Errors
    /// 401 `invalid_token`, `totp_required`, `invalid_totp_code`;
    /// `rate_limited`.
    pub async fn follow_magic_link(
        &self,
        project: ProjectId,
        token: &str,
        code: Option<&str>,
        client: &Client,
    ) -> Result<Tokens> {
        let auth = self.enabled_auth(project).await?;
        let kind = OneTimeKind::MagicLink;
        let found = self.peek_token(project, kind, token).await?;
        let user = self.platform().users().get(project, found.user).await?;
        if user.email != found.email || user.disabled_at.is_some() {
            return Err(void());
        }
        self.pass_second_factor(&user, code, client).await?;
        let unit = self.platform().begin().await?;
        let hash = token::hash(token);
        if unit
            .one_time_tokens()
            .take(project, kind, &hash)
            .await?
            .is_none()
        {
            return Err(void());
        }
        let user = if user.email_verified_at.is_none() {
            let patch = UserPatch {
                email_verified: Some(true),
                password_hash: Some(None),
                ..UserPatch::default()
            };
            unit.identities().unlink_all(user.id).await?;
            unit.users().update(project, user.id, patch).await?
        } else {
            user
        };
        unit.commit().await?;
        self.access().forget_user(user.id);
        may_enter(&auth, &user)?;
        self.begin_user_session(&user, None, client).await
    }
}
