//! `atlashub:blob/objects`: objects in granted buckets.

use super::{
    not_granted,
    transfer::{BytesSource, HostStream, StreamBody, StreamSource},
};
use crate::{
    bindings::blob::objects::{self, Object, Page, PutOptions, Range, Stored},
    state::{PluginShared, State, for_guest},
};
use atlashub_core::{
    BucketName, Error, ErrorKind, Result,
    capability::blob::{self, ByteSource, ObjectInfo, ObjectKey, SignedAccess},
};
use http_body_util::BodyExt as _;
use std::{sync::Arc, time::Duration};
use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynInputStream;
use wasmtime_wasi_http::p2::types::HostOutgoingResponse;

/// Longest life of a signed link.
const MAX_LINK_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

type Answer<T> = wasmtime::Result<std::result::Result<T, objects::Error>>;

fn answer<T>(result: Result<T>) -> Answer<T> {
    Ok(result.map_err(|error| {
        let (code, message) = for_guest(&error);
        let details = (!error.fields().is_empty())
            .then(|| serde_json::Value::Object(error.fields().clone()).to_string());
        objects::Error {
            code,
            message,
            details,
        }
    }))
}

fn object(info: ObjectInfo) -> Object {
    let modified_ms = info
        .modified
        .and_then(|at| u64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok());
    Object {
        key: info.key.to_string(),
        size: info.size,
        modified_ms,
    }
}

fn range(range: Option<Range>) -> Result<Option<std::ops::Range<u64>>> {
    range
        .map(|range| {
            let end = range.offset.checked_add(range.length).ok_or_else(|| {
                Error::new(
                    ErrorKind::RangeNotSatisfiable,
                    "invalid_range",
                    "the range ends beyond any object",
                )
            })?;
            Ok(range.offset..end)
        })
        .transpose()
}

pub(super) fn valid_for(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds)).clamp(Duration::from_secs(1), MAX_LINK_LIFE)
}

impl PluginShared {
    pub(super) fn bucket(&self, name: &str, write: bool) -> Result<BucketName> {
        let bucket: BucketName = name.parse()?;
        if self.grants.allows_blob(&bucket, write) {
            Ok(bucket)
        } else if write {
            Err(not_granted(&format!("blob:{bucket}")))
        } else {
            Err(not_granted(&format!("blob:{bucket}:read")))
        }
    }

    pub(super) fn bucket_and_key(
        &self,
        bucket: &str,
        key: &str,
        write: bool,
    ) -> Result<(BucketName, ObjectKey)> {
        Ok((self.bucket(bucket, write)?, key.parse()?))
    }

    async fn open_object(
        &self,
        bucket: &str,
        key: &str,
        part: Option<Range>,
    ) -> Result<(ObjectInfo, blob::ByteStream, u64)> {
        let (bucket, key) = self.bucket_and_key(bucket, key, false)?;
        let part = range(part)?;
        let opened = self
            .services
            .blobs
            .read(&self.scope, &bucket, &key, part.clone())
            .await?;
        let length = part.map_or(opened.info.size, |part| part.end - part.start);
        Ok((opened.info, opened.bytes, length))
    }

    async fn sign(
        &self,
        bucket: &str,
        key: &str,
        access: SignedAccess,
        seconds: u32,
    ) -> Result<String> {
        let write = matches!(access, SignedAccess::Write { .. });
        let (bucket, key) = self.bucket_and_key(bucket, key, write)?;
        self.services
            .blobs
            .sign(&self.scope, &bucket, &key, access, valid_for(seconds))
            .await
    }
}

async fn store(
    plugin: &PluginShared,
    bucket: &BucketName,
    source: &mut dyn ByteSource,
    options: PutOptions,
) -> Result<Stored> {
    let options = blob::PutOptions {
        key: options.key.map(|key| key.parse()).transpose()?,
        create_only: options.create_only,
        expected_size: options.expected_size,
        max_size: options.max_size,
    };
    let stored = plugin
        .services
        .blobs
        .put(&plugin.scope, bucket, source, options)
        .await?;
    Ok(Stored {
        object: object(stored.info),
        sha256: stored.sha256.to_hex(),
        head: stored.head.to_vec(),
    })
}

impl objects::Host for State {
    async fn put(
        &mut self,
        bucket: String,
        source: Resource<DynInputStream>,
        options: PutOptions,
    ) -> Answer<Stored> {
        let plugin = Arc::clone(&self.hooks.plugin);
        let bucket = match plugin.bucket(&bucket, true) {
            Ok(bucket) => bucket,
            Err(error) => return answer(Err(error)),
        };
        let _transfer = self.meter.transfer();
        let source = self.table.get_mut(&source)?;
        let mut source = StreamSource::new(source, plugin.uploads);
        answer(store(&plugin, &bucket, &mut source, options).await)
    }

