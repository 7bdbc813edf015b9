//! Reading what was counted.

use super::{
    super::{changes::uuid, failure::failed, instant, unit::dynamic},
    Series, SeriesCounts,
    columns::{COLUMNS, SUMS},
    owner,
};
use atlashub_core::{PluginName, ProjectId, Result};
use sea_orm::{ConnectionTrait as _, DbErr, QueryResult, Value};
use std::{fmt::Write as _, sync::LazyLock, time::Duration};
use time::OffsetDateTime;
use uuid::Uuid;

/// A time, cut into steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesRange {
    /// Where the first step begins: a multiple of `step` since 1970.
    pub from: OffsetDateTime,
    /// Where the last ends.
    pub to: OffsetDateTime,
    /// How long a step is.
    pub step: Duration,
}

/// What happened in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesPoint {
    /// Its beginning.
    pub at: OffsetDateTime,
    /// What happened.
    pub counts: SeriesCounts,
}

/// What happened to one project in one step, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PointOfUse {
    /// The project.
    pub project: ProjectId,
    /// The beginning of the step.
    pub at: OffsetDateTime,
    /// Requests.
    pub requests: u64,
    /// Of those, answered with 500 or above.
    pub server_errors: u64,
}

static OF_ONE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT at - at % $4 AS began, {} FROM series \
         WHERE project_id = $1 AND at >= $2 AND at < $3 GROUP BY began ORDER BY began",
        *SUMS
    )
});

static OF_ONE_PLUGIN: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT at - at % $4 AS began, {} FROM series \
         WHERE project_id = $1 AND at >= $2 AND at < $3 AND plugin = $5 \
         GROUP BY began ORDER BY began",
        *SUMS
    )
});

impl Series<'_> {
    /// What happened in a project, or in all; in all its plugins, or in one.
    /// Steps in which nothing did are left out.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn read(
        &self,
        project: Option<ProjectId>,
        plugin: Option<&PluginName>,
        range: SeriesRange,
    ) -> Result<Vec<SeriesPoint>> {
        let context = failed("read what was counted");
        let mut values = vec![owner(project)];
        values.extend(bounds(range));
        let sql = match plugin {
            Some(plugin) => {
                values.push(plugin.as_str().into());
                &OF_ONE_PLUGIN
            }
            None => &OF_ONE,
        };
        let rows = self
            .db
            .read()
            .query_all_raw(dynamic(self.db.engine(), sql, values))
            .await
            .map_err(&context)?;
        rows.iter()
            .map(|row| {
                Ok(SeriesPoint {
                    at: instant::from_micros(row.try_get("", "began").map_err(&context)?)?,
                    counts: counts(row).map_err(&context)?,
                })
            })
            .collect()
    }

    /// What happened to each of some projects, in short. Steps in which
    /// nothing did are left out.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn uses(
        &self,
        projects: &[ProjectId],
        range: SeriesRange,
    ) -> Result<Vec<PointOfUse>> {
        if projects.is_empty() {
            return Ok(Vec::new());
        }
        let context = failed("read what was counted");
        let mut values: Vec<Value> = bounds(range).collect();
        let mut sql = String::from(
            "SELECT project_id, at - at % $3 AS began, \
             CAST(sum(requests) AS BIGINT) AS requests, \
             CAST(sum(server_errors) AS BIGINT) AS server_errors FROM series \
             WHERE at >= $1 AND at < $2 AND project_id IN (",
        );
        for (place, project) in projects.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(sql, "{comma}${}", place + 4).unwrap_or_default();
            values.push(uuid(*project).into());
        }
        sql.push_str(") GROUP BY project_id, began ORDER BY project_id, began");
        let rows = self
            .db
            .read()
            .query_all_raw(dynamic(self.db.engine(), &sql, values))
            .await
            .map_err(&context)?;
        rows.iter()
            .map(|row| {
                let read = |column| row.try_get::<i64>("", column).map_err(&context);
                let project: Uuid = row.try_get("", "project_id").map_err(&context)?;
                Ok(PointOfUse {
                    project: ProjectId::from_uuid(project),
                    at: instant::from_micros(read("began")?)?,
                    requests: instant::from_bytes(read("requests")?),
                    server_errors: instant::from_bytes(read("server_errors")?),
                })
            })
            .collect()
    }
}

/// From, to, step, as they are stored.
pub(super) fn bounds(range: SeriesRange) -> impl Iterator<Item = Value> {
    let step = i64::try_from(range.step.as_micros()).unwrap_or(i64::MAX);
    [
        instant::to_micros(range.from),
        instant::to_micros(range.to),
        step.max(1),
    ]
    .into_iter()
    .map(Value::from)
}

fn counts(row: &QueryResult) -> Result<SeriesCounts, DbErr> {
    let mut counts = SeriesCounts::default();
    for (member, column) in counts.members_mut().into_iter().zip(COLUMNS) {
        *member = instant::from_bytes(row.try_get("", column)?);
    }
    Ok(counts)
}
