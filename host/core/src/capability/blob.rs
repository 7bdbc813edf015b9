//! Objects in buckets. Bytes move in chunks between client and store; a
//! guest sees them only when it reads them itself.

use super::PluginScope;
use crate::{BucketName, Digest, Error, Result};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use std::{fmt, ops::Range, str::FromStr, sync::Arc, time::Duration};
use time::OffsetDateTime;

/// How many of an object's first bytes `put` gives back, for sniffing.
pub const HEAD_BYTES: usize = 512;
/// Most objects that one `list` returns.
pub const MAX_LIST: usize = 1_000;

/// Most objects that one `join` puts together.
pub const MAX_PARTS: usize = 10_000;

/// Bytes on their way.
pub type ByteStream = BoxStream<'static, Result<Bytes>>;

/// A source of bytes that is borrowed while it is read.
#[async_trait]
pub trait ByteSource: Send {
    /// The next chunk; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>>;
}

/// The key of an object within a plugin's part of a bucket: plain segments
/// separated by `/`, nothing that any store could read as something else.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey(Arc<str>);

impl ObjectKey {
    /// Longest key, bytes.
    pub const MAX_BYTES: usize = 512;

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ObjectKey {
    type Err = Error;

    /// Refuses empty keys, `.`, `..` and empty segments, control characters,
    /// backslashes, blanks around a segment, and everything outside printable
    /// ASCII: names given by people belong into the database.
    fn from_str(text: &str) -> Result<Self> {
        let refuse = |why: &str| {
            Err(Error::invalid(
                "invalid_object_key",
                format!("object key {why}"),
            ))
        };
        if text.is_empty() || text.len() > Self::MAX_BYTES {
            return refuse("must have 1 to 512 bytes");
        }
        if !text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' ')
        {
            return refuse("may only have printable ASCII characters");
        }
        if text.contains(['\\', '%', '?', '#', '*', '"', '<', '>', '|', ':']) {
            return refuse("may not have any of \\ % ? # * \" < > | :");
        }
        for segment in text.split('/') {
            if segment.is_empty() {
                return refuse("may not have empty segments");
            }
            if segment == "." || segment == ".." || segment.ends_with('.') {
                return refuse("may not have a segment that ends with a dot");
            }
            if segment.trim() != segment {
                return refuse("may not have blanks around a segment");
            }
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is known of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its key.
    pub key: ObjectKey,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, where the store says so.
    pub modified: Option<OffsetDateTime>,
}

/// What `put` answers.
#[derive(Clone, Debug)]
pub struct StoredObject {
    /// The object.
    pub info: ObjectInfo,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
    /// Its first [`HEAD_BYTES`] bytes at most.
    pub head: Bytes,
}

/// How an object is written.
#[derive(Clone, Debug, Default)]
pub struct PutOptions {
    /// Its key; without one the host makes one (a UUIDv7).
    pub key: Option<ObjectKey>,
    /// Refuse when the key exists (`object_exists`), instead of replacing it.
    pub create_only: bool,
    /// The size, when known beforehand: reserved in the quota at once.
    pub expected_size: Option<u64>,
    /// Refuse more bytes than this (`object_too_large`).
    pub max_size: Option<u64>,
}

/// What the bytes of a part must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// 20 bytes.
    Sha1(Vec<u8>),
    /// 32 bytes.
    Sha256(Vec<u8>),
}

/// How a part of an upload is written.
#[derive(Clone, Debug, Default)]
pub struct PartOptions {
    /// The size, when known beforehand: reserved in the quota at once.
    pub expected_size: Option<u64>,
    /// Refuse more bytes than this (`object_too_large`).
    pub max_size: Option<u64>,
    /// Refuse other bytes than these (`checksum_mismatch`), and those of a
    /// source that breaks off.
    pub checksum: Option<Checksum>,
}

/// A part that was written.
#[derive(Clone, Debug)]
pub struct StoredPart {
    /// The object.
    pub object: StoredObject,
    /// Whether its source came to its end.
    pub complete: bool,
}

/// An object and its bytes.
pub struct ObjectBody {
    /// The object.
    pub info: ObjectInfo,
    /// The bytes asked for.
    pub bytes: ByteStream,
}

/// One page of objects.
#[derive(Clone, Debug, Default)]
pub struct ObjectPage {
    /// Objects in key order.
    pub objects: Vec<ObjectInfo>,
    /// Where the next page starts, when there is one.
    pub next: Option<String>,
}

/// What a signed link allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedAccess {
    /// `GET` of the object.
    Read {
        /// Value of the answer's `Content-Disposition`.
        disposition: Option<String>,
        /// Value of the answer's `Content-Type`.
        content_type: Option<String>,
    },
    /// `PUT` of the object.
    Write {
        /// The type that the upload must state.
        content_type: Option<String>,
        /// The most bytes it may have.
        max_size: u64,
    },
}

