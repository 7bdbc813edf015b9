//! How much of the platform database the values of one plugin may take.
//!
//! What a plugin writes is added up here, in memory; when the sum passes the
//! limit its values are measured in the database, at most once a second, and
//! further writes are refused while they take too much. So a plugin exceeds
//! the limit by what it writes in a second at most, and a write below it costs
//! no query. Each node counts for itself and starts from nothing.

use atlashub_core::{Error, ErrorKind, Result, capability::PluginScope};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// What a row takes beside key and value, bytes, roughly.
pub(super) const ROW_BYTES: u64 = 64;

/// Least time between two measurements of one plugin's values.
const MEASURED_FOR: Duration = Duration::from_secs(1);

/// What each plugin's values take.
#[derive(Default)]
pub(super) struct KvBudget(Mutex<HashMap<PluginScope, Account>>);

#[derive(Default)]
struct Account {
    /// What the values took when they were last measured.
    measured: u64,
    /// What was written since.
    written: u64,
    measured_at: Option<Instant>,
}

/// What to do with a write.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It fits.
    Fits,
    /// Measure the values, then ask again.
    Measure,
}

impl KvBudget {
    /// Adds a write of `bytes`.
    ///
    /// # Errors
    /// `kv_full` when the values take too much.
    pub(super) fn add(&self, scope: &PluginScope, bytes: u64, limit: u64) -> Result<Verdict> {
        let mut accounts = self.0.lock();
        let account = accounts.entry(scope.clone()).or_default();
        let written = account.written.saturating_add(bytes);
        if account.measured.saturating_add(written) <= limit {
            account.written = written;
            return Ok(Verdict::Fits);
        }
        if account
            .measured_at
            .is_none_or(|at| at.elapsed() >= MEASURED_FOR)
        {
            return Ok(Verdict::Measure);
        }
        if account.measured.saturating_add(bytes) <= limit {
            account.written = written;
            return Ok(Verdict::Fits);
        }
        Err(full(limit))
    }

    /// Notes what the values of a plugin take.
    pub(super) fn measured(&self, scope: &PluginScope, bytes: u64) {
        let account = Account {
            measured: bytes,
            written: 0,
            measured_at: Some(Instant::now()),
        };
        self.0.lock().insert(scope.clone(), account);
    }

    /// Forgets a plugin whose values are gone.
    pub(super) fn forget(&self, scope: &PluginScope) {
        self.0.lock().remove(scope);
    }
}

/// Says that a plugin's values take too much.
pub(super) fn full(limit: u64) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        "kv_full",
        format!("the plugin's values take {limit} bytes already, delete some or let them expire"),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use atlashub_core::ProjectId;

    #[test]
    fn writes_below_the_limit_are_never_measured() {
        let budget = KvBudget::default();
        let scope = PluginScope {
            project: ProjectId::new(),
            plugin: "hello".parse().unwrap(),
        };
        for _ in 0..10 {
            assert_eq!(budget.add(&scope, 10, 100).unwrap(), Verdict::Fits);
        }
        assert_eq!(budget.add(&scope, 1, 100).unwrap(), Verdict::Measure);
        // Most of it overwrote what was there.
        budget.measured(&scope, 50);
        for _ in 0..8 {
            assert_eq!(budget.add(&scope, 10, 100).unwrap(), Verdict::Fits);
        }
        budget.measured(&scope, 95);
        assert_eq!(budget.add(&scope, 6, 100).unwrap_err().code(), "kv_full");
        assert_eq!(budget.add(&scope, 5, 100).unwrap(), Verdict::Fits);
        budget.forget(&scope);
        assert_eq!(budget.add(&scope, 100, 100).unwrap(), Verdict::Fits);
    }
}
