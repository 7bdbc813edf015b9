//! Objects of plugins: buckets, quota and signed links over the store.
//!
//! Bytes stream between caller and store; nothing here holds more than the
//! chunk at hand. Storage is set aside before bytes are taken in, and what
//! makes an object visible runs to its end together with its accounting, also
//! when the caller goes away. Grants are checked before this is reached.

mod direct;
mod links;
mod parts;
mod quota;

use atlashub_core::{
    BucketName, Clock, Error, ErrorKind, ProjectId, Result,
    capability::{
        PluginScope,
        blob::{
            Announced, Blobs, ByteSource, MAX_LIST, ObjectBody, ObjectInfo, ObjectKey, ObjectPage,
            PartOptions, PutOptions, Settled, SignedAccess, StoredObject, StoredPart,
        },
    },
};
use atlashub_data::platform::{Platform, ReservationId, Unit};
use atlashub_storage::{
    ObjectMeta, ObjectPath, PathPrefix, PendingWrite, Storage, WriteMode, WriteOptions, Written,
    links::LinkKey,
};
use moka::sync::Cache;
use quota::{Metered, Reservation};
use std::{ops::Range, sync::Arc, time::Duration};

pub use atlashub_storage::links::Link;

/// How long a bucket is remembered, should the news of its change be lost.
const BUCKETS_FOR: Duration = Duration::from_secs(30);
/// How many buckets are remembered.
const BUCKETS: u64 = 20_000;
/// How long bytes of an object that is being deleted stay counted, should the
/// host die in the middle.
const DELETION_TTL: Duration = Duration::from_secs(600);

/// What a [`BlobStore`] is made of.
pub struct BlobStoreParts {
    /// Buckets and storage accounts.
    pub platform: Platform,
    /// The bytes.
    pub storage: Storage,
    /// Sign and verify links, the same on every node. The first signs; the
    /// others verify what was signed before the master key was rotated.
    pub link_keys: Vec<LinkKey>,
    /// What links start with.
    pub public_url: String,
    /// Tells when links end.
    pub clock: Arc<dyn Clock>,
}

/// The objects of all projects.
pub struct BlobStore {
    platform: Platform,
    storage: Storage,
    link_keys: Vec<LinkKey>,
    public_url: String,
    clock: Arc<dyn Clock>,
    buckets: Cache<(ProjectId, BucketName), KnownBucket>,
}

#[derive(Clone, Copy)]
enum KnownBucket {
    There { max_object_bytes: Option<u64> },
    Missing,
}

