//! `atlashub compile-worker`: a process of its own in which the server has
//! one component compiled, under limits of memory and time.

use anyhow::Context as _;
use clap::Args;
use std::process::ExitCode;

/// Flags of `compile-worker`.
#[derive(Args, Debug)]
pub(crate) struct CompileWorkerArgs {
    /// Address space, MiB
    #[arg(long)]
    memory_mib: u64,
    /// Processor time, seconds
    #[arg(long)]
    cpu_seconds: u64,
}

/// Compiles what comes on standard input.
///
/// # Errors
/// When the pipes break.
pub(crate) fn run(args: &CompileWorkerArgs) -> anyhow::Result<ExitCode> {
    atlashub_runtime::worker::run(args.memory_mib, args.cpu_seconds)
        .context("the compile worker lost its pipes")?;
    Ok(ExitCode::SUCCESS)
}
