//! Time that a guest uses: processor time, measured over the polls of its
//! future, and wall-clock time, from which transfers that run by themselves
//! are excused.

use parking_lot::Mutex;
use pin_project_lite::pin_project;
use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Processor time after which a request counts as heavy and has to share
/// [`Meter::heavy`] with the others of its kind.
const HEAVY_AFTER: Duration = Duration::from_millis(20);

/// Counts the time of one request.
#[derive(Debug)]
pub(crate) struct Meter {
    origin: Instant,
    /// Nanoseconds of processor time in finished polls.
    cpu_ns: AtomicU64,
    /// Nanoseconds after `origin` at which the running poll began; 0: none.
    poll_began_ns: AtomicU64,
    /// Nanoseconds of wall-clock time that do not count.
    excused_ns: AtomicU64,
    /// Transfers under way.
    transfers: AtomicU32,
    /// Whether the guest ran out of processor time.
    cpu_exceeded: AtomicBool,
    /// Places for heavy guests, fewer than cores, so that light requests find
    /// a core at once.
    heavy: Arc<Semaphore>,
    place: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Meter {
    pub(crate) fn new(heavy: Arc<Semaphore>) -> Self {
        Self {
            origin: Instant::now(),
            cpu_ns: AtomicU64::new(0),
            poll_began_ns: AtomicU64::new(0),
            excused_ns: AtomicU64::new(0),
            transfers: AtomicU32::new(0),
            cpu_exceeded: AtomicBool::new(false),
            heavy,
            place: Mutex::new(None),
        }
    }

    /// Begins a new request.
    pub(crate) fn reset(&self) {
        self.cpu_ns.store(0, Ordering::Relaxed);
        self.excused_ns.store(0, Ordering::Relaxed);
        self.transfers.store(0, Ordering::Relaxed);
        self.cpu_exceeded.store(false, Ordering::Relaxed);
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos())
            .unwrap_or(u64::MAX)
            .max(1)
    }

    /// Processor time so far, the running poll included.
    pub(crate) fn cpu(&self) -> Duration {
        let running = match self.poll_began_ns.load(Ordering::Relaxed) {
            0 => 0,
            began => self.now_ns().saturating_sub(began),
        };
        Duration::from_nanos(self.cpu_ns.load(Ordering::Relaxed).saturating_add(running))
    }

    pub(crate) fn is_heavy(&self) -> bool {
        self.cpu() > HEAVY_AFTER
    }

    pub(crate) fn set_cpu_exceeded(&self) {
        self.cpu_exceeded.store(true, Ordering::Relaxed);
    }

    pub(crate) fn cpu_exceeded(&self) -> bool {
        self.cpu_exceeded.load(Ordering::Relaxed)
    }

    /// Wall-clock time that does not count.
    pub(crate) fn excused(&self) -> Duration {
        Duration::from_nanos(self.excused_ns.load(Ordering::Relaxed))
    }

    pub(crate) fn in_transfer(&self) -> bool {
        self.transfers.load(Ordering::Relaxed) > 0
    }

    /// Marks a transfer, which has a time-out of its own, until the guard is
    /// dropped.
    pub(crate) fn transfer(self: &Arc<Self>) -> Transfer {
        self.transfers.fetch_add(1, Ordering::Relaxed);
        Transfer {
            meter: Arc::clone(self),
            began: Instant::now(),
        }
    }

    /// Gives way to other tasks; a heavy guest then waits for its place.
    pub(crate) fn give_way(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        let meter = Arc::clone(self);
        async move {
            drop(meter.place.lock().take());
            tokio::task::yield_now().await;
            if meter.is_heavy() {
                let permit = Arc::clone(&meter.heavy).acquire_owned().await.ok();
                *meter.place.lock() = permit;
            }
        }
    }
}

/// A transfer under way.
#[derive(Debug)]
pub(crate) struct Transfer {
    meter: Arc<Meter>,
    began: Instant,
}

impl Drop for Transfer {
    fn drop(&mut self) {
        let elapsed = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.meter.excused_ns.fetch_add(elapsed, Ordering::Relaxed);
        self.meter.transfers.fetch_sub(1, Ordering::Relaxed);
    }
}

pin_project! {
    /// A guest's future with its polls counted.
    pub(crate) struct Metered<F> {
        #[pin]
        inner: F,
        meter: Arc<Meter>,
    }
}

impl<F> Metered<F> {
    pub(crate) fn new(inner: F, meter: Arc<Meter>) -> Self {
        Self { inner, meter }
    }
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let meter = this.meter;
        let began = meter.now_ns();
        meter.poll_began_ns.store(began, Ordering::Relaxed);
        let outcome = this.inner.poll(context);
        meter.poll_began_ns.store(0, Ordering::Relaxed);
        let spent = meter.now_ns().saturating_sub(began);
        meter.cpu_ns.fetch_add(spent, Ordering::Relaxed);
        if spent > 1_000_000 {
            // A place is held only while the guest runs.
            drop(meter.place.lock().take());
        }
        outcome
    }
}

/// Completes when `limit` of wall-clock time has been used since `began`, not
/// counting what the meter excuses.
pub(crate) async fn wall_clock(meter: Arc<Meter>, began: Instant, limit: Duration) {
    loop {
        let used = began.elapsed().saturating_sub(meter.excused());
        let left = limit.saturating_sub(used);
        if meter.in_transfer() {
            tokio::time::sleep(left.max(Duration::from_secs(1))).await;
        } else if left.is_zero() {
            return;
        } else {
            tokio::time::sleep(left).await;
        }
    }
}
