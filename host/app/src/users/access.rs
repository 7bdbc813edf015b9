//! Access tokens: signed, short-lived, good for one project (RFC 9068). Each
//! project has keys of its own; the algorithm is pinned, every claim required.
//!
//! A token names its session, and a session is looked up: whatever ends it,
//! or changes what its user may do, is announced by the changes feed, which
//! makes nodes look again. What was verified and looked up is remembered,
//! bounded in number, so that a warm request asks no database.

use super::{AuthSettings, app_passwords::SeenPasswords, jwt, signing::ProjectKeys};
use crate::changes::{ChangeBatch, ChangeListener};
use async_trait::async_trait;
use atlashub_core::{
    Clock, Digest, Error, ErrorKind, ProjectId, Result, UserId, UserSessionId, identity::User,
    token,
};
use atlashub_data::platform::{
    ChangeKind, Platform, SessionLevel, SessionUser, UserSession, seal::Sealer,
};
use moka::sync::Cache;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use time::OffsetDateTime;
use uuid::Uuid;

/// Longest token that is read, bytes.
const MAX_TOKEN: usize = 8 * 1_024;
/// By how much clocks of nodes may differ, seconds.
const LEEWAY: i64 = 5;
/// Projects whose settings and keys are remembered.
const PROJECTS: u64 = 10_000;
/// Tokens that are remembered as verified.
const TOKENS: u64 = 50_000;
/// Sessions that are remembered.
const SESSIONS: u64 = 50_000;
/// Nothing is remembered for longer than this without looking again.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// What an access token says.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: Uuid,
    exp: i64,
    iat: i64,
    jti: Uuid,
    sid: Uuid,
    role: String,
    roles: Vec<String>,
    /// `aal2` after two factors, else `aal1`: for applications, the host asks
    /// its own tables.
    #[serde(default)]
    aal: String,
}

/// A signed-in end user.
#[derive(Clone, Debug)]
pub struct SignedInUser {
    /// Who, and what the user may do.
    pub user: Arc<User>,
    /// The project.
    pub project: ProjectId,
    /// The session.
    pub session: UserSessionId,
    /// When the session began.
    pub began_at: OffsetDateTime,
    /// What was shown then.
    pub level: SessionLevel,
    /// Until when the session may set a password without the present one.
    pub recovers_until: Option<OffsetDateTime>,
}

/// What is known of a project's sign-in.
pub(crate) struct ProjectAuth {
    pub(crate) settings: AuthSettings,
    pub(crate) keys: ProjectKeys,
}

/// What was verified of a token.
#[derive(Clone)]
struct Verified {
    project: ProjectId,
    user: UserId,
    session: UserSessionId,
    expires_at: i64,
}

/// Issues and verifies access tokens.
pub(crate) struct AccessTokens {
    pub(super) platform: Platform,
    pub(super) sealer: Sealer,
    clock: Arc<dyn Clock>,
    issuer: String,
    projects: Cache<ProjectId, Arc<ProjectAuth>>,
    verified: Cache<Digest, Verified>,
    sessions: Cache<UserSessionId, Arc<SignedInUser>>,
    pub(super) app_passwords: SeenPasswords,
    /// Grows when something is forgotten: what was read before is not
    /// remembered.
    epoch: AtomicU64,
    forgetting: Mutex<()>,
}

impl AccessTokens {
    pub(crate) fn new(
        platform: Platform,
        sealer: Sealer,
        clock: Arc<dyn Clock>,
        issuer: String,
    ) -> Self {
        Self {
            platform,
            sealer,
            clock,
            issuer,
            projects: Cache::builder()
                .max_capacity(PROJECTS)
                .time_to_live(LONGEST)
                .build(),
            verified: Cache::builder()
                .max_capacity(TOKENS)
                .time_to_live(LONGEST)
                .build(),
            sessions: Cache::builder()
                .max_capacity(SESSIONS)
                .time_to_live(LONGEST)
                .support_invalidation_closures()
                .build(),
            app_passwords: SeenPasswords::new(),
            epoch: AtomicU64::new(0),
            forgetting: Mutex::new(()),
        }
    }

