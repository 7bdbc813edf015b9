//! The command line. Commands that work on a running server are its HTTP
//! clients; only `serve`, `migrate`, `migrate-engine`, `doctor`, `backup` and
//! `restore` open the node's own parts.

mod backup;
pub(crate) mod client;
mod compile_worker;
mod daraja_sim;
mod doctor;
mod fsck;
mod health;
mod login;
mod migrate;
mod migrate_engine;
mod openapi;
mod plugin;
mod project;
mod queue;
mod restore;
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
    /// Bring the platform database up to date, or say what is missing
    Migrate(migrate::MigrateArgs),
    /// Move an installation from SQLite and local files to Postgres and S3
    MigrateEngine(migrate_engine::MigrateEngineArgs),
    /// Check the set-up, and say what is missing
    Doctor(doctor::DoctorArgs),
    /// Ask the node that runs with these settings whether it can do its work
    Health(health::HealthArgs),
    /// Write, build, deploy and watch plugins
    Plugin(plugin::PluginArgs),
    /// Make projects and their keys
    Project(project::ProjectArgs),
    /// See the work of a project's plugins, and retry what failed
    Queue(queue::QueueArgs),
    /// Compare what is stored with what is known of it, and mend it
    Fsck(fsck::FsckArgs),
    /// Make a backup while no node serves, or beside nodes on Postgres
    Backup(backup::BackupArgs),
    /// Restore a backup, also on an empty host
    Restore(restore::RestoreArgs),
    /// Sign in, so that other commands need no token
    Login(login::LoginArgs),
    /// Stand in for Safaricom's Daraja, for the development of apps with M-Pesa
    DarajaSim(daraja_sim::DarajaSimArgs),
    /// Print the description of the admin interface (OpenAPI)
    Openapi,
    /// Compile a component, for the server
    #[command(hide = true)]
    CompileWorker(compile_worker::CompileWorkerArgs),
}

/// Runs what the arguments ask for.
pub(crate) fn run() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Serve(args) => serve::run(&args),
        Command::Migrate(args) => migrate::run(&args),
        Command::MigrateEngine(args) => migrate_engine::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Health(args) => health::run(&args),
        Command::Plugin(args) => plugin::run(&args),
        Command::Project(args) => project::run(&args),
        Command::Queue(args) => queue::run(&args),
        Command::Fsck(args) => fsck::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::Restore(args) => restore::run(&args),
        Command::Login(args) => login::run(&args),
        Command::DarajaSim(args) => daraja_sim::run(args),
        Command::Openapi => openapi::run(),
        Command::CompileWorker(args) => compile_worker::run(&args),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_fit_together() {
        Cli::command().debug_assert();
    }
}
