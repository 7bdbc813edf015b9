//! `atlashub restore`: restores a backup by itself, also on an empty host. On
//! embedded data no node may be running meanwhile.

use super::client::block_on;
use crate::{
    assemble,
    config::{Config, ConfigArgs},
};
use anyhow::{Context as _, bail};
use atlashub_app::{
    Actor,
    backups::{Backups, RestoreInto},
};
use atlashub_core::{Error, Result as CoreResult, capability::blob::ByteStream};
use atlashub_storage::ObjectPath;
use clap::Args;
use futures::StreamExt as _;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};
use tokio_util::io::ReaderStream;
use uuid::Uuid;

/// Bytes of a file that are read at once.
const CHUNK: usize = 256 * 1024;

/// Flags of `restore`.
#[derive(Args, Debug)]
pub(crate) struct RestoreArgs {
    /// An archive's file, or the id of a backup in the store of backups
    #[arg(value_name = "FILE|ID")]
    archive: String,
    /// Replace the project, whose slug is to be written again; a new project
    /// is made otherwise
    #[arg(long, value_name = "SLUG", conflicts_with_all = ["slug", "name"])]
    confirm: Option<String>,
    /// The slug of the new project
    #[arg(long, value_name = "SLUG")]
    slug: Option<String>,
    /// The display name of the new project
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Where an archive is.
enum Source {
    File(PathBuf),
    Store(ObjectPath),
}

/// Restores.
///
/// # Errors
/// When a node uses the data, or the backup cannot be restored; then nothing
/// has changed.
pub(crate) fn run(args: &RestoreArgs) -> anyhow::Result<ExitCode> {
    let config = Config::load(&args.config)?;
    block_on(async {
        let _owned = assemble::own_data_folder(&config)?;
        let (backups, platform) = assemble::backups(&config).await?;
        if config.is_embedded() {
            // Nobody else can be at work on these data.
            backups.give_up_left(true).await;
        }
        let source = find(&backups, &args.archive).await?;
        let facts = backups.look_at(open(&backups, &source).await?).await?;
        if facts.project.is_none() {
            if args.confirm.is_some() || args.slug.is_some() || args.name.is_some() {
                bail!("this is a backup of the platform: it takes no project's flags");
            }
            let rows = backups.restore_platform(|| open(&backups, &source)).await?;
            println!("restored the platform: {rows} rows");
        } else {
            let into = match &args.confirm {
                Some(confirm) => RestoreInto::Over {
                    confirm: confirm.clone(),
                },
                None => RestoreInto::New {
                    name: args.name.clone(),
                    slug: args.slug.as_deref().map(str::parse).transpose()?,
                },
            };
            let archive = open(&backups, &source).await?;
            let restored = backups
                .restore_archive(&Actor::host(), archive, into)
                .await?;
            println!(
                "restored {} ({})",
                restored.project.slug, restored.project.id
            );
            if let Some(before) = restored.before {
                println!("what was there before is kept as the backup {before}");
            }
        }
        platform.close().await?;
        Ok(ExitCode::SUCCESS)
    })
}

async fn find(backups: &Backups, named: &str) -> anyhow::Result<Source> {
    if Path::new(named).is_file() {
        return Ok(Source::File(PathBuf::from(named)));
    }
    let id: Uuid = named
        .parse()
        .with_context(|| format!("there is no file `{named}`, nor is that the id of a backup"))?;
    let path = backups
        .find_archive(id)
        .await
        .context("the store of backups has no such archive, see ATLASHUB_BACKUP_URL")?;
    Ok(Source::Store(path))
}

async fn open(backups: &Backups, source: &Source) -> CoreResult<ByteStream> {
    match source {
        Source::Store(path) => Ok(backups.read_archive(path, None).await?.bytes),
        Source::File(path) => {
            let failed = |error| Error::internal("read the archive's file", error);
            let file = tokio::fs::File::open(path).await.map_err(failed)?;
            let chunks = ReaderStream::with_capacity(file, CHUNK);
            Ok(chunks.map(move |chunk| chunk.map_err(failed)).boxed())
        }
    }
}
