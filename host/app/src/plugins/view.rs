//! What an admin sees of the plugins of a project.

use super::{Plugins, config};
use crate::directory::{InstalledPlugin, ProjectEntry};
use atlashub_core::{Error, PluginName, Result};
use atlashub_data::platform::{Installation, Revision};
use atlashub_runtime::StatsSnapshot;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

/// How an installed plugin is doing on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Switched off.
    Disabled,
    /// Answering.
    Ok,
    /// Its last request failed, or some did; or what it was changed to could
    /// not be started, and what was there before goes on.
    Failing,
    /// Cut off for a while because it kept failing.
    CutOff,
    /// It could not be started.
    Unavailable,
}

/// An installed plugin.
#[derive(Clone, Debug)]
pub struct InstallationView {
    /// The installation.
    pub installation: Installation,
    /// Its revision.
    pub revision: Revision,
    /// Its configuration, with secret values hidden.
    pub config: Value,
    /// Where it is mounted: its routes, and then its static files.
    pub routes: Vec<String>,
    /// How it is doing.
    pub health: Health,
    /// Its last fault.
    pub last_error: Option<String>,
    /// What it did on this node.
    pub stats: StatsSnapshot,
}

impl Plugins {
    /// The plugins of a project, by name.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn installed(&self, entry: &Arc<ProjectEntry>) -> Result<Vec<InstallationView>> {
        let table = self.directory.routes(entry).await?;
        let mut views: Vec<InstallationView> = table
            .plugins()
            .map(|plugin| self.view(plugin))
            .collect::<Result<_>>()?;
        views.sort_by(|left, right| left.installation.plugin.cmp(&right.installation.plugin));
        Ok(views)
    }

    /// One plugin of a project.
    ///
    /// # Errors
    /// 404 when it is not installed.
    pub async fn installed_one(
        &self,
        entry: &Arc<ProjectEntry>,
        plugin: &PluginName,
    ) -> Result<InstallationView> {
        let table = self.directory.routes(entry).await?;
        let installed = table
            .plugin(plugin)
            .ok_or_else(|| Error::not_found(format!("plugin `{plugin}`")))?;
        self.view(installed)
    }

    fn view(&self, plugin: &InstalledPlugin) -> Result<InstallationView> {
        let installation = plugin.installation.clone();
        let revision = plugin.revision.clone();
        let schema = revision.manifest.config_schema.as_ref();
        let config = config::shown(schema, &config::open(&self.sealer, &installation)?);
        let routes = plugin.paths().into_iter().map(str::to_owned).collect();
        let live = plugin.live().ok();
        let last_error = plugin
            .failure()
            .or_else(|| live.and_then(|live| live.last_error()));
        let stats = live.map(|live| live.stats()).unwrap_or_default();
        let health = match live {
            _ if !installation.state.enabled => Health::Disabled,
            None => Health::Unavailable,
            Some(live) if live.is_cut_off() => Health::CutOff,
            Some(live) if live.is_failing() => Health::Failing,
            Some(_) if plugin.failure().is_some() => Health::Failing,
            Some(_) => Health::Ok,
        };
        Ok(InstallationView {
            installation,
            revision,
            config,
            routes,
            health,
            last_error,
            stats,
        })
    }
}
