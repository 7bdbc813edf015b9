//! Projects as folders of SQLite files: `<root>/<project>/plugin_<schema>.db`,
//! and `public.sqlite` for the project's own tables.
//!
//! A short read runs on the calling task: it costs a few microseconds, less
//! than handing it to another thread. If it does not end within a small
//! budget it is stopped and run again, with the full time, on a thread for
//! blocking work; it changed nothing, so nothing shows. Writes go to such a
//! thread at once, since they may wait for the disk, and queue for the one
//! writing connection of their plugin.

mod archive;
mod connection;
mod cursor;
mod error;
mod files;
mod functions;
mod inline;
mod moment;
mod moving;
mod policy;
mod public;
mod reading;
mod search;
mod statement;
mod transaction;
mod watch;

pub(super) use self::{
    moving::{Rows, Told},
    public::rules::is_ours,
};

use self::{
    connection::{Connection, Mode, Stop},
    error::Failure,
    files::Files,
    policy::Author,
    public::until_seen,
    watch::{Cancel, Run},
};
use super::{
    Options, migration, not_provisioned,
    pool::{Lease, Place, Pool, Purpose},
    public::read_only,
    text, timed_out,
};
use atlashub_core::{
    Error, ProjectId, Result,
    capability::{
        PluginScope,
        database::BoundCaller,
        sql::{Dialect, SqlCursor, SqlRows, SqlTransaction, SqlValue},
    },
    manifest::Migration,
};
use rusqlite::ffi;
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// The projects of one root folder.
pub(super) struct SqliteProjects {
    files: Files,
    pool: Pool<Connection>,
    options: Arc<Options>,
}

impl SqliteProjects {
    pub(super) fn new(root: PathBuf, options: Options) -> Self {
        Self {
            files: Files::new(root),
            pool: Pool::new(&options, options.connections_per_plugin, 1),
            options: Arc::new(options),
        }
    }

    pub(super) fn open_connections(&self) -> usize {
        self.pool.open_connections()
    }

    pub(super) fn close_idle(&self, age: Duration) {
        self.pool.sweep(age);
    }

    pub(super) async fn provision(&self, project: ProjectId) -> Result<()> {
        let files = self.files.clone();
        blocking(move || files.make_project(project)).await
    }

    pub(super) async fn remove(&self, project: ProjectId) -> Result<()> {
        self.pool.close_project(project).await?;
        let files = self.files.clone();
        blocking(move || files.remove_project(project)).await
    }

    pub(super) async fn provision_plugin(&self, scope: &PluginScope) -> Result<()> {
        let (files, options, scope) = (self.files.clone(), self.options.clone(), scope.clone());
        blocking(move || {
            let path = files.plugin(&scope);
            if path.exists() {
                return Ok(());
            }
            files.make_project(scope.project)?;
            files.clear_remains(&scope)?;
            let schema = scope.plugin.schema();
            let author = Author::Plugin(schema.clone());
            let opened = Connection::open(&path, &schema, author, Mode::Create, &options);
            opened.map(drop).map_err(Failure::into_error)
        })
        .await
    }

    pub(super) async fn drop_plugin(&self, scope: &PluginScope) -> Result<()> {
        self.pool.close(&scope.into()).await?;
        let (files, scope) = (self.files.clone(), scope.clone());
        blocking(move || files.remove_plugin(&scope)).await
    }

    pub(super) async fn migrate_plugin(
        &self,
        scope: &PluginScope,
        migrations: &[Migration],
    ) -> Result<Vec<String>> {
        let steps = migration::steps(migrations, Dialect::Sqlite)?;
        if steps.is_empty() {
            return Ok(Vec::new());
        }
        let time = self.options.migration_time;
        let worker = self.worker(&Target::from(scope), Purpose::Write).await?;
        worker
            .run(move |connection, cancel| {
                let mut names = Vec::new();
                let applied = applied(connection)?;
                for step in steps {
                    if migration::pending(&step, &applied)? {
                        migrate(connection, &step, time, cancel)?;
                        names.push(step.name);
                    }
                }
                Ok(names)
            })
            .await
            .1
    }

    pub(super) async fn query(
        &self,
        target: &Target,
        sql: &str,
        values: Vec<SqlValue>,
    ) -> Result<SqlRows> {
        if text::may_only_read(sql) {
            if let Some(result) = self.query_inline(target, sql, &values) {
                return result;
            }
            return self.query_blocking(target, sql, values).await;
        }
        self.query_writing(target, sql, values).await
    }

    /// Runs a read on this very thread, if a connection is ready and the
    /// read is quick.
    fn query_inline(
        &self,
        target: &Target,
        sql: &str,
        values: &[SqlValue],
    ) -> Option<Result<SqlRows>> {
        let mut lease = self.pool.try_idle(&target.place, Purpose::Read)?;
        let run = Run {
            time: self.options.inline_time,
            cancel: None,
            inline: true,
        };
        let connection = lease.connection.as_mut()?;
        connection.serve(target.caller.as_ref());
        match connection.read(sql, values, run) {
            Ok(rows) => Some(Ok(rows)),
            Err(Stop::Failed(error)) => Some(Err(error)),
            Err(Stop::Writes | Stop::Slow) => None,
            Err(Stop::Stale) => {
                connection.look_again();
                None
            }
        }
    }

