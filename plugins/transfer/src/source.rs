//! What is to be imported, read from the store piece by piece: text in some
//! encoding, in it records. A record knows where the next one begins, in
//! bytes of the source, so that reading can go on there.

mod csv;
mod decode;
mod objects;

pub(crate) use csv::{Csv, Field};
pub(crate) use decode::Encoding;
pub(crate) use objects::Objects;

use crate::{STORE, job::Job};
use atlashub_sdk::prelude::*;
use decode::Text;

/// The most that one record may have, bytes.
pub(crate) const MAX_RECORD: usize = 8 * 1024 * 1024;
/// The most columns that a source may have.
pub(crate) const MAX_COLUMNS: usize = 2_000;

/// An object that is to be imported.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Source {
    pub(crate) key: String,
    /// Where it begins in the object.
    #[serde(default)]
    pub(crate) start: u64,
    pub(crate) size: u64,
}

#[derive(Deserialize)]
struct Upload {
    object_key: String,
    ready: bool,
    size: Option<u64>,
}

impl Source {
    /// The upload of that id, or the result of the job of that id.
    ///
    /// # Errors
    /// 404 `source_not_found`, 409 `source_not_ready`.
    pub(crate) fn find(id: &str) -> Result<Self> {
        let upload: Option<Upload> = sql::query_optional(
            "SELECT object_key, ready, size FROM transfer.uploads WHERE id = $1",
            params![id],
        )?;
        if let Some(upload) = upload {
            return Self::of_upload(id, upload);
        }
        let result = Job::find(id).ok().and_then(|job| {
            Some(Self {
                key: job.result_key?,
                start: 0,
                size: job.result_size?,
            })
        });
        result.ok_or_else(|| {
            Error::new(
                StatusCode::NOT_FOUND,
                "source_not_found",
                "`source` is the id of an upload, or of a job with a result; there is none, or it has expired",
            )
        })
    }

    fn of_upload(id: &str, upload: Upload) -> Result<Self> {
        if let (true, Some(size)) = (upload.ready, upload.size) {
            return Ok(Self {
                key: upload.object_key,
                start: 0,
                size,
            });
        }
        let settled = STORE.settle(&upload.object_key, false);
        let settled = settled.map_err(|error| match error.code() {
            "object_not_found" => Error::conflict(
                "source_not_ready",
                "nothing has come by the upload's link yet",
            ),
            _ => error,
        })?;
        sql::execute(
            "UPDATE transfer.uploads SET ready = TRUE, size = $2 WHERE id = $1",
            params![id, settled.size],
        )?;
        Ok(Self {
            key: upload.object_key,
            start: 0,
            size: settled.size,
        })
    }

    /// A part of it.
    ///
    /// # Errors
    /// 422 `invalid_archive` when there is no such part.
    pub(crate) fn part(&self, start: u64, size: u64) -> Result<Self> {
        if start.checked_add(size).is_none_or(|end| end > self.size) {
            return Err(Error::invalid(
                "invalid_archive",
                "the archive cannot be read: it is cut short, or no zip file",
            ));
        }
        Ok(Self {
            key: self.key.clone(),
            start: self.start + start,
            size,
        })
    }

    /// All bytes, of which there are few.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>> {
        if self.size == 0 {
            return Ok(Vec::new());
        }
        let limit = usize::try_from(self.size).unwrap_or(usize::MAX);
        let end = self.start + self.size;
        STORE.read(&self.key, Some(self.start..end))?.bytes(limit)
    }

    /// Its bytes as they arrive.
    pub(crate) fn body(&self) -> Result<Body> {
        if self.size == 0 {
            return Ok(Body::empty());
        }
        STORE.read(&self.key, Some(self.start..self.start + self.size))
    }

    /// The encoding of its text: the one that is named, or what its first
    /// bytes tell.
    pub(crate) fn encoding(&self, named: Option<&str>) -> Result<(Encoding, u64)> {
        let head = self.part(0, self.size.min(4_096))?.bytes()?;
        Encoding::of(named, &head)
    }

    /// Its text from `offset` on, which is the start of a character.
    fn text(&self, encoding: Encoding, offset: u64) -> Result<Text> {
        let body = if offset >= self.size {
            Body::empty()
        } else {
            let (from, end) = (self.start + offset, self.start + self.size);
            STORE.read(&self.key, Some(from..end))?
        };
        Ok(Text::new(body, encoding, offset))
    }
}
