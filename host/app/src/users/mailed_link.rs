//! Signing in by a link in a mail, whatever the mail was for: who got it has
//! the address.

use super::{
    Client, Factor, MailKind, Tokens, deeds::Proof, mails::one_time, oauth::redeem, refresh::Entry,
    sign_in::may_enter, verify::void,
};
use crate::{App, sessions::refusals::Refusal};
use atlashub_core::{ProjectId, Result, token};
use atlashub_data::platform::{EndUser, NewOAuthCode, UserPatch};
use std::time::Duration;
use time::OffsetDateTime;

/// How long a session may set a password after a link for who forgot theirs.
const RECOVERY: Duration = Duration::from_secs(3_600);
/// How long a code of a link works, until the application has fetched the
/// tokens.
const CODE_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// A link in a mail that was followed.
#[derive(Clone, Copy, Debug)]
pub struct MailedLink<'a> {
    /// What the mail was for.
    pub kind: MailKind,
    /// The token in it.
    pub token: &'a str,
}

impl App {
    /// Begins a session for whoever got the link, and has the second factor.
    /// The link is used up when everything fits. An address that was not
    /// proven before is now, and a password that somebody chose until then, or
    /// an identity that they linked, is void: it need not have been the owner
    /// of the address. Only the mail that a sign-up sends leaves them: it
    /// proves the address of who chose them.
    ///
    /// A session that began with the link of a forgotten password, or of an
    /// invitation, may set a password for an hour.
    ///
    /// # Errors
    /// 401 `invalid_token`, `totp_required`, `invalid_totp_code`; 403
    /// `email_not_verified`; `rate_limited`.
    pub async fn follow_mail(
        &self,
        project: ProjectId,
        link: MailedLink<'_>,
        factor: Factor<'_>,
        client: &Client,
    ) -> Result<Tokens> {
        let user = match self.whose_link(project, link).await {
            Ok(user) => user,
            Err(error) => {
                self.note_user_refusal(Refusal::Link, project, None, client)
                    .await;
                return Err(error);
            }
        };
        let level = self.pass_second_factor(&user, factor, client).await?;
        let user = self.use_link(project, link, user).await?;
        let entry = Entry {
            proof: Proof::Mail,
            level,
            recovers_until: recovers(link.kind).then(|| self.recovery_end()),
            ..Entry::default()
        };
        self.begin_user_session(&user, entry, client).await
    }

    /// As [`App::follow_mail`], for an application with a verifier whose
    /// challenge (RFC 7636) is `challenge`: the code with which it fetches the
    /// tokens, showing the second factor there.
    ///
    /// # Errors
    /// 401 `invalid_token`; 403 `email_not_verified`; `pkce_required`.
    pub async fn follow_mail_for_code(
        &self,
        project: ProjectId,
        link: MailedLink<'_>,
        challenge: &str,
    ) -> Result<String> {
        redeem::check_challenge(challenge)?;
        let user = self.whose_link(project, link).await?;
        let user = self.use_link(project, link, user).await?;
        let code = token::generate(redeem::PREFIX)?;
        let new = NewOAuthCode {
            code_hash: token::hash(&code),
            user: user.id,
            code_challenge: challenge.to_owned(),
            recovers: recovers(link.kind),
            links: None,
            lifetime: CODE_LIFETIME,
        };
        self.platform().oauth_codes().create(project, new).await?;
        Ok(code)
    }

    /// Which of `kinds` a token would work for now.
    ///
    /// # Errors
    /// 401 `invalid_token`.
    pub async fn kind_of_mail(
        &self,
        project: ProjectId,
        kinds: &[MailKind],
        token: &str,
    ) -> Result<MailKind> {
        self.enabled_auth(project).await?;
        for kind in kinds {
            let found = self.peek_token(project, one_time(*kind).0, token).await;
            match found {
                Ok(_) => return Ok(*kind),
                Err(error) if error.kind().is_server_fault() => return Err(error),
                Err(_) => {}
            }
        }
        Err(void())
    }

    /// Until when a session that begins now may set a password.
    pub(super) fn recovery_end(&self) -> OffsetDateTime {
        self.clock().now() + RECOVERY
    }

    async fn whose_link(&self, project: ProjectId, link: MailedLink<'_>) -> Result<EndUser> {
        self.enabled_auth(project).await?;
        let (kind, _) = one_time(link.kind);
        let found = self.peek_token(project, kind, link.token).await?;
        let user = self.platform().users().get(project, found.user).await?;
        if user.email != found.email || user.disabled_at.is_some() {
            return Err(void());
        }
        Ok(user)
    }

    async fn use_link(
        &self,
        project: ProjectId,
        link: MailedLink<'_>,
        user: EndUser,
    ) -> Result<EndUser> {
        let auth = self.enabled_auth(project).await?;
        let unit = self.platform().begin().await?;
        let (kind, hash) = (one_time(link.kind).0, token::hash(link.token));
        let taken = unit.one_time_tokens().take(project, kind, &hash).await?;
        if taken.is_none() {
            return Err(void());
        }
        let user = if user.email_verified_at.is_none() {
            let mut patch = UserPatch {
                email_verified: Some(true),
                ..UserPatch::default()
            };
            if link.kind != MailKind::VerifyEmail {
                patch.password_hash = Some(None);
                unit.identities().unlink_all(user.id).await?;
            }
            unit.users().update(project, user.id, patch).await?
        } else {
            user
        };
        unit.commit().await?;
        self.access().forget_user(user.id);
        may_enter(&auth, &user)?;
        Ok(user)
    }
}

/// Whether a link stands for a password that is not known, or not there yet.
fn recovers(kind: MailKind) -> bool {
    matches!(kind, MailKind::ResetPassword | MailKind::Invite)
}
