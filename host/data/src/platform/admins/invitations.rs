//! Invitations of admins: by address and role, good for one use. A new
//! invitation of an address takes the place of the one before.

use super::super::{
    entity::admin_invitation::{ActiveModel, Column, Entity, Model},
    failure::failed,
    instant,
    keys::digest,
    page::{Page, fetch_limit},
    unit::Db,
};
use super::normalize;
use atlashub_core::{AdminId, AdminRole, Digest, InvitationId, Result, token};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use time::OffsetDateTime;

/// An invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// Whom it is for, in lower case.
    pub email: String,
    /// What the admin will be allowed.
    pub role: AdminRole,
    /// Who invites; `None` for the development token, or one who is gone.
    pub invited_by: Option<AdminId>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it ends by itself.
    pub expires_at: OffsetDateTime,
}

/// An invitation to be made.
#[derive(Clone, Debug)]
pub struct NewInvitation {
    /// Whom it is for.
    pub email: String,
    /// What the admin will be allowed.
    pub role: AdminRole,
    /// SHA-256 of its token.
    pub token_hash: Digest,
    /// Who invites.
    pub invited_by: Option<AdminId>,
    /// When it ends by itself.
    pub expires_at: OffsetDateTime,
}

/// The invitations of admins.
pub struct Invitations<'a> {
    db: Db<'a>,
}

impl<'a> Invitations<'a> {
    pub(in super::super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Makes an invitation; one of the same address is gone then.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn create(&self, new: NewInvitation) -> Result<Invitation> {
        let unit = self.db.begin().await?;
        let context = failed("make an invitation");
        let invitation = Invitation {
            id: InvitationId::new(),
            email: normalize(&new.email),
            role: new.role,
            invited_by: new.invited_by,
            created_at: instant::from_micros(unit.now())?,
            expires_at: new.expires_at,
        };
        Entity::delete_many()
            .filter(Column::Email.eq(invitation.email.as_str()))
            .exec(&unit.executor())
            .await
            .map_err(&context)?;
        Entity::insert(ActiveModel {
            id: Set(*invitation.id.as_uuid()),
            email: Set(invitation.email.clone()),
            role: Set(invitation.role.as_str().to_owned()),
            token_hash: Set(new.token_hash.as_bytes().to_vec()),
            invited_by: Set(invitation.invited_by.map(|id| *id.as_uuid())),
            created_at: Set(instant::to_micros(invitation.created_at)),
            expires_at: Set(instant::to_micros(invitation.expires_at)),
        })
        .exec_without_returning(&unit.executor())
        .await
        .map_err(&context)?;
        unit.commit().await?;
        Ok(invitation)
    }

    /// The invitation with this token, unless it is over. The hash is
    /// compared once more in constant time.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find_valid(&self, token_hash: &Digest) -> Result<Option<Invitation>> {
        let row = Entity::find()
            .filter(Column::TokenHash.eq(token_hash.as_bytes().to_vec()))
            .filter(Column::ExpiresAt.gt(self.db.now()))
            .one(&self.db.read())
            .await
            .map_err(failed("find an invitation"))?;
        match row {
            Some(row) if token::matches(&digest(&row.token_hash)?, token_hash) => {
                record(row).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Uses an invitation up; whether it was there. Of any number at once,
    /// one does.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn take(&self, id: InvitationId) -> Result<bool> {
        let result = Entity::delete_many()
            .filter(Column::Id.eq(*id.as_uuid()))
            .filter(Column::ExpiresAt.gt(self.db.now()))
            .exec(&self.db.write())
            .await
            .map_err(failed("use an invitation"))?;
        Ok(result.rows_affected > 0)
    }

    /// A page of the invitations that are open, oldest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list(
        &self,
        after: Option<InvitationId>,
        limit: u64,
    ) -> Result<Page<Invitation, InvitationId>> {
        let mut query = Entity::find().filter(Column::ExpiresAt.gt(self.db.now()));
        if let Some(after) = after {
            query = query.filter(Column::Id.gt(*after.as_uuid()));
        }
        let rows = query
            .order_by_asc(Column::Id)
            .limit(fetch_limit(limit))
            .all(&self.db.read())
            .await
            .map_err(failed("list invitations"))?;
        let items = rows.into_iter().map(record).collect::<Result<_>>()?;
        Ok(Page::cut(items, limit, |item: &Invitation| item.id))
    }

    /// Takes an invitation back; whether it was there.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn remove(&self, id: InvitationId) -> Result<bool> {
        let result = Entity::delete_by_id(*id.as_uuid())
            .exec(&self.db.write())
            .await
            .map_err(failed("take an invitation back"))?;
        Ok(result.rows_affected > 0)
    }

    /// Removes invitations that are over; how many there were.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn sweep_expired(&self) -> Result<u64> {
        let result = Entity::delete_many()
            .filter(Column::ExpiresAt.lte(self.db.now()))
            .exec(&self.db.write())
            .await
            .map_err(failed("remove invitations"))?;
        Ok(result.rows_affected)
    }
}

fn record(row: Model) -> Result<Invitation> {
    Ok(Invitation {
        id: InvitationId::from_uuid(row.id),
        email: row.email,
        role: row.role.parse()?,
        invited_by: row.invited_by.map(AdminId::from_uuid),
        created_at: instant::from_micros(row.created_at)?,
        expires_at: instant::from_micros(row.expires_at)?,
    })
}
