//! Finds the schedules that are due, and moves them on.

use super::{
    super::{
        entity::schedule::{Column, Entity},
        failure::failed,
        instant,
        unit::statement,
    },
    Schedules, record,
};
use atlashub_core::{ItemId, Result, ScheduleId, capability::jobs::Schedule};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, EntityTrait as _, ExprTrait as _, QueryFilter as _,
    Value, sea_query::Expr,
};
use time::OffsetDateTime;

/// A schedule that is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueSchedule {
    /// It.
    pub schedule: Schedule,
    /// The time that is due; `None` when its next one is to be reckoned first.
    pub due_at: Option<OffsetDateTime>,
}

/// How a schedule goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advance {
    /// When it is due next.
    pub next: Option<OffsetDateTime>,
    /// The time that ran last, and its job.
    pub ran: Option<(OffsetDateTime, ItemId)>,
    /// Times that went by without a run.
    pub missed: u64,
    /// The last of them.
    pub last_missed: Option<OffsetDateTime>,
}

impl Schedules<'_> {
    /// When the next schedule is due.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn next_due(&self) -> Result<Option<OffsetDateTime>> {
        let row = self
            .db
            .read()
            .query_one_raw(statement(
                self.db.engine(),
                "SELECT min(next_at) AS due FROM schedules WHERE next_at IS NOT NULL",
                [],
            ))
            .await
            .map_err(failed("read when schedules are due"))?;
        let Some(row) = row else { return Ok(None) };
        let due = row
            .try_get::<Option<i64>>("", "due")
            .map_err(failed("read when schedules are due"))?;
        instant::from_micros_opt(due)
    }

    /// Schedules that are due, at most `limit`, the longest first. Within a
    /// unit: nobody else gets them until it ends.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn lock_due(&self, limit: u32) -> Result<Vec<DueSchedule>> {
        let sql = match self.db.engine() {
            super::super::Engine::Sqlite => {
                "SELECT * FROM schedules WHERE next_at IS NOT NULL AND next_at <= $1 \
                 ORDER BY next_at LIMIT $2"
            }
            super::super::Engine::Postgres => {
                "SELECT * FROM schedules WHERE next_at IS NOT NULL AND next_at <= $1 \
                 ORDER BY next_at LIMIT $2 FOR UPDATE SKIP LOCKED"
            }
        };
        let values = [Value::from(self.db.now()), i64::from(limit).into()];
        let rows = Entity::find()
            .from_raw_sql(statement(self.db.engine(), sql, values))
            .all(&self.db.write())
            .await
            .map_err(failed("find schedules that are due"))?;
        rows.into_iter()
            .map(|row| {
                let due_at = instant::from_micros_opt(row.next_at.filter(|_| !row.rearm))?;
                let schedule = record(row)?;
                Ok(DueSchedule { schedule, due_at })
            })
            .collect()
    }

    /// Moves a schedule on, which the unit has locked.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn advance(&self, id: ScheduleId, advance: Advance) -> Result<()> {
        let mut update = Entity::update_many()
            .filter(Column::Id.eq(*id.as_uuid()))
            .col_expr(
                Column::NextAt,
                Expr::value(advance.next.map(instant::to_micros)),
            )
            .col_expr(Column::Rearm, Expr::value(false));
        if let Some((due_at, item)) = advance.ran {
            update = update
                .col_expr(Column::LastDueAt, Expr::value(instant::to_micros(due_at)))
                .col_expr(Column::LastItem, Expr::value(*item.as_uuid()));
        }
        if let Some(last_missed) = advance.last_missed {
            let missed = instant::to_bytes(advance.missed)?;
            update = update
                .col_expr(Column::Missed, Expr::col(Column::Missed).add(missed))
                .col_expr(
                    Column::LastMissedAt,
                    Expr::value(instant::to_micros(last_missed)),
                );
        }
        update
            .exec(&self.db.write())
            .await
            .map_err(failed("move a schedule on"))?;
        Ok(())
    }

    /// Notes that a schedule ran out of its turn.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn note_run(&self, id: ScheduleId, item: ItemId) -> Result<()> {
        Entity::update_many()
            .filter(Column::Id.eq(*id.as_uuid()))
            .col_expr(Column::LastItem, Expr::value(*item.as_uuid()))
            .exec(&self.db.write())
            .await
            .map_err(failed("note a run of a schedule"))?;
        Ok(())
    }
}
