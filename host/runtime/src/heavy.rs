//! Threads for guests that compute for long.
//!
//! A guest begins in the task of its request, on a thread that also serves
//! others. Once it has used [`HEAVY_AFTER`] of processor time it goes on in
//! one of a few threads that come last: the kernel gives light requests a
//! processor first, and heavy guests what is left. They take turns of one
//! epoch when there are more of them than threads. A plugin that was heavy a
//! moment ago begins there: each of its requests would otherwise take its
//! share among the others first.
//!
//! The threads start with the first heavy guest and end with the runtime. A
//! guest whose request is gone is dropped at its next step. One that waits, for
//! the database or for another plugin, gives its thread up.

use crate::cpu::Meter;
use parking_lot::{Condvar, Mutex};
use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};
#[cfg(target_os = "linux")]
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};
use tokio::{runtime::Handle, sync::oneshot};

/// Processor time that a guest may use among the others.
pub(crate) const HEAVY_AFTER: Duration = Duration::from_millis(2);

/// Priority of the threads where the system has no class of its own for what
/// comes last, as `nice` has it: the lowest.
const NICE: i32 = 19;

/// How long a plugin is remembered as heavy.
const REMEMBERED: Duration = Duration::from_secs(1);

/// What is remembered of a plugin's hunger for processor time.
#[derive(Debug)]
pub(crate) struct Weight {
    origin: Instant,
    /// Nanoseconds after `origin` until which it counts as heavy.
    heavy_until_ns: AtomicU64,
}

impl Weight {
    pub(crate) fn new() -> Self {
        Self {
            origin: Instant::now(),
            heavy_until_ns: AtomicU64::new(0),
        }
    }

    fn was_heavy(&self, at: Instant) -> bool {
        match self.heavy_until_ns.load(Ordering::Relaxed) {
            0 => false,
            until => self.nanoseconds(at) < until,
        }
    }

    fn found_heavy(&self) {
        let until = self.nanoseconds(Instant::now() + REMEMBERED);
        self.heavy_until_ns.store(until, Ordering::Relaxed);
    }

    fn nanoseconds(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.origin);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The threads, and the guests that wait for one.
#[derive(Debug)]
pub(crate) struct HeavyThreads {
    shared: Arc<Shared>,
    places: usize,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Work>,
    threads: usize,
    free: usize,
    ended: bool,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue")
            .field("waiting", &self.waiting.len())
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

/// A guest on its way, with what drives its timers and sockets.
struct Work {
    guest: Pin<Box<dyn Future<Output = ()> + Send>>,
    meter: Arc<Meter>,
    runtime: Handle,
}

impl HeavyThreads {
    /// `places` guests at once.
    pub(crate) fn new(places: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                queue: Mutex::default(),
                changed: Condvar::new(),
            }),
            places,
        }
    }

    /// Goes on with `guest` in a thread. Its outcome comes through what is
    /// returned; dropping that drops the guest.
    fn take<T: Send + 'static>(
        &self,
        guest: Pin<Box<dyn Future<Output = T> + Send>>,
        meter: Arc<Meter>,
    ) -> oneshot::Receiver<T> {
        let (mut sender, outcome) = oneshot::channel();
        let mut guest = guest;
        let guest = async move {
            let outcome = poll_fn(|context| {
                // Asked first: a guest that computes is ready at every step.
                if sender.poll_closed(context).is_ready() {
                    return Poll::Ready(None);
                }
                guest.as_mut().poll(context).map(Some)
            })
            .await;
            if let Some(outcome) = outcome {
                // Nobody waits any more: the outcome goes away with this.
                let _ = sender.send(outcome);
            }
        };
        let mut queue = self.shared.queue.lock();
        queue.waiting.push_back(Work {
            guest: Box::pin(guest),
            meter,
            runtime: Handle::current(),
        });
        if queue.free == 0 && queue.threads < self.places {
            let shared = Arc::clone(&self.shared);
            let thread = std::thread::Builder::new()
                .name("heavy-guests".to_owned())
                .spawn(move || shared.work());
            match thread {
                Ok(_) => queue.threads += 1,
                Err(error) => tracing::error!(%error, "a thread for heavy guests did not start"),
            }
        }
        drop(queue);
        self.shared.changed.notify_one();
        outcome
    }
}

impl Drop for HeavyThreads {
    fn drop(&mut self) {
        let mut queue = self.shared.queue.lock();
        queue.ended = true;
        let waiting = std::mem::take(&mut queue.waiting);
        drop(queue);
        drop(waiting);
        self.shared.changed.notify_all();
    }
}

impl Shared {
    /// What a thread does.
    fn work(self: &Arc<Self>) {
        come_last();
        crate::cpu::count_thread_time();
        while let Some(work) = self.next() {
            // A panic below ends the guest, not the thread.
            let _ = catch_unwind(AssertUnwindSafe(|| self.turn(work)));
        }
    }

    fn next(&self) -> Option<Work> {
        let mut queue = self.queue.lock();
        loop {
            if queue.ended {
                return None;
            }
            if let Some(work) = queue.waiting.pop_front() {
                return Some(work);
            }
            queue.free += 1;
            self.changed.wait(&mut queue);
            queue.free -= 1;
        }
    }

    fn line_up(&self, work: Work) {
        let mut queue = self.queue.lock();
        if queue.ended {
            drop(queue);
            return drop(work);
        }
        queue.waiting.push_back(work);
        drop(queue);
        self.changed.notify_one();
    }

