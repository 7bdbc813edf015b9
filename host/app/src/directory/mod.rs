//! Which project a request belongs to, who calls, and which plugin answers:
//! kept in memory, so that a warm request asks no database.
//!
//! Projects are known from the start and kept current by the changes feed
//! ([`Directory::apply`]); a project's plugins are brought up on its first
//! request; keys are remembered once they have been seen. What is remembered
//! of strangers (unknown slugs, bad keys) is bounded in number and time.

mod calls;
mod keys;
mod measure;
mod project;
mod renew;
mod routes;

pub use calls::ProjectCalls;
pub use keys::KnownKey;
pub use project::ProjectEntry;
pub(crate) use routes::paths;
pub use routes::{InstalledPlugin, Mount, RouteTable};

use crate::{
    backups,
    limits::RequestLimits,
    plugins::{Code, RevisionAssets},
};
use atlashub_core::{Error, ProjectId, Result, Slug};
use atlashub_data::{
    platform::{Change, ChangeKind, Installation, Platform, Project, seal::Sealer},
    project::ProjectDatabases,
};
use atlashub_runtime::LivePlugin;
use keys::KeyRing;
use moka::sync::Cache;
use parking_lot::RwLock;
use renew::Renewals;
use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};

/// How long it is remembered that a slug or a host belongs to nobody.
const STRANGERS_FOR: Duration = Duration::from_secs(2);
/// How many strangers are remembered.
const STRANGERS: u64 = 10_000;

/// How the directory is set up.
#[derive(Clone, Debug)]
pub struct DirectoryOptions {
    /// What links start with, no slash at the end.
    pub public_url: String,
    /// `<slug>.<base domain>` names a project.
    pub base_domain: Option<String>,
    /// The project of requests that name none.
    pub default_project: Option<Slug>,
    /// Requests a second of a project that has no limit of its own.
    pub requests_per_second: u32,
}

/// The directory of one node.
pub struct Directory {
    platform: Platform,
    code: Code,
    sealer: Sealer,
    options: DirectoryOptions,
    limits: Arc<RequestLimits>,
    databases: ProjectDatabases,
    index: RwLock<Index>,
    strangers: Cache<String, ()>,
    keys: KeyRing,
    renewals: Renewals,
    /// Itself, for the tasks that bring plugins up.
    own: Weak<Self>,
}

#[derive(Default)]
struct Index {
    by_id: HashMap<ProjectId, Arc<ProjectEntry>>,
    by_slug: HashMap<String, Arc<ProjectEntry>>,
    by_host: HashMap<String, Arc<ProjectEntry>>,
}

/// A live plugin that was made ready for an installation before that was
/// written down.
pub(crate) struct Prepared {
    pub(crate) installation: Installation,
    pub(crate) plugin: Arc<LivePlugin>,
}

