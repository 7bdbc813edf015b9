//! How a project lets its end users in, and the keys that sign their access
//! tokens. The settings are JSON that the use cases understand; private keys
//! come sealed. One key of a project signs, retired ones are kept for as long
//! as tokens of theirs are valid.

use super::{
    changes::{ChangeKind, NewChange, uuid},
    entity::{
        auth_settings,
        auth_signing_key::{ActiveModel, Column, Entity, Model},
    },
    failure::{failed, is_duplicate, orphaned},
    instant,
    unit::Db,
};
use atlashub_core::{Error, ProjectId, Result, SigningKeyId};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    sea_query::{Expr, OnConflict},
};
use std::time::Duration;
use time::OffsetDateTime;

/// A key that signs access tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    /// Its id, the `kid` of its tokens.
    pub id: SigningKeyId,
    /// Whose it is.
    pub project: ProjectId,
    /// The public half, as the algorithm writes it.
    pub public_key: Vec<u8>,
    /// The private half, sealed.
    pub sealed_private_key: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// Since when it signs no more.
    pub retired_at: Option<OffsetDateTime>,
}

/// A signing key to be kept.
#[derive(Clone, Debug)]
pub struct NewSigningKey {
    /// Its id; the private half is sealed for it.
    pub id: SigningKeyId,
    /// The public half.
    pub public_key: Vec<u8>,
    /// The private half, sealed.
    pub sealed_private_key: String,
}

/// Sign-in settings and signing keys of projects.
pub struct AuthStore<'a> {
    db: Db<'a>,
}

impl<'a> AuthStore<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// The settings of a project, as JSON; `None` while it has the defaults.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn settings(&self, project: ProjectId) -> Result<Option<String>> {
        let row = auth_settings::Entity::find_by_id(uuid(project))
            .one(&self.db.read())
            .await
            .map_err(failed("read sign-in settings"))?;
        Ok(row.map(|row| row.settings))
    }

    /// Puts a project's settings in place of what was there.
    ///
    /// # Errors
    /// `not_found` when there is no such project.
    pub async fn put_settings(&self, project: ProjectId, settings: &str) -> Result<()> {
        let unit = self.db.begin().await?;
        auth_settings::Entity::insert(auth_settings::ActiveModel {
            project_id: Set(uuid(project)),
            settings: Set(settings.to_owned()),
            updated_at: Set(unit.now()),
        })
        .on_conflict(
            OnConflict::column(auth_settings::Column::ProjectId)
                .update_columns([
                    auth_settings::Column::Settings,
                    auth_settings::Column::UpdatedAt,
                ])
                .to_owned(),
        )
        .exec_without_returning(&unit.executor())
        .await
        .map_err(orphaned("project", "store sign-in settings"))?;
        unit.announce(NewChange::project(project, ChangeKind::AuthChanged));
        unit.commit().await
    }

    /// The signing keys of a project, newest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn signing_keys(&self, project: ProjectId) -> Result<Vec<SigningKey>> {
        Entity::find()
            .filter(Column::ProjectId.eq(uuid(project)))
            .order_by_desc(Column::Id)
            .all(&self.db.read())
            .await
            .map_err(failed("read signing keys"))?
            .into_iter()
            .map(record)
            .collect()
    }

    /// The newest signing key of any project.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn newest_signing_key(&self) -> Result<Option<SigningKey>> {
        Entity::find()
            .order_by_desc(Column::Id)
            .one(&self.db.read())
            .await
            .map_err(failed("read a signing key"))?
            .map(record)
            .transpose()
    }

    /// Keeps `key` as the first that signs for a project; whoever tries at
    /// the same time gets no second one in. Whether it is this key now.
    ///
    /// # Errors
    /// `not_found` when there is no such project.
    pub async fn add_first_key(&self, project: ProjectId, key: NewSigningKey) -> Result<bool> {
        let unit = self.db.begin().await?;
        let inserted = Entity::insert(model(project, key, unit.now()))
            .exec_without_returning(&unit.executor())
            .await;
        match inserted {
            Ok(_) => {
                unit.announce(NewChange::project(project, ChangeKind::AuthChanged));
                unit.commit().await?;
                Ok(true)
            }
            Err(error) if is_duplicate(&error) => Ok(false),
            Err(error) => Err(orphaned("project", "store a signing key")(error)),
        }
    }

    /// Lets `key` sign from now on; the one before is retired.
    ///
    /// # Errors
    /// `conflict` when another change came between.
    pub async fn rotate_key(&self, project: ProjectId, key: NewSigningKey) -> Result<()> {
        let unit = self.db.begin().await?;
        Entity::update_many()
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::RetiredAt.is_null())
            .col_expr(Column::RetiredAt, Expr::value(unit.now()))
            .exec(&unit.executor())
            .await
            .map_err(failed("retire a signing key"))?;
        Entity::insert(model(project, key, unit.now()))
            .exec_without_returning(&unit.executor())
            .await
            .map_err(|error| {
                if is_duplicate(&error) {
                    Error::conflict("key_rotated", "the signing key was just changed, try again")
                        .with_source(error)
                } else {
                    orphaned("project", "store a signing key")(error)
                }
            })?;
        unit.announce(NewChange::project(project, ChangeKind::AuthChanged));
        unit.commit().await
    }

    /// Removes keys that were retired more than `age` ago; how many.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn sweep_retired_keys(&self, age: Duration) -> Result<u64> {
        let result = Entity::delete_many()
            .filter(Column::RetiredAt.lt(instant::earlier(self.db.now(), age)))
            .exec(&self.db.write())
            .await
            .map_err(failed("remove old signing keys"))?;
        Ok(result.rows_affected)
    }
}

fn model(project: ProjectId, key: NewSigningKey, now: i64) -> ActiveModel {
    ActiveModel {
        id: Set(*key.id.as_uuid()),
        project_id: Set(uuid(project)),
        public_key: Set(key.public_key),
        sealed_private_key: Set(key.sealed_private_key),
        created_at: Set(now),
        retired_at: Set(None),
    }
}

fn record(row: Model) -> Result<SigningKey> {
    Ok(SigningKey {
        id: SigningKeyId::from_uuid(row.id),
        project: ProjectId::from_uuid(row.project_id),
        public_key: row.public_key,
        sealed_private_key: row.sealed_private_key,
        created_at: instant::from_micros(row.created_at)?,
        retired_at: instant::from_micros_opt(row.retired_at)?,
    })
}
