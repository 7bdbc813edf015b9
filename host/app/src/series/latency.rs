//! Latencies in few buckets: the first up to half a millisecond, each of the
//! others up to twice as long as the one before, the last without an end.

use atlashub_data::platform::LATENCY_BUCKETS;
use std::time::Duration;

/// The end of the first bucket, milliseconds.
const FIRST_MS: f64 = 0.5;

/// The bucket of a latency.
pub(super) fn bucket(latency: Duration) -> usize {
    let halves = latency.as_micros().div_ceil(500);
    let place = halves.max(1).next_power_of_two().ilog2();
    usize::try_from(place).map_or(LATENCY_BUCKETS - 1, |place| place.min(LATENCY_BUCKETS - 1))
}

/// The latency, milliseconds, within which `percent` of a hundred requests
/// were answered, by a straight line through its bucket; none of none.
#[expect(
    clippy::cast_precision_loss,
    reason = "a line through a bucket needs no more"
)]
pub(super) fn quantile(counts: &[u64; LATENCY_BUCKETS], percent: u64) -> Option<f64> {
    let total: u64 = counts.iter().sum();
    let wanted = total as f64 * percent as f64 / 100.0;
    let (mut seen, mut lower, mut upper) = (0.0, 0.0, FIRST_MS);
    for count in counts.iter().map(|count| *count as f64) {
        if count > 0.0 && seen + count >= wanted {
            let part = ((wanted - seen) / count).clamp(0.0, 1.0);
            return Some(lower + (upper - lower) * part);
        }
        seen += count;
        (lower, upper) = (upper, upper * 2.0);
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_latency_lies_in_the_bucket_that_ends_at_or_above_it() {
        for (micros, wanted) in [
            (0, 0),
            (1, 0),
            (500, 0),
            (501, 1),
            (1_000, 1),
            (1_001, 2),
            (2_000, 2),
            (8_192_000, 14),
            (8_192_001, 15),
            (60_000_000_000, 15),
        ] {
            assert_eq!(bucket(Duration::from_micros(micros)), wanted, "{micros} µs");
        }
        assert_eq!(bucket(Duration::MAX), 15);
    }

    #[test]
    fn quantiles_lie_near_the_latencies_they_were_made_of() {
        let mut counts = [0; LATENCY_BUCKETS];
        assert_eq!(quantile(&counts, 50), None);
        for millis in 1..=100 {
            counts[bucket(Duration::from_millis(millis))] += 1;
        }
        let p50 = quantile(&counts, 50).unwrap();
        assert!((45.0..60.0).contains(&p50), "{p50}");
        let p99 = quantile(&counts, 99).unwrap();
        assert!((90.0..=128.0).contains(&p99), "{p99}");
        let mut one = [0; LATENCY_BUCKETS];
        one[3] = 1;
        assert!(quantile(&one, 50).unwrap() <= quantile(&one, 95).unwrap());
    }
}
