//! Looking at tables and their rows.

use crate::App;
use atlashub_core::{
    ProjectId, Result,
    capability::database::{Database as _, Table},
};
use atlashub_data::project::public::{RowPage, RowsQuery, TableDetails};
use std::sync::Arc;

impl App {
    /// The tables and views of a project by name.
    ///
    /// # Errors
    /// When the project's database cannot.
    pub async fn tables(&self, project: ProjectId) -> Result<Arc<Vec<Table>>> {
        self.databases().describe(project).await
    }

    /// A table or view with all its parts.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn table_details(&self, project: ProjectId, table: &str) -> Result<TableDetails> {
        self.databases().table_details(project, table).await
    }

    /// A page of the rows of a table or view.
    ///
    /// # Errors
    /// `not_found`, `invalid_filter`, the codes of SQL.
    pub async fn table_rows(
        &self,
        project: ProjectId,
        table: &str,
        query: &RowsQuery,
    ) -> Result<RowPage> {
        self.databases().table_rows(project, table, query).await
    }
}
