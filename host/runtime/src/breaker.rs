//! The circuit breaker: a plugin that keeps failing is cut off for a while,
//! each time longer, until a request succeeds again.

use atlashub_core::{Error, ErrorKind, Result};
use parking_lot::Mutex;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// Faults in [`WINDOW`] after which the plugin is cut off.
const FAULTS: u32 = 10;
/// Faults count together when they come within this time.
const WINDOW: Duration = Duration::from_secs(10);
/// The first cut.
const FIRST_CUT: Duration = Duration::from_secs(2);
/// The longest cut.
const LONGEST_CUT: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(crate) struct Breaker {
    /// Whether `state` holds anything: keeps the lock off the common path.
    troubled: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    faults: u32,
    since: Option<Instant>,
    open_until: Option<Instant>,
    cuts: u32,
}

impl Breaker {
    /// Refuses while the plugin is cut off. After that the next requests are
    /// let through; the first success closes the circuit.
    pub(crate) fn check(&self) -> Result<()> {
        if !self.troubled.load(Ordering::Relaxed) {
            return Ok(());
        }
        let state = self.state.lock();
        let Some(left) = state
            .open_until
            .and_then(|until| until.checked_duration_since(Instant::now()))
        else {
            return Ok(());
        };
        let seconds = u32::try_from(left.as_secs())
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        Err(Error::new(
            ErrorKind::Unavailable,
            "plugin_cut_off",
            "the plugin failed too often and is cut off for a while",
        )
        .with_retry_after(seconds))
    }

    /// Whether the plugin is cut off now.
    pub(crate) fn is_open(&self) -> bool {
        self.check().is_err()
    }

    /// Whether there were faults since the last success.
    pub(crate) fn is_troubled(&self) -> bool {
        self.troubled.load(Ordering::Relaxed)
    }

    pub(crate) fn success(&self) {
        if self.troubled.load(Ordering::Relaxed) {
            *self.state.lock() = State::default();
            self.troubled.store(false, Ordering::Relaxed);
        }
    }

    /// Counts a fault; whether the plugin is cut off by it.
    pub(crate) fn fault(&self) -> bool {
        self.troubled.store(true, Ordering::Relaxed);
        let mut state = self.state.lock();
        let now = Instant::now();
        if state
            .since
            .is_none_or(|since| now.duration_since(since) > WINDOW)
        {
            state.since = Some(now);
            state.faults = 0;
        }
        state.faults = state.faults.saturating_add(1);
        // After a cut, one more fault is enough for the next.
        if state.faults < FAULTS && state.cuts == 0 {
            return false;
        }
        if state.open_until.is_some_and(|until| until > now) {
            return false;
        }
        let cut = FIRST_CUT
            .saturating_mul(1 << state.cuts.min(5))
            .min(LONGEST_CUT);
        state.open_until = Some(now + cut);
        state.cuts = state.cuts.saturating_add(1);
        state.faults = 0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_that_keeps_failing_is_cut_off_until_it_succeeds() {
        let breaker = Breaker::default();
        for _ in 1..FAULTS {
            assert!(!breaker.fault());
        }
        assert!(breaker.check().is_ok());
        assert!(breaker.fault());
        let refused = breaker.check().unwrap_err();
        assert_eq!(refused.code(), "plugin_cut_off");
        assert!(refused.retry_after_seconds().is_some());
        breaker.success();
        assert!(!breaker.is_open());
    }
}