impl BlobStore {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: BlobStoreParts) -> Self {
        Self {
            platform: parts.platform,
            storage: parts.storage,
            link_keys: parts.link_keys,
            public_url: parts.public_url,
            clock: parts.clock,
            buckets: Cache::builder()
                .max_capacity(BUCKETS)
                .time_to_live(BUCKETS_FOR)
                .support_invalidation_closures()
                .build(),
        }
    }

    /// Forgets what is remembered of a project's buckets: call it when one
    /// was made, changed or deleted, here or on another node.
    pub fn forget(&self, project: ProjectId) {
        let forgotten = self
            .buckets
            .invalidate_entries_if(move |(of, _), _| *of == project);
        if forgotten.is_err() {
            self.buckets.invalidate_all();
        }
    }

    /// Deletes all objects of a project whose records are being deleted. Its
    /// storage account goes with them, so nothing is given back.
    ///
    /// # Errors
    /// When the store fails; call it again then.
    pub async fn delete_project(&self, project: ProjectId) -> Result<()> {
        self.forget(project);
        let incoming = PathPrefix::incoming(project);
        self.storage.delete_all(&incoming).await?;
        self.storage.delete_all(&PathPrefix::project(project)).await
    }

    /// Deletes all objects of a plugin that is removed with its data, and
    /// gives their bytes back.
    ///
    /// # Errors
    /// When the store or the database fails; what was deleted before stays
    /// so, call it again then.
    pub async fn delete_plugin(&self, scope: &PluginScope) -> Result<()> {
        for bucket in self.platform.buckets().list(scope.project).await? {
            loop {
                let page = self.list(scope, &bucket.name, "", None, MAX_LIST).await?;
                if page.objects.is_empty() {
                    break;
                }
                for object in page.objects {
                    self.delete(scope, &bucket.name, &object.key).await?;
                }
            }
        }
        Ok(())
    }

    /// Deletes what a check has put aside, and gives its bytes back.
    ///
    /// # Errors
    /// When the store or the database fails.
    pub(crate) async fn delete_lost(&self, project: ProjectId, path: ObjectPath) -> Result<()> {
        let (platform, storage) = (self.platform.clone(), self.storage.clone());
        let deletion = Self::delete_counted(platform, storage, project, path);
        to_the_end(deletion).await.map(drop)
    }

    /// The most bytes that one object of the bucket may have.
    async fn bucket(&self, project: ProjectId, name: &BucketName) -> Result<Option<u64>> {
        let key = (project, name.clone());
        let known = match self.buckets.get(&key) {
            Some(known) => known,
            None => {
                let known = match self.platform.buckets().find(project, name).await? {
                    Some(bucket) => KnownBucket::There {
                        max_object_bytes: bucket.settings.max_object_bytes,
                    },
                    None => KnownBucket::Missing,
                };
                self.buckets.insert(key, known);
                known
            }
        };
        match known {
            KnownBucket::There { max_object_bytes } => Ok(max_object_bytes),
            KnownBucket::Missing => Err(Error::new(
                ErrorKind::NotFound,
                "bucket_not_found",
                format!("the project has no bucket `{name}`, make it first"),
            )),
        }
    }

    /// The most bytes that an object may have: what the bucket allows, or less.
    async fn limit(
        &self,
        project: ProjectId,
        bucket: &BucketName,
        wanted: Option<u64>,
    ) -> Result<Option<u64>> {
        let of_bucket = self.bucket(project, bucket).await?;
        Ok([wanted, of_bucket].into_iter().flatten().min())
    }

    fn stores(&self) -> Stores {
        Stores {
            storage: self.storage.clone(),
            clock: Arc::clone(&self.clock),
        }
    }

    /// Deletes an object and accounts for it. While the object goes, its
    /// bytes are counted as a reservation, which runs out should the host die
    /// before the end.
    async fn delete_counted(
        platform: Platform,
        storage: Storage,
        project: ProjectId,
        path: ObjectPath,
    ) -> Result<bool> {
        let Some(meta) = storage.stat(&path).await? else {
            return Ok(false);
        };
        let unit = platform.begin().await?;
        let handed_over = hand_over(&unit, project, meta.size).await;
        let reservation = match handed_over {
            Ok(id) => {
                unit.commit().await?;
                Some(id)
            }
            // Over a limit that was lowered, nothing can be set aside.
            Err(error) if error.code() == "quota_exceeded" => {
                unit.roll_back().await?;
                None
            }
            Err(error) => return Err(error),
        };
        let deleted = Self::delete_or_hold(&platform, &storage, project, &path).await;
        let usage = platform.usage();
        match (reservation, deleted) {
            (Some(id), Ok(Some(size))) if size == meta.size => {
                usage.release(id).await?;
                Ok(true)
            }
            // Another object took the place in between.
            (Some(id), Ok(Some(size))) => {
                usage.settle(id, meta.size).await?;
                usage.give_back(project, size).await?;
                Ok(true)
            }
            (None, Ok(Some(size))) => {
                usage.give_back(project, size).await?;
                Ok(true)
            }
            // Somebody else deleted it, and gives its bytes back.
            (Some(id), Ok(None)) => {
                usage.settle(id, meta.size).await?;
                Ok(false)
            }
            (None, Ok(None)) => Ok(false),
            (Some(id), Err(error)) => {
                usage.settle(id, meta.size).await?;
                Err(error)
            }
            (None, Err(error)) => Err(error),
        }
    }

    /// Deletes an object; keeps it elsewhere while a backup is being made
    /// whose rows may still speak of it. They do not unless the backup began
    /// before this asks: rows go before their objects.
    async fn delete_or_hold(
        platform: &Platform,
        storage: &Storage,
        project: ProjectId,
        path: &ObjectPath,
    ) -> Result<Option<u64>> {
        if platform.backups().keeps_deleted(project).await?
            && let Some(held) = path.held()
        {
            match storage.duplicate(path, &held).await {
                Err(error) if error.code() == "object_not_found" => return Ok(None),
                other => other?,
            }
        }
        storage.delete(path).await
    }

    /// Makes an object visible and accounts for it.
    async fn finish(
        storage: Storage,
        path: ObjectPath,
        pending: PendingWrite,
        reservation: Reservation,
        mode: WriteMode,
    ) -> Result<Written> {
        let mut reservation = reservation;
        reservation.renew().await?;
        let written = pending.commit().await?;
        let settled = reservation
            .settle(written.size, written.replaced.unwrap_or(0))
            .await;
        if let Err(error) = settled {
            // Not counted, so it must not stay; what it replaced is gone.
            if mode != WriteMode::Replace || written.replaced.is_none() {
                storage.delete(&path).await?;
            }
            return Err(error);
        }
        Ok(written)
    }
}

