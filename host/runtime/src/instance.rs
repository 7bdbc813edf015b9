//! One instance of a component in a store of its own, with what a request
//! needs to be handed in.

use crate::{
    bindings::{EventHandler, JobHandler},
    cpu::{Meter, wall_clock},
    engine::EPOCH,
    places::unavailable,
    plugin::LivePlugin,
    revision::Revision,
    runtime::{Inner, RequestContext},
    state::{HOSTCALL_FUEL, MAX_RESOURCES, State},
};
use atlashub_core::{Error, Result};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi_http::p2::bindings::Proxy;

/// Requests after which an instance's leftovers are counted.
const LOOK_EVERY: u32 = 64;
/// Resources that an instance may keep between requests, such as the streams
/// of its standard output.
const KEPT_RESOURCES: usize = 64;

/// What an instance may have grown by and be kept, bytes: the rest belongs to
/// others while it waits.
const KEPT_GROWTH: usize = 16 * 1024 * 1024;
/// How old an instance may get.
const MAX_AGE: Duration = Duration::from_secs(300);

/// Memory that takes long to give back, bytes.
const MUCH_MEMORY: usize = 8 * 1024 * 1024;

pub(crate) struct Instance {
    pub(crate) store: Store<State>,
    pub(crate) proxy: Proxy,
    /// Where it takes events, if it does.
    pub(crate) event_handler: Option<EventHandler>,
    /// Where it does jobs, if it does.
    pub(crate) job_handler: Option<JobHandler>,
    uses: u32,
    made: Instant,
    /// Its memory when it was made, bytes.
    made_with: usize,
    /// When it was last given back.
    pub(crate) idle_since: Instant,
}

/// Makes the store that an instance lives in.
pub(crate) fn store(runtime: &Inner, plugin: &LivePlugin, request: RequestContext) -> Store<State> {
    let limits = plugin.limits();
    let meter = Arc::new(Meter::new());
    let state = State::new(
        plugin.shared(),
        limits.memory_mib,
        Arc::clone(&meter),
        Arc::clone(&runtime.forbidden),
        request,
    );
    let mut store = Store::new(&runtime.engine, state);
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(HOSTCALL_FUEL);
    store.set_max_component_handles(MAX_RESOURCES);
    store.set_epoch_deadline(1);
    let cpu = Duration::from_millis(u64::from(limits.cpu_ms));
    let busy = runtime.epoch.busy();
    store.epoch_deadline_callback(move |_| {
        if meter.is_notable() {
            busy.set();
        }
        if meter.cpu() > cpu {
            meter.set_cpu_exceeded();
            return Ok(UpdateDeadline::Interrupt);
        }
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(meter.give_way())))
    });
    store
}

impl Instance {
    /// Instantiates the plugin's revision, under its limits of time. When the
    /// pool is exhausted, idle instances of all plugins make room.
    pub(crate) async fn new(
        runtime: &Inner,
        plugin: &LivePlugin,
        request: &RequestContext,
    ) -> Result<Self> {
        let mut evicted = false;
        loop {
            match Self::instantiate(runtime, plugin, request).await {
                Err(Failure::NoRoom) if !evicted => {
                    runtime.evict_idle(0);
                    evicted = true;
                }
                Err(Failure::NoRoom) => {
                    return Err(unavailable(
                        "saturated",
                        "all places for instances are taken",
                    ));
                }
                Err(Failure::Refused(error)) => return Err(error),
                Ok(instance) => {
                    plugin.counters().instantiated();
                    return Ok(instance);
                }
            }
        }
    }

