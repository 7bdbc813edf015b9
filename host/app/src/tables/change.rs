//! Making, altering and removing tables.

use crate::{Actor, App};
use atlashub_core::{Error, PluginName, ProjectId, Result};
use atlashub_data::{
    platform::BegunMigration,
    project::{
        public::script,
        schema::{NewTable, TableChange},
    },
};
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
            Author::from(actor),
            project,
            Step {
                title,
                action: "table.create",
                target: &table.name,
                details: json!({ "columns": table.columns.len() }),
            },
            async |mark| self.databases().create_table(project, table, mark).await,
        )
        .await
    }

    /// Makes tables that may refer to each other, all or none.
    ///
    /// # Errors
    /// As [`App::create_table`], and `too_many_tables`.
    pub async fn create_tables<'a>(
        &self,
        author: impl Into<Author<'a>>,
        project: ProjectId,
        tables: &[NewTable],
    ) -> Result<()> {
        let [first, ..] = tables else { return Ok(()) };
        let title = match tables.len() {
            1 => format!("create table {}", first.name),
            count => format!("create {count} tables, {} among them", first.name),
        };
        // The audit names as many as fit.
        let names: Vec<&str> = tables
            .iter()
            .take(50)
            .map(|own| own.name.as_str())
            .collect();
        self.change_schema(
            author.into(),
            project,
            Step {
                title,
                action: "table.create",
                target: &first.name,
                details: json!({ "tables": names, "count": tables.len() }),
            },
            async |mark| self.databases().create_tables(project, tables, mark).await,
        )
        .await
    }

    /// Makes changes to a table, all or none.
    ///
    /// # Errors
    /// `not_found`, `invalid_schema`, `column_in_use`, `schema_busy`, the
    /// codes of SQL.
    pub async fn alter_table<'a>(
        &self,
        author: impl Into<Author<'a>>,
        project: ProjectId,
        table: &str,
        changes: &[TableChange],
    ) -> Result<()> {
        let title = format!("alter table {table}");
        self.change_schema(
            author.into(),
            project,
            Step {
                title,
                action: "table.alter",
                target: table,
                details: json!({ "changes": changes.len() }),
            },
            async |mark| {
                let databases = self.databases();
                databases.alter_table(project, table, changes, mark).await
            },
        )
        .await
    }

    /// Removes a table with its rows, once its name was said again.
    ///
    /// # Errors
    /// `confirmation_needed`, `not_found`, `table_in_use`, `schema_busy`.
    pub async fn drop_table<'a>(
        &self,
        author: impl Into<Author<'a>>,
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
            author.into(),
            project,
            Step {
                title,
                action: "table.drop",
                target: table,
                details: json!({}),
            },
            async |mark| self.databases().drop_table(project, table, mark).await,
        )
        .await
    }

    /// Writes a change of tables down around `work`, which makes it under the
    /// mark that it is given.
    pub(crate) async fn change_schema(
        &self,
        author: Author<'_>,
        project: ProjectId,
        mut step: Step<'_>,
        work: impl AsyncFnOnce(&str) -> Result<Vec<String>>,
    ) -> Result<()> {
        let actor = author.actor;
        if let Some(plugin) = author.plugin {
            step.title = format!("{} (plugin {plugin})", step.title);
        }
        author.sign(&mut step.details);
        let begun = self.begin_change(actor, project, &step.title).await?;
        let statements = match work(&begun.mark).await {
            Ok(statements) => statements,
            Err(error) => return Err(self.abandon_change(&begun, error).await),
        };
        self.complete_change(actor, &begun, step, &script(&statements))
            .await
    }

    /// Writes a change of tables down as begun, after those that were cut
    /// short.
    pub(crate) async fn begin_change(
        &self,
        actor: &Actor,
        project: ProjectId,
        title: &str,
    ) -> Result<BegunMigration> {
        self.settle_changes(Some(project)).await?;
        let migrations = self.platform().project_migrations();
        migrations.begin(project, title, &actor.name()).await
    }

    /// Forgets a change that the database refused, and passes the refusal on.
    /// After a failure nobody knows what became of it: that is settled later.
    pub(crate) async fn abandon_change(&self, begun: &BegunMigration, error: Error) -> Error {
        let is_certain = !error.kind().is_server_fault() || error.code() == "sql_busy";
        if !is_certain {
            return error;
        }
        let migrations = self.platform().project_migrations();
        match migrations.forget(begun.project, begun.number).await {
            Ok(()) => error,
            Err(failure) => failure,
        }
    }

    /// Completes a change of tables with the statements that made it.
    pub(crate) async fn complete_change(
        &self,
        actor: &Actor,
        begun: &BegunMigration,
        step: Step<'_>,
        sql: &str,
    ) -> Result<()> {
        let unit = self.platform().begin().await?;
        unit.project_migrations()
            .complete(begun.project, begun.number, sql)
            .await?;
        let mut details = step.details;
        if let Value::Object(details) = &mut details {
            details.insert("migration".to_owned(), json!(begun.number));
        }
        let target = step.target.to_owned();
        unit.audit()
            .append(actor.did(step.action, Some(begun.project), target, details))
            .await?;
        unit.commit().await?;
        self.forget_note(begun).await;
        Ok(())
    }
}

/// Who changes tables: somebody, or a plugin for somebody.
#[derive(Clone, Copy, Debug)]
pub struct Author<'a> {
    actor: &'a Actor,
    plugin: Option<&'a PluginName>,
}

impl<'a> From<&'a Actor> for Author<'a> {
    fn from(actor: &'a Actor) -> Self {
        Self {
            actor,
            plugin: None,
        }
    }
}

impl<'a> Author<'a> {
    pub(crate) const fn plugin(actor: &'a Actor, plugin: &'a PluginName) -> Self {
        Self {
            actor,
            plugin: Some(plugin),
        }
    }

    pub(crate) const fn actor(self) -> &'a Actor {
        self.actor
    }

    /// Names the plugin in what the audit is told.
    pub(crate) fn sign(self, details: &mut Value) {
        if let (Some(plugin), Value::Object(details)) = (self.plugin, details) {
            details.insert("by_plugin".to_owned(), json!(plugin));
        }
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
