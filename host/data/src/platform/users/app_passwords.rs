//! Passwords that end users make for single programs, which sign in with
//! them at every request. They are random: their SHA-256 is kept, and finds
//! them. Whatever ends all sessions of a user ends these, too.

use super::{
    super::{
        changes::{NewChange, uuid},
        entity::{
            user,
            user_app_password::{ActiveModel, Column, Entity, Model},
        },
        failure::failed,
        instant,
        unit::Db,
    },
    EndUser,
};
use atlashub_core::{AppPasswordId, Digest, Error, ProjectId, Result, UserId};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    sea_query::Expr,
};
use std::collections::BTreeSet;
use time::OffsetDateTime;

/// App passwords that a user has at once.
pub const MAX_APP_PASSWORDS: u64 = 50;

/// A password that a user made for one program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppPassword {
    /// Its id.
    pub id: AppPasswordId,
    /// The project.
    pub project: ProjectId,
    /// Whose it is.
    pub user: UserId,
    /// What the user calls it.
    pub name: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last used, to within half a minute.
    pub last_used_at: Option<OffsetDateTime>,
}

/// An app password to be made.
#[derive(Clone, Debug)]
pub struct NewAppPassword {
    /// Whose it is to be.
    pub user: UserId,
    /// What the user calls it.
    pub name: String,
    /// SHA-256 of the password.
    pub hash: Digest,
}

/// Whose an app password is, and what that user may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppPasswordUser {
    /// The password.
    pub password: AppPassword,
    /// The user.
    pub user: EndUser,
    /// Permissions of the roles that the project made.
    pub permissions: BTreeSet<String>,
}

/// The app passwords of end users.
pub struct AppPasswords<'a> {
    db: Db<'a>,
}

impl<'a> AppPasswords<'a> {
    pub(in crate::platform) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Makes one.
    ///
    /// # Errors
    /// `too_many_app_passwords`; `not_found` when the user is gone or shut
    /// out.
    pub async fn create(&self, project: ProjectId, new: NewAppPassword) -> Result<AppPassword> {
        let unit = self.db.begin().await?;
        let context = failed("make an app password");
        // Takes the user's row: being shut out either came before, and is
        // seen here, or comes after, and ends this one, too.
        let there = user::Entity::update_many()
            .filter(user::Column::Id.eq(*new.user.as_uuid()))
            .filter(user::Column::ProjectId.eq(uuid(project)))
            .filter(user::Column::DisabledAt.is_null())
            .col_expr(user::Column::UpdatedAt, Expr::col(user::Column::UpdatedAt))
            .exec(&unit.executor())
            .await
            .map_err(&context)?;
        if there.rows_affected == 0 {
            return Err(Error::not_found("user"));
        }
        let count = Entity::find()
            .filter(Column::UserId.eq(*new.user.as_uuid()))
            .count(&unit.executor())
            .await
            .map_err(&context)?;
        if count >= MAX_APP_PASSWORDS {
            return Err(Error::conflict(
                "too_many_app_passwords",
                format!("there are {MAX_APP_PASSWORDS} app passwords already, end one first"),
            ));
        }
        let row = Model {
            id: *AppPasswordId::new().as_uuid(),
            project_id: uuid(project),
            user_id: *new.user.as_uuid(),
            name: new.name,
            hash: new.hash.as_bytes().to_vec(),
            created_at: unit.now(),
            last_used_at: None,
        };
        Entity::insert(ActiveModel::from(row.clone()))
            .exec_without_returning(&unit.executor())
            .await
            .map_err(&context)?;
        unit.commit().await?;
        record(row)
    }

    /// The app password with this hash and its user, unless the user is shut
    /// out.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find(&self, project: ProjectId, hash: &Digest) -> Result<Option<AppPasswordUser>> {
        let row = Entity::find()
            .filter(Column::Hash.eq(hash.as_bytes().to_vec()))
            .filter(Column::ProjectId.eq(uuid(project)))
            .one(&self.db.read())
            .await
            .map_err(failed("find an app password"))?;
        let Some(password) = row.map(record).transpose()? else {
            return Ok(None);
        };
        let user = super::Users::new(self.db)
            .find(project, password.user)
            .await?;
        let Some(user) = user.filter(|user| user.disabled_at.is_none()) else {
            return Ok(None);
        };
        let permissions = super::roles::permissions(self.db, project, &user.roles).await?;
        Ok(Some(AppPasswordUser {
            password,
            user,
            permissions,
        }))
    }

    /// A user's app passwords, newest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list(&self, project: ProjectId, user: UserId) -> Result<Vec<AppPassword>> {
        Entity::find()
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::UserId.eq(*user.as_uuid()))
            .order_by_desc(Column::Id)
            .all(&self.db.read())
            .await
            .map_err(failed("list app passwords"))?
            .into_iter()
            .map(record)
            .collect()
    }

    /// Ends one of a user's; whether it was there.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn end(&self, project: ProjectId, user: UserId, id: AppPasswordId) -> Result<bool> {
        let unit = self.db.begin().await?;
        let result = Entity::delete_many()
            .filter(Column::Id.eq(*id.as_uuid()))
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::UserId.eq(*user.as_uuid()))
            .exec(&unit.executor())
            .await
            .map_err(failed("end an app password"))?;
        if result.rows_affected > 0 {
            unit.announce(NewChange::user(project, user));
        }
        unit.commit().await?;
        Ok(result.rows_affected > 0)
    }

    /// Ends all of a user's; whoever calls announces the user's change.
    pub(super) async fn end_all(&self, project: ProjectId, user: UserId) -> Result<()> {
        Entity::delete_many()
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::UserId.eq(*user.as_uuid()))
            .exec(&self.db.write())
            .await
            .map(drop)
            .map_err(failed("end a user's app passwords"))
    }

    /// Notes when app passwords were last used; answers those that were used
    /// for the first time.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn touch(
        &self,
        used: &[AppPasswordId],
        at: OffsetDateTime,
    ) -> Result<Vec<AppPassword>> {
        // All nodes in the same order, so that they never wait in a circle.
        let mut used = used.to_vec();
        used.sort_unstable();
        let at = instant::to_micros(at);
        let context = failed("note the use of app passwords");
        let unit = self.db.begin().await?;
        let mut first = Vec::new();
        for id in used {
            let before = Entity::find_by_id(*id.as_uuid())
                .one(&unit.executor())
                .await
                .map_err(&context)?;
            Entity::update_many()
                .filter(Column::Id.eq(*id.as_uuid()))
                .col_expr(Column::LastUsedAt, Expr::value(at))
                .exec(&unit.executor())
                .await
                .map_err(&context)?;
            let began = before.filter(|row| row.last_used_at.is_none());
            first.extend(began.map(record).transpose()?);
        }
        unit.commit().await?;
        Ok(first)
    }
}

fn record(row: Model) -> Result<AppPassword> {
    Ok(AppPassword {
        id: AppPasswordId::from_uuid(row.id),
        project: ProjectId::from_uuid(row.project_id),
        user: UserId::from_uuid(row.user_id),
        name: row.name,
        created_at: instant::from_micros(row.created_at)?,
        last_used_at: instant::from_micros_opt(row.last_used_at)?,
    })
}
