//! Schedules: when they are due next, and what became of their times.
//!
//! A node that wants to run what is due locks those rows in a unit of work,
//! adds their jobs to the queue in it, and moves them on. On Postgres others
//! pass by locked rows; SQLite has one writer. Which times are run is for
//! others.

mod due;
mod list;
mod put;
mod switch;

pub use due::{Advance, DueSchedule};
pub use list::ScheduleFilter;
pub use put::{FixedSchedule, NewSchedule};

use super::{
    entity::schedule::{Column, Entity, Model},
    failure::failed,
    instant,
    unit::{Db, statement},
};
use atlashub_core::{
    ItemId, ProjectId, Result, ScheduleId,
    capability::{
        PluginScope,
        jobs::{Schedule, ScheduleTerms},
    },
};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, Value};

/// Times at which plugins' jobs come by themselves.
pub struct Schedules<'a> {
    db: Db<'a>,
}

impl<'a> Schedules<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// The schedule of that name.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find(&self, scope: &PluginScope, name: &str) -> Result<Option<Schedule>> {
        let row = Entity::find()
            .filter(Column::ProjectId.eq(*scope.project.as_uuid()))
            .filter(Column::Plugin.eq(scope.plugin.as_str()))
            .filter(Column::Name.eq(name))
            .one(&self.db.read())
            .await
            .map_err(failed("find a schedule"))?;
        row.map(record).transpose()
    }

    /// A schedule of a project.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find_by_id(&self, project: ProjectId, id: ScheduleId) -> Result<Option<Schedule>> {
        let row = Entity::find_by_id(*id.as_uuid())
            .filter(Column::ProjectId.eq(*project.as_uuid()))
            .one(&self.db.read())
            .await
            .map_err(failed("find a schedule"))?;
        row.map(record).transpose()
    }

    /// The row of that name, which nobody else changes until the unit ends.
    async fn lock(&self, scope: &PluginScope, name: &str) -> Result<Option<Model>> {
        let sql = match self.db.engine() {
            super::Engine::Sqlite => {
                "SELECT * FROM schedules WHERE project_id = $1 AND plugin = $2 AND name = $3"
            }
            super::Engine::Postgres => {
                "SELECT * FROM schedules WHERE project_id = $1 AND plugin = $2 AND name = $3 \
                 FOR UPDATE"
            }
        };
        let values = [
            Value::from(*scope.project.as_uuid()),
            scope.plugin.as_str().into(),
            name.into(),
        ];
        Entity::find()
            .from_raw_sql(statement(self.db.engine(), sql, values))
            .one(&self.db.write())
            .await
            .map_err(failed("lock a schedule"))
    }
}

fn record(row: Model) -> Result<Schedule> {
    Ok(Schedule {
        id: ScheduleId::from_uuid(row.id),
        project: ProjectId::from_uuid(row.project_id),
        plugin: row.plugin.parse()?,
        name: row.name,
        terms: ScheduleTerms {
            target: row.target.parse()?,
            expression: row.expression,
            zone: row.zone,
            catch_up: row.catch_up.parse()?,
            overlap: row.overlap,
            payload: row.payload,
            enabled: row.enabled,
        },
        fixed: row.fixed,
        paused: row.paused,
        suspended: row.suspended,
        next_at: instant::from_micros_opt(row.next_at.filter(|_| !row.rearm))?,
        last_due_at: instant::from_micros_opt(row.last_due_at)?,
        last_item: row.last_item.map(ItemId::from_uuid),
        missed: instant::from_bytes(row.missed),
        last_missed_at: instant::from_micros_opt(row.last_missed_at)?,
        created_at: instant::from_micros(row.created_at)?,
        updated_at: instant::from_micros(row.updated_at)?,
    })
}
