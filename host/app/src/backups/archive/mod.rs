//! An archive: one file, encrypted and authenticated throughout.
//!
//! It begins with a magic word, the id of the key and a salt. From key and
//! salt comes a key of the archive's own, under which what follows is sealed
//! in chunks with AES-256-GCM (NIST SP 800-38D); a chunk's nonce is its number
//! and whether it is the last, and the beginning is authenticated with each:
//! no chunk can be changed, moved, left out or taken from another archive, and
//! the end cannot be cut off (the STREAM construction of Hoang, Reyhanitabar,
//! Rogaway and Vizár).
//!
//! Within are frames: what the archive is about, then parts, each with its
//! bytes, their number and their SHA-256, then a manifest with the number of
//! parts and bytes and a SHA-256 over all parts' ends. Nothing is held in
//! memory but a chunk or two, however large it is.

mod read;
mod write;

pub(super) use read::{ArchiveReader, Event, PartSource};
pub(super) use write::{ArchiveWriter, Sent, SentSource};

use aes_gcm::{Aes256Gcm, Key, KeyInit as _};
use atlashub_core::{Error, ErrorKind, ProjectId, Result, token};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::sync::Arc;
use time::OffsetDateTime;
use uuid::Uuid;

/// What an archive begins with: the format and its version.
const MAGIC: &[u8; 8] = b"ATLASHB1";
/// Bytes that are sealed at once.
const CHUNK: usize = 256 * 1024;
/// Bytes by which a sealed chunk is longer.
const TAG: usize = 16;
const KEY_ID: usize = 16;
const SALT: usize = 32;
/// Bytes before the first chunk.
const HEAD: usize = MAGIC.len() + KEY_ID + SALT;
/// Longest frame of text, bytes.
const MAX_TEXT: usize = 64 * 1024;

/// Kinds of frames.
const ABOUT: u8 = 1;
const PART: u8 = 2;
const DATA: u8 = 3;
const PART_END: u8 = 4;
const MANIFEST: u8 = 5;

/// What an archive is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct About {
    /// The format of what is within.
    pub(super) format: u32,
    /// The backup's id.
    pub(super) backup: Uuid,
    /// `sqlite` or `postgres`.
    pub(super) engine: String,
    /// The platform's migrations that its rows are of.
    pub(super) schema: Vec<String>,
    /// The version that made it.
    pub(super) version: String,
    /// The id of the master key that secrets in it were sealed with.
    pub(super) master_key: String,
    /// The project; `None` for the platform.
    pub(super) project: Option<AboutProject>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub(super) created_at: OffsetDateTime,
}

/// What can be told of an archive without reading it whole.
#[derive(Clone, Debug)]
pub struct ArchiveFacts {
    /// The backup's id.
    pub backup: Uuid,
    /// The project's slug; `None` for the platform.
    pub project: Option<String>,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// Which project an archive is of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct AboutProject {
    /// Its id.
    pub(super) id: ProjectId,
    /// The id that its data lay under.
    pub(super) location: ProjectId,
    /// Its name in addresses.
    pub(super) slug: String,
    /// Its display name.
    pub(super) name: String,
}

/// The format of what is within that this version writes and reads.
pub(super) const FORMAT: u32 = 1;

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PartKind {
    /// Rows of a table of the platform, one JSON document a line.
    Rows,
    /// A part of the project's database.
    Database,
    /// A component's bytes.
    Component,
    /// An object.
    Object,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PartHead {
    pub(super) kind: PartKind,
    pub(super) name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PartEnd {
    bytes: u64,
    sha256: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    parts: u64,
    bytes: u64,
    sha256: String,
}

/// The keys of archives: the first seals, any opens.
#[derive(Clone)]
pub struct ArchiveKeys(Arc<[[u8; 32]]>);

impl std::fmt::Debug for ArchiveKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ArchiveKeys({})", self.0.len())
    }
}

impl ArchiveKeys {
    /// The keys as they are; there must be one at least.
    #[must_use]
    pub fn new(keys: Vec<[u8; 32]>) -> Self {
        Self(keys.into())
    }

