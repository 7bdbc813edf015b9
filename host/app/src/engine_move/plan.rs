//! What is to be moved, and what Postgres has no word for.

use super::EngineMover;
use crate::projects::IN_THE_MAKING;
use atlashub_core::{PluginName, ProjectId, Result, capability::PluginScope, manifest::Manifest};
use atlashub_data::{
    platform::Project,
    project::moving::{MovedTable, PUBLIC, PublicPlan, Trouble},
};
use std::collections::BTreeSet;

/// All that is to be moved but for the platform's rows and objects.
pub(super) struct Plan {
    pub(super) projects: Vec<PlannedProject>,
}

/// A project that has a database.
pub(super) struct PlannedProject {
    pub(super) slug: String,
    /// The id that its data lies under, and will.
    pub(super) location: ProjectId,
    pub(super) public: PublicPlan,
    pub(super) plugins: Vec<PlannedPlugin>,
    /// What cannot be moved as it is.
    pub(super) troubles: Vec<Trouble>,
}

/// A plugin's tables in a project.
pub(super) struct PlannedPlugin {
    pub(super) scope: PluginScope,
    pub(super) manifest: Manifest,
    pub(super) tables: Vec<MovedTable>,
}

impl Plan {
    /// What has to be decided on before anything is moved, in words.
    pub(super) fn troubles(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for project in &self.projects {
            for trouble in project.public.troubles.iter().chain(&project.troubles) {
                let object = format!("{}:{}", project.slug, trouble.object);
                lines.push(if trouble.may_stay {
                    format!(
                        "{object}: {} (change it, or leave it behind with --leave-out '{object}')",
                        trouble.why
                    )
                } else {
                    format!("{object}: {}", trouble.why)
                });
            }
        }
        lines
    }
}

impl EngineMover {
    /// Looks through all projects, and tries on the target's server what is
    /// to be made there.
    pub(super) async fn plan(&self) -> Result<Plan> {
        let store = self.source.platform.projects();
        let mut all = store.load_all().await?;
        all.extend(store.deleted().await?);
        let mut seen = BTreeSet::new();
        let mut projects = Vec::new();
        for project in all {
            let settings = &project.settings;
            // What lies in these is another's, or nobody's yet.
            if settings.home_of().is_some() || settings.other.contains_key(IN_THE_MAKING) {
                continue;
            }
            let location = settings.location().unwrap_or(project.id);
            if seen.insert(location) && self.source.databases.is_there(location).await? {
                projects.push(self.plan_project(&project, location).await?);
            }
        }
        Ok(Plan { projects })
    }

    async fn plan_project(&self, project: &Project, location: ProjectId) -> Result<PlannedProject> {
        let slug = project.slug.to_string();
        let left = |object: &str| self.options.leave_out.contains(&format!("{slug}:{object}"));
        let mut public = self.source.databases.plan_public(location).await?;
        public.leave_out(left);
        self.target.databases.try_plan(&mut public).await?;
        let mut troubles = Vec::new();
        let mut plugins = Vec::new();
        for schema in self.source.databases.schemas_to_move(location).await? {
            if schema == PUBLIC {
                continue;
            }
            let object = format!("plugin:{schema}");
            if left(&object) {
                continue;
            }
            let plugin: PluginName = schema.replace('_', "-").parse()?;
            let Some(manifest) = self.manifest(project.id, &plugin).await? else {
                troubles.push(Trouble {
                    object,
                    why: "there are tables of a plugin of which no revision is known".to_owned(),
                    may_stay: true,
                });
                continue;
            };
            let tables = self
                .source
                .databases
                .plugin_tables(location, &schema)
                .await?;
            plugins.push(PlannedPlugin {
                scope: PluginScope {
                    project: location,
                    plugin,
                },
                manifest,
                tables,
            });
        }
        Ok(PlannedProject {
            slug,
            location,
            public,
            plugins,
            troubles,
        })
    }

    /// What the plugin says of itself as it is installed; the latest where it
    /// is not any more.
    async fn manifest(&self, project: ProjectId, plugin: &PluginName) -> Result<Option<Manifest>> {
        let platform = &self.source.platform;
        let found = match platform.installations().find(project, plugin).await? {
            Some(installed) => platform.revisions().find(installed.state.revision).await?,
            None => platform.revisions().latest(plugin).await?,
        };
        Ok(found.map(|revision| revision.manifest))
    }
}