/// Where objects are: what an upload needs that outlives the call which began
/// it.
struct Stores {
    storage: Storage,
    clock: Arc<dyn Clock>,
}

impl Stores {
    /// Takes in an object, for which `reservation` has something set aside or
    /// sets it aside as the bytes come.
    async fn take_in(
        self,
        intake: Intake,
        mut reservation: Reservation,
        source: &mut dyn ByteSource,
    ) -> Result<StoredObject> {
        let Intake {
            key,
            path,
            mode,
            expected_size,
            max_size,
        } = intake;
        // A size beyond the limit is refused by the store before any byte.
        let affordable = expected_size.filter(|size| max_size.is_none_or(|limit| *size <= limit));
        if let Some(size) = affordable {
            reservation.reach(size, 0).await?;
        }
        let mut metered = Metered::new(source, &mut reservation, max_size);
        let write_options = WriteOptions {
            mode,
            expected_size,
            max_size,
        };
        let pending = self
            .storage
            .write(&path, &mut metered, write_options)
            .await?;
        let finish = BlobStore::finish(self.storage, path, pending, reservation, mode);
        let written = to_the_end(finish).await?;
        Ok(StoredObject {
            info: ObjectInfo {
                key,
                size: written.size,
                modified: Some(self.clock.now()),
            },
            sha256: written.sha256,
            head: written.head,
        })
    }
}

/// An object that is to be taken in.
struct Intake {
    key: ObjectKey,
    path: ObjectPath,
    mode: WriteMode,
    expected_size: Option<u64>,
    max_size: Option<u64>,
}

async fn hand_over(unit: &Unit, project: ProjectId, size: u64) -> Result<ReservationId> {
    unit.usage().give_back(project, size).await?;
    unit.usage().reserve(project, size, DELETION_TTL).await
}

fn path(scope: &PluginScope, bucket: &BucketName, key: &ObjectKey) -> Result<ObjectPath> {
    ObjectPath::object(scope.project, bucket, &scope.plugin, key)
}

fn info(key: &ObjectKey, meta: ObjectMeta) -> ObjectInfo {
    ObjectInfo {
        key: key.clone(),
        size: meta.size,
        modified: meta.modified,
    }
}

fn not_found() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "object_not_found",
        "the object does not exist",
    )
}

/// Runs a step that must not be broken off when the caller goes away. It ends
/// by itself: time-outs of store and database bound it.
async fn to_the_end<T: Send + 'static>(
    step: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    match tokio::spawn(step).await {
        Ok(answer) => answer,
        Err(error) => Err(Error::internal("finish a change of objects", error)),
    }
}

#[async_trait::async_trait]
impl Blobs for BlobStore {
    async fn put(
        &self,
        scope: &PluginScope,
        bucket: &BucketName,
        source: &mut dyn ByteSource,
        options: PutOptions,
    ) -> Result<StoredObject> {
        let max_size = self.limit(scope.project, bucket, options.max_size).await?;
        let (key, mode) = match options.key {
            None => (uuid::Uuid::now_v7().to_string().parse()?, WriteMode::Fresh),
            Some(key) if options.create_only => (key, WriteMode::CreateOnly),
            Some(key) => (key, WriteMode::Replace),
        };
        let path = path(scope, bucket, &key)?;
        let reservation = Reservation::new(self.platform.clone(), scope.project);
        let intake = Intake {
            key,
            path,
            mode,
            expected_size: options.expected_size,
            max_size,
        };
        self.stores().take_in(intake, reservation, source).await
    }

