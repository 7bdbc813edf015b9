//! What admins see of the queue and do with it, and how much is in it.

use super::{
    super::{
        entity::queue_item::{Column, Entity, Model},
        failure::{failed, is_duplicate},
        instant,
        page::{Page, fetch_limit},
        unit::{returning, statement},
    },
    ItemKind, ItemState, Lane, Queue, QueueItem, lock,
    record::{lane, record},
};
use atlashub_core::{Error, ItemId, PluginName, ProjectId, Result};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, EntityTrait as _, FromQueryResult as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _, Value,
};

/// Which items to list; `None` leaves it open.
#[derive(Clone, Debug, Default)]
pub struct ItemFilter {
    /// Of one of these kinds; of any when there is none.
    pub kinds: Vec<ItemKind>,
    /// In this state.
    pub state: Option<ItemState>,
    /// Of this consumer.
    pub consumer: Option<PluginName>,
    /// Of this name.
    pub name: Option<String>,
}

/// How many items of a project are in each state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueCounts(Vec<(ItemState, u64)>);

impl QueueCounts {
    /// How many are in `state`.
    #[must_use]
    pub fn of(&self, state: ItemState) -> u64 {
        self.0
            .iter()
            .find(|(counted, _)| *counted == state)
            .map_or(0, |(_, count)| *count)
    }
}

/// What is in the queue and not done yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Items.
    pub items: u64,
    /// Bytes of what they are to be done with.
    pub bytes: u64,
}

