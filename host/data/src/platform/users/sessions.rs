//! Sessions of end users. A session is a family of refresh tokens, of which
//! one is current: using it spends it and makes its successor. A spent token
//! that comes again ends the session, but for the current one's immediate
//! parent within a grace (RFC 9700, section 4.14.2).

use super::{
    super::{
        audit::NewAuditEvent,
        changes::{NewChange, uuid},
        entity::{
            user, user_refresh_token as token,
            user_session::{ActiveModel, Column, Entity, Model},
        },
        failure::failed,
        instant,
        keys::digest,
        unit::Db,
    },
    EndUser,
};
use atlashub_core::{Digest, Error, ErrorKind, ProjectId, Result, UserId, UserSessionId};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    QueryTrait as _,
    sea_query::{Expr, SimpleExpr},
};
use std::{collections::BTreeSet, time::Duration};
use time::OffsetDateTime;

/// Sessions that a user has at once; another one ends the oldest.
pub const MAX_SESSIONS: usize = 50;
/// Sessions of a user that await the second factor at once. They are counted
/// apart: who has but the password cannot push the user's own out.
pub const MAX_AWAITING: usize = 5;

/// What whoever began a session has shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionLevel {
    /// A second factor is in use and was not shown yet: the session is good
    /// for showing it.
    AwaitsFactor,
    /// One factor.
    #[default]
    OneFactor,
    /// Two.
    TwoFactors,
}

impl SessionLevel {
    /// The level as it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AwaitsFactor => "awaits_factor",
            Self::OneFactor => "one_factor",
            Self::TwoFactors => "two_factors",
        }
    }

    /// Anything unknown is the least.
    fn read(text: &str) -> Self {
        [Self::OneFactor, Self::TwoFactors]
            .into_iter()
            .find(|level| level.as_str() == text)
            .unwrap_or(Self::AwaitsFactor)
    }
}

/// A session of an end user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserSession {
    /// Its id.
    pub id: UserSessionId,
    /// The project.
    pub project: ProjectId,
    /// Whose it is.
    pub user: UserId,
    /// What the client said it is.
    pub user_agent: Option<String>,
    /// Where it was begun from.
    pub address: Option<String>,
    /// When it began.
    pub created_at: OffsetDateTime,
    /// When it was last refreshed.
    pub refreshed_at: OffsetDateTime,
    /// When it ends unless it is refreshed.
    pub expires_at: OffsetDateTime,
    /// When it was ended.
    pub revoked_at: Option<OffsetDateTime>,
    /// What was shown when it began.
    pub level: SessionLevel,
    /// Until when it may set a password without the one before.
    pub recovers_until: Option<OffsetDateTime>,
}

/// A session to begin.
#[derive(Clone, Debug)]
pub struct NewUserSession {
    /// What the audit says of it; to which thing is filled in.
    pub noted: NewAuditEvent,
    /// Whose it is.
    pub user: UserId,
    /// The password's hash that was found to fit: when the user has another
    /// one by now, no session begins. `None` when no password was asked for.
    pub password_hash: Option<String>,
    /// SHA-256 of its first refresh token.
    pub token_hash: Digest,
    /// What the client said it is.
    pub user_agent: Option<String>,
    /// Where it is begun from.
    pub address: Option<String>,
    /// How long it lasts unless it is refreshed; refreshing one that awaits
    /// the second factor does not prolong it.
    pub lifetime: Duration,
    /// What was shown.
    pub level: SessionLevel,
    /// Until when it may set a password without the one before.
    pub recovers_until: Option<OffsetDateTime>,
}

/// Who a session is, and what its user may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionUser {
    /// The session.
    pub session: UserSession,
    /// The user.
    pub user: EndUser,
    /// Permissions of the roles that the project made.
    pub permissions: BTreeSet<String>,
}

/// What became of a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// It was the current one; the successor is now.
    Rotated(UserSession),
    /// It was spent a moment ago; its successor, which is still current, is
    /// the one that was asked for now.
    Repeated(UserSession),
    /// It was spent before: the session has been ended.
    Reused(UserSession),
    /// There is no such token, or its session is over.
    Void,
}

