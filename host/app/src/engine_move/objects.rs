//! Objects: copied in the order of their keys, so that the last key says how
//! far it is.

use super::{EngineMover, Journal};
use atlashub_core::{Error, ProjectId, Result};
use atlashub_storage::{
    ListEntry, ObjectPath, PathPrefix, Storage, StreamSource, WriteMode, WriteOptions,
};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use uuid::Uuid;

/// Objects listed at once, and copied between two notes.
pub(super) const PAGE: usize = 100;
/// Objects on their way: an upload keeps some MiB in memory.
pub(super) const AT_ONCE: usize = 3;

/// The journal's name of a prefix.
pub(super) fn step(prefix: &PathPrefix) -> String {
    format!("objects/{}", prefix.as_str())
}

/// How far a prefix is: the last key, objects and bytes.
pub(super) fn so_far(details: Option<&Value>) -> (Option<String>, u64, u64) {
    let number = |name: &str| {
        details
            .and_then(|details| details.get(name)?.as_u64())
            .unwrap_or(0)
    };
    let after = details.and_then(|details| Some(details.get("after")?.as_str()?.to_owned()));
    (after, number("objects"), number("bytes"))
}

impl EngineMover {
    /// Everything that is moved.
    pub(super) fn prefixes(&self) -> Vec<PathPrefix> {
        let mut prefixes = vec![
            PathPrefix::revisions(),
            PathPrefix::projects(),
            PathPrefix::all_incoming(),
            PathPrefix::all_held(),
        ];
        if self.options.archives {
            prefixes.push(PathPrefix::backups());
        }
        prefixes
    }

    pub(super) async fn move_objects(&self, journal: &mut Journal) -> Result<()> {
        for prefix in self.prefixes() {
            let name = step(&prefix);
            if journal.done(&name).is_some() {
                continue;
            }
            let (mut after, mut objects, mut bytes) = so_far(journal.begun(&name));
            let pace = self.pace(format!("objects: {}", prefix.as_str()), "objects");
            loop {
                let page = self
                    .source
                    .storage
                    .walk(&prefix, after.as_deref(), PAGE)
                    .await?;
                let sizes: Vec<u64> = futures::stream::iter(&page.entries)
                    .map(|entry| self.copy(&prefix, entry))
                    .buffer_unordered(AT_ONCE)
                    .try_collect()
                    .await?;
                objects += sizes.len() as u64;
                bytes += sizes.iter().sum::<u64>();
                pace(objects);
                let ended = page.next.is_none();
                after = page.next;
                let details = json!({ "after": after, "objects": objects, "bytes": bytes });
                journal.note(&name, ended, details).await?;
                if ended {
                    break;
                }
            }
            if objects > 0 {
                self.tell(format!(
                    "objects: {} {objects} of {bytes} bytes",
                    prefix.as_str()
                ));
            }
        }
        Ok(())
    }

    async fn copy(&self, prefix: &PathPrefix, entry: &ListEntry) -> Result<u64> {
        let path = ObjectPath::below(prefix, &entry.key)?;
        let object = self.source.storage.read(&path, None).await?;
        let size = object.meta.size;
        let options = WriteOptions {
            mode: WriteMode::Replace,
            expected_size: Some(size),
            max_size: None,
        };
        let mut source = StreamSource(object.bytes);
        let pending = self
            .target
            .storage
            .write(&path, &mut source, options)
            .await?;
        let written = pending.commit().await?;
        if written.size == size {
            return Ok(size);
        }
        Err(Error::conflict(
            "source_changed",
            format!("the object `{path}` changed while it was copied: is a node running?"),
        ))
    }

    /// How many objects there are, and their bytes.
    pub(super) async fn count_objects(&self, storage: &Storage) -> Result<(u64, u64)> {
        let (mut objects, mut bytes) = (0, 0);
        for prefix in self.prefixes() {
            let mut after: Option<String> = None;
            loop {
                let page = storage.walk(&prefix, after.as_deref(), 500).await?;
                objects += page.entries.len() as u64;
                bytes += page
                    .entries
                    .iter()
                    .map(|entry| entry.meta.size)
                    .sum::<u64>();
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
        }
        Ok((objects, bytes))
    }

    /// Whether the target's store takes, gives and deletes.
    pub(super) async fn probe_store(&self) -> Result<()> {
        let store = &self.target.storage;
        store.check().await?;
        let path = ObjectPath::incoming(ProjectId::new(), &Uuid::now_v7())?;
        let probe = Bytes::from_static(b"a probe of migrate-engine");
        store
            .write_bytes(&path, probe.clone(), WriteMode::Replace)
            .await?;
        let read = store.read_bytes(&path, 1_024).await?;
        store.delete(&path).await?;
        if read == probe {
            return Ok(());
        }
        Err(Error::internal(
            "try the object store",
            "it gives other bytes than it took",
        ))
    }

    /// An object that is in the target's store.
    pub(super) async fn first_object(&self) -> Result<Option<String>> {
        for prefix in self.prefixes() {
            let page = self.target.storage.walk(&prefix, None, 1).await?;
            if let Some(entry) = page.entries.first() {
                return Ok(Some(format!("{}{}", prefix.as_str(), entry.key)));
            }
        }
        Ok(None)
    }
}
