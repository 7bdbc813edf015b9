//! Databases of projects.

use super::{
    EngineMover, Journal,
    plan::{Plan, PlannedPlugin, PlannedProject},
};
use atlashub_core::{ProjectId, Result};
use atlashub_data::project::moving::{MovedTable, PUBLIC};
use serde_json::{Value, json};

/// A step of a project's database.
pub(super) fn step(location: ProjectId, schema: &str, what: &str) -> String {
    format!("project/{location}/{schema}/{what}")
}

impl EngineMover {
    /// Makes a project's database and copies its rows; how many.
    pub(super) async fn move_database(
        &self,
        project: &PlannedProject,
        journal: &mut Journal,
    ) -> Result<u64> {
        let location = project.location;
        // Again is fine, and gives roles their passwords back.
        self.target.databases.provision(location).await?;
        let mut count = self.move_public(project, journal).await?;
        for plugin in &project.plugins {
            count += self.move_plugin(project, plugin, journal).await?;
        }
        let analyzed = format!("project/{location}/analyzed");
        if journal.done(&analyzed).is_none() {
            self.target.databases.analyze(location).await?;
            journal.note(&analyzed, true, json!({})).await?;
        }
        Ok(count)
    }

    async fn move_public(&self, project: &PlannedProject, journal: &mut Journal) -> Result<u64> {
        let location = project.location;
        let (made, finished) = (
            step(location, PUBLIC, "made"),
            step(location, PUBLIC, "finished"),
        );
        // What was being finished may be there by half: all begins anew.
        if journal.begun(&finished).is_some() && journal.done(&finished).is_none() {
            journal.forget(&step(location, PUBLIC, "")).await?;
        }
        if journal.done(&made).is_none() {
            self.target
                .databases
                .make_public(location, &project.public)
                .await?;
            journal.note(&made, true, json!({})).await?;
        }
        let mut count = 0;
        for table in &project.public.tables {
            count += self.move_table(project, PUBLIC, table, journal).await?;
        }
        if journal.done(&finished).is_none() {
            journal.note(&finished, false, json!({})).await?;
            self.target
                .databases
                .finish_public(location, &project.public)
                .await?;
            journal.note(&finished, true, json!({})).await?;
        }
        Ok(count)
    }

    async fn move_plugin(
        &self,
        project: &PlannedProject,
        plugin: &PlannedPlugin,
        journal: &mut Journal,
    ) -> Result<u64> {
        let schema = plugin.scope.plugin.schema();
        let made = step(project.location, &schema, "made");
        self.target
            .databases
            .provision_plugin(&plugin.scope)
            .await?;
        if journal.done(&made).is_none() {
            self.target.databases.drop_plugin(&plugin.scope).await?;
            self.target
                .databases
                .provision_plugin(&plugin.scope)
                .await?;
            self.target
                .databases
                .migrate_plugin(&plugin.scope, &plugin.manifest.migrations)
                .await?;
            let found = self
                .target
                .databases
                .match_plugin(&plugin.scope, &plugin.tables)
                .await?;
            let order: Vec<&str> = found.both.iter().map(|table| table.name.as_str()).collect();
            let details = json!({ "order": order, "derived": found.derived });
            if !found.derived.is_empty() {
                self.tell(format!(
                    "{}: {} fills these itself: {}",
                    project.slug,
                    plugin.scope.plugin,
                    found.derived.join(", ")
                ));
            }
            journal.note(&made, true, details).await?;
        }
        let mut count = 0;
        for table in ordered(plugin, journal.done(&made)) {
            count += self.move_table(project, &schema, table, journal).await?;
        }
        Ok(count)
    }

    async fn move_table(
        &self,
        project: &PlannedProject,
        schema: &str,
        table: &MovedTable,
        journal: &mut Journal,
    ) -> Result<u64> {
        let name = step(project.location, schema, &format!("rows/{}", table.name));
        if let Some(details) = journal.done(&name) {
            return Ok(details.get("rows").and_then(Value::as_u64).unwrap_or(0));
        }
        let shown = format!("{}: {schema}.{}", project.slug, table.name);
        let pace = self.pace(shown.clone(), "rows");
        let count = self
            .target
            .databases
            .take_rows(
                &self.source.databases,
                project.location,
                schema,
                table,
                &pace,
            )
            .await?;
        journal.note(&name, true, json!({ "rows": count })).await?;
        if count > 0 {
            self.tell(format!("{shown}: {count} rows"));
        }
        Ok(count)
    }

    /// Lets plugins do what their manifests want done.
    pub(super) async fn after_move(&self, plan: &Plan, journal: &mut Journal) -> Result<()> {
        for project in &plan.projects {
            for plugin in &project.plugins {
                let Some(sql) = &plugin.manifest.after_move else {
                    continue;
                };
                let name = format!("after/{}/{}", project.location, plugin.scope.plugin);
                if journal.done(&name).is_none() {
                    self.target.databases.after_move(&plugin.scope, sql).await?;
                    journal.note(&name, true, json!({})).await?;
                }
            }
        }
        Ok(())
    }
}

/// The tables of a plugin whose rows are moved, as the journal orders them.
pub(super) fn ordered<'a>(plugin: &'a PlannedPlugin, made: Option<&Value>) -> Vec<&'a MovedTable> {
    let order = made
        .and_then(|details| details.get("order")?.as_array())
        .into_iter()
        .flatten();
    order
        .filter_map(Value::as_str)
        .filter_map(|name| plugin.tables.iter().find(|table| table.name == name))
        .collect()
}
