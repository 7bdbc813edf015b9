//! What plugins add to the audit: below `plugins.<name>`, so that nobody takes
//! it for the host's, at a bounded rate.
//! Events are kept for good, so a plugin that adds without end is slowed
//! down; each node counts for itself.

use crate::limits::rate::{Rate, Ticks, seconds};
use async_trait::async_trait;
use atlashub_core::{
    Error, ErrorKind, Result,
    capability::{
        PluginScope,
        audit::{AuditLog, PluginEvent},
    },
};
use atlashub_data::platform::{NewAuditEvent, Platform};
use moka::sync::Cache;
use serde_json::Value;
use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

/// Events that a plugin may add at once, and
const BURST: u32 = 1_000;
/// the time in which as many may be added again.
const WINDOW: Duration = Duration::from_secs(100);
/// Plugins that are counted; one that is forgotten starts anew.
const PLUGINS: u64 = 10_000;

/// The audit as plugins have it.
pub(crate) struct AuditOfPlugins {
    platform: Platform,
    rate: Rate,
    ticks: Ticks,
    spent: Cache<PluginScope, Arc<AtomicU64>>,
}

impl AuditOfPlugins {
    pub(crate) fn new(platform: Platform) -> Self {
        Self {
            platform,
            rate: Rate::over(BURST, WINDOW),
            ticks: Ticks::start(),
            spent: Cache::builder()
                .max_capacity(PLUGINS)
                .time_to_idle(2 * WINDOW)
                .build(),
        }
    }

    fn admit(&self, scope: &PluginScope) -> Result<()> {
        let spent = self
            .spent
            .get_with_by_ref(scope, || Arc::new(AtomicU64::new(0)));
        match self.rate.take(&spent, self.ticks.now(), 1).wait {
            None => Ok(()),
            Some(wait) => Err(Error::new(
                ErrorKind::RateLimited,
                "rate_limited",
                "the plugin adds too much to the audit",
            )
            .with_retry_after(seconds(wait))),
        }
    }
}

#[async_trait]
impl AuditLog for AuditOfPlugins {
    async fn append(&self, scope: &PluginScope, event: PluginEvent) -> Result<()> {
        self.admit(scope)?;
        let event = NewAuditEvent {
            project: Some(scope.project),
            actor: event.caller,
            action: format!("plugins.{}.{}", scope.plugin, event.action),
            target: event.target,
            request: Some(event.request),
            details: Value::Object(event.details),
        };
        self.platform.audit().append(event).await
    }
}