    async fn query_blocking(
        &self,
        target: &Target,
        sql: &str,
        values: Vec<SqlValue>,
    ) -> Result<SqlRows> {
        let worker = self.worker(target, Purpose::Read).await?;
        let (time, text) = (self.options.statement_time, sql.to_owned());
        let (_, outcome) = worker
            .run(move |connection, cancel| {
                let read = until_seen(|| {
                    if let Err(error) = connection.look_at_tables() {
                        return Some(Err(error));
                    }
                    match connection.read(&text, &values, limited(time, cancel)) {
                        Ok(rows) => Some(Ok(Some(rows))),
                        Err(Stop::Failed(error)) => Some(Err(error)),
                        Err(Stop::Writes | Stop::Slow) => Some(Ok(None)),
                        Err(Stop::Stale) => {
                            connection.look_again();
                            None
                        }
                    }
                });
                Ok(match read? {
                    Some(rows) => Ok(rows),
                    None => Err(values),
                })
            })
            .await;
        match outcome? {
            Ok(rows) => Ok(rows),
            Err(values) => self.query_writing(target, sql, values).await,
        }
    }

    async fn query_writing(
        &self,
        target: &Target,
        sql: &str,
        values: Vec<SqlValue>,
    ) -> Result<SqlRows> {
        if !target.write {
            return Err(read_only());
        }
        let worker = self.worker(target, Purpose::Write).await?;
        let (time, sql) = (self.options.statement_time, sql.to_owned());
        worker
            .run(move |connection, cancel| {
                // In a transaction, so that too many rows leave no changes.
                connection.begin()?;
                connection.start_run(limited(time, cancel));
                let result = connection.query(&sql, &values);
                settle(connection, result)
            })
            .await
            .1
    }

    pub(super) async fn execute(
        &self,
        target: &Target,
        sql: &str,
        values: Vec<SqlValue>,
    ) -> Result<u64> {
        if !target.write {
            // Whatever only reads changes nothing, and is fine.
            return self.query(target, sql, values).await.map(|_| 0);
        }
        let worker = self.worker(target, Purpose::Write).await?;
        let (time, sql) = (self.options.statement_time, sql.to_owned());
        worker
            .run(move |connection, cancel| {
                if connection.bound.is_none() {
                    connection.start_run(limited(time, cancel));
                    return connection.execute(&sql, &values);
                }
                connection.begin()?;
                connection.start_run(limited(time, cancel));
                let result = connection.execute(&sql, &values);
                settle(connection, result)
            })
            .await
            .1
    }

    pub(super) async fn begin(&self, target: &Target) -> Result<Box<dyn SqlTransaction>> {
        Ok(Box::new(self.begin_at(target).await?))
    }

    async fn begin_at(&self, target: &Target) -> Result<transaction::SqliteTransaction> {
        let write = target.write;
        let purpose = if write { Purpose::Write } else { Purpose::Read };
        let worker = self.worker(target, purpose).await?;
        let (worker, begun) = worker
            .run(move |connection, _| {
                if write {
                    connection.begin()
                } else {
                    connection.begin_reads()
                }
            })
            .await;
        begun?;
        let time = self.options.statement_time;
        Ok(transaction::SqliteTransaction::new(worker, time))
    }

    pub(super) async fn cursor(
        &self,
        target: &Target,
        sql: &str,
        values: Vec<SqlValue>,
    ) -> Result<Box<dyn SqlCursor>> {
        let worker = self.worker(target, Purpose::Read).await?;
        let time = self.options.statement_time;
        let cursor = cursor::SqliteCursor::open(worker, time, sql.to_owned(), values).await?;
        Ok(Box::new(cursor))
    }

    async fn worker(&self, target: &Target, purpose: Purpose) -> Result<Worker> {
        let lease = self.pool.acquire(&target.place, purpose).await?;
        if let Some(connection) = &lease.connection {
            connection.serve(target.caller.as_ref());
        }
        Ok(Worker {
            lease,
            opening: Arc::new(Opening {
                files: self.files.clone(),
                target: target.clone(),
                mode: match purpose {
                    Purpose::Read => Mode::Read,
                    Purpose::Write => Mode::Write,
                },
                options: self.options.clone(),
            }),
        })
    }
}

/// What a statement reaches, and for whom.
#[derive(Clone)]
pub(super) struct Target {
    place: Place,
    /// A caller whom row policies bind.
    caller: Option<Arc<BoundCaller>>,
    write: bool,
}

impl From<&PluginScope> for Target {
    fn from(scope: &PluginScope) -> Self {
        Self {
            place: scope.into(),
            caller: None,
            write: true,
        }
    }
}

struct Opening {
    files: Files,
    target: Target,
    mode: Mode,
    options: Arc<Options>,
}

