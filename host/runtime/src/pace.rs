//! The pace of what guests write as the body of an answer.
//!
//! A guest on a thread of low priority still makes the threads that serve
//! everybody carry its bytes to the client. One that writes as fast as the
//! machine carries would take them over; a pace leaves them to others.
//! Objects that the host streams from the store are not paced.

use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// What may be written ahead of the pace, as time.
const AHEAD: Duration = Duration::from_millis(125);

/// A pace of so many bytes a second, shared by all answers of a plugin.
#[derive(Debug)]
pub(crate) struct Pace {
    bytes_a_second: u64,
    /// When what was written so far would be over at exactly the pace.
    due: Mutex<Instant>,
}

impl Pace {
    pub(crate) fn new(bytes_a_second: u64) -> Self {
        Self {
            bytes_a_second: bytes_a_second.max(1),
            due: Mutex::new(Instant::now()),
        }
    }

    /// Counts `bytes` that are written `now`. Returns how long to wait before
    /// more is taken.
    pub(crate) fn wrote(&self, bytes: usize, now: Instant) -> Duration {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_a_second);
        let takes = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        let mut due = self.due.lock();
        let begins = (*due).max(now);
        *due = begins.checked_add(takes).unwrap_or(begins);
        due.saturating_duration_since(now).saturating_sub(AHEAD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_beyond_the_pace_wait_their_time() {
        let pace = Pace::new(1_000);
        let now = Instant::now() + Duration::from_secs(1);
        assert_eq!(pace.wrote(125, now), Duration::ZERO);
        assert_eq!(pace.wrote(1_000, now), Duration::from_secs(1));
        let later = now + Duration::from_secs(1);
        assert_eq!(pace.wrote(10, later), Duration::from_millis(10));
    }

    #[test]
    fn a_pause_earns_no_more_than_a_little() {
        let pace = Pace::new(1_000);
        let now = Instant::now() + Duration::from_secs(3_600);
        assert_eq!(pace.wrote(1_125, now), Duration::from_secs(1));
    }
}
