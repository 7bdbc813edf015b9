//! What changed the tables of projects, in order. The tables themselves are
//! in the project's database: a change is written down as begun, made there,
//! and then completed here, where other nodes learn of it.

use super::{
    changes::{ChangeKind, NewChange, uuid},
    entity::project_migration::{ActiveModel, Column, Entity, Model},
    failure::{failed, is_duplicate, orphaned},
    instant,
    page::{Page, fetch_limit},
    unit::Db,
};
use atlashub_core::{Digest, Error, ErrorKind, ProjectId, Result};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, sea_query::Expr,
};
use time::OffsetDateTime;

/// A change to a project's tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectMigration {
    /// Its number within the project.
    pub number: i64,
    /// What it does, in a few words.
    pub title: String,
    /// The statements that did it; `None` while it runs, and when it was cut
    /// short.
    pub sql: Option<String>,
    /// SHA-256 of the statements.
    pub digest: Option<String>,
    /// Who asked for it.
    pub actor: String,
    /// When it began.
    pub started_at: OffsetDateTime,
    /// When it was made.
    pub applied_at: Option<OffsetDateTime>,
}

/// A change that was written down as begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BegunMigration {
    /// The project.
    pub project: ProjectId,
    /// Its number within the project.
    pub number: i64,
    /// What it does, in a few words.
    pub title: String,
    /// Who asked for it.
    pub actor: String,
    /// Tells it from every other change of the project, also from one that
    /// had the number before and was forgotten.
    pub mark: String,
}

/// Changes to projects' tables.
pub struct ProjectMigrations<'a> {
    db: Db<'a>,
}

impl<'a> ProjectMigrations<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Writes a change down as begun.
    ///
    /// # Errors
    /// `schema_busy` when another took the number at the same moment,
    /// `not_found` when there is no such project.
    pub async fn begin(
        &self,
        project: ProjectId,
        title: &str,
        actor: &str,
    ) -> Result<BegunMigration> {
        let unit = self.db.begin().await?;
        let last: Option<i64> = Entity::find()
            .select_only()
            .column_as(Column::Number.max(), "number")
            .filter(Column::ProjectId.eq(uuid(project)))
            .into_tuple::<Option<i64>>()
            .one(&unit.executor())
            .await
            .map_err(failed("number a change of tables"))?
            .flatten();
        let number = last.unwrap_or(0) + 1;
        let started_at = unit.now();
        Entity::insert(ActiveModel {
            project_id: Set(uuid(project)),
            number: Set(number),
            title: Set(title.to_owned()),
            sql: Set(None),
            digest: Set(None),
            actor: Set(actor.to_owned()),
            started_at: Set(started_at),
            applied_at: Set(None),
        })
        .exec_without_returning(&unit.executor())
        .await
        .map_err(|error| {
            if is_duplicate(&error) {
                Error::new(
                    ErrorKind::Unavailable,
                    "schema_busy",
                    "the project's tables are being changed by somebody else, try again",
                )
                .with_retry_after(1)
            } else {
                orphaned("project", "write a change of tables down")(error)
            }
        })?;
        unit.commit().await?;
        Ok(BegunMigration {
            project,
            number,
            title: title.to_owned(),
            actor: actor.to_owned(),
            mark: mark(number, started_at),
        })
    }

    /// Changes that began before `before` and were not completed, of one
    /// project or of all, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn unfinished(
        &self,
        project: Option<ProjectId>,
        before: OffsetDateTime,
        limit: u64,
    ) -> Result<Vec<BegunMigration>> {
        let mut found = Entity::find()
            .filter(Column::AppliedAt.is_null())
            .filter(Column::StartedAt.lt(instant::to_micros(before)));
        if let Some(project) = project {
            found = found.filter(Column::ProjectId.eq(uuid(project)));
        }
        let rows = found
            .order_by_asc(Column::StartedAt)
            .limit(limit)
            .all(&self.db.read())
            .await
            .map_err(failed("find changes of tables that were cut short"))?;
        Ok(rows.into_iter().map(begun).collect())
    }

    /// Completes a change with the statements that made it, and has every
    /// node look at the tables anew.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn complete(&self, project: ProjectId, number: i64, sql: &str) -> Result<()> {
        let unit = self.db.begin().await?;
        Entity::update_many()
            .col_expr(Column::Sql, Expr::value(sql))
            .col_expr(
                Column::Digest,
                Expr::value(Digest::of(sql.as_bytes()).to_hex()),
            )
            .col_expr(Column::AppliedAt, Expr::value(unit.now()))
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::Number.eq(number))
            .exec(&unit.executor())
            .await
            .map_err(failed("complete a change of tables"))?;
        unit.announce(NewChange::project(project, ChangeKind::TablesChanged));
        unit.commit().await
    }

    /// Forgets a change that was refused.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn forget(&self, project: ProjectId, number: i64) -> Result<()> {
        Entity::delete_by_id((uuid(project), number))
            .filter(Column::AppliedAt.is_null())
            .exec(&self.db.write())
            .await
            .map(drop)
            .map_err(failed("forget a change of tables"))
    }

    /// Has every node look at the project's tables and policies anew.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn announce(&self, project: ProjectId) -> Result<()> {
        let unit = self.db.begin().await?;
        unit.announce(NewChange::project(project, ChangeKind::TablesChanged));
        unit.commit().await
    }

    /// A page of changes, oldest first, after the one with that number.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list(
        &self,
        project: ProjectId,
        after: Option<i64>,
        limit: u64,
    ) -> Result<Page<ProjectMigration, i64>> {
        let rows = Entity::find()
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::Number.gt(after.unwrap_or(0)))
            .order_by_asc(Column::Number)
            .limit(fetch_limit(limit))
            .all(&self.db.read())
            .await
            .map_err(failed("list changes of tables"))?;
        let items = rows.into_iter().map(record).collect::<Result<_>>()?;
        Ok(Page::cut(items, limit, |item: &ProjectMigration| {
            item.number
        }))
    }
}

fn begun(row: Model) -> BegunMigration {
    BegunMigration {
        project: ProjectId::from_uuid(row.project_id),
        number: row.number,
        title: row.title,
        actor: row.actor,
        mark: mark(row.number, row.started_at),
    }
}

fn mark(number: i64, started_at: i64) -> String {
    format!("{number}@{started_at}")
}

fn record(row: Model) -> Result<ProjectMigration> {
    Ok(ProjectMigration {
        number: row.number,
        title: row.title,
        sql: row.sql,
        digest: row.digest,
        actor: row.actor,
        started_at: instant::from_micros(row.started_at)?,
        applied_at: instant::from_micros_opt(row.applied_at)?,
    })
}
