//! The clock of a connection: SQLite looks at it every few hundred steps of
//! its machine, and stops what takes too long or is waited for no more, and
//! what grows beyond all bounds: sorted rows and tables that a statement makes
//! for itself are kept in memory.

use super::error::Failure;
use parking_lot::Mutex;
use rusqlite::ffi;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Looks that a run on an asynchronous thread has in any case, and how far
/// beyond its time it may go for them: on a full machine a thread waits for a
/// processor for longer than a quick statement takes.
const LOOKS_INLINE: u32 = 40;
const GRACE_INLINE: Duration = Duration::from_millis(20);

/// How much more memory SQLite may hold than when a run began, bytes. What
/// others hold counts, too: a run that is stopped for it is one of those that
/// go on while memory grows.
const MAX_GROWTH: i64 = 256 * 1024 * 1024;

/// Set to end a statement that nobody waits for any more.
pub(super) type Cancel = Arc<AtomicBool>;

/// How long a run may take, and what ends it early.
pub(super) struct Run {
    /// The most time that it may take.
    pub(super) time: Duration,
    /// Ends it when set.
    pub(super) cancel: Option<Cancel>,
    /// Whether it holds an asynchronous thread.
    pub(super) inline: bool,
}

/// The clock of one connection.
#[derive(Default)]
pub(super) struct Watch {
    running: Mutex<Option<Watched>>,
    /// Whether the last run was stopped for its memory.
    grew: AtomicBool,
}

struct Watched {
    end: Instant,
    cancel: Option<Cancel>,
    /// Looks that are still to come before the time counts.
    looks: u32,
    /// What SQLite held when it began, bytes.
    held: i64,
}

/// What SQLite holds in this process, bytes.
fn held() -> i64 {
    // SAFETY: it may be asked at any time, and by any thread.
    unsafe { ffi::sqlite3_memory_used() }
}

impl Watch {
    /// Starts the clock for a run of statements.
    pub(super) fn start(&self, run: Run) {
        self.grew.store(false, Ordering::Relaxed);
        *self.running.lock() = Some(Watched {
            held: held(),
            end: Instant::now() + run.time,
            cancel: run.cancel,
            looks: if run.inline { LOOKS_INLINE } else { 0 },
        });
    }

    /// Stops it: what follows takes the time that it takes.
    pub(super) fn end(&self) {
        *self.running.lock() = None;
    }

    /// What stopped a run, in place of the mere fact that it was stopped.
    pub(super) fn explain(&self, failure: Failure) -> Failure {
        if failure.is_interrupt() && self.grew.load(Ordering::Relaxed) {
            return Failure::new(ffi::SQLITE_NOMEM, "out of memory");
        }
        failure
    }

    /// Whether the run has to end. Asked at every look.
    pub(super) fn says_stop(&self) -> bool {
        let mut running = self.running.lock();
        let Some(run) = &mut *running else {
            return false;
        };
        run.looks = run.looks.saturating_sub(1);
        let cancelled = run.cancel.as_ref();
        if cancelled.is_some_and(|cancel| cancel.load(Ordering::Relaxed)) {
            return true;
        }
        if held().saturating_sub(run.held) > MAX_GROWTH {
            self.grew.store(true, Ordering::Relaxed);
            return true;
        }
        let late = Instant::now().checked_duration_since(run.end);
        late.is_some_and(|late| run.looks == 0 || late > GRACE_INLINE)
    }
}
