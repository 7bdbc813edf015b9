//! Making an archive of a project.

use super::{
    Backups,
    archive::{About, AboutProject, ArchiveWriter, FORMAT, PartKind, Sent, SentSource},
    watch::{Progress, Work},
};
use atlashub_core::{Digest, Error, ProjectId, Result, capability::blob::ByteSource as _};
use atlashub_data::platform::{
    BackupTotals, Engine, Project,
    archive::{RowsAtOneMoment, TABLES, Whose},
};
use atlashub_storage::{ObjectPath, PathPrefix, StreamSource, WriteMode, WriteOptions, Written};
use serde_json::Value;
use std::collections::BTreeSet;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Objects listed at once.
const PAGE: usize = 500;
/// Chunks of an archive on their way.
const ON_THEIR_WAY: usize = 4;

/// What was counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub(super) objects: u64,
    pub(super) rows: u64,
}

impl Backups {
    /// Makes the archive of a backup that was begun.
    pub(super) async fn make(&self, id: Uuid, project: Option<ProjectId>) -> Result<()> {
        let progress = Progress::default();
        let made = self
            .own(
                Work::Backup(id),
                &progress,
                self.make_archive(id, project, &progress),
            )
            .await;
        if let Some(project) = project
            && let Err(error) = self.let_go(project).await
        {
            tracing::warn!(%error, "objects that were kept for a backup were not removed");
        }
        if made.is_err() {
            // It may have become ready in the very moment in which this was
            // stopped; otherwise hardly anything of it is visible.
            if self.platform().backups().get(id).await?.state == "ready" {
                return Ok(());
            }
            let path = ObjectPath::backup(project, &id)?;
            self.parts().archives.delete(&path).await?;
        }
        made
    }

    async fn make_archive(
        &self,
        id: Uuid,
        project: Option<ProjectId>,
        progress: &Progress,
    ) -> Result<()> {
        if let Some(project) = project {
            // What a backup before left; nobody else needs it.
            self.let_go(project).await?;
        }
        let (sender, receiver) = mpsc::channel(ON_THEIR_WAY);
        let path = ObjectPath::backup(project, &id)?;
        let options = WriteOptions {
            mode: WriteMode::CreateOnly,
            ..WriteOptions::default()
        };
        let writing = async {
            let mut source = SentSource(receiver);
            let archives = &self.parts().archives;
            let pending = archives.write(&path, &mut source, options).await?;
            pending.commit().await
        };
        let filling = async {
            match project {
                Some(project) => self.fill_project(id, project, sender, progress).await,
                None => self.fill_platform(id, sender, progress).await,
            }
        };
        let (counted, written): (Counted, Written) = futures::try_join!(filling, writing)?;
        let totals = BackupTotals {
            bytes: written.size,
            sha256: written.sha256.to_hex(),
            objects: counted.objects,
            rows: counted.rows,
        };
        if self.platform().backups().ready(id, &totals).await? {
            return Ok(());
        }
        Err(Error::conflict(
            "backup_given_up",
            "the backup was given up before it was ready",
        ))
    }

    pub(super) async fn about(&self, id: Uuid, project: Option<&Project>) -> Result<About> {
        let migrations = self.platform().migrations().await?;
        Ok(About {
            format: FORMAT,
            backup: id,
            engine: self.engine().to_owned(),
            schema: migrations.into_iter().map(|one| one.name).collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            master_key: self.parts().sealer.key_id().to_owned(),
            project: project.map(|project| AboutProject {
                id: project.id,
                location: self.parts().databases.locations().of(project.id),
                slug: project.slug.to_string(),
                name: project.name.clone(),
            }),
            created_at: self.platform().now(),
        })
    }

