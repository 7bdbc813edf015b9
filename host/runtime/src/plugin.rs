//! A live plugin: one revision in one project, under one generation of its
//! installation. It owns the warm instances, which end with it; requests
//! that run when it is replaced keep it alive until they have ended.

use crate::{
    breaker::Breaker,
    cpu::Meter,
    heavy::{Placed, Weight},
    instance::{Instance, store},
    output::PluginOutput,
    pace::Pace,
    places::Places,
    revision::Revision,
    runtime::{Inner, RequestContext},
    state::{MAX_CONNECTIONS, PluginShared},
    stats::{PluginStats, StatsSnapshot},
};
use atlashub_core::{
    Caller, Error, ErrorKind, GrantSet, Limits, RequestId, Result, Slug,
    capability::{PluginScope, log::Level},
    job::JobDeclaration,
    permission::Declaration,
};
use parking_lot::Mutex;
use secrecy::SecretString;
use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// What makes a live plugin out of a revision.
#[derive(Clone, Debug)]
pub struct PluginSpec {
    /// The project and the plugin's name.
    pub scope: PluginScope,
    /// The project's slug.
    pub slug: Slug,
    /// What addresses of the project start with, no slash at the end.
    pub public_url: String,
    /// What it may touch.
    pub grants: GrantSet,
    /// What users may be allowed to do in it.
    pub permissions: Vec<Declaration>,
    /// Events that it publishes, by their names within it.
    pub events: Vec<String>,
    /// Jobs that it does.
    pub jobs: Vec<JobDeclaration>,
    /// Its configuration, keys and values.
    pub config: Vec<(String, String)>,
    /// What the platform tells each plugin of the project, by keys that begin
    /// with `atlashub.`: to be asked for by name, beside its configuration.
    pub told: Vec<(String, String)>,
    /// What of its configuration it uses without having it.
    pub secrets: Vec<(String, SecretString)>,
    /// What it may use.
    pub limits: Limits,
}

/// A plugin ready to answer.
pub struct LivePlugin {
    pub(crate) runtime: Weak<Inner>,
    revision: Arc<Revision>,
    limits: Limits,
    shared: Arc<PluginShared>,
    idle: Mutex<Vec<Instance>>,
    pub(crate) places: Places,
    /// What it shares with the project's other plugins.
    pub(crate) project_places: Arc<Places>,
    pub(crate) breaker: Arc<Breaker>,
    weight: Arc<Weight>,
    pub(crate) pace: Arc<Pace>,
    stats: PluginStats,
    last_error: Mutex<Option<String>>,
}

impl LivePlugin {
    pub(crate) fn new(
        runtime: Weak<Inner>,
        inner: &Inner,
        revision: Arc<Revision>,
        spec: PluginSpec,
    ) -> Self {
        let limits = spec.limits.clamp();
        let output = PluginOutput::new(spec.scope.clone(), Arc::clone(&inner.services.log));
        let project_places = inner.places_of(spec.scope.project);
        let shared = PluginShared {
            scope: spec.scope,
            slug: spec.slug,
            public_url: spec.public_url,
            grants: spec.grants,
            permissions: spec.permissions,
            events: spec.events,
            jobs: spec.jobs,
            config: spec.config,
            told: spec.told,
            secrets: spec.secrets,
            output: Arc::new(output),
            services: inner.services.clone(),
            connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            uploads: inner.options.uploads,
        };
        Self {
            runtime,
            revision,
            places: Places::new(
                limits.concurrency as usize,
                "the plugin has too many requests at once",
            ),
            project_places,
            limits,
            shared: Arc::new(shared),
            idle: Mutex::default(),
            breaker: Arc::default(),
            weight: Arc::new(Weight::new()),
            pace: Arc::new(Pace::new(inner.options.guest_bytes_per_second)),
            stats: PluginStats::default(),
            last_error: Mutex::default(),
        }
    }

    /// The revision it runs.
    #[must_use]
    pub fn revision(&self) -> &Arc<Revision> {
        &self.revision
    }

    /// Its project and name.
    #[must_use]
    pub fn scope(&self) -> &PluginScope {
        &self.shared.scope
    }

    /// What it may use.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What it did so far.
    #[must_use]
    pub fn stats(&self) -> StatsSnapshot {
        self.stats.snapshot()
    }

