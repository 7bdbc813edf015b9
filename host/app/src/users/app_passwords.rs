//! App passwords: what a user gives a program that knows nothing of sessions,
//! such as a desktop that mounts a drive. Random, each with a name, ended one
//! by one; good only where a plugin's route takes them.
//!
//! What was found is remembered, bounded in number, until the changes feed
//! says that its user is another, so that a warm request asks no database.

use super::{Client, SignedInUser, access::AccessTokens};
use crate::{
    Actor, App,
    limits::Attempt,
    one_time_code,
    sessions::refusals::Refusal,
    uses::{Noted, Uses},
};
use atlashub_core::{
    AppPasswordId, Digest, Error, ErrorKind, ProjectId, Result, UserId, identity::User, token,
};
use atlashub_data::platform::{AppPassword, NewAppPassword};
use moka::sync::Cache;
use parking_lot::Mutex;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// How an app password starts.
const PREFIX: &str = "aha-";
/// Characters after it: 160 bits.
const CHARACTERS: usize = 32;
/// Longest that is looked at, bytes.
const MAX_BYTES: usize = 128;
/// Longest name, characters.
const MAX_NAME: usize = 100;
/// How many are remembered.
const KNOWN: u64 = 50_000;
/// Nothing is remembered for longer than this without looking again.
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// How many that fit nobody are remembered, and for how long.
const BAD: u64 = 10_000;
const BAD_FOR: Duration = Duration::from_millis(500);

/// An app password that fits.
struct Known {
    id: AppPasswordId,
    project: ProjectId,
    email: String,
    user: Arc<User>,
    noted: Noted,
}

/// The app passwords that were seen, by their SHA-256.
pub(super) struct SeenPasswords {
    known: Cache<Digest, Arc<Known>>,
    bad: Cache<Digest, ()>,
    uses: Uses<AppPasswordId>,
    /// Grows when something is forgotten: what was read before is not
    /// remembered.
    epoch: AtomicU64,
    forgetting: Mutex<()>,
}

impl SeenPasswords {
    pub(super) fn new() -> Self {
        Self {
            known: Cache::builder()
                .max_capacity(KNOWN)
                .time_to_live(LONGEST)
                .support_invalidation_closures()
                .build(),
            bad: Cache::builder()
                .max_capacity(BAD)
                .time_to_live(BAD_FOR)
                .build(),
            uses: Uses::new(),
            epoch: AtomicU64::new(0),
            forgetting: Mutex::new(()),
        }
    }

    fn keep(&self, hash: Digest, known: &Arc<Known>, epoch: u64) {
        let _turn = self.forgetting.lock();
        if self.epoch.load(Ordering::Acquire) == epoch {
            self.known.insert(hash, Arc::clone(known));
        }
    }

    /// Forgets those of users for whom `which` holds.
    pub(super) fn forget_where(
        &self,
        which: impl Fn(ProjectId, &User) -> bool + Send + Sync + 'static,
    ) {
        let _turn = self.forgetting.lock();
        self.epoch.fetch_add(1, Ordering::AcqRel);
        let outcome = self
            .known
            .invalidate_entries_if(move |_, known| which(known.project, &known.user));
        if outcome.is_err() {
            self.known.invalidate_all();
        }
    }

    /// Forgets all.
    pub(super) fn clear(&self) {
        let _turn = self.forgetting.lock();
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.known.invalidate_all();
    }
}

impl AccessTokens {
    /// The app password's owner, when it is good in this project.
    async fn app_password(&self, project: ProjectId, text: &str) -> Result<Option<Arc<Known>>> {
        if text.len() > MAX_BYTES || !text.starts_with(PREFIX) {
            return Ok(None);
        }
        let hash = token::hash(text);
        let seen = &self.app_passwords;
        if let Some(known) = seen.known.get(&hash) {
            return Ok(Some(known).filter(|known| known.project == project));
        }
        if seen.bad.contains_key(&hash) {
            return Ok(None);
        }
        let epoch = seen.epoch.load(Ordering::Acquire);
        let found = self.platform.app_passwords().find(project, &hash).await?;
        let Some(found) = found else {
            seen.bad.insert(hash, ());
            return Ok(None);
        };
        let known = Arc::new(Known {
            id: found.password.id,
            project,
            email: found.user.email,
            user: Arc::new(User {
                id: *found.user.id.as_uuid(),
                roles: found.user.roles,
                permissions: found.permissions,
            }),
            noted: Noted::default(),
        });
        seen.keep(hash, &known, epoch);
        Ok(Some(known))
    }
}

