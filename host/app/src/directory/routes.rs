//! The route table of a project: the longest declared route wins.

use crate::plugins::RevisionAssets;
use atlashub_core::{
    Error, ErrorKind, Manifest, PluginName, Result, manifest::below, permission::Declaration,
};
use atlashub_data::platform::{Installation, InstallationState, Revision};
use atlashub_runtime::LivePlugin;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// After a plugin could not be brought up, the next try is made at the next
/// change or this long afterwards.
const RETRY: Duration = Duration::from_secs(10);

/// A plugin as it is installed in a project, and what runs of it here.
pub struct InstalledPlugin {
    /// The installation.
    pub installation: Installation,
    /// The revision it is on.
    pub revision: Revision,
    live: Option<Result<Arc<LivePlugin>>>,
    assets: Option<Result<Arc<RevisionAssets>>>,
    served: AtomicU64,
    /// Why what it was changed to does not run in its place.
    behind: Option<String>,
}

impl InstalledPlugin {
    pub(super) fn new(
        installation: Installation,
        revision: Revision,
        live: Option<Result<Arc<LivePlugin>>>,
        assets: Option<Result<Arc<RevisionAssets>>>,
    ) -> Self {
        Self {
            installation,
            revision,
            live,
            assets,
            served: AtomicU64::new(0),
            behind: None,
        }
    }

    /// This one, or where it could not be brought up what ran before it, until
    /// the next try. What it no longer may do does not go on.
    pub(super) fn or_stay_with(self, before: Option<&Self>) -> Self {
        let (Some(failure), Some(before)) = (self.failure(), before) else {
            return self;
        };
        let Some(Ok(live)) = &before.live else {
            return self;
        };
        let (was, is) = (&before.installation, &self.installation);
        let may_go_on = was.id == is.id
            && is.state.enabled
            && was.state.grants.difference(&is.state.grants).is_empty();
        if !may_go_on {
            return self;
        }
        Self {
            installation: was.clone(),
            revision: before.revision.clone(),
            live: Some(Ok(Arc::clone(live))),
            assets: before.assets.as_ref().map(|read| match read {
                Ok(assets) => Ok(Arc::clone(assets)),
                Err(_) => Err(unavailable()),
            }),
            served: AtomicU64::new(before.served.load(Ordering::Relaxed)),
            behind: Some(failure),
        }
    }

    /// What runs, if it is enabled.
    ///
    /// # Errors
    /// `plugin_disabled`; `plugin_unavailable` when it could not be brought
    /// up on this node.
    pub fn live(&self) -> Result<&Arc<LivePlugin>> {
        match &self.live {
            Some(Ok(live)) => Ok(live),
            Some(Err(_)) => Err(unavailable()),
            None => Err(Error::not_found("route")),
        }
    }

    /// Its static files, for one more request; they are there even when the
    /// plugin could not be brought up.
    ///
    /// # Errors
    /// 404 when it has none; `plugin_unavailable` when they could not be read
    /// on this node.
    pub fn assets(&self) -> Result<&Arc<RevisionAssets>> {
        match &self.assets {
            Some(Ok(assets)) => {
                self.served.fetch_add(1, Ordering::Relaxed);
                Ok(assets)
            }
            Some(Err(_)) => Err(unavailable()),
            None => Err(Error::not_found("route")),
        }
    }

    /// Requests for static files since this process started or the
    /// installation was changed; none for a plugin that has no files.
    #[must_use]
    pub fn assets_served(&self) -> Option<u64> {
        self.assets
            .is_some()
            .then(|| self.served.load(Ordering::Relaxed))
    }

    /// Why it could not be brought up.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        if self.behind.is_some() {
            return self.behind.clone();
        }
        let live = self.live.as_ref().and_then(|live| live.as_ref().err());
        let assets = self.assets.as_ref().and_then(|read| read.as_ref().err());
        live.or(assets).map(|error| error.message().to_owned())
    }

    /// Where it is mounted: its routes, and then its static files.
    #[must_use]
    pub fn paths(&self) -> Vec<&str> {
        paths(&self.installation.state, &self.revision.manifest)
    }

    pub(super) fn is_of(&self, installation: &Installation) -> bool {
        self.installation.id == installation.id
            && self.installation.generation == installation.generation
    }

    /// Whether there is nothing to try again.
    pub(super) fn is_ready(&self) -> bool {
        self.behind.is_none()
            && !matches!(self.live, Some(Err(_)))
            && !matches!(self.assets, Some(Err(_)))
    }
}

fn unavailable() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "plugin_unavailable",
        "the plugin cannot be started at the moment",
    )
    .with_retry_after(10)
}

/// Where a plugin in this state is mounted: its routes, and then its static
/// files. What an admin set replaces them one by one.
pub(crate) fn paths<'a>(state: &'a InstallationState, manifest: &'a Manifest) -> Vec<&'a str> {
    let declared = manifest.routes.len();
    let own = state.routes.as_deref().unwrap_or(&manifest.routes);
    let mut paths: Vec<&str> = own.iter().map(|route| route.path.as_str()).collect();
    if let Some(assets) = &manifest.assets
        && paths.len() <= declared
    {
        paths.push(&assets.mount);
    }
    paths
}

/// Where a plugin is mounted.
pub struct Mount {
    /// What the addresses of clients begin with.
    pub path: String,
    /// What the plugin sees in place of `path`.
    pub seen: String,
    /// Whether programs may come in with `Authorization: Basic`.
    pub basic: bool,
    /// Whether the host answers here with the plugin's static files.
    pub assets: bool,
    /// The plugin.
    pub plugin: Arc<InstalledPlugin>,
}

