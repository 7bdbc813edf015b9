//! Whether a statement may run on an asynchronous thread, from what it calls
//! and from how it has fared there.
//!
//! One that took too long runs elsewhere for a while, longer each time. It is
//! not banned for ever: the thread may only have waited for a processor.

/// Most runs that a statement stays away, as a power of two.
const MAX_STRIKES: u32 = 12;

/// What is known of one statement.
#[derive(Debug, Default)]
pub(super) struct Inline {
    allowed: bool,
    strikes: u32,
    away: u32,
}

impl Inline {
    /// `allowed` unless it calls what may take long in a single step.
    pub(super) fn new(allowed: bool) -> Self {
        Self {
            allowed,
            ..Self::default()
        }
    }

    /// Whether it may run there now. Asked once a run.
    pub(super) fn may_run(&mut self) -> bool {
        if self.away > 0 {
            self.away -= 1;
            return false;
        }
        self.allowed
    }

    /// It was stopped there.
    pub(super) fn was_slow(&mut self) {
        self.strikes = (self.strikes + 1).min(MAX_STRIKES);
        self.away = 1 << self.strikes;
    }

    /// It came to its end there.
    pub(super) fn was_quick(&mut self) {
        self.strikes = self.strikes.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of so many runs, those that were tried on an asynchronous thread.
    fn tried(inline: &mut Inline, runs: u32, is_slow: impl Fn(u32) -> bool) -> u32 {
        let mut tried = 0;
        for run in 0..runs {
            if inline.may_run() {
                tried += 1;
                if is_slow(run) {
                    inline.was_slow();
                } else {
                    inline.was_quick();
                }
            }
        }
        tried
    }

    #[test]
    fn a_slow_statement_is_seldom_tried_and_a_quick_one_comes_back() {
        let mut inline = Inline::new(true);
        assert_eq!(tried(&mut inline, 10_000, |_| true), 13);
        assert_eq!(tried(&mut Inline::new(true), 1_000, |run| run == 10), 998);
        let mut inline = Inline::new(true);
        tried(&mut inline, 100, |run| run < 50);
        assert!(tried(&mut inline, 1_000, |_| false) > 900, "it stays away");
        assert_eq!(tried(&mut Inline::new(false), 10, |_| false), 0);
    }
}
