//! The second factor of a user: set up, proven with a code, asked for at
//! sign-in from then on. Recovery codes stand in for a lost device, each once.

use super::{Client, SignedInUser};
use crate::{
    App,
    limits::Attempt,
    one_time_code::{Enrolment, accepted_step, recovery_hash},
};
use atlashub_core::{Error, ErrorKind, ProjectId, Result, UserId};
use atlashub_data::platform::{EndUser, SecondFactor};
use secrecy::ExposeSecret as _;

impl App {
    /// Begins setting up a second factor. It is not asked for until
    /// [`App::verify_totp`] has seen a code of it.
    ///
    /// # Errors
    /// `totp_enabled` when one is in use.
    pub async fn enrol_totp(&self, me: &SignedInUser, issuer: &str) -> Result<Enrolment> {
        let user = self.signed_in_user(me).await?;
        let made = Enrolment::new(issuer, &user.email)?;
        let sealed = self
            .sealer()
            .seal(&identity(me.project, me.id()), made.secret.expose_secret())?;
        let hashes: Vec<_> = made
            .recovery_codes
            .iter()
            .filter_map(|code| recovery_hash(code))
            .collect();
        self.platform()
            .users()
            .begin_second_factor(me.project, me.id(), &sealed, &hashes)
            .await?;
        Ok(made)
    }

    /// Takes a second factor into use, once a code shows that the device
    /// knows the secret.
    ///
    /// # Errors
    /// 401 `invalid_totp_code`; `totp_not_enrolled`, `rate_limited`.
    pub async fn verify_totp(&self, me: &SignedInUser, code: &str, client: &Client) -> Result<()> {
        let user = self.signed_in_user(me).await?;
        self.count_try(
            Attempt::SecondFactor,
            me.project,
            &me.id().to_string(),
            client,
        )
        .await?;
        let factor = user.second_factor.as_ref().ok_or_else(not_enrolled)?;
        if self.accept(&user, factor, code).await? {
            Ok(())
        } else {
            Err(wrong())
        }
    }

    /// Removes the second factor, for who has it: a code or a recovery code
    /// is asked for while it is in use.
    ///
    /// # Errors
    /// 401 `totp_required`, `invalid_totp_code`; `totp_not_enrolled`,
    /// `rate_limited`.
    pub async fn remove_totp(
        &self,
        me: &SignedInUser,
        code: Option<&str>,
        client: &Client,
    ) -> Result<()> {
        let user = self.signed_in_user(me).await?;
        if user.active_factor().is_some() {
            self.count_try(
                Attempt::SecondFactor,
                me.project,
                &me.id().to_string(),
                client,
            )
            .await?;
        }
        self.check_second_factor(&user, code).await?;
        let users = self.platform().users();
        if users.remove_second_factor(me.project, me.id()).await? {
            Ok(())
        } else {
            Err(not_enrolled())
        }
    }

    /// As [`App::check_second_factor`], counting each try at a code.
    pub(super) async fn pass_second_factor(
        &self,
        user: &EndUser,
        code: Option<&str>,
        client: &Client,
    ) -> Result<()> {
        if user.active_factor().is_some() && code.is_some() {
            let account = user.id.to_string();
            self.count_try(Attempt::SecondFactor, user.project, &account, client)
                .await?;
        }
        self.check_second_factor(user, code).await
    }

    /// Asks for the second factor of a user who has one in use.
    pub(super) async fn check_second_factor(
        &self,
        user: &EndUser,
        code: Option<&str>,
    ) -> Result<()> {
        let Some(factor) = user.active_factor() else {
            return Ok(());
        };
        let Some(code) = code.filter(|code| !code.trim().is_empty()) else {
            return Err(Error::new(
                ErrorKind::Unauthenticated,
                "totp_required",
                "send a code of the second factor as `totp_code`",
            ));
        };
        if self.accept(user, factor, code).await? {
            return Ok(());
        }
        let users = self.platform().users();
        match recovery_hash(code) {
            Some(hash) if users.take_recovery_code(user.id, &hash).await? => Ok(()),
            _ => Err(wrong()),
        }
    }

    async fn accept(&self, user: &EndUser, factor: &SecondFactor, code: &str) -> Result<bool> {
        let identity = identity(user.project, user.id);
        let secret = self.sealer().open(&identity, &factor.sealed_secret)?;
        match accepted_step(secret.expose_secret(), code, self.clock().now())? {
            Some(step) => {
                self.platform()
                    .users()
                    .accept_step(user.id, &factor.sealed_secret, step)
                    .await
            }
            None => Ok(false),
        }
    }
}

fn identity(project: ProjectId, user: UserId) -> String {
    format!("project/{project}/user/{user}/totp")
}

fn wrong() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "invalid_totp_code",
        "the code is wrong, has run out, or was used before",
    )
}

fn not_enrolled() -> Error {
    Error::conflict(
        "totp_not_enrolled",
        "there is no second factor, set one up first",
    )
}
