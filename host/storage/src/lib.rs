//! Objects: where their bytes lie, in a folder or in a bucket of an S3 server.
//!
//! Owns the operators, the one path type that reaches them, streaming in and
//! out, and signed links. Memory per transfer is bounded: about 2 MiB for a
//! folder, 15 MiB for an upload to S3. Who may touch which object, quotas and
//! the names of buckets are left to `app`.

mod config;
mod error;
mod ingest;
pub mod links;
mod list;
mod local;
mod locks;
mod path;
mod presign;
mod range;
mod remote;

pub use config::{Credentials, S3Location, StorageUrl};
pub use list::{ListEntry, ListPage};
pub use opendal::Operator as PlainOperator;
pub use path::{ObjectPath, PathPrefix};
pub use presign::MAX_STRAIGHT_BYTES;

use atlashub_core::{
    Digest, Error, Locations, Result,
    capability::blob::{ByteSource, ByteStream},
};
use bytes::{Bytes, BytesMut};
use config::S3Operators;
use futures::TryStreamExt as _;
use ingest::{Ingest, Ingested, Sink};
use local::{Incoming, LocalRoot};
use locks::PathLocks;
use opendal::Operator;
use remote::Upload;
use std::{ops::Range, sync::Arc, time::Duration};
use time::OffsetDateTime;

/// What to do when the path is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum WriteMode {
    /// Replace the object, and say how large it was.
    #[default]
    Replace,
    /// Refuse with `object_exists`.
    CreateOnly,
    /// The path was made a moment ago and cannot be taken: nothing is checked.
    Fresh,
}

/// How an object is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct WriteOptions {
    /// What to do when the path is taken.
    pub mode: WriteMode,
    /// The size, when it is known: helps to choose the size of parts.
    pub expected_size: Option<u64>,
    /// Refuse more bytes than this with `object_too_large`.
    pub max_size: Option<u64>,
}

/// What the store knows of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Bytes.
    pub size: u64,
    /// When it was written, where the store says so.
    pub modified: Option<OffsetDateTime>,
}

/// An object, opened.
pub struct ReadObject {
    /// The whole object.
    pub meta: ObjectMeta,
    /// The bytes asked for.
    pub bytes: ByteStream,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the bytes.
    pub sha256: Digest,
    /// The first 512 bytes at most.
    pub head: Bytes,
    /// The size of the object that it replaced.
    pub replaced: Option<u64>,
}

/// What a store can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether it signs links itself.
    pub presign: bool,
    /// Whether it signs links for uploads of a size that is known.
    pub straight_uploads: bool,
}

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct Storage {
    inner: Arc<Inner>,
    locations: Locations,
}

struct Inner {
    store: Store,
    locks: PathLocks,
}

enum Store {
    Local(Arc<LocalRoot>),
    Remote(Box<S3Operators>),
}

