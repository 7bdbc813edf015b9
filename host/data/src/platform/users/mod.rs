//! End users of projects. Emails and handles are kept in lower case; passwords
//! come hashed, TOTP secrets sealed. Every call names the project: a user of
//! another one is not found.
//!
//! Roles, sessions, second factors and mailed tokens each have a module here.

mod app_passwords;
mod identities;
mod one_time;
mod record;
mod roles;
mod second_factor;
mod sessions;

pub use app_passwords::{
    AppPassword, AppPasswordUser, AppPasswords, MAX_APP_PASSWORDS, NewAppPassword,
};
pub use identities::{Identities, Identity, NewIdentity};
pub use one_time::{OneTimeKind, OneTimeToken, OneTimeTokens};
pub use record::{EndUser, NewUser, SecondFactor, UserFilter, UserPatch};
pub use roles::{Role, Roles};
pub use sessions::{
    MAX_AWAITING, MAX_SESSIONS, NewUserSession, Refreshed, SessionLevel, SessionUser, UserSession,
    UserSessions,
};

use super::{
    Unit,
    changes::{NewChange, uuid},
    entity::{
        user::{ActiveModel, Column, Entity, Model},
        user_role,
    },
    failure::{failed, is_dangling, is_duplicate},
    instant,
    page::{Page, fetch_limit},
    unit::Db,
};
use atlashub_core::{Error, ProjectId, Result, UserId};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, DbErr, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, LikeExpr},
};
use std::collections::HashMap;
use uuid::Uuid;

/// The end users.
pub struct Users<'a> {
    pub(super) db: Db<'a>,
}

