//! Reading an archive to where nobody looks yet. Everything in it is checked
//! on the way, so that what was loaded can be put in place as it is.

use super::{
    Backups,
    archive::{About, AboutProject, ArchiveReader, Event, PartKind, PartSource, damaged},
    make::Scratch,
    watch::Progress,
};
use atlashub_core::{
    Digest, Error, ErrorKind, ProjectId, Result, capability::blob::ByteSource as _,
};
use atlashub_data::{
    platform::archive::{ArchivedRow, TABLES},
    project::archive::{LoadOptions, NewIds},
};
use atlashub_storage::{ObjectPath, WriteMode, WriteOptions};
use std::{path::PathBuf, sync::Arc};
use tokio::io::{AsyncWriteExt as _, BufWriter};
use uuid::Uuid;

/// Longest row, bytes: more than any table lets in.
const MAX_ROW: usize = 256 * 1024 * 1024;
/// What the end users' table is called.
const USERS: &str = "users";

/// Where to, and what for.
#[derive(Clone, Copy, Debug)]
pub(super) struct LoadTo {
    /// The id that it is loaded under.
    pub(super) staging: ProjectId,
    /// Whether end users get new ids.
    pub(super) new_ids: bool,
    /// Whether objects are kept, and not only read.
    pub(super) keep_objects: bool,
}

/// What was loaded.
pub(super) struct Loaded {
    pub(super) project: AboutProject,
    /// The rows, each in a line behind its table's name.
    pub(super) rows: PathBuf,
    /// New ids of end users.
    pub(super) ids: Option<Arc<NewIds>>,
    /// Bytes of all objects.
    pub(super) object_bytes: u64,
    /// The folder of `rows`, which goes with this.
    pub(super) _scratch: Scratch,
}

impl Backups {
    /// Whether this installation can take an archive in.
    pub(super) async fn check_about(&self, about: &About) -> Result<()> {
        if about.engine != self.engine() {
            return Err(Error::new(
                ErrorKind::Invalid,
                "archive_other_engine",
                format!(
                    "the archive was made on {} and this installation runs on {}: a backup is \
                     restored on its own engine, an export on any",
                    about.engine,
                    self.engine()
                ),
            ));
        }
        let known = self.platform().migrations().await?;
        let unknown = about
            .schema
            .iter()
            .find(|name| !known.iter().any(|one| one.name == **name));
        if unknown.is_some() {
            return Err(Error::invalid(
                "archive_too_new",
                format!(
                    "the archive was made by version {}, which is later than this one",
                    about.version
                ),
            ));
        }
        if !self.parts().sealer.knows_key(&about.master_key) {
            return Err(Error::invalid(
                "archive_master_key_unknown",
                "the secrets in the archive were sealed with a master key that is not configured \
                 here: add it to ATLASHUB_MASTER_KEY, behind a comma",
            ));
        }
        Ok(())
    }

    /// Loads an archive of a project.
    pub(super) async fn load_archive(
        &self,
        run: Uuid,
        reader: &mut ArchiveReader,
        about: &About,
        to: LoadTo,
        progress: &Progress,
    ) -> Result<Loaded> {
        let project = about
            .project
            .clone()
            .ok_or_else(|| damaged("it is of no project"))?;
        let scratch = Scratch(self.parts().scratch.join(run.to_string()));
        let failed = |error| Error::internal("keep rows of an archive", error);
        tokio::fs::create_dir_all(&scratch.0)
            .await
            .map_err(failed)?;
        let path = scratch.0.join("rows");
        let mut rows = BufWriter::new(tokio::fs::File::create(&path).await.map_err(failed)?);
        let mut users = Vec::new();
        let mut ids = None;
        let mut object_bytes = 0;
        let mut seen = Seen::default();
        loop {
            progress.bytes(reader.read());
            match reader.next().await? {
                Event::Part(head) => match head.kind {
                    PartKind::Rows => {
                        progress.step("rows");
                        seen.rows(&head.name)?;
                        let users = (head.name == USERS && to.new_ids).then_some(&mut users);
                        take_rows(reader, &head.name, &mut rows, users).await?;
                    }
                    PartKind::Database => {
                        progress.step("database");
                        seen.database(&head.name)?;
                        if to.new_ids && ids.is_none() {
                            let known = std::mem::take(&mut users);
                            ids = Some(Arc::new(NewIds::new(known, *to.staging.as_uuid())));
                        }
                        let options = LoadOptions {
                            from: project.location,
                            ids: ids.clone(),
                        };
                        self.load_database(reader, &head.name, to, &options, progress)
                            .await?;
                    }
                    PartKind::Component => {
                        progress.step("components");
                        self.load_component(reader, &head.name).await?;
                    }
                    PartKind::Object => {
                        progress.step("objects");
                        object_bytes = self
                            .load_object(reader, &head.name, to, object_bytes)
                            .await?;
                    }
                },
                Event::End => break,
                Event::Data(_) | Event::PartEnd => {
                    return Err(damaged("its frames are out of order"));
                }
            }
        }
        if !seen.projects {
            return Err(damaged("the project's own row is missing"));
        }
        rows.flush().await.map_err(failed)?;
        drop(rows);
        if to.new_ids && ids.is_none() {
            ids = Some(Arc::new(NewIds::new(users, *to.staging.as_uuid())));
        }
        self.parts()
            .databases
            .as_they_lie()
            .finish_load(to.staging)
            .await?;
        Ok(Loaded {
            project,
            rows: path,
            ids,
            object_bytes,
            _scratch: scratch,
        })
    }