    /// Reads keys written as base64, 32 bytes each, separated by commas.
    ///
    /// # Errors
    /// `invalid_backup_key`.
    pub fn from_base64(text: &str) -> Result<Self> {
        let keys = text.split(',').map(|key| {
            let bytes = STANDARD.decode(key.trim()).ok();
            bytes
                .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
                .ok_or_else(|| {
                    Error::invalid("invalid_backup_key", "a backup key is 32 bytes in base64")
                })
        });
        Ok(Self::new(keys.collect::<Result<_>>()?))
    }

    fn first(&self) -> Result<&[u8; 32]> {
        self.0
            .first()
            .ok_or_else(|| Error::internal("seal an archive", "there is no key"))
    }

    fn with_id(&self, id: &[u8]) -> Option<&[u8; 32]> {
        self.0.iter().find(|key| key_id(key).as_slice() == id)
    }
}

fn key_id(key: &[u8; 32]) -> [u8; KEY_ID] {
    let mac = hmac(key, b"atlashub/backup-key-id");
    let mut id = [0; KEY_ID];
    id.iter_mut().zip(mac).for_each(|(to, from)| *to = from);
    id
}

/// The key of one archive.
fn cipher(key: &[u8; 32], salt: &[u8]) -> Aes256Gcm {
    let mut purpose = b"atlashub/archive\0".to_vec();
    purpose.extend_from_slice(salt);
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(hmac(key, &purpose)))
}

