//! What a project may publish by way of this node: so many messages and so
//! many bytes a second, with a burst. It bounds the history.

use super::HISTORY;
use atlashub_core::{Error, ErrorKind, ProjectId, Result};
use moka::sync::Cache;
use parking_lot::Mutex;
use std::{sync::Arc, time::Instant};

/// Messages a second in the long run, and at once.
const MESSAGES: (f64, f64) = (100.0, 1_000.0);
/// Bytes a second in the long run, and at once.
const BYTES: (f64, f64) = (256.0 * 1024.0, 2.0 * 1024.0 * 1024.0);
/// Projects remembered.
const PROJECTS: u64 = 10_000;

struct Allowance {
    messages: f64,
    bytes: f64,
    at: Instant,
}

/// The budgets of the projects.
pub(super) struct PublishBudget(Cache<ProjectId, Arc<Mutex<Allowance>>>);

impl PublishBudget {
    pub(super) fn new() -> Self {
        let projects = Cache::builder()
            .max_capacity(PROJECTS)
            .time_to_idle(HISTORY)
            .build();
        Self(projects)
    }

    /// Takes a message of so many bytes.
    ///
    /// # Errors
    /// `rate_limited`.
    pub(super) fn take(&self, project: ProjectId, bytes: usize) -> Result<()> {
        self.take_at(project, bytes, Instant::now())
    }

    fn take_at(&self, project: ProjectId, bytes: usize, now: Instant) -> Result<()> {
        let full = || {
            Arc::new(Mutex::new(Allowance {
                messages: MESSAGES.1,
                bytes: BYTES.1,
                at: now,
            }))
        };
        let allowance = self.0.get_with(project, full);
        let mut left = allowance.lock();
        let seconds = now.saturating_duration_since(left.at).as_secs_f64();
        left.at = now;
        left.messages = (left.messages + seconds * MESSAGES.0).min(MESSAGES.1);
        left.bytes = (left.bytes + seconds * BYTES.0).min(BYTES.1);
        let bytes = f64::from(u32::try_from(bytes).unwrap_or(u32::MAX));
        if left.messages < 1.0 || left.bytes < bytes {
            return Err(Error::new(
                ErrorKind::RateLimited,
                "rate_limited",
                "the project publishes more to its channels than it may",
            )
            .with_retry_after(1));
        }
        left.messages -= 1.0;
        left.bytes -= bytes;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_flood_is_refused_and_time_heals_it() {
        let budget = PublishBudget::new();
        let (project, start) = (ProjectId::new(), Instant::now());
        let took = (0..2_000)
            .filter(|_| budget.take_at(project, 10, start).is_ok())
            .count();
        assert_eq!(took, 1_000);
        assert!(budget.take_at(ProjectId::new(), 10, start).is_ok());
        let later = start + Duration::from_secs(1);
        let took = (0..2_000)
            .filter(|_| budget.take_at(project, 10, later).is_ok())
            .count();
        assert_eq!(took, 100);
    }
}
