//! `atlashub migrate`: brings the platform database up to date. `serve` does
//! the same at start; this is for whoever wants it done before.

use super::client::block_on;
use crate::{
    assemble,
    config::{Config, ConfigArgs},
};
use clap::Args;
use std::process::ExitCode;

/// Flags of `migrate`.
#[derive(Args, Debug)]
pub(crate) struct MigrateArgs {
    /// Only say what would be done; ends with 1 when something is pending
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Migrates, or says what is pending.
///
/// # Errors
/// When the database cannot be reached or a migration fails.
pub(crate) fn run(args: &MigrateArgs) -> anyhow::Result<ExitCode> {
    let config = Config::load(&args.config)?;
    let file = config.data_dir.0.join(assemble::DATABASE_FILE);
    if args.check && config.database.url.is_none() && !file.exists() {
        println!("{} is not there yet: all are pending", file.display());
        return Ok(ExitCode::FAILURE);
    }
    assemble::data_folder(&config)?;
    if config.is_embedded() {
        // Made before the database: one without its key would be refused.
        assemble::sealer(&config)?;
    }
    block_on(async {
        let platform = assemble::platform(&config).await?;
        if args.check {
            let pending = platform.pending_migrations().await?;
            for name in &pending {
                println!("pending  {name}");
            }
            println!("{} pending", pending.len());
            return Ok(if pending.is_empty() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            });
        }
        let applied = platform.migrate().await?;
        for name in &applied {
            println!("applied  {name}");
        }
        println!("the platform database is up to date");
        platform.close().await?;
        Ok(ExitCode::SUCCESS)
    })
}
