//! The composition root: the opened parts, the use cases over them, and the
//! background tasks they need, which end with [`App::shutdown`].

use crate::{
    AppSettings,
    admins::Passwords,
    audit_of_plugins::AuditOfPlugins,
    backups::{ArchiveKeys, Backups, BackupsParts},
    blobs::{BlobStore, BlobStoreParts},
    changes::{self, ChangeListener},
    channels::{self, HeldChannels},
    cloudflare_access::CloudflareAccess,
    definitions_of_plugins::DefinitionsOfPlugins,
    directory::{Directory, DirectoryOptions, ProjectCalls, ProjectEntry},
    editor::Running,
    images::Images,
    limits::{RequestLimits, StrictLimits},
    logs::PluginLog,
    mail::{KeptMails, MailSettings, Mailer, MailsOfPlugins},
    maintenance,
    outgoing::{Outgoing, Reach},
    plugins::{BuiltIn, Code, Plugins},
    projects::purge::Purge,
    queue::{
        BackUp, Cleanup, EventsOfPlugins, Export, JobsOfPlugins, PlatformActions, Scheduler,
        TermsOfJobs, WorkQueue, Worker,
    },
    requests::RequestLog,
    series::{self, Traffic, Unwritten},
    sessions::{SessionCache, refusals::Refusals},
    sign_ins_of_plugins::SignInsOfPlugins,
    tables::TablesWatch,
    users::{
        access::AccessTokens,
        mails::{self, MailQueue},
        oauth::Providers,
    },
    users_of_plugins::UsersOfPlugins,
};
use atlashub_core::{Clock, ProjectId, Result, capability::jobs::PlatformJob};
use atlashub_data::{
    platform::{BackupPolicy, Change, ChangeKind, Platform, seal::Sealer},
    project::ProjectDatabases,
};
use atlashub_runtime::{CompileCache, Compiler, EgressPolicy, Runtime, RuntimeOptions, Services};
use atlashub_storage::{Storage, links::LinkKey};
use std::{fmt, path::PathBuf, sync::Arc};
use time::OffsetDateTime;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

/// What an [`App`] is made of, opened by the server at start.
pub struct AppParts {
    /// What the server's settings say.
    pub settings: AppSettings,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// The platform database, migrated.
    pub platform: Platform,
    /// The databases of projects.
    pub databases: ProjectDatabases,
    /// The object store.
    pub storage: Storage,
    /// Seals secrets, and derives keys.
    pub sealer: Sealer,
    /// How plugins run.
    pub runtime: RuntimeOptions,
    /// How components are compiled.
    pub compiler: Compiler,
    /// Where compiled code is kept.
    pub cache: CompileCache,
    /// What plugins may reach.
    pub egress: EgressPolicy,
    /// How mails are sent.
    pub mail: MailSettings,
    /// The components that came with this binary.
    pub builtin: Vec<BuiltIn>,
    /// How backups are kept.
    pub backups: BackupSettings,
}

/// How backups are kept.
pub struct BackupSettings {
    /// Where archives are.
    pub archives: Storage,
    /// Seal them; those that follow from the master keys for `None`.
    pub keys: Option<ArchiveKeys>,
    /// A folder for what has to lie somewhere while one is made.
    pub scratch: PathBuf,
    /// The policy of what has none of its own.
    pub usual_policy: Option<BackupPolicy>,
}

/// All use cases of the host; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// Leads to an app that may have ended.
pub(crate) struct WeakApp(std::sync::Weak<Inner>);

impl WeakApp {
    pub(crate) fn upgrade(&self) -> Option<App> {
        self.0.upgrade().map(App)
    }
}