impl Storage {
    /// Opens the store. A folder is made when it is missing, and what killed
    /// processes left half written in it is removed. A bucket is not asked:
    /// see [`Storage::check`].
    ///
    /// # Errors
    /// When the folder cannot be made, or the settings make no operator.
    pub fn open(url: &StorageUrl, credentials: Option<&Credentials>) -> Result<Self> {
        let store = match url {
            StorageUrl::Fs(path) => Store::Local(Arc::new(LocalRoot::open(path)?)),
            StorageUrl::S3(location) => {
                Store::Remote(Box::new(config::s3_operators(location, credentials)?))
            }
        };
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                locks: PathLocks::new(),
            }),
            locations: Locations::default(),
        })
    }

    /// The same store, where objects of a project lie that `locations` says.
    #[must_use]
    pub fn with_locations(&self, locations: Locations) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            locations,
        }
    }

    /// The same store by the paths that objects lie under.
    #[must_use]
    pub fn as_it_lies(&self) -> Self {
        self.with_locations(Locations::default())
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// `storage_unavailable`, or an internal error that the log explains.
    pub async fn check(&self) -> Result<()> {
        match &self.inner.store {
            Store::Local(root) => {
                let root = Arc::clone(root);
                blocking(move || root.check()).await
            }
            Store::Remote(store) => {
                let answer = store.operator.check().await;
                answer.map_err(|error| error::of_operator("reach the object store", error))
            }
        }
    }

    /// What the store can do.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        let (presign, straight_uploads) = match &self.inner.store {
            Store::Local(_) => (false, false),
            Store::Remote(store) => (store.signer.is_some(), store.uploads.is_some()),
        };
        Capabilities {
            presign,
            straight_uploads,
        }
    }

    /// Takes in an object's bytes. Nothing is visible before
    /// [`PendingWrite::commit`]; dropped before that, what was written is
    /// removed.
    ///
    /// # Errors
    /// `object_exists`, `object_too_large`, `storage_full`,
    /// `storage_unavailable`, and whatever the source fails with.
    pub async fn write(
        &self,
        path: &ObjectPath,
        source: &mut dyn ByteSource,
        options: WriteOptions,
    ) -> Result<PendingWrite> {
        let path = &*path.within(&self.locations);
        if let (Some(limit), Some(expected)) = (options.max_size, options.expected_size)
            && expected > limit
        {
            return Err(error::too_large(limit));
        }
        // Told early, before the bytes come; told for sure when it is placed.
        if options.mode == WriteMode::CreateOnly && self.stat(path).await?.is_some() {
            return Err(error::exists());
        }
        let sink = match &self.inner.store {
            Store::Local(root) => {
                let root = Arc::clone(root);
                Sink::Local(blocking(move || Incoming::begin(root)).await?)
            }
            Store::Remote(store) => {
                let operator = store.operator.clone();
                let upload = Upload::begin(operator, path.clone(), options.mode).await?;
                Sink::Remote(Box::new(upload))
            }
        };
        let ingested = Ingest::new(sink, options.expected_size)
            .run(source, options.max_size)
            .await?;
        Ok(PendingWrite {
            storage: self.clone(),
            path: path.clone(),
            mode: options.mode,
            ingested,
        })
    }

    /// Writes an object from memory.
    ///
    /// # Errors
    /// As [`Storage::write`].
    pub async fn write_bytes(
        &self,
        path: &ObjectPath,
        bytes: Bytes,
        mode: WriteMode,
    ) -> Result<Written> {
        let options = WriteOptions {
            mode,
            expected_size: Some(bytes.len() as u64),
            max_size: None,
        };
        self.write(path, &mut Once(Some(bytes)), options)
            .await?
            .commit()
            .await
    }

    /// Opens an object, or the part of it in `range`.
    ///
    /// # Errors
    /// `object_not_found`; `invalid_range` when the range ends beyond the
    /// object.
    pub async fn read(&self, path: &ObjectPath, range: Option<Range<u64>>) -> Result<ReadObject> {
        let path = &*path.within(&self.locations);
        match &self.inner.store {
            Store::Local(root) => root.read(path, range).await,
            Store::Remote(store) => remote::read(&store.operator, path, range).await,
        }
    }

    /// Reads a whole object into memory.
    ///
    /// # Errors
    /// `object_not_found`; `object_too_large` above `limit` bytes.
    pub async fn read_bytes(&self, path: &ObjectPath, limit: u64) -> Result<Bytes> {
        let mut object = self.read(path, None).await?;
        if object.meta.size > limit {
            return Err(error::too_large(limit));
        }
        let mut bytes = BytesMut::with_capacity(usize::try_from(object.meta.size).unwrap_or(0));
        while let Some(chunk) = object.bytes.try_next().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    }

    /// What is known of an object, if it is there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn stat(&self, path: &ObjectPath) -> Result<Option<ObjectMeta>> {
        let path = &*path.within(&self.locations);
        match &self.inner.store {
            Store::Local(root) => {
                let (root, path) = (Arc::clone(root), path.clone());
                blocking(move || root.stat(&path)).await
            }
            Store::Remote(store) => remote::stat(&store.operator, path).await,
        }
    }

    /// Deletes an object and answers its size, if it was there. Of several
    /// calls at once on this node, one gets the size. Runs to its end once
    /// begun.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn delete(&self, path: &ObjectPath) -> Result<Option<u64>> {
        let (this, path) = (self.clone(), path.within(&self.locations).into_owned());
        to_the_end(async move {
            let _lock = this.inner.locks.lock(&path).await;
            match &this.inner.store {
                Store::Local(root) => {
                    let root = Arc::clone(root);
                    blocking(move || root.delete(&path)).await
                }
                Store::Remote(store) => remote::delete(&store.operator, &path).await,
            }
        })
        .await
    }

    /// Deletes everything below a prefix.
    ///
    /// # Errors
    /// When the store fails; some of it may be gone then.
    pub async fn delete_all(&self, prefix: &PathPrefix) -> Result<()> {
        let prefix = &*prefix.within(&self.locations);
        match &self.inner.store {
            Store::Local(root) => {
                let (root, prefix) = (Arc::clone(root), prefix.clone());
                blocking(move || root.delete_all(&prefix)).await
            }
            Store::Remote(store) => {
                let deletion = store.operator.delete_with(prefix.as_str());
                let deleted = deletion.recursive(true).await;
                deleted.map_err(|error| error::of_operator("delete objects", error))
            }
        }
    }

    /// One page of the objects below `prefix` whose keys start with `start`,
    /// in the order of their bytes, beginning after `after`.
    ///
    /// # Errors
    /// `invalid_object_key` when no key can start so.
    pub async fn list(
        &self,
        prefix: &PathPrefix,
        start: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<ListPage> {
        list::check(start, after)?;
        if limit == 0 {
            return Ok(ListPage::default());
        }
        self.page(prefix, start, after, limit).await
    }

    /// As [`list`](Self::list), for who looks through everything, also what
    /// has keys that are none of ours; `after` is what a page gave.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn walk(
        &self,
        prefix: &PathPrefix,
        after: Option<&str>,
        limit: usize,
    ) -> Result<ListPage> {
        self.page(prefix, "", after, limit).await
    }

    async fn page(
        &self,
        prefix: &PathPrefix,
        start: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<ListPage> {
        let prefix = &*prefix.within(&self.locations);
        // One more tells whether there is another page.
        let wanted = limit.saturating_add(1);
        let found = match &self.inner.store {
            Store::Local(root) => {
                let (root, prefix) = (Arc::clone(root), prefix.clone());
                let (start, after) = (start.to_owned(), after.map(str::to_owned));
                blocking(move || root.list(&prefix, &start, after.as_deref(), wanted)).await?
            }
            Store::Remote(store) => {
                remote::list(&store.operator, prefix, start, after, wanted).await?
            }
        };
        Ok(list::page(found, limit))
    }

    /// Copies an object.
    ///
    /// # Errors
    /// `object_not_found`; `object_exists` with [`WriteMode::CreateOnly`].
    pub async fn copy(
        &self,
        from: &ObjectPath,
        to: &ObjectPath,
        mode: WriteMode,
    ) -> Result<Written> {
        let object = self.read(from, None).await?;
        let options = WriteOptions {
            mode,
            expected_size: Some(object.meta.size),
            max_size: None,
        };
        self.write(to, &mut StreamSource(object.bytes), options)
            .await?
            .commit()
            .await
    }

    /// A link to the store itself for reading an object, where the store
    /// signs links.
    ///
    /// # Errors
    /// When the store's client cannot sign.
    pub async fn presign_read(
        &self,
        path: &ObjectPath,
        valid_for: Duration,
        disposition: Option<&str>,
        content_type: Option<&str>,
    ) -> Result<Option<String>> {
        let path = &*path.within(&self.locations);
        match self.signer() {
            Some(signer) => {
                remote::presign_read(signer, path, valid_for, disposition, content_type)
                    .await
                    .map(Some)
            }
            None => Ok(None),
        }
    }

    /// A link to the store itself for an upload of exactly that size and
    /// type, where the store signs links and takes so much at once
    /// ([`MAX_STRAIGHT_BYTES`]). What is written by it passes no quota.
    ///
    /// # Errors
    /// When the store's client cannot sign.
    pub async fn presign_upload(
        &self,
        path: &ObjectPath,
        size: u64,
        content_type: Option<&str>,
        valid_for: Duration,
    ) -> Result<Option<String>> {
        let path = &*path.within(&self.locations);
        let Store::Remote(store) = &self.inner.store else {
            return Ok(None);
        };
        let (Some(signer), Some(uploads)) = (&store.signer, &store.uploads) else {
            return Ok(None);
        };
        if size > MAX_STRAIGHT_BYTES {
            return Ok(None);
        }
        let address = remote::address(signer, path, valid_for).await?;
        let link = uploads.sign(&address, size, content_type, valid_for);
        link.await.map(Some)
    }

    /// Copies an object within the store, whatever is there before; its bytes
    /// do not come here if the store can do it alone. Both stay.
    ///
    /// # Errors
    /// `object_not_found`.
    pub async fn duplicate(&self, from: &ObjectPath, to: &ObjectPath) -> Result<()> {
        let (from, to) = (&*from.within(&self.locations), &*to.within(&self.locations));
        match &self.inner.store {
            Store::Local(_) => {
                let here = self.as_it_lies();
                here.copy(from, to, WriteMode::Replace).await.map(drop)
            }
            Store::Remote(store) => remote::copy(&store.copier, from, to).await,
        }
    }

    fn signer(&self) -> Option<&Operator> {
        match &self.inner.store {
            Store::Local(_) => None,
            Store::Remote(store) => store.signer.as_ref(),
        }
    }
}

