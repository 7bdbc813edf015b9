//! Passwords of end users: the host's rules, and how long a project wants
//! them; changing one.

use super::{AuthSettings, Client, SignedInUser, Tokens, deeds, refresh::Entry};
use crate::{App, admins::password, limits::Attempt, sessions::refusals::Refusal};
use atlashub_core::{Error, ErrorKind, Result, UserSessionId};
use atlashub_data::platform::{EndUser, UserPatch};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

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
        let user = self.signed_in_user(me).await?;
        self.check_present(&user, present, client).await?;
        check(&auth.settings, &new, &user.email)?;
        let hash = self.passwords().hash(new).await?;
        let user = self.put_password(me, hash.clone(), None, client).await?;
        let entry = Entry {
            password_hash: Some(hash),
            level: me.level,
            ..Entry::default()
        };
        self.begin_user_session(&user, entry, client).await
    }
    /// Sets another password for who knows the present one, or came by the
    /// link of a forgotten one within the last hour. The session that asks
    /// goes on, all others end.
    ///
    /// # Errors
    /// As [`App::change_password`].
    pub async fn set_password_in_session(
        &self,
        me: &SignedInUser,
        present: Option<SecretString>,
        new: SecretString,
        client: &Client,
    ) -> Result<EndUser> {
        let auth = self.enabled_auth(me.project).await?;
        let user = self.signed_in_user(me).await?;
        let now = self.clock().now();
        if me.recovers_until.is_none_or(|until| until <= now) {
            let present = present.unwrap_or_default();
            self.check_present(&user, present, client).await?;
        }
        check(&auth.settings, &new, &user.email)?;
        let hash = self.passwords().hash(new).await?;
        self.put_password(me, hash, Some(me.session), client).await
    }

    async fn check_present(
        &self,
        user: &EndUser,
        present: SecretString,
        client: &Client,
    ) -> Result<()> {
        self.count_try(Attempt::SignIn, user.project, &user.email, client)
            .await?;
        let hash = user.password_hash.clone();
        if self.passwords().verify(present, hash).await? {
            return Ok(());
        }
        self.note_user_refusal(Refusal::Password, user.project, Some(user.id), client)
            .await;
        Err(Error::new(
            ErrorKind::Unauthenticated,
            "invalid_credentials",
            "the present password is wrong",
        ))
    }

    async fn put_password(
        &self,
        me: &SignedInUser,
        hash: String,
        keeps: Option<UserSessionId>,
        client: &Client,
    ) -> Result<EndUser> {
        let patch = UserPatch {
            password_hash: Some(Some(hash)),
            keeps,
            ..UserPatch::default()
        };
        let unit = self.platform().begin().await?;
        let user = unit.users().update(me.project, me.id(), patch).await?;
        unit.audit()
            .append(deeds::who(me, client).did(
                "user.password",
                Some(me.project),
                user.id.to_string(),
                json!({ "address": client.address }),
            ))
            .await?;
        unit.commit().await?;
        self.access().forget_user(user.id);
        Ok(user)
    }
}
