//! The code of revisions: component bytes in the object store, where every
//! node finds them, compiled once a node.

use super::{BuiltIn, RevisionAssets, assets::AssetStore};
use atlashub_core::{Digest, Error, Manifest, Result};
use atlashub_runtime::{Revision, Runtime};
use atlashub_storage::{ObjectPath, Storage, WriteMode};
use bytes::Bytes;
use std::sync::Arc;

/// Loads revisions, compiling where this node has not yet; cheap to clone.
#[derive(Clone)]
pub struct Code {
    runtime: Runtime,
    storage: Storage,
    assets: AssetStore,
}

impl Code {
    /// Puts the parts together.
    #[must_use]
    pub fn new(runtime: Runtime, storage: Storage, builtin: &[BuiltIn]) -> Self {
        let carried = builtin
            .iter()
            .map(|plugin| (plugin.digest, plugin.component.clone()))
            .collect();
        Self {
            assets: AssetStore::new(storage.clone(), carried),
            runtime,
            storage,
        }
    }

    /// The runtime.
    #[must_use]
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The revision with this digest, ready to run.
    ///
    /// # Errors
    /// When its bytes are gone or changed, or it cannot be compiled here.
    pub async fn load(&self, digest: &Digest) -> Result<Arc<Revision>> {
        if let Some(revision) = self.runtime.load(digest).await? {
            return Ok(revision);
        }
        let path = ObjectPath::revision(digest)?;
        let limit = self.runtime.max_component_bytes() as u64;
        let bytes = self.storage.read_bytes(&path, limit).await?;
        if Digest::of(&bytes) != *digest {
            return Err(Error::internal(
                "load a revision",
                "its bytes do not have its digest",
            ));
        }
        self.runtime.compile(&bytes).await
    }

    /// The static files of the revision with this digest, if its manifest
    /// names any.
    ///
    /// # Errors
    /// When its bytes are gone or changed.
    pub async fn assets(
        &self,
        digest: &Digest,
        manifest: &Manifest,
    ) -> Result<Option<Arc<RevisionAssets>>> {
        let limit = self.runtime.max_component_bytes() as u64;
        self.assets.load(digest, manifest, limit).await
    }

    /// Whether a component of that size is there.
    pub(super) async fn is_kept(&self, digest: &Digest, size: usize) -> Result<bool> {
        let meta = self.storage.stat(&ObjectPath::revision(digest)?).await?;
        Ok(meta.is_some_and(|meta| meta.size == size as u64))
    }

    /// Keeps a component's bytes where every node finds them.
    pub(super) async fn keep(&self, digest: &Digest, bytes: Bytes) -> Result<()> {
        if self.is_kept(digest, bytes.len()).await? {
            return Ok(());
        }
        let path = ObjectPath::revision(digest)?;
        self.storage
            .write_bytes(&path, bytes, WriteMode::Replace)
            .await
            .map(drop)
    }
}
