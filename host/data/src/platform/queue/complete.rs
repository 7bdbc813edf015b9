//! Says of many items at once that they are done.

use super::{
    super::{Engine, failure::failed, unit::statement},
    Lease, Queue,
};
use atlashub_core::{ItemId, Result};
use sea_orm::{ConnectionTrait as _, QueryResult, Value};
use std::collections::HashSet;
use uuid::Uuid;

/// `$2` has the leases as [`as_json`] writes them.
const ON_SQLITE: &str = "UPDATE queue_items SET state = 'done', lease_until = NULL, \
     finished_at = $1, payload = '', error_code = NULL, error_message = NULL \
     FROM json_each($2) AS told \
     WHERE queue_items.id = unhex(told.value ->> 0) AND queue_items.fence = told.value ->> 1 \
     AND queue_items.state = 'running' AND queue_items.lease_until > $1 RETURNING id, fence";

/// Rows are locked in one order, as by [`Queue::renew`], so that the two do not
/// wait for each other.
const ON_POSTGRES: &str = "WITH held AS (SELECT q.seq FROM queue_items AS q JOIN (\
     SELECT (e.value ->> 0)::uuid AS id, (e.value ->> 1)::bigint AS fence \
     FROM jsonb_array_elements($2::jsonb) AS e) AS told ON told.id = q.id \
     AND told.fence = q.fence WHERE q.state = 'running' AND q.lease_until > $1 \
     ORDER BY q.seq FOR UPDATE OF q) \
     UPDATE queue_items SET state = 'done', lease_until = NULL, finished_at = $1, payload = '', \
     error_code = NULL, error_message = NULL \
     WHERE seq IN (SELECT seq FROM held) RETURNING id, fence";

impl Queue<'_> {
    /// Notes that the items on which these leases are were done, in one
    /// statement. None of them may have an ordering key: nothing is readied
    /// behind them. The leases that held still; of the others nothing has
    /// changed, as with [`finish`](Queue::finish).
    ///
    /// # Errors
    /// When the database cannot; then nothing of it has happened.
    pub async fn complete(&self, leases: &[Lease]) -> Result<HashSet<Lease>> {
        let sql = match self.db.engine() {
            Engine::Sqlite => ON_SQLITE,
            Engine::Postgres => ON_POSTGRES,
        };
        let values = [
            Value::from(self.db.now()),
            as_json(leases.iter().map(|lease| (lease.item, lease.fence))).into(),
        ];
        let rows = self
            .db
            .write()
            .query_all_raw(statement(self.db.engine(), sql, values))
            .await
            .map_err(failed("end work"))?;
        rows.iter().map(lease).collect()
    }
}

/// Ids with a number each, in a form that both engines read: `[["0a…",1],…]`.
pub(super) fn as_json(items: impl Iterator<Item = (ItemId, i64)>) -> String {
    let items: Vec<String> = items
        .map(|(id, number)| format!("[\"{}\",{number}]", id.as_uuid().simple()))
        .collect();
    format!("[{}]", items.join(","))
}

/// The lease that a row of `id` and `fence` is.
pub(super) fn lease(row: &QueryResult) -> Result<Lease> {
    let read = failed("read a lease");
    Ok(Lease {
        item: ItemId::from_uuid(row.try_get::<Uuid>("", "id").map_err(&read)?),
        fence: row.try_get("", "fence").map_err(&read)?,
    })
}
