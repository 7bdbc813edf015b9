//! Announced uploads: each comes by a link of its own, straight to the store
//! where that can be told how much may come, by this host otherwise.
//!
//! What goes straight to the store is set aside in the project's storage when
//! it is announced, and comes to a place apart from all objects. Settling it
//! copies it within the store to where it belongs, so that nobody who still
//! has the link can change it, and counts it. What comes by this host is an
//! object at once, written once, and its link is dead when it is settled.
//! What nobody settles is swept here; objects that came by this host are their
//! plugin's to sweep.

use super::{BlobStore, info, links, not_found, path, to_the_end};
use atlashub_core::{
    BucketName, Digest, Error, ErrorKind, Result,
    capability::{
        PluginScope,
        blob::{Announced, ObjectKey, Settled, SignedAccess},
    },
};
use atlashub_data::platform::{DirectUpload, NewDirectUpload, Platform};
use atlashub_storage::{MAX_STRAIGHT_BYTES, ObjectMeta, ObjectPath, Storage};
use futures::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use std::time::Duration;

/// How long a claim lasts that is not renewed.
const CLAIM: Duration = Duration::from_secs(60);
/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(15);
/// Uploads that one sweep looks at.
const SWEPT_AT_ONCE: u64 = 500;

impl BlobStore {
    pub(super) async fn announce_upload(
        &self,
        scope: &PluginScope,
        bucket: &BucketName,
        key: &ObjectKey,
        announced: Announced,
    ) -> Result<String> {
        let wanted = announced.size.unwrap_or(announced.max_size);
        let most = self.limit(scope.project, bucket, Some(wanted)).await?;
        let most = most.unwrap_or(wanted);
        if announced.size.is_some_and(|size| size > most) {
            return Err(too_large(most));
        }
        let valid_for = links::check_time(announced.valid_for)?;
        links::check_header(announced.content_type.as_deref())?;
        path(scope, bucket, key)?;
        let straight = announced
            .size
            .filter(|size| (1..=MAX_STRAIGHT_BYTES).contains(size))
            .filter(|_| self.storage.capabilities().straight_uploads);
        let upload = NewDirectUpload {
            scope: scope.clone(),
            bucket: bucket.clone(),
            key: key.clone(),
            max_bytes: most,
            is_straight: straight.is_some(),
            valid_for,
        };
        let id = self.platform.direct_uploads().announce(&upload).await?;
        if let Some(size) = straight {
            let incoming = ObjectPath::incoming(scope.project, &id)?;
            let content_type = announced.content_type.as_deref();
            let link = self
                .storage
                .presign_upload(&incoming, size, content_type, valid_for);
            return link
                .await?
                .ok_or_else(|| Error::internal("sign a link", "the store signs none"));
        }
        let access = SignedAccess::Write {
            content_type: announced.content_type,
            max_size: most,
        };
        self.sign_here(scope, bucket, key, access, valid_for)
    }

    pub(super) async fn settle_upload(
        &self,
        scope: &PluginScope,
        bucket: &BucketName,
        key: &ObjectKey,
        digest: bool,
    ) -> Result<Settled> {
        self.bucket(scope.project, bucket).await?;
        let path = path(scope, bucket, key)?;
        let uploads = self.platform.direct_uploads();
        let mut known = None;
        if let Some(upload) = uploads.find(scope, bucket, key).await? {
            known = upload.sha256;
            if upload.is_straight && !upload.is_settled {
                match self.settle_straight(upload, path.clone(), digest).await {
                    Ok((meta, sha256)) => {
                        let info = info(key, meta);
                        return Ok(Settled { info, sha256 });
                    }
                    Err(error) if error.kind() == ErrorKind::NotFound => {
                        // Another call may have settled it since it was found.
                        match uploads.find(scope, bucket, key).await? {
                            Some(later) if later.is_settled => known = later.sha256,
                            _ => return Err(error),
                        }
                    }
                    Err(error) => return Err(error),
                }
            } else if !upload.is_settled && self.storage.stat(&path).await?.is_some() {
                match uploads.settle(&upload, 0, None).await {
                    // Another call was faster.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    settled => settled?,
                }
            }
        }
        let meta = self.storage.stat(&path).await?.ok_or_else(not_found)?;
        let sha256 = match (digest, known) {
            (true, None) => Some(sum(&self.storage, &path).await?),
            (true, known) => known,
            (false, _) => None,
        };
        let info = info(key, meta);
        Ok(Settled { info, sha256 })
    }