impl Directory {
    /// Loads all projects and their hosts.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn load(
        platform: Platform,
        code: Code,
        sealer: Sealer,
        options: DirectoryOptions,
        limits: Arc<RequestLimits>,
        databases: ProjectDatabases,
    ) -> Result<Arc<Self>> {
        let directory = Arc::new_cyclic(|own| Self {
            own: Weak::clone(own),
            renewals: Renewals::default(),
            keys: KeyRing::new(),
            strangers: Cache::builder()
                .max_capacity(STRANGERS)
                .time_to_live(STRANGERS_FOR)
                .build(),
            index: RwLock::default(),
            platform,
            code,
            sealer,
            options,
            limits,
            databases,
        });
        directory.reload().await?;
        Ok(directory)
    }

    /// Takes everything up anew.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn reload(&self) -> Result<()> {
        let projects = self.platform.projects().load_all().await?;
        let mut index = Index::default();
        for project in projects {
            backups::know(&self.databases, &self.sealer, &project);
            let entry = match self.by_id(project.id) {
                Some(old) if old.is_same(&project) => old,
                _ => Arc::new(ProjectEntry::new(&project, &self.options, &self.limits)),
            };
            index
                .by_slug
                .insert(entry.slug.to_string(), Arc::clone(&entry));
            index.by_id.insert(entry.id, entry);
        }
        for domain in self.platform.domains().load_all().await? {
            if let Some(entry) = index.by_id.get(&domain.project) {
                index.by_host.insert(domain.host, Arc::clone(entry));
            }
        }
        // What is known here and was not read was made meanwhile, or deleted.
        let unread: Vec<ProjectId> = {
            let mut known = self.index.write();
            let unread: Vec<_> = known
                .by_id
                .values()
                .filter(|entry| !index.by_id.contains_key(&entry.id))
                .cloned()
                .collect();
            for entry in &unread {
                index
                    .by_slug
                    .insert(entry.slug.to_string(), Arc::clone(entry));
                index.by_id.insert(entry.id, Arc::clone(entry));
            }
            *known = index;
            unread.iter().map(|entry| entry.id).collect()
        };
        self.strangers.invalidate_all();
        self.keys.clear();
        for id in unread {
            self.refresh(id).await?;
        }
        Ok(())
    }

    /// Takes up what changed, here or on another node. Waits for no plugin:
    /// those are brought up by a task of their project.
    ///
    /// # Errors
    /// When the database cannot; apply the same changes again then.
    pub async fn apply(&self, changes: &[Change]) -> Result<()> {
        for change in changes {
            let Some(project) = change.project else {
                continue;
            };
            match change.kind {
                ChangeKind::KeyCreated | ChangeKind::KeyRevoked => self.keys.forget(project),
                ChangeKind::InstallationChanged => self.renew(project),
                ChangeKind::QuotaChanged
                | ChangeKind::UserChanged
                | ChangeKind::UserSessionEnded
                | ChangeKind::RolesChanged
                | ChangeKind::AuthChanged
                | ChangeKind::TablesChanged
                | ChangeKind::StatementCancelled => {}
                _ => {
                    self.keys.forget(project);
                    self.refresh(project).await?;
                }
            }
        }
        Ok(())
    }

    /// Takes one project up anew: its names and settings.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn refresh(&self, id: ProjectId) -> Result<()> {
        let project = self.platform.projects().find(id).await?;
        let Some(project) = project.filter(|project| project.deleted_at.is_none()) else {
            self.index.write().remove(id);
            self.keys.forget(id);
            return Ok(());
        };
        let hosts = self.platform.domains().list(id).await?;
        let hosts = hosts.into_iter().map(|domain| domain.host).collect();
        self.enter(&project, hosts);
        Ok(())
    }

    fn enter(&self, project: &Project, hosts: Vec<String>) -> Arc<ProjectEntry> {
        backups::know(&self.databases, &self.sealer, project);
        let mut index = self.index.write();
        let old = index.by_id.get(&project.id);
        let entry = match old {
            Some(old) if old.is_same(project) => Arc::clone(old),
            _ => Arc::new(ProjectEntry::new(project, &self.options, &self.limits)),
        };
        index.remove(project.id);
        index.by_id.insert(project.id, Arc::clone(&entry));
        index
            .by_slug
            .insert(project.slug.to_string(), Arc::clone(&entry));
        self.strangers.invalidate(project.slug.as_str());
        for host in hosts {
            self.strangers.invalidate(&host);
            index.by_host.insert(host, Arc::clone(&entry));
        }
        entry
    }

    /// The project with this id, if this node knows it.
    #[must_use]
    pub fn by_id(&self, id: ProjectId) -> Option<Arc<ProjectEntry>> {
        self.index.read().by_id.get(&id).cloned()
    }

    /// The project that a key belongs to. It is there, if need be on another
    /// node since a moment ago.
    ///
    /// # Errors
    /// When the database has to be asked and cannot.
    pub async fn of_key(&self, key: &KnownKey) -> Result<Option<Arc<ProjectEntry>>> {
        if let Some(entry) = self.by_id(key.project) {
            return Ok(Some(entry));
        }
        self.refresh(key.project).await?;
        Ok(self.by_id(key.project))
    }

    /// The project with this slug.
    ///
    /// # Errors
    /// When the database has to be asked and cannot.
    pub async fn by_slug(&self, slug: &str) -> Result<Option<Arc<ProjectEntry>>> {
        if let Some(entry) = self.index.read().by_slug.get(slug) {
            return Ok(Some(Arc::clone(entry)));
        }
        if self.strangers.contains_key(slug) {
            return Ok(None);
        }
        // Made on another node a moment ago, perhaps.
        let found = match slug.parse::<Slug>() {
            Ok(slug) => self.platform.projects().find_by_slug(&slug).await?,
            Err(_) => None,
        };
        match found {
            Some(project) => {
                self.refresh(project.id).await?;
                Ok(self.by_id(project.id))
            }
            None => {
                self.strangers.insert(slug.to_owned(), ());
                Ok(None)
            }
        }
    }

    /// The project whose domain `host` is; port and case do not matter.
    ///
    /// # Errors
    /// When the database has to be asked and cannot.
    pub async fn by_host(&self, host: &str) -> Result<Option<Arc<ProjectEntry>>> {
        {
            let index = self.index.read();
            if index.by_host.is_empty() && self.options.base_domain.is_none() {
                return Ok(None);
            }
        }
        let host = host.rsplit_once(':').map_or(host, |(name, port)| {
            if port.bytes().all(|byte| byte.is_ascii_digit()) {
                name
            } else {
                host
            }
        });
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        if let Some(entry) = self.index.read().by_host.get(&host) {
            return Ok(Some(Arc::clone(entry)));
        }
        let Some(base) = &self.options.base_domain else {
            return Ok(None);
        };
        match host
            .strip_suffix(base.as_str())
            .and_then(|rest| rest.strip_suffix('.'))
        {
            Some(slug) if !slug.contains('.') => self.by_slug(slug).await,
            _ => Ok(None),
        }
    }

    /// The project of requests that name none.
    ///
    /// # Errors
    /// When the database has to be asked and cannot.
    pub async fn default_project(&self) -> Result<Option<Arc<ProjectEntry>>> {
        match &self.options.default_project {
            Some(slug) => self.by_slug(slug.as_str()).await,
            None => Ok(None),
        }
    }

    /// The key `token`, if it is valid now.
    ///
    /// # Errors
    /// When the database has to be asked and cannot.
    pub async fn key(&self, token: &str) -> Result<Option<Arc<KnownKey>>> {
        self.keys.find(&self.platform, token).await
    }

    /// What addresses of this installation start with, no slash at the end.
    #[must_use]
    pub fn public_address(&self) -> &str {
        &self.options.public_url
    }

    /// What addresses of a project start with, no slash at the end.
    #[must_use]
    pub fn public_url(&self, slug: &Slug) -> String {
        format!("{}/p/{slug}", self.options.public_url)
    }

    /// The plugins of a project, brought up on first use.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn routes(&self, entry: &Arc<ProjectEntry>) -> Result<Arc<RouteTable>> {
        match entry.routes() {
            Some(routes) => Ok(routes),
            None => self.bring_up(entry, None).await,
        }
    }

    /// Reads the installations of a project and swaps in a new route table.
    /// What has not changed stays warm; what was replaced ends with its last
    /// request.
    pub(crate) async fn bring_up(
        &self,
        entry: &Arc<ProjectEntry>,
        prepared: Option<Prepared>,
    ) -> Result<Arc<RouteTable>> {
        let _turn = entry.building.lock().await;
        if prepared.is_none()
            && !entry.is_up()
            && let Some(routes) = entry.routes()
        {
            return Ok(routes);
        }
        let old = entry.routes();
        let installations = self.platform.installations().list(entry.id).await?;
        let mut plugins = Vec::with_capacity(installations.len());
        for installation in installations {
            let known = old
                .as_ref()
                .and_then(|old| old.plugin(&installation.plugin))
                .filter(|plugin| plugin.is_of(&installation) && plugin.is_ready());
            let plugin = match (known, &prepared) {
                (Some(known), _) => Arc::clone(known),
                (None, Some(prepared))
                    if prepared.installation.id == installation.id
                        && prepared.installation.generation == installation.generation =>
                {
                    let revision = self.revision(&installation).await?;
                    let live = Ok(Arc::clone(&prepared.plugin));
                    let assets = self.assets(&revision).await;
                    Arc::new(InstalledPlugin::new(
                        installation,
                        revision,
                        Some(live),
                        assets,
                    ))
                }
                _ => {
                    let before = old
                        .as_ref()
                        .and_then(|old| old.plugin(&installation.plugin));
                    let new = self.bring_up_plugin(entry, installation).await?;
                    Arc::new(new.or_stay_with(before.map(|before| &**before)))
                }
            };
            plugins.push(plugin);
        }
        let table = Arc::new(RouteTable::new(plugins));
        entry.swap(Arc::clone(&table));
        Ok(table)
    }

    async fn revision(
        &self,
        installation: &Installation,
    ) -> Result<atlashub_data::platform::Revision> {
        self.platform
            .revisions()
            .find(installation.state.revision)
            .await?
            .ok_or_else(|| Error::internal("bring a plugin up", "its revision is gone"))
    }

    async fn bring_up_plugin(
        &self,
        entry: &ProjectEntry,
        installation: Installation,
    ) -> Result<InstalledPlugin> {
        let revision = self.revision(&installation).await?;
        if !installation.state.enabled {
            return Ok(InstalledPlugin::new(installation, revision, None, None));
        }
        let live = self.live_plugin(entry, &installation, &revision).await;
        if let Err(error) = &live {
            tracing::error!(
                %error, project = %entry.slug, plugin = %installation.plugin,
                "a plugin could not be brought up"
            );
        }
        let assets = self.assets(&revision).await;
        Ok(InstalledPlugin::new(
            installation,
            revision,
            Some(live),
            assets,
        ))
    }

    /// The static files of a revision, if it has any.
    async fn assets(
        &self,
        revision: &atlashub_data::platform::Revision,
    ) -> Option<Result<Arc<RevisionAssets>>> {
        let read = self.code.assets(&revision.digest, &revision.manifest).await;
        if let Err(error) = &read {
            tracing::error!(%error, plugin = %revision.plugin, "the static files of a plugin could not be read");
        }
        read.transpose()
    }

    /// Makes a live plugin for an installation, written down already or about
    /// to be.
    pub(crate) async fn live_plugin(
        &self,
        entry: &ProjectEntry,
        installation: &Installation,
        revision: &atlashub_data::platform::Revision,
    ) -> Result<Arc<LivePlugin>> {
        let code = self.code.load(&revision.digest).await?;
        let state = &installation.state;
        let config = crate::plugins::config::open(&self.sealer, installation)?;
        let schema = revision.manifest.config_schema.as_ref();
        let (config, secrets) = crate::plugins::config::divide(schema, &config);
        let scope = atlashub_core::capability::PluginScope {
            project: entry.id,
            plugin: installation.plugin.clone(),
        };
        let spec = atlashub_runtime::PluginSpec {
            scope,
            slug: entry.slug.clone(),
            public_url: self.public_url(&entry.slug),
            grants: state.grants.with_config(&config),
            permissions: revision.manifest.permissions.clone(),
            events: revision
                .manifest
                .events
                .iter()
                .map(|event| event.name.clone())
                .collect(),
            jobs: revision.manifest.jobs.clone(),
            config,
            told: entry.told(),
            secrets,
            limits: state
                .limits
                .clone()
                .unwrap_or_else(|| revision.manifest.limits.clone()),
        };
        Ok(self.code.runtime().plugin(code, spec))
    }
}

impl Index {
    fn remove(&mut self, id: ProjectId) {
        self.by_id.remove(&id);
        self.by_slug.retain(|_, entry| entry.id != id);
        self.by_host.retain(|_, entry| entry.id != id);
    }
}