impl App {
    /// Makes an app password for a user, and answers it for the only time.
    ///
    /// # Errors
    /// `invalid_name`, `too_many_app_passwords`.
    pub async fn create_app_password(
        &self,
        actor: &Actor,
        me: &SignedInUser,
        name: &str,
    ) -> Result<(AppPassword, SecretString)> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > MAX_NAME || name.contains(char::is_control) {
            return Err(Error::invalid(
                "invalid_name",
                "an app password has a name of 1 to 100 characters, in one line",
            ));
        }
        let text: SecretString =
            format!("{PREFIX}{}", one_time_code::typeable::<CHARACTERS>()?).into();
        let new = NewAppPassword {
            user: me.id(),
            name: name.to_owned(),
            hash: token::hash(text.expose_secret()),
        };
        let unit = self.platform().begin().await?;
        let made = unit.app_passwords().create(me.project, new).await?;
        unit.audit()
            .append(actor.did(
                "user.app_password.create",
                Some(me.project),
                made.id.to_string(),
                json!({ "user_id": me.id(), "name": made.name }),
            ))
            .await?;
        unit.commit().await?;
        Ok((made, text))
    }

    /// A user's app passwords, newest first.
    ///
    /// # Errors
    /// `not_found` when there is no such user.
    pub async fn app_passwords(
        &self,
        project: ProjectId,
        user: UserId,
    ) -> Result<Vec<AppPassword>> {
        let user = self.platform().users().get(project, user).await?;
        self.platform().app_passwords().list(project, user.id).await
    }

    /// Ends one of a user's app passwords: on this node at once, on the
    /// others within a second.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn end_app_password(
        &self,
        actor: &Actor,
        project: ProjectId,
        user: UserId,
        id: AppPasswordId,
    ) -> Result<()> {
        let unit = self.platform().begin().await?;
        if !unit.app_passwords().end(project, user, id).await? {
            return Err(Error::not_found("app password"));
        }
        unit.audit()
            .append(actor.did(
                "user.app_password.end",
                Some(project),
                id.to_string(),
                json!({ "user_id": user }),
            ))
            .await?;
        unit.commit().await?;
        self.access().forget_user(user);
        Ok(())
    }

    /// The user who sends this address and app password. One that fits is
    /// never refused for the tries of others; those that fit nobody are
    /// counted as tries at signing in are.
    ///
    /// # Errors
    /// 401 `invalid_app_password`, also for the user's own password;
    /// `rate_limited`.
    pub async fn authenticate_app_password(
        &self,
        project: ProjectId,
        email: &str,
        password: &str,
        client: &Client,
    ) -> Result<Arc<User>> {
        self.enabled_auth(project).await?;
        let email = email.trim().to_lowercase();
        let known = self.access().app_password(project, password.trim()).await?;
        if let Some(known) = known.filter(|known| known.email == email) {
            self.access()
                .app_passwords
                .uses
                .note(known.id, &known.noted);
            return Ok(Arc::clone(&known.user));
        }
        self.strict_limits()
            .count(Attempt::AppPassword, Some(project), &email, client.address)
            .await?;
        self.note_user_refusal(Refusal::AppPassword, project, None, client)
            .await;
        Err(Error::new(
            ErrorKind::Unauthenticated,
            "invalid_app_password",
            "send the user's address and an app password, which the user makes for each program: \
             the password with which the user signs in is not taken here",
        ))
    }

    /// Writes down when app passwords were last used, and that one was used
    /// for the first time; called every few seconds.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn flush_app_password_use(&self) -> Result<()> {
        let uses = &self.access().app_passwords.uses;
        uses.flush(async |used| self.write_app_password_use(used).await)
            .await
    }

    async fn write_app_password_use(&self, used: &[AppPasswordId]) -> Result<()> {
        let unit = self.platform().begin().await?;
        let now = self.clock().now();
        for first in unit.app_passwords().touch(used, now).await? {
            unit.audit()
                .append(Actor::host().did(
                    "user.app_password.first_use",
                    Some(first.project),
                    first.id.to_string(),
                    json!({ "user_id": first.user }),
                ))
                .await?;
        }
        unit.commit().await
    }
}
