//! Connections of callers whom row policies bind: when their views and
//! triggers are made anew, and how their statements are prepared.
//!
//! **Invariant:** a statement only runs on tables and policies that its
//! connection has looked at. SQLite counts changes of tables in the file
//! ([`store`](super::store) makes a change of policies one). The count is
//! compared after a statement was prepared, or after its transaction began;
//! later SQLite itself compares it at each run, and the closed gate keeps it
//! from going on with another.

use super::{
    rules::{Gate, RESERVED, Rules},
    set::{self, Policies},
};
use crate::project::{
    Options, denied,
    pool::Side,
    sqlite::{
        connection::{Connection, Mode, stale},
        error::Failure,
        policy::Author,
        statement::Statement,
    },
    text,
};
use atlashub_core::{Error, Result};
use rusqlite::config::DbConfig;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// How often tables may change while one statement waits for them.
const TRIES: usize = 8;

/// What a bound caller's connection has beside the others.
pub(in crate::project::sqlite) struct Bound {
    /// The count of changes at which the views and triggers were made.
    seen: Option<i64>,
    /// Where statements that write are prepared first, without foreign keys
    /// and the admin's triggers.
    checker: Option<Box<Connection>>,
    path: PathBuf,
    options: Arc<Options>,
    writes: bool,
}

impl Connection {
    /// Opens the file for bound callers.
    pub(in crate::project::sqlite) fn open_bound(
        path: &Path,
        mode: Mode,
        options: &Arc<Options>,
    ) -> Result<Self, Failure> {
        let author = Author::Public(Box::new(Rules::new(Side::Bound)));
        let mut connection = Self::open(path, "public", author, mode, options)?;
        connection.bound = Some(Box::new(Bound {
            seen: None,
            checker: None,
            path: path.to_owned(),
            options: Arc::clone(options),
            writes: mode != Mode::Read,
        }));
        connection.serve(None);
        Ok(connection)
    }

    /// Opens the file to prepare statements that are never run.
    pub(super) fn open_checker(path: &Path, options: &Arc<Options>) -> Result<Self> {
        let open = || {
            let connection = Self::open_bound(path, Mode::Read, options)?;
            for config in [
                DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY,
                DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER,
            ] {
                connection.inner().set_db_config(config, false)?;
            }
            Ok(connection)
        };
        open().map_err(Failure::into_error)
    }

    fn rules(&self) -> Option<&Rules> {
        self.policy.public()
    }

    fn open_gate(&self, gate: Gate) {
        if let Some(rules) = self.rules() {
            rules.open(gate);
        }
    }

    /// Whether a statement can be prepared at once.
    pub(in crate::project::sqlite) fn knows_tables(&self) -> bool {
        self.bound.as_ref().is_none_or(|bound| bound.seen.is_some())
    }

    /// Looks at tables and policies anew before the next statement.
    pub(in crate::project::sqlite) fn look_again(&mut self) {
        if let Some(bound) = &mut self.bound {
            bound.seen = None;
        }
    }

    /// The file's count of changes of tables.
    fn count(&mut self) -> Result<i64> {
        self.as_host(|connection| {
            connection
                .inner()
                .prepare_cached("PRAGMA public.schema_version")?
                .query_row([], |row| row.get(0))
        })
    }

    /// Makes views and triggers, if the connection has none or older ones.
    /// Outside of a transaction.
    pub(in crate::project::sqlite) fn look_at_tables(&mut self) -> Result<()> {
        if self.knows_tables() {
            return Ok(());
        }
        self.make_set(None)
    }

    /// Makes views and triggers for the stored policies, or for `others`.
    pub(super) fn make_set(&mut self, others: Option<&Policies>) -> Result<()> {
        self.forget_statements();
        let key = set::key()?;
        let read_only = self.bound.as_ref().is_some_and(|bound| !bound.writes);
        self.host("PRAGMA query_only = 0; BEGIN")?;
        let made = self.make_set_within(others, &key);
        let ended = self.host(if made.is_ok() { "COMMIT" } else { "ROLLBACK" });
        if read_only {
            self.host("PRAGMA query_only = 1")?;
        }
        let seen = made?;
        ended?;
        if let Some(bound) = &mut self.bound {
            bound.seen = Some(seen);
        }
        Ok(())
    }

    fn make_set_within(&mut self, others: Option<&Policies>, key: &str) -> Result<i64> {
        let seen = self.count()?;
        let stored = match others {
            Some(_) => Vec::new(),
            None => self.as_host(|connection| set::stored(connection.inner()))?,
        };
        let stored = set::grouped(stored)?;
        let policies = others.unwrap_or(&stored);
        let known = self.as_host(|connection| set::build(connection.inner(), policies, key))?;
        if let Some(rules) = self.rules() {
            rules.learn(known);
        }
        Ok(seen)
    }

