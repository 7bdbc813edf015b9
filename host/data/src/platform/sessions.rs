//! Sessions of platform admins. Only the SHA-256 of a session's token is
//! stored.

use super::{
    Admin,
    changes::{ChangeKind, NewChange},
    entity::admin_session::{ActiveModel, Column, Entity, Model},
    failure::{failed, orphaned},
    instant,
    keys::digest,
    unit::Db,
};
use atlashub_core::{AdminId, Digest, Result, SessionId, token};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, sea_query::Expr,
};
use time::OffsetDateTime;

/// A session of an admin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminSession {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub admin: AdminId,
    /// SHA-256 of its token.
    pub token_hash: Digest,
    /// When it began.
    pub created_at: OffsetDateTime,
    /// When it ends by itself.
    pub expires_at: OffsetDateTime,
    /// When it was ended.
    pub revoked_at: Option<OffsetDateTime>,
}

/// A session to begin.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Whose it is.
    pub admin: AdminId,
    /// SHA-256 of its token.
    pub token_hash: Digest,
    /// When it ends by itself.
    pub expires_at: OffsetDateTime,
}

/// The sessions of platform admins.
pub struct Sessions<'a> {
    db: Db<'a>,
}

impl<'a> Sessions<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Begins a session.
    ///
    /// # Errors
    /// `not_found` when there is no such admin.
    pub async fn create(&self, new: NewSession) -> Result<AdminSession> {
        let session = AdminSession {
            id: SessionId::new(),
            admin: new.admin,
            token_hash: new.token_hash,
            created_at: instant::from_micros(self.db.now())?,
            expires_at: new.expires_at,
            revoked_at: None,
        };
        Entity::insert(ActiveModel {
            id: Set(*session.id.as_uuid()),
            admin_id: Set(*session.admin.as_uuid()),
            token_hash: Set(session.token_hash.as_bytes().to_vec()),
            created_at: Set(instant::to_micros(session.created_at)),
            expires_at: Set(instant::to_micros(session.expires_at)),
            revoked_at: Set(None),
        })
        .exec_without_returning(&self.db.write())
        .await
        .map_err(orphaned("admin", "begin a session"))?;
        Ok(session)
    }

    /// The session with this token and its admin, when it is neither over nor
    /// ended and the admin is not shut out. The hash is compared once more in
    /// constant time.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find_valid(&self, token_hash: &Digest) -> Result<Option<(AdminSession, Admin)>> {
        let row = Entity::find()
            .filter(Column::TokenHash.eq(token_hash.as_bytes().to_vec()))
            .filter(Column::RevokedAt.is_null())
            .filter(Column::ExpiresAt.gt(self.db.now()))
            .one(&self.db.read())
            .await
            .map_err(failed("find a session"))?;
        let Some(session) = row.map(record).transpose()? else {
            return Ok(None);
        };
        let admin = super::Admins::new(self.db).find(session.admin).await?;
        Ok(admin
            .filter(|admin| admin.disabled_at.is_none())
            .filter(|_| token::matches(&session.token_hash, token_hash))
            .map(|admin| (session, admin)))
    }

    /// Moves the end of a session that is not over to `expires_at`, never to
    /// an earlier time.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn extend(&self, id: SessionId, expires_at: OffsetDateTime) -> Result<()> {
        let until = instant::to_micros(expires_at);
        Entity::update_many()
            .filter(Column::Id.eq(*id.as_uuid()))
            .filter(Column::RevokedAt.is_null())
            .filter(Column::ExpiresAt.gt(self.db.now()))
            .filter(Column::ExpiresAt.lt(until))
            .col_expr(Column::ExpiresAt, Expr::value(until))
            .exec(&self.db.write())
            .await
            .map(drop)
            .map_err(failed("extend a session"))
    }

    /// Ends a session; whether it was there and not yet ended.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn revoke(&self, id: SessionId) -> Result<bool> {
        let unit = self.db.begin().await?;
        let context = failed("end a session");
        let Some(row) = Entity::find_by_id(*id.as_uuid())
            .filter(Column::RevokedAt.is_null())
            .one(&unit.executor())
            .await
            .map_err(&context)?
        else {
            return Ok(false);
        };
        let result = Entity::update_many()
            .filter(Column::Id.eq(row.id))
            .filter(Column::RevokedAt.is_null())
            .col_expr(Column::RevokedAt, Expr::value(unit.now()))
            .exec(&unit.executor())
            .await
            .map_err(&context)?;
        let admin = AdminId::from_uuid(row.admin_id);
        unit.announce(NewChange::admin(admin, ChangeKind::SessionsRevoked));
        unit.commit().await?;
        Ok(result.rows_affected > 0)
    }

    /// Ends all sessions of an admin; how many there were.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn revoke_all(&self, admin: AdminId) -> Result<u64> {
        let unit = self.db.begin().await?;
        let result = Entity::update_many()
            .filter(Column::AdminId.eq(*admin.as_uuid()))
            .filter(Column::RevokedAt.is_null())
            .col_expr(Column::RevokedAt, Expr::value(unit.now()))
            .exec(&unit.executor())
            .await
            .map_err(failed("end an admin's sessions"))?;
        unit.announce(NewChange::admin(admin, ChangeKind::SessionsRevoked));
        unit.commit().await?;
        Ok(result.rows_affected)
    }

    /// Removes sessions that are over; how many there were.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn sweep_expired(&self) -> Result<u64> {
        let result = Entity::delete_many()
            .filter(Column::ExpiresAt.lte(self.db.now()))
            .exec(&self.db.write())
            .await
            .map_err(failed("remove old sessions"))?;
        Ok(result.rows_affected)
    }
}

fn record(row: Model) -> Result<AdminSession> {
    Ok(AdminSession {
        id: SessionId::from_uuid(row.id),
        admin: AdminId::from_uuid(row.admin_id),
        token_hash: digest(&row.token_hash)?,
        created_at: instant::from_micros(row.created_at)?,
        expires_at: instant::from_micros(row.expires_at)?,
        revoked_at: instant::from_micros_opt(row.revoked_at)?,
    })
}
