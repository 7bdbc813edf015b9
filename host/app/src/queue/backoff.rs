//! How long to wait between tries: twice as long each time, up to an hour,
//! and spread, so that what failed together is not tried together again.

use std::time::Duration;

/// The wait after the first try, at most, unless a job says otherwise.
pub(super) const FIRST: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(3_600);

/// The wait after the try number `attempt`, 1 at first; after the first it is
/// `first` at most. `spread` lies between 0 and 1 and is drawn for each wait.
pub(super) fn wait_after(first: Duration, attempt: u32, spread: f64) -> Duration {
    let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1).min(16));
    let longest = first.saturating_mul(doubled).min(LONGEST);
    longest.mul_f64(0.5 + spread.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour_and_are_spread_over_their_second_half() {
        let seconds = |attempt, spread| wait_after(FIRST, attempt, spread).as_secs_f64();
        assert_eq!((seconds(1, 0.0), seconds(1, 1.0)), (0.5, 1.0));
        assert_eq!((seconds(2, 0.0), seconds(2, 0.5)), (1.0, 1.5));
        assert_eq!(seconds(5, 1.0), 16.0);
        assert_eq!(seconds(13, 1.0), 3_600.0);
        assert_eq!(seconds(u32::MAX, 1.0), 3_600.0);
        assert_eq!(seconds(0, 1.0), 1.0);
        let fast = wait_after(Duration::from_millis(100), 3, 1.0);
        assert_eq!(fast, Duration::from_millis(400));
    }
}
