//! Open connections, kept for the next caller: a few per plugin, a bounded
//! number over all of them.
//!
//! Each place (a plugin's schema, or a side of a project's own tables) has
//! two lanes, one for reading and one for writing, and a
//! fair queue before each: a lane of one connection is how writers of one
//! SQLite file wait for each other without polling. Nothing is opened until
//! it is used. When the bound over all plugins is reached, the connection
//! whose plugin has been quiet for longest is closed; what has been idle for
//! a while is closed by a task that lives as long as the pool.
//!
//! How a connection is opened, and what it can do, is the engine's business.

use super::{Options, busy};
use atlashub_core::{Error, ProjectId, Result, capability::PluginScope};
use parking_lot::{Mutex, RwLock};
use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What the pool must know of a connection.
pub(super) trait Pooled: Send + 'static {
    /// Brings it back to the state in which it was opened; `false` when it
    /// has to be closed instead.
    fn renew(&mut self) -> bool;
}

/// What a connection reaches.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// The schema of a plugin.
    Plugin(PluginScope),
    /// The project's own tables.
    Public(ProjectId, Side),
}

/// With whose rights the project's own tables are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Side {
    /// Those of callers whom row policies bind.
    Bound,
    /// Every row.
    Service,
    /// Tables, too: the host, at an admin's word.
    Owner,
}

impl Place {
    /// The project.
    pub(super) fn project(&self) -> ProjectId {
        match self {
            Self::Plugin(scope) => scope.project,
            Self::Public(project, _) => *project,
        }
    }
}

impl From<&PluginScope> for Place {
    fn from(scope: &PluginScope) -> Self {
        Self::Plugin(scope.clone())
    }
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Reading only.
    Read,
    /// Reading and writing.
    Write,
}

/// The connections to every place of every project.
pub(super) struct Pool<C: Pooled> {
    shared: Arc<Shared<C>>,
}

struct Shared<C: Pooled> {
    groups: RwLock<HashMap<Place, Arc<Group<C>>>>,
    slots: Arc<Semaphore>,
    /// How many wait for a slot: what comes free is theirs.
    waiting: AtomicUsize,
    readers: u32,
    writers: u32,
    idle_time: Duration,
    queue_time: Duration,
    started: Instant,
    sweeping: AtomicBool,
}

struct Group<C: Pooled> {
    read: Lane<C>,
    write: Lane<C>,
    last_used: AtomicU64,
    closed: AtomicBool,
}

struct Lane<C: Pooled> {
    turns: Arc<Semaphore>,
    idle: Mutex<Vec<Idle<C>>>,
}

struct Idle<C> {
    connection: C,
    slot: OwnedSemaphorePermit,
    since: u64,
}

impl<C: Pooled> Group<C> {
    fn lane(&self, purpose: Purpose) -> &Lane<C> {
        match purpose {
            Purpose::Read => &self.read,
            Purpose::Write => &self.write,
        }
    }
}

impl<C: Pooled> Lane<C> {
    fn new(limit: u32) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(limit as usize)),
            idle: Mutex::new(Vec::new()),
        }
    }
}

/// The right to use one connection. It goes back to the pool when dropped.
pub(super) struct Lease<C: Pooled> {
    /// The connection; none when it has still to be opened.
    pub(super) connection: Option<C>,
    slot: Option<OwnedSemaphorePermit>,
    purpose: Purpose,
    group: Arc<Group<C>>,
    shared: Arc<Shared<C>>,
    _turn: OwnedSemaphorePermit,
}

impl<C: Pooled> Drop for Lease<C> {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        // A slot in a connection that rests would help nobody who waits for one.
        let keep = connection.renew() && self.shared.waiting.load(Ordering::SeqCst) == 0;
        let Some(slot) = self.slot.take() else { return };
        let since = self.shared.now();
        if keep {
            let mut idle = self.group.lane(self.purpose).idle.lock();
            // Checked under the lock under which closing empties the lane.
            if !self.group.closed.load(Ordering::Acquire) {
                idle.push(Idle {
                    connection,
                    slot,
                    since,
                });
                return;
            }
        }
        discard(vec![Idle {
            connection,
            slot,
            since,
        }]);
    }
}