    /// Settings and keys of a project; its first key is made when it has none.
    pub(crate) async fn project(&self, project: ProjectId) -> Result<Arc<ProjectAuth>> {
        if let Some(known) = self.projects.get(&project) {
            return Ok(known);
        }
        let epoch = self.epoch.load(Ordering::Acquire);
        let settings = match self.platform.auth().settings(project).await? {
            Some(text) => AuthSettings::from_json(&text)?,
            None => AuthSettings::default(),
        };
        let keys = self.load_keys(project).await?;
        let known = Arc::new(ProjectAuth { settings, keys });
        let _turn = self.forgetting.lock();
        if self.epoch.load(Ordering::Acquire) == epoch {
            self.projects.insert(project, Arc::clone(&known));
        }
        Ok(known)
    }

    /// An access token for a session, and the seconds that it is valid.
    pub(crate) async fn issue(
        &self,
        session: &UserSession,
        roles: &[String],
    ) -> Result<(String, u32)> {
        let project = session.project;
        let auth = self.project(project).await?;
        let now = self.clock.now().unix_timestamp();
        let seconds = auth.settings.access_token_seconds;
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: project.to_string(),
            sub: *session.user.as_uuid(),
            exp: now + i64::from(seconds),
            iat: now,
            jti: Uuid::now_v7(),
            sid: *session.id.as_uuid(),
            role: super::roles::foremost(roles).to_owned(),
            roles: roles.to_vec(),
            aal: match session.level {
                SessionLevel::TwoFactors => "aal2",
                _ => "aal1",
            }
            .to_owned(),
        };
        let kid = auth.keys.current.to_string();
        let token = auth.keys.signing.sign(kid, &claims)?;
        Ok((token, seconds))
    }

    /// Whether a token says that this host issued it; nothing is verified.
    pub(crate) fn is_ours(&self, token: &str) -> bool {
        #[derive(Deserialize)]
        struct Issuer {
            iss: String,
        }
        token.len() <= MAX_TOKEN
            && (self.verified.contains_key(&token::hash(token))
                || jwt::unverified::<Issuer>(token).is_some_and(|said| said.iss == self.issuer))
    }

    /// The user whose access token this is, and when the token ends; the
    /// session may still await the second factor.
    ///
    /// # Errors
    /// 401 `invalid_token`: not valid here, over, or its session has ended.
    pub(crate) async fn authenticate(
        &self,
        project: ProjectId,
        token: &str,
    ) -> Result<(Arc<SignedInUser>, OffsetDateTime)> {
        let verified = self.verify(project, token).await?;
        if !self.project(project).await?.settings.enabled {
            return Err(refused());
        }
        if verified.project != project
            || verified.expires_at + LEEWAY <= self.clock.now().unix_timestamp()
        {
            return Err(refused());
        }
        let known = match self.sessions.get(&verified.session) {
            Some(known) => known,
            None => self.look_up(&verified).await?,
        };
        if known.project != project || known.user.id != *verified.user.as_uuid() {
            return Err(refused());
        }
        let until = OffsetDateTime::from_unix_timestamp(verified.expires_at + LEEWAY);
        Ok((known, until.map_err(|_| refused())?))
    }

    async fn verify(&self, project: ProjectId, token: &str) -> Result<Verified> {
        let hash = token::hash(token);
        if let Some(known) = self.verified.get(&hash) {
            return Ok(known);
        }
        if token.len() > MAX_TOKEN {
            return Err(refused());
        }
        let kid = jwt::key_id(token).ok_or_else(refused)?;
        let auth = self.project(project).await?;
        let claims = kid
            .parse()
            .ok()
            .and_then(|kid| auth.keys.verifying.get(&kid))
            .and_then(|key| key.verify::<Claims>(token))
            .filter(|claims| claims.iss == self.issuer && claims.aud == project.to_string())
            .ok_or_else(refused)?;
        let now = self.clock.now().unix_timestamp();
        if claims.iat > now + LEEWAY || claims.exp + LEEWAY <= now {
            return Err(refused());
        }
        let verified = Verified {
            project,
            user: UserId::from_uuid(claims.sub),
            session: UserSessionId::from_uuid(claims.sid),
            expires_at: claims.exp,
        };
        self.verified.insert(hash, verified.clone());
        Ok(verified)
    }

    async fn look_up(&self, verified: &Verified) -> Result<Arc<SignedInUser>> {
        let epoch = self.epoch.load(Ordering::Acquire);
        let found = self
            .platform
            .user_sessions()
            .find_active(verified.project, verified.session)
            .await?
            .ok_or_else(refused)?;
        let known = Arc::new(SignedInUser::of(found));
        let _turn = self.forgetting.lock();
        if self.epoch.load(Ordering::Acquire) == epoch {
            self.sessions.insert(verified.session, Arc::clone(&known));
        }
        Ok(known)
    }
}

