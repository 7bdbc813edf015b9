//! Adding what a node counted to what is there.

use super::{
    super::{
        Engine, Unit,
        changes::uuid,
        failure::failed,
        instant,
        unit::{dynamic, statement},
    },
    MINUTE, Series, SeriesBatch, SeriesCounts,
    columns::{ADDED, NAMES, from_json},
    floor,
};
use atlashub_core::{Error, Result};
use sea_orm::{ConnectionTrait as _, Value};
use serde_json::json;
use std::{sync::LazyLock, time::Duration};
use uuid::Uuid;

/// Rows of one statement.
const AT_ONCE: usize = 500;
/// How long it is known that a batch was added: longer than anybody tries.
const REMEMBERED: Duration = Duration::from_secs(24 * 3_600);

static ON_SQLITE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO series (project_id, at, step, plugin, {}) \
         SELECT unhex(told.value ->> 0), $2, 60, told.value ->> 1{} \
         FROM json_each($1) AS told WHERE true {}",
        *NAMES,
        from_json("INTEGER"),
        *ADDED
    )
});

static ON_POSTGRES: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO series (project_id, at, step, plugin, {}) \
         SELECT (told.value ->> 0)::uuid, $2, 60, told.value ->> 1{} \
         FROM jsonb_array_elements($1::jsonb) AS told {}",
        *NAMES,
        from_json("BIGINT"),
        *ADDED
    )
});

impl Series<'_> {
    /// Adds a batch, all of it or nothing; false when it was added before.
    ///
    /// # Errors
    /// When the database cannot; then it may be sent again.
    pub async fn add(&self, batch: &SeriesBatch) -> Result<bool> {
        let unit = self.db.begin().await?;
        if !self.claim(&unit, batch.id).await? {
            return Ok(false);
        }
        let mut sum = SeriesCounts::default();
        let mut rows: Vec<(Uuid, &str, &SeriesCounts)> = Vec::with_capacity(batch.rows.len() + 1);
        for row in &batch.rows {
            sum.add(&row.counts);
            let plugin = row.plugin.as_ref().map_or("", |plugin| plugin.as_str());
            rows.push((uuid(row.project), plugin, &row.counts));
        }
        rows.push((Uuid::nil(), "", &sum));
        // In one order on every node, so that two do not wait for each other.
        rows.sort_unstable_by_key(|(project, plugin, _)| (*project, *plugin));
        let at = floor(instant::to_micros(batch.at), MINUTE);
        for rows in rows.chunks(AT_ONCE) {
            let rows: Vec<serde_json::Value> = rows.iter().map(as_json).collect();
            let rows = serde_json::to_string(&rows)
                .map_err(|error| Error::internal("write what was counted", error))?;
            let sql = match unit.engine() {
                Engine::Sqlite => ON_SQLITE.as_str(),
                Engine::Postgres => ON_POSTGRES.as_str(),
            };
            unit.executor()
                .execute_raw(dynamic(unit.engine(), sql, [rows.into(), at.into()]))
                .await
                .map_err(failed("add what was counted"))?;
        }
        unit.commit().await?;
        Ok(true)
    }

    /// Whether the write of that id is this unit's to make.
    pub(super) async fn claim(&self, unit: &Unit, id: Uuid) -> Result<bool> {
        let claimed = unit
            .executor()
            .execute_raw(statement(
                unit.engine(),
                "INSERT INTO series_writes (id, at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
                [Value::from(id), unit.now().into()],
            ))
            .await
            .map_err(failed("add what was counted"))?;
        Ok(claimed.rows_affected() > 0)
    }

    /// Forgets which batches were added long ago; how many.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn forget_writes(&self) -> Result<u64> {
        let until = instant::earlier(self.db.now(), REMEMBERED);
        let forgotten = self
            .db
            .write()
            .execute_raw(statement(
                self.db.engine(),
                "DELETE FROM series_writes WHERE at < $1",
                [until.into()],
            ))
            .await
            .map_err(failed("forget what was added"))?;
        Ok(forgotten.rows_affected())
    }
}

fn as_json((project, plugin, counts): &(Uuid, &str, &SeriesCounts)) -> serde_json::Value {
    let mut row = vec![json!(project.simple().to_string()), json!(plugin)];
    row.extend(counts.members().map(|count| json!(super::stored(count))));
    row.into()
}
