//! Adds to the queue.

use super::{
    super::{
        failure::{failed, orphaned},
        instant,
        unit::{returning, statement},
    },
    ItemKind, JobWork, Lane, Queue, lock,
};
use atlashub_core::{ItemId, PluginName, ProjectId, RequestId, Result};
use sea_orm::{ConnectionTrait as _, Value};
use std::{collections::BTreeSet, time::Duration};
use time::OffsetDateTime;
use uuid::Uuid;

/// Tells the open items of a lane, which `$5` and `$11` name.
const INSERT: &str = "INSERT INTO queue_items (id, project_id, kind, name, consumer, source, \
     subject, request_id, payload, bytes, ordering_key, unique_key, priority, due_at, \
     max_attempts, created_at, hops, timeout_ms, backoff_ms, schedule, tick_at, attempt, fence, \
     state) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, \
     $20, $21, 0, 0, \
     CASE WHEN EXISTS (SELECT 1 FROM queue_items AS q WHERE q.project_id = $2 \
     AND q.consumer = $5 AND q.ordering_key = $11 AND q.finished_at IS NULL) THEN 'waiting' \
     WHEN $14 > $16 THEN 'scheduled' ELSE 'ready' END) \
     ON CONFLICT (project_id, consumer, unique_key) \
     WHERE unique_key IS NOT NULL AND finished_at IS NULL DO NOTHING RETURNING seq";

/// Work to be added.
#[derive(Clone, Debug)]
pub struct NewItem {
    /// Its id.
    pub id: ItemId,
    /// The project.
    pub project: ProjectId,
    /// What sort of work it is.
    pub kind: ItemKind,
    /// The plugin that shall do it.
    pub consumer: PluginName,
    /// What is to be done.
    pub name: String,
    /// The plugin that asks for it.
    pub source: Option<PluginName>,
    /// What it is about.
    pub subject: Uuid,
    /// The request in which it is asked for.
    pub request: Option<RequestId>,
    /// What to do it with, JSON.
    pub payload: String,
    /// Work on it after those of the same key that are there.
    pub ordering_key: Option<String>,
    /// Leave it out while an open item of the consumer has this key.
    pub unique_key: Option<String>,
    /// Within a project, lower numbers go first.
    pub priority: i64,
    /// How many pieces of work led to this one.
    pub hops: u8,
    /// When it may be taken; `None` is at once.
    pub due_at: Option<OffsetDateTime>,
    /// Tries after which it is given up.
    pub max_attempts: u32,
    /// Of a job, how it is tried.
    pub job: Option<JobWork>,
}

/// What came of adding an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// It is in the queue.
    Added(ItemId),
    /// An open item has its unique key: this one.
    Exists(ItemId),
}

impl Queue<'_> {
    /// Adds items, in this order, all or none.
    ///
    /// # Errors
    /// `not_found` when the project is not there; when the database cannot.
    pub async fn enqueue(&self, items: Vec<NewItem>) -> Result<Vec<Enqueued>> {
        // In one order, so that two who add to the same keys do not wait for
        // each other.
        let lanes: BTreeSet<Lane> = items.iter().filter_map(lane).collect();
        let items = match <[NewItem; 1]>::try_from(items) {
            // One statement is all or nothing by itself.
            Ok([item]) if lanes.is_empty() => return Ok(vec![self.insert(item).await?]),
            Ok(item) => item.into(),
            Err(items) => items,
        };
        let unit = self.db.begin().await?;
        for lane in &lanes {
            lock(&unit, lane).await?;
        }
        let mut enqueued = Vec::with_capacity(items.len());
        for item in items {
            enqueued.push(unit.queue().insert(item).await?);
        }
        unit.commit().await?;
        Ok(enqueued)
    }

    async fn insert(&self, item: NewItem) -> Result<Enqueued> {
        let NewItem { id, project, .. } = item;
        let (consumer, unique_key) = (item.consumer.clone(), item.unique_key.clone());
        loop {
            let insert = statement(self.db.engine(), INSERT, self.values(item.clone()));
            let added = returning(&self.db.write(), insert)
                .await
                .map_err(orphaned("project", "add to the queue"))?;
            if added.is_some() {
                return Ok(Enqueued::Added(id));
            }
            let there = self
                .db
                .write()
                .query_one_raw(statement(
                    self.db.engine(),
                    "SELECT id FROM queue_items WHERE project_id = $1 AND consumer = $2 \
                     AND unique_key = $3 AND finished_at IS NULL",
                    [
                        Value::from(*project.as_uuid()),
                        consumer.as_str().into(),
                        unique_key.clone().into(),
                    ],
                ))
                .await
                .map_err(failed("find an item of the queue"))?;
            // Else it ended between the two statements: add this one.
            if let Some(row) = there {
                let id = row.try_get("", "id").map_err(failed("read an item's id"))?;
                return Ok(Enqueued::Exists(ItemId::from_uuid(id)));
            }
        }
    }

    fn values(&self, item: NewItem) -> [Value; 21] {
        let ms = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let (timeout, backoff) = (
            item.job.as_ref().map(|job| ms(job.timeout)),
            item.job.as_ref().map(|job| ms(job.backoff)),
        );
        let tick = item.job.and_then(|job| job.tick);
        let tick_at = tick.as_ref().map(|tick| instant::to_micros(tick.due_at));
        let now = self.db.now();
        let bytes = i64::try_from(item.payload.len()).unwrap_or(i64::MAX);
        [
            (*item.id.as_uuid()).into(),
            (*item.project.as_uuid()).into(),
            item.kind.as_str().into(),
            item.name.into(),
            item.consumer.as_str().into(),
            item.source.map(|source| source.to_string()).into(),
            item.subject.into(),
            item.request.map(|request| *request.as_uuid()).into(),
            item.payload.into(),
            bytes.into(),
            item.ordering_key.into(),
            item.unique_key.into(),
            item.priority.into(),
            item.due_at.map_or(now, instant::to_micros).into(),
            i64::from(item.max_attempts.max(1)).into(),
            now.into(),
            i64::from(item.hops).into(),
            timeout.into(),
            backoff.into(),
            tick.map(|tick| tick.schedule).into(),
            tick_at.into(),
        ]
    }
}

fn lane(item: &NewItem) -> Option<Lane> {
    Some(Lane {
        project: *item.project.as_uuid(),
        consumer: item.consumer.to_string(),
        key: item.ordering_key.clone()?,
    })
}