    async fn put_bytes(
        &mut self,
        bucket: String,
        bytes: Vec<u8>,
        options: PutOptions,
    ) -> Answer<Stored> {
        let plugin = Arc::clone(&self.hooks.plugin);
        let stored = match plugin.bucket(&bucket, true) {
            Ok(bucket) => {
                let mut source = BytesSource(Some(bytes.into()));
                store(&plugin, &bucket, &mut source, options).await
            }
            Err(error) => Err(error),
        };
        answer(stored)
    }

    async fn stat(&mut self, bucket: String, key: String) -> Answer<Object> {
        let plugin = Arc::clone(&self.hooks.plugin);
        let found = match plugin.bucket_and_key(&bucket, &key, false) {
            Ok((bucket, key)) => {
                plugin
                    .services
                    .blobs
                    .stat(&plugin.scope, &bucket, &key)
                    .await
            }
            Err(error) => Err(error),
        };
        answer(found.map(object))
    }

    async fn read(
        &mut self,
        bucket: String,
        key: String,
        part: Option<Range>,
    ) -> Answer<Resource<DynInputStream>> {
        let plugin = Arc::clone(&self.hooks.plugin);
        match plugin.open_object(&bucket, &key, part).await {
            Ok((_, bytes, _)) => {
                let stream: DynInputStream = Box::new(HostStream::new(bytes));
                Ok(Ok(self.table.push(stream)?))
            }
            Err(error) => answer(Err(error)),
        }
    }

    async fn serve(
        &mut self,
        bucket: String,
        key: String,
        part: Option<Range>,
        response: Resource<HostOutgoingResponse>,
    ) -> Answer<Object> {
        if self.table.get(&response)?.body.is_some() {
            return answer(Err(Error::bad_request(
                "body_taken",
                "the response has a body already; call `serve` before taking it",
            )));
        }
        let plugin = Arc::clone(&self.hooks.plugin);
        match plugin.open_object(&bucket, &key, part).await {
            Ok((info, bytes, length)) => {
                let body = StreamBody::new(bytes, length).boxed_unsync();
                self.table.get_mut(&response)?.body = Some(body);
                Ok(Ok(object(info)))
            }
            Err(error) => answer(Err(error)),
        }
    }

    async fn delete(&mut self, bucket: String, key: String) -> Answer<bool> {
        let plugin = Arc::clone(&self.hooks.plugin);
        answer(match plugin.bucket_and_key(&bucket, &key, true) {
            Ok((bucket, key)) => {
                plugin
                    .services
                    .blobs
                    .delete(&plugin.scope, &bucket, &key)
                    .await
            }
            Err(error) => Err(error),
        })
    }

    async fn list(
        &mut self,
        bucket: String,
        prefix: String,
        cursor: Option<String>,
        limit: u32,
    ) -> Answer<Page> {
        let plugin = Arc::clone(&self.hooks.plugin);
        let limit = (limit as usize).clamp(1, blob::MAX_LIST);
        let page = match plugin.bucket(&bucket, false) {
            Ok(bucket) => {
                let blobs = &plugin.services.blobs;
                blobs
                    .list(&plugin.scope, &bucket, &prefix, cursor.as_deref(), limit)
                    .await
            }
            Err(error) => Err(error),
        };
        answer(page.map(|page| Page {
            objects: page.objects.into_iter().map(object).collect(),
            next: page.next,
        }))
    }

    async fn sign_read(
        &mut self,
        bucket: String,
        key: String,
        content_type: Option<String>,
        disposition: Option<String>,
        valid_for_seconds: u32,
    ) -> Answer<String> {
        let access = SignedAccess::Read {
            disposition,
            content_type,
        };
        let plugin = Arc::clone(&self.hooks.plugin);
        answer(plugin.sign(&bucket, &key, access, valid_for_seconds).await)
    }

    async fn sign_write(
        &mut self,
        bucket: String,
        key: String,
        content_type: Option<String>,
        max_size: u64,
        valid_for_seconds: u32,
    ) -> Answer<String> {
        let access = SignedAccess::Write {
            content_type,
            max_size,
        };
        let plugin = Arc::clone(&self.hooks.plugin);
        answer(plugin.sign(&bucket, &key, access, valid_for_seconds).await)
    }
}