fn hmac(key: &[u8; 32], text: &[u8]) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac =
        <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).expect("a key of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// The nonce of a chunk: used once, since every archive has its own key.
fn nonce(number: u64, last: bool) -> [u8; 12] {
    let mut nonce = [0; 12];
    let tail = number.to_be_bytes().into_iter().chain([u8::from(last)]);
    nonce
        .iter_mut()
        .skip(3)
        .zip(tail)
        .for_each(|(to, from)| *to = from);
    nonce
}

fn salt() -> Result<[u8; SALT]> {
    let mut salt = [0; SALT];
    token::fill(&mut salt)?;
    Ok(salt)
}

/// The error for an archive that is not what was written.
pub(super) fn damaged(why: impl std::fmt::Display) -> Error {
    Error::invalid("archive_damaged", format!("the archive is damaged: {why}"))
}

/// The error for an archive that this installation has no key for.
fn unknown_key() -> Error {
    Error::new(
        ErrorKind::Invalid,
        "archive_key_unknown",
        "the archive was sealed with a key that is not configured here: set ATLASHUB_BACKUP_KEY \
         or ATLASHUB_MASTER_KEY to what it was where the archive was made",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use bytes::Bytes;
    use futures::StreamExt as _;
    use tokio::sync::mpsc;

    fn about() -> About {
        About {
            format: FORMAT,
            backup: Uuid::now_v7(),
            engine: "sqlite".into(),
            schema: vec!["m0001".into()],
            version: "1".into(),
            master_key: "k".into(),
            project: None,
            created_at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    fn keys(byte: u8) -> ArchiveKeys {
        ArchiveKeys::new(vec![[byte; 32]])
    }

    async fn made(parts: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let (sender, mut receiver) = mpsc::channel(4);
        let parts: Vec<(String, Vec<u8>)> = parts
            .iter()
            .map(|(name, bytes)| ((*name).to_owned(), bytes.clone()))
            .collect();
        let writing = tokio::spawn(async move {
            let mut writer = ArchiveWriter::begin(&keys(1), sender, &about())
                .await
                .unwrap();
            for (name, bytes) in parts {
                writer.part(PartKind::Object, &name).await.unwrap();
                for chunk in bytes.chunks(100_000) {
                    writer.data(chunk).await.unwrap();
                }
                writer.end_part().await.unwrap();
            }
            writer.finish().await.unwrap();
        });
        let mut archive = Vec::new();
        while let Some(Sent::Bytes(bytes)) = receiver.recv().await {
            archive.extend_from_slice(&bytes);
        }
        writing.await.unwrap();
        archive
    }

    async fn read(archive: &[u8], keys: &ArchiveKeys) -> Result<Vec<(String, Vec<u8>)>> {
        let chunks: Vec<_> = archive
            .chunks(70_001)
            .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
            .collect();
        let source = futures::stream::iter(chunks).boxed();
        let (mut reader, about) = ArchiveReader::open(source, keys).await?;
        assert_eq!(about.engine, "sqlite");
        let mut found: Vec<(String, Vec<u8>)> = Vec::new();
        loop {
            match reader.next().await? {
                Event::Part(head) => found.push((head.name, Vec::new())),
                Event::Data(bytes) => found.last_mut().unwrap().1.extend_from_slice(&bytes),
                Event::PartEnd => {}
                Event::End => return Ok(found),
            }
        }
    }

    fn parts() -> Vec<(&'static str, Vec<u8>)> {
        let bytes = |count: usize| (0..=250).cycle().step_by(31).take(count).collect();
        vec![
            ("a", bytes(10)),
            ("b", bytes(700_000)),
            ("c", Vec::new()),
            ("d", bytes(5)),
        ]
    }

    #[tokio::test]
    async fn what_was_written_is_read() {
        let archive = made(&parts()).await;
        let found = read(&archive, &keys(1)).await.unwrap();
        let wanted: Vec<_> = parts()
            .into_iter()
            .map(|(n, b)| (n.to_owned(), b))
            .collect();
        assert!(found == wanted);
        assert!(!archive.windows(6).any(|window| window == b"sqlite"));
    }

    #[tokio::test]
    async fn another_key_is_told_apart_from_damage() {
        let archive = made(&parts()).await;
        let error = read(&archive, &keys(2)).await.unwrap_err();
        assert_eq!(error.code(), "archive_key_unknown");
        let several = ArchiveKeys::new(vec![[2; 32], [1; 32]]);
        assert!(read(&archive, &several).await.is_ok());
    }

    #[tokio::test]
    async fn every_length_but_the_whole_is_refused() {
        let archive = made(&parts()).await;
        let chunk = CHUNK + TAG;
        let mut lengths = vec![
            0,
            1,
            HEAD - 1,
            HEAD,
            HEAD + 1,
            HEAD + chunk,
            HEAD + 2 * chunk,
        ];
        lengths.extend([archive.len() - 1, archive.len() - TAG, HEAD + chunk - 1]);
        for length in lengths {
            assert!(
                read(&archive[..length], &keys(1)).await.is_err(),
                "{length}"
            );
        }
        let mut longer = archive.clone();
        longer.push(0);
        assert!(read(&longer, &keys(1)).await.is_err());
        let doubled: Vec<u8> = archive.iter().chain(&archive).copied().collect();
        assert!(read(&doubled, &keys(1)).await.is_err());
    }

    #[tokio::test]
    async fn a_changed_byte_is_noticed_wherever_it_is() {
        let archive = made(&parts()).await;
        for at in (0..archive.len()).step_by(9_973).chain(0..HEAD + 4) {
            let mut changed = archive.clone();
            changed[at] ^= 1;
            assert!(read(&changed, &keys(1)).await.is_err(), "{at}");
        }
    }

    #[tokio::test]
    async fn chunks_cannot_be_swapped_or_left_out() {
        let archive = made(&parts()).await;
        let chunk = CHUNK + TAG;
        let (head, rest) = archive.split_at(HEAD);
        let (first, rest) = rest.split_at(chunk);
        let (second, rest) = rest.split_at(chunk);
        for order in [
            [head, second, first, rest],
            [head, first, first, rest],
            [head, second, rest, b""],
        ] {
            assert!(read(&order.concat(), &keys(1)).await.is_err());
        }
        // Nor taken from another archive under the same key.
        let other = made(&parts()).await;
        let mixed = [&archive[..HEAD + chunk], &other[HEAD + chunk..]].concat();
        assert!(read(&mixed, &keys(1)).await.is_err());
    }
}
