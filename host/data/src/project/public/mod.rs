//! The project's own tables, in its schema `public`: connections with the
//! rights of a caller, row policies, and what the tables look like.
//!
//! On both engines the database enforces the policies. On Postgres they are
//! row-level security for the login role of bound callers; on SQLite they
//! are temporary views and triggers of their connections, and an authorizer
//! that leaves no other road. Which tables there are is an admin's business:
//! [`ProjectDatabases::change_tables`] is the one way to change them.

mod advice;
mod audience;
mod changes;
mod definitions;
mod editor;
mod policy;
mod tables;
mod versions;

pub(super) use audience::Described;
pub(super) use changes::given_up;
pub use changes::script;
pub use editor::{EditorResult, EditorStatement};
pub use policy::{Action, Expression, PolicyChange, RowPolicy};
pub use tables::{Check, Index, RowFilter, RowOrder, RowPage, RowsQuery, TableDetails};
pub(super) use tables::{Found, check_policies};
pub(super) use versions::Versions;

use super::{Engine, ProjectDatabases, check_call, denied, lines::Cell};
use async_trait::async_trait;
use atlashub_core::{
    Error, ErrorKind, ProjectId, Result,
    capability::{
        bulk::{RowReader, RowWriter},
        database::{Access, Database, Reach, Table, TableKind},
        sql::{Dialect, SqlRows, SqlTransaction, SqlValue},
    },
};
use std::{borrow::Cow, sync::Arc};

impl ProjectDatabases {
    /// Runs statements as the owner of the project's tables, in one
    /// transaction: all or none. What they made is brought under the row
    /// policies within it, so that nobody sees a table without.
    ///
    /// Each text is one statement. They are the admin's own words, checked
    /// by whoever calls this.
    ///
    /// # Errors
    /// The codes of `capability::sql`.
    pub async fn change_tables(&self, project: ProjectId, statements: &[String]) -> Result<()> {
        self.make_changes(project, statements, None).await
    }

    /// The same; a `mark` is noted with what was done.
    async fn make_changes(
        &self,
        project: ProjectId,
        statements: &[String],
        mark: Option<&str>,
    ) -> Result<()> {
        for statement in statements {
            check_call(statement, &[])?;
        }
        let result = match &*self.engine {
            Engine::Sqlite(sqlite) => {
                sqlite
                    .change_tables(self.at(project), statements, mark)
                    .await
            }
            Engine::Postgres(postgres) => {
                postgres
                    .change_tables(self.at(project), statements, mark)
                    .await
            }
        };
        self.tables_changed(project);
        result
    }

    /// Forgets what is known of a project's tables: they may have changed,
    /// here or on another node.
    pub fn tables_changed(&self, project: ProjectId) {
        self.versions.raise(project);
        if let Engine::Postgres(postgres) = &*self.engine {
            postgres.forget_plans(self.at(project));
        }
    }

    /// [`ProjectDatabases::tables_changed`] for every project.
    pub fn all_tables_changed(&self) {
        for project in self.versions.raise_all() {
            self.tables_changed(project);
        }
    }

    /// The row policies of a table, by name.
    ///
    /// # Errors
    /// `not_found` when there is no such table.
    pub async fn row_policies(&self, project: ProjectId, table: &str) -> Result<Vec<RowPolicy>> {
        self.check_table(project, table).await?;
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.row_policies(self.at(project), table).await,
            Engine::Postgres(postgres) => postgres.row_policies(self.at(project), table).await,
        }
    }

    /// Changes the row policies of a table; whether one was put that was not
    /// there. Nobody else changes them in between.
    ///
    /// # Errors
    /// `invalid_policy` with the name of the policy that the database does
    /// not take, `not_found` when there is no such table, or no such policy
    /// to remove.
    pub async fn change_row_policies(
        &self,
        project: ProjectId,
        table: &str,
        change: PolicyChange,
    ) -> Result<bool> {
        self.check_table(project, table).await?;
        let result = match &*self.engine {
            Engine::Sqlite(sqlite) => {
                sqlite
                    .change_row_policies(self.at(project), table, change)
                    .await
            }
            Engine::Postgres(postgres) => {
                postgres
                    .change_row_policies(self.at(project), table, change)
                    .await
            }
        };
        self.tables_changed(project);
        result
    }

    fn reaching<'a>(&self, access: &'a Access) -> Cow<'a, Access> {
        let project = self.at(access.project);
        if project == access.project {
            return Cow::Borrowed(access);
        }
        Cow::Owned(Access {
            project,
            ..access.clone()
        })
    }

    async fn check_table(&self, project: ProjectId, table: &str) -> Result<()> {
        let tables = self.describe(project).await?;
        if tables
            .iter()
            .any(|own| own.name == table && own.kind == TableKind::Table)
        {
            return Ok(());
        }
        Err(Error::not_found(format!("the table `{table}`")))
    }
}

