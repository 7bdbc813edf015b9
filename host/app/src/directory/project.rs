//! A project as requests see it.

use super::{DirectoryOptions, RouteTable};
use crate::backups::being_restored;
use crate::limits::{Admission, ProjectLimits, ProjectRate, RequestLimits, RouteClass};
use arc_swap::ArcSwapOption;
use atlashub_core::{Caller, ProjectId, Result, Slug};
use atlashub_data::platform::{Project, ProjectSettings};
use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// A project: its names, its limits, its plugins once they are up.
pub struct ProjectEntry {
    /// Its id.
    pub id: ProjectId,
    /// Its name in addresses.
    pub slug: Slug,
    settings: ProjectSettings,
    routes: ArcSwapOption<RouteTable>,
    rate: ProjectRate,
    limits: Arc<RequestLimits>,
    requests: AtomicU64,
    pub(super) building: tokio::sync::Mutex<()>,
}

impl ProjectEntry {
    pub(super) fn new(
        project: &Project,
        options: &DirectoryOptions,
        limits: &Arc<RequestLimits>,
    ) -> Self {
        let settings = &project.settings;
        Self {
            id: project.id,
            slug: project.slug.clone(),
            settings: settings.clone(),
            routes: ArcSwapOption::empty(),
            rate: limits.project(ProjectLimits {
                per_second: settings
                    .requests_per_second
                    .unwrap_or(options.requests_per_second),
                burst: settings.burst,
                caller_reads: settings.caller_reads_per_second,
                caller_writes: settings.caller_writes_per_second,
            }),
            limits: Arc::clone(limits),
            requests: AtomicU64::new(0),
            building: tokio::sync::Mutex::new(()),
        }
    }

    /// What each of its plugins may ask for by name, whatever its
    /// configuration: the keys are those of `sdk/rust/src/config.rs`.
    pub(super) fn told(&self) -> Vec<(String, String)> {
        let limit = self.settings.user_storage_bytes;
        limit
            .map(|bytes| ("atlashub.user_storage_bytes".to_owned(), bytes.to_string()))
            .into_iter()
            .collect()
    }

    /// Whether it may be used now.
    ///
    /// # Errors
    /// `project_restoring`.
    pub fn open(&self) -> Result<()> {
        match self.settings.restoring() {
            Some(_) => Err(being_restored()),
            None => Ok(()),
        }
    }

    /// Whether nothing that this entry depends on has changed.
    pub(super) fn is_same(&self, project: &Project) -> bool {
        self.slug == project.slug && self.settings == project.settings
    }

    /// Takes a request into account; [`Admission::check`] says whether it may
    /// go on.
    pub fn admit(&self, class: RouteClass, caller: &Caller, address: IpAddr) -> Admission {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.limits
            .admit(self.id, &self.rate, class, caller, address)
    }

    /// Requests since this node started or the project was changed.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Its plugins, if they are up.
    #[must_use]
    pub fn routes(&self) -> Option<Arc<RouteTable>> {
        self.routes.load_full()
    }

    pub(super) fn is_up(&self) -> bool {
        self.routes.load().is_some()
    }

    pub(super) fn swap(&self, routes: Arc<RouteTable>) {
        self.routes.store(Some(routes));
    }
}
