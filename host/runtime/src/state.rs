//! What a store carries: the WASI contexts, the resource table, the limiter,
//! and the request that is being handled.

use crate::{
    cpu::Meter,
    limiter::Limiter,
    output::{OutputStreamTarget, PluginOutput},
    runtime::{RequestContext, Services},
    secrets::StandIns,
};
use atlashub_core::{
    Error, GrantSet, Slug,
    capability::{PluginScope, log::Source},
    job::JobDeclaration,
    permission::Declaration,
};
use secrecy::SecretString;
use std::sync::Arc;
use tokio::sync::Semaphore;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{ForbiddenHeaderFilter, WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// Most entries of a store's resource table, and most component handles.
pub(crate) const MAX_RESOURCES: usize = 1_000;
/// Most bytes that one host call may carry.
pub(crate) const HOSTCALL_FUEL: usize = 8 * 1024 * 1024;
/// Most bytes of randomness in one call.
const MAX_RANDOM_BYTES: u64 = 64 * 1024;
/// Most bytes of header fields in one map.
pub(crate) const MAX_FIELD_BYTES: usize = 32 * 1024;
/// Most outgoing connections of one plugin at once.
pub(crate) const MAX_CONNECTIONS: usize = 16;

/// What all instances of a live plugin share.
pub(crate) struct PluginShared {
    pub(crate) scope: PluginScope,
    pub(crate) slug: Slug,
    pub(crate) public_url: String,
    pub(crate) grants: GrantSet,
    pub(crate) permissions: Vec<Declaration>,
    pub(crate) events: Vec<String>,
    pub(crate) jobs: Vec<JobDeclaration>,
    pub(crate) config: Vec<(String, String)>,
    pub(crate) told: Vec<(String, String)>,
    pub(crate) secrets: Vec<(String, SecretString)>,
    pub(crate) output: Arc<PluginOutput>,
    pub(crate) services: Services,
    pub(crate) connections: Arc<Semaphore>,
    pub(crate) uploads: atlashub_core::UploadPace,
}

/// The data of a store.
pub(crate) struct State {
    pub(crate) wasi: WasiCtx,
    pub(crate) http: WasiHttpCtx,
    pub(crate) table: ResourceTable,
    pub(crate) limiter: Limiter,
    pub(crate) meter: Arc<Meter>,
    pub(crate) hooks: Hooks,
    /// Transactions and cursors that are open: an instance that leaves any
    /// behind is not used again.
    pub(crate) open_handles: usize,
}

/// The part of a store that outgoing requests see.
pub(crate) struct Hooks {
    pub(crate) plugin: Arc<PluginShared>,
    pub(crate) request: RequestContext,
    pub(crate) forbidden: ForbiddenHeaderFilter,
    pub(crate) secrets: StandIns,
}

impl State {
    pub(crate) fn new(
        plugin: &Arc<PluginShared>,
        memory_mib: u32,
        meter: Arc<Meter>,
        forbidden: ForbiddenHeaderFilter,
        request: RequestContext,
    ) -> Self {
        let mut wasi = WasiCtx::builder();
        wasi.stdout(OutputStreamTarget::new(&plugin.output, Source::Stdout))
            .stderr(OutputStreamTarget::new(&plugin.output, Source::Stderr))
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .socket_addr_check(|_, _| Box::pin(async { false }))
            .max_random_size(MAX_RANDOM_BYTES);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(MAX_FIELD_BYTES);
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        Self {
            wasi: wasi.build(),
            http,
            table,
            limiter: Limiter::new(memory_mib),
            meter,
            hooks: Hooks {
                plugin: Arc::clone(plugin),
                request,
                forbidden,
                secrets: StandIns::default(),
            },
            open_handles: 0,
        }
    }

    pub(crate) fn plugin(&self) -> &PluginShared {
        &self.hooks.plugin
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.hooks,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}

/// Code and message of an error as a guest may see it: of the host's own
/// faults only that they happened; their cause goes to the host's log.
pub(crate) fn for_guest(error: &Error) -> (String, String) {
    if error.kind() == atlashub_core::ErrorKind::Internal {
        tracing::error!(
            error = %error,
            source = error_sources(error),
            "a capability failed"
        );
        return (
            "internal".to_owned(),
            "the host failed, try again".to_owned(),
        );
    }
    (error.code().to_owned(), error.message().to_owned())
}

/// The chain of causes, for the log.
pub(crate) fn error_sources(error: &dyn std::error::Error) -> String {
    let mut text = String::new();
    let mut source = error.source();
    while let Some(cause) = source {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