struct Inner {
    settings: AppSettings,
    clock: Arc<dyn Clock>,
    started_at: OffsetDateTime,
    platform: Platform,
    databases: ProjectDatabases,
    storage: Storage,
    sealer: Sealer,
    blobs: Arc<BlobStore>,
    directory: Arc<Directory>,
    plugins: Plugins,
    images: Images,
    plugin_log: PluginLog,
    request_log: RequestLog,
    passwords: Passwords,
    strict_limits: Arc<StrictLimits>,
    request_limits: Arc<RequestLimits>,
    node: Uuid,
    session_cache: Arc<SessionCache>,
    access: Arc<AccessTokens>,
    mailer: Arc<Mailer>,
    channels: Arc<HeldChannels>,
    mails: MailQueue,
    refusals: Refusals,
    cloudflare_access: Option<Arc<CloudflareAccess>>,
    providers: Providers,
    purge: Purge,
    running: Arc<Running>,
    queue: Arc<WorkQueue>,
    jobs: Arc<JobsOfPlugins>,
    platform_actions: Arc<PlatformActions>,
    backups: Backups,
    traffic: Arc<Traffic>,
    unwritten: Unwritten,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// Ends after everything else, so that the last lines are stored.
    stop_log: CancellationToken,
    log_tasks: TaskTracker,
}

