//! The circuit breaker: a plugin that fails often is cut off for a while.
//!
//! What ended is counted over a sliding window, from the first fault on: a
//! plugin is cut off when it failed often enough and in a large enough share
//! of its requests, so that one that fails every other time is cut off, too,
//! and one that fails now and then under load is not. After a cut one request
//! is let in on trial while others are still refused: its success closes the
//! circuit, its failure is the next, longer cut, and when it ends without
//! either, the next request is the trial.

use atlashub_core::{Error, ErrorKind, Result};
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Faults within [`WINDOW`] after which the plugin is cut off,
const FAULTS: u32 = 10;
/// if they are at least one in so many of what ended in that time.
const ONE_IN: u32 = 2;
/// For how long what ended counts.
const WINDOW: Duration = Duration::from_secs(10);
/// What is counted and forgotten together.
const SLICE: Duration = Duration::from_secs(1);
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
    circuit: Circuit,
    /// Whether there was a fault since the last success.
    failing: bool,
    /// What ended lately, the oldest first.
    slices: VecDeque<Slice>,
    /// Cuts since all was well for a whole window; each is longer.
    cuts: u32,
    /// When the circuit was closed after a cut.
    closed_at: Option<Instant>,
    /// Trials so far.
    trials: u64,
}

#[derive(Clone, Copy, Debug, Default)]
enum Circuit {
    /// All are let in.
    #[default]
    Closed,
    /// Nobody is let in until then; whoever comes first afterwards is the
    /// trial.
    Open { until: Instant },
    /// The trial of this number is in, and nobody else.
    Trial { number: u64, until: Instant },
}

#[derive(Debug)]
struct Slice {
    since: Instant,
    faults: u32,
    ended: u32,
}

/// That a request was let in; kept while it is at work.
#[derive(Debug)]
#[must_use]
pub(crate) struct Pass {
    _trial: Option<Trial>,
}

/// Makes way for the next trial when this one ended without an outcome.
#[derive(Debug)]
struct Trial {
    breaker: Arc<Breaker>,
    number: u64,
}

impl Drop for Trial {
    fn drop(&mut self) {
        let mut state = self.breaker.state.lock();
        if let Circuit::Trial { number, until } = state.circuit
            && number == self.number
        {
            state.circuit = Circuit::Open { until };
        }
    }
}

impl Breaker {
    /// Lets a request in, or refuses it while the plugin is cut off or on
    /// trial.
    pub(crate) fn enter(self: &Arc<Self>) -> Result<Pass> {
        self.enter_at(Instant::now())
    }

    fn enter_at(self: &Arc<Self>, now: Instant) -> Result<Pass> {
        if !self.troubled.load(Ordering::Relaxed) {
            return Ok(Pass { _trial: None });
        }
        let mut state = self.state.lock();
        match state.circuit {
            Circuit::Closed => Ok(Pass { _trial: None }),
            Circuit::Open { until } if until > now => Err(cut_off(until.duration_since(now))),
            Circuit::Trial { .. } => Err(cut_off(Duration::ZERO)),
            Circuit::Open { until } => {
                state.trials = state.trials.wrapping_add(1);
                let number = state.trials;
                state.circuit = Circuit::Trial { number, until };
                Ok(Pass {
                    _trial: Some(Trial {
                        breaker: Arc::clone(self),
                        number,
                    }),
                })
            }
        }
    }

