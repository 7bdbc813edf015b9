//! A connection to one SQLite file, a plugin's or the one of a project's own
//! tables, and to nothing else.
//!
//! The file is the connection's main database, and the main database bears
//! the schema's name: `files.objects` and plain `objects` are the same table,
//! and what is created without a schema lands in the plugin's own, as it does
//! on Postgres. No second file can be attached, so there is nothing to reach.
//!
//! The VFS `unix-excl` holds the file for this process and keeps the index
//! of the write-ahead log in its memory, so that a read asks the operating
//! system for nothing.

use super::{
    error::Failure,
    functions::{self, CallerCell},
    inline::Inline,
    policy::{Author, Policy},
    public::Bound,
    reading::Reading,
    statement::{MAX_VALUE_BYTES, Statement, Step, prepare},
    watch::{Run, Watch},
};
use crate::project::{
    Options, denied,
    pool::{Pooled, Side},
    text, too_many_rows,
};
use atlashub_core::{
    Error, Result,
    capability::database::BoundCaller,
    capability::sql::{
        MAX_PARAMETERS, MAX_RESULT_BYTES, MAX_ROWS, MAX_SQL_BYTES, SqlRows, SqlValue,
    },
};
use rusqlite::{Connection as Inner, OpenFlags, config::DbConfig, ffi, limits::Limit};
use std::{collections::HashMap, ffi::CString, path::Path, sync::Arc};

/// Statements kept ready on a connection.
const CACHED_STATEMENTS: usize = 32;
/// Longer texts are prepared anew each time.
const CACHED_TEXT_BYTES: usize = 8 * 1024;
/// Steps of SQLite's machine between two looks at the clock.
const STEPS_PER_LOOK: i32 = 250;
/// Page cache of a connection, KiB.
const CACHE_KIB: i32 = 2_048;
/// What the write-ahead log shrinks to, bytes.
const LOG_BYTES: i32 = 16 * 1024 * 1024;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// For reading.
    Read,
    /// For reading and writing.
    Write,
    /// As [`Mode::Write`]; made when it does not exist.
    Create,
}

/// Why a read gave no rows.
#[derive(Debug)]
pub(super) enum Stop {
    /// It failed.
    Failed(Error),
    /// It writes, so it needs the connection for writing.
    Writes,
    /// It may take too long for an asynchronous thread.
    Slow,
    /// Tables or policies have changed since the connection looked at them.
    Stale,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        if is_stale(&error) {
            Self::Stale
        } else {
            Self::Failed(error)
        }
    }
}

/// The code of [`stale`].
const STALE: &str = "sql_stale";

/// The error for a statement that has to be prepared anew, since tables or
/// policies have changed. It stays within this folder, or is told as busy.
pub(super) fn stale() -> Error {
    Error::new(
        atlashub_core::ErrorKind::Unavailable,
        STALE,
        "tables have changed meanwhile",
    )
}

/// Whether it is [`stale`].
pub(super) fn is_stale(error: &Error) -> bool {
    error.code() == STALE
}

/// An open connection. No statement of it ever leaves it. Fields are dropped
/// in order: statements before the connection, and that before the name it
/// points to.
pub(super) struct Connection {
    statements: HashMap<Box<str>, Statement>,
    pub(super) reading: Option<Reading>,
    uses: u64,
    pub(super) bound: Option<Box<Bound>>,
    inner: Inner,
    _name: CString,
    pub(super) policy: Arc<Policy>,
    pub(super) watch: Arc<Watch>,
    caller: CallerCell,
}

impl Pooled for Connection {
    fn renew(&mut self) -> bool {
        self.end_run();
        self.reading = None;
        self.serve(None);
        self.inner.is_autocommit() || self.rollback().is_ok()
    }
}

