//! Reading an archive: nothing is handed on that was not authenticated, and a
//! part's end only when its bytes are all there.

use super::{
    ABOUT, About, ArchiveKeys, CHUNK, DATA, FORMAT, HEAD, KEY_ID, MAGIC, MANIFEST, MAX_TEXT,
    Manifest, PART, PART_END, PartEnd, PartHead, TAG, cipher, damaged, nonce, unknown_key,
    write::hex,
};
use aes_gcm::{
    Aes256Gcm,
    aead::{Aead as _, Payload},
};
use async_trait::async_trait;
use atlashub_core::{
    Error, Result,
    capability::blob::{ByteSource, ByteStream},
};
use bytes::{Buf as _, Bytes, BytesMut};
use futures::TryStreamExt as _;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

/// What comes next in an archive.
#[derive(Debug)]
pub(in crate::backups) enum Event {
    /// A part begins.
    Part(PartHead),
    /// Bytes of the part.
    Data(Bytes),
    /// The part was whole.
    PartEnd,
    /// The archive was whole.
    End,
}

/// Reads an archive.
pub(in crate::backups) struct ArchiveReader {
    source: ByteStream,
    sealed: BytesMut,
    source_ended: bool,
    cipher: Aes256Gcm,
    head: Vec<u8>,
    number: u64,
    last_opened: bool,
    plain: BytesMut,
    part: Option<(Sha256, u64)>,
    parts: u64,
    bytes: u64,
    ends: Sha256,
    read: u64,
}

impl ArchiveReader {
    /// Opens an archive with that of `keys` that it was sealed with.
    ///
    /// # Errors
    /// `archive_unreadable` for what is none, `archive_key_unknown`,
    /// `archive_damaged`.
    pub(in crate::backups) async fn open(
        mut source: ByteStream,
        keys: &ArchiveKeys,
    ) -> Result<(Self, About)> {
        let mut sealed = BytesMut::new();
        while sealed.len() < HEAD {
            match source.try_next().await? {
                Some(bytes) => sealed.extend_from_slice(&bytes),
                None => return Err(unreadable("it is too short to be an archive")),
            }
        }
        let head = sealed.split_to(HEAD).to_vec();
        let rest = head
            .strip_prefix(MAGIC)
            .ok_or_else(|| unreadable("it is no archive, or one of a later version"))?;
        let (id, salt) = rest.split_at(KEY_ID);
        let key = keys.with_id(id).ok_or_else(unknown_key)?;
        let mut reader = Self {
            source,
            sealed,
            source_ended: false,
            cipher: cipher(key, salt),
            head,
            number: 0,
            last_opened: false,
            plain: BytesMut::new(),
            part: None,
            parts: 0,
            bytes: 0,
            ends: Sha256::new(),
            read: HEAD as u64,
        };
        let (kind, text) = reader.frame().await?;
        if kind != ABOUT {
            return Err(damaged("it does not say what it is about"));
        }
        let about: About = parse(&text)?;
        if about.format != FORMAT {
            return Err(unreadable("it is an archive of a later version"));
        }
        Ok((reader, about))
    }

    /// Bytes of the archive that were read.
    pub(in crate::backups) fn read(&self) -> u64 {
        self.read
    }

    /// What comes next. Nothing comes after [`Event::End`].
    ///
    /// # Errors
    /// `archive_damaged`, or what its source fails with.
    pub(in crate::backups) async fn next(&mut self) -> Result<Event> {
        let (kind, bytes) = self.frame().await?;
        match (kind, self.part.is_some()) {
            (PART, false) => {
                let head: PartHead = parse(&bytes)?;
                self.part = Some((Sha256::new(), 0));
                Ok(Event::Part(head))
            }
            (DATA, true) => {
                if let Some((hash, count)) = &mut self.part {
                    hash.update(&bytes);
                    *count += bytes.len() as u64;
                }
                Ok(Event::Data(bytes))
            }
            (PART_END, true) => {
                let end: PartEnd = parse(&bytes)?;
                let (hash, count) = self.part.take().unwrap_or_default();
                let found = PartEnd {
                    bytes: count,
                    sha256: hex(&hash.finalize()),
                };
                if end != found {
                    return Err(damaged("a part is not what was written"));
                }
                self.parts += 1;
                self.bytes += count;
                self.ends.update(found.sha256.as_bytes());
                Ok(Event::PartEnd)
            }
            (MANIFEST, false) => self.end(&bytes).await,
            _ => Err(damaged("its frames are out of order")),
        }
    }

