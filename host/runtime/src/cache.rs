//! Compiled code on disk, in a private folder. Loading such a file is
//! trusting it, so each carries a MAC under a key of this host; a file that
//! does not fit its MAC, the engine or the machine is compiled anew.
//!
//! A file holds the code as wasmtime wrote it, what the component imports and
//! exports as JSON, the length of that JSON (four bytes, little-endian), and
//! the MAC over the file's name and all before. The code stands first so that
//! it is mapped instead of read: what no request touches takes no memory, and
//! the rest is memory that the system may take back. Files are never changed
//! in place.

use crate::revision::ComponentInterface;
use atlashub_core::{Digest, Error, Result};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::{
    fs::File,
    hash::{Hash as _, Hasher},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
    time::Duration,
};
use wasmtime::{Engine, component::Component};

const MAC_BYTES: usize = 32;
/// Bytes of the length of the JSON.
const LENGTH_BYTES: usize = 4;
/// How long files stay that this engine has no use for.
const FOREIGN_AGE: Duration = Duration::from_secs(24 * 3_600);

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
        let file = File::open(&path).ok()?;
        let loaded = self.open_file(engine, &path, file);
        if loaded.is_none() {
            tracing::warn!(%digest, "compiled code does not fit this host, compiling again");
            let _ = std::fs::remove_file(&path);
        }
        loaded
    }

    /// Whether there is a file for `digest`; only loading it tells whether it
    /// is genuine.
    pub(crate) fn holds(&self, engine: &Engine, digest: &Digest) -> bool {
        self.path(engine, digest).exists()
    }

    fn open_file(
        &self,
        engine: &Engine,
        path: &Path,
        mut file: File,
    ) -> Option<(Component, ComponentInterface)> {
        let length = usize::try_from(file.metadata().ok()?.len()).ok()?;
        let signed = length.checked_sub(MAC_BYTES)?;
        let mut mac = self.mac(path)?;
        hash(&mut mac, &mut file, signed).ok()?;
        let mut trailer = [0; MAC_BYTES];
        file.read_exact(&mut trailer).ok()?;
        mac.verify_slice(&trailer).ok()?;
        let mut json_length = [0; LENGTH_BYTES];
        let end = signed.checked_sub(LENGTH_BYTES)?;
        file.seek(SeekFrom::Start(end as u64)).ok()?;
        file.read_exact(&mut json_length).ok()?;
        let json_length = usize::try_from(u32::from_le_bytes(json_length)).ok()?;
        let start = end.checked_sub(json_length)?;
        let mut interface = vec![0; json_length];
        file.seek(SeekFrom::Start(start as u64)).ok()?;
        file.read_exact(&mut interface).ok()?;
        let interface = serde_json::from_slice(&interface).ok()?;
        let component = map(engine, &file).ok()?;
        Some((component, interface))
    }

    fn mac(&self, path: &Path) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        mac.update(path.file_name()?.as_encoded_bytes());
        Some(mac)
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
        let mut mac = self
            .mac(&path)
            .ok_or_else(|| Error::internal("authenticate compiled code", "no key"))?;
        let temporary = self.folder.join(format!("{}.tmp", uuid::Uuid::now_v7()));
        let mut file = File::create_new(&temporary).map_err(failed)?;
        for part in [code, &interface, length.to_le_bytes().as_slice()] {
            mac.update(part);
            file.write_all(part).map_err(failed)?;
        }
        file.write_all(&mac.finalize().into_bytes())
            .map_err(failed)?;
        drop(file);
        std::fs::rename(&temporary, &path).map_err(failed)
    }

    /// Removes what is of no use to `engine` and a day old: code of other
    /// versions, files that a kill left half written.
    pub(crate) fn sweep(&self, engine: &Engine) {
        let ending = Self::ending(engine);
        let Ok(files) = std::fs::read_dir(&self.folder) else {
            return;
        };
        for file in files.flatten() {
            let foreign = !file
                .file_name()
                .to_str()
                .is_some_and(|name| name.ends_with(&ending));
            let age = file.metadata().and_then(|data| data.modified());
            let old = age.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > FOREIGN_AGE));
            if foreign && old {
                let _ = std::fs::remove_file(file.path());
            }
        }
    }

    fn path(&self, engine: &Engine, digest: &Digest) -> PathBuf {
        self.folder
            .join(format!("{digest}{}", Self::ending(engine)))
    }

    /// How names of files for `engine` end.
    fn ending(engine: &Engine) -> String {
        let mut hasher = DigestHasher::default();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let engine = Digest::from_bytes(sha2::Digest::finalize(hasher.0).into()).to_hex();
        format!("-{}.cwasm", engine.get(..16).unwrap_or_default())
    }
}

/// Feeds the next `length` bytes of a file into a MAC.
fn hash(mac: &mut Hmac<Sha256>, file: &mut File, mut length: usize) -> std::io::Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    while length > 0 {
        let wanted = length.min(buffer.len());
        let part = buffer.get_mut(..wanted).unwrap_or_default();
        file.read_exact(part)?;
        mac.update(part);
        length -= wanted;
    }
    Ok(())
}

/// Makes a component of a file's beginning that [`CompileCache::load`] has
/// authenticated.
fn map(engine: &Engine, file: &File) -> wasmtime::Result<Component> {
    // The very file that was read, whatever stands under its name by now.
    let path = format!("/dev/fd/{}", file.as_raw_fd());
    // SAFETY: the bytes were made by this program's compile worker for this
    // engine: they carry a MAC under this host's own key over the file's name
    // and contents. Only this user can write to the folder, and this program
    // replaces files there instead of changing them.
    #[expect(
        unsafe_code,
        clippy::disallowed_methods,
        reason = "one of the two places that load compiled code"
    )]
    unsafe {
        Component::deserialize_file(engine, path)
    }
}

/// Makes a component of what this program's own compile worker has just sent.
pub(crate) fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes were made by this program's compile worker for this
    // engine, and come from its pipe.
    #[expect(
        unsafe_code,
        clippy::disallowed_methods,
        reason = "one of the two places that load compiled code"
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
