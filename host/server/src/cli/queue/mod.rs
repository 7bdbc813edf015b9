//! `atlashub queue …`: work that a project's plugins are to do.

mod change;
mod list;

use super::client::ServerArgs;
use clap::{Args, Subcommand};
use std::process::ExitCode;

/// Arguments of `queue`.
#[derive(Args, Debug)]
pub(crate) struct QueueArgs {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// List work, newest first
    List(list::ListArgs),
    /// Let items be tried at once, with all their tries before them
    Retry(change::ChangeArgs),
    /// Take items back that have not ended
    Cancel(change::ChangeArgs),
}

/// Runs the command.
///
/// # Errors
/// When the server cannot be reached or refuses.
pub(crate) fn run(args: &QueueArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::List(own) => list::run(own, &args.server),
        Command::Retry(own) => change::run(own, "retry", &args.server),
        Command::Cancel(own) => change::run(own, "cancel", &args.server),
    }?;
    Ok(ExitCode::SUCCESS)
}
