//! What projects did over time: counts that are added up, and levels.
//!
//! Each thing that was counted is in one row only: in that of its minute
//! first, later in that of its hour, at last in that of its day. So a sum over
//! any range is right whatever has been folded, and any number of nodes may
//! write, fold and remove at once. Sums over all projects are kept as rows of
//! a project whose id is nil. What is worth counting is left to others.

mod add;
mod columns;
mod fold;
mod levels;
mod read;

pub use levels::Level;
pub use read::{PointOfUse, SeriesPoint, SeriesRange};

use super::{
    changes::uuid,
    failure::failed,
    unit::{Db, statement},
};
use atlashub_core::{PluginName, ProjectId, Result};
use sea_orm::{ConnectionTrait as _, Value};
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// Buckets of latencies.
pub const LATENCY_BUCKETS: usize = 16;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const MICROS: i64 = 1_000_000;

/// What happened in one plugin of one project.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeriesCounts {
    /// Requests.
    pub requests: u64,
    /// Of those, answered with 400 to 499.
    pub client_errors: u64,
    /// Of those, answered with 500 or above.
    pub server_errors: u64,
    /// Bytes of answers.
    pub bytes_out: u64,
    /// Items of the queue that were done.
    pub jobs_done: u64,
    /// Items of the queue that were given up.
    pub jobs_failed: u64,
    /// Requests by latency; what the buckets are is for the caller.
    pub latency: [u64; LATENCY_BUCKETS],
}

impl SeriesCounts {
    /// Adds what `other` counted.
    pub fn add(&mut self, other: &Self) {
        let own = self.members_mut();
        for (own, other) in own.into_iter().zip(other.members()) {
            *own = own.saturating_add(other);
        }
    }

    /// In the order of the columns.
    fn members(&self) -> impl Iterator<Item = u64> {
        let Self {
            requests,
            client_errors,
            server_errors,
            bytes_out,
            jobs_done,
            jobs_failed,
            latency,
        } = *self;
        [
            requests,
            client_errors,
            server_errors,
            bytes_out,
            jobs_done,
            jobs_failed,
        ]
        .into_iter()
        .chain(latency)
    }

    fn members_mut(&mut self) -> impl IntoIterator<Item = &mut u64> {
        let Self {
            requests,
            client_errors,
            server_errors,
            bytes_out,
            jobs_done,
            jobs_failed,
            latency,
        } = self;
        [
            requests,
            client_errors,
            server_errors,
            bytes_out,
            jobs_done,
            jobs_failed,
        ]
        .into_iter()
        .chain(latency)
    }
}

/// What is to be added for one plugin of one project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesRow {
    /// The project.
    pub project: ProjectId,
    /// The plugin; none for what no plugin answered.
    pub plugin: Option<PluginName>,
    /// What happened.
    pub counts: SeriesCounts,
}

/// What one node counted in one minute, to be added once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesBatch {
    /// Tells it from others: a batch that is sent again is not added again.
    pub id: Uuid,
    /// A moment of the minute.
    pub at: OffsetDateTime,
    /// The rows, each plugin of a project once at most.
    pub rows: Vec<SeriesRow>,
}

/// What projects did over time.
pub struct Series<'a> {
    db: Db<'a>,
}

impl<'a> Series<'a> {
    /// How long minutes are kept apart, at least.
    pub const KEEP_MINUTES: Duration = Duration::from_secs(24 * 3_600);
    /// How long hours are kept apart, at least.
    pub const KEEP_HOURS: Duration = Duration::from_secs(30 * 24 * 3_600);
    /// How long days are kept, at least.
    pub const KEEP_DAYS: Duration = Duration::from_secs(400 * 24 * 3_600);

    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Removes all that is known of a project.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn delete_all(&self, project: ProjectId) -> Result<()> {
        for sql in [
            "DELETE FROM series WHERE project_id = $1",
            "DELETE FROM series_levels WHERE project_id = $1",
        ] {
            let values = [Value::from(uuid(project))];
            self.db
                .write()
                .execute_raw(statement(self.db.engine(), sql, values))
                .await
                .map_err(failed("delete what a project did"))?;
        }
        Ok(())
    }
}

/// Whose rows: a project's, or those that sum up all.
fn owner(project: Option<ProjectId>) -> Value {
    Value::from(project.map_or_else(Uuid::nil, uuid))
}

/// The beginning of the step in which a stored time lies.
fn floor(micros: i64, step: i64) -> i64 {
    micros - micros.rem_euclid(step * MICROS)
}

/// A count as it is stored.
fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
