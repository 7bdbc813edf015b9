//! Compiled code on disk, in a private folder. Loading such a file is
//! trusting it, so each carries a MAC under a key of this host; a file that
//! does not fit its MAC, the engine or the machine is compiled anew.

use crate::revision::ComponentInterface;
use atlashub_core::{Digest, Error, Result};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::{
    hash::{Hash as _, Hasher},
    io::Write as _,
    path::{Path, PathBuf},
};
use wasmtime::{Engine, component::Component};

const MAC_BYTES: usize = 32;

/// The folder of compiled code.
#[derive(Clone)]
pub struct CompileCache {
    folder: PathBuf,
    key: [u8; 32],
}

impl std::fmt::Debug for CompileCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompileCache")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl CompileCache {
    /// Opens the cache in `folder`, made private to this user; `key`
    /// authenticates what is in it.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn open(folder: PathBuf, key: [u8; 32]) -> Result<Self> {
        std::fs::create_dir_all(&folder)
            .map_err(|error| Error::internal("make the compile cache", error))?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700))
                .map_err(|error| Error::internal("make the compile cache private", error))?;
        }
        Ok(Self { folder, key })
    }

    /// Loads what was compiled for `digest`, if it is there and genuine.
    pub(crate) fn load(
        &self,
        engine: &Engine,
        digest: &Digest,
    ) -> Option<(Component, ComponentInterface)> {
        let path = self.path(engine, digest);
        let bytes = std::fs::read(&path).ok()?;
        let loaded = self.open_file(engine, &path, &bytes);
        if loaded.is_none() {
            tracing::warn!(%digest, "compiled code does not fit this host, compiling again");
            let _ = std::fs::remove_file(&path);
        }
        loaded
    }

    fn open_file(
        &self,
        engine: &Engine,
        path: &Path,
        bytes: &[u8],
    ) -> Option<(Component, ComponentInterface)> {
        let (code, trailer) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        mac.update(path.file_name()?.as_encoded_bytes());
        mac.update(code);
        mac.verify_slice(trailer).ok()?;
        let (length, rest) = code.split_first_chunk::<4>()?;
        let (interface, code) =
            rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        let interface = serde_json::from_slice(interface).ok()?;
        let component = deserialize(engine, code).ok()?;
        Some((component, interface))
    }

    /// Keeps `code`. The file appears whole or not at all.
    pub(crate) fn store(
        &self,
        engine: &Engine,
        digest: &Digest,
        interface: &ComponentInterface,
        code: &[u8],
    ) -> Result<()> {
        let failed = |error: std::io::Error| Error::internal("write compiled code", error);
        let path = self.path(engine, digest);
        let interface = serde_json::to_vec(interface)
            .map_err(|error| Error::internal("describe compiled code", error))?;
        let length = u32::try_from(interface.len())
            .map_err(|error| Error::internal("describe compiled code", error))?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key)
            .map_err(|error| Error::internal("authenticate compiled code", error.to_string()))?;
        mac.update(path.file_name().unwrap_or_default().as_encoded_bytes());
        let temporary = self.folder.join(format!("{}.tmp", uuid::Uuid::now_v7()));
        let mut file = std::fs::File::create_new(&temporary).map_err(failed)?;
        for part in [length.to_le_bytes().as_slice(), &interface, code] {
            mac.update(part);
            file.write_all(part).map_err(failed)?;
        }
        file.write_all(&mac.finalize().into_bytes())
            .map_err(failed)?;
        drop(file);
        std::fs::rename(&temporary, &path).map_err(failed)
    }

    fn path(&self, engine: &Engine, digest: &Digest) -> PathBuf {
        let mut hasher = DigestHasher::default();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let engine = Digest::from_bytes(sha2::Digest::finalize(hasher.0).into()).to_hex();
        let engine = engine.get(..16).unwrap_or_default();
        self.folder.join(format!("{digest}-{engine}.code"))
    }
}

/// Makes a component of compiled code: of what [`CompileCache::load`] has
/// authenticated, or of what this program's own compile worker has just sent.
pub(crate) fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes were made by this program's compile worker for this
    // engine: they come from its pipe, or from a file that carries a MAC under
    // this host's own key over its name and contents.
    #[expect(
        unsafe_code,
        clippy::disallowed_methods,
        reason = "the one place that loads compiled code"
    )]
    unsafe {
        Component::deserialize(engine, code)
    }
}

/// Feeds what is hashed into SHA-256, so that the name depends on all of it.
#[derive(Default)]
struct DigestHasher(Sha256);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        let digest: [u8; 32] = sha2::Digest::finalize(self.0.clone()).into();
        digest
            .first_chunk::<8>()
            .map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    fn write(&mut self, bytes: &[u8]) {
        sha2::Digest::update(&mut self.0, bytes);
    }
}