impl Connection {
    /// Opens the file at `path`, which is called `schema`, for `author`.
    ///
    /// # Errors
    /// As SQLite says; `SQLITE_CANTOPEN` when there is no such file.
    pub(super) fn open(
        path: &Path,
        schema: &str,
        author: Author,
        mode: Mode,
        options: &Options,
    ) -> Result<Self, Failure> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if mode == Mode::Create {
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        }
        let name = CString::new(schema)
            .map_err(|_| Failure::new(ffi::SQLITE_MISUSE, "a schema name without NUL is needed"))?;
        let inner = Inner::open_with_flags_and_vfs(path, flags, c"unix-excl")?;
        // SAFETY: the handle is open; SQLite keeps the pointer, and the name
        // lives longer than the connection (see the order of the fields).
        let code = unsafe {
            ffi::sqlite3_db_config(
                inner.handle(),
                ffi::SQLITE_DBCONFIG_MAINDBNAME,
                name.as_ptr(),
            )
        };
        if code != ffi::SQLITE_OK {
            return Err(Failure::new(code, "the schema could not be named"));
        }
        let connection = Self {
            statements: HashMap::new(),
            reading: None,
            uses: 0,
            bound: None,
            inner,
            _name: name,
            policy: Arc::new(Policy::new(author)),
            watch: Arc::new(Watch::default()),
            caller: CallerCell::default(),
        };
        connection.configure(mode, options)?;
        Ok(connection)
    }

    fn configure(&self, mode: Mode, options: &Options) -> Result<(), Failure> {
        let inner = &self.inner;
        inner.busy_timeout(options.queue_time)?;
        // Asks the file for the first time, and so fails when it is missing.
        if mode == Mode::Create {
            inner.query_row("PRAGMA journal_mode = wal", [], |_| Ok(()))?;
        }
        let pages = i64::try_from(options.max_plugin_bytes / 4096).unwrap_or(i64::MAX);
        inner.execute_batch(&format!(
            "PRAGMA synchronous = normal; PRAGMA cache_size = -{CACHE_KIB}; \
             PRAGMA journal_size_limit = {LOG_BYTES}; PRAGMA max_page_count = {pages}; \
             PRAGMA query_only = {};",
            i32::from(mode == Mode::Read)
        ))?;
        for (config, on) in [
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false),
            (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
            (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE, false),
        ] {
            inner.set_db_config(config, on)?;
        }
        for (limit, value) in [
            (Limit::SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES),
            (Limit::SQLITE_LIMIT_SQL_LENGTH, MAX_SQL_BYTES),
            (Limit::SQLITE_LIMIT_COLUMN, 1_000),
            (Limit::SQLITE_LIMIT_EXPR_DEPTH, 250),
            (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 100),
            (Limit::SQLITE_LIMIT_VDBE_OP, 250_000),
            (Limit::SQLITE_LIMIT_FUNCTION_ARG, 100),
            (Limit::SQLITE_LIMIT_ATTACHED, 0),
            (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 256),
            (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, MAX_PARAMETERS),
            (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 32),
            (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
        ] {
            inner.set_limit(limit, i32::try_from(value).unwrap_or(i32::MAX))?;
        }
        functions::install(inner)?;
        if self.policy.public().is_some() {
            functions::install_caller(inner, &self.caller)?;
            inner.execute_batch("PRAGMA temp_store = memory")?;
        }
        let watch = self.watch.clone();
        inner.progress_handler(STEPS_PER_LOOK, Some(move || watch.says_stop()))?;
        let policy = self.policy.clone();
        inner.authorizer(Some(move |context: rusqlite::hooks::AuthContext<'_>| {
            policy.decide(context)
        }))?;
        Ok(())
    }

    /// The error of a step of a statement that is not kept here.
    pub(super) fn explain(&self, failure: Failure) -> Error {
        self.watch.explain(failure).into_error()
    }

    /// Says who calls from now on, for the functions of policies.
    pub(super) fn serve(&self, caller: Option<&Arc<BoundCaller>>) {
        let anonymous = || {
            let bound = self.policy.public()?.side() == Side::Bound;
            bound.then(BoundCaller::anonymous)
        };
        *self.caller.lock() = caller.cloned().or_else(anonymous);
    }

    /// Starts the clock for a run of statements.
    pub(super) fn start_run(&self, run: Run) {
        self.watch.start(run);
    }

    fn end_run(&self) {
        self.watch.end();
    }

    /// Runs a statement that must only read.
    ///
    /// # Errors
    /// [`Stop::Writes`] and [`Stop::Slow`] leave everything as it was.
    pub(super) fn read(
        &mut self,
        sql: &str,
        values: &[SqlValue],
        run: Run,
    ) -> Result<SqlRows, Stop> {
        let result = self.read_once(sql, values, run);
        // A table that is gone is told in other words than a changed one.
        if matches!(result, Err(Stop::Failed(_))) && self.has_changed() {
            return Err(Stop::Stale);
        }
        result
    }

    fn read_once(&mut self, sql: &str, values: &[SqlValue], run: Run) -> Result<SqlRows, Stop> {
        let inline = run.inline;
        self.start_run(run);
        if inline && !self.knows_tables() {
            return Err(Stop::Slow);
        }
        let (policy, watch) = (self.policy.clone(), self.watch.clone());
        let statement = self.statement(sql)?;
        if !statement.reads_only {
            return Err(Stop::Writes);
        }
        if inline && !statement.inline.may_run() {
            return Err(Stop::Slow);
        }
        let result = statement.bind(values).map_err(Stop::Failed).and_then(|()| {
            collect(statement).map_err(|stop| match stop {
                Halt::Error(error) => Stop::Failed(error),
                Halt::Failure(failure) if inline && failure.is_interrupt() => {
                    statement.inline.was_slow();
                    Stop::Slow
                }
                Halt::Failure(failure) => Stop::from(explain(&policy, &watch, failure)),
            })
        });
        if inline && result.is_ok() {
            statement.inline.was_quick();
        }
        statement.reset();
        result
    }

    /// Runs a statement and returns its rows; it may write.
    pub(super) fn query(&mut self, sql: &str, values: &[SqlValue]) -> Result<SqlRows> {
        let (policy, watch) = (self.policy.clone(), self.watch.clone());
        let statement = self.statement(sql)?;
        let result = statement.bind(values).and_then(|()| {
            collect(statement).map_err(|halt| match halt {
                Halt::Error(error) => error,
                Halt::Failure(failure) => explain(&policy, &watch, failure),
            })
        });
        statement.reset();
        result
    }

    /// Runs a statement to its end and returns how many rows it changed.
    pub(super) fn execute(&mut self, sql: &str, values: &[SqlValue]) -> Result<u64> {
        let before = self.total_changes();
        let (policy, watch) = (self.policy.clone(), self.watch.clone());
        let statement = self.statement(sql)?;
        let result = statement.bind(values).and_then(|()| {
            loop {
                match statement.step() {
                    Ok(Step::Row) => {}
                    Ok(Step::Done) => return Ok(()),
                    Err(failure) => return Err(explain(&policy, &watch, failure)),
                }
            }
        });
        statement.reset();
        result?;
        // A statement that defines something leaves the count as it was.
        if self.total_changes() == before {
            return Ok(0);
        }
        // SAFETY: the handle is open.
        let changed = unsafe { ffi::sqlite3_changes64(self.inner.handle()) };
        Ok(u64::try_from(changed).unwrap_or_default())
    }

    fn total_changes(&self) -> i64 {
        // SAFETY: the handle is open.
        unsafe { ffi::sqlite3_total_changes64(self.inner.handle()) }
    }

    /// The statement of `sql`, from the cache or prepared.
    fn statement(&mut self, sql: &str) -> Result<&mut Statement> {
        self.uses += 1;
        let uses = self.uses;
        // Looked up twice, since a borrow that is returned cannot be taken
        // back for the second arm.
        if !self.statements.contains_key(sql) {
            let statement = self.prepare_allowed(sql)?;
            self.make_room(sql);
            self.statements.insert(sql.into(), statement);
        }
        let statement = self.statements.get_mut(sql).ok_or_else(|| {
            Error::internal("prepare a statement", "the statement left the cache")
        })?;
        statement.used = uses;
        Ok(statement)
    }

    /// Forgets the statements that were kept.
    pub(super) fn forget_statements(&mut self) {
        self.statements.clear();
    }

    fn make_room(&mut self, sql: &str) {
        let long = |text: &str| text.len() > CACHED_TEXT_BYTES;
        self.statements.retain(|text, _| !long(text));
        let room = if long(sql) {
            CACHED_STATEMENTS + 1
        } else {
            CACHED_STATEMENTS
        };
        while self.statements.len() >= room {
            let oldest = self
                .statements
                .iter()
                .min_by_key(|(_, statement)| statement.used)
                .map(|(text, _)| text.clone());
            match oldest {
                Some(text) => drop(self.statements.remove(&text)),
                None => return,
            }
        }
    }

    /// Prepares the one statement of `sql`, outside of the cache. It must be
    /// dropped before this connection.
    ///
    /// # Errors
    /// `sql_syntax` when there is none or more than one, `sql_denied` when
    /// it is not the plugin's to run.
    pub(super) fn prepare_only(&mut self, sql: &str, keep: bool) -> Result<Statement> {
        let (statement, tail) = self.prepare_first(sql, keep)?;
        let mut statement =
            statement.ok_or_else(|| Error::invalid("sql_syntax", "there is no statement"))?;
        statement.inline = Inline::new(self.policy.was_quick());
        if !text::skip_blanks(tail.trim_start_matches([';', ' ', '\n', '\t', '\r'])).is_empty() {
            let more = self.prepare_first(tail, false);
            if !matches!(more, Ok((None, ""))) {
                return Err(Error::invalid(
                    "sql_syntax",
                    "only one statement can be run at a time",
                ));
            }
        }
        Ok(statement)
    }

    /// Prepares the first statement of `sql`; answers it and what follows.
    pub(super) fn prepare_first<'a>(
        &mut self,
        sql: &'a str,
        keep: bool,
    ) -> Result<(Option<Statement>, &'a str)> {
        self.policy.start();
        // SAFETY: the handle is open, and this connection is borrowed alone.
        let prepared = unsafe { prepare(self.inner.handle(), sql, keep) };
        prepared.map_err(|failure| {
            if failure.is_denial()
                && let Some(reason) = self.policy.reason()
            {
                return denied(reason);
            }
            failure.while_preparing().into_error()
        })
    }

    /// Begins a transaction that can write.
    pub(super) fn begin(&mut self) -> Result<()> {
        if self.bound.is_some() {
            return self.begin_bound("BEGIN IMMEDIATE");
        }
        self.host("BEGIN IMMEDIATE")
    }

    /// Begins a transaction that reads, all at one moment.
    pub(super) fn begin_reads(&mut self) -> Result<()> {
        if self.bound.is_some() {
            return self.begin_bound("BEGIN");
        }
        self.host("BEGIN")
    }

    /// Makes the transaction's changes last.
    pub(super) fn commit(&mut self) -> Result<()> {
        let ended = self.host("COMMIT");
        self.settle_gate();
        ended
    }

    /// Undoes the transaction's changes; fine when SQLite already has.
    pub(super) fn rollback(&mut self) -> Result<()> {
        let ended = if self.inner.is_autocommit() {
            Ok(())
        } else {
            self.host("ROLLBACK")
        };
        self.settle_gate();
        ended
    }

    /// Whether a transaction is open.
    pub(super) fn in_transaction(&self) -> bool {
        !self.inner.is_autocommit()
    }

    /// Runs the host's own text.
    pub(super) fn host(&mut self, sql: &str) -> Result<()> {
        self.as_host(|connection| connection.inner.execute_batch(sql))
    }

    /// Lets the host use the connection as it is, without a time limit.
    pub(super) fn as_host<T>(
        &mut self,
        work: impl FnOnce(&Self) -> rusqlite::Result<T>,
    ) -> Result<T> {
        self.end_run();
        let before = self.policy.for_host(true);
        let result = work(self);
        self.policy.for_host(before);
        result.map_err(|error| Failure::from(error).into_error())
    }

    /// Whether it is on the project's own tables.
    pub(super) fn is_public(&self) -> bool {
        self.policy.public().is_some()
    }

    /// The wrapped connection.
    pub(super) fn inner(&self) -> &Inner {
        &self.inner
    }
}

/// The error of a step.
fn explain(policy: &Policy, watch: &Watch, failure: Failure) -> Error {
    if failure.is_denial() && policy.public().is_some_and(|rules| rules.take_stale()) {
        return stale();
    }
    watch.explain(failure).into_error()
}

enum Halt {
    Error(Error),
    Failure(Failure),
}

/// Reads all rows of a bound statement.
fn collect(statement: &mut Statement) -> Result<SqlRows, Halt> {
    let mut rows = Vec::new();
    let mut room = MAX_RESULT_BYTES;
    while statement.step().map_err(Halt::Failure)? == Step::Row {
        if rows.len() == MAX_ROWS {
            return Err(Halt::Error(too_many_rows()));
        }
        let (row, bytes) = statement
            .row(room)
            .ok_or_else(|| Halt::Error(too_many_rows()))?;
        room -= bytes;
        rows.push(row);
    }
    Ok(SqlRows {
        columns: statement.columns().to_vec(),
        rows,
    })
}
