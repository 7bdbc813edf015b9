//! Platform admins. Emails are kept in lower case; passwords come hashed,
//! TOTP secrets sealed. Beside them their second factors and invitations.

mod invitations;
mod second_factor;

pub use invitations::{Invitation, Invitations, NewInvitation};

use super::{
    Unit,
    changes::{ChangeKind, NewChange},
    entity::admin::{ActiveModel, Column, Entity, Model},
    failure::{failed, is_duplicate},
    instant,
    page::{Page, fetch_limit},
    unit::Db,
};
use atlashub_core::{AdminId, AdminRole, Error, Result};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, sea_query::Expr,
};
use time::OffsetDateTime;

/// Held on Postgres while it is decided whether there is an owner.
const LOCK: &str = "SELECT pg_advisory_xact_lock(4711046014)";

/// A platform admin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// The admin's id.
    pub id: AdminId,
    /// The address, in lower case.
    pub email: String,
    /// The password's hash, as the hash function writes it; empty for one who
    /// signs in elsewhere.
    pub password_hash: String,
    /// What the admin may do.
    pub role: AdminRole,
    /// The second factor's secret, sealed.
    pub totp_secret: Option<String>,
    /// Since when the second factor is asked for.
    pub totp_enabled_at: Option<OffsetDateTime>,
    /// When the admin was added.
    pub created_at: OffsetDateTime,
    /// When the admin was shut out.
    pub disabled_at: Option<OffsetDateTime>,
}

/// An admin to be added.
#[derive(Clone, Debug)]
pub struct NewAdmin {
    /// The address.
    pub email: String,
    /// The password's hash; empty for one who signs in elsewhere.
    pub password_hash: String,
    /// What the admin may do.
    pub role: AdminRole,
}

/// What to change of an admin; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default)]
pub struct AdminPatch {
    /// Another password's hash.
    pub password_hash: Option<String>,
    /// Another role.
    pub role: Option<AdminRole>,
    /// Shut out, or let in again.
    pub disabled: Option<bool>,
}

/// The platform admins.
pub struct Admins<'a> {
    db: Db<'a>,
}

