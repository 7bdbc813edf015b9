//! Parts of uploads: what a broken line leaves is kept, and parts are put
//! together in the store.
//!
//! A part is taken in by a task of its own, fed through a channel of one
//! chunk. The task ends with the channel: when the caller goes away in the
//! middle, what came so far becomes the part.

use super::{Intake, Stores, not_found, quota::Reservation};
use atlashub_core::{
    Error, ErrorKind, Result,
    capability::blob::{ByteSource, ByteStream, Checksum, MAX_PARTS, StoredPart},
};
use atlashub_storage::{ObjectPath, Storage};
use bytes::Bytes;
use futures::StreamExt as _;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use std::collections::VecDeque;
use tokio::sync::mpsc;

/// What the task is fed with.
enum Feed {
    Chunk(Bytes),
    End,
    Failed(Error),
}

/// Takes in a part. With a checksum, one that breaks off leaves nothing.
pub(super) async fn put(
    stores: Stores,
    intake: Intake,
    reservation: Reservation,
    source: &mut dyn ByteSource,
    checksum: Option<Checksum>,
) -> Result<StoredPart> {
    let keeps = checksum.is_none();
    let (sender, receiver) = mpsc::channel(1);
    let task = tokio::spawn(async move {
        let mut fed = Fed {
            receiver,
            keeps,
            complete: false,
            sum: checksum.map(Sum::new),
        };
        let object = stores.take_in(intake, reservation, &mut fed).await?;
        Ok(StoredPart {
            object,
            complete: fed.complete,
        })
    });
    feed(source, &sender, keeps).await;
    drop(sender);
    match task.await {
        Ok(answer) => answer,
        Err(error) => Err(Error::internal("take in a part", error)),
    }
}

/// Feeds the task until the source ends or breaks, or the task has failed.
async fn feed(source: &mut dyn ByteSource, sender: &mpsc::Sender<Feed>, keeps: bool) {
    loop {
        let (next, is_last) = match source.next().await {
            Ok(Some(chunk)) => (Feed::Chunk(chunk), false),
            Ok(None) => (Feed::End, true),
            Err(_) if keeps => return,
            Err(error) => (Feed::Failed(error), true),
        };
        if sender.send(next).await.is_err() || is_last {
            return;
        }
    }
}

/// The task's end of the channel.
struct Fed {
    receiver: mpsc::Receiver<Feed>,
    keeps: bool,
    complete: bool,
    sum: Option<Sum>,
}

#[async_trait::async_trait]
impl ByteSource for Fed {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        match self.receiver.recv().await {
            Some(Feed::Chunk(chunk)) => {
                if let Some(sum) = &mut self.sum {
                    sum.update(&chunk);
                }
                Ok(Some(chunk))
            }
            Some(Feed::End) => {
                self.complete = true;
                match self.sum.take() {
                    Some(sum) => sum.check().map(|()| None),
                    None => Ok(None),
                }
            }
            Some(Feed::Failed(error)) => Err(error),
            // Asked again after the end, or the other side is gone.
            None if self.complete || self.keeps => Ok(None),
            None => Err(Error::bad_request(
                "upload_interrupted",
                "the upload was interrupted",
            )),
        }
    }
}

/// A checksum on its way.
enum Sum {
    Sha1(Sha1, Vec<u8>),
    Sha256(Sha256, Vec<u8>),
}

impl Sum {
    fn new(wanted: Checksum) -> Self {
        match wanted {
            Checksum::Sha1(wanted) => Self::Sha1(Sha1::new(), wanted),
            Checksum::Sha256(wanted) => Self::Sha256(Sha256::new(), wanted),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha1(hasher, _) => hasher.update(bytes),
            Self::Sha256(hasher, _) => hasher.update(bytes),
        }
    }

    fn check(self) -> Result<()> {
        let matches = match self {
            Self::Sha1(hasher, wanted) => hasher.finalize().as_slice() == wanted,
            Self::Sha256(hasher, wanted) => hasher.finalize().as_slice() == wanted,
        };
        if matches {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::BadRequest,
            "checksum_mismatch",
            "the bytes are not those of the checksum",
        ))
    }
}

/// Objects one after another.
pub(super) struct Chain {
    storage: Storage,
    rest: VecDeque<ObjectPath>,
    current: Option<ByteStream>,
}

impl Chain {
    pub(super) fn new(storage: Storage, paths: Vec<ObjectPath>) -> Result<Self> {
        if paths.is_empty() || paths.len() > MAX_PARTS {
            return Err(Error::invalid(
                "invalid_parts",
                format!("an object is put together from 1 to {MAX_PARTS} others"),
            ));
        }
        Ok(Self {
            storage,
            rest: paths.into(),
            current: None,
        })
    }

    /// How large they are together.
    pub(super) async fn size(&mut self) -> Result<u64> {
        let mut size = 0_u64;
        for path in &self.rest {
            let meta = self.storage.stat(path).await?.ok_or_else(not_found)?;
            size = size.saturating_add(meta.size);
        }
        Ok(size)
    }
}

#[async_trait::async_trait]
impl ByteSource for Chain {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(stream) = &mut self.current {
                match stream.next().await {
                    Some(chunk) => return chunk.map(Some),
                    None => self.current = None,
                }
            }
            let Some(path) = self.rest.pop_front() else {
                return Ok(None);
            };
            self.current = Some(self.storage.read(&path, None).await?.bytes);
        }
    }
}