/// An object whose bytes are in and that is not visible yet.
pub struct PendingWrite {
    storage: Storage,
    path: ObjectPath,
    mode: WriteMode,
    ingested: Ingested,
}

impl PendingWrite {
    /// Bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.ingested.size
    }

    /// SHA-256 of the bytes.
    #[must_use]
    pub fn sha256(&self) -> Digest {
        self.ingested.sha256
    }

    /// Makes the object visible, whole, and safe against a crash. Runs to its
    /// end once begun.
    ///
    /// # Errors
    /// `object_exists`, `storage_full`, `storage_unavailable`.
    pub async fn commit(self) -> Result<Written> {
        to_the_end(async move {
            let _lock = match self.mode {
                WriteMode::Replace => self.storage.inner.locks.lock(&self.path).await,
                WriteMode::CreateOnly | WriteMode::Fresh => None,
            };
            let (size, sha256, head) = (
                self.ingested.size,
                self.ingested.sha256,
                self.ingested.head.clone(),
            );
            let replaced = self.ingested.commit(self.path, self.mode).await?;
            Ok(Written {
                size,
                sha256,
                head,
                replaced,
            })
        })
        .await
    }
}

/// A stream as a source, for bytes that come from another object or a body.
pub struct StreamSource(pub ByteStream);

#[async_trait::async_trait]
impl ByteSource for StreamSource {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        self.0.try_next().await
    }
}

struct Once(Option<Bytes>);

#[async_trait::async_trait]
impl ByteSource for Once {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        Ok(self.0.take())
    }
}

/// Runs work that may wait for a disk on a thread that may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(error) => Err(Error::internal("run a storage step", error)),
    }
}

/// Runs a step that must not be broken off when the caller goes away. It ends
/// by itself: the store's time-outs bound it.
async fn to_the_end<T: Send + 'static>(
    step: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    match tokio::spawn(step).await {
        Ok(answer) => answer,
        Err(error) => Err(Error::internal("run a storage step", error)),
    }
}
