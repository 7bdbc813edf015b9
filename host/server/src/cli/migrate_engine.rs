//! `atlashub migrate-engine`: moves an installation from SQLite and local
//! files to Postgres and S3. No node may run on either side; the settings are
//! those of where it comes from.

use super::client::block_on;
use crate::{
    assemble,
    config::{self, Config, ConfigArgs},
};
use anyhow::{Context as _, bail};
use atlashub_app::engine_move::MoveTold;
use clap::Args;
use std::{process::ExitCode, sync::Arc};

/// Flags of `migrate-engine`.
#[derive(Args, Debug)]
pub(crate) struct MigrateEngineArgs {
    /// Where rows go: `postgres://…`, an empty database [env: ATLASHUB_TO_DATABASE_URL]
    #[arg(long, value_name = "URL")]
    to_database: Option<String>,
    /// Where objects go: `s3://bucket?endpoint=…&region=…`, an empty one; they
    /// stay where they are unless given [env: ATLASHUB_TO_STORAGE_URL]
    #[arg(long, value_name = "URL")]
    to_storage: Option<String>,
    /// Only say what would be moved, and what is in the way; ends with 1 when
    /// something is
    #[arg(long)]
    dry_run: bool,
    /// Leave this behind, of which Postgres has no word: `<slug>:<object>` as
    /// --dry-run names it; may be given several times
    #[arg(long, value_name = "OBJECT")]
    leave_out: Vec<String>,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Moves, or says what would be moved.
///
/// # Errors
/// When a node uses the data, something is in the way, or a side fails; asked
/// again it goes on where it was.
pub(crate) fn run(args: &MigrateEngineArgs) -> anyhow::Result<ExitCode> {
    let config = Config::load(&args.config)?;
    if !config.is_embedded() {
        bail!(
            "this installation is on Postgres already: the settings of migrate-engine are those \
             of where it comes from, SQLite, and --to-database says where it goes"
        );
    }
    assemble::check_is_there(&config)?;
    let database = given(args.to_database.as_ref(), "ATLASHUB_TO_DATABASE_URL")?
        .context("say where to with --to-database postgres://…, or ATLASHUB_TO_DATABASE_URL")?;
    if !database.starts_with("postgres://") && !database.starts_with("postgresql://") {
        bail!("--to-database must start with postgres://");
    }
    let storage = given(args.to_storage.as_ref(), "ATLASHUB_TO_STORAGE_URL")?;
    let told: MoveTold = Arc::new(|line| println!("{line}"));
    block_on(async {
        let _owned = assemble::own_data_folder(&config)?;
        let leave_out = args.leave_out.iter().cloned().collect();
        let mover =
            assemble::engine_mover(&config, &database, storage.as_deref(), leave_out, told).await?;
        if storage.is_none() {
            println!("objects stay where they are: {}", config.storage_url());
        }
        if args.dry_run {
            if mover.look().await? {
                println!("the target fits; nothing was moved");
                return Ok(ExitCode::SUCCESS);
            }
            println!("nothing was moved");
            return Ok(ExitCode::FAILURE);
        }
        let moved = mover.run().await?;
        println!(
            "moved and verified: {} rows, {} projects, {} objects of {} bytes",
            moved.rows, moved.projects, moved.objects, moved.bytes
        );
        println!(
            "start nodes with ATLASHUB_DATABASE_URL{} set to the target, and the master key of \
             this installation; what is here was only read",
            if storage.is_some() {
                " and ATLASHUB_STORAGE_URL"
            } else {
                ""
            }
        );
        Ok(ExitCode::SUCCESS)
    })
}

/// A flag's value, or that of the variable.
fn given(flag: Option<&String>, variable: &str) -> anyhow::Result<Option<String>> {
    match flag {
        Some(value) => Ok(Some(value.clone())),
        None => config::variable(variable),
    }
}
