//! Making, altering and removing tables.

use crate::{Actor, App};
use atlashub_core::{Error, ProjectId, Result};
use atlashub_data::project::schema::{NewTable, TableChange};
use serde_json::{Value, json};

impl App {
    /// Makes a table.
    ///
    /// # Errors
    /// `invalid_schema`, `table_exists`, `schema_busy`, the codes of SQL.
    pub async fn create_table(
        &self,
        actor: &Actor,
        project: ProjectId,
        table: &NewTable,
    ) -> Result<()> {
        let title = format!("create table {}", table.name);
        self.change_schema(
            actor,
            project,
            Step {
                title,
                action: "table.create",
                target: &table.name,
                details: json!({ "columns": table.columns.len() }),
            },
            self.databases().create_table(project, table),
        )
        .await
    }

    /// Makes changes to a table, all or none.
    ///
    /// # Errors
    /// `not_found`, `invalid_schema`, `column_in_use`, `schema_busy`, the
    /// codes of SQL.
    pub async fn alter_table(
        &self,
        actor: &Actor,
        project: ProjectId,
        table: &str,
        changes: &[TableChange],
    ) -> Result<()> {
        let title = format!("alter table {table}");
        self.change_schema(
            actor,
            project,
            Step {
                title,
                action: "table.alter",
                target: table,
                details: json!({ "changes": changes.len() }),
            },
            self.databases().alter_table(project, table, changes),
        )
        .await
    }

    /// Removes a table with its rows, once its name was said again.
    ///
    /// # Errors
    /// `confirmation_needed`, `not_found`, `table_in_use`, `schema_busy`.
    pub async fn drop_table(
        &self,
        actor: &Actor,
        project: ProjectId,
        table: &str,
        confirm: Option<&str>,
    ) -> Result<()> {
        if confirm != Some(table) {
            return Err(Error::invalid(
                "confirmation_needed",
                "say the table's name again as `confirm`: its rows go with it",
            ));
        }
        let title = format!("drop table {table}");
        self.change_schema(
            actor,
            project,
            Step {
                title,
                action: "table.drop",
                target: table,
                details: json!({}),
            },
            self.databases().drop_table(project, table),
        )
        .await
    }

    /// Writes a change of tables down around `work`, which makes it.
    pub(crate) async fn change_schema(
        &self,
        actor: &Actor,
        project: ProjectId,
        step: Step<'_>,
        work: impl Future<Output = Result<Vec<String>>>,
    ) -> Result<()> {
        let migrations = self.platform().project_migrations();
        let number = migrations
            .begin(project, &step.title, &actor.name())
            .await?;
        let statements = match work.await {
            Ok(statements) => statements,
            Err(error) => {
                migrations.forget(project, number).await?;
                return Err(error);
            }
        };
        self.complete_change(actor, project, number, step, &statements)
            .await
    }

    /// Completes a change of tables that was begun as `number`.
    pub(crate) async fn complete_change(
        &self,
        actor: &Actor,
        project: ProjectId,
        number: i64,
        step: Step<'_>,
        statements: &[String],
    ) -> Result<()> {
        let sql = format!("{};\n", statements.join(";\n"));
        let unit = self.platform().begin().await?;
        unit.project_migrations()
            .complete(project, number, &sql)
            .await?;
        let mut details = step.details;
        if let Value::Object(details) = &mut details {
            details.insert("migration".to_owned(), json!(number));
        }
        unit.audit()
            .append(actor.did(step.action, Some(project), step.target.to_owned(), details))
            .await?;
        unit.commit().await
    }
}

/// A change of tables in words.
pub(crate) struct Step<'a> {
    /// What it does.
    pub(crate) title: String,
    /// For the audit.
    pub(crate) action: &'static str,
    /// To which table.
    pub(crate) target: &'a str,
    /// What else the audit should know.
    pub(crate) details: Value,
}
