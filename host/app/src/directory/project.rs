//! A project as requests see it.

use super::{DirectoryOptions, RouteTable};
use arc_swap::ArcSwapOption;
use atlashub_core::{Error, ErrorKind, ProjectId, Result, Slug};
use atlashub_data::platform::{Project, ProjectSettings};
use governor::{
    DefaultDirectRateLimiter, Quota,
    clock::{Clock as _, DefaultClock},
};
use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// A project: its names, its rate limit, its plugins once they are up.
pub struct ProjectEntry {
    /// Its id.
    pub id: ProjectId,
    /// Its name in addresses.
    pub slug: Slug,
    settings: ProjectSettings,
    routes: ArcSwapOption<RouteTable>,
    limiter: DefaultDirectRateLimiter,
    limit: u32,
    requests: AtomicU64,
    pub(super) building: tokio::sync::Mutex<()>,
}

/// What admission says of a request that may go on.
#[derive(Clone, Copy, Debug)]
pub struct Admission {
    /// Requests a second that the project may make.
    pub limit: u32,
}

impl ProjectEntry {
    pub(super) fn new(project: &Project, options: &DirectoryOptions) -> Self {
        let limit = project
            .settings
            .requests_per_second
            .unwrap_or(options.requests_per_second);
        let rate = NonZeroU32::new(limit).unwrap_or(NonZeroU32::MIN);
        let burst = project
            .settings
            .burst
            .and_then(NonZeroU32::new)
            .unwrap_or_else(|| rate.saturating_mul(NonZeroU32::MIN.saturating_add(1)));
        Self {
            id: project.id,
            slug: project.slug.clone(),
            settings: project.settings.clone(),
            routes: ArcSwapOption::empty(),
            limiter: DefaultDirectRateLimiter::direct(Quota::per_second(rate).allow_burst(burst)),
            limit,
            requests: AtomicU64::new(0),
            building: tokio::sync::Mutex::new(()),
        }
    }

    /// Whether nothing that this entry depends on has changed.
    pub(super) fn is_same(&self, project: &Project) -> bool {
        self.slug == project.slug && self.settings == project.settings
    }

    /// Takes a request into account, or refuses it (GCRA).
    ///
    /// # Errors
    /// `rate_limited` with the time to wait.
    pub fn admit(&self) -> Result<Admission> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        match self.limiter.check() {
            Ok(()) => Ok(Admission { limit: self.limit }),
            Err(until) => {
                let wait = until.wait_time_from(DefaultClock::default().now());
                let seconds = u32::try_from(wait.as_secs())
                    .unwrap_or(u32::MAX)
                    .saturating_add(1);
                Err(Error::new(
                    ErrorKind::RateLimited,
                    "rate_limited",
                    format!("the project may make {} requests a second", self.limit),
                )
                .with_retry_after(seconds))
            }
        }
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