    /// Whether the plugin is cut off now, or on trial.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open_at(Instant::now())
    }

    fn is_open_at(&self, now: Instant) -> bool {
        match self.state.lock().circuit {
            Circuit::Closed => false,
            Circuit::Open { until } => until > now,
            Circuit::Trial { .. } => true,
        }
    }

    /// Whether there were faults since the last success.
    pub(crate) fn is_failing(&self) -> bool {
        self.troubled.load(Ordering::Relaxed) && self.state.lock().failing
    }

    pub(crate) fn success(&self) {
        if self.troubled.load(Ordering::Relaxed) {
            self.success_at(Instant::now());
        }
    }

    fn success_at(&self, now: Instant) {
        let mut state = self.state.lock();
        state.failing = false;
        match state.circuit {
            // It began before the cut and says nothing of what is after it.
            Circuit::Open { .. } => {}
            // What ends during a trial speaks for it.
            Circuit::Trial { .. } => {
                state.circuit = Circuit::Closed;
                state.closed_at = Some(now);
            }
            Circuit::Closed => {
                state.count(now, 0);
                let was_cut = state
                    .closed_at
                    .is_some_and(|at| now.saturating_duration_since(at) < WINDOW);
                if state.faults() == 0 && !was_cut {
                    *state = State {
                        trials: state.trials,
                        ..State::default()
                    };
                    self.troubled.store(false, Ordering::Relaxed);
                }
            }
        }
    }

    /// Counts a fault; whether the plugin is cut off by it.
    pub(crate) fn fault(&self) -> bool {
        self.fault_at(Instant::now())
    }

    fn fault_at(&self, now: Instant) -> bool {
        let mut state = self.state.lock();
        self.troubled.store(true, Ordering::Relaxed);
        state.failing = true;
        match state.circuit {
            Circuit::Open { .. } => return false,
            Circuit::Trial { .. } => {}
            Circuit::Closed => {
                state.count(now, 1);
                let faults = state.faults();
                let ended: u32 = state.slices.iter().map(|slice| slice.ended).sum();
                if faults < FAULTS || faults.saturating_mul(ONE_IN) < ended {
                    return false;
                }
            }
        }
        let cut = FIRST_CUT
            .saturating_mul(1 << state.cuts.min(5))
            .min(LONGEST_CUT);
        state.circuit = Circuit::Open { until: now + cut };
        state.cuts = state.cuts.saturating_add(1);
        state.slices.clear();
        true
    }
}

impl State {
    /// Counts something that ended, and forgets what is too old.
    fn count(&mut self, now: Instant, faults: u32) {
        let age = |slice: &Slice| now.saturating_duration_since(slice.since);
        while self.slices.front().is_some_and(|slice| age(slice) > WINDOW) {
            self.slices.pop_front();
        }
        match self.slices.back_mut() {
            Some(slice) if age(slice) < SLICE => {
                slice.faults = slice.faults.saturating_add(faults);
                slice.ended = slice.ended.saturating_add(1);
            }
            _ => self.slices.push_back(Slice {
                since: now,
                faults,
                ended: 1,
            }),
        }
    }

    fn faults(&self) -> u32 {
        self.slices.iter().map(|slice| slice.faults).sum()
    }
}

