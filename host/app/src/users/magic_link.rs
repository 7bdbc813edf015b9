//! Asking for a link that signs in, and becoming a user by one.

use super::{Client, MailKind, Onward, SignUpPolicy, deeds, profile, roles};
use crate::{App, admins, limits::Attempt};
use atlashub_core::{ProjectId, Result};
use atlashub_data::platform::NewUser;

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
        onward: Onward,
        client: &Client,
    ) -> Result<()> {
        self.ask_for_mail(
            (project, MailKind::MagicLink),
            Attempt::MagicLink,
            email,
            onward,
            client,
        )
        .await
    }
    /// Makes a user without a password of who has this address and is none
    /// yet, where the project takes new users: a link is to follow. Says the
    /// same whether anybody has it.
    ///
    /// # Errors
    /// `invalid_email`, `invalid_handle`, `invalid_name`, `handle_taken`,
    /// `rate_limited`.
    pub async fn join_by_mail(
        &self,
        project: ProjectId,
        email: &str,
        (name, handle): (Option<String>, Option<String>),
        client: &Client,
    ) -> Result<()> {
        let auth = self.enabled_auth(project).await?;
        if auth.settings.sign_up != SignUpPolicy::Open {
            return Ok(());
        }
        let email = admins::email(email)?;
        self.strict_limits()
            .count_address(Attempt::SignUp, Some(project), client.address)
            .await?;
        let users = self.platform().users();
        if users.find_by_email(project, &email).await?.is_some() {
            return Ok(());
        }
        let new = NewUser {
            email,
            handle: profile::handle(handle)?,
            name: profile::name(name)?,
            password_hash: None,
            email_verified: false,
            roles: vec![roles::DEFAULT.to_owned()],
        };
        let unit = self.platform().begin().await?;
        let user = match unit.users().create(project, new).await {
            Ok(user) => user,
            // Another call was faster.
            Err(error) if error.code() == "email_taken" => return Ok(()),
            Err(error) => return Err(error),
        };
        unit.audit()
            .append(deeds::signed_up(&user, "mail", client))
            .await?;
        unit.commit().await
    }
}
