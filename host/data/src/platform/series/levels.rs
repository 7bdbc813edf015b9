//! What was there at a moment: bytes in storage and open work of the queue. A
//! level is written when it differs from the last, and holds until the next.

use super::{
    super::{failure::failed, instant, unit::statement},
    DAY, HOUR, MICROS, Series, SeriesRange, floor, owner,
};
use atlashub_core::{ProjectId, Result};
use sea_orm::{ConnectionTrait as _, Value};
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// How far back levels are looked at that are to be thinned out: longer than
/// an installation is off, as a rule.
const LOOKED_BACK: Duration = Duration::from_secs(14 * 24 * 3_600);

/// What was there from a moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// The moment.
    pub at: OffsetDateTime,
    /// Bytes in storage, those set aside included.
    pub storage_bytes: u64,
    /// Items of the queue that were open.
    pub jobs_waiting: u64,
}

/// `$1` is the moment, `$2` the id under which all are summed up.
const SAMPLE: &str = "WITH counted AS (SELECT u.project_id, u.used_bytes AS bytes, \
     coalesce(q.items, 0) AS items FROM storage_usage AS u LEFT JOIN \
     (SELECT project_id, count(*) AS items FROM queue_items WHERE finished_at IS NULL \
     GROUP BY project_id) AS q ON q.project_id = u.project_id), \
     seen AS (SELECT project_id, bytes, items FROM counted UNION ALL \
     SELECT $2, CAST(coalesce(sum(bytes), 0) AS BIGINT), \
     CAST(coalesce(sum(items), 0) AS BIGINT) FROM counted) \
     INSERT INTO series_levels (project_id, at, storage_bytes, jobs_waiting) \
     SELECT s.project_id, $1, s.bytes, s.items FROM seen AS s \
     LEFT JOIN series_levels AS l ON l.project_id = s.project_id AND l.at = \
     (SELECT max(at) FROM series_levels WHERE project_id = s.project_id) \
     WHERE s.bytes <> coalesce(l.storage_bytes, 0) OR s.items <> coalesce(l.jobs_waiting, 0) \
     ON CONFLICT (project_id, at) DO NOTHING";

/// Of the levels in `$1..$2` the last of each step of `$3` stays.
const THIN: &str = "DELETE FROM series_levels WHERE at >= $1 AND at < $2 AND EXISTS \
     (SELECT 1 FROM series_levels AS later WHERE later.project_id = series_levels.project_id \
     AND later.at > series_levels.at \
     AND later.at < series_levels.at - series_levels.at % $3 + $3)";

/// What holds still is not removed, however old it is.
const REMOVE: &str = "DELETE FROM series_levels WHERE at < $1 AND EXISTS \
     (SELECT 1 FROM series_levels AS later WHERE later.project_id = series_levels.project_id \
     AND later.at > series_levels.at AND later.at <= $1)";

impl Series<'_> {
    /// Writes down the levels that have changed; how many. Of all calls with
    /// the same `turn` one does so.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn sample(&self, turn: Uuid) -> Result<u64> {
        let unit = self.db.begin().await?;
        if !self.claim(&unit, turn).await? {
            return Ok(0);
        }
        let sampled = unit
            .executor()
            .execute_raw(statement(
                unit.engine(),
                SAMPLE,
                [Value::from(unit.now()), owner(None)],
            ))
            .await
            .map_err(failed("sample levels"))?;
        unit.commit().await?;
        Ok(sampled.rows_affected())
    }

    /// The levels of a project, or of all together, in a range, oldest first.
    /// The first of them may lie before it, and holds where it begins.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn levels(
        &self,
        project: Option<ProjectId>,
        range: SeriesRange,
    ) -> Result<Vec<Level>> {
        let context = failed("read levels");
        let values = [
            owner(project),
            instant::to_micros(range.from).into(),
            instant::to_micros(range.to).into(),
        ];
        let rows = self
            .db
            .read()
            .query_all_raw(statement(
                self.db.engine(),
                "SELECT at, storage_bytes, jobs_waiting FROM series_levels \
                 WHERE project_id = $1 AND at < $3 AND at >= coalesce((SELECT max(at) \
                 FROM series_levels WHERE project_id = $1 AND at <= $2), $2) ORDER BY at",
                values,
            ))
            .await
            .map_err(&context)?;
        rows.iter()
            .map(|row| {
                let read = |column| row.try_get::<i64>("", column).map_err(&context);
                Ok(Level {
                    at: instant::from_micros(read("at")?)?,
                    storage_bytes: instant::from_bytes(read("storage_bytes")?),
                    jobs_waiting: instant::from_bytes(read("jobs_waiting")?),
                })
            })
            .collect()
    }

    /// Thins old levels out: one an hour after a day, one a day after a month,
    /// none after what days are kept but the last. Answers how many went.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn thin_levels(&self) -> Result<u64> {
        let now = self.db.now();
        let mut gone = 0;
        for (step, keep) in [(HOUR, Self::KEEP_MINUTES), (DAY, Self::KEEP_HOURS)] {
            let until = floor(instant::earlier(now, keep), step);
            let from = instant::earlier(until, LOOKED_BACK);
            let values = [Value::from(from), until.into(), (step * MICROS).into()];
            gone += self.run(THIN, values).await?;
        }
        let old = instant::earlier(now, Self::KEEP_DAYS);
        gone += self.run(REMOVE, [Value::from(old)]).await?;
        Ok(gone)
    }

    async fn run(&self, sql: &'static str, values: impl IntoIterator<Item = Value>) -> Result<u64> {
        self.db
            .write()
            .execute_raw(statement(self.db.engine(), sql, values))
            .await
            .map(|result| result.rows_affected())
            .map_err(failed("thin levels out"))
    }
}
