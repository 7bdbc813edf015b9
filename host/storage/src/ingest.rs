//! The way of an object's bytes into the store: coalesced to pieces of an
//! efficient size, hashed, and written while the next piece is collected.
//!
//! A transfer holds one piece on its way and one that is being filled. Hashing
//! and writing it run at once, each on a thread or task of its own to its end,
//! so that a dropped transfer never leaves a writer in the middle of a step.

use crate::{
    WriteMode, blocking, error,
    local::Incoming,
    path::ObjectPath,
    remote::{Upload, part_size},
    to_the_end,
};
use atlashub_core::{
    Digest, Result,
    capability::blob::{ByteSource, HEAD_BYTES},
};
use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};

/// What is written to a file at once.
const LOCAL_PIECE: u64 = 512 * 1024;
/// Up to this, hashing costs less than handing it to another thread.
const HASH_HERE: usize = 32 * 1024;
/// Chunks below this are copied together, so that a sender of tiny ones
/// cannot make us hold a reference for each.
const COPY_BELOW: usize = 16 * 1024;
/// Room that is made for them at once.
const COPY_BUFFER: usize = 64 * 1024;

/// Where the bytes go.
pub(crate) enum Sink {
    /// A file of the folder.
    Local(Incoming),
    /// An upload.
    Remote(Box<Upload>),
}

/// An object on its way.
pub(crate) struct Ingest {
    sink: Sink,
    tally: Tally,
    expected: Option<u64>,
}

/// What is learned of the bytes as they pass.
struct Tally {
    hasher: Sha256,
    head: BytesMut,
    size: u64,
}

/// What is known of the bytes when all are in.
pub(crate) struct Ingested {
    pub(crate) sink: Sink,
    pub(crate) size: u64,
    pub(crate) sha256: Digest,
    pub(crate) head: Bytes,
}

impl Ingest {
    pub(crate) fn new(sink: Sink, expected: Option<u64>) -> Self {
        let tally = Tally {
            hasher: Sha256::new(),
            head: BytesMut::new(),
            size: 0,
        };
        Self {
            sink,
            tally,
            expected,
        }
    }

    fn piece_size(&self) -> u64 {
        match self.sink {
            Sink::Local(_) => LOCAL_PIECE,
            Sink::Remote(_) => part_size(self.tally.size, self.expected),
        }
    }

    /// Takes in all that `source` has.
    pub(crate) async fn run(
        mut self,
        source: &mut dyn ByteSource,
        max_size: Option<u64>,
    ) -> Result<Ingested> {
        let mut filling = Filling {
            source,
            max_size,
            received: 0,
            tail: BytesMut::new(),
            ended: false,
        };
        let mut piece = filling.next(self.piece_size()).await?;
        while !piece.is_empty() {
            // The size moves on only once the piece is in: good enough to
            // choose that of the next one.
            let next = filling.next(self.piece_size());
            (piece, self) = futures::try_join!(next, self.take_in(piece))?;
        }
        Ok(Ingested {
            sink: self.sink,
            size: self.tally.size,
            sha256: Digest::from_bytes(self.tally.hasher.finalize().into()),
            head: self.tally.head.freeze(),
        })
    }

    /// Hashes and writes a piece, both at once.
    async fn take_in(self, piece: Vec<Bytes>) -> Result<Self> {
        let expected = self.expected;
        let tallied = self.tally.take_in(piece.clone());
        let (tally, sink) = futures::try_join!(tallied, self.sink.take_in(piece))?;
        Ok(Self {
            sink,
            tally,
            expected,
        })
    }
}

impl Tally {
    async fn take_in(mut self, piece: Vec<Bytes>) -> Result<Self> {
        let size = piece.iter().map(Bytes::len).sum::<usize>();
        let hash = move || {
            for chunk in &piece {
                self.hasher.update(chunk);
                let wanted = HEAD_BYTES.saturating_sub(self.head.len()).min(chunk.len());
                self.head
                    .extend_from_slice(chunk.get(..wanted).unwrap_or_default());
            }
            self.size += size as u64;
            Ok(self)
        };
        if size <= HASH_HERE {
            return hash();
        }
        blocking(hash).await
    }
}

impl Sink {
    async fn take_in(self, piece: Vec<Bytes>) -> Result<Self> {
        match self {
            Self::Local(mut file) => {
                blocking(move || {
                    file.append(&piece)?;
                    Ok(Self::Local(file))
                })
                .await
            }
            Self::Remote(mut upload) => {
                to_the_end(async move {
                    upload.append(piece).await?;
                    Ok(Self::Remote(upload))
                })
                .await
            }
        }
    }
}

impl Ingested {
    /// Makes the object visible and answers the size of the one it replaced.
    /// The caller holds the path's lock.
    pub(crate) async fn commit(self, path: ObjectPath, mode: WriteMode) -> Result<Option<u64>> {
        match self.sink {
            Sink::Local(file) => blocking(move || file.commit(&path, mode)).await,
            Sink::Remote(upload) => upload.commit().await,
        }
    }
}

/// Collects chunks into pieces.
struct Filling<'a> {
    source: &'a mut dyn ByteSource,
    max_size: Option<u64>,
    received: u64,
    tail: BytesMut,
    ended: bool,
}

impl Filling<'_> {
    /// The next piece, of about `size` bytes and at least that many unless it
    /// is the last; empty at the end.
    async fn next(&mut self, size: u64) -> Result<Vec<Bytes>> {
        let mut pieces = Vec::new();
        let mut filled = 0;
        while filled < size && !self.ended {
            let Some(chunk) = self.source.next().await? else {
                self.ended = true;
                break;
            };
            self.received = self.received.saturating_add(chunk.len() as u64);
            filled += chunk.len() as u64;
            if let Some(limit) = self.max_size.filter(|limit| self.received > *limit) {
                return Err(error::too_large(limit));
            }
            if chunk.len() >= COPY_BELOW {
                self.flush_tail(&mut pieces);
                pieces.push(chunk);
            } else {
                if self.tail.capacity() - self.tail.len() < chunk.len() {
                    self.flush_tail(&mut pieces);
                    self.tail.reserve(COPY_BUFFER);
                }
                self.tail.extend_from_slice(&chunk);
            }
        }
        self.flush_tail(&mut pieces);
        Ok(pieces)
    }

    fn flush_tail(&mut self, pieces: &mut Vec<Bytes>) {
        if !self.tail.is_empty() {
            pieces.push(self.tail.split().freeze());
        }
    }
}
