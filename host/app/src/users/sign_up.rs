//! Becoming a user.

use super::{
    Client, MailKind, Onward, SignUpPolicy, Tokens, deeds,
    mails::{MailRequest, Recipient},
    profile,
    refresh::Entry,
    roles,
};
use crate::{App, admins, limits::Attempt};
use atlashub_core::{Error, ErrorKind, ProjectId, Result};
use atlashub_data::platform::{EndUser, NewUser};
use secrecy::SecretString;

/// Somebody who wants to be a user.
pub struct SignUp {
    /// The address.
    pub email: String,
    /// The password.
    pub password: SecretString,
    /// The name that others shall see.
    pub name: Option<String>,
    /// The handle.
    pub handle: Option<String>,
    /// Where the mail leads that proves the address, if one is sent.
    pub onward: Onward,
}

/// What became of it.
pub struct SignedUp {
    /// The user.
    pub user: EndUser,
    /// A session, unless the address has to be proven first.
    pub tokens: Option<Tokens>,
}

impl App {
    /// Makes a user, with the role `editor`, and begins a session.
    ///
    /// # Errors
    /// 403 `sign_up_closed`; `invalid_email`, `weak_password`,
    /// `invalid_handle`, `invalid_name`, `email_taken`, `handle_taken`;
    /// `rate_limited`, 503 `busy`.
    pub async fn sign_up(
        &self,
        project: ProjectId,
        wanted: SignUp,
        client: &Client,
    ) -> Result<SignedUp> {
        let auth = self.enabled_auth(project).await?;
        if auth.settings.sign_up != SignUpPolicy::Open {
            return Err(Error::new(
                ErrorKind::Forbidden,
                "sign_up_closed",
                "this project takes new users by invitation only, or not at all",
            ));
        }
        let email = admins::email(&wanted.email)?;
        self.count_try(Attempt::SignUp, project, &email, client)
            .await?;
        let name = profile::name(wanted.name)?;
        let handle = profile::handle(wanted.handle)?;
        super::password::check(&auth.settings, &wanted.password, &email)?;
        let onward = wanted.onward.checked(&auth.settings)?;
        let hash = self.passwords().hash(wanted.password).await?;
        let new = NewUser {
            email,
            handle,
            name,
            password_hash: Some(hash.clone()),
            email_verified: false,
            roles: vec![roles::DEFAULT.to_owned()],
        };
        let unit = self.platform().begin().await?;
        let user = unit.users().create(project, new).await?;
        unit.audit()
            .append(deeds::signed_up(&user, "password", client))
            .await?;
        unit.commit().await?;
        if auth.settings.require_verified_email {
            self.mails().ask(MailRequest {
                project,
                kind: MailKind::VerifyEmail,
                to: Recipient::User(user.id),
                onward,
            });
            return Ok(SignedUp { user, tokens: None });
        }
        let entry = Entry {
            password_hash: Some(hash),
            ..Entry::default()
        };
        let tokens = self.begin_user_session(&user, entry, client).await?;
        Ok(SignedUp {
            user,
            tokens: Some(tokens),
        })
    }
}
