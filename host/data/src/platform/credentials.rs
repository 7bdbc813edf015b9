//! Passwords of a project's database roles, sealed by the caller.

use super::{
    changes::uuid,
    entity::project_credential::{ActiveModel, Column, Entity, Model},
    failure::{failed, orphaned},
    unit::Db,
};
use atlashub_core::{ProjectId, Result};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    sea_query::OnConflict,
};

/// A database role and its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The role's name.
    pub role: String,
    /// Its password, sealed.
    pub sealed_password: String,
}

/// The credentials of projects.
pub struct Credentials<'a> {
    db: Db<'a>,
}

impl<'a> Credentials<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Stores a role's sealed password, in place of an older one.
    ///
    /// # Errors
    /// `not_found` when there is no such project.
    pub async fn put(&self, project: ProjectId, role: &str, sealed_password: &str) -> Result<()> {
        Entity::insert(ActiveModel {
            project_id: Set(uuid(project)),
            role: Set(role.to_owned()),
            sealed_password: Set(sealed_password.to_owned()),
            updated_at: Set(self.db.now()),
        })
        .on_conflict(
            OnConflict::columns([Column::ProjectId, Column::Role])
                .update_columns([Column::SealedPassword, Column::UpdatedAt])
                .to_owned(),
        )
        .exec_without_returning(&self.db.write())
        .await
        .map(drop)
        .map_err(orphaned("project", "store a credential"))
    }

    /// A role's credential.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn get(&self, project: ProjectId, role: &str) -> Result<Option<Credential>> {
        let row = Entity::find_by_id((uuid(project), role.to_owned()))
            .one(&self.db.read())
            .await
            .map_err(failed("read a credential"))?;
        Ok(row.map(record))
    }

    /// All credentials of a project, by role.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list(&self, project: ProjectId) -> Result<Vec<Credential>> {
        let rows = Entity::find()
            .filter(Column::ProjectId.eq(uuid(project)))
            .order_by_asc(Column::Role)
            .all(&self.db.read())
            .await
            .map_err(failed("list credentials"))?;
        Ok(rows.into_iter().map(record).collect())
    }

    /// Forgets a role's credential; whether it was there.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn delete(&self, project: ProjectId, role: &str) -> Result<bool> {
        let result = Entity::delete_by_id((uuid(project), role.to_owned()))
            .exec(&self.db.write())
            .await
            .map_err(failed("delete a credential"))?;
        Ok(result.rows_affected > 0)
    }
}

fn record(row: Model) -> Credential {
    Credential {
        role: row.role,
        sealed_password: row.sealed_password,
    }
}
