//! Writing an archive: frames into chunks, chunks into a channel.

use super::{
    ABOUT, About, ArchiveKeys, CHUNK, DATA, MAGIC, MANIFEST, Manifest, PART, PART_END, PartEnd,
    PartHead, PartKind, cipher, key_id, nonce, salt,
};
use aes_gcm::{
    Aes256Gcm,
    aead::{Aead as _, Payload},
};
use async_trait::async_trait;
use atlashub_core::{Error, Result, capability::blob::ByteSource};
use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

/// What comes out of a writer.
pub(in crate::backups) enum Sent {
    /// The next bytes of the archive.
    Bytes(Bytes),
    /// All have come.
    End,
}

/// What a writer sends, as a source: fails when the writer broke off.
pub(in crate::backups) struct SentSource(pub(in crate::backups) mpsc::Receiver<Sent>);

#[async_trait]
impl ByteSource for SentSource {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        match self.0.recv().await {
            Some(Sent::Bytes(bytes)) => Ok(Some(bytes)),
            Some(Sent::End) => Ok(None),
            None => Err(Error::internal("write an archive", "it was broken off")),
        }
    }
}

/// Writes an archive.
pub(in crate::backups) struct ArchiveWriter {
    sender: mpsc::Sender<Sent>,
    cipher: Aes256Gcm,
    head: Vec<u8>,
    number: u64,
    plain: Vec<u8>,
    part: Option<(Sha256, u64)>,
    parts: u64,
    bytes: u64,
    ends: Sha256,
    sent: u64,
}

impl ArchiveWriter {
    /// Begins an archive about `about`, sealed with the first of `keys`.
    pub(in crate::backups) async fn begin(
        keys: &ArchiveKeys,
        sender: mpsc::Sender<Sent>,
        about: &About,
    ) -> Result<Self> {
        let (key, salt) = (keys.first()?, salt()?);
        let mut head = MAGIC.to_vec();
        head.extend_from_slice(&key_id(key));
        head.extend_from_slice(&salt);
        let mut writer = Self {
            sender,
            cipher: cipher(key, &salt),
            head: head.clone(),
            number: 0,
            plain: Vec::with_capacity(2 * CHUNK),
            part: None,
            parts: 0,
            bytes: 0,
            ends: Sha256::new(),
            sent: 0,
        };
        writer.send(head.into()).await?;
        writer.text(ABOUT, about).await?;
        Ok(writer)
    }

    /// Bytes of the archive so far.
    pub(in crate::backups) fn sent(&self) -> u64 {
        self.sent
    }

    /// Begins a part.
    pub(in crate::backups) async fn part(&mut self, kind: PartKind, name: &str) -> Result<()> {
        self.part = Some((Sha256::new(), 0));
        let name = name.to_owned();
        self.text(PART, &PartHead { kind, name }).await
    }

    /// Adds to the part.
    pub(in crate::backups) async fn data(&mut self, bytes: &[u8]) -> Result<()> {
        for piece in bytes.chunks(CHUNK) {
            if let Some((hash, count)) = &mut self.part {
                hash.update(piece);
                *count += piece.len() as u64;
            }
            self.frame(DATA, piece).await?;
        }
        Ok(())
    }

    /// Ends the part.
    pub(in crate::backups) async fn end_part(&mut self) -> Result<()> {
        let (hash, bytes) = self.part.take().unwrap_or_default();
        let end = PartEnd {
            bytes,
            sha256: hex(&hash.finalize()),
        };
        self.parts += 1;
        self.bytes += bytes;
        self.ends.update(end.sha256.as_bytes());
        self.text(PART_END, &end).await
    }

    /// Ends the archive.
    pub(in crate::backups) async fn finish(mut self) -> Result<()> {
        let manifest = Manifest {
            parts: self.parts,
            bytes: self.bytes,
            sha256: hex(&std::mem::take(&mut self.ends).finalize()),
        };
        self.text(MANIFEST, &manifest).await?;
        let rest = std::mem::take(&mut self.plain);
        self.seal(&rest, true).await?;
        let ended = self.sender.send(Sent::End).await;
        ended.map_err(|_| nobody())
    }

    async fn text(&mut self, kind: u8, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_vec(value)
            .map_err(|error| Error::internal("write a frame of an archive", error))?;
        self.frame(kind, &text).await
    }

    async fn frame(&mut self, kind: u8, bytes: &[u8]) -> Result<()> {
        let length = u32::try_from(bytes.len())
            .map_err(|error| Error::internal("write a frame of an archive", error))?;
        self.plain.push(kind);
        self.plain.extend_from_slice(&length.to_be_bytes());
        self.plain.extend_from_slice(bytes);
        // The last chunk is told apart, so one is always kept back.
        while self.plain.len() > CHUNK {
            let rest = self.plain.split_off(CHUNK);
            let chunk = std::mem::replace(&mut self.plain, rest);
            self.seal(&chunk, false).await?;
        }
        Ok(())
    }

    async fn seal(&mut self, chunk: &[u8], last: bool) -> Result<()> {
        let payload = Payload {
            msg: chunk,
            aad: &self.head,
        };
        let sealed = self
            .cipher
            .encrypt(&nonce(self.number, last).into(), payload)
            .map_err(|error| Error::internal("seal a chunk of an archive", error.to_string()))?;
        self.number += 1;
        self.send(sealed.into()).await
    }

    async fn send(&mut self, bytes: Bytes) -> Result<()> {
        self.sent += bytes.len() as u64;
        let sent = self.sender.send(Sent::Bytes(bytes)).await;
        sent.map_err(|_| nobody())
    }
}

fn nobody() -> Error {
    Error::internal("write an archive", "nobody takes it in any more")
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
