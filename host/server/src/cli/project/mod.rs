//! `atlashub project …`: projects and their keys.

mod create;
mod keys;
mod list;

use super::client::ServerArgs;
use clap::{Args, Subcommand};
use std::process::ExitCode;

/// Arguments of `project`.
#[derive(Args, Debug)]
pub(crate) struct ProjectArgs {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Make a project; prints its two keys, once
    Create(create::CreateArgs),
    /// List the projects
    List,
    /// List a project's keys, or make, replace and revoke them
    Keys(keys::KeysArgs),
}

/// Runs the command.
///
/// # Errors
/// When the server cannot be reached or refuses.
pub(crate) fn run(args: &ProjectArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Create(own) => create::run(own, &args.server),
        Command::List => list::run(&args.server),
        Command::Keys(own) => keys::run(own, &args.server),
    }?;
    Ok(ExitCode::SUCCESS)
}
