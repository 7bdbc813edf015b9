//! Statements that an admin writes by hand, with the rights of the owner of
//! the project's tables and no others.
//!
//! The walls are the database's own: a login role of the project on Postgres,
//! a connection with one file and an authorizer on SQLite; a transaction that
//! only reads, or one whose end is the host's. The connection is not used
//! again.

use super::advice::advise;
use crate::project::{Engine, ProjectDatabases, check_call, text};
use atlashub_core::{
    Error, ProjectId, Result,
    capability::{
        database::Database as _,
        sql::{MAX_ROWS, SqlValue},
    },
};
use std::time::Duration;

/// Longest time that a statement may be given.
const MAX_TIME: Duration = Duration::from_secs(60);

/// A statement as an admin wrote it.
#[derive(Clone, Debug)]
pub struct EditorStatement {
    /// The one statement.
    pub sql: String,
    /// Values of its parameters `$1`, `$2`, ….
    pub values: Vec<SqlValue>,
    /// Whether it may write and change tables.
    pub write: bool,
    /// Whether only its plan is asked for.
    pub explain: bool,
    /// How long it may run.
    pub time: Duration,
    /// How many rows are taken of what it returns.
    pub max_rows: usize,
    /// The mark of the change of tables that it may be.
    pub mark: Option<String>,
}

impl EditorStatement {
    /// The statement as a change of tables is kept.
    #[must_use]
    pub fn script(&self) -> String {
        let text = self.sql.trim().trim_end_matches(';').trim_end();
        format!("{text};\n")
    }
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EditorResult {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Rows, as many as were to be taken.
    pub rows: Vec<Vec<SqlValue>>,
    /// Rows that were taken, or that were changed.
    pub row_count: u64,
    /// Whether there would be more rows.
    pub truncated: bool,
    /// Whether it may have changed tables.
    pub changed_tables: bool,
}

/// What statements begin with that change or read rows, and no tables by
/// themselves.
const ON_ROWS: &[&str] = &[
    "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "VALUES", "WITH", "TABLE",
    "EXPLAIN", "SHOW", "LOCK", "PRAGMA",
];

impl ProjectDatabases {
    /// Whether a statement begins like one that may change tables.
    #[must_use]
    pub fn may_change_tables(&self, sql: &str) -> bool {
        !ON_ROWS.contains(&text::first_word(sql).as_str())
    }

    /// Runs one statement. When this future is dropped the statement is
    /// stopped, and has changed nothing.
    ///
    /// # Errors
    /// The codes of `capability::sql`; a `hint` says what to change, where
    /// that can be told.
    pub async fn run_statement(
        &self,
        project: ProjectId,
        statement: EditorStatement,
    ) -> Result<EditorResult> {
        check_call(&statement.sql, &statement.values)?;
        if statement.explain && statement.write {
            return Err(Error::invalid(
                "invalid_statement",
                "a plan is asked for in the mode `read`",
            ));
        }
        let statement = EditorStatement {
            time: statement.time.min(MAX_TIME),
            max_rows: statement.max_rows.clamp(1, MAX_ROWS),
            ..statement
        };
        let (write, sql) = (statement.write, statement.sql.clone());
        let result = match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.run_statement(self.at(project), statement).await,
            Engine::Postgres(postgres) => postgres.run_statement(self.at(project), statement).await,
        };
        if write {
            self.tables_changed(project);
        }
        result.map_err(|error| advise(error, &sql, self.dialect()))
    }
}
