//! Statements that admins keep to run them again, at most [`MAX_SAVED`] of a
//! project.

use super::{
    changes::uuid,
    entity::saved_query::{ActiveModel, Column, Entity, Model},
    failure::{failed, is_duplicate, orphaned},
    instant,
    unit::Db,
};
use atlashub_core::{Error, ProjectId, Result};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DbErr, EntityTrait as _, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, sea_query::Expr,
};
use time::OffsetDateTime;
use uuid::Uuid;

/// Most statements that are kept of a project.
pub(super) const MAX_SAVED: u64 = 500;

/// A statement that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedQuery {
    /// Its id.
    pub id: Uuid,
    /// Its name, unique within the project.
    pub name: String,
    /// The statement.
    pub sql: String,
    /// Who kept it.
    pub actor: String,
    /// When.
    pub created_at: OffsetDateTime,
    /// When it was changed last.
    pub updated_at: OffsetDateTime,
}

/// Statements that were kept.
pub struct SavedQueries<'a> {
    db: Db<'a>,
}

impl<'a> SavedQueries<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Keeps a statement.
    ///
    /// # Errors
    /// `query_exists`, `too_many_queries`, `not_found`.
    pub async fn add(
        &self,
        project: ProjectId,
        name: &str,
        sql: &str,
        actor: &str,
    ) -> Result<SavedQuery> {
        let unit = self.db.begin().await?;
        let count = Entity::find()
            .filter(Column::ProjectId.eq(uuid(project)))
            .count(&unit.executor())
            .await
            .map_err(failed("count kept statements"))?;
        if count >= MAX_SAVED {
            return Err(Error::conflict(
                "too_many_queries",
                format!("a project keeps at most {MAX_SAVED} statements: remove one first"),
            ));
        }
        let (id, now) = (Uuid::now_v7(), unit.now());
        Entity::insert(ActiveModel {
            id: Set(id),
            project_id: Set(uuid(project)),
            name: Set(name.to_owned()),
            sql: Set(sql.to_owned()),
            actor: Set(actor.to_owned()),
            created_at: Set(now),
            updated_at: Set(now),
        })
        .exec_without_returning(&unit.executor())
        .await
        .map_err(|error| refused(error, name))?;
        unit.commit().await?;
        let at = instant::from_micros(now)?;
        Ok(SavedQuery {
            id,
            name: name.to_owned(),
            sql: sql.to_owned(),
            actor: actor.to_owned(),
            created_at: at,
            updated_at: at,
        })
    }

    /// Changes a kept statement; whether it is there.
    ///
    /// # Errors
    /// `query_exists`.
    pub async fn update(
        &self,
        project: ProjectId,
        id: Uuid,
        name: &str,
        sql: &str,
    ) -> Result<bool> {
        let result = Entity::update_many()
            .col_expr(Column::Name, Expr::value(name))
            .col_expr(Column::Sql, Expr::value(sql))
            .col_expr(Column::UpdatedAt, Expr::value(self.db.now()))
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::Id.eq(id))
            .exec(&self.db.write())
            .await
            .map_err(|error| refused(error, name))?;
        Ok(result.rows_affected > 0)
    }

    /// Forgets a kept statement; whether it was there.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn remove(&self, project: ProjectId, id: Uuid) -> Result<bool> {
        let result = Entity::delete_many()
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::Id.eq(id))
            .exec(&self.db.write())
            .await
            .map_err(failed("forget a kept statement"))?;
        Ok(result.rows_affected > 0)
    }

    /// Kept statements by name.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list(&self, project: ProjectId) -> Result<Vec<SavedQuery>> {
        let rows = Entity::find()
            .filter(Column::ProjectId.eq(uuid(project)))
            .order_by_asc(Column::Name)
            .all(&self.db.read())
            .await
            .map_err(failed("list kept statements"))?;
        rows.into_iter().map(record).collect()
    }
}

fn refused(error: DbErr, name: &str) -> Error {
    if is_duplicate(&error) {
        Error::conflict(
            "query_exists",
            format!("a statement of the name `{name}` is kept already"),
        )
        .with_source(error)
    } else {
        orphaned("project", "keep a statement")(error)
    }
}

fn record(row: Model) -> Result<SavedQuery> {
    Ok(SavedQuery {
        id: row.id,
        name: row.name,
        sql: row.sql,
        actor: row.actor,
        created_at: instant::from_micros(row.created_at)?,
        updated_at: instant::from_micros(row.updated_at)?,
    })
}
