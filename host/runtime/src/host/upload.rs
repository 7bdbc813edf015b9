//! `atlashub:upload/parts`: uploads in parts that survive a broken line.

use super::transfer::StreamSource;
use crate::{
    bindings::upload::parts::{self, Checksum, Joined, Options, Part},
    state::{PluginShared, State, for_guest},
};
use atlashub_core::{
    Error, Result,
    capability::blob::{self, MAX_PARTS, ObjectKey},
};
use std::sync::Arc;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynInputStream;

type Answer<T> = wasmtime::Result<std::result::Result<T, parts::Error>>;

fn answer<T>(result: Result<T>) -> Answer<T> {
    Ok(result.map_err(|error| {
        let (code, message) = for_guest(&error);
        let details = (!error.fields().is_empty())
            .then(|| serde_json::Value::Object(error.fields().clone()).to_string());
        parts::Error {
            code,
            message,
            details,
        }
    }))
}

fn checksum(checksum: Checksum) -> Result<blob::Checksum> {
    let (bytes, length) = match &checksum {
        Checksum::Sha1(bytes) => (bytes, 20),
        Checksum::Sha256(bytes) => (bytes, 32),
    };
    if bytes.len() != length {
        return Err(Error::bad_request(
            "invalid_checksum",
            format!("the checksum has {length} bytes"),
        ));
    }
    Ok(match checksum {
        Checksum::Sha1(bytes) => blob::Checksum::Sha1(bytes),
        Checksum::Sha256(bytes) => blob::Checksum::Sha256(bytes),
    })
}

impl PluginShared {
    async fn put_part(
        &self,
        bucket: &str,
        key: &str,
        source: &mut DynInputStream,
        options: Options,
    ) -> Result<Part> {
        let (bucket, key) = self.bucket_and_key(bucket, key, true)?;
        let options = blob::PartOptions {
            expected_size: options.expected_size,
            max_size: options.max_size,
            checksum: options.checksum.map(checksum).transpose()?,
        };
        let blobs = &self.services.blobs;
        let part = blobs
            .put_part(
                &self.scope,
                &bucket,
                &key,
                &mut StreamSource::new(source, self.uploads),
                options,
            )
            .await?;
        Ok(Part {
            size: part.object.info.size,
            sha256: part.object.sha256.to_hex(),
            head: part.object.head.to_vec(),
            complete: part.complete,
        })
    }

    async fn join(&self, bucket: &str, keys: &[String], into: &str) -> Result<Joined> {
        let (bucket, into) = self.bucket_and_key(bucket, into, true)?;
        let keys = keys
            .iter()
            .take(MAX_PARTS + 1)
            .map(|key| key.parse())
            .collect::<Result<Vec<ObjectKey>>>()?;
        let blobs = &self.services.blobs;
        let joined = blobs.join(&self.scope, &bucket, &keys, &into).await?;
        Ok(Joined {
            size: joined.info.size,
            sha256: joined.sha256.to_hex(),
            head: joined.head.to_vec(),
        })
    }
}

impl parts::Host for State {
    async fn put(
        &mut self,
        bucket: String,
        key: String,
        source: Resource<DynInputStream>,
        options: Options,
    ) -> Answer<Part> {
        let plugin = Arc::clone(&self.hooks.plugin);
        let _transfer = self.meter.transfer();
        let source = self.table.get_mut(&source)?;
        answer(plugin.put_part(&bucket, &key, source, options).await)
    }

    async fn join(&mut self, bucket: String, keys: Vec<String>, into: String) -> Answer<Joined> {
        let plugin = Arc::clone(&self.hooks.plugin);
        let _transfer = self.meter.transfer();
        answer(plugin.join(&bucket, &keys, &into).await)
    }
}