impl Opening {
    fn open(&self) -> Result<Connection> {
        let connection = match &self.target.place {
            Place::Plugin(scope) => self.open_plugin(scope)?,
            Place::Public(project, side) => self.open_public(*project, *side)?,
        };
        connection.serve(self.target.caller.as_ref());
        Ok(connection)
    }

    fn open_plugin(&self, scope: &PluginScope) -> Result<Connection> {
        let path = self.files.plugin(scope);
        let schema = scope.plugin.schema();
        let author = Author::Plugin(schema.clone());
        Connection::open(&path, &schema, author, self.mode, &self.options).map_err(|failure| {
            if failure.code & 0xff == ffi::SQLITE_CANTOPEN && !path.exists() {
                return not_provisioned(scope);
            }
            failure.into_error()
        })
    }
}

/// A leased connection that works on threads for blocking work.
struct Worker {
    lease: Lease<Connection>,
    opening: Arc<Opening>,
}

impl Worker {
    /// Runs `work` on another thread; opens the connection when it is new.
    ///
    /// The lease goes along and comes back with the result. When nobody
    /// waits for that any more, the work is cancelled, and the lease goes
    /// back to the pool from over there, which rolls back what is open.
    async fn run<T: Send + 'static>(
        mut self,
        work: impl FnOnce(&mut Connection, &Cancel) -> Result<T> + Send + 'static,
    ) -> (Option<Self>, Result<T>) {
        let cancel = Cancel::default();
        let mut guard = CancelOnDrop(Some(cancel.clone()));
        let task = tokio::task::spawn_blocking(move || {
            if cancel.load(Ordering::Relaxed) {
                return (self, Err(timed_out()));
            }
            if self.lease.connection.is_none() {
                match self.opening.open() {
                    Ok(connection) => self.lease.connection = Some(connection),
                    Err(error) => return (self, Err(error)),
                }
            }
            let result = match self.lease.connection.as_mut() {
                Some(connection) => work(connection, &cancel),
                None => Err(timed_out()),
            };
            (self, result)
        });
        let done = task.await;
        guard.0 = None;
        match done {
            Ok((worker, result)) => (Some(worker), result),
            Err(error) => (None, Err(Error::internal("run a statement", error))),
        }
    }
}

struct CancelOnDrop(Option<Cancel>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(cancel) = &self.0 {
            cancel.store(true, Ordering::Relaxed);
        }
    }
}

fn limited(time: Duration, cancel: &Cancel) -> Run {
    Run {
        time,
        cancel: Some(cancel.clone()),
        inline: false,
    }
}

/// Commits after success, rolls back after failure.
fn settle<T>(connection: &mut Connection, result: Result<T>) -> Result<T> {
    let settled = match result {
        Ok(value) => connection.commit().map(|()| value),
        Err(error) => Err(error),
    };
    if settled.is_err() {
        connection.rollback()?;
    }
    settled
}

const RECORDS: &str = "CREATE TABLE IF NOT EXISTS _migrations (\
     name TEXT NOT NULL PRIMARY KEY, checksum TEXT NOT NULL, applied_at TEXT NOT NULL) STRICT";

fn applied(connection: &mut Connection) -> Result<HashMap<String, String>> {
    connection.host(RECORDS)?;
    connection.as_host(|connection| {
        let mut statement = connection
            .inner()
            .prepare("SELECT name, checksum FROM _migrations")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    })
}

fn migrate(
    connection: &mut Connection,
    step: &migration::Step,
    time: Duration,
    cancel: &Cancel,
) -> Result<()> {
    connection.begin()?;
    let mut result = run_step(connection, step, time, cancel);
    if result.is_ok() {
        result = connection.as_host(|connection| {
            connection
                .inner()
                .execute(
                    "INSERT INTO _migrations (name, checksum, applied_at) \
                     VALUES (?1, ?2, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))",
                    (&step.name, &step.checksum),
                )
                .map(drop)
        });
    }
    settle(connection, result)
}

fn run_step(
    connection: &mut Connection,
    step: &migration::Step,
    time: Duration,
    cancel: &Cancel,
) -> Result<()> {
    let mut rest = step.text.as_str();
    let mut number = 0;
    loop {
        let start = rest;
        number += 1;
        connection.start_run(limited(time, cancel));
        let failed =
            |statement: &str, error: &Error| migration::failed(step, number, statement, error);
        let (statement, tail) = connection
            .prepare_first(start, false)
            .map_err(|error| failed(start, &error))?;
        let Some(mut statement) = statement else {
            // Blanks, comments or a lone semicolon.
            if tail.is_empty() || tail.len() == start.len() {
                return Ok(());
            }
            number -= 1;
            rest = tail;
            continue;
        };
        let shown = start.get(..start.len() - tail.len()).unwrap_or(start);
        statement
            .bind(&[])
            .and_then(|()| statement.finish())
            .map_err(|error| failed(shown, &error))?;
        rest = tail;
    }
}

/// Runs file work on a thread for blocking work.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::internal("work on database files", error))?
}
