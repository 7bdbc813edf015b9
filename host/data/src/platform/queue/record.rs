//! An item of the queue as others see it.

use super::{
    super::{entity::queue_item::Model, failure::corrupt, instant},
    Lane,
};
use atlashub_core::{ItemId, PluginName, ProjectId, RequestId, Result, WorkerId};
use std::time::Duration;
use time::OffsetDateTime;
use uuid::Uuid;

/// What sort of work an item is. Kinds that a later version wrote are
/// [`Other`](Self::Other), and left to nodes that know them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ItemKind {
    /// An event to be handed to a subscriber.
    Event,
    /// A mail to be sent.
    Mail,
    /// A job that a plugin does.
    Job,
    /// A job that the platform does for a plugin.
    Platform,
    /// Something that this version does not know.
    Other(String),
}

impl ItemKind {
    /// The kind as it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Event => "event",
            Self::Mail => "mail",
            Self::Job => "job",
            Self::Platform => "platform",
            Self::Other(kind) => kind,
        }
    }

    /// The kind of that name, as it is stored.
    #[must_use]
    pub fn of_name(kind: &str) -> Self {
        match kind {
            "event" => Self::Event,
            "mail" => Self::Mail,
            "job" => Self::Job,
            "platform" => Self::Platform,
            _ => Self::Other(kind.to_owned()),
        }
    }
}

/// Where an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ItemState {
    /// Behind another of its ordering key.
    Waiting,
    /// May be taken.
    Ready,
    /// Due later: delayed, or to be tried again.
    Scheduled,
    /// Its consumer is not there to take it; looked at again when due.
    Held,
    /// Somebody works on it.
    Running,
    /// Done.
    Done,
    /// Given up.
    Dead,
    /// Taken back before it was done.
    Cancelled,
}

impl ItemState {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Waiting,
        Self::Ready,
        Self::Scheduled,
        Self::Held,
        Self::Running,
        Self::Done,
        Self::Dead,
        Self::Cancelled,
    ];

    /// The state as it is stored and named in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Scheduled => "scheduled",
            Self::Held => "held",
            Self::Running => "running",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing follows, unless an admin wants it to.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Dead | Self::Cancelled)
    }

    /// The state of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// Why a try failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkFailure {
    /// A stable code.
    pub code: String,
    /// What happened, for people.
    pub message: String,
}

/// The right to say what came of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The item.
    pub item: ItemId,
    /// The number of its taking.
    pub fence: i64,
}

/// How a job is tried, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobWork {
    /// How long an attempt may take.
    pub timeout: Duration,
    /// The wait after the first attempt; it doubles with each.
    pub backoff: Duration,
    /// The time of a schedule that it is for.
    pub tick: Option<Tick>,
}

/// A time of a schedule, whose id is the subject of the item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The schedule's name.
    pub schedule: String,
    /// When it was due.
    pub due_at: OffsetDateTime,
}

/// A piece of work.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueItem {
    /// Its id.
    pub id: ItemId,
    /// Its place: within an ordering key, and in lists.
    pub seq: i64,
    /// The project.
    pub project: ProjectId,
    /// What sort of work it is.
    pub kind: ItemKind,
    /// The plugin that does it.
    pub consumer: PluginName,
    /// What is to be done: of an event, its full name.
    pub name: String,
    /// The plugin that asked for it.
    pub source: Option<PluginName>,
    /// What it is about: of an event, its id.
    pub subject: Uuid,
    /// The request in which it was asked for.
    pub request: Option<RequestId>,
    /// What to do it with, JSON; empty once it is done.
    pub payload: String,
    /// Items with the same key are worked on in order, one at a time.
    pub ordering_key: Option<String>,
    /// At most one open item has this key.
    pub unique_key: Option<String>,
    /// Within a project, lower numbers go first.
    pub priority: i64,
    /// How many pieces of work led to this one, each asked for in the one
    /// before.
    pub hops: u8,
    /// Of a job, how it is tried.
    pub job: Option<JobWork>,
    /// Where it stands.
    pub state: ItemState,
    /// When it may be taken.
    pub due_at: OffsetDateTime,
    /// The number of the last try.
    pub attempt: u32,
    /// Tries after which it is given up.
    pub max_attempts: u32,
    /// The number of its last taking.
    pub fence: i64,
    /// Who took it last.
    pub worker: Option<WorkerId>,
    /// When the lease on it runs out.
    pub lease_until: Option<OffsetDateTime>,
    /// How far the work is, percent.
    pub progress: Option<u8>,
    /// How far it is, in words.
    pub progress_note: Option<String>,
    /// Why the last try failed.
    pub failure: Option<WorkFailure>,
    /// When it was added.
    pub created_at: OffsetDateTime,
    /// When the last try began.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
}

impl QueueItem {
    /// The lease of who took it last.
    #[must_use]
    pub fn lease(&self) -> Lease {
        Lease {
            item: self.id,
            fence: self.fence,
        }
    }
}

/// The lane of a row, if it has an ordering key.
pub(super) fn lane(row: &Model) -> Option<Lane> {
    Some(Lane {
        project: row.project_id,
        consumer: row.consumer.clone(),
        key: row.ordering_key.clone()?,
    })
}

/// What a row says of a job.
fn job(row: &Model) -> Result<Option<JobWork>> {
    let time = |stored: i64| Duration::from_millis(u64::try_from(stored).unwrap_or(0));
    let (Some(timeout), Some(backoff)) = (row.timeout_ms, row.backoff_ms) else {
        return Ok(None);
    };
    let tick = match (&row.schedule, row.tick_at) {
        (Some(schedule), Some(due_at)) => Some(Tick {
            schedule: schedule.clone(),
            due_at: instant::from_micros(due_at)?,
        }),
        _ => None,
    };
    Ok(Some(JobWork {
        timeout: time(timeout),
        backoff: time(backoff),
        tick,
    }))
}

pub(super) fn record(row: Model) -> Result<QueueItem> {
    Ok(QueueItem {
        job: job(&row)?,
        id: ItemId::from_uuid(row.id),
        seq: row.seq,
        project: ProjectId::from_uuid(row.project_id),
        kind: ItemKind::of_name(&row.kind),
        consumer: row.consumer.parse()?,
        name: row.name,
        source: row.source.map(|source| source.parse()).transpose()?,
        subject: row.subject,
        request: row.request_id.map(RequestId::from_uuid),
        payload: row.payload,
        ordering_key: row.ordering_key,
        unique_key: row.unique_key,
        priority: row.priority,
        hops: u8::try_from(row.hops).unwrap_or(u8::MAX),
        state: ItemState::parse(&row.state)
            .ok_or_else(|| corrupt("state of a queue item")(row.state.into()))?,
        due_at: instant::from_micros(row.due_at)?,
        attempt: count(row.attempt),
        max_attempts: count(row.max_attempts),
        fence: row.fence,
        worker: row.worker.map(WorkerId::from_uuid),
        lease_until: instant::from_micros_opt(row.lease_until)?,
        progress: row.progress.and_then(|progress| progress.try_into().ok()),
        progress_note: row.progress_note,
        failure: row.error_code.map(|code| WorkFailure {
            code,
            message: row.error_message.unwrap_or_default(),
        }),
        created_at: instant::from_micros(row.created_at)?,
        started_at: instant::from_micros_opt(row.started_at)?,
        finished_at: instant::from_micros_opt(row.finished_at)?,
    })
}

fn count(stored: i64) -> u32 {
    u32::try_from(stored).unwrap_or(0)
}
