//! Whether a change of tables was made. The change itself is in the project's
//! database, the record of it in the platform's: a crash between the two must
//! not leave them apart. So a change notes its mark within the transaction
//! that makes it. Whoever finds a record that was never completed asks here:
//! either the note is there, with what was done, or one is put there that
//! says that it was not, and from then on it cannot be any more.

use crate::project::{Engine, ProjectDatabases};
use atlashub_core::{Error, ProjectId, Result};

impl ProjectDatabases {
    /// Decides what became of a change: its statements when it was made.
    /// When it was not, it never will be.
    ///
    /// # Errors
    /// When the project's database cannot.
    pub async fn settle_change(&self, project: ProjectId, mark: &str) -> Result<Option<String>> {
        let settled = match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.settle_change(self.at(project), mark).await,
            Engine::Postgres(postgres) => postgres.settle_change(self.at(project), mark).await,
        }?;
        if settled.is_some() {
            self.tables_changed(project);
        }
        Ok(settled)
    }

    /// Forgets what became of a change whose record is complete.
    ///
    /// # Errors
    /// When the project's database cannot.
    pub async fn forget_change(&self, project: ProjectId, mark: &str) -> Result<()> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.forget_change(self.at(project), mark).await,
            Engine::Postgres(postgres) => postgres.forget_change(self.at(project), mark).await,
        }
    }
}

/// Statements as one text.
#[must_use]
pub fn script(statements: &[String]) -> String {
    format!("{};\n", statements.join(";\n"))
}

/// The error for a change that was declared not to have been made before it
/// came to its end; others stay as they are.
pub(in crate::project) fn given_up(error: Error) -> Error {
    if error.code() != "sql_constraint_unique" {
        return error;
    }
    Error::conflict(
        "schema_change_given_up",
        "the change took too long and was given up: nothing has changed, try again",
    )
}
