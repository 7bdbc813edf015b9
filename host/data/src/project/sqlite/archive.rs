//! Dumps of a project's files, and loading them.
//!
//! Reading begins on all files at one moment, at which nobody writes to any, so
//! that all are shown as they were then. Each is copied through SQLite's backup interface to a file
//! of its own, handed on, and removed. What is loaded is looked through by
//! SQLite's own check, and its statements are never run: triggers are off.

use super::{
    Connection, Files, Mode, SqliteProjects, blocking, error::Failure, moment::ReadFile,
    policy::Author, public::rules::Rules,
};
use crate::project::{
    Options,
    archive::{CHUNK, Dump, DumpPart, LoadOptions, LoadPart, NewIds},
    pool::Side,
};
use async_trait::async_trait;
use atlashub_core::{Error, PluginName, ProjectId, Result, capability::PluginScope};
use bytes::Bytes;
use parking_lot::Mutex;
use rusqlite::{
    Connection as Inner,
    backup::{Backup, StepResult},
    config::DbConfig,
    functions::FunctionFlags,
    types::ValueRef,
};
use std::{
    collections::VecDeque,
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};
use uuid::Uuid;

/// Pages copied between two looks at whether anybody still waits.
const PAGES: i32 = 4_096;
/// What the project's own tables are called.
const PUBLIC: &str = "public";

struct SqliteDump {
    scratch: PathBuf,
    waiting: VecDeque<Source>,
}

/// A file with a read under way, and what it is called.
struct Source {
    schema: String,
    connection: Arc<Mutex<Inner>>,
}

struct SqliteDumpPart {
    schema: String,
    copy: Scratch,
    file: Arc<Mutex<fs::File>>,
}

struct SqliteLoadPart {
    schema: String,
    path: PathBuf,
    file: Arc<Mutex<fs::File>>,
    ids: Option<Arc<NewIds>>,
    options: Arc<Options>,
}

/// A file that goes when this does.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl SqliteProjects {
    pub(in crate::project) async fn dump(
        &self,
        project: ProjectId,
        scratch: &Path,
    ) -> Result<Box<dyn Dump>> {
        let (files, scratch) = (self.files.clone(), scratch.to_owned());
        blocking(move || {
            fs::create_dir_all(&scratch).map_err(failed)?;
            let read = files.at_one_moment(project)?;
            let waiting = read
                .into_iter()
                .map(|ReadFile { schema, connection }| Source {
                    schema,
                    connection: Arc::new(Mutex::new(connection)),
                })
                .collect();
            Ok(Box::new(SqliteDump { scratch, waiting }) as Box<dyn Dump>)
        })
        .await
    }

    pub(in crate::project) async fn is_there(&self, project: ProjectId) -> Result<bool> {
        let files = self.files.clone();
        blocking(move || Ok(files.has_project(project))).await
    }

    pub(in crate::project) async fn load(
        &self,
        project: ProjectId,
        name: &str,
        options: &LoadOptions,
    ) -> Result<Box<dyn LoadPart>> {
        let path = if name == PUBLIC {
            self.files.public(project)
        } else {
            let plugin: PluginName = name
                .replace('_', "-")
                .parse()
                .map_err(|_| damaged("it has a database that no plugin can have"))?;
            self.files.plugin(&PluginScope { project, plugin })
        };
        let (files, schema) = (self.files.clone(), name.to_owned());
        let (ids, options) = (options.ids.clone(), self.options.clone());
        blocking(move || {
            files.make_project(project)?;
            let mut opening = fs::OpenOptions::new();
            opening.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut opening, 0o600);
            let file = opening.open(&path).map_err(failed)?;
            Ok(Box::new(SqliteLoadPart {
                schema,
                path,
                file: Arc::new(Mutex::new(file)),
                ids,
                options,
            }) as Box<dyn LoadPart>)
        })
        .await
    }
}

impl Files {
    /// The databases of a project by schema, in order.
    pub(super) fn databases(&self, project: ProjectId) -> Result<Vec<(String, PathBuf)>> {
        let folder = match fs::read_dir(self.folder(project)) {
            Ok(folder) => folder,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut found = Vec::new();
        for entry in folder {
            let path = entry.map_err(failed)?.path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or("");
            let plugin = name
                .strip_prefix("plugin_")
                .and_then(|name| name.strip_suffix(".db"));
            if name == "public.sqlite" {
                found.push((PUBLIC.to_owned(), path));
            } else if let Some(schema) = plugin {
                found.push((schema.to_owned(), path));
            }
        }
        found.sort();
        Ok(found)
    }
}

#[async_trait]
impl Dump for SqliteDump {
    async fn next(&mut self) -> Result<Option<Box<dyn DumpPart>>> {
        let Some(Source { schema, connection }) = self.waiting.pop_front() else {
            return Ok(None);
        };
        let copy = Scratch(self.scratch.join(format!("{}.db", Uuid::now_v7())));
        blocking(move || {
            let from = connection.lock();
            let mut to = Inner::open(&copy.0).map_err(refused)?;
            let copying = Backup::new(&from, &mut to).map_err(refused)?;
            while copying.step(PAGES).map_err(refused)? != StepResult::Done {}
            drop(copying);
            to.close().map_err(|(_, error)| refused(error))?;
            let file = fs::File::open(&copy.0).map_err(failed)?;
            Ok(Some(Box::new(SqliteDumpPart {
                schema,
                copy,
                file: Arc::new(Mutex::new(file)),
            }) as Box<dyn DumpPart>))
        })
        .await
    }
}

#[async_trait]
impl DumpPart for SqliteDumpPart {
    fn name(&self) -> &str {
        &self.schema
    }

