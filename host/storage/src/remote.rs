//! Objects in a store that OpenDAL reaches over the network.
//!
//! Uploads hold at most two parts beside the one on its way, and one
//! connection. What is abandoned is aborted; a killed process cannot do that,
//! so a bucket should have a rule that ends incomplete multipart uploads
//! after a day.

use crate::{
    ObjectMeta, PathPrefix, ReadObject, WriteMode,
    error::{invalid_range, of_operator},
    path::ObjectPath,
    range,
};
use atlashub_core::{Error, Result};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use opendal::{ErrorKind, Metadata, Operator, Writer};
use std::{ops::Range, time::Duration};
use time::OffsetDateTime;

/// The least that S3 takes as a part.
const PART: u64 = 5 * 1024 * 1024;
/// How many parts S3 takes is 10,000; this leaves some.
const MAX_PARTS: u64 = 9_000;
/// After so many parts of unknown total they grow, so that an upload can
/// reach S3's 5 TiB.
const GROW_AFTER: u64 = 3_000;

/// How large the next part should be.
pub(crate) fn part_size(written: u64, expected: Option<u64>) -> u64 {
    let known = expected.unwrap_or(0) / MAX_PARTS;
    let mut part = PART.max(known);
    let mut reached = part * GROW_AFTER;
    while written >= reached && part < 1024 * 1024 * 1024 {
        part *= 4;
        reached += part * 1_000;
    }
    part
}

/// The mark of an upload, kept with the object.
const MARK: &str = "atlashub-upload";

/// An object that is being uploaded. Dropping it aborts the upload.
pub(crate) struct Upload {
    operator: Operator,
    path: ObjectPath,
    mode: WriteMode,
    mark: String,
    writer: Option<Writer>,
}

impl Upload {
    pub(crate) async fn begin(
        operator: Operator,
        path: ObjectPath,
        mode: WriteMode,
    ) -> Result<Self> {
        let mark = uuid::Uuid::now_v7().simple().to_string();
        let writer = operator
            .writer_with(path.as_str())
            .if_not_exists(mode == WriteMode::CreateOnly)
            .user_metadata([(MARK.to_owned(), mark.clone())])
            .concurrent(1)
            .await
            .map_err(|error| of_operator("begin an object", error))?;
        Ok(Self {
            operator,
            path,
            mode,
            mark,
            writer: Some(writer),
        })
    }

    /// Uploads a part. Must run to its end: it is called on a task of its own.
    pub(crate) async fn append(&mut self, pieces: Vec<Bytes>) -> Result<()> {
        self.writer()?
            .write(pieces)
            .await
            .map_err(|error| of_operator("write an object", error))
    }

    /// Completes the upload and answers the size of the object it replaced.
    /// Must run to its end; the caller holds the path's lock.
    pub(crate) async fn commit(mut self) -> Result<Option<u64>> {
        let replaced = match self.mode {
            WriteMode::Replace => stat(&self.operator, &self.path)
                .await?
                .map(|meta| meta.size),
            WriteMode::CreateOnly | WriteMode::Fresh => None,
        };
        let closed = self.writer()?.close().await;
        if let Err(error) = closed
            && !(may_be_done(&error) && self.is_there().await)
        {
            return Err(of_operator("complete an object", error));
        }
        self.writer = None;
        Ok(replaced)
    }

    /// Whether the object is the one of this upload.
    async fn is_there(&self) -> bool {
        let found = self.operator.stat(self.path.as_str()).await;
        found.is_ok_and(|meta| {
            meta.user_metadata()
                .is_some_and(|marks| marks.get(MARK) == Some(self.mark.as_str()))
        })
    }

    fn writer(&mut self) -> Result<&mut Writer> {
        self.writer
            .as_mut()
            .ok_or_else(|| Error::internal("write an object", "the upload is over"))
    }
}

/// Whether completing an upload may have been done all the same. A store whose
/// answer was lost is asked again, and then refuses what it did already: the
/// object exists, or the upload is no longer known.
fn may_be_done(error: &opendal::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::AlreadyExists | ErrorKind::ConditionNotMatch | ErrorKind::NotFound
    )
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(mut writer) = self.writer.take() else {
            return;
        };
        // Bounded by the operator's time-out and retries.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(runtime.spawn(async move {
                if let Err(error) = writer.abort().await {
                    tracing::warn!(%error, "failed to abort an upload");
                }
            }));
        }
    }
}

fn object_meta(meta: &Metadata) -> ObjectMeta {
    let modified = meta.last_modified().and_then(|at| {
        OffsetDateTime::from_unix_timestamp_nanos(at.into_inner().as_nanosecond()).ok()
    });
    ObjectMeta {
        size: meta.content_length(),
        modified,
    }
}