/// The sessions of end users.
pub struct UserSessions<'a> {
    db: Db<'a>,
}

impl<'a> UserSessions<'a> {
    pub(in crate::platform) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Begins a session.
    ///
    /// # Errors
    /// `invalid_credentials` when the user is gone, shut out, or has another
    /// password by now.
    pub async fn begin(&self, project: ProjectId, new: NewUserSession) -> Result<UserSession> {
        let unit = self.db.begin().await?;
        let context = failed("begin a session");
        let now = unit.now();
        // Takes the user's row: a change of the password either came before,
        // and is seen here, or comes after, and ends this session, too.
        let mut guard = user::Entity::update_many()
            .filter(user::Column::Id.eq(*new.user.as_uuid()))
            .filter(user::Column::ProjectId.eq(uuid(project)))
            .filter(user::Column::DisabledAt.is_null())
            .col_expr(user::Column::UpdatedAt, Expr::col(user::Column::UpdatedAt));
        if let Some(hash) = new.password_hash {
            guard = guard.filter(user::Column::PasswordHash.eq(hash));
        }
        let there = guard.exec(&unit.executor()).await.map_err(&context)?;
        if there.rows_affected == 0 {
            return Err(Error::new(
                ErrorKind::Unauthenticated,
                "invalid_credentials",
                "the credentials do not fit any more",
            ));
        }
        let id = UserSessionId::new();
        let row = Model {
            id: *id.as_uuid(),
            project_id: uuid(project),
            user_id: *new.user.as_uuid(),
            user_agent: new.user_agent,
            address: new.address,
            created_at: now,
            refreshed_at: now,
            expires_at: instant::later(now, new.lifetime),
            revoked_at: None,
            level: new.level.as_str().to_owned(),
            recovers_until: new.recovers_until.map(instant::to_micros),
        };
        Entity::insert(ActiveModel::from(row.clone()))
            .exec_without_returning(&unit.executor())
            .await
            .map_err(&context)?;
        insert_token(&unit, id, &new.token_hash).await?;
        let sessions = unit.user_sessions();
        let (active, most) = match new.level {
            SessionLevel::AwaitsFactor => {
                (sessions.awaiting(project, new.user).await?, MAX_AWAITING)
            }
            _ => (sessions.list(project, new.user).await?, MAX_SESSIONS),
        };
        for old in active.iter().skip(most) {
            sessions.revoke(project, new.user, old.id).await?;
        }
        let noted = NewAuditEvent {
            target: Some(id.to_string()),
            ..new.noted
        };
        unit.audit().append(noted).await?;
        unit.commit().await?;
        record(row)
    }