impl App {
    /// Puts opened parts together and starts the background tasks. Call
    /// within a runtime.
    ///
    /// # Errors
    /// When the database cannot be read or the runtime cannot be set up.
    pub async fn start(parts: AppParts) -> Result<Self> {
        let AppParts {
            settings,
            clock,
            platform,
            databases,
            storage,
            sealer,
            runtime,
            compiler,
            cache,
            egress,
            mail,
            builtin,
            backups,
        } = parts;
        let storage = storage.with_locations(databases.locations().clone());
        let started_at = clock.now();
        // Read before anything is loaded: what changes meanwhile comes again.
        let seq = platform.changes().latest_seq().await?;
        let (plugin_log, log_writer) = PluginLog::new();
        let (request_log, request_writer) = RequestLog::new(Arc::clone(&clock));
        let blobs = Arc::new(BlobStore::new(BlobStoreParts {
            platform: platform.clone(),
            storage: storage.clone(),
            link_keys: sealer
                .derive_all("blob-links")
                .into_iter()
                .map(LinkKey::new)
                .collect(),
            public_url: settings.public_url.clone(),
            clock: Arc::clone(&clock),
        }));
        let reach = if settings.in_development {
            Reach::Everywhere
        } else {
            Reach::Public(egress.clone())
        };
        let providers = Providers::new(Arc::new(Outgoing::new(reach)?));
        let calls = ProjectCalls::new();
        let users = UsersOfPlugins::new(platform.clone());
        let sign_ins = SignInsOfPlugins::new();
        let definitions = DefinitionsOfPlugins::new();
        let queue = WorkQueue::new(settings.queue);
        let events = EventsOfPlugins::new(platform.clone(), Arc::clone(&queue));
        let platform_actions = PlatformActions::new();
        let terms_of_jobs = TermsOfJobs::new();
        let jobs = Arc::new(JobsOfPlugins::new(
            platform.clone(),
            Arc::clone(&queue),
            Arc::clone(&platform_actions),
            Arc::clone(&terms_of_jobs),
        ));
        let channels = HeldChannels::new(platform.clone(), Arc::clone(&clock), settings.streams);
        let strict_limits = Arc::new(StrictLimits::new(
            platform.clone(),
            sealer.derive("strict-limits"),
        ));
        let services = Services {
            sql: Arc::new(databases.clone()),
            database: Arc::new(databases.clone()),
            definitions: Arc::clone(&definitions) as _,
            kv: Arc::new(platform.clone()),
            audit: Arc::new(AuditOfPlugins::new(platform.clone())),
            events: Arc::clone(&events) as _,
            jobs: Arc::clone(&jobs) as _,
            channels: Arc::clone(&channels) as _,
            mails: Arc::new(MailsOfPlugins::new(
                platform.clone(),
                Arc::clone(&queue),
                Arc::clone(&strict_limits),
            )),
            users: Arc::clone(&users) as _,
            sealing: Arc::new(sealer.clone()),
            sign_ins: Arc::clone(&sign_ins) as _,
            blobs: Arc::clone(&blobs) as _,
            log: Arc::new(plugin_log.clone()),
            calls: Arc::clone(&calls) as _,
            egress,
        };
        let runtime = Runtime::new(runtime, services, compiler, cache)?;
        let code = Code::new(runtime, storage.clone(), &builtin);
        let images = Images::new(code.clone(), &builtin)?;
        let options = DirectoryOptions {
            public_url: settings.public_url.clone(),
            base_domain: settings.base_domain.clone(),
            default_project: settings.default_project.clone(),
            requests_per_second: settings.requests_per_second,
        };
        let request_limits = Arc::new(RequestLimits::new(settings.caller_rates));
        // Before the first request, so that it finds its share.
        let node = Uuid::now_v7();
        request_limits.set_nodes(platform.nodes().beat(node).await?);
        platform.take_part_as(node);
        let directory = Directory::load(
            platform.clone(),
            code.clone(),
            sealer.clone(),
            options,
            Arc::clone(&request_limits),
            databases.clone(),
        )
        .await?;
        let stop = CancellationToken::new();
        let backups = Backups::new(
            BackupsParts {
                platform: platform.clone(),
                databases: databases.clone(),
                storage: storage.clone(),
                archives: backups.archives,
                keys: backups
                    .keys
                    .unwrap_or_else(|| ArchiveKeys::new(sealer.derive_all("backups"))),
                sealer: sealer.clone(),
                link_keys: sealer
                    .derive_all("backup-links")
                    .into_iter()
                    .map(LinkKey::new)
                    .collect(),
                public_url: settings.public_url.clone(),
                clock: Arc::clone(&clock),
                scratch: backups.scratch,
                usual_policy: backups.usual_policy,
            },
            stop.clone(),
        );
        calls.connect(&directory);
        users.connect(&directory);
        events.connect(&directory);
        let plugins = Plugins::new(
            platform.clone(),
            databases.clone(),
            storage.clone(),
            sealer.clone(),
            code,
            Arc::clone(&directory),
        );
        let (mail_queue, asked_mails) = MailQueue::new();
        let access = Arc::new(AccessTokens::new(
            platform.clone(),
            sealer.clone(),
            Arc::clone(&clock),
            settings.issuer.clone(),
        ));
        let cloudflare_access = settings
            .cloudflare_access
            .clone()
            .map(CloudflareAccess::new)
            .transpose()?
            .map(Arc::new);
        let app = Self(Arc::new(Inner {
            settings,
            clock,
            started_at,
            platform,
            databases,
            storage,
            sealer,
            blobs,
            directory,
            plugins,
            images,
            plugin_log,
            request_log,
            passwords: Passwords::new()?,
            strict_limits,
            request_limits,
            node,
            session_cache: Arc::new(SessionCache::new()),
            access,
            mailer: Arc::new(Mailer::new(mail)?),
            channels,
            mails: mail_queue,
            refusals: Refusals::new(),
            cloudflare_access,
            providers,
            purge: Purge::default(),
            running: Arc::default(),
            queue,
            jobs,
            platform_actions,
            backups,
            traffic: Arc::default(),
            unwritten: Unwritten::new(started_at),
            stop,
            tasks: TaskTracker::new(),
            stop_log: CancellationToken::new(),
            log_tasks: TaskTracker::new(),
        }));
        sign_ins.connect(&app);
        definitions.connect(&app);
        let actions = app.platform_actions();
        actions.register(PlatformJob::Cleanup, Arc::new(Cleanup(app.downgrade())));
        actions.register(PlatformJob::Backup, Arc::new(BackUp(app.downgrade())));
        actions.register(PlatformJob::Export, Arc::new(Export(app.downgrade())));
        app.0
            .log_tasks
            .spawn(log_writer.run(app.platform().clone(), app.0.stop_log.clone()));
        app.0
            .log_tasks
            .spawn(request_writer.run(app.platform().clone(), app.0.stop_log.clone()));
        let mut listeners: Vec<Arc<dyn ChangeListener>> = vec![
            Arc::clone(&app.0.session_cache) as _,
            Arc::clone(&app.0.access) as _,
            Arc::clone(&app.0.blobs) as _,
            Arc::clone(&app.0.directory) as _,
            Arc::clone(&app.0.running) as _,
            // After those that let callers in: who comes back is looked at anew.
            Arc::clone(&app.0.channels) as _,
            Arc::new(TablesWatch(app.databases().clone())) as _,
        ];
        listeners.extend(
            app.0
                .cloudflare_access
                .clone()
                .map(|access| access as Arc<dyn ChangeListener>),
        );
        app.0.tasks.spawn(changes::follow(
            app.platform().clone(),
            seq,
            listeners,
            app.stopping(),
        ));
        app.0.tasks.spawn(maintenance::run(app.clone()));
        app.0.tasks.spawn(maintenance::settle_storage(app.clone()));
        app.0.tasks.spawn(series::run(app.clone()));
        app.0.tasks.spawn(app.backups().clone().look_after());
        app.0.tasks.spawn(mails::run(app.clone(), asked_mails));
        let builtin = app.plugins().add_builtin(builtin).await?;
        let worker = Worker::new(
            app.platform().clone(),
            Arc::clone(&app.0.queue),
            Arc::clone(app.directory()),
            KeptMails::new(app.platform().clone(), Arc::clone(&app.0.mailer)),
            Arc::clone(&app.0.platform_actions),
            app.plugin_log().clone(),
            Arc::clone(&app.0.traffic),
        );
        app.0.tasks.spawn(channels::follow(
            Arc::clone(&app.0.channels),
            app.stopping(),
        ));
        app.0.tasks.spawn(worker.run(app.stopping()));
        let scheduler = Scheduler::new(
            app.platform().clone(),
            Arc::clone(&app.0.queue),
            terms_of_jobs,
        );
        app.0.tasks.spawn(scheduler.run(app.stopping()));
        app.in_background(|app| async move {
            app.plugins().load_code_in_use().await?;
            app.plugins().compile_ahead(&builtin).await
        });
        Ok(app)
    }