    async fn put_part(
        &self,
        scope: &PluginScope,
        bucket: &BucketName,
        key: &ObjectKey,
        source: &mut dyn ByteSource,
        options: PartOptions,
    ) -> Result<StoredPart> {
        let max_size = self.limit(scope.project, bucket, options.max_size).await?;
        let reservation = Reservation::new(self.platform.clone(), scope.project);
        let intake = Intake {
            key: key.clone(),
            path: path(scope, bucket, key)?,
            mode: WriteMode::CreateOnly,
            expected_size: options.expected_size,
            max_size,
        };
        parts::put(self.stores(), intake, reservation, source, options.checksum).await
    }

    async fn join(
        &self,
        scope: &PluginScope,
        bucket: &BucketName,
        keys: &[ObjectKey],
        into: &ObjectKey,
    ) -> Result<StoredObject> {
        let max_size = self.limit(scope.project, bucket, None).await?;
        let paths = keys.iter().map(|key| path(scope, bucket, key));
        let mut source = parts::Chain::new(self.storage.clone(), paths.collect::<Result<_>>()?)?;
        let size = source.size().await?;
        let path = path(scope, bucket, into)?;
        let mut reservation = Reservation::new(self.platform.clone(), scope.project);
        reservation.double(size).await?;
        let intake = Intake {
            key: into.clone(),
            path,
            mode: WriteMode::CreateOnly,
            expected_size: Some(size),
            max_size,
        };
        let stores = self.stores();
        stores.take_in(intake, reservation, &mut source).await
    }

    async fn stat(
        &self,
        scope: &PluginScope,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<ObjectInfo> {
        self.bucket(scope.project, bucket).await?;
        let meta = self.storage.stat(&path(scope, bucket, key)?).await?;
        meta.map(|meta| info(key, meta)).ok_or_else(not_found)
    }

    async fn read(
        &self,
        scope: &PluginScope,
        bucket: &BucketName,
        key: &ObjectKey,
        range: Option<Range<u64>>,
    ) -> Result<ObjectBody> {
        self.bucket(scope.project, bucket).await?;
        let object = self.storage.read(&path(scope, bucket, key)?, range).await?;
        Ok(ObjectBody {
            info: info(key, object.meta),
            bytes: object.bytes,
        })
    }

    async fn delete(
        &self,
        scope: &PluginScope,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<bool> {
        self.bucket(scope.project, bucket).await?;
        let (platform, storage) = (self.platform.clone(), self.storage.clone());
        let path = path(scope, bucket, key)?;
        to_the_end(Self::delete_counted(platform, storage, scope.project, path)).await
    }

    async fn list(
        &self,
        scope: &PluginScope,
        bucket: &BucketName,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ObjectPage> {
        self.bucket(scope.project, bucket).await?;
        let root = PathPrefix::plugin(scope.project, bucket, &scope.plugin);
        let limit = limit.clamp(1, MAX_LIST);
        let page = self.storage.list(&root, prefix, cursor, limit).await?;
        let objects = page
            .entries
            .into_iter()
            // What others put into the store under odd names is not ours.
            .filter_map(|entry| Some(info(&entry.key.parse().ok()?, entry.meta)))
            .collect();
        Ok(ObjectPage {
            objects,
            next: page.next,
        })
    }

    async fn sign(
        &self,
        scope: &PluginScope,
        bucket: &BucketName,
        key: &ObjectKey,
        access: SignedAccess,
        valid_for: Duration,
    ) -> Result<String> {
        self.sign_link(scope, bucket, key, access, valid_for).await
    }

    async fn announce(
        &self,
        scope: &PluginScope,
        bucket: &BucketName,
        key: &ObjectKey,
        upload: Announced,
    ) -> Result<String> {
        self.announce_upload(scope, bucket, key, upload).await
    }

    async fn settle(
        &self,
        scope: &PluginScope,
        bucket: &BucketName,
        key: &ObjectKey,
        digest: bool,
    ) -> Result<Settled> {
        self.settle_upload(scope, bucket, key, digest).await
    }
}
