//! Plugins that come inside the host, and what is made ready at start.

use super::{Plugins, UploadPlugin};
use atlashub_core::{Digest, Error, Result, component_file};
use bytes::Bytes;
use std::collections::HashSet;

impl Plugins {
    /// Puts the plugins that came with this binary into the catalogue. What
    /// is there already costs a lookup.
    ///
    /// # Errors
    /// When one is not a valid plugin, or cannot be kept.
    pub async fn add_builtin(&self, components: Vec<Bytes>) -> Result<()> {
        for component in components {
            let digest = Digest::of(&component);
            if let Some(manifest) = component_file::read_manifest(&component)? {
                let revisions = self.platform.revisions();
                if revisions
                    .find_by_digest(&manifest.name, &digest)
                    .await?
                    .is_some()
                {
                    continue;
                }
            }
            let upload = UploadPlugin {
                component,
                manifest: None,
                name: None,
                builtin: true,
            };
            let added = self.upload(upload).await.map_err(too_large)?.revision;
            tracing::info!(plugin = %added.plugin, version = %added.manifest.version, "built-in plugin added");
        }
        Ok(())
    }

    /// Loads the code of all revisions that some project has switched on, so
    /// that their first requests wait for nothing.
    ///
    /// # Errors
    /// When the database cannot; code that cannot be loaded is logged.
    pub async fn load_code_in_use(&self) -> Result<()> {
        let installations = self.platform.installations().load_enabled().await?;
        let ids: HashSet<_> = installations
            .iter()
            .map(|installation| installation.state.revision)
            .collect();
        let ids: Vec<_> = ids.into_iter().collect();
        for revision in self.platform.revisions().find_many(&ids).await? {
            if let Err(error) = self.code.load(&revision.digest).await {
                tracing::error!(%error, plugin = %revision.plugin, "a revision in use cannot be loaded");
            }
        }
        Ok(())
    }
}

/// Names the setting that keeps a built-in plugin out: nobody uploaded it.
fn too_large(error: Error) -> Error {
    if error.code() != "component_too_large" {
        return error;
    }
    Error::invalid(
        "component_too_large",
        "a built-in plugin is larger than ATLASHUB_MAX_COMPONENT_BYTES allows: raise it",
    )
    .with_source(error)
}
