//! Folding minutes into hours and hours into days, and removing days that are
//! old. One project and one hour, or day, at a time, so that nobody waits
//! for it.

use super::{
    super::{
        Engine, Unit,
        failure::failed,
        instant,
        unit::{dynamic, statement},
    },
    DAY, HOUR, MICROS, MINUTE, Series,
    columns::{ADDED, NAMES, SUMS},
    floor,
};
use atlashub_core::Result;
use sea_orm::{ConnectionTrait as _, Value};
use std::sync::LazyLock;
use uuid::Uuid;

/// Projects' hours or days that are folded in one go.
const AT_ONCE: usize = 4_000;
/// Rows removed by one statement.
const REMOVED: i64 = 1_000;

/// Rows of `$1` with the step `$2` in `$3..$4`, as one row of the step `$5`
/// for each plugin.
fn folded(from: &str) -> String {
    let condition = match from {
        "series" => " WHERE project_id = $1 AND step = $2 AND at >= $3 AND at < $4",
        _ => "",
    };
    format!(
        "INSERT INTO series (project_id, at, step, plugin, {}) \
         SELECT project_id, $3, $5, plugin, {} FROM {from}{condition} \
         GROUP BY project_id, plugin {}",
        *NAMES, *SUMS, *ADDED
    )
}

const GONE: &str =
    "DELETE FROM series WHERE project_id = $1 AND step = $2 AND at >= $3 AND at < $4";

static ON_SQLITE: LazyLock<String> = LazyLock::new(|| folded("series"));

/// What is added is what was removed, even when it grows meanwhile.
static ON_POSTGRES: LazyLock<String> =
    LazyLock::new(|| format!("WITH gone AS ({GONE} RETURNING *) {}", folded("gone")));

impl Series<'_> {
    /// Folds minutes and hours that are older than they are kept apart, and
    /// removes days older than they are kept. Answers how many hours and days
    /// of projects were folded.
    ///
    /// # Errors
    /// When the database cannot; what was folded before stays so.
    pub async fn fold(&self) -> Result<u64> {
        let now = self.db.now();
        let minutes = floor(instant::earlier(now, Self::KEEP_MINUTES), HOUR) - HOUR * MICROS;
        let hours = floor(instant::earlier(now, Self::KEEP_HOURS), DAY) - DAY * MICROS;
        let mut folded = 0;
        for (step, into, before) in [(MINUTE, HOUR, minutes), (HOUR, DAY, hours)] {
            for _ in 0..AT_ONCE {
                let Some((project, at)) = self.oldest(step, before).await? else {
                    break;
                };
                let unit = self.db.begin().await?;
                fold(&unit, project, step, floor(at, into), into).await?;
                unit.commit().await?;
                folded += 1;
            }
        }
        self.remove_days(floor(instant::earlier(now, Self::KEEP_DAYS), DAY))
            .await?;
        Ok(folded)
    }

    /// A row of `step` that is older than `before`.
    async fn oldest(&self, step: i64, before: i64) -> Result<Option<(Uuid, i64)>> {
        let context = failed("look for what is to be folded");
        let row = self
            .db
            .write()
            .query_one_raw(statement(
                self.db.engine(),
                "SELECT project_id, at FROM series WHERE step = $1 AND at < $2 \
                 ORDER BY step, at LIMIT 1",
                [Value::from(step), before.into()],
            ))
            .await
            .map_err(&context)?;
        row.map(|row| Ok((row.try_get("", "project_id")?, row.try_get("", "at")?)))
            .transpose()
            .map_err(context)
    }

    async fn remove_days(&self, before: i64) -> Result<()> {
        loop {
            let removed = self
                .db
                .write()
                .execute_raw(statement(
                    self.db.engine(),
                    "DELETE FROM series WHERE (project_id, at, step, plugin) IN \
                     (SELECT project_id, at, step, plugin FROM series \
                     WHERE step = 86400 AND at < $1 LIMIT $2)",
                    [Value::from(before), REMOVED.into()],
                ))
                .await
                .map_err(failed("remove old days"))?;
            if removed.rows_affected() < REMOVED.unsigned_abs() {
                return Ok(());
            }
        }
    }
}

async fn fold(unit: &Unit, project: Uuid, step: i64, at: i64, into: i64) -> Result<()> {
    let context = failed("fold what was counted");
    let until = at + into * MICROS;
    let rows = [
        Value::from(project),
        step.into(),
        at.into(),
        until.into(),
        into.into(),
    ];
    let sql = match unit.engine() {
        Engine::Sqlite => ON_SQLITE.as_str(),
        Engine::Postgres => ON_POSTGRES.as_str(),
    };
    unit.executor()
        .execute_raw(dynamic(unit.engine(), sql, rows.clone()))
        .await
        .map_err(&context)?;
    if unit.engine() == Engine::Sqlite {
        let rows = rows.into_iter().take(4);
        unit.executor()
            .execute_raw(statement(unit.engine(), GONE, rows))
            .await
            .map_err(&context)?;
    }
    Ok(())
}
