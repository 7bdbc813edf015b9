//! Takes work, and keeps hold of it.

use super::{
    super::{
        Engine,
        entity::queue_item::{Column, Entity, Model},
        failure::failed,
        instant,
        unit::statement,
    },
    Lease, Queue, QueueItem,
    complete::as_json,
    on_both,
    record::record,
};
use atlashub_core::{ItemId, ProjectId, Result, WorkerId};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, EntityTrait as _, FromQueryResult as _,
    QueryFilter as _, Value, sea_query::Expr,
};
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// Most items that one statement readies.
const READIED_AT_ONCE: i64 = 1_000;
/// Goes from one project to the next by the index, past their items: from `$1`
/// to the end, then from the beginning to it, `$2` at most of each.
const PROJECTS_WITH_WORK: &str = "WITH RECURSIVE behind (project_id, place) AS (\
     SELECT * FROM (SELECT project_id, 1 AS place FROM queue_items WHERE state = 'ready' \
     AND project_id > $1 ORDER BY project_id LIMIT 1) AS first \
     UNION ALL \
     SELECT (SELECT q.project_id FROM queue_items AS q WHERE q.state = 'ready' \
     AND q.project_id > behind.project_id ORDER BY q.project_id LIMIT 1), place + 1 \
     FROM behind WHERE behind.project_id IS NOT NULL AND place < $2), \
     before (project_id, place) AS (\
     SELECT * FROM (SELECT project_id, 1 AS place FROM queue_items WHERE state = 'ready' \
     AND project_id <= $1 ORDER BY project_id LIMIT 1) AS first \
     UNION ALL \
     SELECT (SELECT q.project_id FROM queue_items AS q WHERE q.state = 'ready' \
     AND q.project_id > before.project_id AND q.project_id <= $1 \
     ORDER BY q.project_id LIMIT 1), place + 1 \
     FROM before WHERE before.project_id IS NOT NULL AND place < $2) \
     SELECT project_id FROM (\
     SELECT project_id, 0 AS turn FROM behind WHERE project_id IS NOT NULL \
     UNION ALL \
     SELECT project_id, 1 AS turn FROM before WHERE project_id IS NOT NULL) AS found \
     ORDER BY turn, project_id LIMIT $2";

const TAKE_ON_SQLITE: &str = "WITH picked AS (SELECT seq FROM queue_items \
     WHERE state = 'ready' AND project_id = $1 ORDER BY priority, due_at, seq LIMIT $2) \
     UPDATE queue_items SET state = 'running', fence = fence + 1, attempt = attempt + 1, \
     worker = $3, lease_until = $4, started_at = $5, progress = NULL, progress_note = NULL \
     WHERE seq IN (SELECT seq FROM picked) AND state = 'ready' RETURNING *";

/// What was picked is locked, and so still ready. The rows are found by their
/// numbers and nothing else: asked for the state as well, the database goes
/// through all that is ready, since it takes that for little when it last
/// counted while everything was scheduled.
const TAKE_ON_POSTGRES: &str = "WITH picked AS (SELECT seq FROM queue_items \
     WHERE state = 'ready' AND project_id = $1 ORDER BY priority, due_at, seq LIMIT $2 \
     FOR UPDATE SKIP LOCKED) \
     UPDATE queue_items SET state = 'running', fence = fence + 1, attempt = attempt + 1, \
     worker = $3, lease_until = $4, started_at = $5, progress = NULL, progress_note = NULL \
     WHERE seq = ANY (ARRAY(SELECT seq FROM picked)) RETURNING *";