    /// What the platform does for projects as jobs: where parts that bring an
    /// action put it in.
    #[must_use]
    pub fn platform_actions(&self) -> &Arc<PlatformActions> {
        &self.0.platform_actions
    }

    pub(crate) fn jobs(&self) -> &JobsOfPlugins {
        &self.0.jobs
    }

    pub(crate) fn downgrade(&self) -> WeakApp {
        WeakApp(Arc::downgrade(&self.0))
    }

    /// Runs `work` as one of the background tasks; a failure is logged.
    fn in_background<W, F>(&self, work: W)
    where
        W: FnOnce(Self) -> F,
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let work = work(self.clone());
        let stopping = self.stopping();
        self.0.tasks.spawn(async move {
            if let Some(Err(error)) = stopping.run_until_cancelled(work).await {
                tracing::warn!(%error, "a background task failed");
            }
        });
    }

    /// Tries once more to start the plugins of a project that could not be
    /// started.
    pub fn retry_plugins(&self, project: &Arc<ProjectEntry>) {
        let project = Arc::clone(project);
        self.in_background(move |app| async move {
            app.directory().bring_up(&project, None).await.map(drop)
        });
    }

    /// Ends the held streams, whose clients come back to other nodes: before
    /// the connections are waited for, which would wait for those.
    pub fn end_streams(&self) {
        self.0.channels.end_all();
    }

    /// Ends the background tasks, stores what waits to be, closes the
    /// database.
    pub async fn shutdown(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
        self.0.backups.ended().await;
        if let Err(error) = self.0.directory.flush_key_use().await {
            tracing::warn!(%error, "when keys were last used was not noted");
        }
        if let Err(error) = self.flush_app_password_use().await {
            tracing::warn!(%error, "when app passwords were last used was not noted");
        }
        self.write_series().await;
        self.0.stop_log.cancel();
        self.0.log_tasks.close();
        self.0.log_tasks.wait().await;
        if let Err(error) = self.0.platform.nodes().leave(self.0.node).await {
            tracing::warn!(%error, "the other nodes were not told that this one ends");
        }
        if let Err(error) = self.0.platform.close().await {
            tracing::warn!(%error, "the platform database was not closed in order");
        }
    }

    /// Whether the platform database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn check_database(&self) -> Result<()> {
        self.platform().ping().await
    }

    /// Whether the object store answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn store_answers(&self) -> Result<()> {
        self.storage().check().await
    }

    /// Which project a request belongs to, and which plugin answers.
    #[must_use]
    pub fn directory(&self) -> &Arc<Directory> {
        &self.0.directory
    }

    /// Backups.
    #[must_use]
    pub fn backups(&self) -> &Backups {
        &self.0.backups
    }

    /// The use cases around plugins.
    #[must_use]
    pub fn plugins(&self) -> &Plugins {
        &self.0.plugins
    }

    pub(crate) fn images(&self) -> &Images {
        &self.0.images
    }

    /// Objects, and signed links to them.
    #[must_use]
    pub fn blobs(&self) -> &Arc<BlobStore> {
        &self.0.blobs
    }

    /// What the server's settings say.
    #[must_use]
    pub fn settings(&self) -> &AppSettings {
        &self.0.settings
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        self.0.clock.as_ref()
    }

    /// When this node started.
    pub(crate) fn started_at(&self) -> OffsetDateTime {
        self.0.started_at
    }

    /// Takes a change to a project up on this node before its answer is
    /// given; the feed brings it to the others. When this fails, the feed
    /// heals it here, too.
    pub(crate) async fn take_up(&self, project: ProjectId) {
        if let Err(error) = self.0.directory.refresh(project).await {
            tracing::warn!(%error, %project, "a change was not taken up at once");
        }
    }

    /// As [`App::take_up`], for the keys of a project.
    pub(crate) async fn take_up_keys(&self, project: ProjectId) {
        let change = Change {
            seq: 0,
            project: Some(project),
            kind: ChangeKind::KeyRevoked,
            subject: None,
            at: self.clock().now(),
        };
        if let Err(error) = self.0.directory.apply(&[change]).await {
            tracing::warn!(%error, %project, "a change was not taken up at once");
        }
    }

    pub(crate) fn platform(&self) -> &Platform {
        &self.0.platform
    }

    pub(crate) fn databases(&self) -> &ProjectDatabases {
        &self.0.databases
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.0.storage
    }

    pub(crate) fn sealer(&self) -> &Sealer {
        &self.0.sealer
    }

    /// Where requests are kept.
    #[must_use]
    pub fn request_log(&self) -> &RequestLog {
        &self.0.request_log
    }

    /// Where lines of plugins go.
    #[must_use]
    pub fn plugin_log(&self) -> &PluginLog {
        &self.0.plugin_log
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    /// How many requests may be made.
    #[must_use]
    pub fn request_limits(&self) -> &RequestLimits {
        &self.0.request_limits
    }

    /// Says that this node is up, and takes its share of the budgets.
    pub(crate) async fn beat(&self) -> Result<()> {
        let nodes = self.platform().nodes().beat(self.0.node).await?;
        self.request_limits().set_nodes(nodes);
        Ok(())
    }

    /// How often one may try to sign in and the like, counted for all nodes.
    #[must_use]
    pub fn strict_limits(&self) -> &StrictLimits {
        &self.0.strict_limits
    }

    pub(crate) fn session_cache(&self) -> &SessionCache {
        &self.0.session_cache
    }

    pub(crate) fn mailer(&self) -> &Mailer {
        &self.0.mailer
    }

    pub(crate) fn mails(&self) -> &MailQueue {
        &self.0.mails
    }

    pub(crate) fn access(&self) -> &AccessTokens {
        &self.0.access
    }

    pub(crate) fn cloudflare_access(&self) -> Option<&CloudflareAccess> {
        self.0.cloudflare_access.as_deref()
    }

    pub(crate) fn providers(&self) -> &Providers {
        &self.0.providers
    }

    /// Forgets which admins were seen, when one was changed here.
    pub(crate) fn forget_admins(&self) {
        self.session_cache().clear();
        if let Some(access) = self.cloudflare_access() {
            access.forget();
        }
    }

    pub(crate) fn refusals(&self) -> &Refusals {
        &self.0.refusals
    }

    /// Counts what projects do.
    #[must_use]
    pub fn traffic(&self) -> &Traffic {
        &self.0.traffic
    }

    pub(crate) fn unwritten(&self) -> &Unwritten {
        &self.0.unwritten
    }

    pub(crate) fn purge(&self) -> &Purge {
        &self.0.purge
    }

    pub(crate) fn running(&self) -> &Arc<Running> {
        &self.0.running
    }

    pub(crate) fn queue(&self) -> &WorkQueue {
        &self.0.queue
    }

    /// Runs `work` to its end, whoever waits for it; [`App::shutdown`] waits,
    /// too.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.0.tasks.spawn(work)
    }

    pub(crate) fn stopping(&self) -> CancellationToken {
        self.0.stop.clone()
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}
