//! The compile worker: a process of its own that compiles one component,
//! under limits of memory and time that the kernel enforces. What goes in on
//! standard input is a component; what comes out on standard output is a
//! length, a description as JSON and the compiled code, or an error.
//!
//! Compile-time exhaustion is outside wasmtime's security policy: this is
//! what contains it.

use crate::{engine::code_config, revision::ComponentInterface};
use serde::{Deserialize, Serialize};
use std::io::{Read as _, Write as _};

/// What the worker says before the compiled code.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// Compiled; the code follows.
    Compiled(ComponentInterface),
    /// Refused, and why.
    Refused(String),
}

/// Runs the worker to its end: reads a component, writes the report.
///
/// `memory_mib` bounds the address space, `cpu_seconds` the processor time.
///
/// # Errors
/// When the pipes break; a component that cannot be compiled is a report.
pub fn run(memory_mib: u64, cpu_seconds: u64) -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, nice, setrlimit};
    let limit = |value: u64| Rlimit {
        current: Some(value),
        maximum: Some(value),
    };
    setrlimit(Resource::As, limit(memory_mib.saturating_mul(1024 * 1024)))?;
    setrlimit(Resource::Cpu, limit(cpu_seconds))?;
    setrlimit(Resource::Core, limit(0))?;
    // Requests go before it.
    let _ = nice(10)?;

    let mut component = Vec::new();
    std::io::stdin().lock().read_to_end(&mut component)?;
    let (report, code) = match compile(&component) {
        Ok((interface, code)) => (Report::Compiled(interface), code),
        Err(error) => (Report::Refused(format!("{error:#}")), Vec::new()),
    };
    let report = serde_json::to_vec(&report)?;
    let length = u32::try_from(report.len()).map_err(std::io::Error::other)?;
    let mut out = std::io::stdout().lock();
    out.write_all(&length.to_le_bytes())?;
    out.write_all(&report)?;
    out.write_all(&code)?;
    out.flush()
}

/// Compiles `component` in this process.
pub(crate) fn compile(component: &[u8]) -> wasmtime::Result<(ComponentInterface, Vec<u8>)> {
    if wasmtime::Engine::detect_precompiled(component).is_some() {
        wasmtime::bail!("this is compiled machine code, not a component; upload the .wasm");
    }
    let engine = wasmtime::Engine::new(&code_config())?;
    let compiled = wasmtime::component::Component::from_binary(&engine, component)?;
    let interface = ComponentInterface::of(&engine, &compiled);
    Ok((interface, compiled.serialize()?))
}
