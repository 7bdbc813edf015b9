//! Who end users are elsewhere: a subject of an issuer is one user of a
//! project.

use super::super::{
    changes::uuid,
    entity::{
        user,
        user_identity::{ActiveModel, Column, Entity, Model},
    },
    failure::{failed, is_duplicate, orphaned},
    instant,
    unit::{Db, Unit},
};
use atlashub_core::{Error, IdentityId, ProjectId, ProviderName, Result, UserId};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    sea_query::Expr,
};
use time::OffsetDateTime;

/// Identities that a user may have.
const MOST: u64 = 20;

/// Who a user is elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its id.
    pub id: IdentityId,
    /// Whose it is.
    pub user: UserId,
    /// What the project called the provider then.
    pub provider: String,
    /// Who vouches.
    pub issuer: String,
    /// What the issuer calls the user.
    pub subject: String,
    /// The address there, as last said.
    pub email: Option<String>,
    /// When it was linked.
    pub created_at: OffsetDateTime,
    /// When it last signed in.
    pub last_used_at: OffsetDateTime,
}

/// An identity to be linked to a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewIdentity {
    /// Whose it is.
    pub user: UserId,
    /// What the project calls the provider.
    pub provider: ProviderName,
    /// Who vouches.
    pub issuer: String,
    /// What the issuer calls the user.
    pub subject: String,
    /// The address there.
    pub email: Option<String>,
}

/// The identities of end users.
pub struct Identities<'a> {
    db: Db<'a>,
}

impl<'a> Identities<'a> {
    pub(in crate::platform) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Links an identity to a user.
    ///
    /// # Errors
    /// `identity_taken` when it is somebody's, `too_many_identities`;
    /// `not_found` when there is no such user.
    pub async fn link(&self, project: ProjectId, new: NewIdentity) -> Result<Identity> {
        let unit = self.db.begin().await?;
        let now = unit.now();
        let user = *new.user.as_uuid();
        let count = Entity::find()
            .filter(Column::UserId.eq(user))
            .count(&unit.executor())
            .await
            .map_err(failed("count identities"))?;
        if count >= MOST {
            return Err(Error::conflict(
                "too_many_identities",
                format!("a user may have {MOST} identities, remove one first"),
            ));
        }
        let row = Model {
            id: *IdentityId::new().as_uuid(),
            project_id: uuid(project),
            user_id: user,
            provider: new.provider.to_string(),
            issuer: new.issuer,
            subject: new.subject,
            email: new.email,
            created_at: now,
            last_used_at: now,
        };
        Entity::insert(ActiveModel::from(row.clone()))
            .exec_without_returning(&unit.executor())
            .await
            .map_err(|error| {
                if is_duplicate(&error) {
                    Error::conflict("identity_taken", "the identity is linked to a user already")
                        .with_source(error)
                } else {
                    orphaned("user", "link an identity")(error)
                }
            })?;
        unit.commit().await?;
        record(row)
    }

    /// Whose identity a subject of an issuer is.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find(
        &self,
        project: ProjectId,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<Identity>> {
        Entity::find()
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::Issuer.eq(issuer))
            .filter(Column::Subject.eq(subject))
            .one(&self.db.read())
            .await
            .map_err(failed("find an identity"))?
            .map(record)
            .transpose()
    }

    /// Takes note that an identity signed in, and what its address is now.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn note_use(&self, id: IdentityId, email: Option<&str>) -> Result<()> {
        Entity::update_many()
            .filter(Column::Id.eq(*id.as_uuid()))
            .col_expr(Column::LastUsedAt, Expr::value(self.db.now()))
            .col_expr(Column::Email, Expr::value(email.map(str::to_owned)))
            .exec(&self.db.write())
            .await
            .map(drop)
            .map_err(failed("note the use of an identity"))
    }

    /// A user's identities, oldest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list(&self, project: ProjectId, user: UserId) -> Result<Vec<Identity>> {
        Entity::find()
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::UserId.eq(*user.as_uuid()))
            .order_by_asc(Column::Id)
            .all(&self.db.read())
            .await
            .map_err(failed("list identities"))?
            .into_iter()
            .map(record)
            .collect()
    }

    /// Removes an identity of a user, who must have a password or another
    /// identity: it is never the last way in, however many are removed at
    /// once.
    ///
    /// # Errors
    /// `not_found`, `last_way_in`.
    pub async fn unlink(&self, project: ProjectId, user: UserId, id: IdentityId) -> Result<()> {
        let unit = self.db.begin().await?;
        take_turn(&unit, user).await?;
        let identities = unit.identities().list(project, user).await?;
        if !identities.iter().any(|identity| identity.id == id) {
            return Err(Error::not_found("identity"));
        }
        let user = unit.users().get(project, user).await?;
        if user.password_hash.is_none() && identities.len() == 1 {
            return Err(Error::conflict(
                "last_way_in",
                "there is no other way to sign in, set a password first",
            ));
        }
        Entity::delete_by_id(*id.as_uuid())
            .exec(&unit.executor())
            .await
            .map_err(failed("remove an identity"))?;
        unit.commit().await
    }

    /// Removes all identities of a user; how many there were.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn unlink_all(&self, user: UserId) -> Result<u64> {
        let result = Entity::delete_many()
            .filter(Column::UserId.eq(*user.as_uuid()))
            .exec(&self.db.write())
            .await
            .map_err(failed("remove identities"))?;
        Ok(result.rows_affected)
    }
}

/// Waits until nobody else changes this user. SQLite has one writer anyway.
async fn take_turn(unit: &Unit, id: UserId) -> Result<()> {
    user::Entity::update_many()
        .filter(user::Column::Id.eq(*id.as_uuid()))
        .col_expr(user::Column::UpdatedAt, Expr::value(unit.now()))
        .exec(&unit.executor())
        .await
        .map(drop)
        .map_err(failed("take a turn at a user"))
}

fn record(row: Model) -> Result<Identity> {
    Ok(Identity {
        id: IdentityId::from_uuid(row.id),
        user: UserId::from_uuid(row.user_id),
        provider: row.provider,
        issuer: row.issuer,
        subject: row.subject,
        email: row.email,
        created_at: instant::from_micros(row.created_at)?,
        last_used_at: instant::from_micros(row.last_used_at)?,
    })
}
