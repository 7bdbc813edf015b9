//! Plugins that come inside the host, and what is made ready at start.

use super::{Plugins, upload::Told};
use atlashub_core::{Digest, Error, Result, component_file};
use atlashub_runtime::ComponentInterface;
use bytes::Bytes;
use std::collections::HashSet;

/// A plugin that came with this binary. Its digest was taken when the binary
/// was built: a start that knows it already leaves its bytes on the disk.
#[derive(Clone, Debug)]
pub struct BuiltIn {
    /// What the plugin is called.
    pub name: &'static str,
    /// The component, with its manifest inside.
    pub component: Bytes,
    /// The digest of all of it.
    pub digest: Digest,
}

impl Plugins {
    /// Puts the plugins that came with this binary into the catalogue; answers
    /// the digests of all of them. What is there already, in the store too,
    /// costs a lookup, and
    /// nothing is compiled: a start waits for no compiler, and a small machine
    /// compiles what some project uses before anything else.
    ///
    /// # Errors
    /// When one is not a valid plugin, or cannot be kept.
    pub async fn add_builtin(&self, plugins: Vec<BuiltIn>) -> Result<Vec<Digest>> {
        let limit = self.code.runtime().max_component_bytes();
        let digests: Vec<Digest> = plugins.iter().map(|plugin| plugin.digest).collect();
        let known = self.platform.revisions().builtin_among(&digests).await?;
        for BuiltIn {
            name,
            component,
            digest,
        } in plugins
        {
            if component.len() > limit {
                return Err(too_large());
            }
            if known.contains(&digest) && self.code.is_kept(&digest, component.len()).await? {
                continue;
            }
            let manifest = component_file::read_manifest(&component)?.ok_or_else(|| {
                Error::internal(
                    "add a built-in plugin",
                    format!("{name} carries no manifest"),
                )
            })?;
            let described = component_file::describe(&component)?;
            if let Some(document) = &described.openapi {
                document.check(&manifest)?;
            }
            component_file::check_assets(&component, &manifest)?;
            let interface = ComponentInterface {
                imports: described.imports,
                exports: described.exports,
            };
            let told = Told {
                manifest,
                openapi: described.openapi,
            };
            let added = self
                .keep(digest, component, told, interface, None)
                .await?
                .revision;
            tracing::info!(plugin = %added.plugin, version = %added.manifest.version, "built-in plugin added");
        }
        Ok(digests)
    }

    /// Compiles what this node has not yet, one after the other, so that
    /// whoever switches a built-in plugin on does not wait for it.
    ///
    /// # Errors
    /// When the first of them cannot be read or compiled.
    pub async fn compile_ahead(&self, digests: &[Digest]) -> Result<()> {
        for digest in digests {
            if !self.code.runtime().is_compiled(digest) {
                let _ = self.code.load(digest).await?;
                self.forget_unused_code();
            }
        }
        tracing::info!("the built-in plugins are compiled");
        Ok(())
    }

    /// Gives back the memory of code that no project uses any more; the cache on
    /// disk keeps it.
    pub(crate) fn forget_unused_code(&self) {
        self.code.runtime().forget_unused();
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
fn too_large() -> Error {
    Error::invalid(
        "component_too_large",
        "a built-in plugin is larger than ATLASHUB_MAX_COMPONENT_BYTES allows: raise it",
    )
}
