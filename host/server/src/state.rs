//! What the host's handlers share.

use crate::{config::Config, telemetry::Measurements};
use atlashub_app::App;
use ipnet::IpNet;
use std::{ops::Deref, sync::Arc};
use tokio_util::sync::CancellationToken;

/// What the host's handlers share; cheap to clone.
#[derive(Clone)]
pub(crate) struct HostState(Arc<Shared>);

/// The parts of [`HostState`].
pub(crate) struct Shared {
    /// The use cases.
    pub(crate) app: App,
    /// The node's settings.
    pub(crate) config: Config,
    /// The process's metrics.
    pub(crate) measurements: Measurements,
    /// Cancelled when the node is asked to end: streams end then.
    pub(crate) stopping: CancellationToken,
    /// Proxies whose forwarding headers are believed.
    pub(crate) proxies: Vec<IpNet>,
}

impl HostState {
    pub(crate) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

impl Deref for HostState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