    /// Spends a refresh token and makes `successor` the current one, once for
    /// however many ask at the same time.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn refresh(
        &self,
        project: ProjectId,
        token_hash: &Digest,
        successor: &Digest,
        lifetime: Duration,
        grace: Duration,
    ) -> Result<Refreshed> {
        let unit = self.db.begin().await?;
        let context = failed("refresh a session");
        let now = unit.now();
        let open = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::RevokedAt.is_null())
            .filter(Column::ExpiresAt.gt(now))
            .into_query();
        let spent = token::Entity::update_many()
            .filter(token::Column::TokenHash.eq(token_hash.as_bytes().to_vec()))
            .filter(token::Column::SpentAt.is_null())
            .filter(token::Column::SessionId.in_subquery(open))
            .col_expr(token::Column::SpentAt, Expr::value(now))
            .col_expr(
                token::Column::ReplacedBy,
                Expr::value(successor.as_bytes().to_vec()),
            )
            .exec(&unit.executor())
            .await
            .map_err(&context)?;
        let Some((row, session)) = unit.user_sessions().token(project, token_hash).await? else {
            return Ok(Refreshed::Void);
        };
        if session.revoked_at.is_some() || instant::to_micros(session.expires_at) <= now {
            return Ok(Refreshed::Void);
        }
        if spent.rows_affected == 0 {
            let outcome = repeated(&unit, row, session, successor, grace).await?;
            unit.commit().await?;
            return Ok(outcome);
        }
        let until = match session.level {
            SessionLevel::AwaitsFactor => instant::to_micros(session.expires_at),
            _ => instant::later(now, lifetime),
        };
        let kept = Entity::update_many()
            .filter(Column::Id.eq(*session.id.as_uuid()))
            .filter(Column::RevokedAt.is_null())
            .col_expr(Column::RefreshedAt, Expr::value(now))
            .col_expr(Column::ExpiresAt, Expr::value(until))
            .exec(&unit.executor())
            .await
            .map_err(&context)?;
        if kept.rows_affected == 0 {
            return Ok(Refreshed::Void);
        }
        insert_token(&unit, session.id, successor).await?;
        unit.commit().await?;
        Ok(Refreshed::Rotated(session))
    }

    /// The session with this id and its user, when the session is neither
    /// over nor ended and the user is not shut out.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find_active(
        &self,
        project: ProjectId,
        id: UserSessionId,
    ) -> Result<Option<SessionUser>> {
        let row = Entity::find_by_id(*id.as_uuid())
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::RevokedAt.is_null())
            .filter(Column::ExpiresAt.gt(self.db.now()))
            .one(&self.db.read())
            .await
            .map_err(failed("find a session"))?;
        let Some(session) = row.map(record).transpose()? else {
            return Ok(None);
        };
        let user = super::Users::new(self.db)
            .find(project, session.user)
            .await?;
        let Some(user) = user.filter(|user| user.disabled_at.is_none()) else {
            return Ok(None);
        };
        let permissions = super::roles::permissions(self.db, project, &user.roles).await?;
        Ok(Some(SessionUser {
            session,
            user,
            permissions,
        }))
    }

    /// A user's sessions that are neither over nor ended, newest first. One
    /// that awaits the second factor is none yet.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list(&self, project: ProjectId, user: UserId) -> Result<Vec<UserSession>> {
        let level = Column::Level.ne(SessionLevel::AwaitsFactor.as_str());
        self.open(project, user, level).await
    }

    /// Those that await the second factor, newest first.
    async fn awaiting(&self, project: ProjectId, user: UserId) -> Result<Vec<UserSession>> {
        let level = Column::Level.eq(SessionLevel::AwaitsFactor.as_str());
        self.open(project, user, level).await
    }

    async fn open(
        &self,
        project: ProjectId,
        user: UserId,
        level: SimpleExpr,
    ) -> Result<Vec<UserSession>> {
        Entity::find()
            .filter(level)
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::UserId.eq(*user.as_uuid()))
            .filter(Column::RevokedAt.is_null())
            .filter(Column::ExpiresAt.gt(self.db.now()))
            .order_by_desc(Column::Id)
            .all(&self.db.read())
            .await
            .map_err(failed("list sessions"))?
            .into_iter()
            .map(record)
            .collect()
    }

    /// Ends a session of a user; whether it was there and not yet ended.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn revoke(
        &self,
        project: ProjectId,
        user: UserId,
        id: UserSessionId,
    ) -> Result<bool> {
        let unit = self.db.begin().await?;
        let result = Entity::update_many()
            .filter(Column::Id.eq(*id.as_uuid()))
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::UserId.eq(*user.as_uuid()))
            .filter(Column::RevokedAt.is_null())
            .col_expr(Column::RevokedAt, Expr::value(unit.now()))
            .exec(&unit.executor())
            .await
            .map_err(failed("end a session"))?;
        if result.rows_affected > 0 {
            unit.announce(NewChange::user_session(project, id));
        }
        unit.commit().await?;
        Ok(result.rows_affected > 0)
    }

    /// Ends all sessions of a user but `keep`, and all app passwords; how many
    /// sessions there were.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn revoke_all(
        &self,
        project: ProjectId,
        user: UserId,
        keep: Option<UserSessionId>,
    ) -> Result<u64> {
        let unit = self.db.begin().await?;
        let mut query = Entity::update_many()
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::UserId.eq(*user.as_uuid()))
            .filter(Column::RevokedAt.is_null());
        if let Some(keep) = keep {
            query = query.filter(Column::Id.ne(*keep.as_uuid()));
        }
        let result = query
            .col_expr(Column::RevokedAt, Expr::value(unit.now()))
            .exec(&unit.executor())
            .await
            .map_err(failed("end a user's sessions"))?;
        unit.app_passwords().end_all(project, user).await?;
        unit.announce(NewChange::user(project, user));
        unit.commit().await?;
        Ok(result.rows_affected)
    }

    /// Takes away that a session may set a password without the one before.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn end_recovery(&self, project: ProjectId, id: UserSessionId) -> Result<()> {
        Entity::update_many()
            .filter(Column::Id.eq(*id.as_uuid()))
            .filter(Column::ProjectId.eq(uuid(project)))
            .col_expr(Column::RecoversUntil, Expr::value(None::<i64>))
            .exec(&self.db.write())
            .await
            .map(drop)
            .map_err(failed("end what a session may recover"))
    }

    /// Removes sessions that ran out, those that were ended at least `age`
    /// ago, and refresh tokens spent as long ago; how many went.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn sweep(&self, age: Duration) -> Result<u64> {
        let now = self.db.now();
        let before = instant::earlier(now, age);
        let sessions = Entity::delete_many()
            .filter(
                sea_orm::Condition::any()
                    .add(Column::ExpiresAt.lte(now))
                    .add(Column::RevokedAt.lt(before)),
            )
            .exec(&self.db.write())
            .await
            .map_err(failed("remove old sessions"))?;
        let tokens = token::Entity::delete_many()
            .filter(token::Column::SpentAt.lt(before))
            .exec(&self.db.write())
            .await
            .map_err(failed("remove old refresh tokens"))?;
        Ok(sessions.rows_affected + tokens.rows_affected)
    }

    async fn token(
        &self,
        project: ProjectId,
        hash: &Digest,
    ) -> Result<Option<(token::Model, UserSession)>> {
        let context = failed("find a refresh token");
        let Some(row) = token::Entity::find_by_id(hash.as_bytes().to_vec())
            .one(&self.db.read())
            .await
            .map_err(&context)?
        else {
            return Ok(None);
        };
        let session = Entity::find_by_id(row.session_id)
            .filter(Column::ProjectId.eq(uuid(project)))
            .one(&self.db.read())
            .await
            .map_err(&context)?
            .map(record)
            .transpose()?;
        Ok(session.map(|session| (row, session)))
    }
}