    async fn end(&mut self, text: &[u8]) -> Result<Event> {
        let manifest: Manifest = parse(text)?;
        let found = Manifest {
            parts: self.parts,
            bytes: self.bytes,
            sha256: hex(&std::mem::take(&mut self.ends).finalize()),
        };
        if manifest != found {
            return Err(damaged("its manifest speaks of other parts"));
        }
        if !self.plain.is_empty() || self.fill().await? {
            return Err(damaged("something comes after its end"));
        }
        Ok(Event::End)
    }

    /// The next frame.
    async fn frame(&mut self) -> Result<(u8, Bytes)> {
        while self.plain.len() < 5 {
            self.need().await?;
        }
        let kind = self.plain.get_u8();
        let length = usize::try_from(self.plain.get_u32()).unwrap_or(usize::MAX);
        let most = if kind == DATA { CHUNK } else { MAX_TEXT };
        if length > most {
            return Err(damaged("a frame is too long"));
        }
        while self.plain.len() < length {
            self.need().await?;
        }
        Ok((kind, self.plain.split_to(length).freeze()))
    }

    async fn need(&mut self) -> Result<()> {
        if self.fill().await? {
            return Ok(());
        }
        Err(damaged("it ends too early"))
    }

    /// Opens the next chunk. `false` after the last.
    async fn fill(&mut self) -> Result<bool> {
        let whole = CHUNK + TAG;
        while !self.source_ended && self.sealed.len() <= whole {
            match self.source.try_next().await? {
                Some(bytes) => self.sealed.extend_from_slice(&bytes),
                None => self.source_ended = true,
            }
        }
        if self.last_opened {
            if !self.sealed.is_empty() {
                return Err(damaged("something comes after its end"));
            }
            return Ok(false);
        }
        // Whatever is left when the source has ended is the last chunk.
        let last = self.sealed.len() <= whole;
        let chunk = self.sealed.split_to(self.sealed.len().min(whole));
        let payload = Payload {
            msg: &chunk,
            aad: &self.head,
        };
        let plain = self
            .cipher
            .decrypt(&nonce(self.number, last).into(), payload)
            .map_err(|_| damaged("a part of it was changed, or its end is missing"))?;
        self.number += 1;
        self.read += chunk.len() as u64;
        self.last_opened = last;
        self.plain.extend_from_slice(&plain);
        Ok(true)
    }
}

/// The bytes of the part that an archive is at, to its end.
pub(in crate::backups) struct PartSource<'a> {
    reader: &'a mut ArchiveReader,
    ended: bool,
}

impl<'a> PartSource<'a> {
    pub(in crate::backups) fn new(reader: &'a mut ArchiveReader) -> Self {
        Self {
            reader,
            ended: false,
        }
    }
}

#[async_trait]
impl ByteSource for PartSource<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.ended {
            return Ok(None);
        }
        match self.reader.next().await? {
            Event::Data(bytes) => Ok(Some(bytes)),
            Event::PartEnd => {
                self.ended = true;
                Ok(None)
            }
            Event::Part(_) | Event::End => Err(damaged("its frames are out of order")),
        }
    }
}

fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T> {
    serde_json::from_slice(text)
        .map_err(|error| damaged("a frame cannot be read").with_source(error))
}

fn unreadable(why: &'static str) -> Error {
    Error::invalid("archive_unreadable", format!("this cannot be read: {why}"))
}