    async fn load_database(
        &self,
        reader: &mut ArchiveReader,
        name: &str,
        to: LoadTo,
        options: &LoadOptions,
        progress: &Progress,
    ) -> Result<()> {
        let databases = self.parts().databases.as_they_lie();
        let mut part = databases.load(to.staging, name, options).await?;
        let mut bytes = PartSource::new(reader);
        let mut count = 0;
        while let Some(chunk) = bytes.next().await? {
            count += chunk.len() as u64;
            progress.bytes(count);
            part.write(chunk).await?;
        }
        part.finish().await
    }

    /// Components are found by what they are: one that is there is the same.
    pub(super) async fn load_component(
        &self,
        reader: &mut ArchiveReader,
        name: &str,
    ) -> Result<()> {
        let digest: Digest = name
            .parse()
            .map_err(|_| damaged("a component is called by no digest"))?;
        let storage = &self.parts().storage;
        let path = ObjectPath::revision(&digest)?;
        let mut source = PartSource::new(reader);
        if storage.stat(&path).await?.is_some() {
            while source.next().await?.is_some() {}
            return Ok(());
        }
        let options = WriteOptions {
            mode: WriteMode::Replace,
            ..WriteOptions::default()
        };
        let pending = storage.write(&path, &mut source, options).await?;
        if pending.sha256() != digest {
            return Err(damaged("a component is another than it says"));
        }
        pending.commit().await.map(drop)
    }

    /// Loads an object; the bytes of all so far.
    async fn load_object(
        &self,
        reader: &mut ArchiveReader,
        name: &str,
        to: LoadTo,
        before: u64,
    ) -> Result<u64> {
        let path = ObjectPath::of_project(to.staging, name).map_err(|error| {
            damaged("an object has a name that none can have").with_source(error)
        })?;
        let mut source = PartSource::new(reader);
        if !to.keep_objects {
            while source.next().await?.is_some() {}
            return Ok(before);
        }
        let options = WriteOptions {
            mode: WriteMode::Replace,
            ..WriteOptions::default()
        };
        let storage = self.parts().storage.as_it_lies();
        let written = storage.write(&path, &mut source, options).await?;
        let written = written.commit().await?;
        // One that was deleted while the archive was made may be there twice.
        Ok((before + written.size).saturating_sub(written.replaced.unwrap_or(0)))
    }
}

/// Which parts have come.
#[derive(Default)]
struct Seen {
    projects: bool,
    tables: Vec<String>,
    databases: Vec<String>,
}

impl Seen {
    fn rows(&mut self, table: &str) -> Result<()> {
        if !self.databases.is_empty() || self.tables.iter().any(|seen| seen == table) {
            return Err(damaged("its rows are out of order"));
        }
        if !TABLES.iter().any(|known| known.name == table) {
            return Err(Error::invalid(
                "archive_too_new",
                format!("the archive was made by a later version: there is no table `{table}`"),
            ));
        }
        self.projects |= table == "projects";
        self.tables.push(table.to_owned());
        Ok(())
    }

    fn database(&mut self, name: &str) -> Result<()> {
        if self.databases.iter().any(|seen| seen == name) {
            return Err(damaged("a part of its database comes twice"));
        }
        self.databases.push(name.to_owned());
        Ok(())
    }
}

/// Keeps the rows of a table, each checked to be one.
pub(super) async fn take_rows(
    reader: &mut ArchiveReader,
    table: &str,
    rows: &mut BufWriter<tokio::fs::File>,
    mut users: Option<&mut Vec<Uuid>>,
) -> Result<()> {
    let failed = |error| Error::internal("keep rows of an archive", error);
    let mut source = PartSource::new(reader);
    let mut rest = Vec::new();
    while let Some(bytes) = source.next().await? {
        rest.extend_from_slice(&bytes);
        let mut start = 0;
        while let Some(end) = rest
            .get(start..)
            .and_then(|rest| rest.iter().position(|byte| *byte == b'\n'))
        {
            let line = rest.get(start..start + end).unwrap_or_default();
            start += end + 1;
            let row: ArchivedRow = serde_json::from_slice(line)
                .map_err(|error| damaged("a row cannot be read").with_source(error))?;
            if let Some(users) = users.as_deref_mut() {
                let id = row.get("id").and_then(|id| id.as_str());
                let id = id.and_then(|id| Uuid::try_parse(id).ok());
                users.push(id.ok_or_else(|| damaged("an end user has no id"))?);
            }
            rows.write_all(table.as_bytes()).await.map_err(failed)?;
            rows.write_all(b"\t").await.map_err(failed)?;
            rows.write_all(line).await.map_err(failed)?;
            rows.write_all(b"\n").await.map_err(failed)?;
        }
        rest.drain(..start);
        if rest.len() > MAX_ROW {
            return Err(damaged("a row is too long"));
        }
    }
    if rest.is_empty() {
        return Ok(());
    }
    Err(damaged("a row is cut off"))
}