/// What a spent token gets.
async fn repeated(
    unit: &super::super::Unit,
    row: token::Model,
    session: UserSession,
    successor: &Digest,
    grace: Duration,
) -> Result<Refreshed> {
    let fresh = row
        .spent_at
        .is_some_and(|at| instant::later(at, grace) > unit.now());
    let same = match &row.replaced_by {
        Some(hash) => digest(hash)? == *successor,
        None => false,
    };
    if fresh && same {
        let next = unit
            .user_sessions()
            .token(session.project, successor)
            .await?;
        if next.is_some_and(|(next, _)| next.spent_at.is_none()) {
            return Ok(Refreshed::Repeated(session));
        }
    }
    unit.user_sessions()
        .revoke(session.project, session.user, session.id)
        .await?;
    Ok(Refreshed::Reused(session))
}

async fn insert_token(
    unit: &super::super::Unit,
    session: UserSessionId,
    hash: &Digest,
) -> Result<()> {
    token::Entity::insert(token::ActiveModel {
        token_hash: Set(hash.as_bytes().to_vec()),
        session_id: Set(*session.as_uuid()),
        created_at: Set(unit.now()),
        spent_at: Set(None),
        replaced_by: Set(None),
    })
    .exec_without_returning(&unit.executor())
    .await
    .map(drop)
    .map_err(failed("store a refresh token"))
}

fn record(row: Model) -> Result<UserSession> {
    Ok(UserSession {
        id: UserSessionId::from_uuid(row.id),
        project: ProjectId::from_uuid(row.project_id),
        user: UserId::from_uuid(row.user_id),
        user_agent: row.user_agent,
        address: row.address,
        created_at: instant::from_micros(row.created_at)?,
        refreshed_at: instant::from_micros(row.refreshed_at)?,
        expires_at: instant::from_micros(row.expires_at)?,
        revoked_at: instant::from_micros_opt(row.revoked_at)?,
        level: SessionLevel::read(&row.level),
        recovers_until: instant::from_micros_opt(row.recovers_until)?,
    })
}