pub(crate) async fn stat(operator: &Operator, path: &ObjectPath) -> Result<Option<ObjectMeta>> {
    match operator.stat(path.as_str()).await {
        Ok(meta) => Ok(Some(object_meta(&meta))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(of_operator("look up an object", error)),
    }
}

pub(crate) async fn read(
    operator: &Operator,
    path: &ObjectPath,
    part: Option<Range<u64>>,
) -> Result<ReadObject> {
    // An empty range cannot be asked of a store.
    if let Some(empty) = part.clone().filter(Range::is_empty) {
        let meta = stat(operator, path)
            .await?
            .ok_or_else(crate::error::not_found)?;
        range::within(Some(empty), meta.size)?;
        return Ok(ReadObject {
            meta,
            bytes: stream::empty().boxed(),
        });
    }
    let failed = |error| of_operator("open an object", error);
    let reader = operator.reader(path.as_str()).await.map_err(failed)?;
    let mut buffers = match part.clone() {
        None => reader.into_stream(..).await,
        Some(part) => reader.into_stream(part).await,
    }
    .map_err(failed)?;
    // Opens the one request that also brings the bytes.
    let meta = object_meta(&buffers.metadata().await.map_err(failed)?);
    if part.is_some_and(|part| part.end > meta.size) {
        return Err(invalid_range(Some(meta.size)));
    }
    let bytes = buffers
        .flat_map(|buffer| match buffer {
            Ok(buffer) => stream::iter(buffer).map(Ok).left_stream(),
            Err(error) => stream::iter([Err(of_operator("read an object", error))]).right_stream(),
        })
        .boxed();
    Ok(ReadObject { meta, bytes })
}

/// The first `limit` objects below `prefix` whose keys start with `start` and
/// come after `after`. The store lists in the order of keys.
pub(crate) async fn list(
    operator: &Operator,
    prefix: &PathPrefix,
    start: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, ObjectMeta)>> {
    let failed = |error| of_operator("list objects", error);
    let root = prefix.as_str();
    let path = format!("{root}{start}");
    let mut request = operator
        .lister_with(&path)
        .recursive(true)
        .limit(limit.min(1_000));
    if let Some(after) = after {
        request = request.start_after(&format!("{root}{after}"));
    }
    let mut lister = request.await.map_err(failed)?;
    let mut found = Vec::new();
    while found.len() < limit {
        let Some(entry) = lister.try_next().await.map_err(failed)? else {
            break;
        };
        let key = entry
            .path()
            .strip_prefix(root)
            .filter(|key| key.starts_with(start));
        let Some(key) = key.filter(|_| entry.metadata().is_file()) else {
            continue;
        };
        if after.is_none_or(|after| key > after) {
            found.push((key.to_owned(), object_meta(entry.metadata())));
        }
    }
    Ok(found)
}

/// Deletes an object and says how large it was. The caller holds the path's
/// lock.
pub(crate) async fn delete(operator: &Operator, path: &ObjectPath) -> Result<Option<u64>> {
    let Some(meta) = stat(operator, path).await? else {
        return Ok(None);
    };
    operator
        .delete(path.as_str())
        .await
        .map_err(|error| of_operator("delete an object", error))?;
    Ok(Some(meta.size))
}

pub(crate) async fn presign_read(
    operator: &Operator,
    path: &ObjectPath,
    valid_for: Duration,
    disposition: Option<&str>,
    content_type: Option<&str>,
) -> Result<String> {
    let mut request = operator.presign_read_with(path.as_str(), valid_for);
    if let Some(disposition) = disposition {
        request = request.override_content_disposition(disposition);
    }
    if let Some(content_type) = content_type {
        request = request.override_content_type(content_type);
    }
    let request = request
        .await
        .map_err(|error| of_operator("sign a link", error))?;
    Ok(request.uri().to_string())
}

/// Where clients find an object.
pub(crate) async fn address(
    operator: &Operator,
    path: &ObjectPath,
    valid_for: Duration,
) -> Result<http::Uri> {
    let request = operator.presign_write(path.as_str(), valid_for).await;
    let request = request.map_err(|error| of_operator("sign a link", error))?;
    Ok(request.uri().clone())
}

/// Copies an object within the store.
pub(crate) async fn copy(operator: &Operator, from: &ObjectPath, to: &ObjectPath) -> Result<()> {
    let copied = operator.copy(from.as_str(), to.as_str()).await;
    copied
        .map(drop)
        .map_err(|error| of_operator("copy an object", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_of_any_size_has_few_enough_parts() {
        const TIB: u64 = 1 << 40;
        for (total, expected) in [
            (5 * TIB, None),
            (5 * TIB, Some(5 * TIB)),
            (PART, None),
            (100 << 30, None),
        ] {
            let (mut written, mut parts) = (0, 0);
            while written < total {
                let part = part_size(written, expected);
                assert!((PART..=5 << 30).contains(&part));
                written += part;
                parts += 1;
            }
            assert!(parts < 10_000, "{parts} parts for {total} bytes");
        }
    }
}
