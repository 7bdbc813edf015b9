//! What the server's settings say to the queue, already checked.

use std::time::Duration;

/// How a node works on the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    /// Items that a node works on at once; 0 leaves the work to other nodes.
    pub workers: u32,
    /// Of those, at most this many of one project.
    pub workers_per_project: u32,
    /// How long a node that went silent keeps its items.
    pub lease: Duration,
    /// Items that a project may have in the queue.
    pub backlog_items: u64,
    /// Bytes that they may carry together.
    pub backlog_bytes: u64,
    /// How long items that were done can be looked at.
    pub keep_done_hours: u32,
    /// How long items that were given up or cancelled can be looked at and
    /// tried again.
    pub keep_failed_days: u32,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            workers: 32,
            workers_per_project: 16,
            lease: Duration::from_secs(30),
            backlog_items: 100_000,
            backlog_bytes: 256 * 1024 * 1024,
            keep_done_hours: 1,
            keep_failed_days: 30,
        }
    }
}