    /// Its last fault, in words for an admin.
    #[must_use]
    pub fn last_error(&self) -> Option<String> {
        self.last_error.lock().clone()
    }

    /// Whether it is cut off because it kept failing, or on trial after that.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.breaker.is_open()
    }

    /// Whether it had faults since its last success.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.breaker.is_failing()
    }

    pub(crate) fn shared(&self) -> &Arc<PluginShared> {
        &self.shared
    }

    pub(crate) fn counters(&self) -> &PluginStats {
        &self.stats
    }

    /// A guest of this plugin, in the task that polls it or, when it is
    /// heavy, in a thread for such ones.
    pub(crate) fn place<T: Send + 'static>(
        &self,
        runtime: &Inner,
        guest: impl Future<Output = T> + Send + 'static,
        meter: &Arc<Meter>,
        began: Instant,
    ) -> Placed<T> {
        Placed::new(
            guest,
            Arc::clone(meter),
            &runtime.heavy,
            &self.weight,
            began,
        )
    }

    /// A warm instance, if there is one.
    pub(crate) fn take_idle(&self) -> Option<Instance> {
        self.idle.lock().pop()
    }

    /// Takes an instance back after a request that ended well.
    pub(crate) fn give_back(&self, mut instance: Instance) {
        use atlashub_core::Isolation;
        self.stats.memory(instance.store.data().limiter.used());
        let now = Instant::now();
        if self.limits.isolation == Isolation::Reuse
            && instance.is_reusable(self.limits.max_reuse, now)
        {
            instance.idle_since = now;
            self.idle.lock().push(instance);
        } else {
            instance.discard();
        }
    }

    pub(crate) fn idle_since(&self) -> Vec<Instant> {
        self.idle
            .lock()
            .iter()
            .map(|instance| instance.idle_since)
            .collect()
    }

    /// Drops instances that were given back at `instant` or before.
    pub(crate) fn drop_idle_since(&self, instant: Instant) {
        let dropped: Vec<Instance> = {
            let mut idle = self.idle.lock();
            let (gone, kept) = idle
                .drain(..)
                .partition(|instance| instance.idle_since <= instant);
            *idle = kept;
            gone
        };
        drop(dropped);
    }

    /// Turns an error of the guest into the host's, counting it.
    pub(crate) fn fault(
        &self,
        request: &RequestContext,
        error: &wasmtime::Error,
        meter: &Meter,
        memory_refused: bool,
    ) -> Error {
        if meter.cpu_exceeded() {
            return self.timed_out(
                request,
                meter,
                "cpu_exceeded",
                &format!("used more than {} ms of processor time", self.limits.cpu_ms),
            );
        }
        self.stats.trap();
        let why = if memory_refused {
            format!(
                "needed more than {} MiB of memory: {error:#}",
                self.limits.memory_mib
            )
        } else {
            format!("{error:#}")
        };
        self.failed(request, &why);
        Error::new(
            ErrorKind::PluginFault,
            "plugin_trapped",
            "the plugin failed",
        )
    }

    /// Counts a time-out. It only brings the plugin nearer to being cut off
    /// when it was busy: one that waits for a slow client harms nobody else,
    /// and no client shall be able to switch a plugin off.
    pub(crate) fn timed_out(
        &self,
        request: &RequestContext,
        meter: &Meter,
        code: &'static str,
        why: &str,
    ) -> Error {
        self.stats.timeout();
        if meter.is_busy() {
            self.failed(request, why);
        } else {
            self.note(request, why);
        }
        Error::new(
            ErrorKind::DeadlineExceeded,
            code,
            "the plugin took too long",
        )
    }

    pub(crate) fn no_response(&self, request: &RequestContext) -> Error {
        self.stats.error();
        self.failed(request, "the handler returned without setting a response");
        Error::new(
            ErrorKind::PluginFault,
            "plugin_no_response",
            "the plugin gave no answer",
        )
    }

    fn failed(&self, request: &RequestContext, why: &str) {
        self.note(request, why);
        if self.breaker.fault() {
            let output = &self.shared.output;
            output.host(
                Level::Error,
                request,
                "it keeps failing and is cut off for a while",
            );
        }
    }

    fn note(&self, request: &RequestContext, why: &str) {
        self.shared.output.host(Level::Error, request, why);
        *self.last_error.lock() = Some(why.chars().take(2_000).collect());
    }

    /// Calls the lifecycle hook `activate`, if the component has one.
    /// `reason` is `install`, `enable`, `upgrade`, `rollback` or `configure`.
    ///
    /// # Errors
    /// `activation_failed` with what the hook said; traps and time-outs too.
    pub async fn activate(&self, reason: &str, previous_version: Option<&str>) -> Result<()> {
        self.call_hook(Hook::Activate {
            reason: reason.to_owned(),
            previous_version: previous_version.map(str::to_owned),
        })
        .await
    }

    /// Calls the lifecycle hook `deactivate`, if the component has one.
    /// `reason` is `disable` or `remove`.
    ///
    /// # Errors
    /// As [`LivePlugin::activate`]; the caller logs it and goes on.
    pub async fn deactivate(&self, reason: &str) -> Result<()> {
        self.call_hook(Hook::Deactivate {
            reason: reason.to_owned(),
        })
        .await
    }

    /// Makes an instance, to see that it starts, and keeps it warm.
    ///
    /// # Errors
    /// `activation_failed` with the reason.
    pub async fn warm_up(&self) -> Result<()> {
        let Some(runtime) = self.runtime.upgrade() else {
            return Err(Error::internal("warm a plugin up", "the runtime has ended"));
        };
        let context = RequestContext::new(RequestId::new(), Caller::Scheduler);
        let made = Instance::new(&runtime, self, &context).await;
        match made {
            Ok(instance) => {
                self.give_back(instance);
                Ok(())
            }
            Err(error) if error.kind() != ErrorKind::Unavailable => {
                let why = self.last_error().unwrap_or_default();
                Err(refused_activation(&why))
            }
            Err(error) => Err(error),
        }
    }

    async fn call_hook(&self, hook: Hook) -> Result<()> {
        if self.revision.lifecycle.is_none() {
            return Ok(());
        }
        let Some(runtime) = self.runtime.upgrade() else {
            return Err(Error::internal(
                "call a lifecycle hook",
                "the runtime has ended",
            ));
        };
        let context = RequestContext::new(RequestId::new(), Caller::Scheduler);
        let store = store(&runtime, self, context);
        let meter = Arc::clone(&store.data().meter);
        let began = Instant::now();
        let work = hook.call(Arc::clone(&self.revision), store);
        let limit = Duration::from_millis(u64::from(self.limits.wall_ms));
        let outcome = tokio::select! {
            outcome = self.place(&runtime, work, &meter, began) => outcome,
            () = crate::cpu::wall_clock(Arc::clone(&meter), began, limit) => {
                return Err(refused_activation("its lifecycle hook took too long"));
            }
        };
        match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(said)) => Err(refused_activation(&said)),
            Err(error) => Err(refused_activation(&format!(
                "its lifecycle hook failed: {error:#}"
            ))),
        }
    }
}

/// A call of a lifecycle hook.
enum Hook {
    Activate {
        reason: String,
        previous_version: Option<String>,
    },
    Deactivate {
        reason: String,
    },
}

impl Hook {
    /// Calls it in an instance of its own. The inner error is the hook's own
    /// word.
    async fn call(
        self,
        revision: Arc<Revision>,
        mut store: wasmtime::Store<crate::state::State>,
    ) -> wasmtime::Result<Result<(), String>> {
        let Some(indices) = &revision.lifecycle else {
            return Ok(Ok(()));
        };
        let instance = revision.pre.instantiate_async(&mut store).await?;
        let hooks = indices.load(&mut store, &instance)?;
        let hooks = hooks.atlashub_lifecycle_hooks();
        let outcome = match &self {
            Self::Activate {
                reason,
                previous_version,
            } => {
                hooks
                    .call_activate(&mut store, reason, previous_version.as_deref())
                    .await?
            }
            Self::Deactivate { reason } => hooks.call_deactivate(&mut store, reason).await?,
        };
        Ok(outcome.map_err(|error| error.message))
    }
}

fn refused_activation(why: &str) -> Error {
    Error::invalid(
        "activation_failed",
        format!("the plugin could not be activated: {why}"),
    )
}
