//! The runtime as the host sees it: made once, gives out revisions and live
//! plugins, ends its threads and tasks when it is dropped.

use crate::{
    cache::CompileCache,
    compile::Compiler,
    egress::EgressPolicy,
    engine::{self, EngineOptions, EpochThread},
    heavy::HeavyThreads,
    host,
    places::Places,
    plugin::{LivePlugin, PluginSpec},
    revision::Revision,
    seat::Seat,
    state::State,
};
use atlashub_core::{
    Caller, Digest, Error, PluginName, ProjectId, RequestId, Result, UploadPace,
    capability::{
        audit::AuditLog,
        blob::Blobs,
        channel::{CallerSession, Channels},
        database::Database,
        definitions::Definitions,
        events::Events,
        jobs::{JobLease, Jobs},
        kv::Kv,
        log::LogSink,
        mail::Mails,
        sealing::Sealing,
        sign_in::SignIns,
        sql::Sql,
        users::Users,
    },
};
use futures::future::BoxFuture;
use http::{Request, Response};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Weak},
    time::Duration,
};
use tokio_util::task::AbortOnDropHandle;
use wasmtime::{Engine, component::Linker};
use wasmtime_wasi_http::{DEFAULT_FORBIDDEN_HEADERS, ForbiddenHeaderFilter, WasiBody};

/// How often idle instances are looked through.
const SWEEP: Duration = Duration::from_secs(5);

/// What belongs to one request.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// As `x-request-id` shows it.
    pub request_id: RequestId,
    /// Who is calling.
    pub caller: Caller,
    /// The plugin that passed the request on.
    pub via_plugin: Option<PluginName>,
    /// How many plugins it has passed through.
    pub depth: u8,
    /// How many events led to it.
    pub hops: u8,
    /// The job that it is to do.
    pub job: Option<JobLease>,
    /// The end user's session in which it is made.
    pub session: Option<CallerSession>,
    /// Where it came from; nothing for what the host itself began.
    pub client: Option<IpAddr>,
    /// Whose places it rides on.
    pub seat: Seat,
}

impl RequestContext {
    /// A request that has passed through no plugin.
    #[must_use]
    pub fn new(request_id: RequestId, caller: Caller) -> Self {
        Self {
            request_id,
            caller,
            via_plugin: None,
            depth: 0,
            hops: 0,
            job: None,
            session: None,
            client: None,
            seat: Seat::default(),
        }
    }
}

/// Calls between plugins of one project: finds the plugin and dispatches.
pub trait PluginCalls: Send + Sync {
    /// Hands `request` to the enabled plugin `name` of `project`.
    fn call(
        &self,
        project: ProjectId,
        name: &PluginName,
        request: Request<WasiBody>,
        context: RequestContext,
    ) -> BoxFuture<'static, Result<Response<WasiBody>>>;
}

/// What stands behind the capabilities.
#[derive(Clone)]
pub struct Services {
    /// Tables of plugins.
    pub sql: Arc<dyn Sql>,
    /// The projects' own tables.
    pub database: Arc<dyn Database>,
    /// What the projects' own tables look like, and how plugins make them.
    pub definitions: Arc<dyn Definitions>,
    /// Small values of plugins.
    pub kv: Arc<dyn Kv>,
    /// Where plugins add to the audit.
    pub audit: Arc<dyn AuditLog>,
    /// Where plugins tell others what happened.
    pub events: Arc<dyn Events>,
    /// Work that plugins put off.
    pub jobs: Arc<dyn Jobs>,
    /// Held connections of plugins' clients.
    pub channels: Arc<dyn Channels>,
    /// Mails of plugins.
    pub mails: Arc<dyn Mails>,
    /// The projects' end users.
    pub users: Arc<dyn Users>,
    /// Seals what plugins are told in confidence.
    pub sealing: Arc<dyn Sealing>,
    /// Where plugins sign them in.
    pub sign_ins: Arc<dyn SignIns>,
    /// Objects.
    pub blobs: Arc<dyn Blobs>,
    /// Where log lines go.
    pub log: Arc<dyn LogSink>,
    /// Calls between plugins.
    pub calls: Arc<dyn PluginCalls>,
    /// What outgoing requests may reach.
    pub egress: EgressPolicy,
}

