//! Events that plugins publish: one item in the queue for each subscriber.

use super::WorkQueue;
use crate::directory::{Directory, InstalledPlugin, RouteTable};
use async_trait::async_trait;
use atlashub_core::{
    EventId, Grant, ItemId, PluginName, Result,
    capability::{
        PluginScope,
        events::{Events, NewEvent},
    },
};
use atlashub_data::platform::{Backlog, ItemKind, NewItem, Platform};
use std::sync::{Arc, OnceLock, Weak};

/// Takes events from plugins. Made before the directory, which needs the
/// runtime, which needs this.
pub(crate) struct EventsOfPlugins {
    platform: Platform,
    queue: Arc<WorkQueue>,
    directory: OnceLock<Weak<Directory>>,
}

impl EventsOfPlugins {
    pub(crate) fn new(platform: Platform, queue: Arc<WorkQueue>) -> Arc<Self> {
        Arc::new(Self {
            platform,
            queue,
            directory: OnceLock::new(),
        })
    }

    /// Connects it to the directory; only the first call counts.
    pub(crate) fn connect(&self, directory: &Arc<Directory>) {
        let _ = self.directory.set(Arc::downgrade(directory));
    }

    async fn routes(&self, scope: &PluginScope) -> Result<Option<Arc<RouteTable>>> {
        let Some(directory) = self.directory.get().and_then(Weak::upgrade) else {
            return Ok(None);
        };
        match directory.by_id(scope.project) {
            Some(entry) => directory.routes(&entry).await.map(Some),
            None => Ok(None),
        }
    }
}

#[async_trait]
impl Events for EventsOfPlugins {
    async fn publish(&self, scope: &PluginScope, event: NewEvent) -> Result<EventId> {
        let id = EventId::new();
        let Some(routes) = self.routes(scope).await? else {
            return Ok(id);
        };
        let name = format!("{}.{}", scope.plugin, event.name);
        let due_at = (!event.delay.is_zero()).then(|| self.platform.now() + event.delay);
        let items: Vec<NewItem> = routes
            .plugins()
            .filter_map(|installed| {
                let max_attempts = subscribed(installed, &scope.plugin, &name)?;
                Some(NewItem {
                    id: ItemId::new(),
                    project: scope.project,
                    kind: ItemKind::Event,
                    consumer: installed.installation.plugin.clone(),
                    name: name.clone(),
                    source: Some(scope.plugin.clone()),
                    subject: *id.as_uuid(),
                    request: Some(event.request),
                    payload: event.payload.clone(),
                    ordering_key: event.key.clone(),
                    unique_key: None,
                    priority: 0,
                    hops: event.hops + 1,
                    due_at,
                    max_attempts,
                    job: None,
                })
            })
            .collect();
        metrics::counter!("atlashub_events_published_total").increment(1);
        if items.is_empty() {
            return Ok(id);
        }
        let more = Backlog {
            items: items.len() as u64,
            bytes: (items.len() * event.payload.len()) as u64,
        };
        self.queue
            .take_share(&self.platform, scope.project, more)
            .await?;
        self.platform.queue().enqueue(items).await?;
        self.queue.wake();
        Ok(id)
    }
}

/// After how many attempts an event is given up, if the plugin subscribes to
/// it: it is enabled, its manifest says so, and it was granted.
pub(super) fn subscribed(
    installed: &InstalledPlugin,
    publisher: &PluginName,
    event: &str,
) -> Option<u32> {
    let state = &installed.installation.state;
    let subscription = installed.revision.manifest.subscription(event)?;
    let granted = state.grants.contains(&Grant::Events(publisher.clone()));
    (state.enabled && granted).then_some(subscription.max_attempts)
}
