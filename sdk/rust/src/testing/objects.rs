//! Buckets in memory, with one quota over all of them.

use crate::{
    blob::{Announced, Checksum, Object, PutOptions, Settled, Stored},
    host::{HostError, HostResult},
};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

/// How many of an object's first bytes a write answers.
const HEAD: usize = 512;

#[derive(Default)]
pub(super) struct Objects {
    /// By bucket and key.
    objects: BTreeMap<(String, String), Vec<u8>>,
    /// Whose links are good for nothing any more.
    settled: BTreeSet<(String, String)>,
    /// The most bytes of all together.
    pub(super) limit: Option<u64>,
    made: u64,
}

fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn sum(bytes: &[u8]) -> String {
    let sum = Sha256::digest(bytes);
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Objects {
    fn check_room(&self, requested: u64) -> HostResult<()> {
        let used: u64 = self.objects.values().map(|bytes| size(bytes)).sum();
        let Some(limit) = self.limit.filter(|limit| used + requested > *limit) else {
            return Ok(());
        };
        let details = serde_json::json!({
            "limit_bytes": limit, "used_bytes": used, "requested_bytes": requested,
        });
        Err(HostError {
            details: Some(details.to_string()),
            ..HostError::new("quota_exceeded", "the project's storage is full")
        })
    }

    /// As for a store that sets aside what is announced, and forgets it.
    pub(super) fn announce(
        &self,
        bucket: &str,
        key: &str,
        announced: &Announced,
    ) -> HostResult<()> {
        if self.stat(bucket, key).is_ok() {
            return Err(HostError::new(
                "object_exists",
                "there is such an object already",
            ));
        }
        self.check_room(announced.size.unwrap_or(0))
    }

    /// What the link of an announced upload does.
    pub(super) fn arrive(&mut self, bucket: &str, key: &str, bytes: Vec<u8>) -> HostResult<()> {
        let place = (bucket.to_owned(), key.to_owned());
        if self.settled.contains(&place) || self.objects.contains_key(&place) {
            return Err(HostError::new(
                "link_used",
                "the link is good for one upload, which has come",
            ));
        }
        self.check_room(size(&bytes))?;
        self.objects.insert(place, bytes);
        Ok(())
    }

    pub(super) fn settle(&mut self, bucket: &str, key: &str, digest: bool) -> HostResult<Settled> {
        let bytes = self.get(bucket, key)?;
        let settled = Settled {
            size: size(bytes),
            sha256: digest.then(|| sum(bytes)),
        };
        self.settled.insert((bucket.to_owned(), key.to_owned()));
        Ok(settled)
    }

    pub(super) fn put(
        &mut self,
        bucket: &str,
        bytes: Vec<u8>,
        options: &PutOptions,
    ) -> HostResult<Stored> {
        let requested = size(&bytes);
        if options.max_size.is_some_and(|max| requested > max) {
            return Err(HostError::new(
                "object_too_large",
                "the object is too large",
            ));
        }
        self.check_room(requested)?;
        self.made += 1;
        let key = options
            .key
            .clone()
            .unwrap_or_else(|| format!("0190a6a8-0000-7000-9000-{:012x}", self.made));
        let place = (bucket.to_owned(), key.clone());
        if options.create_only && self.objects.contains_key(&place) {
            return Err(HostError::new(
                "object_exists",
                "there is such an object already",
            ));
        }
        let sha256 = sum(&bytes);
        let head = bytes.iter().take(HEAD).copied().collect();
        self.objects.insert(place, bytes);
        Ok(Stored {
            object: Object {
                key,
                size: requested,
                modified_ms: None,
            },
            sha256,
            head,
        })
    }

    /// Whether the bytes are those of the checksum.
    pub(super) fn fits(bytes: &[u8], checksum: &Checksum) -> bool {
        match checksum {
            Checksum::Sha1(wanted) => Sha1::digest(bytes).as_slice() == wanted,
            Checksum::Sha256(wanted) => Sha256::digest(bytes).as_slice() == wanted,
        }
    }

    fn get(&self, bucket: &str, key: &str) -> HostResult<&Vec<u8>> {
        self.objects
            .get(&(bucket.to_owned(), key.to_owned()))
            .ok_or_else(|| HostError::new("object_not_found", "there is no such object"))
    }

    pub(super) fn stat(&self, bucket: &str, key: &str) -> HostResult<Object> {
        let bytes = self.get(bucket, key)?;
        Ok(Object {
            key: key.to_owned(),
            size: size(bytes),
            modified_ms: None,
        })
    }

    pub(super) fn read(
        &self,
        bucket: &str,
        key: &str,
        range: Option<Range<u64>>,
    ) -> HostResult<Vec<u8>> {
        let bytes = self.get(bucket, key)?;
        let Some(range) = range else {
            return Ok(bytes.clone());
        };
        let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        bytes
            .get(index(range.start)..index(range.end))
            .map(<[u8]>::to_vec)
            .ok_or_else(|| HostError::new("invalid_range", "the range ends beyond the object"))
    }

    pub(super) fn delete(&mut self, bucket: &str, key: &str) -> bool {
        self.objects
            .remove(&(bucket.to_owned(), key.to_owned()))
            .is_some()
    }

    pub(super) fn keys(&self, bucket: &str) -> Vec<String> {
        self.objects
            .keys()
            .filter(|(own, _)| own == bucket)
            .map(|(_, key)| key.clone())
            .collect()
    }
}