/// The plugins of a project and their routes.
pub struct RouteTable {
    mounts: Vec<Mount>,
    plugins: HashMap<PluginName, Arc<InstalledPlugin>>,
    /// When to try again what could not be started, once.
    retry_at: Option<Instant>,
    retried: AtomicBool,
}

impl RouteTable {
    pub(super) fn new(plugins: Vec<Arc<InstalledPlugin>>) -> Self {
        let mut mounts: Vec<Mount> = plugins
            .iter()
            .filter(|plugin| plugin.installation.state.enabled)
            .flat_map(mounts)
            .collect();
        mounts.sort_by(|left, right| {
            segments(&right.path)
                .count()
                .cmp(&segments(&left.path).count())
                // Of equally long ones, those that say more go first: `*`
                // sorts before every plain character.
                .then_with(|| right.path.cmp(&left.path))
        });
        let plugins: HashMap<_, _> = plugins
            .into_iter()
            .map(|plugin| (plugin.installation.plugin.clone(), plugin))
            .collect();
        let retry_at = plugins
            .values()
            .any(|plugin| !plugin.is_ready())
            .then(|| Instant::now() + RETRY);
        Self {
            mounts,
            plugins,
            retry_at,
            retried: AtomicBool::new(false),
        }
    }

    /// The mount that answers `path`.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&Mount> {
        self.mounts.iter().find(|mount| covers(&mount.path, path))
    }

    /// The plugin of this name.
    #[must_use]
    pub fn plugin(&self, name: &PluginName) -> Option<&Arc<InstalledPlugin>> {
        self.plugins.get(name)
    }

    /// The permission `<plugin>:<action>`, if an installed plugin declares it.
    #[must_use]
    pub fn permission(&self, permission: &str) -> Option<&Declaration> {
        let (plugin, action) = permission.split_once(':')?;
        let installed = self.plugins.get(plugin)?;
        installed.revision.manifest.permission(action)
    }

    /// All installed plugins.
    pub fn plugins(&self) -> impl Iterator<Item = &Arc<InstalledPlugin>> {
        self.plugins.values()
    }

    /// Where enabled plugins are mounted; what is asked first comes first.
    #[must_use]
    pub fn mounts(&self) -> &[Mount] {
        &self.mounts
    }

    /// Whether something failed to start and it is time to try again; says so
    /// once.
    #[must_use]
    pub fn wants_retry(&self) -> bool {
        self.retry_at.is_some_and(|at| at <= Instant::now())
            && !self.retried.swap(true, Ordering::Relaxed)
    }
}

impl Mount {
    /// Where the plugin is mounted in the project.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path and query as the plugin sees them; `None` when they are what
    /// they were.
    #[must_use]
    pub fn seen(&self, path_and_query: &str) -> Option<String> {
        if self.path == self.seen {
            return None;
        }
        let (path, query) = match path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path_and_query, None),
        };
        let (rest, any) = below(&self.path, path)?;
        let mut any = any.into_iter();
        let mut seen: String = segments(&self.seen)
            .map(|segment| match segment {
                "*" => any.next().unwrap_or(segment),
                plain => plain,
            })
            .flat_map(|segment| ["/", segment])
            .collect();
        seen.push_str(rest);
        if !seen.starts_with('/') {
            seen.insert(0, '/');
        }
        if let Some(query) = query {
            seen.push('?');
            seen.push_str(query);
        }
        Some(seen)
    }
}

/// A route's segments; none for `/`.
fn segments(route: &str) -> impl Iterator<Item = &str> {
    route.split('/').filter(|segment| !segment.is_empty())
}

fn covers(mount: &str, path: &str) -> bool {
    if mount.contains('*') {
        return below(mount, path).is_some();
    }
    mount == "/"
        || path
            .strip_prefix(mount)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Routes that an admin set replace the manifest's one by one: the plugin
/// still sees its own.
fn mounts(plugin: &Arc<InstalledPlugin>) -> Vec<Mount> {
    let manifest = &plugin.revision.manifest;
    let own = &manifest.routes;
    let moved = plugin.installation.state.routes.as_deref();
    let paths = plugin.paths();
    let of_assets = paths
        .len()
        .checked_sub(1)
        .filter(|_| manifest.assets.is_some());
    paths
        .iter()
        .enumerate()
        .map(|(index, path)| {
            let declared = own.get(index).or(own.first());
            let strips = moved
                .and_then(|moved| moved.get(index))
                .is_some_and(|route| route.strip);
            let seen = match declared {
                Some(declared) if !declared.strip && !strips => declared.path.clone(),
                _ => "/".to_owned(),
            };
            let assets = of_assets == Some(index);
            Mount {
                path: (*path).to_owned(),
                seen,
                basic: !assets && declared.is_some_and(|declared| declared.basic),
                assets,
                plugin: Arc::clone(plugin),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_route_covers_whole_segments() {
        assert!(covers("/files", "/files"));
        assert!(covers("/files", "/files/a"));
        assert!(!covers("/files", "/filesystem"));
        assert!(covers("/", "/anything"));
        assert!(covers("/files/*/tags", "/files/a/tags"));
        assert!(covers("/files/*/tags", "/files/a%2fb/tags/c"));
        assert!(!covers("/files/*/tags", "/files/a"));
        assert!(!covers("/files/*/tags", "/files//tags"));
        assert!(!covers("/files/*/tags", "/files/a/b/tags"));
        assert!(!covers("/files/*/tags", "/files/a/tagsx"));
    }
}
