//! Removing a plugin from a project.

use super::Plugins;
use crate::{Actor, directory::ProjectEntry};
use atlashub_core::{Error, PluginName, Result, capability::PluginScope};
use atlashub_storage::PathPrefix;
use serde_json::json;
use std::sync::Arc;

impl Plugins {
    /// Removes an installation. With `delete_data` also its tables, values
    /// and objects; otherwise they are there again after the next install.
    ///
    /// # Errors
    /// 404 when it is not installed.
    pub async fn remove(
        &self,
        entry: &Arc<ProjectEntry>,
        plugin: &PluginName,
        delete_data: bool,
        actor: &Actor,
    ) -> Result<()> {
        let routes = self.directory.routes(entry).await?;
        if let Some(Ok(live)) = routes.plugin(plugin).map(|installed| installed.live())
            && let Err(error) = live.deactivate("remove").await
        {
            tracing::warn!(%error, %plugin, "the lifecycle hook failed");
        }
        let unit = self.platform.begin().await?;
        let installations = unit.installations();
        let by = actor.name();
        if !installations.delete(entry.id, plugin, None, &by).await? {
            return Err(Error::not_found(format!("plugin `{plugin}`")));
        }
        let scope = PluginScope {
            project: entry.id,
            plugin: plugin.clone(),
        };
        if delete_data {
            unit.schedules().remove_all(&scope).await?;
        } else {
            unit.schedules().plugin_is_off(&scope).await?;
        }
        let details = json!({ "data_deleted": delete_data });
        let did = actor.did("plugin.remove", Some(entry.id), plugin.to_string(), details);
        unit.audit().append(did).await?;
        unit.commit().await?;
        self.directory.bring_up(entry, None).await?;
        self.platform.queue().remove_open(entry.id, plugin).await?;
        if delete_data {
            self.delete_data(&scope).await?;
        }
        Ok(())
    }

    async fn delete_data(&self, scope: &PluginScope) -> Result<()> {
        self.databases.drop_plugin(scope).await?;
        self.platform.kv().delete_all(scope).await?;
        for bucket in self.platform.buckets().list(scope.project).await? {
            let prefix = PathPrefix::plugin(scope.project, &bucket.name, &scope.plugin);
            let size = self.size_of(&prefix).await?;
            self.storage.delete_all(&prefix).await?;
            self.platform.usage().give_back(scope.project, size).await?;
        }
        Ok(())
    }

    /// The bytes of all objects below `prefix`.
    async fn size_of(&self, prefix: &PathPrefix) -> Result<u64> {
        let (mut size, mut after) = (0_u64, None);
        loop {
            let page = self
                .storage
                .list(prefix, "", after.as_deref(), 1_000)
                .await?;
            size += page
                .entries
                .iter()
                .map(|entry| entry.meta.size)
                .sum::<u64>();
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(size),
            }
        }
    }
}
