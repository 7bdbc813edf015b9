//! Definitions of a project's tables: read whole, tried, and made, as plugins
//! with the grant `database:define` ask for it. What makes tables is what
//! makes them for admins.

use crate::project::{
    Engine, ProjectDatabases,
    schema::{
        LeftOut, NewTable, ProjectDefinitions, TableDefinition, create_all_on_postgres,
        create_on_sqlite,
    },
};
use atlashub_core::{Error, ProjectId, Result};
use std::collections::HashSet;

/// Most tables that are made or told at once.
const MAX_TABLES: usize = 2_000;

impl ProjectDatabases {
    /// The definitions of a project's tables, by name.
    ///
    /// # Errors
    /// `too_many_tables`, the codes of `capability::sql`.
    pub async fn definitions(&self, project: ProjectId) -> Result<ProjectDefinitions> {
        let found = match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.definitions(self.at(project)).await,
            Engine::Postgres(postgres) => postgres.definitions(self.at(project)).await,
        }?;
        check_count(found.tables.len())?;
        Ok(found)
    }

    /// Tries to make tables with their policies; answers what of them cannot
    /// be made here, and changes nothing.
    ///
    /// # Errors
    /// `too_many_tables`, `table_exists`, the codes of `capability::sql`.
    pub async fn try_tables(
        &self,
        project: ProjectId,
        definitions: Vec<TableDefinition>,
    ) -> Result<Vec<LeftOut>> {
        check_count(definitions.len())?;
        let names = definitions.iter().map(|own| own.table.name.as_str());
        self.check_all_free(project, names).await?;
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.try_tables(self.at(project), definitions).await,
            Engine::Postgres(postgres) => {
                let project = self.at(project);
                postgres.try_tables(project, &definitions).await
            }
        }
    }

    /// Makes tables that may refer to each other, all or none; answers the
    /// statements that did. `mark` tells the change from every other.
    ///
    /// # Errors
    /// `too_many_tables`, `invalid_schema`, `table_exists`, the codes of
    /// `capability::sql`.
    pub async fn create_tables(
        &self,
        project: ProjectId,
        tables: &[NewTable],
        mark: &str,
    ) -> Result<Vec<String>> {
        check_count(tables.len())?;
        let statements = match &*self.engine {
            Engine::Sqlite(_) => {
                let mut statements = Vec::new();
                for table in tables {
                    statements.extend(create_on_sqlite(table)?);
                }
                statements
            }
            Engine::Postgres(_) => create_all_on_postgres(tables)?,
        };
        let names = tables.iter().map(|own| own.name.as_str());
        self.check_all_free(project, names).await?;
        self.make_changes(project, &statements, Some(mark)).await?;
        Ok(statements)
    }

    async fn check_all_free(
        &self,
        project: ProjectId,
        names: impl Iterator<Item = &str>,
    ) -> Result<()> {
        let mut seen = HashSet::new();
        for name in names {
            self.check_free(project, name).await?;
            if !seen.insert(name.to_lowercase()) {
                return Err(Error::invalid(
                    "invalid_schema",
                    format!("the table `{name}` is named twice"),
                ));
            }
        }
        Ok(())
    }
}

fn check_count(count: usize) -> Result<()> {
    if count <= MAX_TABLES {
        return Ok(());
    }
    Err(Error::invalid(
        "too_many_tables",
        format!("{MAX_TABLES} tables are told or made at once, at most"),
    ))
}
