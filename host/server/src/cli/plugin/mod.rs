//! `atlashub plugin …`: from a template to a running plugin.

mod build;
mod consent;
mod deploy;
mod inspect;
mod list;
mod logs;
mod new;
mod sdk;
mod switch;

use super::client::ServerArgs;
use clap::{Args, Subcommand};
use std::process::ExitCode;

/// Arguments of `plugin`.
#[derive(Args, Debug)]
pub(crate) struct PluginArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Write a new plugin's source from a template
    New(new::NewArgs),
    /// Build a plugin's source into a component
    Build(build::BuildArgs),
    /// Say what a component is and asks for, without running it
    Inspect(inspect::InspectArgs),
    /// Build, upload and install a plugin, or upgrade it
    Deploy {
        #[command(flatten)]
        own: deploy::DeployArgs,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Show what a plugin wrote
    Logs {
        #[command(flatten)]
        own: logs::LogsArgs,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// List the catalogue, or a project's plugins
    List {
        #[command(flatten)]
        own: list::ListArgs,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Switch a plugin on
    Enable {
        #[command(flatten)]
        own: switch::EnableArgs,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Switch a plugin off
    Disable {
        #[command(flatten)]
        own: switch::SwitchArgs,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Put the revision back that ran before
    Rollback {
        #[command(flatten)]
        own: switch::SwitchArgs,
        #[command(flatten)]
        server: ServerArgs,
    },
}

/// Runs the command.
///
/// # Errors
/// The command's own.
pub(crate) fn run(args: &PluginArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::New(own) => new::run(own),
        Command::Build(own) => build::run(own),
        Command::Inspect(own) => inspect::run(own),
        Command::Deploy { own, server } => deploy::run(own, server),
        Command::Logs { own, server } => logs::run(own, server),
        Command::List { own, server } => list::run(own, server),
        Command::Enable { own, server } => switch::enable(own, server),
        Command::Disable { own, server } => switch::disable(own, server),
        Command::Rollback { own, server } => switch::roll_back(own, server),
    }?;
    Ok(ExitCode::SUCCESS)
}
