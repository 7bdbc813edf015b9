//! The generic cell rate algorithm over one atomic number: the time at which
//! everything taken so far would have been given back. A request moves it by
//! one interval; it may not run ahead of now by more than the window.
//!
//! Written here rather than taken from a crate because the interval changes
//! while requests run (a budget is divided between the nodes that are up),
//! and because many callers share one fixed table of such numbers.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

const SECOND: u64 = 1_000_000_000;

/// So many requests in a window, given back evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Requests that may be made at once; at least one.
    quota: u32,
    /// The time in which all of them come back, nanoseconds.
    window: u64,
}

/// What is left of a rate after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// Requests that may be made at once.
    pub(crate) remaining: u32,
    /// Until all have come back, nanoseconds.
    pub(crate) reset: u64,
    /// Until the request that was refused may be made, nanoseconds; `None`
    /// when it may go on.
    pub(crate) wait: Option<u64>,
}

impl Rate {
    /// `per_second` requests a second, sustained, and `burst` of them at once.
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let (per_second, quota) = (per_second.max(1), burst.max(1));
        let window = u64::from(quota).saturating_mul(SECOND) / u64::from(per_second);
        Self { quota, window }
    }

    /// `quota` of them at once, which come back within `window`.
    pub(crate) fn over(quota: u32, window: Duration) -> Self {
        Self {
            quota: quota.max(1),
            window: u64::try_from(window.as_nanos()).unwrap_or(u64::MAX),
        }
    }

    /// `per_second` requests a second, and twice as many at once.
    pub(crate) fn per_second(per_second: u32) -> Self {
        Self::new(per_second, per_second.saturating_mul(2))
    }

    /// Requests that may be made at once.
    pub(crate) fn quota(&self) -> u32 {
        self.quota
    }

    /// The time in which all of them come back, whole seconds.
    pub(crate) fn window_seconds(&self) -> u64 {
        self.window.div_ceil(SECOND)
    }

    /// Takes one request out of this node's share of the rate, one of
    /// `shares`; `now` is as [`Ticks::now`] says.
    pub(crate) fn take(&self, spent: &AtomicU64, now: u64, shares: u32) -> Left {
        let interval = (self.window / u64::from(self.quota))
            .saturating_mul(u64::from(shares.max(1)))
            .max(1);
        // A share of less than one request still lets one through at a time.
        let window = self.window.max(interval);
        let left = |ahead: u64, wait| Left {
            remaining: u32::try_from(window.saturating_sub(ahead) / interval).unwrap_or(u32::MAX),
            reset: ahead,
            wait,
        };
        let mut seen = spent.load(Ordering::Relaxed);
        loop {
            let next = seen.max(now).saturating_add(interval);
            let ahead = next - now;
            if ahead > window {
                let used = seen.saturating_sub(now);
                return left(used, Some(ahead - window));
            }
            // Nothing else is published with the number.
            match spent.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return left(ahead, None),
                Err(other) => seen = other,
            }
        }
    }
}

/// Nanoseconds since the process began to count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticks(Instant);

impl Ticks {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Never 0, the number of a rate that was never used.
    pub(crate) fn now(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos())
            .unwrap_or(u64::MAX)
            .saturating_add(1)
    }
}

/// Whole seconds to wait, at least one.
pub(crate) fn seconds(nanoseconds: u64) -> u32 {
    let seconds = Duration::from_nanos(nanoseconds)
        .as_secs_f64()
        .ceil()
        .max(1.0);
    // Above u32 the conversion stops at its largest value.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it saturates, and is at least one"
    )]
    let seconds = seconds as u32;
    seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(rate: Rate, spent: &AtomicU64, now: u64, shares: u32) -> usize {
        (0..1_000)
            .filter(|_| rate.take(spent, now, shares).wait.is_none())
            .count()
    }

    #[test]
    fn a_burst_passes_and_comes_back_evenly() {
        let rate = Rate::new(10, 20);
        let spent = AtomicU64::new(0);
        assert_eq!(passed(rate, &spent, 1, 1), 20);
        assert_eq!(rate.take(&spent, 1, 1).wait, Some(SECOND / 10));
        assert_eq!(passed(rate, &spent, 1 + SECOND / 10, 1), 1);
        assert_eq!(passed(rate, &spent, 1 + SECOND, 1), 9);
        assert_eq!(passed(rate, &spent, 1 + 60 * SECOND, 1), 20);
        assert_eq!(rate.window_seconds(), 2);
    }

    #[test]
    fn what_is_left_is_told() {
        let rate = Rate::new(10, 20);
        let spent = AtomicU64::new(0);
        let first = rate.take(&spent, 1, 1);
        assert_eq!((first.remaining, first.wait), (19, None));
        assert_eq!(seconds(first.reset), 1);
        for _ in 0..19 {
            let _ = rate.take(&spent, 1, 1);
        }
        let refused = rate.take(&spent, 1, 1);
        assert_eq!(refused.remaining, 0);
        assert_eq!(seconds(refused.reset), 2);
    }

    #[test]
    fn nodes_share_one_budget() {
        let rate = Rate::new(10, 20);
        let nodes = [AtomicU64::new(0), AtomicU64::new(0)];
        let all: usize = nodes.iter().map(|spent| passed(rate, spent, 1, 2)).sum();
        assert_eq!(all, 20);
        let later: usize = nodes
            .iter()
            .map(|spent| passed(rate, spent, 1 + SECOND, 2))
            .sum();
        assert_eq!(later, 10);
    }

    #[test]
    fn a_share_below_one_request_still_lets_one_through() {
        let rate = Rate::new(1, 1);
        let spent = AtomicU64::new(0);
        assert_eq!(passed(rate, &spent, 1, 3), 1);
        assert_eq!(passed(rate, &spent, 1 + 2 * SECOND, 3), 0);
        assert_eq!(passed(rate, &spent, 1 + 3 * SECOND, 3), 1);
    }

    #[test]
    fn threads_together_take_no_more_than_there_is() {
        let rate = Rate::new(1, 500);
        let spent = AtomicU64::new(0);
        let all: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| passed(rate, &spent, 1, 1)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!(all, 500);
    }
}
