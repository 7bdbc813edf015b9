//! The one engine of the process: which WebAssembly it accepts, how it
//! allocates, and the thread that advances its epoch.

use atlashub_core::{Error, Limits, Result};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// How often the epoch advances. A guest gives way at least this often.
pub(crate) const EPOCH: Duration = Duration::from_millis(5);

/// How often it advances while guests compute: a guest that turns out to be
/// heavy then leaves the others' threads soon, and on threads of its own
/// gives way often.
const EPOCH_WHILE_BUSY: Duration = Duration::from_micros(250);

/// Short epochs after a guest was found computing.
const BUSY_EPOCHS: u32 = 800;

/// Deepest stack of a guest, bytes.
const WASM_STACK_BYTES: usize = 512 * 1024;

/// A guest's stack with room for the host's own frames, bytes.
const ASYNC_STACK_BYTES: usize = 1024 * 1024;

/// How the engine is set up.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Most instances alive at once, over all projects.
    pub max_instances: u32,
    /// Most core instances (a component has several) per instance, on average.
    pub core_instances_per_instance: u32,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            max_instances: 1_000,
            core_instances_per_instance: 6,
        }
    }
}

/// What decides about the compiled code. The compile worker uses exactly this.
///
/// Threads, garbage collection and exceptions are not even compiled in: this
/// crate takes wasmtime without the features `threads` and `gc`, and then it
/// has no settings for them. The fixtures `feature-*` hold it to that.
pub(crate) fn code_config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .wasm_memory64(false)
        .wasm_stack_switching(false)
        .wasm_shared_everything_threads(false)
        .wasm_custom_page_sizes(false)
        .shared_memory(false)
        .wasm_relaxed_simd(false)
        .wasm_wide_arithmetic(false)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(ASYNC_STACK_BYTES)
        .memory_init_cow(true)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(20))
        .cranelift_opt_level(wasmtime::OptLevel::Speed);
    config
}

/// Makes the engine with pooled allocation, or, where address space is too
/// short for a pool, with allocation on demand.
pub(crate) fn engine(options: &EngineOptions) -> Result<Engine> {
    let mut config = code_config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(options)));
    match Engine::new(&config) {
        Ok(engine) => Ok(engine),
        Err(error) => {
            tracing::warn!(
                error = format!("{error:#}"),
                "no address space for an instance pool, allocating on demand"
            );
            config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
            Engine::new(&config)
                .map_err(|error| Error::internal("make the engine", error.to_string()))
        }
    }
}

fn pool(options: &EngineOptions) -> PoolingAllocationConfig {
    let core = options
        .max_instances
        .saturating_mul(options.core_instances_per_instance);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(options.max_instances)
        .total_core_instances(core)
        .total_memories(options.max_instances.saturating_mul(2))
        .total_tables(core)
        .total_stacks(options.max_instances)
        .max_core_instances_per_component(32)
        .max_memories_per_component(8)
        .max_tables_per_component(32)
        .max_memories_per_module(8)
        .max_tables_per_module(8)
        .table_elements(20_000)
        .max_memory_size(Limits::MAX_MEMORY_MIB as usize * 1024 * 1024)
        .max_unused_warm_slots(100)
        // Whoever leaves much memory behind gives it back then, and where that
        // belongs; a batch would wait for the next one to end, and hold up that.
        .decommit_batch_size(1)
        .linear_memory_keep_resident(64 * 1024)
        .table_keep_resident(16 * 1024)
        .pagemap_scan(wasmtime::Enabled::Auto);
    pool
}

/// The thread that advances the epoch; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct EpochThread {
    stop: Arc<AtomicBool>,
    busy: Arc<AtomicU32>,
    thread: Option<JoinHandle<()>>,
}

impl EpochThread {
    pub(crate) fn start(engine: &Engine) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let engine = engine.weak();
        let stopped = Arc::clone(&stop);
        let busy = Arc::new(AtomicU32::new(0));
        let left = Arc::clone(&busy);
        let thread = std::thread::Builder::new()
            .name("epoch".to_owned())
            .spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    let epoch = match left.load(Ordering::Relaxed) {
                        0 => EPOCH,
                        epochs => {
                            left.store(epochs.saturating_sub(1), Ordering::Relaxed);
                            EPOCH_WHILE_BUSY
                        }
                    };
                    #[expect(
                        clippy::disallowed_methods,
                        reason = "a thread of its own that keeps time"
                    )]
                    std::thread::sleep(epoch);
                    match engine.upgrade() {
                        Some(engine) => engine.increment_epoch(),
                        None => break,
                    }
                }
            })
            .map_err(|error| Error::internal("start the epoch thread", error))?;
        Ok(Self {
            stop,
            busy,
            thread: Some(thread),
        })
    }

    /// What guests that are found computing set.
    pub(crate) fn busy(&self) -> Busy {
        Busy(Arc::clone(&self.busy))
    }
}

/// Makes epochs short for a while.
#[derive(Clone, Debug)]
pub(crate) struct Busy(Arc<AtomicU32>);

impl Busy {
    pub(crate) fn set(&self) {
        self.0.store(BUSY_EPOCHS, Ordering::Relaxed);
    }
}

impl Drop for EpochThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
