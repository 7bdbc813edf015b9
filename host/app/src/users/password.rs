//! Passwords of end users: the host's rules, and how long a project wants
//! them; changing one.

use super::{AuthSettings, Client, SignedInUser, Tokens};
use crate::{App, admins::password, limits::Attempt};
use atlashub_core::{Error, ErrorKind, Result};
use atlashub_data::platform::UserPatch;
use secrecy::{ExposeSecret as _, SecretString};

/// Checks a new password.
///
/// # Errors
/// `weak_password` with the reason.
pub(super) fn check(settings: &AuthSettings, password: &SecretString, email: &str) -> Result<()> {
    let characters = password.expose_secret().chars().count();
    if characters < usize::from(settings.password_min_characters) {
        return Err(Error::invalid(
            "weak_password",
            format!(
                "the password must have at least {} characters",
                settings.password_min_characters
            ),
        ));
    }
    password::check(password.expose_secret(), email)
}

impl App {
    /// Sets another password for who knows the present one. All sessions end;
    /// the answer is a new one.
    ///
    /// # Errors
    /// 401 `invalid_credentials`, `weak_password`, `rate_limited`, 503 `busy`.
    pub async fn change_password(
        &self,
        me: &SignedInUser,
        present: SecretString,
        new: SecretString,
        client: &Client,
    ) -> Result<Tokens> {
        let auth = self.enabled_auth(me.project).await?;
        let user = self.platform().users().get(me.project, me.id()).await?;
        self.count_try(Attempt::SignIn, me.project, &user.email, client)
            .await?;
        let known = self
            .passwords()
            .verify(present, user.password_hash.clone())
            .await?;
        if !known {
            return Err(Error::new(
                ErrorKind::Unauthenticated,
                "invalid_credentials",
                "the present password is wrong",
            ));
        }
        check(&auth.settings, &new, &user.email)?;
        let hash = self.passwords().hash(new).await?;
        let patch = UserPatch {
            password_hash: Some(Some(hash.clone())),
            ..UserPatch::default()
        };
        let user = self
            .platform()
            .users()
            .update(me.project, me.id(), patch)
            .await?;
        self.access().forget_user(user.id);
        self.begin_user_session(&user, Some(hash), client).await
    }
}