/// An upload that is announced and comes by a link that is good for one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// The type that the upload must state.
    pub content_type: Option<String>,
    /// Its size, where it is known beforehand: then it may go straight to the
    /// store, and is set aside in the quota at once.
    pub size: Option<u64>,
    /// The most bytes it may have.
    pub max_size: u64,
    /// How long the link is good.
    pub valid_for: Duration,
}

/// An upload that came by such a link.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The object.
    pub info: ObjectInfo,
    /// SHA-256 of its bytes, when it was asked for.
    pub sha256: Option<Digest>,
}

/// Objects in the buckets of a project. Each plugin has a part of its own in
/// every bucket; quota is enforced underneath.
///
/// Codes: `object_not_found`, `object_exists`, `object_too_large`,
/// `quota_exceeded` (with `limit_bytes`, `used_bytes`, `requested_bytes`),
/// `invalid_object_key`, `upload_interrupted`, `checksum_mismatch`.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Writes an object from `source`; it is visible whole or not at all.
    async fn put(
        &self,
        scope: &PluginScope,
        bucket: &BucketName,
        source: &mut dyn ByteSource,
        options: PutOptions,
    ) -> Result<StoredObject>;

    /// Writes a part of an upload under a key that must be free. When the
    /// source breaks off, or this future is dropped, what came before is kept.
    async fn put_part(
        &self,
        scope: &PluginScope,
        bucket: &BucketName,
        key: &ObjectKey,
        source: &mut dyn ByteSource,
        options: PartOptions,
    ) -> Result<StoredPart>;

    /// Puts objects together into a new one under a key that must be free,
    /// in the order given; [`MAX_PARTS`] at most. They stay, and while both
    /// are there both count: for this alone a project may go beyond its
    /// limit, by as much again.
    async fn join(
        &self,
        scope: &PluginScope,
        bucket: &BucketName,
        keys: &[ObjectKey],
        into: &ObjectKey,
    ) -> Result<StoredObject>;

    /// What is known of an object, without its bytes.
    async fn stat(
        &self,
        scope: &PluginScope,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<ObjectInfo>;

    /// Opens an object, or the part of it in `range`, whose end may not lie
    /// beyond the object's.
    async fn read(
        &self,
        scope: &PluginScope,
        bucket: &BucketName,
        key: &ObjectKey,
        range: Option<Range<u64>>,
    ) -> Result<ObjectBody>;

    /// Deletes an object and gives its bytes back to the quota; whether it
    /// was there.
    async fn delete(
        &self,
        scope: &PluginScope,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<bool>;

    /// Objects whose keys start with `prefix`.
    async fn list(
        &self,
        scope: &PluginScope,
        bucket: &BucketName,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ObjectPage>;

    /// A link that allows one kind of access to one object for a while.
    async fn sign(
        &self,
        scope: &PluginScope,
        bucket: &BucketName,
        key: &ObjectKey,
        access: SignedAccess,
        valid_for: Duration,
    ) -> Result<String>;

    /// A link by which one upload comes, for a key that nothing has or gets
    /// otherwise. What came becomes an object when it is settled; what comes
    /// by the link later is nobody's, and what is not settled is swept.
    async fn announce(
        &self,
        scope: &PluginScope,
        bucket: &BucketName,
        key: &ObjectKey,
        upload: Announced,
    ) -> Result<String>;

    /// Makes an object of an announced upload whose bytes have come, and ends
    /// its link. Asked again, it answers the same; `object_not_found` when
    /// nothing has come, `upload_busy` (409) while another call settles it.
    /// With `digest` it answers the sum of the bytes, for which it may have
    /// to read them.
    async fn settle(
        &self,
        scope: &PluginScope,
        bucket: &BucketName,
        key: &ObjectKey,
        digest: bool,
    ) -> Result<Settled>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubtful_object_keys_are_refused() {
        for key in [
            "", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", " a", "a ", "a/ b", "a\\b",
            "a\nb", "a\0b", "ä", "a%2e", "a?b", "a.", "C:",
        ] {
            assert!(key.parse::<ObjectKey>().is_err(), "{key:?} was accepted");
        }
        for key in ["a", "a/b.txt", "0192-x/y z"] {
            assert!(key.parse::<ObjectKey>().is_ok(), "{key:?} was refused");
        }
    }
}
