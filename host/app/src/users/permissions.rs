//! What the plugins of a project declare that its users may do. Roles are
//! made of these; a role may also name what a plugin declares that is not
//! there yet, which is shown, and gives nothing until then.

use crate::{App, directory::RouteTable};
use atlashub_core::{
    BuiltInRole, Error, PluginName, ProjectId, Result,
    permission::{self, MAX_ACTION_BYTES},
};
use std::{collections::BTreeSet, sync::Arc};

/// Most permissions of a role.
const MAX_PERMISSIONS: usize = 500;

/// A permission that a plugin of the project declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermissionView {
    /// `<plugin>:<action>`.
    pub permission: String,
    /// The plugin.
    pub plugin: PluginName,
    /// What it allows.
    pub title: String,
    /// Built-in roles that hold it.
    pub roles: Vec<BuiltInRole>,
    /// Whether the plugin is switched on.
    pub enabled: bool,
}

impl App {
    /// What the plugins of a project declare, by name.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn permissions(&self, project: ProjectId) -> Result<Vec<PermissionView>> {
        let routes = self.route_table(project).await?;
        let mut views: Vec<_> = routes
            .plugins()
            .flat_map(|installed| {
                let manifest = &installed.revision.manifest;
                let enabled = installed.installation.state.enabled;
                manifest
                    .permissions
                    .iter()
                    .map(move |declared| PermissionView {
                        permission: format!("{}:{}", manifest.name, declared.action),
                        plugin: manifest.name.clone(),
                        title: declared.title.clone(),
                        roles: BuiltInRole::ALL
                            .into_iter()
                            .filter(|role| declared.is_held_by(*role))
                            .collect(),
                        enabled,
                    })
            })
            .collect();
        views.sort_by(|left, right| left.permission.cmp(&right.permission));
        Ok(views)
    }

    pub(super) async fn route_table(&self, project: ProjectId) -> Result<Arc<RouteTable>> {
        let entry = self.entry(project).await?;
        self.directory().routes(&entry).await
    }
}

/// Checks what a role shall hold. What it `held` before may stay, though the
/// plugin no longer declares it.
///
/// # Errors
/// `invalid_permission`; `unknown_permission` for what an installed plugin
/// does not declare.
pub(super) fn check(
    wanted: &BTreeSet<String>,
    held: &BTreeSet<String>,
    routes: &RouteTable,
) -> Result<()> {
    let sound = wanted.iter().all(|text| permission::parse(text).is_some());
    if wanted.len() > MAX_PERMISSIONS || !sound {
        return Err(Error::invalid(
            "invalid_permission",
            format!(
                "a role has at most {MAX_PERMISSIONS} permissions, each `<plugin>:<action>` or `<plugin>:*`"
            ),
        ));
    }
    for text in wanted.difference(held) {
        let Some((plugin, action)) = permission::parse(text) else {
            continue;
        };
        if let Some(installed) = routes.plugin(&plugin)
            && action != "*"
            && installed.revision.manifest.permission(action).is_none()
        {
            let shown: String = action.chars().take(MAX_ACTION_BYTES).collect();
            return Err(Error::invalid(
                "unknown_permission",
                format!("the plugin `{plugin}` declares no permission `{plugin}:{shown}`"),
            ));
        }
    }
    Ok(())
}

/// Those of `held` that no installed plugin declares.
pub(super) fn undeclared(held: &BTreeSet<String>, routes: &RouteTable) -> BTreeSet<String> {
    let is_declared = |text: &str| match permission::parse(text) {
        Some((plugin, "*")) => routes
            .plugin(&plugin)
            .is_some_and(|installed| !installed.revision.manifest.permissions.is_empty()),
        _ => routes.permission(text).is_some(),
    };
    held.iter()
        .filter(|text| !is_declared(text))
        .cloned()
        .collect()
}