/// One who waits for a slot.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Closes connections away from the asynchronous threads: closing may write.
fn discard<C: Pooled>(connections: Vec<Idle<C>>) {
    if connections.is_empty() {
        return;
    }
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(move || drop(connections))),
        Err(_) => drop(connections),
    }
}

impl<C: Pooled> Pool<C> {
    /// A pool whose lanes hold up to `readers` and `writers` connections.
    pub(super) fn new(options: &Options, readers: u32, writers: u32) -> Self {
        Self {
            shared: Arc::new(Shared {
                groups: RwLock::new(HashMap::new()),
                slots: Arc::new(Semaphore::new(options.max_connections.max(1) as usize)),
                waiting: AtomicUsize::new(0),
                readers: readers.max(1),
                writers: writers.max(1),
                idle_time: options.idle_time,
                queue_time: options.queue_time,
                started: Instant::now(),
                sweeping: AtomicBool::new(false),
            }),
        }
    }

    /// An open connection that nobody uses and nobody waits for, at once.
    pub(super) fn try_idle(&self, place: &Place, purpose: Purpose) -> Option<Lease<C>> {
        let group = self.shared.groups.read().get(place).cloned()?;
        let lane = group.lane(purpose);
        let turn = lane.turns.clone().try_acquire_owned().ok()?;
        let idle = lane.idle.lock().pop()?;
        Some(self.shared.lease(group, purpose, turn, idle))
    }

    /// A connection, or the right to open one, in the order of asking.
    ///
    /// # Errors
    /// `sql_busy` when none comes free in time.
    pub(super) async fn acquire(&self, place: &Place, purpose: Purpose) -> Result<Lease<C>> {
        self.start_sweeping();
        let group = self.shared.group(place);
        let lane = group.lane(purpose);
        let waited =
            tokio::time::timeout(self.shared.queue_time, lane.turns.clone().acquire_owned());
        let turn = match waited.await {
            Ok(Ok(turn)) => turn,
            Ok(Err(_)) => return Err(busy("the tables are being removed")),
            Err(_) => {
                return Err(busy(
                    "the database is busy with other statements on these tables",
                ));
            }
        };
        let idle = lane.idle.lock().pop();
        if let Some(idle) = idle {
            return Ok(self.shared.lease(group, purpose, turn, idle));
        }
        let slot = self.slot().await?;
        Ok(Lease {
            connection: None,
            slot: Some(slot),
            purpose,
            group,
            shared: self.shared.clone(),
            _turn: turn,
        })
    }

    async fn slot(&self) -> Result<OwnedSemaphorePermit> {
        if let Ok(slot) = self.shared.slots.clone().try_acquire_owned() {
            return Ok(slot);
        }
        // First, so that what comes free from here on is not kept, and what has
        // come free before is found.
        let _waiting = Waiting::new(&self.shared.waiting);
        self.shared.evict();
        let waiting = self.shared.slots.clone().acquire_owned();
        match tokio::time::timeout(self.shared.queue_time, waiting).await {
            Ok(Ok(slot)) => Ok(slot),
            _ => Err(busy("too many database connections are in use")),
        }
    }

    /// Closes a plugin's connections and waits until none is in use.
    ///
    /// # Errors
    /// `sql_busy` when some are still in use after the queue time; asking
    /// again is safe.
    pub(super) async fn close(&self, place: &Place) -> Result<()> {
        let Some(group) = self.shared.groups.read().get(place).cloned() else {
            return Ok(());
        };
        group.closed.store(true, Ordering::Release);
        let mut open = std::mem::take(&mut *group.read.idle.lock());
        open.append(&mut group.write.idle.lock());
        let closing = tokio::task::spawn_blocking(move || drop(open));
        closing
            .await
            .map_err(|error| Error::internal("close database connections", error))?;
        let all = async {
            let read = group.read.turns.acquire_many(self.shared.readers).await;
            let write = group.write.turns.acquire_many(self.shared.writers).await;
            (read, write)
        };
        let Ok(turns) = tokio::time::timeout(self.shared.queue_time, all).await else {
            return Err(busy("the tables are still in use"));
        };
        // Closed while every turn is held here, so that nobody slips in.
        group.read.turns.close();
        group.write.turns.close();
        drop(turns);
        self.shared.groups.write().remove(place);
        Ok(())
    }