impl<'a> Admins<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Adds the first owner; only while there is none, whoever else tries at
    /// the same time.
    ///
    /// # Errors
    /// `already_set_up` when there is an owner, `email_taken` when another
    /// admin has the address.
    pub async fn create_first_owner(&self, email: &str, password_hash: &str) -> Result<Admin> {
        let unit = self.db.begin().await?;
        let context = failed("add the first owner");
        lock(&unit).await?;
        let owner = Entity::find()
            .filter(Column::Role.eq(AdminRole::Owner.as_str()))
            .one(&unit.executor())
            .await
            .map_err(&context)?;
        if owner.is_some() {
            return Err(Error::conflict(
                "already_set_up",
                "there is an owner already, sign in instead",
            ));
        }
        let admin = unit
            .admins()
            .create(NewAdmin {
                email: email.to_owned(),
                password_hash: password_hash.to_owned(),
                role: AdminRole::Owner,
            })
            .await?;
        unit.commit().await?;
        Ok(admin)
    }

    /// Adds an admin.
    ///
    /// # Errors
    /// `email_taken` when another admin has the address.
    pub async fn create(&self, new: NewAdmin) -> Result<Admin> {
        let unit = self.db.begin().await?;
        let admin = Admin {
            id: AdminId::new(),
            email: normalize(&new.email),
            password_hash: new.password_hash,
            role: new.role,
            totp_secret: None,
            totp_enabled_at: None,
            created_at: instant::from_micros(unit.now())?,
            disabled_at: None,
        };
        Entity::insert(ActiveModel {
            id: Set(*admin.id.as_uuid()),
            email: Set(admin.email.clone()),
            password_hash: Set(admin.password_hash.clone()),
            role: Set(admin.role.as_str().to_owned()),
            totp_secret: Set(None),
            totp_enabled_at: Set(None),
            totp_last_step: Set(0),
            created_at: Set(instant::to_micros(admin.created_at)),
            disabled_at: Set(None),
        })
        .exec_without_returning(&unit.executor())
        .await
        .map_err(|error| {
            if is_duplicate(&error) {
                Error::conflict("email_taken", "another admin has this email").with_source(error)
            } else {
                failed("add an admin")(error)
            }
        })?;
        unit.announce(NewChange::admin(admin.id, ChangeKind::AdminChanged));
        unit.commit().await?;
        Ok(admin)
    }

    /// Whether there is an owner.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn has_owner(&self) -> Result<bool> {
        let owner = Entity::find()
            .filter(Column::Role.eq(AdminRole::Owner.as_str()))
            .one(&self.db.read())
            .await
            .map_err(failed("look for an owner"))?;
        Ok(owner.is_some())
    }

    /// The admin with this id, shut out or not.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find(&self, id: AdminId) -> Result<Option<Admin>> {
        Entity::find_by_id(*id.as_uuid())
            .one(&self.db.read())
            .await
            .map_err(failed("find an admin"))?
            .map(record)
            .transpose()
    }

    /// The admin with this address in any case, shut out or not.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find_by_email(&self, email: &str) -> Result<Option<Admin>> {
        Entity::find()
            .filter(Column::Email.eq(normalize(email)))
            .one(&self.db.read())
            .await
            .map_err(failed("find an admin"))?
            .map(record)
            .transpose()
    }

    /// A page of admins, oldest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list(&self, after: Option<AdminId>, limit: u64) -> Result<Page<Admin, AdminId>> {
        let mut query = Entity::find();
        if let Some(after) = after {
            query = query.filter(Column::Id.gt(*after.as_uuid()));
        }
        let rows = query
            .order_by_asc(Column::Id)
            .limit(fetch_limit(limit))
            .all(&self.db.read())
            .await
            .map_err(failed("list admins"))?;
        let admins = rows.into_iter().map(record).collect::<Result<_>>()?;
        Ok(Page::cut(admins, limit, |admin: &Admin| admin.id))
    }

    /// Changes an admin and answers what it is now. A new password or being
    /// shut out ends all the admin's sessions.
    ///
    /// # Errors
    /// `not_found`, or `last_owner` when no owner would be left that can sign
    /// in.
    pub async fn update(&self, id: AdminId, patch: AdminPatch) -> Result<Admin> {
        let unit = self.db.begin().await?;
        let context = failed("change an admin");
        lock(&unit).await?;
        let old = unit
            .admins()
            .find(id)
            .await?
            .ok_or_else(|| Error::not_found("admin"))?;
        let demoted = patch.role.is_some_and(|role| role != AdminRole::Owner);
        let shut_out = patch.disabled == Some(true);
        if old.role == AdminRole::Owner && (demoted || shut_out) {
            keep_an_owner(&unit, id).await?;
        }
        let now = unit.now();
        let mut change = ActiveModel {
            id: Set(*id.as_uuid()),
            ..ActiveModel::default()
        };
        let ends_sessions = patch.password_hash.is_some() || shut_out;
        if let Some(hash) = patch.password_hash {
            change.password_hash = Set(hash);
        }
        if let Some(role) = patch.role {
            change.role = Set(role.as_str().to_owned());
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
            .map_err(&context)?;
        if ends_sessions {
            unit.sessions().revoke_all(id).await?;
        }
        let admin = unit
            .admins()
            .find(id)
            .await?
            .ok_or_else(|| Error::not_found("admin"))?;
        unit.announce(NewChange::admin(id, ChangeKind::AdminChanged));
        unit.commit().await?;
        Ok(admin)
    }

    /// Removes an admin with all sessions, recovery codes and what else is
    /// the admin's own; whether there was one.
    ///
    /// # Errors
    /// `last_owner` when no owner would be left that can sign in.
    pub async fn remove(&self, id: AdminId) -> Result<bool> {
        let unit = self.db.begin().await?;
        lock(&unit).await?;
        let Some(admin) = unit.admins().find(id).await? else {
            return Ok(false);
        };
        if admin.role == AdminRole::Owner {
            keep_an_owner(&unit, id).await?;
        }
        Entity::delete_by_id(*id.as_uuid())
            .exec(&unit.executor())
            .await
            .map_err(failed("remove an admin"))?;
        unit.announce(NewChange::admin(id, ChangeKind::AdminChanged));
        unit.announce(NewChange::admin(id, ChangeKind::SessionsRevoked));
        unit.commit().await?;
        Ok(true)
    }

    /// Puts another hash of the same password in place of `old_hash`, when a
    /// sign-in shows that its parameters are out of date. Ends no session.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn rehash(&self, id: AdminId, old_hash: &str, new_hash: &str) -> Result<bool> {
        let result = Entity::update_many()
            .filter(Column::Id.eq(*id.as_uuid()))
            .filter(Column::PasswordHash.eq(old_hash))
            .col_expr(Column::PasswordHash, Expr::value(new_hash))
            .exec(&self.db.write())
            .await
            .map_err(failed("renew a password hash"))?;
        Ok(result.rows_affected > 0)
    }
}

/// Lets one unit at a time decide about owners. SQLite has one writer anyway.
async fn lock(unit: &Unit) -> Result<()> {
    unit.on_postgres(LOCK)
        .await
        .map_err(failed("lock the admins"))
}

async fn keep_an_owner(unit: &Unit, leaving: AdminId) -> Result<()> {
    let other = Entity::find()
        .filter(Column::Role.eq(AdminRole::Owner.as_str()))
        .filter(Column::DisabledAt.is_null())
        .filter(Column::Id.ne(*leaving.as_uuid()))
        .one(&unit.executor())
        .await
        .map_err(failed("look for another owner"))?;
    if other.is_none() {
        return Err(Error::conflict(
            "last_owner",
            "this is the last owner, make another admin an owner first",
        ));
    }
    Ok(())
}

fn normalize(email: &str) -> String {
    email.trim().to_lowercase()
}

fn record(row: Model) -> Result<Admin> {
    Ok(Admin {
        id: AdminId::from_uuid(row.id),
        email: row.email,
        password_hash: row.password_hash,
        role: row.role.parse()?,
        totp_secret: row.totp_secret,
        totp_enabled_at: instant::from_micros_opt(row.totp_enabled_at)?,
        created_at: instant::from_micros(row.created_at)?,
        disabled_at: instant::from_micros_opt(row.disabled_at)?,
    })
}
