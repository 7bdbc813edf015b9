//! Signing in with a password, and a code where a second factor is in use.

use super::{Client, Factor, Tokens, access::ProjectAuth, refresh::Entry};
use crate::{App, limits::Attempt, sessions::refusals::Refusal};
use atlashub_core::{Error, ErrorKind, ProjectId, Result};
use atlashub_data::platform::EndUser;
use secrecy::SecretString;
use std::sync::Arc;

/// What somebody signs in with.
pub struct SignIn {
    /// The address.
    pub email: String,
    /// The password.
    pub password: SecretString,
}

impl App {
    /// Begins a session for whoever knows the password and has the second
    /// factor. Takes as long for an address that no user has; nothing is said
    /// of an account to who does not know its password.
    ///
    /// # Errors
    /// 401 `invalid_credentials`, `totp_required`, `invalid_totp_code`; 403
    /// `email_not_verified`; `rate_limited`, 503 `busy`.
    pub async fn sign_in_user(
        &self,
        project: ProjectId,
        wanted: SignIn,
        factor: Factor<'_>,
        client: &Client,
    ) -> Result<Tokens> {
        let auth = self.enabled_auth(project).await?;
        let email = wanted.email.trim().to_lowercase();
        self.count_try(Attempt::SignIn, project, &email, client)
            .await?;
        let user = self
            .platform()
            .users()
            .find_by_email(project, &email)
            .await?;
        let hash = user.as_ref().and_then(|user| user.password_hash.clone());
        let fits = self
            .passwords()
            .verify(wanted.password, hash.clone())
            .await?;
        let id = user.as_ref().map(|user| user.id);
        let Some(user) = user.filter(|user| fits && user.disabled_at.is_none()) else {
            self.note_user_refusal(Refusal::Password, project, id, client)
                .await;
            return Err(refused());
        };
        if let Err(error) = may_enter(&auth, &user) {
            self.note_user_refusal(Refusal::Unverified, project, id, client)
                .await;
            return Err(error);
        }
        let entry = Entry {
            password_hash: hash,
            level: self.pass_second_factor(&user, factor, client).await?,
            ..Entry::default()
        };
        self.begin_user_session(&user, entry, client).await
    }

    /// What is known of a project's sign-in, when it has users at all.
    ///
    /// # Errors
    /// `not_found` when its sign-in is switched off.
    pub(super) async fn enabled_auth(&self, project: ProjectId) -> Result<Arc<ProjectAuth>> {
        let auth = self.access().project(project).await?;
        if auth.settings.enabled {
            Ok(auth)
        } else {
            Err(Error::new(
                ErrorKind::NotFound,
                "sign_in_disabled",
                "this project has no sign-in",
            ))
        }
    }

    /// Counts a try at an account of a project.
    ///
    /// # Errors
    /// `rate_limited` with the time to wait.
    pub(super) async fn count_try(
        &self,
        attempt: Attempt,
        project: ProjectId,
        account: &str,
        client: &Client,
    ) -> Result<()> {
        self.strict_limits()
            .count(attempt, Some(project), account, client.address)
            .await
    }
}

/// Whether the project lets a user in who has proven to be the one.
pub(super) fn may_enter(auth: &ProjectAuth, user: &EndUser) -> Result<()> {
    if auth.settings.require_verified_email && user.email_verified_at.is_none() {
        return Err(Error::new(
            ErrorKind::Forbidden,
            "email_not_verified",
            "follow the link in the mail that was sent to the address first",
        ));
    }
    Ok(())
}

fn refused() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "invalid_credentials",
        "the email address or the password is wrong",
    )
}
