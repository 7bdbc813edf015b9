//! Objects in granted buckets. Bytes stream between client and store without
//! passing through the plugin, unless it reads them itself. Needs the grant
//! `blob:<bucket>`, or `blob:<bucket>:read`.

use crate::{Body, Result, body::Source, host};
use std::{ops::Range, time::Duration};

/// What is known of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Milliseconds since 1970, where the store says so.
    pub modified_ms: Option<u64>,
}

/// What a write answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The object.
    pub object: Object,
    /// SHA-256 of the bytes, hexadecimal.
    pub sha256: String,
    /// The first 512 bytes at most, to tell the type by.
    pub head: Vec<u8>,
}

/// How an object is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutOptions {
    /// The key to write; without one the host makes one.
    pub key: Option<String>,
    /// Refuse when the key exists, instead of replacing it.
    pub create_only: bool,
    /// The size, when it is known beforehand.
    pub expected_size: Option<u64>,
    /// Refuse more bytes than this.
    pub max_size: Option<u64>,
}

/// A part of an upload, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the bytes, hexadecimal.
    pub sha256: String,
    /// The first 512 bytes at most, to tell the type by.
    pub head: Vec<u8>,
    /// Whether its source came to its end.
    pub complete: bool,
}

/// What the bytes of a part must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// 20 bytes.
    Sha1(Vec<u8>),
    /// 32 bytes.
    Sha256(Vec<u8>),
}

/// How a part is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartOptions {
    /// The size, when it is known beforehand.
    pub expected_size: Option<u64>,
    /// Refuse more bytes than this.
    pub max_size: Option<u64>,
    /// With one, a source that breaks off leaves nothing.
    pub checksum: Option<Checksum>,
}

/// An upload that is announced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// The type that the upload must state.
    pub content_type: Option<String>,
    /// Its size, when it is known: then it may go straight to the store, which
    /// takes exactly so much, and is set aside in the project's storage.
    pub size: Option<u64>,
    /// The most bytes it may have, when its size is not known.
    pub max_size: u64,
}

/// An upload that came by its link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the bytes, hexadecimal, when it was asked for.
    pub sha256: Option<String>,
}

/// Objects in the order of their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The objects.
    pub objects: Vec<Object>,
    /// Where the next page starts, when there is one.
    pub next: Option<String>,
}

/// The plugin's part of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket<'a>(&'a str);

/// The plugin's part of the bucket of that name.
#[must_use]
pub const fn bucket(name: &str) -> Bucket<'_> {
    Bucket(name)
}

