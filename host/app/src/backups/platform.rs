//! The platform's own archive: admins, the catalogue with its components, the
//! audit. A project's rows are in its own archive, since they belong to its
//! database and objects.

use super::{
    Backups,
    archive::{ArchiveReader, ArchiveWriter, Event, PartKind, PartSource, Sent, damaged},
    load::take_rows,
    make::{Counted, Scratch, digest},
    watch::Progress,
};
use atlashub_core::{
    Error, Result,
    capability::blob::{ByteSource as _, ByteStream},
};
use atlashub_data::platform::archive::{ArchivedRow, RowsInto, TABLES, Whose};
use std::{collections::BTreeSet, path::PathBuf};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, BufWriter},
    sync::mpsc,
};
use uuid::Uuid;

/// What of a project's tables is the platform's, too.
const CATALOGUE: &[&str] = &["plugin_revisions", "plugin_descriptions"];

fn is_platforms(name: &str) -> bool {
    CATALOGUE.contains(&name)
        || TABLES
            .iter()
            .any(|table| table.name == name && table.whose == Whose::Platform)
}

impl Backups {
    pub(super) async fn fill_platform(
        &self,
        id: Uuid,
        sender: mpsc::Sender<Sent>,
        progress: &Progress,
    ) -> Result<Counted> {
        let about = self.about(id, None).await?;
        let mut writer = ArchiveWriter::begin(&self.parts().keys, sender, &about).await?;
        let mut counted = Counted::default();
        progress.step("rows");
        let rows = self.platform().rows_at_one_moment().await?;
        let mut components = BTreeSet::new();
        for table in TABLES.iter().filter(|table| is_platforms(table.name)) {
            counted.rows += self
                .write_rows(&mut writer, &rows, table.name, "", None, |row| {
                    if table.name == "plugin_revisions" {
                        components.extend(digest(row));
                    }
                })
                .await?;
            progress.bytes(writer.sent());
        }
        drop(rows);
        progress.step("components");
        self.write_components(&mut writer, &components).await?;
        writer.finish().await?;
        Ok(counted)
    }

    /// Reads an archive of the platform whole, and keeps its rows in a file.
    pub(super) async fn read_platform(
        &self,
        run: Uuid,
        reader: &mut ArchiveReader,
        progress: &Progress,
    ) -> Result<(PathBuf, Scratch)> {
        let failed = |error| Error::internal("keep rows of an archive", error);
        let scratch = Scratch(self.parts().scratch.join(run.to_string()));
        tokio::fs::create_dir_all(&scratch.0)
            .await
            .map_err(failed)?;
        let path = scratch.0.join("rows");
        let mut rows = BufWriter::new(tokio::fs::File::create(&path).await.map_err(failed)?);
        loop {
            progress.bytes(reader.read());
            match reader.next().await? {
                Event::Part(head) => match head.kind {
                    PartKind::Rows if is_platforms(&head.name) => {
                        take_rows(reader, &head.name, &mut rows, None).await?;
                    }
                    PartKind::Component => {
                        let mut source = PartSource::new(reader);
                        while source.next().await?.is_some() {}
                    }
                    _ => return Err(damaged("it has parts that a platform has not")),
                },
                Event::End => break,
                Event::Data(_) | Event::PartEnd => {
                    return Err(damaged("its frames are out of order"));
                }
            }
        }
        rows.flush().await.map_err(failed)?;
        Ok((path, scratch))
    }

    /// Restores the platform's own rows on a host that has none. `archive` is
    /// read twice: first to see that it is whole.
    ///
    /// # Errors
    /// `platform_not_empty`, and those of an archive that is damaged or not
    /// for this installation.
    pub async fn restore_platform<F>(&self, archive: impl Fn() -> F) -> Result<u64>
    where
        F: Future<Output = Result<ByteStream>>,
    {
        let keys = &self.parts().keys;
        let (mut reader, about) = ArchiveReader::open(archive().await?, keys).await?;
        self.check_about(&about).await?;
        if about.project.is_some() {
            return Err(Error::invalid(
                "not_the_platform",
                "this is a backup of a project, not of the platform",
            ));
        }
        let progress = Progress::default();
        let (path, _scratch) = self
            .read_platform(Uuid::now_v7(), &mut reader, &progress)
            .await?;
        let count = self.put_platform(path).await?;
        // Components are found by what they are, so they may come later.
        let (mut reader, _) = ArchiveReader::open(archive().await?, keys).await?;
        loop {
            match reader.next().await? {
                Event::Part(head) if head.kind == PartKind::Component => {
                    self.load_component(&mut reader, &head.name).await?;
                }
                Event::End => return Ok(count),
                _ => {}
            }
        }
    }

    async fn put_platform(&self, path: PathBuf) -> Result<u64> {
        let failed = |error| Error::internal("read kept rows of an archive", error);
        let unit = self.platform().begin().await?;
        if unit.admins().has_owner().await? {
            return Err(Error::conflict(
                "platform_not_empty",
                "this installation has admins already: restore the platform on an empty host",
            ));
        }
        let file = tokio::fs::File::open(&path).await.map_err(failed)?;
        let mut lines = BufReader::new(file).lines();
        let mut into: Option<(&'static str, RowsInto)> = None;
        let mut known = BTreeSet::new();
        let mut count = 0;
        while let Some(line) = lines.next_line().await.map_err(failed)? {
            let (name, json) = line.split_once('\t').unwrap_or_default();
            let Some(table) = TABLES.iter().find(|table| table.name == name) else {
                continue;
            };
            let row: ArchivedRow = serde_json::from_str(json)
                .map_err(|error| damaged("a row cannot be read").with_source(error))?;
            let id = |column| {
                row.get(column)
                    .and_then(|id| id.as_str())
                    .map(str::to_owned)
            };
            if table.name == "plugin_revisions" && self.is_known(&unit, &row).await? {
                known.extend(id("id"));
                continue;
            }
            let described = id("revision_id").filter(|_| table.name == "plugin_descriptions");
            if described.is_some_and(|revision| known.contains(&revision)) {
                continue;
            }
            let same = into.as_ref().is_some_and(|(name, _)| *name == table.name);
            if !same {
                into = Some((table.name, unit.rows_into(table.name).await?));
            }
            if let Some((_, into)) = &into {
                unit.add_archived_row(into, &row).await?;
                count += 1;
            }
        }
        unit.commit().await?;
        Ok(count)
    }

    async fn is_known(
        &self,
        unit: &atlashub_data::platform::Unit,
        row: &ArchivedRow,
    ) -> Result<bool> {
        let digest = row.get("digest").and_then(super::make::digest_of);
        let plugin = row.get("plugin").and_then(|name| name.as_str());
        let (Some(digest), Some(plugin)) = (digest, plugin) else {
            return Err(damaged("a revision has no digest"));
        };
        let plugin = plugin.parse()?;
        let found = unit.revisions().find_by_digest(&plugin, &digest).await?;
        Ok(found.is_some())
    }
}