    async fn instantiate(
        runtime: &Inner,
        plugin: &LivePlugin,
        request: &RequestContext,
    ) -> Result<Self, Failure> {
        let mut store = store(runtime, plugin, request.clone());
        let meter = Arc::clone(&store.data().meter);
        let limit = Duration::from_millis(u64::from(plugin.limits().wall_ms));
        let began = Instant::now();
        let revision = Arc::clone(plugin.revision());
        let made = async move {
            let made = exports(&revision, &mut store).await;
            (store, made)
        };
        let (mut store, made) = tokio::select! {
            biased;
            made = plugin.place(runtime, made, &meter, began) => made,
            () = wall_clock(Arc::clone(&meter), began, limit) => {
                let why = format!("did not start within {} ms", limit.as_millis());
                let error = plugin.timed_out(request, &meter, "deadline_exceeded", &why);
                return Err(Failure::Refused(error));
            }
        };
        match made {
            Ok((proxy, event_handler, job_handler)) => {
                let now = Instant::now();
                Ok(Self {
                    made_with: store.data().limiter.used(),
                    store,
                    proxy,
                    event_handler,
                    job_handler,
                    uses: 0,
                    made: now,
                    idle_since: now,
                })
            }
            Err(error) if error.is::<wasmtime::PoolConcurrencyLimitError>() => Err(Failure::NoRoom),
            Err(error) => {
                let refused = store.data_mut().limiter.take_refused();
                Err(Failure::Refused(
                    plugin.fault(request, &error, &meter, refused),
                ))
            }
        }
    }

    /// Prepares for another request.
    pub(crate) fn begin(&mut self, request: RequestContext) {
        self.uses = self.uses.saturating_add(1);
        self.store.set_epoch_deadline(1);
        self.store.set_hostcall_fuel(HOSTCALL_FUEL);
        let state = self.store.data_mut();
        state.meter.reset();
        state.hooks.request = request;
        state.hooks.secrets.clear();
    }

    /// Whether it may serve another request after one that ended well.
    pub(crate) fn is_reusable(&mut self, max_uses: u32, now: Instant) -> bool {
        let uses = self.uses;
        let age = now.saturating_duration_since(self.made);
        let state = self.store.data_mut();
        let grown = state.limiter.used().saturating_sub(self.made_with);
        state.open_handles == 0
            && uses < max_uses
            && is_light(grown, age)
            && (!uses.is_multiple_of(LOOK_EVERY)
                || state.table.iter_mut().count() <= KEPT_RESOURCES)
    }

    /// Gives back what a failed guest leaves behind. The kernel takes its time
    /// over much memory: that is not left to a thread that serves others.
    pub(crate) fn discard(self) {
        if self.store.data().limiter.used() > MUCH_MEMORY {
            drop(tokio::task::spawn_blocking(move || drop(self)));
        }
    }

    pub(crate) fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.store.data().meter)
    }
}

/// Whether an instance that has `grown` by so many bytes and has reached `age`
/// may wait for another request.
fn is_light(grown: usize, age: Duration) -> bool {
    grown <= KEPT_GROWTH && age < MAX_AGE
}

/// Instantiates a revision in `store` and finds what the host calls.
async fn exports(
    revision: &Revision,
    store: &mut Store<State>,
) -> wasmtime::Result<(Proxy, Option<EventHandler>, Option<JobHandler>)> {
    let instance = revision.pre.instantiate_async(&mut *store).await?;
    let proxy = revision.proxy.load(&mut *store, &instance)?;
    let event_handler = match &revision.event_handler {
        Some(indices) => Some(indices.load(&mut *store, &instance)?),
        None => None,
    };
    let job_handler = match &revision.job_handler {
        Some(indices) => Some(indices.load(&mut *store, &instance)?),
        None => None,
    };
    Ok((proxy, event_handler, job_handler))
}

/// Why there is no instance.
enum Failure {
    /// The pool is exhausted.
    NoRoom,
    /// The guest failed, and that is counted.
    Refused(Error),
}

const _: () = assert!(
    EPOCH.as_millis() <= 10,
    "limits are documented in ticks of 10 ms at most"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_that_has_grown_or_aged_is_not_kept() {
        let young = Duration::from_secs(1);
        assert!(is_light(0, young));
        assert!(is_light(KEPT_GROWTH, young));
        assert!(!is_light(KEPT_GROWTH + 1, young));
        assert!(is_light(0, MAX_AGE - young));
        assert!(!is_light(0, MAX_AGE));
    }
}
