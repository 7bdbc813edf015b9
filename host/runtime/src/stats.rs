//! What a live plugin did, counted without locks.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

/// Four buckets for each doubling, from 1 µs on.
const BUCKETS: usize = 4 * 36;

/// Counters of one live plugin in one project, since this process started or
/// the installation was changed.
#[derive(Debug)]
pub struct PluginStats {
    requests: AtomicU64,
    errors: AtomicU64,
    traps: AtomicU64,
    timeouts: AtomicU64,
    refused: AtomicU64,
    running: AtomicU64,
    instantiations: AtomicU64,
    memory: AtomicUsize,
    latency: [AtomicU64; BUCKETS],
}

/// The counters at one moment.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct StatsSnapshot {
    /// Requests that reached the plugin.
    pub requests: u64,
    /// Answers with a status of 500 or above, faults included.
    pub errors: u64,
    /// Requests that ended in a trap.
    pub traps: u64,
    /// Requests that ran out of processor or wall-clock time.
    pub timeouts: u64,
    /// Requests refused because the plugin was saturated or cut off.
    pub refused: u64,
    /// Requests being handled.
    pub running: u64,
    /// Instances made.
    pub instantiations: u64,
    /// Memory of the instance used last, bytes.
    pub memory_bytes: u64,
    /// Time until the head of the response, seconds: median.
    pub p50_seconds: f64,
    /// 95th percentile, seconds.
    pub p95_seconds: f64,
    /// 99th percentile, seconds.
    pub p99_seconds: f64,
}

impl Default for PluginStats {
    fn default() -> Self {
        Self {
            requests: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            traps: AtomicU64::new(0),
            timeouts: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            running: AtomicU64::new(0),
            instantiations: AtomicU64::new(0),
            memory: AtomicUsize::new(0),
            latency: [const { AtomicU64::new(0) }; BUCKETS],
        }
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl PluginStats {
    pub(crate) fn begin(&self) {
        add(&self.requests);
        add(&self.running);
    }

    pub(crate) fn end(&self) {
        self.running.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn head(&self, after: Duration, status: u16) {
        if status >= 500 {
            add(&self.errors);
        }
        if let Some(bucket) = self.latency.get(bucket(after)) {
            add(bucket);
        }
    }

    pub(crate) fn error(&self) {
        add(&self.errors);
    }

    pub(crate) fn trap(&self) {
        add(&self.traps);
    }

    pub(crate) fn timeout(&self) {
        add(&self.timeouts);
    }

    pub(crate) fn refused(&self) {
        add(&self.refused);
    }

    pub(crate) fn instantiated(&self) {
        add(&self.instantiations);
    }

    pub(crate) fn memory(&self, bytes: usize) {
        self.memory.store(bytes, Ordering::Relaxed);
    }

    /// The counters now.
    #[must_use]
    pub fn snapshot(&self) -> StatsSnapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counts: Vec<u64> = self.latency.iter().map(read).collect();
        StatsSnapshot {
            requests: read(&self.requests),
            errors: read(&self.errors),
            traps: read(&self.traps),
            timeouts: read(&self.timeouts),
            refused: read(&self.refused),
            running: read(&self.running),
            instantiations: read(&self.instantiations),
            memory_bytes: self.memory.load(Ordering::Relaxed) as u64,
            p50_seconds: quantile(&counts, 50),
            p95_seconds: quantile(&counts, 95),
            p99_seconds: quantile(&counts, 99),
        }
    }
}

/// The bucket of a latency: its doubling, and which quarter of that.
fn bucket(latency: Duration) -> usize {
    let micros = u64::try_from(latency.as_micros())
        .unwrap_or(u64::MAX)
        .max(1);
    let doubling = micros.ilog2();
    let quarter = if doubling >= 2 {
        (micros >> (doubling - 2)) & 3
    } else {
        0
    };
    (doubling as usize * 4 + usize::try_from(quarter).unwrap_or(0)).min(BUCKETS - 1)
}

/// The upper end of a bucket, seconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "a bucket's bound needs no more precision"
)]
fn upper_bound(bucket: usize) -> f64 {
    let doubling = (bucket / 4) as f64;
    let quarter = (bucket % 4 + 1) as f64;
    doubling.exp2() * (1.0 + quarter / 4.0) / 1e6
}

fn quantile(counts: &[u64], percent: u64) -> f64 {
    let total: u64 = counts.iter().sum();
    if total == 0 {
        return 0.0;
    }
    let wanted = total.saturating_mul(percent).div_ceil(100).max(1);
    let mut seen = 0;
    for (bucket, count) in counts.iter().enumerate() {
        seen += count;
        if seen >= wanted {
            return upper_bound(bucket);
        }
    }
    upper_bound(BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_near_the_latencies_they_were_made_of() {
        let stats = PluginStats::default();
        for millis in 1..=100 {
            stats.begin();
            stats.head(Duration::from_millis(millis), 200);
            stats.end();
        }
        let now = stats.snapshot();
        assert!(
            (0.045..0.066).contains(&now.p50_seconds),
            "{}",
            now.p50_seconds
        );
        assert!(
            (0.095..0.132).contains(&now.p99_seconds),
            "{}",
            now.p99_seconds
        );
        assert_eq!(now.running, 0);
    }
}
