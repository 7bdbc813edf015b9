//! Says what came of an item.

use super::{
    super::{
        entity::queue_item::{Column, Entity, Model},
        failure::failed,
        instant,
        unit::statement,
    },
    ItemState, Lane, Lease, Queue, WorkFailure, lock,
    record::lane,
};
use atlashub_core::{ItemId, PluginName, ProjectId, Result, WorkerId};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, EntityTrait as _, ExprTrait as _, QueryFilter as _,
    UpdateMany, Value, sea_query::Expr,
};
use time::OffsetDateTime;

/// Most items that one call brings back from workers that are gone.
const EXPIRED_AT_ONCE: i64 = 100;

/// What came of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// It failed; try again at this time.
    Retry {
        /// When.
        at: OffsetDateTime,
        /// Why it failed.
        failure: WorkFailure,
    },
    /// It failed, and there is no use in trying again.
    Dead(WorkFailure),
    /// It was not tried; anybody may take it now.
    HandedBack,
    /// It was not tried, and need not be before this time.
    Postponed(OffsetDateTime),
}

/// Whether the lease must hold still, or must have run out.
#[derive(Clone, Copy)]
enum Held {
    Still,
    NoMore,
}

impl Queue<'_> {
    /// Notes what came of the item that `lease` is on. False when the lease
    /// holds no more: it ran out, or the item was cancelled; nothing has
    /// changed then, and what was done may be done again.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn finish(&self, lease: Lease, outcome: Outcome) -> Result<bool> {
        self.end_try(lease, outcome, Held::Still).await
    }

    async fn end_try(&self, lease: Lease, outcome: Outcome, held: Held) -> Result<bool> {
        if !matches!(outcome, Outcome::Done | Outcome::Dead(_)) {
            let ended = self
                .update(lease, outcome, held)
                .exec(&self.db.write())
                .await;
            return Ok(ended.map_err(failed("end a try"))?.rows_affected > 0);
        }
        let row = self.row(lease.item).await?;
        let Some(lane) = row.as_ref().and_then(lane) else {
            let ended = self
                .update(lease, outcome, held)
                .exec(&self.db.write())
                .await;
            return Ok(ended.map_err(failed("end a try"))?.rows_affected > 0);
        };
        let unit = self.db.begin().await?;
        lock(&unit, &lane).await?;
        let ended = unit
            .queue()
            .update(lease, outcome, held)
            .exec(&unit.executor())
            .await
            .map_err(failed("end a try"))?
            .rows_affected
            > 0;
        if ended {
            unit.queue().ready_next(&lane).await?;
        }
        unit.commit().await?;
        Ok(ended)
    }

    fn update(&self, lease: Lease, outcome: Outcome, held: Held) -> UpdateMany<Entity> {
        let now = self.db.now();
        let update = Entity::update_many()
            .filter(Column::Id.eq(*lease.item.as_uuid()))
            .filter(Column::Fence.eq(lease.fence))
            .filter(Column::State.eq("running"))
            .filter(match held {
                Held::Still => Column::LeaseUntil.gt(now),
                Held::NoMore => Column::LeaseUntil.lte(now),
            })
            .col_expr(Column::LeaseUntil, Expr::value(None::<i64>));
        let state = |update: UpdateMany<Entity>, state: ItemState| {
            update.col_expr(Column::State, Expr::value(state.as_str()))
        };
        let failure = |update: UpdateMany<Entity>, failure: WorkFailure| {
            update
                .col_expr(Column::ErrorCode, Expr::value(failure.code))
                .col_expr(Column::ErrorMessage, Expr::value(failure.message))
        };
        let not_tried = |update: UpdateMany<Entity>| {
            update.col_expr(Column::Attempt, Expr::col(Column::Attempt).sub(1))
        };
        let due = |update: UpdateMany<Entity>, at| {
            update.col_expr(Column::DueAt, Expr::value(instant::to_micros(at)))
        };
        match outcome {
            Outcome::Done => state(update, ItemState::Done)
                .col_expr(Column::FinishedAt, Expr::value(now))
                .col_expr(Column::Payload, Expr::value(""))
                .col_expr(Column::ErrorCode, Expr::value(None::<String>))
                .col_expr(Column::ErrorMessage, Expr::value(None::<String>)),
            Outcome::Dead(why) => failure(state(update, ItemState::Dead), why)
                .col_expr(Column::FinishedAt, Expr::value(now)),
            Outcome::Retry { at, failure: why } => {
                due(failure(state(update, ItemState::Scheduled), why), at)
            }
            Outcome::HandedBack => not_tried(state(update, ItemState::Ready)),
            Outcome::Postponed(at) => due(not_tried(state(update, ItemState::Held)), at),
        }
    }

    /// Lets the first of those that wait in `lane` be taken, if nothing is
    /// before it. The lane must be locked.
    pub(super) async fn ready_next(&self, lane: &Lane) -> Result<()> {
        self.db
            .write()
            .execute_raw(statement(
                self.db.engine(),
                "UPDATE queue_items SET state = \
                 CASE WHEN due_at > $4 THEN 'scheduled' ELSE 'ready' END \
                 WHERE state = 'waiting' AND seq = (SELECT min(q.seq) FROM queue_items AS q \
                 WHERE q.project_id = $1 AND q.consumer = $2 AND q.ordering_key = $3 \
                 AND q.finished_at IS NULL)",
                [
                    Value::from(lane.project),
                    lane.consumer.as_str().into(),
                    lane.key.as_str().into(),
                    self.db.now().into(),
                ],
            ))
            .await
            .map_err(failed("ready the next of an ordering key"))?;
        Ok(())
    }

    /// Takes items back from workers whose leases ran out: each is tried
    /// again at the time that `retry_at` gives for its number of tries, or
    /// given up when those are spent. How many items that were.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn take_back_expired(
        &self,
        retry_at: impl Fn(u32) -> OffsetDateTime + Send + Sync,
    ) -> Result<usize> {
        let expired = Entity::find()
            .from_raw_sql(statement(
                self.db.engine(),
                "SELECT * FROM queue_items WHERE state = 'running' AND lease_until <= $1 \
                 ORDER BY lease_until LIMIT $2",
                [Value::from(self.db.now()), EXPIRED_AT_ONCE.into()],
            ))
            .all(&self.db.read())
            .await
            .map_err(failed("find leases that ran out"))?;
        let mut taken_back = 0;
        for row in expired {
            let failure = WorkFailure {
                code: "lease_expired".to_owned(),
                message: "the server that worked on it stopped or lost touch".to_owned(),
            };
            let outcome = if row.attempt >= row.max_attempts {
                Outcome::Dead(failure)
            } else {
                let at = retry_at(u32::try_from(row.attempt).unwrap_or(0));
                Outcome::Retry { at, failure }
            };
            let lease = Lease {
                item: ItemId::from_uuid(row.id),
                fence: row.fence,
            };
            taken_back += usize::from(self.end_try(lease, outcome, Held::NoMore).await?);
        }
        Ok(taken_back)
    }

    /// Hands back all that `worker` holds, as never tried; how many items
    /// that were.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn hand_back(&self, worker: WorkerId) -> Result<u64> {
        let handed = Entity::update_many()
            .col_expr(Column::State, Expr::value(ItemState::Ready.as_str()))
            .col_expr(Column::Attempt, Expr::col(Column::Attempt).sub(1))
            .col_expr(Column::LeaseUntil, Expr::value(None::<i64>))
            .filter(Column::Worker.eq(*worker.as_uuid()))
            .filter(Column::State.eq("running"))
            .exec(&self.db.write())
            .await
            .map_err(failed("hand work back"))?;
        Ok(handed.rows_affected)
    }

    /// Puts off what is ready for a plugin that is not there to take it. How
    /// many items that were.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn hold(
        &self,
        project: ProjectId,
        consumer: &PluginName,
        until: OffsetDateTime,
    ) -> Result<u64> {
        self.move_all(project, consumer, ItemState::Ready, ItemState::Held, until)
            .await
    }

    /// Readies what was put off for a plugin that is there again. How many
    /// items that were.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn release(&self, project: ProjectId, consumer: &PluginName) -> Result<u64> {
        let now = instant::from_micros(self.db.now())?;
        self.move_all(project, consumer, ItemState::Held, ItemState::Ready, now)
            .await
    }

    async fn move_all(
        &self,
        project: ProjectId,
        consumer: &PluginName,
        from: ItemState,
        to: ItemState,
        due_at: OffsetDateTime,
    ) -> Result<u64> {
        let moved = Entity::update_many()
            .col_expr(Column::State, Expr::value(to.as_str()))
            .col_expr(Column::DueAt, Expr::value(instant::to_micros(due_at)))
            .filter(Column::ProjectId.eq(*project.as_uuid()))
            .filter(Column::Consumer.eq(consumer.as_str()))
            .filter(Column::FinishedAt.is_null())
            .filter(Column::State.eq(from.as_str()))
            .exec(&self.db.write())
            .await
            .map_err(failed("put work off"))?;
        Ok(moved.rows_affected)
    }

    /// Removes all that is open for a plugin that is gone; how many items that
    /// were.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn remove_open(&self, project: ProjectId, consumer: &PluginName) -> Result<u64> {
        let removed = Entity::delete_many()
            .filter(Column::ProjectId.eq(*project.as_uuid()))
            .filter(Column::Consumer.eq(consumer.as_str()))
            .filter(Column::FinishedAt.is_null())
            .exec(&self.db.write())
            .await
            .map_err(failed("remove work"))?;
        Ok(removed.rows_affected)
    }

    pub(super) async fn row(&self, item: ItemId) -> Result<Option<Model>> {
        Entity::find()
            .filter(Column::Id.eq(*item.as_uuid()))
            .one(&self.db.read())
            .await
            .map_err(failed("find an item of the queue"))
    }
}
