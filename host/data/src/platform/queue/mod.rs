//! The queue: work for plugins that outlives a request and a process.
//!
//! Delivery is at least once. Who takes an item holds a lease on it; with each
//! taking its fence grows, and only the holder of the last fence, before the
//! lease runs out, says what came of it. Items with the same ordering key (of
//! one consumer in one project) are worked on one at a time in the order of
//! their `seq`: the first is `ready`, those behind it are `waiting`, and the
//! end of one readies the next. A lock per key makes that hold on Postgres;
//! SQLite has one writer.
//!
//! Taking is fair between projects: see [`Queue::projects_with_work`]. What
//! an item means, how often it is tried, how long one waits between tries and
//! how much may be in the queue is for others.

mod complete;
mod enqueue;
mod finish;
mod oversee;
mod record;
mod sweep;
mod take;

pub use enqueue::{Enqueued, NewItem};
pub use finish::Outcome;
pub use oversee::{Backlog, ItemFilter, QueueCounts};
pub use record::{ItemKind, ItemState, JobWork, Lease, QueueItem, Tick, WorkFailure};
pub use sweep::Retention;

use super::{
    Engine, Unit,
    failure::failed,
    unit::{Db, statement},
};
use atlashub_core::Result;
use sea_orm::ConnectionTrait as _;
use uuid::Uuid;

/// Work that plugins are to do.
pub struct Queue<'a> {
    db: Db<'a>,
}

impl<'a> Queue<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }
}

/// What is worked on one at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Lane {
    project: Uuid,
    consumer: String,
    key: String,
}

/// Until the unit ends, nobody else adds to `lane` or ends an item of it.
async fn lock(unit: &Unit, lane: &Lane) -> Result<()> {
    if unit.engine() == Engine::Sqlite {
        return Ok(());
    }
    let name = format!("{} {} {}", lane.project, lane.consumer, lane.key);
    unit.executor()
        .query_one_raw(statement(
            unit.engine(),
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 4711046014))",
            [name.into()],
        ))
        .await
        .map_err(failed("lock an ordering key of the queue"))?;
    Ok(())
}

/// The text for one engine: rows that somebody else is taking are passed by.
fn skipping(engine: Engine, sqlite: &'static str, postgres: &'static str) -> &'static str {
    match engine {
        Engine::Sqlite => sqlite,
        Engine::Postgres => postgres,
    }
}

/// Writes a statement once for both engines; `{skip}` stands for
/// `FOR UPDATE SKIP LOCKED` where there is such a thing.
macro_rules! on_both {
    ($engine:expr, $before:literal, skip, $after:literal) => {
        $crate::platform::queue::skipping(
            $engine,
            concat!($before, " ", $after),
            concat!($before, " FOR UPDATE SKIP LOCKED ", $after),
        )
    };
}
use on_both;
