//! Time that a guest uses: processor time, measured over the polls of its
//! future, and wall-clock time, from which transfers that run by themselves
//! are excused.

use crate::heavy::HEAVY_AFTER;
use pin_project_lite::pin_project;
use std::{
    cell::Cell,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

/// Processor time after which a request counts as busy rather than waiting.
const BUSY_AFTER: Duration = Duration::from_millis(20);

/// How often a guest has to give way before it counts as heavy.
const HEAVY_STEPS: u32 = 3;
/// Processor time after which short epochs are worth their while.
const NOTABLE_AFTER: Duration = Duration::from_millis(1);

thread_local! {
    /// Whether time is counted by what this thread has used of a processor,
    /// since it may have to wait for one.
    static OWN_TIME: Cell<bool> = const { Cell::new(false) };
}

/// Counts the time of guests on this thread by what it uses of a processor.
/// Asking for that takes longer than for the time of day.
pub(crate) fn count_thread_time() {
    OWN_TIME.set(true);
}

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
    /// Whether the guest gave way since this was asked.
    gave_way: AtomicBool,
    /// How often it gave way in this request.
    times_given: AtomicU32,
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self {
            origin: Instant::now(),
            cpu_ns: AtomicU64::new(0),
            poll_began_ns: AtomicU64::new(0),
            excused_ns: AtomicU64::new(0),
            transfers: AtomicU32::new(0),
            cpu_exceeded: AtomicBool::new(false),
            gave_way: AtomicBool::new(false),
            times_given: AtomicU32::new(0),
        }
    }

    /// Begins a new request.
    pub(crate) fn reset(&self) {
        self.cpu_ns.store(0, Ordering::Relaxed);
        self.times_given.store(0, Ordering::Relaxed);
        self.excused_ns.store(0, Ordering::Relaxed);
        self.transfers.store(0, Ordering::Relaxed);
        self.cpu_exceeded.store(false, Ordering::Relaxed);
    }

    fn now_ns(&self) -> u64 {
        let now = if OWN_TIME.get() {
            let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
            Duration::try_from(now).unwrap_or_default()
        } else {
            self.origin.elapsed()
        };
        u64::try_from(now.as_nanos()).unwrap_or(u64::MAX).max(1)
    }

    /// Processor time so far, the running poll included.
    pub(crate) fn cpu(&self) -> Duration {
        let running = match self.poll_began_ns.load(Ordering::Relaxed) {
            0 => 0,
            began => self.now_ns().saturating_sub(began),
        };
        Duration::from_nanos(self.cpu_ns.load(Ordering::Relaxed).saturating_add(running))
    }

    /// Whether the guest has to leave the threads that serve others. The time
    /// of day alone would say so of a light guest whose thread waited for a
    /// processor; one that computes is asked to give way again and again.
    pub(crate) fn is_heavy(&self) -> bool {
        self.times_given.load(Ordering::Relaxed) >= HEAVY_STEPS && self.cpu() > HEAVY_AFTER
    }

    /// Whether the guest computes for long enough to be watched closely.
    pub(crate) fn is_notable(&self) -> bool {
        self.times_given.load(Ordering::Relaxed) > 0 && self.cpu() > NOTABLE_AFTER
    }

    /// Whether the guest was at work, rather than waiting for something.
    pub(crate) fn is_busy(&self) -> bool {
        self.cpu() > BUSY_AFTER
    }

    /// Whether the guest gave way since this was last asked.
    pub(crate) fn gave_way(&self) -> bool {
        self.gave_way.swap(false, Ordering::Relaxed)
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

    /// Gives way to other tasks.
    pub(crate) fn give_way(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        self.gave_way.store(true, Ordering::Relaxed);
        self.times_given.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now()
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[test]
    fn whoever_was_kept_waiting_is_not_heavy() {
        let meter = Arc::new(Meter::new());
        let guest = poll_fn(|_| {
            #[expect(clippy::disallowed_methods, reason = "the thread itself has to wait")]
            std::thread::sleep(HEAVY_AFTER * 2);
            Poll::Ready(())
        });
        futures::executor::block_on(Metered::new(guest, Arc::clone(&meter)));
        assert!(meter.cpu() > HEAVY_AFTER && !meter.is_heavy());
        for _ in 0..HEAVY_STEPS {
            drop(meter.give_way());
        }
        assert!(meter.is_heavy());
        meter.reset();
        assert!(!meter.is_heavy());
    }
}