    /// Prepares a statement as its author may have it.
    pub(in crate::project::sqlite) fn prepare_allowed(&mut self, sql: &str) -> Result<Statement> {
        match &self.bound {
            None => self.prepare_only(sql, true),
            Some(bound) if bound.writes => self.prepare_checked(sql),
            Some(_) => self.prepare_strictly(sql),
        }
    }

    /// Prepares a statement of a bound caller, by the strict rules.
    pub(super) fn prepare_strictly(&mut self, sql: &str) -> Result<Statement> {
        check_words(sql)?;
        self.open_gate(Gate::Strict);
        let prepared = self.prepare_only(sql, true);
        self.open_gate(Gate::Closed);
        let statement = prepared?;
        if statement.explains() {
            return Err(denied("how a statement runs is not told here"));
        }
        self.still_seen()?;
        Ok(statement)
    }

    /// Prepares a statement of a bound caller that may write.
    fn prepare_checked(&mut self, sql: &str) -> Result<Statement> {
        let seen = self.bound.as_ref().and_then(|bound| bound.seen);
        let taken = self.bound.as_mut().and_then(|bound| bound.checker.take());
        let mut checker = match (taken, &self.bound) {
            (Some(checker), _) => checker,
            (None, Some(bound)) => Box::new(Self::open_checker(&bound.path, &bound.options)?),
            (None, None) => return Err(stale()),
        };
        if checker.bound.as_ref().and_then(|bound| bound.seen) != seen {
            checker.look_again();
        }
        let checked = checker
            .look_at_tables()
            .and_then(|()| checker.prepare_strictly(sql).map(drop));
        let agrees = checker.bound.as_ref().and_then(|bound| bound.seen) == seen;
        if let Some(bound) = &mut self.bound {
            bound.checker = Some(checker);
        }
        checked?;
        if !agrees {
            return Err(stale());
        }
        self.open_gate(Gate::Lenient);
        let prepared = self.prepare_only(sql, true);
        self.settle_gate();
        let statement = prepared?;
        self.still_seen()?;
        Ok(statement)
    }

    /// Refuses to go on when tables have changed since they were looked at.
    fn still_seen(&mut self) -> Result<()> {
        let seen = self.bound.as_ref().and_then(|bound| bound.seen);
        if seen == Some(self.count()?) {
            return Ok(());
        }
        self.look_again();
        Err(stale())
    }

    /// Whether tables have changed since they were looked at.
    pub(in crate::project::sqlite) fn has_changed(&mut self) -> bool {
        let seen = self.bound.as_ref().and_then(|bound| bound.seen);
        seen.is_some() && self.count().ok() != seen
    }

    /// Within a transaction that can write nothing is prepared again, since
    /// no table can change; but full-text tables prepare what they need.
    pub(in crate::project::sqlite) fn settle_gate(&self) {
        if let Some(bound) = &self.bound {
            self.open_gate(if bound.writes && self.in_transaction() {
                Gate::Lenient
            } else {
                Gate::Closed
            });
        }
    }

    /// Begins a transaction on tables and policies that were looked at.
    pub(in crate::project::sqlite) fn begin_bound(&mut self, begin: &str) -> Result<()> {
        for _ in 0..TRIES {
            self.look_at_tables()?;
            self.host(begin)?;
            match self.still_seen() {
                Ok(()) => {
                    self.settle_gate();
                    return Ok(());
                }
                Err(error) => {
                    self.host("ROLLBACK")?;
                    if !crate::project::sqlite::connection::is_stale(&error) {
                        return Err(error);
                    }
                }
            }
        }
        Err(changing())
    }
}

/// The error for tables that do not come to rest.
pub(in crate::project::sqlite) fn changing() -> Error {
    crate::project::busy("the tables are being changed")
}

/// Runs a read again while tables change under it.
pub(in crate::project::sqlite) fn until_seen<T>(
    mut read: impl FnMut() -> Option<Result<T>>,
) -> Result<T> {
    for _ in 0..TRIES {
        if let Some(result) = read() {
            return result;
        }
    }
    Err(changing())
}

/// Refuses what the authorizer cannot see: names like those of the views and
/// triggers, and the conflict clause that removes rows without a trigger.
fn check_words(sql: &str) -> Result<()> {
    for (word, calls) in text::runs(sql) {
        let contains = word
            .as_bytes()
            .windows(RESERVED.len())
            .any(|part| part.eq_ignore_ascii_case(RESERVED.as_bytes()));
        if contains {
            return Err(denied(format!(
                "names with `{RESERVED}` in them are the host's"
            )));
        }
        if word.eq_ignore_ascii_case("replace") && !calls {
            return Err(denied(
                "REPLACE is not offered: write ON CONFLICT (…) DO UPDATE",
            ));
        }
    }
    Ok(())
}