    pub(super) fn engine(&self) -> &'static str {
        match self.platform().engine() {
            Engine::Sqlite => "sqlite",
            Engine::Postgres => "postgres",
        }
    }

    async fn fill_project(
        &self,
        id: Uuid,
        project: ProjectId,
        sender: mpsc::Sender<Sent>,
        progress: &Progress,
    ) -> Result<Counted> {
        let parts = self.parts();
        let found = self.project(project).await?;
        let about = self.about(id, Some(&found)).await?;
        progress.step("database");
        let scratch = parts.scratch.join(id.to_string());
        let _scratch = Scratch(scratch.clone());
        let mut dump = parts.databases.dump(project, &scratch).await?;
        let mut writer = ArchiveWriter::begin(&parts.keys, sender, &about).await?;
        let mut counted = Counted::default();

        // The database's moment is before that of the rows, so that whoever
        // its rows speak of is among them.
        let rows = self.platform().rows_at_one_moment().await?;
        let mut components = BTreeSet::new();
        for table in TABLES {
            if let Whose::Project(condition) = table.whose {
                counted.rows += self
                    .write_rows(
                        &mut writer,
                        &rows,
                        table.name,
                        condition,
                        Some(project),
                        |row| {
                            if table.name == "plugin_revisions" {
                                components.extend(digest(row));
                            }
                        },
                    )
                    .await?;
                progress.bytes(writer.sent());
            }
        }
        drop(rows);
        while let Some(mut part) = dump.next().await? {
            writer.part(PartKind::Database, part.name()).await?;
            while let Some(bytes) = part.read().await? {
                writer.data(&bytes).await?;
                progress.bytes(writer.sent());
            }
            writer.end_part().await?;
        }
        drop(dump);
        progress.step("components");
        self.write_components(&mut writer, &components).await?;
        progress.step("objects");
        for held in [false, true] {
            counted.objects += self
                .write_objects(&mut writer, project, held, progress)
                .await?;
        }
        writer.finish().await?;
        Ok(counted)
    }

    /// Writes the rows of a table; how many.
    pub(super) async fn write_rows(
        &self,
        writer: &mut ArchiveWriter,
        rows: &RowsAtOneMoment,
        table: &'static str,
        condition: &'static str,
        project: Option<ProjectId>,
        mut seen: impl FnMut(&str),
    ) -> Result<u64> {
        let mut rows = rows.of_table(table, condition, project).await?;
        let mut count = 0;
        writer.part(PartKind::Rows, table).await?;
        loop {
            let page = rows.next().await?;
            if page.is_empty() {
                break;
            }
            for mut row in page {
                seen(&row);
                row.push('\n');
                writer.data(row.as_bytes()).await?;
                count += 1;
            }
        }
        writer.end_part().await?;
        Ok(count)
    }

    /// Writes the bytes of components that are in the store.
    pub(super) async fn write_components(
        &self,
        writer: &mut ArchiveWriter,
        digests: &BTreeSet<Digest>,
    ) -> Result<()> {
        for digest in digests {
            let path = ObjectPath::revision(digest)?;
            let read = self.parts().storage.read(&path, None).await;
            let object = match read {
                Ok(object) => object,
                Err(error) if error.code() == "object_not_found" => continue,
                Err(error) => return Err(error),
            };
            writer.part(PartKind::Component, &digest.to_hex()).await?;
            let mut source = StreamSource(object.bytes);
            while let Some(bytes) = source.next().await? {
                writer.data(&bytes).await?;
            }
            writer.end_part().await?;
        }
        Ok(())
    }

    /// Writes the objects of a project, or those that were deleted since the
    /// backup began; how many.
    async fn write_objects(
        &self,
        writer: &mut ArchiveWriter,
        project: ProjectId,
        held: bool,
        progress: &Progress,
    ) -> Result<u64> {
        let storage = &self.parts().storage;
        let prefix = if held {
            PathPrefix::held(project)
        } else {
            PathPrefix::project(project)
        };
        let (mut after, mut count): (Option<String>, u64) = (None, 0);
        loop {
            let page = storage.walk(&prefix, after.as_deref(), PAGE).await?;
            for entry in &page.entries {
                let path = if held {
                    ObjectPath::held_at(project, &entry.key)
                } else {
                    ObjectPath::of_project(project, &entry.key)
                };
                let Ok(path) = path else {
                    tracing::warn!(%project, "an object of a name that is none of ours is in no backup");
                    continue;
                };
                let object = match storage.read(&path, None).await {
                    Ok(object) => object,
                    // Deleted since: it is among those that are held.
                    Err(error) if error.code() == "object_not_found" => continue,
                    Err(error) => return Err(error),
                };
                writer.part(PartKind::Object, &entry.key).await?;
                let mut source = StreamSource(object.bytes);
                while let Some(bytes) = source.next().await? {
                    writer.data(&bytes).await?;
                    progress.bytes(writer.sent());
                }
                writer.end_part().await?;
                count += 1;
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(count),
            }
        }
    }
}

/// The digest in an archived row of a revision.
pub(super) fn digest(row: &str) -> Option<Digest> {
    let row: Value = serde_json::from_str(row).ok()?;
    digest_of(row.get("digest")?)
}

/// A digest as either engine writes it into a row.
pub(super) fn digest_of(value: &Value) -> Option<Digest> {
    let text = value.as_str()?;
    let text = text.strip_prefix("\\x").unwrap_or(text);
    text.to_ascii_lowercase().parse().ok()
}

/// A folder that goes when this does.
pub(super) struct Scratch(pub(super) std::path::PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