impl<'a> Users<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Adds a user.
    ///
    /// # Errors
    /// `email_taken` or `handle_taken`; `not_found` when there is no such
    /// project.
    pub async fn create(&self, project: ProjectId, new: NewUser) -> Result<EndUser> {
        self.create_as(project, UserId::new(), new).await
    }

    /// Adds a user with an id that nobody has: see [`Users::taken_ids`].
    ///
    /// # Errors
    /// As [`Users::create`].
    pub async fn create_as(&self, project: ProjectId, id: UserId, new: NewUser) -> Result<EndUser> {
        let unit = self.db.begin().await?;
        let now = unit.now();
        let email = new.email.to_lowercase();
        let handle = new.handle.map(|handle| handle.to_lowercase());
        unit.users()
            .check_free(project, id, Some(&email), handle.as_deref())
            .await?;
        Entity::insert(ActiveModel {
            id: Set(*id.as_uuid()),
            project_id: Set(uuid(project)),
            email: Set(email),
            handle: Set(handle),
            name: Set(new.name),
            bio: Set(None),
            avatar: Set(None),
            password_hash: Set(new.password_hash),
            email_verified_at: Set(new.email_verified.then_some(now)),
            disabled_at: Set(None),
            totp_secret: Set(None),
            totp_enabled_at: Set(None),
            totp_last_step: Set(0),
            created_at: Set(now),
            updated_at: Set(now),
        })
        .exec_without_returning(&unit.executor())
        .await
        .map_err(taken("add a user"))?;
        put_roles(&unit, id, &new.roles).await?;
        let user = unit.users().get(project, id).await?;
        unit.commit().await?;
        Ok(user)
    }

    /// The user with this id.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find(&self, project: ProjectId, id: UserId) -> Result<Option<EndUser>> {
        self.one(Condition::all().add(Column::Id.eq(*id.as_uuid())), project)
            .await
    }

    /// Those of `ids` that are a user's of the project, also of one who is shut
    /// out.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn existing(&self, project: ProjectId, ids: &[UserId]) -> Result<Vec<UserId>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let there: Vec<Uuid> = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::Id.is_in(ids.iter().map(|id| *id.as_uuid())))
            .into_tuple()
            .all(&self.db.read())
            .await
            .map_err(failed("look users up"))?;
        Ok(there.into_iter().map(UserId::from_uuid).collect())
    }

    /// Those of `ids` that are a user's of any project.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn taken_ids(&self, ids: &[UserId]) -> Result<Vec<UserId>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let taken: Vec<Uuid> = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::Id.is_in(ids.iter().map(|id| *id.as_uuid())))
            .into_tuple()
            .all(&self.db.read())
            .await
            .map_err(failed("look ids of users up"))?;
        Ok(taken.into_iter().map(UserId::from_uuid).collect())
    }

    /// The user with this id.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn get(&self, project: ProjectId, id: UserId) -> Result<EndUser> {
        self.find(project, id)
            .await?
            .ok_or_else(|| Error::not_found("user"))
    }

    /// The user with this address, in any case.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find_by_email(&self, project: ProjectId, email: &str) -> Result<Option<EndUser>> {
        let email = email.trim().to_lowercase();
        self.one(Condition::all().add(Column::Email.eq(email)), project)
            .await
    }

    /// The user with this handle, in any case.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find_by_handle(
        &self,
        project: ProjectId,
        handle: &str,
    ) -> Result<Option<EndUser>> {
        let handle = handle.to_lowercase();
        self.one(Condition::all().add(Column::Handle.eq(handle)), project)
            .await
    }

    /// A page of a project's users, in order of their ids.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list(
        &self,
        project: ProjectId,
        filter: &UserFilter,
        after: Option<UserId>,
        limit: u64,
    ) -> Result<Page<EndUser, UserId>> {
        let mut query = Entity::find().filter(Column::ProjectId.eq(uuid(project)));
        if let Some(start) = &filter.starts_with {
            let start = like_start(start);
            query = query.filter(
                Condition::any()
                    .add(Column::Email.like(start.clone()))
                    .add(Column::Handle.like(start)),
            );
        }
        if let Some(role) = &filter.role {
            let holders = user_role::Entity::find()
                .select_only()
                .column(user_role::Column::UserId)
                .filter(user_role::Column::Role.eq(role.as_str()));
            query = query.filter(Column::Id.in_subquery(sea_orm::QueryTrait::into_query(holders)));
        }
        if filter.enabled {
            query = query.filter(Column::DisabledAt.is_null());
        }
        if let Some(after) = after {
            query = query.filter(Column::Id.gt(*after.as_uuid()));
        }
        let rows = query
            .order_by_asc(Column::Id)
            .limit(fetch_limit(limit))
            .all(&self.db.read())
            .await
            .map_err(failed("list users"))?;
        let users = self.with_roles(rows).await?;
        Ok(Page::cut(users, limit, |user: &EndUser| user.id))
    }

    /// Users of a project from the `offset`th on, in order of their ids, and
    /// how many there are. For who pages by number: what comes late costs more
    /// than with [`Users::list`].
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn slice(
        &self,
        project: ProjectId,
        offset: u64,
        limit: u64,
    ) -> Result<(Vec<EndUser>, u64)> {
        let query = Entity::find().filter(Column::ProjectId.eq(uuid(project)));
        let context = failed("list users");
        let db = self.db.read();
        let total = query.clone().count(&db).await.map_err(&context)?;
        let rows = query
            .order_by_asc(Column::Id)
            .offset(offset)
            .limit(limit)
            .all(&db)
            .await
            .map_err(&context)?;
        Ok((self.with_roles(rows).await?, total))
    }

    /// Changes a user and answers what it is now. A new password, being shut
    /// out, other roles and another address reach all nodes; the first two end
    /// all sessions and app passwords.
    ///
    /// # Errors
    /// `not_found`, `email_taken`, `handle_taken`.
    pub async fn update(
        &self,
        project: ProjectId,
        id: UserId,
        patch: UserPatch,
    ) -> Result<EndUser> {
        let unit = self.db.begin().await?;
        let old = unit.users().get(project, id).await?;
        let now = unit.now();
        let email = patch.email.map(|email| email.to_lowercase());
        let handle = patch
            .handle
            .map(|handle| handle.map(|text| text.to_lowercase()));
        unit.users()
            .check_free(
                project,
                id,
                email.as_deref(),
                handle.as_ref().and_then(Option::as_deref),
            )
            .await?;
        let ends_sessions = patch.password_hash.is_some() || patch.disabled == Some(true);
        let mut change = ActiveModel {
            updated_at: Set(now),
            ..ActiveModel::default()
        };
        if let Some(email) = email {
            if email != old.email {
                // Programs name the address beside an app password.
                unit.announce(NewChange::user(project, id));
                if patch.email_verified.is_none() {
                    change.email_verified_at = Set(None);
                }
            }
            change.email = Set(email);
        }
        if let Some(verified) = patch.email_verified {
            let since = old.email_verified_at.map_or(now, instant::to_micros);
            change.email_verified_at = Set(verified.then_some(since));
        }
        if let Some(handle) = handle {
            change.handle = Set(handle);
        }
        if let Some(name) = patch.name {
            change.name = Set(name);
        }
        if let Some(bio) = patch.bio {
            change.bio = Set(bio);
        }
        if let Some(hash) = patch.password_hash {
            change.password_hash = Set(hash);
        }
        if let Some(disabled) = patch.disabled {
            let since = old.disabled_at.map_or(now, instant::to_micros);
            change.disabled_at = Set(disabled.then_some(since));
        }
        Entity::update_many()
            .set(change)
            .filter(Column::Id.eq(*id.as_uuid()))
            .exec(&unit.executor())
            .await
            .map_err(taken("change a user"))?;
        if let Some(roles) = &patch.roles {
            put_roles(&unit, id, roles).await?;
            unit.announce(NewChange::user(project, id));
        }
        if ends_sessions {
            let keeps = patch.keeps.filter(|_| patch.disabled != Some(true));
            unit.user_sessions().revoke_all(project, id, keeps).await?;
            if let Some(session) = keeps {
                unit.user_sessions().end_recovery(project, session).await?;
            }
        }
        let user = unit.users().get(project, id).await?;
        unit.commit().await?;
        Ok(user)
    }

    /// Puts what is known of another picture in place of `before`, and
    /// answers the user; nothing when that is not what was there.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn swap_avatar(
        &self,
        project: ProjectId,
        id: UserId,
        before: Option<&str>,
        after: Option<&str>,
    ) -> Result<Option<EndUser>> {
        let unit = self.db.begin().await?;
        let as_before = match before {
            Some(before) => Column::Avatar.eq(before),
            None => Column::Avatar.is_null(),
        };
        let result = Entity::update_many()
            .set(ActiveModel {
                avatar: Set(after.map(str::to_owned)),
                updated_at: Set(unit.now()),
                ..ActiveModel::default()
            })
            .filter(Column::Id.eq(*id.as_uuid()))
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(as_before)
            .exec(&unit.executor())
            .await
            .map_err(failed("change a picture"))?;
        if result.rows_affected == 0 {
            return Ok(None);
        }
        let user = unit.users().get(project, id).await?;
        unit.commit().await?;
        Ok(Some(user))
    }

    /// Puts another hash of the same password in place of `old_hash`, when a
    /// sign-in shows that its parameters are out of date. Ends no session.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn rehash(&self, id: UserId, old_hash: &str, new_hash: &str) -> Result<bool> {
        let result = Entity::update_many()
            .filter(Column::Id.eq(*id.as_uuid()))
            .filter(Column::PasswordHash.eq(old_hash))
            .col_expr(Column::PasswordHash, Expr::value(new_hash))
            .exec(&self.db.write())
            .await
            .map_err(failed("renew a password hash"))?;
        Ok(result.rows_affected > 0)
    }

    /// Removes a user and ends all sessions; the user as it was.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn delete(&self, project: ProjectId, id: UserId) -> Result<EndUser> {
        let unit = self.db.begin().await?;
        let user = unit.users().get(project, id).await?;
        unit.user_sessions().revoke_all(project, id, None).await?;
        Entity::delete_by_id(*id.as_uuid())
            .exec(&unit.executor())
            .await
            .map_err(failed("delete a user"))?;
        unit.commit().await?;
        Ok(user)
    }

    /// Says which of two names another user has: a unique index would only
    /// say that one of them is taken.
    async fn check_free(
        &self,
        project: ProjectId,
        own: UserId,
        email: Option<&str>,
        handle: Option<&str>,
    ) -> Result<()> {
        if let Some(email) = email
            && let Some(other) = self.find_by_email(project, email).await?
            && other.id != own
        {
            return Err(email_taken());
        }
        if let Some(handle) = handle
            && let Some(other) = self.find_by_handle(project, handle).await?
            && other.id != own
        {
            return Err(handle_taken());
        }
        Ok(())
    }

    async fn one(&self, filter: Condition, project: ProjectId) -> Result<Option<EndUser>> {
        let row = Entity::find()
            .filter(filter)
            .filter(Column::ProjectId.eq(uuid(project)))
            .one(&self.db.read())
            .await
            .map_err(failed("find a user"))?;
        Ok(self.with_roles(row.into_iter().collect()).await?.pop())
    }

    async fn with_roles(&self, rows: Vec<Model>) -> Result<Vec<EndUser>> {
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut roles: HashMap<_, Vec<String>> = HashMap::new();
        let held = user_role::Entity::find()
            .filter(user_role::Column::UserId.is_in(ids))
            .order_by_asc(user_role::Column::Role)
            .all(&self.db.read())
            .await
            .map_err(failed("read users' roles"))?;
        for row in held {
            roles.entry(row.user_id).or_default().push(row.role);
        }
        rows.into_iter()
            .map(|row| {
                let roles = roles.remove(&row.id).unwrap_or_default();
                record::read(row, roles)
            })
            .collect()
    }
}

