//! Static files of plugins, as requests find them: the index of each revision
//! in use is in memory, the contents stay where the component lies. Of one that
//! came with this binary that is the binary itself, of another the object
//! store, with a bounded cache of small files in front.

use atlashub_core::{
    Digest, Error, Manifest, Result,
    assets::{AssetFile, AssetIndex, Assets, Page, Span},
    capability::blob::ByteStream,
};
use atlashub_storage::{ObjectPath, Storage};
use bytes::Bytes;
use futures::TryStreamExt as _;
use moka::sync::Cache;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    ops::Range,
    sync::{Arc, Weak},
};

/// Bytes of files from the object store that a node keeps.
const CACHE_BYTES: u64 = 32 * 1024 * 1024;
/// Larger files go from the store to the client.
const MAX_CACHED: usize = 1024 * 1024;

/// What a cached file is found by: the component, and where in it.
type Place = (Digest, usize);

/// The static files of a revision.
pub struct RevisionAssets {
    component: Digest,
    declared: Assets,
    pages: Vec<Page>,
    index: AssetIndex,
    source: Source,
}

/// Where the component lies.
enum Source {
    /// In this binary.
    Carried(Bytes),
    /// In the object store.
    Stored {
        storage: Storage,
        cache: Cache<Place, Bytes>,
    },
}

/// Some bytes of a file.
pub enum AssetBytes {
    /// All of them.
    Ready(Bytes),
    /// As they come from the store.
    Stream(ByteStream),
}

impl RevisionAssets {
    /// What the manifest says of them.
    #[must_use]
    pub fn declared(&self) -> &Assets {
        &self.declared
    }

    /// Whether this file is a page of the dashboard.
    #[must_use]
    pub fn is_page(&self, name: &str) -> bool {
        self.pages.iter().any(|page| page.path == name)
    }

    /// Whether they came with this binary.
    #[must_use]
    pub fn is_carried(&self) -> bool {
        matches!(self.source, Source::Carried(_))
    }

    /// The file of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&AssetFile> {
        self.index.find(name)
    }

    /// A part of a form of a file; `part` counts from the form's beginning and
    /// lies within it.
    ///
    /// # Errors
    /// When the store cannot.
    pub async fn read(&self, form: Span, part: Range<usize>) -> Result<AssetBytes> {
        let (start, end) = (form.at + part.start, form.at + part.end);
        match &self.source {
            Source::Carried(component) => slice(component, start..end).map(AssetBytes::Ready),
            Source::Stored { storage, cache } if form.length <= MAX_CACHED => {
                let place = (self.component, form.at);
                let whole = match cache.get(&place) {
                    Some(whole) => whole,
                    None => {
                        let whole = collect(self.stream(storage, form.range()).await?).await?;
                        cache.insert(place, whole.clone());
                        whole
                    }
                };
                slice(&whole, part).map(AssetBytes::Ready)
            }
            Source::Stored { storage, .. } => {
                let stream = self.stream(storage, start..end).await?;
                Ok(AssetBytes::Stream(stream))
            }
        }
    }

    async fn stream(&self, storage: &Storage, range: Range<usize>) -> Result<ByteStream> {
        let path = ObjectPath::revision(&self.component)?;
        let range = range.start as u64..range.end as u64;
        Ok(storage.read(&path, Some(range)).await?.bytes)
    }
}

/// Finds the files of revisions; cheap to clone.
#[derive(Clone)]
pub(super) struct AssetStore {
    storage: Storage,
    carried: Arc<HashMap<Digest, Bytes>>,
    cache: Cache<Place, Bytes>,
    /// Those that some project uses.
    known: Arc<Mutex<HashMap<Digest, Weak<RevisionAssets>>>>,
}

impl AssetStore {
    pub(super) fn new(storage: Storage, carried: HashMap<Digest, Bytes>) -> Self {
        let cache = Cache::builder()
            .max_capacity(CACHE_BYTES)
            .weigher(|_, bytes: &Bytes| u32::try_from(bytes.len() + 64).unwrap_or(u32::MAX))
            .build();
        Self {
            storage,
            carried: Arc::new(carried),
            cache,
            known: Arc::default(),
        }
    }

    /// The files of the component with this digest, if its manifest names any.
    /// The component is read once, and then what it carries is known for as
    /// long as a project uses it; at most `limit` bytes are read.
    pub(super) async fn load(
        &self,
        digest: &Digest,
        manifest: &Manifest,
        limit: u64,
    ) -> Result<Option<Arc<RevisionAssets>>> {
        let Some(declared) = &manifest.assets else {
            return Ok(None);
        };
        let known = self.known.lock().get(digest).and_then(Weak::upgrade);
        if known.is_some() {
            return Ok(known);
        }
        let (index, source) = match self.carried.get(digest) {
            Some(component) => (
                AssetIndex::read(component)?,
                Source::Carried(component.clone()),
            ),
            None => {
                let path = ObjectPath::revision(digest)?;
                let component = self.storage.read_bytes(&path, limit).await?;
                if Digest::of(&component) != *digest {
                    return Err(lost("its bytes do not have its digest"));
                }
                let source = Source::Stored {
                    storage: self.storage.clone(),
                    cache: self.cache.clone(),
                };
                (AssetIndex::read(&component)?, source)
            }
        };
        let assets = Arc::new(RevisionAssets {
            component: *digest,
            declared: declared.clone(),
            pages: manifest.pages.clone(),
            index: index.ok_or_else(|| lost("the component carries none"))?,
            source,
        });
        let mut known = self.known.lock();
        known.retain(|_, assets| assets.strong_count() > 0);
        known.insert(*digest, Arc::downgrade(&assets));
        Ok(Some(assets))
    }
}

fn slice(bytes: &Bytes, range: Range<usize>) -> Result<Bytes> {
    if range.start > range.end || range.end > bytes.len() {
        return Err(lost("a file lies outside of the component"));
    }
    Ok(bytes.slice(range))
}

async fn collect(stream: ByteStream) -> Result<Bytes> {
    let chunks: Vec<Bytes> = stream.try_collect().await?;
    Ok(chunks.concat().into())
}

fn lost(what: &'static str) -> Error {
    Error::internal("read the assets of a revision", what)
}