/// How the runtime is set up.
#[derive(Clone, Debug)]
pub struct RuntimeOptions {
    /// The engine.
    pub engine: EngineOptions,
    /// Requests in plugins at once, over all projects.
    pub concurrency: usize,
    /// Requests in the plugins of one project at once: what is left of
    /// `concurrency` serves the others.
    pub project_concurrency: usize,
    /// How slowly an upload may come.
    pub uploads: UploadPace,
    /// Instances kept warm, over all projects.
    pub max_idle_instances: usize,
    /// How long an unused instance is kept.
    pub idle_time: Duration,
    /// What all answers of a plugin in a project may carry together of bytes
    /// that the guest writes itself, a second.
    pub guest_bytes_per_second: u64,
}

impl Default for RuntimeOptions {
    fn default() -> Self {
        Self {
            engine: EngineOptions::default(),
            concurrency: 512,
            project_concurrency: 256,
            uploads: UploadPace::default(),
            max_idle_instances: 512,
            idle_time: Duration::from_secs(30),
            guest_bytes_per_second: 64 * 1024 * 1024,
        }
    }
}

/// The WebAssembly runtime.
#[derive(Clone)]
pub struct Runtime {
    pub(crate) inner: Arc<Inner>,
    _sweeper: Arc<AbortOnDropHandle<()>>,
}

/// What live plugins need of the runtime.
pub(crate) struct Inner {
    pub(crate) engine: Engine,
    pub(crate) options: RuntimeOptions,
    pub(crate) services: Services,
    pub(crate) forbidden: ForbiddenHeaderFilter,
    pub(crate) heavy: Arc<HeavyThreads>,
    pub(crate) running: Places,
    /// The places of each project that has live plugins.
    projects: Mutex<HashMap<ProjectId, Weak<Places>>>,
    linker: Linker<State>,
    compiler: Compiler,
    cache: CompileCache,
    revisions: Mutex<HashMap<Digest, Arc<Revision>>>,
    pub(crate) plugins: Mutex<Vec<Weak<LivePlugin>>>,
    pub(crate) epoch: EpochThread,
}

impl Runtime {
    /// Makes the engine, links the capabilities, starts the epoch thread.
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the engine can't be made.
    pub fn new(
        options: RuntimeOptions,
        services: Services,
        compiler: Compiler,
        cache: CompileCache,
    ) -> Result<Self> {
        let engine = engine::engine(&options.engine)?;
        let mut linker = Linker::new(&engine);
        host::link(&mut linker)
            .map_err(|error| Error::internal("link the capabilities", error.to_string()))?;
        cache.sweep(&engine);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let inner = Arc::new(Inner {
            heavy: Arc::new(HeavyThreads::new(2 * cores)),
            running: Places::new(
                options.concurrency,
                "the server has too many requests at once",
            ),
            forbidden: Arc::new(|name| DEFAULT_FORBIDDEN_HEADERS.contains(name)),
            epoch: EpochThread::start(&engine)?,
            engine,
            options,
            services,
            linker,
            compiler,
            cache,
            revisions: Mutex::default(),
            plugins: Mutex::default(),
            projects: Mutex::default(),
        });
        let sweeper = tokio::spawn(sweep(Arc::downgrade(&inner)));
        Ok(Self {
            inner,
            _sweeper: Arc::new(AbortOnDropHandle::new(sweeper)),
        })
    }

    /// The largest component that is compiled, bytes.
    #[must_use]
    pub fn max_component_bytes(&self) -> usize {
        self.inner.compiler.limits().max_bytes
    }

    /// A revision that is in memory already.
    #[must_use]
    pub fn loaded(&self, digest: &Digest) -> Option<Arc<Revision>> {
        self.inner.revisions.lock().get(digest).cloned()
    }

    /// Whether this node has compiled the revision, in memory or in the cache.
    #[must_use]
    pub fn is_compiled(&self, digest: &Digest) -> bool {
        self.loaded(digest).is_some() || self.inner.cache.holds(&self.inner.engine, digest)
    }

    /// The revision `digest`: from memory, else from the cache of compiled
    /// code; `None` when it has to be compiled.
    ///
    /// # Errors
    /// When it no longer links.
    pub async fn load(&self, digest: &Digest) -> Result<Option<Arc<Revision>>> {
        if let Some(revision) = self.loaded(digest) {
            return Ok(Some(revision));
        }
        let inner = Arc::clone(&self.inner);
        let digest = *digest;
        tokio::task::spawn_blocking(move || {
            let Some((component, interface)) = inner.cache.load(&inner.engine, &digest) else {
                return Ok(None);
            };
            let revision = Revision::link(&inner.linker, digest, &component, interface)?;
            Ok(Some(inner.keep(revision)))
        })
        .await
        .map_err(|error| Error::internal("load compiled code", error))?
    }

