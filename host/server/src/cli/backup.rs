//! `atlashub backup`: makes a backup by itself. On embedded data no node may
//! be running meanwhile; a running one is asked over its admin interface.

use super::client::block_on;
use crate::{
    assemble,
    config::{Config, ConfigArgs},
};
use anyhow::Context as _;
use atlashub_app::Actor;
use atlashub_core::{ProjectId, Slug};
use atlashub_data::platform::{BackupReason, Platform};
use clap::Args;
use futures::TryStreamExt as _;
use std::{path::PathBuf, process::ExitCode};
use tokio::io::AsyncWriteExt as _;

/// Flags of `backup`.
#[derive(Args, Debug)]
pub(crate) struct BackupArgs {
    /// The project, by slug or id; the platform otherwise
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    /// Also write the archive to this file
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Makes a backup.
///
/// # Errors
/// When a node uses the data, or the backup cannot be made.
pub(crate) fn run(args: &BackupArgs) -> anyhow::Result<ExitCode> {
    let config = Config::load(&args.config)?;
    block_on(async {
        let _owned = assemble::own_data_folder(&config)?;
        let (backups, platform) = assemble::backups(&config).await?;
        let project = match &args.project {
            Some(named) => Some(find(&platform, named).await?),
            None => None,
        };
        let backup = backups
            .make_now(&Actor::host(), project, BackupReason::Manual)
            .await?;
        println!("{}", backup.id);
        eprintln!(
            "{} bytes, {} rows of the platform, {} objects, SHA-256 {}",
            backup.bytes,
            backup.rows,
            backup.objects,
            backup.sha256.as_deref().unwrap_or_default()
        );
        if let Some(file) = &args.output {
            let path = backups.find_archive(backup.id).await?;
            let mut bytes = backups.read_archive(&path, None).await?.bytes;
            let failed = || format!("cannot write {}", file.display());
            let mut output = tokio::fs::File::create(file).await.with_context(failed)?;
            while let Some(chunk) = bytes.try_next().await? {
                output.write_all(&chunk).await.with_context(failed)?;
            }
            output.sync_all().await.with_context(failed)?;
        }
        platform.close().await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// The project with this slug or id.
pub(super) async fn find(platform: &Platform, named: &str) -> anyhow::Result<ProjectId> {
    let projects = platform.projects();
    let found = if let Ok(id) = named.parse::<ProjectId>() {
        projects.find(id).await?
    } else {
        let slug: Slug = named.parse()?;
        projects.find_by_slug(&slug).await?
    };
    found
        .map(|project| project.id)
        .with_context(|| format!("there is no project `{named}`"))
}