    /// Makes an object of what came straight to the store. Runs to its end
    /// once begun.
    async fn settle_straight(
        &self,
        upload: DirectUpload,
        path: ObjectPath,
        digest: bool,
    ) -> Result<(ObjectMeta, Option<Digest>)> {
        let incoming = ObjectPath::incoming(upload.scope.project, &upload.id)?;
        if upload.reservation.is_none() || self.storage.stat(&incoming).await?.is_none() {
            return Err(not_found());
        }
        if !self
            .platform
            .direct_uploads()
            .claim(upload.id, CLAIM)
            .await?
        {
            return Err(Error::conflict(
                "upload_busy",
                "another request is making an object of the upload, ask again",
            ));
        }
        let (platform, storage) = (self.platform.clone(), self.storage.clone());
        to_the_end(async move {
            let work = settle_claimed(&platform, &storage, &upload, &path, digest);
            let mut work = std::pin::pin!(work);
            let outcome = loop {
                tokio::select! {
                    outcome = &mut work => break outcome,
                    () = tokio::time::sleep(RENEWAL) => {
                        let renewed = platform.direct_uploads().renew(upload.id, CLAIM).await;
                        if let Err(error) = renewed {
                            tracing::warn!(%error, "the claim of an upload was not renewed");
                        }
                    }
                }
            };
            if outcome.is_err() {
                platform.direct_uploads().give_up(upload.id).await?;
            }
            outcome
        })
        .await
    }

    /// Looks at announced uploads whose links are no longer good: gives back
    /// what is set aside for those that did not come, and deletes what came
    /// and was never settled, or too late. How many were forgotten.
    ///
    /// # Errors
    /// When the store or the database fails; what was done before stays so.
    pub async fn sweep_announced(&self) -> Result<u64> {
        let uploads = self.platform.direct_uploads();
        let mut forgotten = 0;
        for upload in uploads.due(SWEPT_AT_ONCE).await? {
            let incoming = ObjectPath::incoming(upload.scope.project, &upload.id)?;
            let is_open = upload.is_straight && !upload.is_settled;
            if is_open && !upload.is_over {
                if self.storage.stat(&incoming).await?.is_none() {
                    uploads.cancel(&upload).await?;
                }
                // What came may still be settled; what did not may be on its
                // way still.
                uploads.look_later(upload.id).await?;
                continue;
            }
            if upload.is_straight {
                self.storage.delete(&incoming).await?;
            }
            if is_open && upload.was_claimed {
                // Copied, and not counted.
                let copy = path(&upload.scope, &upload.bucket, &upload.key)?;
                self.storage.delete(&copy).await?;
            }
            uploads.forget(&upload).await?;
            forgotten += 1;
        }
        Ok(forgotten)
    }
}

/// Copies an upload to where it belongs and counts it. The object comes before
/// its row; a kill between both leaves what the next call does again, or the
/// sweep takes away.
async fn settle_claimed(
    platform: &Platform,
    storage: &Storage,
    upload: &DirectUpload,
    path: &ObjectPath,
    digest: bool,
) -> Result<(ObjectMeta, Option<Digest>)> {
    let uploads = platform.direct_uploads();
    let incoming = ObjectPath::incoming(upload.scope.project, &upload.id)?;
    storage.duplicate(&incoming, path).await?;
    // The copy, since the link may write the other again meanwhile.
    let meta = storage.stat(path).await?.ok_or_else(not_found)?;
    if meta.size > upload.max_bytes {
        // A store that does not hold to what was signed.
        storage.delete(path).await?;
        storage.delete(&incoming).await?;
        uploads.cancel(upload).await?;
        return Err(too_large(upload.max_bytes));
    }
    let sha256 = match digest {
        true => Some(sum(storage, path).await?),
        false => None,
    };
    uploads.settle(upload, meta.size, sha256).await?;
    // The sweep does it otherwise.
    if let Err(error) = storage.delete(&incoming).await {
        tracing::warn!(%error, "failed to delete what an object was made of");
    }
    Ok((meta, sha256))
}

/// SHA-256 of an object's bytes.
async fn sum(storage: &Storage, path: &ObjectPath) -> Result<Digest> {
    let mut bytes = storage.read(path, None).await?.bytes;
    let mut sum = Sha256::new();
    while let Some(chunk) = bytes.try_next().await? {
        sum.update(&chunk);
    }
    Ok(Digest::from_bytes(sum.finalize().into()))
}

fn too_large(limit: u64) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        "object_too_large",
        format!("the object may have {limit} bytes at most"),
    )
    .with_field("limit_bytes", limit)
}
