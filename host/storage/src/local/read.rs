//! Reading objects of the folder.
//!
//! What the page cache holds is read on the calling thread, which costs less
//! than a hop to another and never waits; the rest is read on a thread that
//! may wait. A transfer holds at most two chunks.

use super::{LocalRoot, error, sys::read_cached};
use crate::{ReadObject, path::ObjectPath, range};
use atlashub_core::{Result, capability::blob::ByteStream};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use parking_lot::Mutex;
use rustix::{fd::OwnedFd, fs::Advice, io::Errno};
use std::{ops::Range, sync::Arc};

/// Objects and ranges up to this size are read whole before the answer.
const SMALL: u64 = 64 * 1024;
/// What is read at once of larger ones.
const CHUNK: usize = 256 * 1024;
/// After so many chunks other tasks get their turn: to a client that reads as
/// fast as we write there is nothing to wait for.
const TURN: u32 = 4;

impl LocalRoot {
    /// Opens an object, or a part of it.
    pub(crate) async fn read(
        self: &Arc<Self>,
        path: &ObjectPath,
        range: Option<Range<u64>>,
    ) -> Result<ReadObject> {
        let opened = match self.open_file(path, true) {
            Err(Errno::AGAIN) => {
                let (this, path) = (Arc::clone(self), path.clone());
                crate::blocking(move || Ok(this.open_file(&path, false))).await?
            }
            answer => answer,
        };
        let (file, meta) = opened.map_err(|errno| match errno {
            Errno::NOTDIR => crate::error::not_found(),
            errno => error("open an object", errno),
        })?;
        let part = range::within(range, meta.size)?;
        let length = part.end - part.start;
        let bytes = if length == 0 {
            stream::empty().boxed()
        } else if length <= SMALL {
            let bytes = read_small(file, part).await?;
            stream::once(std::future::ready(Ok(bytes))).boxed()
        } else {
            stream_large(file, part)
        };
        Ok(ReadObject { meta, bytes })
    }
}

async fn read_small(file: OwnedFd, part: Range<u64>) -> Result<Bytes> {
    let length = usize::try_from(part.end - part.start).unwrap_or(usize::MAX);
    let mut buffer = vec![0; length];
    if fill(&file, &mut buffer, part.start, read_cached).is_ok() {
        return Ok(buffer.into());
    }
    crate::blocking(move || {
        fill(&file, &mut buffer, part.start, |file, buffer, offset| {
            rustix::io::pread(file, buffer, offset)
        })
        .map_err(|errno| error("read an object", errno))?;
        Ok(buffer.into())
    })
    .await
}

/// Fills the whole buffer; a file that ended early is an I/O error, since
/// objects are never changed in place.
fn fill(
    file: &OwnedFd,
    mut buffer: &mut [u8],
    mut offset: u64,
    read: impl Fn(&OwnedFd, &mut [u8], u64) -> rustix::io::Result<usize>,
) -> rustix::io::Result<()> {
    while !buffer.is_empty() {
        match read(file, buffer, offset) {
            Ok(0) => return Err(Errno::IO),
            Ok(count) => {
                let (_, rest) = buffer.split_at_mut(count.min(buffer.len()));
                buffer = rest;
                offset += count as u64;
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

struct Chunks {
    file: Arc<OwnedFd>,
    part: Range<u64>,
    spare: Arc<Mutex<Vec<Vec<u8>>>>,
    /// Chunks since other tasks had their turn.
    since: u32,
}

fn stream_large(file: OwnedFd, part: Range<u64>) -> ByteStream {
    // Doubles the kernel's read-ahead; it may refuse.
    let _ = rustix::fs::fadvise(
        &file,
        part.start,
        std::num::NonZeroU64::new(part.end - part.start),
        Advice::Sequential,
    );
    let chunks = Chunks {
        file: Arc::new(file),
        part,
        spare: Arc::default(),
        since: 0,
    };
    stream::unfold(Some(chunks), |state| async {
        let mut chunks = state?;
        if chunks.part.is_empty() {
            return None;
        }
        match chunks.next().await {
            Ok(bytes) => Some((Ok(bytes), Some(chunks))),
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

impl Chunks {
    async fn next(&mut self) -> Result<Bytes> {
        self.since += 1;
        if self.since > TURN {
            tokio::task::yield_now().await;
            self.since = 1;
        }
        let left = usize::try_from(self.part.end - self.part.start).unwrap_or(usize::MAX);
        let length = left.min(CHUNK);
        let mut buffer = self.spare.lock().pop().unwrap_or_else(|| vec![0; CHUNK]);
        let offset = self.part.start;
        let count = match buffer
            .get_mut(..length)
            .map(|part| read_cached(&self.file, part, offset))
        {
            // A part of a chunk is good enough to go on with.
            Some(Ok(count)) if count > 0 => count,
            _ => {
                let file = Arc::clone(&self.file);
                (buffer, _) = crate::blocking(move || {
                    let part = buffer.get_mut(..length).unwrap_or_default();
                    fill(&file, part, offset, |file, buffer, offset| {
                        rustix::io::pread(file, buffer, offset)
                    })
                    .map_err(|errno| error("read an object", errno))?;
                    Ok((buffer, ()))
                })
                .await?;
                length
            }
        };
        self.part.start += count as u64;
        Ok(Bytes::from_owner(Lent {
            buffer,
            length: count,
            home: Arc::clone(&self.spare),
        }))
    }
}

/// A chunk on its way to the client; its memory returns to the stream.
struct Lent {
    buffer: Vec<u8>,
    length: usize,
    home: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut spare = self.home.lock();
        if spare.len() < 2 {
            spare.push(std::mem::take(&mut self.buffer));
        }
    }
}
