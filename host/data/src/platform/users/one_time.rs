//! Tokens that were sent to an end user by mail: each works once, for what it
//! was made, until its end. Only the hash is kept.

use super::super::{
    entity::user_one_time_token::{ActiveModel, Column, Entity},
    failure::{failed, orphaned},
    instant,
    unit::{Db, returning},
};
use crate::platform::entity::user;
use atlashub_core::{Digest, ProjectId, Result, UserId};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _,
};
use std::time::Duration;
use uuid::Uuid;

/// Tokens of a kind that a user has at once; another one voids the oldest.
const AT_ONCE: u64 = 5;

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OneTimeKind {
    /// Proves that the address is the user's.
    VerifyEmail,
    /// Signs in.
    MagicLink,
    /// Sets another password.
    ResetPassword,
    /// Sets the first password of somebody who was invited.
    Invite,
}

impl OneTimeKind {
    /// The kind as it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::MagicLink => "magic_link",
            Self::ResetPassword => "reset_password",
            Self::Invite => "invite",
        }
    }
}

/// A token that was just used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneTimeToken {
    /// Whose it was.
    pub user: UserId,
    /// The address that it was sent to.
    pub email: String,
}

/// Tokens that were sent by mail.
pub struct OneTimeTokens<'a> {
    db: Db<'a>,
}

impl<'a> OneTimeTokens<'a> {
    pub(in crate::platform) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Keeps the hash of a token that is about to be sent to `email`.
    ///
    /// # Errors
    /// `not_found` when there is no such user.
    pub async fn create(
        &self,
        user: UserId,
        kind: OneTimeKind,
        email: &str,
        token_hash: &Digest,
        lifetime: Duration,
    ) -> Result<()> {
        let unit = self.db.begin().await?;
        let context = failed("store a mailed token");
        let now = unit.now();
        let kept = Entity::find()
            .select_only()
            .column(Column::TokenHash)
            .filter(Column::UserId.eq(*user.as_uuid()))
            .filter(Column::Kind.eq(kind.as_str()))
            .order_by_desc(Column::CreatedAt)
            .limit(AT_ONCE - 1)
            .into_tuple::<Vec<u8>>()
            .all(&unit.executor())
            .await
            .map_err(&context)?;
        Entity::delete_many()
            .filter(Column::UserId.eq(*user.as_uuid()))
            .filter(Column::Kind.eq(kind.as_str()))
            .filter(Column::TokenHash.is_not_in(kept))
            .exec(&unit.executor())
            .await
            .map_err(&context)?;
        Entity::insert(ActiveModel {
            token_hash: Set(token_hash.as_bytes().to_vec()),
            user_id: Set(*user.as_uuid()),
            kind: Set(kind.as_str().to_owned()),
            email: Set(email.to_owned()),
            created_at: Set(now),
            expires_at: Set(instant::later(now, lifetime)),
        })
        .exec_without_returning(&unit.executor())
        .await
        .map_err(orphaned("user", "store a mailed token"))?;
        unit.commit().await
    }

    /// Uses a token up. Of any number who try, one succeeds.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn take(
        &self,
        project: ProjectId,
        kind: OneTimeKind,
        token_hash: &Digest,
    ) -> Result<Option<OneTimeToken>> {
        let users = user::Entity::find()
            .select_only()
            .column(user::Column::Id)
            .filter(user::Column::ProjectId.eq(*project.as_uuid()))
            .into_query();
        let mut query = Entity::delete_many()
            .filter(Column::TokenHash.eq(token_hash.as_bytes().to_vec()))
            .filter(Column::Kind.eq(kind.as_str()))
            .filter(Column::ExpiresAt.gt(self.db.now()))
            .filter(Column::UserId.in_subquery(users));
        sea_orm::QueryTrait::query(&mut query).returning(
            sea_orm::sea_query::Query::returning().columns([Column::UserId, Column::Email]),
        );
        let context = failed("use a mailed token");
        let statement = query.build(self.db.backend());
        let row = returning(&self.db.write(), statement)
            .await
            .map_err(&context)?;
        let Some(row) = row else { return Ok(None) };
        let user: Uuid = row.try_get_by_index(0).map_err(&context)?;
        let email = row.try_get_by_index(1).map_err(&context)?;
        Ok(Some(OneTimeToken {
            user: UserId::from_uuid(user),
            email,
        }))
    }

    /// Whose a token is that would work now. It stays.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn peek(
        &self,
        project: ProjectId,
        kind: OneTimeKind,
        token_hash: &Digest,
    ) -> Result<Option<OneTimeToken>> {
        let row = Entity::find_by_id(token_hash.as_bytes().to_vec())
            .filter(Column::Kind.eq(kind.as_str()))
            .filter(Column::ExpiresAt.gt(self.db.now()))
            .one(&self.db.read())
            .await
            .map_err(failed("look a mailed token up"))?;
        let Some(row) = row else { return Ok(None) };
        let id = UserId::from_uuid(row.user_id);
        let user = super::Users::new(self.db).find(project, id).await?;
        Ok(user.map(|_| OneTimeToken {
            user: id,
            email: row.email,
        }))
    }

    /// Voids a user's tokens of these kinds.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn void(&self, user: UserId, kinds: &[OneTimeKind]) -> Result<()> {
        Entity::delete_many()
            .filter(Column::UserId.eq(*user.as_uuid()))
            .filter(Column::Kind.is_in(kinds.iter().map(|kind| kind.as_str())))
            .exec(&self.db.write())
            .await
            .map(drop)
            .map_err(failed("void mailed tokens"))
    }

    /// Removes tokens that ran out; how many there were.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn sweep_expired(&self) -> Result<u64> {
        let result = Entity::delete_many()
            .filter(Column::ExpiresAt.lte(self.db.now()))
            .exec(&self.db.write())
            .await
            .map_err(failed("remove old mailed tokens"))?;
        Ok(result.rows_affected)
    }
}