    /// The revision made of the bytes of `component`: loaded, or compiled
    /// and put into the cache.
    ///
    /// # Errors
    /// `invalid_component`, `component_too_large`, `compile_timeout`,
    /// `compile_failed`, `unknown_import`, `no_handler`.
    pub async fn compile(&self, component: &[u8]) -> Result<Arc<Revision>> {
        let digest = Digest::of(component);
        if let Some(revision) = self.load(&digest).await? {
            return Ok(revision);
        }
        let (interface, code) = self.inner.compiler.compile(component).await?;
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || {
            let component = crate::cache::deserialize(&inner.engine, &code).map_err(|error| {
                // Valid, but its memories or tables start larger than a place
                // in the pool.
                Error::invalid(
                    "component_too_demanding",
                    format!("the component asks for more than an instance may have: {error:#}"),
                )
            })?;
            let revision = Revision::link(&inner.linker, digest, &component, interface.clone())?;
            inner
                .cache
                .store(&inner.engine, &digest, &interface, &code)?;
            // From now on it stands in the file, not in memory.
            drop(code);
            let revision = match inner.cache.load(&inner.engine, &digest) {
                Some((mapped, interface)) => {
                    Revision::link(&inner.linker, digest, &mapped, interface)?
                }
                None => revision,
            };
            Ok(inner.keep(revision))
        })
        .await
        .map_err(|error| Error::internal("load compiled code", error))?
    }

    /// A plugin ready to answer in one project.
    #[must_use]
    pub fn plugin(&self, revision: Arc<Revision>, spec: PluginSpec) -> Arc<LivePlugin> {
        let plugin = Arc::new(LivePlugin::new(
            Arc::downgrade(&self.inner),
            &self.inner,
            revision,
            spec,
        ));
        let mut plugins = self.inner.plugins.lock();
        if plugins.len() == plugins.capacity() {
            plugins.retain(|plugin| plugin.strong_count() > 0);
        }
        plugins.push(Arc::downgrade(&plugin));
        plugin
    }

    /// Forgets revisions that no live plugin uses.
    pub fn forget_unused(&self) {
        self.inner
            .revisions
            .lock()
            .retain(|_, revision| Arc::strong_count(revision) > 1);
    }

    /// Instances alive now, over all projects.
    #[must_use]
    pub fn live_instances(&self) -> u64 {
        self.inner
            .engine
            .pooling_allocator_metrics()
            .map_or(0, |metrics| metrics.component_instances())
    }
}

impl Inner {
    fn keep(&self, revision: Revision) -> Arc<Revision> {
        let mut revisions = self.revisions.lock();
        Arc::clone(
            revisions
                .entry(*revision.digest())
                .or_insert_with(|| Arc::new(revision)),
        )
    }

    /// The places that all plugins of a project share.
    pub(crate) fn places_of(&self, project: ProjectId) -> Arc<Places> {
        let mut projects = self.projects.lock();
        if let Some(places) = projects.get(&project).and_then(Weak::upgrade) {
            return places;
        }
        if projects.len() == projects.capacity() {
            projects.retain(|_, places| places.strong_count() > 0);
        }
        let places = Arc::new(Places::new(
            self.options.project_concurrency,
            "the project has too many requests at once",
        ));
        projects.insert(project, Arc::downgrade(&places));
        places
    }

    /// Drops idle instances of all plugins, the longest unused first, until
    /// `keep` are left.
    pub(crate) fn evict_idle(&self, keep: usize) {
        let plugins: Vec<Arc<LivePlugin>> = self
            .plugins
            .lock()
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        let mut idle: Vec<_> = plugins
            .iter()
            .flat_map(|plugin| {
                plugin
                    .idle_since()
                    .into_iter()
                    .map(move |since| (since, plugin))
            })
            .collect();
        idle.sort_by_key(|(since, _)| *since);
        let excess = idle.len().saturating_sub(keep);
        for (since, plugin) in idle.into_iter().take(excess) {
            plugin.drop_idle_since(since);
        }
    }
}

async fn sweep(inner: Weak<Inner>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(inner) = inner.upgrade() else { return };
        let idle_time = inner.options.idle_time;
        let plugins: Vec<Arc<LivePlugin>> = {
            let mut plugins = inner.plugins.lock();
            plugins.retain(|plugin| plugin.strong_count() > 0);
            plugins.iter().filter_map(Weak::upgrade).collect()
        };
        for plugin in plugins {
            if let Some(before) = std::time::Instant::now().checked_sub(idle_time) {
                plugin.drop_idle_since(before);
            }
        }
        inner.evict_idle(inner.options.max_idle_instances);
    }
}