    async fn read(&mut self) -> Result<Option<Bytes>> {
        let file = Arc::clone(&self.file);
        let bytes = blocking(move || {
            let mut bytes = Vec::with_capacity(CHUNK);
            let mut file = file.lock();
            (&mut *file)
                .take(CHUNK as u64)
                .read_to_end(&mut bytes)
                .map_err(failed)?;
            Ok(bytes)
        })
        .await?;
        if bytes.is_empty() {
            let _ = fs::remove_file(&self.copy.0);
            return Ok(None);
        }
        Ok(Some(bytes.into()))
    }
}

#[async_trait]
impl LoadPart for SqliteLoadPart {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let file = Arc::clone(&self.file);
        blocking(move || file.lock().write_all(&bytes).map_err(failed)).await
    }

    async fn finish(self: Box<Self>) -> Result<()> {
        blocking(move || {
            self.file.lock().sync_all().map_err(failed)?;
            let author = if self.schema == PUBLIC {
                Author::Public(Box::new(Rules::new(Side::Owner)))
            } else {
                Author::Plugin(self.schema.clone())
            };
            let opened =
                Connection::open(&self.path, &self.schema, author, Mode::Write, &self.options);
            let mut connection = opened.map_err(|failure| damaged_by(&self.schema, failure))?;
            let ids = self.ids.clone();
            let found = connection
                .as_host(move |own| {
                    let inner = own.inner();
                    if let Some(ids) = ids {
                        give_new_ids(inner, &ids)?;
                    }
                    inner.query_row("PRAGMA integrity_check(1)", [], |row| {
                        row.get::<_, String>(0)
                    })
                })
                .map_err(|error| {
                    damaged(&format!("the database `{}` cannot be read", self.schema))
                        .with_source(error)
                })?;
            if found != "ok" {
                tracing::warn!(
                    schema = self.schema,
                    found,
                    "a database of an archive is damaged"
                );
                return Err(damaged(&format!(
                    "the database `{}` fails SQLite's own check",
                    self.schema
                )));
            }
            Ok(())
        })
        .await
    }
}

/// Puts new ids wherever the old ones stand as text.
fn give_new_ids(inner: &Inner, ids: &Arc<NewIds>) -> rusqlite::Result<()> {
    let known = Arc::clone(ids);
    inner.create_scalar_function(
        "_atlashub_new_ids",
        1,
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY,
        move |context| {
            let ValueRef::Text(text) = context.get_raw(0) else {
                return Ok(None);
            };
            Ok(match known.in_text(text) {
                std::borrow::Cow::Borrowed(_) => None,
                std::borrow::Cow::Owned(text) => String::from_utf8(text).ok(),
            })
        },
    )?;
    for (config, on) in [
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false),
    ] {
        inner.set_db_config(config, on)?;
    }
    inner.execute_batch("PRAGMA ignore_check_constraints = 1; BEGIN")?;
    for (table, column) in text_columns(inner)? {
        inner.execute(
            &format!(
                "UPDATE {table} SET {column} = _atlashub_new_ids({column}) \
                 WHERE _atlashub_new_ids({column}) IS NOT NULL"
            ),
            [],
        )?;
    }
    inner.execute_batch("COMMIT; PRAGMA ignore_check_constraints = 0")
}

/// Columns of ordinary tables that may hold text, quoted. Tables within
/// another table's module are that module's business.
fn text_columns(inner: &Inner) -> rusqlite::Result<Vec<(String, String)>> {
    let quoted = |name: String| format!("\"{}\"", name.replace('"', "\"\""));
    let mut statement = inner.prepare(
        "SELECT t.name, c.name FROM pragma_table_list t, pragma_table_xinfo(t.name) c \
         WHERE t.schema NOT IN ('temp') AND t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' \
         ESCAPE '\\' AND c.hidden = 0 AND upper(c.type) NOT IN ('INTEGER', 'INT', 'REAL', 'BLOB')",
    )?;
    let rows = statement.query_map([], |row| Ok((quoted(row.get(0)?), quoted(row.get(1)?))))?;
    rows.collect()
}

fn damaged_by(schema: &str, failure: Failure) -> Error {
    damaged(&format!("the database `{schema}` is none")).with_source(failure.into_error())
}

fn damaged(why: &str) -> Error {
    Error::invalid("archive_damaged", format!("the archive is damaged: {why}"))
}

fn failed(error: std::io::Error) -> Error {
    Error::internal("work on files of a backup", error)
}

pub(super) fn refused(error: rusqlite::Error) -> Error {
    Error::internal("read a project's database for a backup", error)
}