impl Queue<'_> {
    /// When the next item that is scheduled or held falls due.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn next_due(&self) -> Result<Option<OffsetDateTime>> {
        let row = self
            .db
            .read()
            .query_one_raw(statement(
                self.db.engine(),
                "SELECT (SELECT min(due_at) FROM queue_items WHERE state = 'scheduled') AS due, \
                 (SELECT min(due_at) FROM queue_items WHERE state = 'held') AS held",
                [],
            ))
            .await
            .map_err(failed("read when the queue is due"))?;
        let Some(row) = row else { return Ok(None) };
        let read = |column| {
            row.try_get::<Option<i64>>("", column)
                .map_err(failed("read when the queue is due"))
        };
        let due = [read("due")?, read("held")?].into_iter().flatten().min();
        instant::from_micros_opt(due)
    }

    /// Readies what has fallen due; how many items that were.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn ready_due(&self) -> Result<u64> {
        let now = Value::from(self.db.now());
        let mut readied = 0;
        for sql in [
            on_both!(
                self.db.engine(),
                "WITH due AS (SELECT seq FROM queue_items WHERE state = 'scheduled' \
                 AND due_at <= $1 ORDER BY due_at LIMIT $2",
                skip,
                ") UPDATE queue_items SET state = 'ready' \
                 WHERE seq IN (SELECT seq FROM due) AND state = 'scheduled'"
            ),
            on_both!(
                self.db.engine(),
                "WITH due AS (SELECT seq FROM queue_items WHERE state = 'held' \
                 AND due_at <= $1 ORDER BY due_at LIMIT $2",
                skip,
                ") UPDATE queue_items SET state = 'ready' \
                 WHERE seq IN (SELECT seq FROM due) AND state = 'held'"
            ),
        ] {
            let values = [now.clone(), READIED_AT_ONCE.into()];
            readied += self
                .db
                .write()
                .execute_raw(statement(self.db.engine(), sql, values))
                .await
                .map_err(failed("ready what is due"))?
                .rows_affected();
        }
        Ok(readied)
    }

    /// Projects that have something ready, in order of their ids, at most
    /// `limit`: those after `after` first, then from the beginning. Who takes
    /// a few items of each and goes on after the last is fair to all: what a
    /// project has to wait depends on the number of projects, not on how much
    /// the others want.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn projects_with_work(
        &self,
        after: Option<ProjectId>,
        limit: u32,
    ) -> Result<Vec<ProjectId>> {
        let after = after.map_or(Uuid::nil(), |project| *project.as_uuid());
        let rows = self
            .db
            .read()
            .query_all_raw(statement(
                self.db.engine(),
                PROJECTS_WITH_WORK,
                [Value::from(after), i64::from(limit).into()],
            ))
            .await
            .map_err(failed("list projects with work"))?;
        rows.iter()
            .map(|row| {
                row.try_get("", "project_id")
                    .map(ProjectId::from_uuid)
                    .map_err(failed("read a project with work"))
            })
            .collect()
    }

    /// Takes up to `limit` ready items of a project, most urgent first. They
    /// are `worker`'s for the time of `lease`.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn take(
        &self,
        project: ProjectId,
        worker: WorkerId,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<QueueItem>> {
        let now = self.db.now();
        let sql = match self.db.engine() {
            Engine::Sqlite => TAKE_ON_SQLITE,
            Engine::Postgres => TAKE_ON_POSTGRES,
        };
        let rows = self
            .db
            .write()
            .query_all_raw(statement(
                self.db.engine(),
                sql,
                [
                    Value::from(*project.as_uuid()),
                    i64::from(limit).into(),
                    (*worker.as_uuid()).into(),
                    instant::later(now, lease).into(),
                    now.into(),
                ],
            ))
            .await
            .map_err(failed("take work"))?;
        let mut items = rows
            .iter()
            .map(|row| {
                Model::from_query_result(row, "")
                    .map_err(failed("read work that was taken"))
                    .and_then(record)
            })
            .collect::<Result<Vec<_>>>()?;
        items.sort_by_key(|item| (item.priority, item.due_at, item.seq));
        Ok(items)
    }

    /// Prolongs the leases on `items` that `worker` still holds; those that it
    /// does not hold any more are not in the answer: stop working on them.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn renew(
        &self,
        worker: WorkerId,
        items: &[ItemId],
        lease: Duration,
    ) -> Result<Vec<Lease>> {
        let now = self.db.now();
        // In the order in which `complete` locks them.
        let sql = match self.db.engine() {
            Engine::Sqlite => {
                "UPDATE queue_items SET lease_until = $3 FROM json_each($4) AS told \
                 WHERE queue_items.id = unhex(told.value ->> 0) AND worker = $2 \
                 AND state = 'running' AND lease_until > $1 RETURNING id, fence"
            }
            Engine::Postgres => {
                "WITH held AS (SELECT seq FROM queue_items WHERE id IN (\
                 SELECT (e.value ->> 0)::uuid FROM jsonb_array_elements($4::jsonb) AS e) \
                 AND worker = $2 AND state = 'running' AND lease_until > $1 \
                 ORDER BY seq FOR UPDATE) \
                 UPDATE queue_items SET lease_until = $3 \
                 WHERE seq IN (SELECT seq FROM held) RETURNING id, fence"
            }
        };
        let values = [
            Value::from(now),
            (*worker.as_uuid()).into(),
            instant::later(now, lease).into(),
            as_json(items.iter().map(|item| (*item, 0))).into(),
        ];
        let rows = self
            .db
            .write()
            .query_all_raw(statement(self.db.engine(), sql, values))
            .await
            .map_err(failed("prolong leases"))?;
        rows.iter().map(super::complete::lease).collect()
    }

    /// Notes how far the work is, if the lease still holds.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn note_progress(
        &self,
        lease: Lease,
        percent: u8,
        note: Option<String>,
    ) -> Result<bool> {
        let noted = Entity::update_many()
            .col_expr(Column::Progress, Expr::value(i64::from(percent.min(100))))
            .col_expr(Column::ProgressNote, Expr::value(note))
            .filter(Column::Id.eq(*lease.item.as_uuid()))
            .filter(Column::Fence.eq(lease.fence))
            .filter(Column::State.eq("running"))
            .filter(Column::LeaseUntil.gt(self.db.now()))
            .exec(&self.db.write())
            .await
            .map_err(failed("note progress"))?;
        Ok(noted.rows_affected > 0)
    }
}