async fn put_roles(unit: &Unit, id: UserId, roles: &[String]) -> Result<()> {
    user_role::Entity::delete_many()
        .filter(user_role::Column::UserId.eq(*id.as_uuid()))
        .exec(&unit.executor())
        .await
        .map_err(failed("change a user's roles"))?;
    let mut roles = roles.to_vec();
    roles.sort_unstable();
    roles.dedup();
    if roles.is_empty() {
        return Ok(());
    }
    user_role::Entity::insert_many(roles.into_iter().map(|role| user_role::ActiveModel {
        user_id: Set(*id.as_uuid()),
        role: Set(role),
    }))
    .exec_without_returning(&unit.executor())
    .await
    .map(drop)
    .map_err(failed("change a user's roles"))
}

/// A pattern for texts that start with `start`, whatever it holds.
fn like_start(start: &str) -> LikeExpr {
    let mut pattern = String::with_capacity(start.len() + 1);
    for c in start.trim_start_matches('@').to_lowercase().chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    LikeExpr::new(pattern).escape('\\')
}

fn email_taken() -> Error {
    Error::conflict("email_taken", "another user has this email address")
}

fn handle_taken() -> Error {
    Error::conflict(
        "handle_taken",
        "another user has this handle, choose another",
    )
}

/// What is left when two add the same name at once.
fn taken(context: &'static str) -> impl Fn(DbErr) -> Error {
    move |error| {
        if is_dangling(&error) {
            Error::not_found("project").with_source(error)
        } else if is_duplicate(&error) {
            if error.to_string().contains("handle") {
                handle_taken().with_source(error)
            } else {
                email_taken().with_source(error)
            }
        } else {
            failed(context)(error)
        }
    }
}
