//! `atlashub:direct/uploads`: uploads by a link that is good for one.

use super::blob::valid_for;
use crate::{
    bindings::direct::uploads::{self, Announced, Settled},
    state::{PluginShared, State, for_guest},
};
use atlashub_core::{Result, capability::blob};
use std::sync::Arc;

type Answer<T> = wasmtime::Result<std::result::Result<T, uploads::Error>>;

fn answer<T>(result: Result<T>) -> Answer<T> {
    Ok(result.map_err(|error| {
        let (code, message) = for_guest(&error);
        let details = (!error.fields().is_empty())
            .then(|| serde_json::Value::Object(error.fields().clone()).to_string());
        uploads::Error {
            code,
            message,
            details,
        }
    }))
}

impl PluginShared {
    async fn announce(&self, bucket: &str, key: &str, announced: Announced) -> Result<String> {
        let (bucket, key) = self.bucket_and_key(bucket, key, true)?;
        let upload = blob::Announced {
            content_type: announced.content_type,
            size: announced.size,
            max_size: announced.max_size,
            valid_for: valid_for(announced.valid_for_seconds),
        };
        let blobs = &self.services.blobs;
        blobs.announce(&self.scope, &bucket, &key, upload).await
    }

    async fn settle(&self, bucket: &str, key: &str, digest: bool) -> Result<Settled> {
        let (bucket, key) = self.bucket_and_key(bucket, key, true)?;
        let blobs = &self.services.blobs;
        let settled = blobs.settle(&self.scope, &bucket, &key, digest).await?;
        Ok(Settled {
            size: settled.info.size,
            sha256: settled.sha256.map(|sum| sum.to_hex()),
        })
    }
}

impl uploads::Host for State {
    async fn announce(
        &mut self,
        bucket: String,
        key: String,
        announced: Announced,
    ) -> Answer<String> {
        let plugin = Arc::clone(&self.hooks.plugin);
        answer(plugin.announce(&bucket, &key, announced).await)
    }

    async fn settle(&mut self, bucket: String, key: String, digest: bool) -> Answer<Settled> {
        let plugin = Arc::clone(&self.hooks.plugin);
        // Its bytes may be copied and read, which is no time of the guest's.
        let _transfer = self.meter.transfer();
        answer(plugin.settle(&bucket, &key, digest).await)
    }
}
