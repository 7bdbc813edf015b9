//! What one plugin may use. The defaults are the platform's; a manifest may
//! ask for other values, an admin may set them, and [`Limits::clamp`] keeps
//! both under the ceilings.

use serde::{Deserialize, Serialize};

/// How instances are shared between requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// An instance serves many requests of one project's revision, one at a time.
    #[default]
    Reuse,
    /// Every request gets an instance of its own.
    Request,
}

/// Bounds of one installed plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Sum of all linear memories and tables of an instance, MiB.
    pub memory_mib: u32,
    /// Processor time for one request, milliseconds.
    pub cpu_ms: u32,
    /// Wall-clock time for one request until its response has ended,
    /// milliseconds, not counting the time in which a body moves by itself
    /// between client and storage.
    pub wall_ms: u32,
    /// Requests at once in one project.
    pub concurrency: u32,
    /// How instances are shared.
    pub isolation: Isolation,
    /// Requests after which an instance is replaced.
    pub max_reuse: u32,
    /// Largest request body in bytes that reaches the plugin; 0 leaves it
    /// to the plugin and the project's quota.
    pub max_body_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_mib: 64,
            cpu_ms: 10_000,
            wall_ms: 30_000,
            concurrency: 64,
            isolation: Isolation::Reuse,
            max_reuse: 10_000,
            max_body_bytes: 0,
        }
    }
}

impl Limits {
    /// The most memory an admin may give one plugin, MiB.
    pub const MAX_MEMORY_MIB: u32 = 256;
    /// The most processor time for one request, milliseconds.
    pub const MAX_CPU_MS: u32 = 300_000;
    /// The most wall-clock time for one request, milliseconds.
    pub const MAX_WALL_MS: u32 = 3_600_000;
    /// The most requests at once.
    pub const MAX_CONCURRENCY: u32 = 1_024;

    /// Brings every value into its range.
    #[must_use]
    pub fn clamp(mut self) -> Self {
        self.memory_mib = self.memory_mib.clamp(1, Self::MAX_MEMORY_MIB);
        self.cpu_ms = self.cpu_ms.clamp(10, Self::MAX_CPU_MS);
        self.wall_ms = self.wall_ms.clamp(10, Self::MAX_WALL_MS);
        self.concurrency = self.concurrency.clamp(1, Self::MAX_CONCURRENCY);
        self.max_reuse = self.max_reuse.clamp(1, 1_000_000);
        self
    }
}