impl Bucket<'_> {
    /// Writes an object from a stream to its end; it is there whole or not at
    /// all. The body must not have been read before.
    ///
    /// # Errors
    /// `quota_exceeded`, `object_too_large`, `object_exists`,
    /// `upload_interrupted`, `invalid_object_key`, `not_granted`.
    pub fn put(self, mut body: Body, options: &PutOptions) -> Result<Stored> {
        Ok(match body.source()? {
            Source::Stream(stream) => host::blob_put(self.0, stream, options)?,
            Source::Bytes(bytes) => host::blob_put_bytes(self.0, &bytes, options)?,
        })
    }

    /// Writes an object from memory.
    ///
    /// # Errors
    /// As [`Bucket::put`].
    pub fn put_bytes(self, bytes: &[u8], options: &PutOptions) -> Result<Stored> {
        Ok(host::blob_put_bytes(self.0, bytes, options)?)
    }

    /// Writes a part of an upload under a key that must be free. Should the
    /// body break off, or this plugin be gone before its end, then the bytes
    /// that came are kept: look for them with [`Bucket::stat`]. The body must
    /// not have been read before.
    ///
    /// # Errors
    /// As [`Bucket::put`], and `checksum_mismatch`.
    pub fn put_part(self, key: &str, mut body: Body, options: &PartOptions) -> Result<Part> {
        let stream = match body.source()? {
            Source::Stream(stream) => stream,
            Source::Bytes(bytes) => host::InputStream::from_bytes(bytes)?,
        };
        Ok(host::blob_put_part(self.0, key, stream, options)?)
    }

    /// Puts objects together into a new one under the key `into`, which must
    /// be free, in the order given; 10,000 at most. They stay: delete them
    /// once the new one is written down.
    ///
    /// # Errors
    /// `object_not_found`, and as [`Bucket::put`].
    pub fn join(self, keys: &[String], into: &str) -> Result<Stored> {
        Ok(host::blob_join(self.0, keys, into)?)
    }

    /// What is known of an object.
    ///
    /// # Errors
    /// `object_not_found`, `not_granted`.
    pub fn stat(self, key: &str) -> Result<Object> {
        Ok(host::blob_stat(self.0, key)?)
    }

    /// Opens an object, or a part of it, for reading by the plugin.
    ///
    /// # Errors
    /// `object_not_found`, `invalid_range`, `not_granted`.
    pub fn read(self, key: &str, range: Option<Range<u64>>) -> Result<Body> {
        Ok(Body::from_stream(host::blob_read(self.0, key, range)?))
    }

    /// The object, or a part of it, as the body of an answer: the host
    /// streams it once the handler has returned.
    #[must_use]
    pub fn serve(self, key: impl Into<String>, range: Option<Range<u64>>) -> Served {
        Served {
            bucket: self.0.to_owned(),
            key: key.into(),
            range,
            #[cfg(target_family = "wasm")]
            attach: host::blob_serve,
        }
    }

    /// Deletes an object; whether it was there.
    ///
    /// # Errors
    /// `not_granted`.
    pub fn delete(self, key: &str) -> Result<bool> {
        Ok(host::blob_delete(self.0, key)?)
    }

    /// Objects whose keys start with `prefix`.
    ///
    /// # Errors
    /// `not_granted`.
    pub fn list(self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        Ok(host::blob_list(self.0, prefix, cursor, limit)?)
    }

    /// A link that lets anyone who has it read the object for a while, with
    /// that `Content-Type` and `Content-Disposition`.
    ///
    /// # Errors
    /// `object_not_found`, `not_granted`.
    pub fn sign_read(
        self,
        key: &str,
        content_type: Option<&str>,
        disposition: Option<&str>,
        valid_for: Duration,
    ) -> Result<String> {
        Ok(host::blob_sign_read(
            self.0,
            key,
            content_type,
            disposition,
            seconds(valid_for),
        )?)
    }

    /// A link that lets anyone who has it write the object for a while.
    ///
    /// # Errors
    /// `not_granted`.
    pub fn sign_write(
        self,
        key: &str,
        content_type: Option<&str>,
        max_size: u64,
        valid_for: Duration,
    ) -> Result<String> {
        Ok(host::blob_sign_write(
            self.0,
            key,
            content_type,
            max_size,
            seconds(valid_for),
        )?)
    }

    /// A link that lets anyone who has it send the object of that key, which
    /// must be new, with one `PUT`: straight to the store where that can be
    /// told how much may come. What comes is an object once it is
    /// [settled](Bucket::settle), and swept when nobody does so.
    ///
    /// # Errors
    /// `quota_exceeded`, `object_too_large`, `object_exists`,
    /// `too_many_uploads`, `not_granted`.
    pub fn announce(self, key: &str, announced: &Announced, valid_for: Duration) -> Result<String> {
        Ok(host::blob_announce(
            self.0,
            key,
            announced,
            seconds(valid_for),
        )?)
    }

    /// Makes an object of what came by such a link, and ends the link: what
    /// comes by it later changes nothing. Asked again it answers the same.
    /// With `digest` it answers the sum of the bytes, which the host may have
    /// to read for it.
    ///
    /// # Errors
    /// `object_not_found` when nothing has come; `upload_busy` (409) while
    /// another call does it; `object_too_large`, `not_granted`.
    pub fn settle(self, key: &str, digest: bool) -> Result<Settled> {
        Ok(host::blob_settle(self.0, key, digest)?)
    }
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

/// An object that the host is to stream as the body of an answer.
#[derive(Clone, Debug)]
pub struct Served {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) range: Option<Range<u64>>,
    /// The host's function, kept here so that only plugins that serve objects
    /// import it.
    #[cfg(target_family = "wasm")]
    pub(crate) attach: host::AttachObject,
}

impl Served {
    /// Reads what would be served.
    ///
    /// # Errors
    /// As [`Bucket::read`].
    pub fn read(&self) -> Result<Body> {
        bucket(&self.bucket).read(&self.key, self.range.clone())
    }
}