/// Forgetting: on this node at once, on the others by the changes feed.
impl AccessTokens {
    pub(crate) fn forget_project(&self, project: ProjectId) {
        self.forget(|access| access.projects.invalidate(&project));
    }

    pub(crate) fn forget_session(&self, session: UserSessionId) {
        self.forget(|access| access.sessions.invalidate(&session));
    }

    pub(crate) fn forget_user(&self, user: UserId) {
        let user = *user.as_uuid();
        self.forget_where(move |_, known| known.id == user);
    }

    pub(crate) fn forget_users_of(&self, project: ProjectId) {
        self.forget_where(move |of, _| of == project);
    }

    /// Forgets sessions and app passwords of users for whom `which` holds.
    fn forget_where(&self, which: impl Fn(ProjectId, &User) -> bool + Send + Sync + 'static) {
        let which = Arc::new(which);
        let of_passwords = Arc::clone(&which);
        self.app_passwords
            .forget_where(move |project, user| of_passwords(project, user));
        self.forget(|access| {
            let outcome = access
                .sessions
                .invalidate_entries_if(move |_, known| which(known.project, &known.user));
            if outcome.is_err() {
                access.sessions.invalidate_all();
            }
        });
    }

    fn forget(&self, what: impl FnOnce(&Self)) {
        let _turn = self.forgetting.lock();
        self.epoch.fetch_add(1, Ordering::AcqRel);
        what(self);
    }
}

#[async_trait]
impl ChangeListener for AccessTokens {
    async fn take(&self, batch: &ChangeBatch) -> Result<()> {
        if batch.lost {
            self.forget(|access| {
                access.projects.invalidate_all();
                access.sessions.invalidate_all();
            });
            self.app_passwords.clear();
            return Ok(());
        }
        let mut users = HashSet::new();
        for change in &batch.changes {
            let Some(project) = change.project else {
                continue;
            };
            let subject = change.subject.as_deref().unwrap_or_default();
            match change.kind {
                ChangeKind::UserSessionEnded => {
                    if let Ok(session) = subject.parse() {
                        self.forget_session(session);
                    }
                }
                ChangeKind::UserChanged => {
                    if let Ok(user) = subject.parse::<UserId>() {
                        users.insert(*user.as_uuid());
                    }
                }
                ChangeKind::RolesChanged => self.forget_users_of(project),
                ChangeKind::AuthChanged => self.forget_project(project),
                ChangeKind::ProjectDeleted | ChangeKind::Other(_) => {
                    self.forget_project(project);
                    self.forget_users_of(project);
                }
                _ => {}
            }
        }
        if !users.is_empty() {
            self.forget_where(move |_, known| users.contains(&known.id));
        }
        Ok(())
    }
}

impl SignedInUser {
    fn of(found: SessionUser) -> Self {
        Self {
            user: Arc::new(User {
                id: *found.user.id.as_uuid(),
                roles: found.user.roles,
                permissions: found.permissions,
            }),
            project: found.session.project,
            session: found.session.id,
            began_at: found.session.created_at,
            level: found.session.level,
            recovers_until: found.session.recovers_until,
        }
    }

    /// Whether the session is good for nothing yet but showing the second
    /// factor.
    #[must_use]
    pub fn awaits_factor(&self) -> bool {
        self.level == SessionLevel::AwaitsFactor
    }

    /// The user's id.
    #[must_use]
    pub fn id(&self) -> UserId {
        UserId::from_uuid(self.user.id)
    }
}

/// Whatever is wrong with a token.
fn refused() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "invalid_token",
        "the access token is not valid here, or has run out: refresh it, or sign in again",
    )
}