    /// Runs a guest until it has ended, waits for something, or has had its
    /// turn and others wait.
    fn turn(self: &Arc<Self>, mut work: Work) {
        let runtime = work.runtime.clone();
        let _inside = runtime.enter();
        loop {
            let rest = Arc::new(Rest {
                shared: Arc::clone(self),
                resting: Mutex::default(),
            });
            let waker = Waker::from(Arc::clone(&rest));
            let polled = work.guest.as_mut().poll(&mut Context::from_waker(&waker));
            if polled.is_ready() {
                return;
            }
            if work.meter.gave_way() {
                // The kernel alone would look for who comes before this
                // thread at its next tick, milliseconds from now.
                std::thread::yield_now();
                if self.others_wait() {
                    return self.line_up(work);
                }
            }
            match rest.lie_down(work) {
                Some(woken) => work = woken,
                None => return,
            }
        }
    }

    fn others_wait(&self) -> bool {
        let queue = self.queue.lock();
        queue.ended || !queue.waiting.is_empty()
    }
}

/// A guest that waits for something. It holds no thread meanwhile: what it
/// waits for may be another guest that needs one.
struct Rest {
    shared: Arc<Shared>,
    resting: Mutex<Resting>,
}

#[derive(Default)]
enum Resting {
    /// The guest is being polled.
    #[default]
    NotYet,
    Guest(Work),
    /// It has been woken, maybe before it lay down.
    Woken,
}

impl Rest {
    /// Keeps a guest until it is woken; gives back one that was already.
    fn lie_down(&self, work: Work) -> Option<Work> {
        let mut resting = self.resting.lock();
        if matches!(*resting, Resting::Woken) {
            return Some(work);
        }
        *resting = Resting::Guest(work);
        None
    }
}

impl Wake for Rest {
    fn wake(self: Arc<Self>) {
        let before = std::mem::replace(&mut *self.resting.lock(), Resting::Woken);
        if let Resting::Guest(work) = before {
            self.shared.line_up(work);
        }
    }
}

/// Puts the calling thread behind all others.
fn come_last() {
    #[cfg(target_os = "linux")]
    if set_thread_priority_and_policy(
        thread_native_id(),
        ThreadPriority::Min,
        ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle),
    )
    .is_ok()
    {
        return;
    }
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::warn!(%error, "heavy guests run with the priority of all others");
    }
}

/// A guest that goes to a thread of its kind when it is heavy.
pub(crate) struct Placed<T> {
    place: Place<T>,
    meter: Arc<Meter>,
    threads: Arc<HeavyThreads>,
    weight: Arc<Weight>,
}

enum Place<T> {
    /// In the task that polls it.
    Here(Pin<Box<dyn Future<Output = T> + Send>>),
    /// In a thread.
    There(oneshot::Receiver<T>),
    /// On its way from one to the other.
    Moving,
}

impl<T: Send + 'static> Placed<T> {
    /// A guest of the plugin that `weight` is of. The call begins `now`.
    pub(crate) fn new(
        guest: impl Future<Output = T> + Send + 'static,
        meter: Arc<Meter>,
        threads: &Arc<HeavyThreads>,
        weight: &Arc<Weight>,
        now: Instant,
    ) -> Self {
        let guest = Box::pin(crate::cpu::Metered::new(guest, Arc::clone(&meter)));
        let place = if weight.was_heavy(now) {
            Place::There(threads.take(guest, Arc::clone(&meter)))
        } else {
            Place::Here(guest)
        };
        Self {
            place,
            meter,
            threads: Arc::clone(threads),
            weight: Arc::clone(weight),
        }
    }
}

impl<T: Send + 'static> Future for Placed<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let this = self.get_mut();
        if let Place::Here(guest) = &mut this.place {
            let outcome = guest.as_mut().poll(context);
            if !this.meter.is_heavy() {
                return outcome;
            }
            this.weight.found_heavy();
            if outcome.is_ready() {
                return outcome;
            }
            if let Place::Here(guest) = std::mem::replace(&mut this.place, Place::Moving) {
                this.place = Place::There(this.threads.take(guest, Arc::clone(&this.meter)));
            }
        }
        match &mut this.place {
            Place::There(outcome) => match Pin::new(outcome).poll(context) {
                Poll::Ready(Ok(outcome)) => Poll::Ready(outcome),
                // Lost with its thread: the deadline of the request ends it.
                Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
            },
            Place::Here(_) | Place::Moving => Poll::Pending,
        }
    }
}

impl<T> Drop for Placed<T> {
    fn drop(&mut self) {
        // Whether it has ended or is dropped at its deadline.
        if matches!(self.place, Place::There(_)) && self.meter.is_heavy() {
            self.weight.found_heavy();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_guest_that_waits_leaves_its_thread_to_others() {
        let threads = HeavyThreads::new(1);
        let (tell, told) = oneshot::channel();
        let waits = threads.take(
            Box::pin(async move { told.await.expect("the other's word") }),
            Arc::new(Meter::new()),
        );
        let tells = threads.take(
            Box::pin(async move { tell.send(7).expect("the other waits") }),
            Arc::new(Meter::new()),
        );
        tells.await.expect("it ended");
        assert_eq!(waits.await.expect("it ended"), 7);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_guest_that_nobody_waits_for_goes_away() {
        let threads = HeavyThreads::new(1);
        let (held, gone) = oneshot::channel::<()>();
        let outcome = threads.take(
            Box::pin(async move {
                std::future::pending::<()>().await;
                drop(held);
            }),
            Arc::new(Meter::new()),
        );
        drop(outcome);
        assert!(gone.await.is_err());
    }
}
