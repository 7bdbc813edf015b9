//! What the SQL editor ran in a project: the newest [`MAX_RUNS`] only.

use super::{
    changes::{NewChange, uuid},
    entity::sql_history::{ActiveModel, Column, Entity, Model},
    failure::failed,
    instant,
    page::{Page, fetch_limit},
    unit::Db,
};
use atlashub_core::{ProjectId, Result};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// Runs that are kept of a project.
pub(super) const MAX_RUNS: u64 = 1_000;

/// A run to be noted.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// Who ran it.
    pub actor: String,
    /// `read` or `write`.
    pub mode: &'static str,
    /// The statement.
    pub sql: String,
    /// `ok`, or the code of the error.
    pub outcome: String,
    /// Rows returned or changed.
    pub rows: u64,
    /// How long it took.
    pub duration: Duration,
}

/// A run that was noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its id; sorts by time.
    pub id: Uuid,
    /// Who ran it.
    pub actor: String,
    /// `read` or `write`.
    pub mode: String,
    /// The statement.
    pub sql: String,
    /// `ok`, or the code of the error.
    pub outcome: String,
    /// Rows returned or changed.
    pub rows: u64,
    /// How long it took.
    pub duration: Duration,
    /// When.
    pub at: OffsetDateTime,
}

/// What the SQL editor ran.
pub struct SqlHistory<'a> {
    db: Db<'a>,
}

impl<'a> SqlHistory<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Notes a run; the oldest beyond a fixed number go.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn add(&self, project: ProjectId, run: NewRun) -> Result<()> {
        let context = failed("note a statement");
        let unit = self.db.begin().await?;
        Entity::insert(ActiveModel {
            id: Set(Uuid::now_v7()),
            project_id: Set(uuid(project)),
            actor: Set(run.actor),
            mode: Set(run.mode.to_owned()),
            // Postgres cannot hold it in a text.
            sql: Set(run.sql.replace('\0', "\u{fffd}")),
            outcome: Set(run.outcome),
            row_count: Set(i64::try_from(run.rows).unwrap_or(i64::MAX)),
            duration: Set(i64::try_from(run.duration.as_micros()).unwrap_or(i64::MAX)),
            at: Set(unit.now()),
        })
        .exec_without_returning(&unit.executor())
        .await
        .map_err(&context)?;
        let first_gone: Option<Uuid> = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::ProjectId.eq(uuid(project)))
            .order_by_desc(Column::Id)
            .offset(MAX_RUNS)
            .limit(1)
            .into_tuple()
            .one(&unit.executor())
            .await
            .map_err(&context)?;
        if let Some(id) = first_gone {
            Entity::delete_many()
                .filter(Column::ProjectId.eq(uuid(project)))
                .filter(Column::Id.lte(id))
                .exec(&unit.executor())
                .await
                .map_err(&context)?;
        }
        unit.commit().await
    }

    /// A page of runs, newest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list(
        &self,
        project: ProjectId,
        before: Option<Uuid>,
        limit: u64,
    ) -> Result<Page<Run, Uuid>> {
        let mut query = Entity::find().filter(Column::ProjectId.eq(uuid(project)));
        if let Some(before) = before {
            query = query.filter(Column::Id.lt(before));
        }
        let rows = query
            .order_by_desc(Column::Id)
            .limit(fetch_limit(limit))
            .all(&self.db.read())
            .await
            .map_err(failed("list statements"))?;
        let items = rows.into_iter().map(record).collect::<Result<_>>()?;
        Ok(Page::cut(items, limit, |run: &Run| run.id))
    }

    /// Has every node stop the running statement with that id.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn announce_cancel(&self, project: ProjectId, id: Uuid) -> Result<()> {
        let unit = self.db.begin().await?;
        unit.announce(NewChange::statement(project, id));
        unit.commit().await
    }
}

fn record(row: Model) -> Result<Run> {
    Ok(Run {
        id: row.id,
        actor: row.actor,
        mode: row.mode,
        sql: row.sql,
        outcome: row.outcome,
        rows: instant::from_bytes(row.row_count),
        duration: Duration::from_micros(instant::from_bytes(row.duration)),
        at: instant::from_micros(row.at)?,
    })
}