fn cut_off(left: Duration) -> Error {
    let seconds = u32::try_from(left.as_secs())
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    Error::new(
        ErrorKind::Unavailable,
        "plugin_cut_off",
        "the plugin failed too often and is cut off for a while",
    )
    .with_retry_after(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(100);

    /// A breaker that has cut the plugin off, and when the cut is over.
    fn cut(now: Instant) -> (Arc<Breaker>, Instant) {
        let breaker = Arc::new(Breaker::default());
        for _ in 1..FAULTS {
            assert!(!breaker.fault_at(now));
        }
        assert!(breaker.enter_at(now).is_ok());
        assert!(breaker.fault_at(now));
        (breaker, now + FIRST_CUT)
    }

    #[test]
    fn a_plugin_that_keeps_failing_is_cut_off_until_it_succeeds() {
        let now = Instant::now();
        let (breaker, over) = cut(now);
        let refused = breaker.enter_at(now).unwrap_err();
        assert_eq!(refused.code(), "plugin_cut_off");
        assert!(refused.retry_after_seconds().is_some());
        // What began before the cut does not end it.
        breaker.success_at(now + MOMENT);
        assert!(breaker.is_open_at(now + MOMENT));
        let trial = breaker.enter_at(over).unwrap();
        breaker.success_at(over + MOMENT);
        drop(trial);
        assert!(!breaker.is_open_at(over + MOMENT));
        assert!(breaker.enter_at(over + MOMENT).is_ok());
        assert!(breaker.enter_at(over + MOMENT).is_ok());
        assert!(!breaker.is_failing());
    }

    #[test]
    fn a_plugin_that_fails_every_other_time_is_cut_off_and_one_that_fails_seldom_is_not() {
        let start = Instant::now();
        let run = |successes: u32| {
            let breaker = Arc::new(Breaker::default());
            (0..FAULTS * 3).any(|round| {
                let now = start + MOMENT * round;
                for _ in 0..successes {
                    breaker.success_at(now);
                }
                breaker.fault_at(now)
            })
        };
        assert!(run(0) && run(1));
        assert!(!run(2) && !run(9));
    }

    #[test]
    fn faults_that_are_far_apart_do_not_add_up() {
        let start = Instant::now();
        let breaker = Arc::new(Breaker::default());
        for round in 0..FAULTS * 10 {
            assert!(!breaker.fault_at(start + Duration::from_secs(2) * round));
        }
        // The window slides: what came at the end of one and at the beginning
        // of the next second counts together.
        let later = start + Duration::from_secs(1_000);
        let (first, last) = (FAULTS / 2, FAULTS - FAULTS / 2);
        assert!((0..first).all(|_| !breaker.fault_at(later)));
        let after = later + WINDOW - MOMENT;
        assert!((1..last).all(|_| !breaker.fault_at(after)));
        assert!(breaker.fault_at(after));
    }

    #[test]
    fn after_a_cut_one_is_let_in_on_trial_and_its_fault_is_a_longer_cut() {
        let (breaker, over) = cut(Instant::now());
        let trial = breaker.enter_at(over).unwrap();
        for _ in 0..3 {
            assert_eq!(
                breaker.enter_at(over + WINDOW).unwrap_err().code(),
                "plugin_cut_off"
            );
        }
        assert!(breaker.fault_at(over));
        drop(trial);
        assert!(breaker.enter_at(over + FIRST_CUT).is_err());
        assert!(breaker.enter_at(over + FIRST_CUT * 2).is_ok());
    }

    #[test]
    fn a_trial_that_ends_without_an_outcome_makes_way_for_the_next() {
        let (breaker, over) = cut(Instant::now());
        let gone = breaker.enter_at(over).unwrap();
        assert!(breaker.enter_at(over).is_err());
        drop(gone);
        let trial = breaker.enter_at(over).unwrap();
        assert!(breaker.enter_at(over).is_err());
        breaker.success_at(over);
        drop(trial);
        assert!(breaker.enter_at(over).is_ok());
    }

    #[test]
    fn cuts_grow_until_all_was_well_for_a_while() {
        let start = Instant::now();
        let (breaker, mut now) = cut(start);
        let again = |now: Instant| {
            let trial = breaker.enter_at(now).unwrap();
            breaker.success_at(now);
            drop(trial);
            (0..FAULTS).any(|_| breaker.fault_at(now))
        };
        for turn in 1..8_u32 {
            assert!(again(now));
            let length = FIRST_CUT.saturating_mul(1 << turn.min(5)).min(LONGEST_CUT);
            assert!(breaker.is_open_at(now + length - MOMENT), "turn {turn}");
            now += length;
            assert!(!breaker.is_open_at(now), "turn {turn}");
        }
        let trial = breaker.enter_at(now).unwrap();
        breaker.success_at(now);
        drop(trial);
        now += WINDOW;
        breaker.success_at(now);
        assert!((0..FAULTS).any(|_| breaker.fault_at(now)));
        assert!(!breaker.is_open_at(now + FIRST_CUT));
    }
}
