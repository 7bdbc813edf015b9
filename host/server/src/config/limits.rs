//! Sizes and times of the node's own interface. What a plugin may use is in
//! its manifest and its installation.

use anyhow::bail;
use atlashub_core::UploadPace;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Sizes and times.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsConfig {
    /// Largest body of a call to the host's own interface, bytes.
    pub(crate) max_body_bytes: u64,
    /// Largest component that is accepted, bytes.
    pub(crate) max_component_bytes: u64,
    /// Time in which a host call must answer, seconds.
    pub(crate) request_timeout_seconds: u64,
    /// Time in which a client must send a request's head, seconds.
    pub(crate) header_timeout_seconds: u64,
    /// Time that running requests get at shutdown, seconds.
    pub(crate) shutdown_seconds: u64,
    /// Most connections at once.
    pub(crate) max_connections: u64,
    /// Requests a second of a project that has no limit of its own.
    pub(crate) requests_per_second: u32,
    /// Requests that read, of one caller in a project, in a second.
    pub(crate) caller_reads_per_second: u32,
    /// Requests that change something, of one caller in a project, in a
    /// second.
    pub(crate) caller_writes_per_second: u32,
    /// Requests below `/v1/auth`, of one caller in a project, in a second.
    pub(crate) auth_requests_per_second: u32,
    /// Requests to the admin interface, of one address, in a second.
    pub(crate) admin_requests_per_second: u32,
    /// How long a session of a platform admin lasts without use.
    pub(crate) admin_session_minutes: u32,
    /// Requests in plugins at once, over all projects.
    pub(crate) concurrency: u32,
    /// Requests in the plugins of one project at once; half of `concurrency`
    /// unless set.
    pub(crate) project_concurrency: Option<u32>,
    /// The slowest that an upload to a plugin may come, bytes a second over a
    /// window; 0 for as slow as it likes.
    pub(crate) upload_bytes_per_second: u64,
    /// That window, seconds.
    pub(crate) upload_window_seconds: u64,
    /// Time in which a component must be compiled, seconds.
    pub(crate) compile_seconds: u64,
    /// Address space of the process that compiles it, MiB; the process itself
    /// takes more than one GiB of that.
    pub(crate) compile_memory_mib: u64,
    /// Largest body that an outgoing request of a plugin may get back, bytes.
    pub(crate) egress_response_bytes: u64,
    /// What a plugin of a project may send a second of bytes that it writes
    /// itself, over all its answers.
    pub(crate) plugin_bytes_per_second: u64,
    /// Held streams of one project on this node.
    pub(crate) streams_per_project: u32,
    /// Held streams of one user on this node, or of one address.
    pub(crate) streams_per_caller: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            max_body_bytes: 1024 * 1024,
            max_component_bytes: 32 * 1024 * 1024,
            request_timeout_seconds: 30,
            header_timeout_seconds: 15,
            shutdown_seconds: 20,
            max_connections: 10_000,
            requests_per_second: 100_000,
            caller_reads_per_second: 100_000,
            caller_writes_per_second: 20_000,
            auth_requests_per_second: 100,
            admin_requests_per_second: 1_000,
            admin_session_minutes: 12 * 60,
            concurrency: 512,
            project_concurrency: None,
            upload_bytes_per_second: 1024,
            upload_window_seconds: 60,
            compile_seconds: 60,
            compile_memory_mib: 4096,
            egress_response_bytes: 16 * 1024 * 1024 * 1024,
            plugin_bytes_per_second: 64 * 1024 * 1024,
            streams_per_project: 20_000,
            streams_per_caller: 32,
        }
    }
}

impl LimitsConfig {
    pub(super) fn validate(&self) -> anyhow::Result<()> {
        if !(1_024..=64 * 1024 * 1024).contains(&self.max_body_bytes) {
            bail!("ATLASHUB_MAX_BODY_BYTES must lie between 1024 and 67108864");
        }
        if !(1_024..=256 * 1024 * 1024).contains(&self.max_component_bytes) {
            bail!("ATLASHUB_MAX_COMPONENT_BYTES must lie between 1024 and 268435456");
        }
        if self.request_timeout_seconds == 0 || self.header_timeout_seconds == 0 {
            bail!(
                "ATLASHUB_REQUEST_TIMEOUT_SECONDS and limits.header_timeout_seconds must be above 0"
            );
        }
        if self.plugin_bytes_per_second < 64 * 1024 {
            bail!("ATLASHUB_PLUGIN_BYTES_PER_SECOND must be at least 65536");
        }
        if self.requests_per_second == 0 || self.concurrency == 0 {
            bail!("ATLASHUB_REQUESTS_PER_SECOND and ATLASHUB_CONCURRENCY must be above 0");
        }
        if !(5..=30 * 24 * 60).contains(&self.admin_session_minutes) {
            bail!("ATLASHUB_ADMIN_SESSION_MINUTES must lie between 5 and 43200");
        }
        if self.project_concurrency == Some(0) {
            bail!("ATLASHUB_PROJECT_CONCURRENCY must be above 0");
        }
        if !(1..=3_600).contains(&self.upload_window_seconds) {
            bail!("ATLASHUB_UPLOAD_WINDOW_SECONDS must lie between 1 and 3600");
        }
        if !(1..=3_600).contains(&self.compile_seconds) {
            bail!("ATLASHUB_COMPILE_SECONDS must lie between 1 and 3600");
        }
        if !(2_048..=65_536).contains(&self.compile_memory_mib) {
            bail!("ATLASHUB_COMPILE_MEMORY_MIB must lie between 2048 and 65536");
        }
        if self.caller_reads_per_second == 0
            || self.caller_writes_per_second == 0
            || self.auth_requests_per_second == 0
            || self.admin_requests_per_second == 0
        {
            bail!(
                "ATLASHUB_CALLER_READS_PER_SECOND, ATLASHUB_CALLER_WRITES_PER_SECOND, \
                 ATLASHUB_AUTH_REQUESTS_PER_SECOND and ATLASHUB_ADMIN_REQUESTS_PER_SECOND must be above 0"
            );
        }
        if self.max_connections == 0 {
            bail!("ATLASHUB_MAX_CONNECTIONS must be above 0");
        }
        Ok(())
    }

    /// Time in which a host call must answer.
    pub(crate) fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_timeout_seconds)
    }

    /// Requests in plugins at once, over all projects.
    pub(crate) fn concurrency(&self) -> usize {
        usize::try_from(self.concurrency).unwrap_or(usize::MAX)
    }

    /// Requests in the plugins of one project at once.
    pub(crate) fn project_concurrency(&self) -> usize {
        let share = self
            .project_concurrency
            .unwrap_or_else(|| self.concurrency.div_ceil(2));
        usize::try_from(share).unwrap_or(usize::MAX)
    }

    /// Time in which a component must be compiled.
    pub(crate) fn compile_time(&self) -> Duration {
        Duration::from_secs(self.compile_seconds)
    }

    /// The slowest that an upload may come.
    pub(crate) fn uploads(&self) -> UploadPace {
        UploadPace {
            bytes_per_second: self.upload_bytes_per_second,
            window: Duration::from_secs(self.upload_window_seconds),
        }
    }

    /// Largest component, as a length in memory.
    pub(crate) fn max_component(&self) -> usize {
        usize::try_from(self.max_component_bytes).unwrap_or(usize::MAX)
    }

    /// Largest body, as a length in memory.
    pub(crate) fn max_body(&self) -> usize {
        usize::try_from(self.max_body_bytes).unwrap_or(usize::MAX)
    }
}