#[async_trait]
impl Database for ProjectDatabases {
    fn dialect(&self) -> Dialect {
        match &*self.engine {
            Engine::Sqlite(_) => Dialect::Sqlite,
            Engine::Postgres(_) => Dialect::Postgres,
        }
    }

    fn schema_version(&self, project: ProjectId) -> u64 {
        self.versions.current(project)
    }

    async fn describe(&self, project: ProjectId) -> Result<Arc<Vec<Table>>> {
        if let Some(tables) = self.versions.tables(project) {
            return Ok(tables);
        }
        let version = self.versions.current(project);
        let described = match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.describe(self.at(project)).await?,
            Engine::Postgres(postgres) => postgres.describe(self.at(project)).await?,
        };
        let tables = Arc::new(described.into_tables());
        self.versions.keep(project, version, &tables);
        Ok(tables)
    }

    async fn query(
        &self,
        access: &Access,
        sql: &str,
        parameters: Vec<SqlValue>,
    ) -> Result<SqlRows> {
        check_call(sql, &parameters)?;
        match &*self.engine {
            Engine::Sqlite(sqlite) => {
                sqlite
                    .query_public(&self.reaching(access), sql, parameters)
                    .await
            }
            Engine::Postgres(postgres) => {
                postgres
                    .query_public(&self.reaching(access), sql, parameters)
                    .await
            }
        }
    }

    async fn execute(&self, access: &Access, sql: &str, parameters: Vec<SqlValue>) -> Result<u64> {
        check_call(sql, &parameters)?;
        match &*self.engine {
            Engine::Sqlite(sqlite) => {
                sqlite
                    .execute_public(&self.reaching(access), sql, parameters)
                    .await
            }
            Engine::Postgres(postgres) => {
                postgres
                    .execute_public(&self.reaching(access), sql, parameters)
                    .await
            }
        }
    }

    async fn read_rows(&self, access: &Access, sql: &str) -> Result<Box<dyn RowReader>> {
        check_call(sql, &[])?;
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.lines_out(&self.reaching(access), sql).await,
            Engine::Postgres(postgres) => postgres.lines_out(&self.reaching(access), sql).await,
        }
    }

    async fn write_rows(
        &self,
        access: &Access,
        table: &str,
        columns: &[String],
    ) -> Result<Box<dyn RowWriter>> {
        if !access.write {
            return Err(read_only());
        }
        if !matches!(access.reach, Reach::Everything) {
            return Err(denied("many rows at once are for who reaches every row"));
        }
        let tables = self.describe(access.project).await?;
        let found = tables.iter().find(|own| own.name == table);
        let found = found.filter(|own| own.kind == TableKind::Table);
        let found = found.ok_or_else(|| Error::not_found(format!("the table `{table}`")))?;
        let mut cells = Vec::with_capacity(columns.len());
        for name in columns {
            let column = found.columns.iter().find(|own| own.name == *name);
            let column = column
                .filter(|own| own.takes_rows())
                .ok_or_else(|| Error::not_found(format!("a column `{name}` that takes values")))?;
            cells.push((name.clone(), Cell::new(column.kind, &column.data_type)));
        }
        if cells.is_empty() {
            return Err(Error::not_found("a column that takes values"));
        }
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.lines_in(&self.reaching(access), table, &cells).await,
            Engine::Postgres(postgres) => {
                let project = self.reaching(access).project;
                postgres.lines_in(project, table, columns).await
            }
        }
    }

    async fn begin(&self, access: &Access) -> Result<Box<dyn SqlTransaction>> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.begin_public(&self.reaching(access)).await,
            Engine::Postgres(postgres) => postgres.begin_public(&self.reaching(access)).await,
        }
    }

    async fn was_committed(&self, access: &Access, name: &str) -> Result<Option<bool>> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.was_committed(access.project, name).await,
            Engine::Postgres(postgres) => postgres.was_committed(access.project, name).await,
        }
    }
}

/// The error for what names no transaction.
pub(super) fn no_transaction() -> Error {
    Error::invalid(
        "invalid_transaction",
        "that is not the name of a transaction",
    )
}

/// Whether a name begins like those that the host keeps for itself.
pub(super) fn is_reserved(name: &str) -> bool {
    super::sqlite::is_ours(name)
}

/// The error for a write by who may only read.
pub(super) fn read_only() -> Error {
    Error::new(
        ErrorKind::Forbidden,
        "sql_denied",
        "only reading is allowed here",
    )
}

/// The error for a row that policies forbid.
pub(super) fn forbidden(table: &str) -> Error {
    Error::new(
        ErrorKind::Forbidden,
        "sql_policy",
        format!("the row policies of `{table}` do not allow this row"),
    )
}

/// The error for a project whose database was not made.
pub(super) fn no_database(project: ProjectId) -> Error {
    Error::not_found(format!("the database of project {project}"))
}