impl Queue<'_> {
    /// An item of a project.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find(&self, project: ProjectId, item: ItemId) -> Result<Option<QueueItem>> {
        self.row(item)
            .await?
            .filter(|row| row.project_id == *project.as_uuid())
            .map(record)
            .transpose()
    }

    /// A page of a project's items, newest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list(
        &self,
        project: ProjectId,
        filter: &ItemFilter,
        before: Option<i64>,
        limit: u64,
    ) -> Result<Page<QueueItem, i64>> {
        let rows = Entity::find()
            .filter(Column::ProjectId.eq(*project.as_uuid()))
            .apply_if(
                (!filter.kinds.is_empty()).then_some(&filter.kinds),
                |query, kinds| query.filter(Column::Kind.is_in(kinds.iter().map(ItemKind::as_str))),
            )
            .apply_if(filter.state, |query, state| {
                query.filter(Column::State.eq(state.as_str()))
            })
            .apply_if(filter.consumer.as_ref(), |query, consumer| {
                query.filter(Column::Consumer.eq(consumer.as_str()))
            })
            .apply_if(filter.name.as_ref(), |query, name| {
                query.filter(Column::Name.eq(name.as_str()))
            })
            .apply_if(before, |query, before| query.filter(Column::Seq.lt(before)))
            .order_by_desc(Column::Seq)
            .limit(fetch_limit(limit))
            .all(&self.db.read())
            .await
            .map_err(failed("list the queue"))?;
        let items = rows.into_iter().map(record).collect::<Result<Vec<_>>>()?;
        Ok(Page::cut(items, limit, |item| item.seq))
    }

    /// How many items of a project are in each state.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn counts(&self, project: ProjectId) -> Result<QueueCounts> {
        let rows: Vec<(String, i64)> = Entity::find()
            .select_only()
            .column(Column::State)
            .column_as(Column::Seq.count(), "items")
            .filter(Column::ProjectId.eq(*project.as_uuid()))
            .group_by(Column::State)
            .into_tuple()
            .all(&self.db.read())
            .await
            .map_err(failed("count the queue"))?;
        Ok(QueueCounts(
            rows.into_iter()
                .filter_map(|(state, count)| {
                    Some((ItemState::parse(&state)?, instant::from_bytes(count)))
                })
                .collect(),
        ))
    }

    /// What a project has in the queue and not done yet, counted up to
    /// `limit` items.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn backlog(&self, project: ProjectId, limit: u64) -> Result<Backlog> {
        let row = self
            .db
            .read()
            .query_one_raw(statement(
                self.db.engine(),
                "SELECT count(*) AS items, CAST(coalesce(sum(bytes), 0) AS BIGINT) AS bytes \
                 FROM (SELECT bytes FROM queue_items WHERE project_id = $1 \
                 AND finished_at IS NULL LIMIT $2) AS counted",
                [
                    Value::from(*project.as_uuid()),
                    instant::to_bytes(limit)?.into(),
                ],
            ))
            .await
            .map_err(failed("measure the queue"))?;
        let Some(row) = row else {
            return Ok(Backlog::default());
        };
        let read = |column| {
            row.try_get::<i64>("", column)
                .map(instant::from_bytes)
                .map_err(failed("measure the queue"))
        };
        Ok(Backlog {
            items: read("items")?,
            bytes: read("bytes")?,
        })
    }

    /// Lets an item that was given up, cancelled or put off be tried at once,
    /// with all its tries before it. One that had ended goes behind those of
    /// its ordering key that are there.
    ///
    /// # Errors
    /// `not_found`; `queue_item_not_retryable` when it is done, under way or
    /// behind another; `queue_item_exists` when another open item has its
    /// unique key.
    pub async fn retry(&self, project: ProjectId, item: ItemId) -> Result<QueueItem> {
        let (row, lane) = self.row_and_lane(project, item).await?;
        let unit = self.db.begin().await?;
        if let Some(lane) = &lane {
            lock(&unit, lane).await?;
        }
        let ended = ItemState::parse(&row.state).is_some_and(ItemState::is_final);
        let sql = match (ended, self.db.engine()) {
            (false, _) => RETRY_OPEN,
            (true, super::Engine::Sqlite) => RETRY_ENDED_ON_SQLITE,
            (true, super::Engine::Postgres) => RETRY_ENDED_ON_POSTGRES,
        };
        let values = [Value::from(*item.as_uuid()), unit.now().into()];
        let retried = returning(&unit.executor(), statement(unit.engine(), sql, values)).await;
        let retried = match retried {
            Ok(Some(row)) => row,
            Ok(None) => {
                return Err(Error::conflict(
                    "queue_item_not_retryable",
                    "an item can be tried again when it is `dead`, `cancelled`, `scheduled` or `held`",
                ));
            }
            Err(error) if is_duplicate(&error) => {
                return Err(Error::conflict(
                    "queue_item_exists",
                    "another open item has the same unique key",
                )
                .with_source(error));
            }
            Err(error) => return Err(failed("retry an item of the queue")(error)),
        };
        let retried = Model::from_query_result(&retried, "")
            .map_err(failed("read an item of the queue"))
            .and_then(record)?;
        unit.commit().await?;
        Ok(retried)
    }

    /// Takes an item back that has not ended. Whoever works on it can say no
    /// more what came of it.
    ///
    /// # Errors
    /// `not_found`; `queue_item_ended` when it is done, given up or
    /// cancelled.
    pub async fn cancel(&self, project: ProjectId, item: ItemId) -> Result<QueueItem> {
        let (_, lane) = self.row_and_lane(project, item).await?;
        let unit = self.db.begin().await?;
        if let Some(lane) = &lane {
            lock(&unit, lane).await?;
        }
        let cancelled = returning(
            &unit.executor(),
            statement(
                unit.engine(),
                "UPDATE queue_items SET state = 'cancelled', lease_until = NULL, \
                 finished_at = $2 WHERE id = $1 AND finished_at IS NULL RETURNING *",
                [Value::from(*item.as_uuid()), unit.now().into()],
            ),
        )
        .await
        .map_err(failed("cancel an item of the queue"))?;
        let Some(cancelled) = cancelled else {
            return Err(Error::conflict(
                "queue_item_ended",
                "the item has ended already",
            ));
        };
        if let Some(lane) = &lane {
            unit.queue().ready_next(lane).await?;
        }
        let cancelled = Model::from_query_result(&cancelled, "")
            .map_err(failed("read an item of the queue"))
            .and_then(record)?;
        unit.commit().await?;
        Ok(cancelled)
    }

    async fn row_and_lane(
        &self,
        project: ProjectId,
        item: ItemId,
    ) -> Result<(Model, Option<Lane>)> {
        let row = self
            .row(item)
            .await?
            .filter(|row| row.project_id == *project.as_uuid())
            .ok_or_else(|| Error::not_found("queue item"))?;
        let lane = lane(&row);
        Ok((row, lane))
    }
}

const RETRY_OPEN: &str = "UPDATE queue_items SET state = 'ready', attempt = 0, due_at = $2 \
     WHERE id = $1 AND state IN ('scheduled', 'held') RETURNING *";

/// What has ended gets a new place; another of its key may be under way.
macro_rules! retry_ended {
    ($seq:literal) => {
        concat!(
            "UPDATE queue_items SET seq = ",
            $seq,
            ", state = CASE WHEN EXISTS (SELECT 1 FROM queue_items AS q \
             WHERE q.project_id = queue_items.project_id \
             AND q.consumer = queue_items.consumer \
             AND q.ordering_key = queue_items.ordering_key AND q.finished_at IS NULL) \
             THEN 'waiting' ELSE 'ready' END, attempt = 0, due_at = $2, finished_at = NULL \
             WHERE id = $1 AND state IN ('dead', 'cancelled') RETURNING *"
        )
    };
}

const RETRY_ENDED_ON_SQLITE: &str =
    retry_ended!("(SELECT max(last.seq) + 1 FROM queue_items AS last)");
const RETRY_ENDED_ON_POSTGRES: &str =
    retry_ended!("nextval(pg_get_serial_sequence('queue_items', 'seq'))");