    /// Closes a plugin's idle connections, so that the next are new.
    pub(super) fn refresh(&self, place: &Place) {
        let Some(group) = self.shared.groups.read().get(place).cloned() else {
            return;
        };
        let mut open = std::mem::take(&mut *group.read.idle.lock());
        open.append(&mut group.write.idle.lock());
        discard(open);
    }

    /// [`Pool::close`] for every plugin of a project.
    pub(super) async fn close_project(&self, project: ProjectId) -> Result<()> {
        let places: Vec<Place> = self
            .shared
            .groups
            .read()
            .keys()
            .filter(|place| place.project() == project)
            .cloned()
            .collect();
        for place in places {
            self.close(&place).await?;
        }
        Ok(())
    }

    /// Connections that are open now.
    pub(super) fn open_connections(&self) -> usize {
        let groups = self.shared.groups.read();
        groups
            .values()
            .map(|group| {
                let in_use = |lane: &Lane<C>, limit: u32| {
                    (limit as usize).saturating_sub(lane.turns.available_permits())
                };
                group.read.idle.lock().len()
                    + group.write.idle.lock().len()
                    + in_use(&group.read, self.shared.readers)
                    + in_use(&group.write, self.shared.writers)
            })
            .sum()
    }

    /// Closes what has been idle for longer than `age`.
    pub(super) fn sweep(&self, age: Duration) {
        self.shared.sweep(age);
    }

    fn start_sweeping(&self) {
        if self.shared.sweeping.swap(true, Ordering::AcqRel) {
            return;
        }
        let weak: Weak<Shared<C>> = Arc::downgrade(&self.shared);
        let pause = (self.shared.idle_time / 4).max(Duration::from_millis(50));
        // Ends by itself once the pool is gone.
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(pause).await;
                let Some(shared) = weak.upgrade() else { return };
                shared.sweep(shared.idle_time);
            }
        });
    }
}

impl<C: Pooled> Shared<C> {
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn lease(
        self: &Arc<Self>,
        group: Arc<Group<C>>,
        purpose: Purpose,
        turn: OwnedSemaphorePermit,
        idle: Idle<C>,
    ) -> Lease<C> {
        group.last_used.store(self.now(), Ordering::Relaxed);
        Lease {
            connection: Some(idle.connection),
            slot: Some(idle.slot),
            purpose,
            group,
            shared: self.clone(),
            _turn: turn,
        }
    }

    fn group(&self, place: &Place) -> Arc<Group<C>> {
        if let Some(group) = self.groups.read().get(place) {
            return group.clone();
        }
        let fresh = || {
            Arc::new(Group {
                read: Lane::new(self.readers),
                write: Lane::new(self.writers),
                last_used: AtomicU64::new(self.now()),
                closed: AtomicBool::new(false),
            })
        };
        self.groups
            .write()
            .entry(place.clone())
            .or_insert_with(fresh)
            .clone()
    }

    /// Closes one idle connection of the plugin that was quiet for longest.
    fn evict(&self) {
        let quietest = {
            let groups = self.groups.read();
            groups
                .values()
                .filter(|group| {
                    !(group.read.idle.lock().is_empty() && group.write.idle.lock().is_empty())
                })
                .min_by_key(|group| group.last_used.load(Ordering::Relaxed))
                .cloned()
        };
        let Some(group) = quietest else { return };
        let mut taken = group.read.idle.lock().pop();
        if taken.is_none() {
            taken = group.write.idle.lock().pop();
        }
        if let Some(Idle {
            connection, slot, ..
        }) = taken
        {
            // The slot is free at once; the closing may take a moment longer.
            drop(slot);
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn_blocking(move || drop(connection))),
                Err(_) => drop(connection),
            }
        }
    }

    fn sweep(&self, age: Duration) {
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let limit = self.now().saturating_sub(age);
        let mut old = Vec::new();
        for group in self.groups.read().values() {
            for lane in [&group.read, &group.write] {
                old.extend(lane.idle.lock().extract_if(.., |idle| idle.since <= limit));
            }
        }
        discard(old);
        // Whoever uses a group holds a count of it, taken under this lock.
        self.groups.write().retain(|_, group| {
            Arc::strong_count(group) > 1
                || !group.read.idle.lock().is_empty()
                || !group.write.idle.lock().is_empty()
        });
    }
}
