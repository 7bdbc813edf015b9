//! The second factor of a user: set up, proven with a code, asked for at
//! sign-in from then on. Recovery codes stand in for a lost device, each once.

use super::{
    Client, SignedInUser, Tokens,
    deeds::{self, Proof},
    refresh::Entry,
};
use crate::{
    App,
    limits::Attempt,
    one_time_code::{Enrolment, accepted_step, recovery_hash},
    sessions::refusals::Refusal,
};
use atlashub_core::{Error, ErrorKind, ProjectId, Result, UserId};
use atlashub_data::platform::{EndUser, NewAuditEvent, SecondFactor, SessionLevel};
use secrecy::ExposeSecret as _;
use serde_json::json;
use std::time::Duration;

/// For how long a session that began with a code may remove the factor
/// without another.
const FRESH: Duration = Duration::from_secs(15 * 60);

/// What somebody who signs in has of the second factor, if one is in use.
#[derive(Clone, Copy, Debug)]
pub enum Factor<'a> {
    /// A code or a recovery code, or nothing: then nobody gets in.
    Now(Option<&'a str>),
    /// A code is shown later: until then, the session is good for nothing
    /// else.
    Later,
}

impl<'a> Factor<'a> {
    /// The code when there is one, else later.
    #[must_use]
    pub fn now_or_later(code: Option<&'a str>) -> Self {
        code.map_or(Self::Later, |code| Self::Now(Some(code)))
    }
}

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
        let enabled = user.active_factor().is_none().then(|| {
            deeds::who(me, client).did(
                "user.totp_enable",
                Some(me.project),
                user.id.to_string(),
                json!({}),
            )
        });
        if !self.accept(&user, factor, code, enabled).await? {
            self.note_user_refusal(Refusal::SecondFactor, me.project, Some(user.id), client)
                .await;
            return Err(wrong());
        }
        Ok(())
    }

    /// Shows a code in a session: takes a factor that is being set up into
    /// use, or passes the one in use, for which a recovery code does, too. A
    /// session of two factors takes the place of the one that asked.
    ///
    /// # Errors
    /// As [`App::verify_totp`].
    pub async fn raise_session(
        &self,
        me: &SignedInUser,
        code: &str,
        client: &Client,
    ) -> Result<Tokens> {
        let user = self.signed_in_user(me).await?;
        if user.active_factor().is_some() {
            let code = Factor::Now(Some(code));
            let _ = self.pass_second_factor(&user, code, client).await?;
        } else {
            self.verify_totp(me, code, client).await?;
        }
        let entry = Entry {
            proof: Proof::SecondFactor,
            level: SessionLevel::TwoFactors,
            recovers_until: me.recovers_until,
            ..Entry::default()
        };
        // First the old one: of two codes at once, one replaces it.
        self.end_user_session(me, me.session, client).await?;
        self.begin_user_session(&user, entry, client).await
    }

    /// As [`App::remove_totp`]; a session that began with a code within the
    /// last quarter of an hour does instead of another.
    ///
    /// # Errors
    /// As [`App::remove_totp`].
    pub async fn remove_totp_in_session(&self, me: &SignedInUser, client: &Client) -> Result<()> {
        let is_fresh =
            me.level == SessionLevel::TwoFactors && me.began_at + FRESH > self.clock().now();
        if !is_fresh {
            return self.remove_totp(me, None, client).await;
        }
        self.drop_factor(me, client).await
    }

    async fn drop_factor(&self, me: &SignedInUser, client: &Client) -> Result<()> {
        let unit = self.platform().begin().await?;
        if !unit
            .users()
            .remove_second_factor(me.project, me.id())
            .await?
        {
            return Err(not_enrolled());
        }
        unit.audit()
            .append(deeds::who(me, client).did(
                "user.totp_remove",
                Some(me.project),
                me.id().to_string(),
                json!({}),
            ))
            .await?;
        unit.commit().await
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
        self.check_second_factor(&user, code, client).await?;
        self.drop_factor(me, client).await
    }

    /// As [`App::check_second_factor`], counting each try at a code: how far
    /// the user gets with it.
    pub(super) async fn pass_second_factor(
        &self,
        user: &EndUser,
        factor: Factor<'_>,
        client: &Client,
    ) -> Result<SessionLevel> {
        if user.active_factor().is_none() {
            return Ok(SessionLevel::OneFactor);
        }
        let Factor::Now(code) = factor else {
            return Ok(SessionLevel::AwaitsFactor);
        };
        if code.is_some() {
            let account = user.id.to_string();
            self.count_try(Attempt::SecondFactor, user.project, &account, client)
                .await?;
        }
        self.check_second_factor(user, code, client).await?;
        Ok(SessionLevel::TwoFactors)
    }

    /// Asks for the second factor of a user who has one in use.
    pub(super) async fn check_second_factor(
        &self,
        user: &EndUser,
        code: Option<&str>,
        client: &Client,
    ) -> Result<()> {
        let Some(factor) = user.active_factor() else {
            return Ok(());
        };
        let Some(code) = code.filter(|code| !code.trim().is_empty()) else {
            return Err(totp_required());
        };
        if self.accept(user, factor, code, None).await? {
            return Ok(());
        }
        let users = self.platform().users();
        match recovery_hash(code) {
            Some(hash) if users.take_recovery_code(user.id, &hash).await? => Ok(()),
            _ => {
                self.note_user_refusal(Refusal::SecondFactor, user.project, Some(user.id), client)
                    .await;
                Err(wrong())
            }
        }
    }

    /// Whether `code` is one of the device's that was not used before; it is
    /// used now, and what comes of that is noted with it.
    async fn accept(
        &self,
        user: &EndUser,
        factor: &SecondFactor,
        code: &str,
        noted: Option<NewAuditEvent>,
    ) -> Result<bool> {
        let identity = identity(user.project, user.id);
        let secret = self.sealer().open(&identity, &factor.sealed_secret)?;
        let Some(step) = accepted_step(secret.expose_secret(), code, self.clock().now())? else {
            return Ok(false);
        };
        let unit = self.platform().begin().await?;
        let users = unit.users();
        if !users
            .accept_step(user.id, &factor.sealed_secret, step)
            .await?
        {
            return Ok(false);
        }
        if let Some(event) = noted {
            unit.audit().append(event).await?;
        }
        unit.commit().await?;
        Ok(true)
    }
}

/// What the secret of an end user's second factor is sealed as.
pub(crate) fn identity(project: ProjectId, user: UserId) -> String {
    format!("project/{project}/user/{user}/totp")
}

/// The second factor is in use and was not shown.
pub fn totp_required() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "totp_required",
        "send a code of the second factor as `totp_code`",
    )
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
