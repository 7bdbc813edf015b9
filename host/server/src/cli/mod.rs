//! The command line. Commands that work on a running server are its HTTP
//! clients; only `serve`, `migrate` and `doctor` open the node's own parts.

mod serve;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// AtlasHub: a backend whose features are sandboxed WebAssembly plugins.
#[derive(Parser, Debug)]
#[command(name = "atlashub", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run a node
    Serve(serve::ServeArgs),
}

/// Runs what the arguments ask for.
pub(crate) fn run() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Serve(args) => serve::run(&args),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
