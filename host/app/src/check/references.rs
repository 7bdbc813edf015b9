//! Rows that refer to objects which are not there, or which are not as the
//! rows say.

use super::{Check, Part, finding, next};
use atlashub_core::{
    BucketName, PluginName, Result,
    capability::{
        blob::ObjectKey,
        check::{LostObject, MAX_KEYS, Reference},
    },
};
use atlashub_storage::ObjectPath;
use futures::{StreamExt as _, TryStreamExt as _, stream};

/// Objects that are looked for at once.
const AT_ONCE: usize = 16;

impl Check {
    pub(super) async fn check_references(&mut self) -> Result<()> {
        for (plugin, part) in self.parts.clone() {
            for bucket in self.buckets.clone() {
                if let Err(error) = self.check_rows(&plugin, &part, &bucket).await {
                    self.give_up(&plugin, error).await?;
                    break;
                }
            }
        }
        Ok(())
    }

    async fn check_rows(
        &mut self,
        plugin: &PluginName,
        part: &Part,
        bucket: &BucketName,
    ) -> Result<()> {
        let mut cursor = None;
        loop {
            let page = self.references_of(part, bucket, cursor.clone()).await?;
            self.summary.references += page.references.len() as u64;
            let missed = self.missed(plugin, bucket, page.references).await?;
            for missed in missed.chunks(MAX_KEYS) {
                self.confirm(plugin, part, bucket, missed).await?;
            }
            match next(cursor.as_ref(), page.next)? {
                None => return Ok(()),
                further => cursor = further,
            }
        }
    }

    /// Those whose objects are not as they must be.
    async fn missed(
        &self,
        plugin: &PluginName,
        bucket: &BucketName,
        references: Vec<Reference>,
    ) -> Result<Vec<LostObject>> {
        let looked =
            stream::iter(references.into_iter().filter(|one| one.required)).map(|one| async move {
                let found = self.size_of(plugin, bucket, &one.key).await?;
                Ok((!is_as_said(&one, found)).then_some(LostObject {
                    key: one.key,
                    found,
                }))
            });
        looked
            .buffered(AT_ONCE)
            .try_filter_map(|lost| std::future::ready(Ok(lost)))
            .try_collect()
            .await
    }

    async fn size_of(
        &self,
        plugin: &PluginName,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<Option<u64>> {
        let path = ObjectPath::object(self.project(), bucket, plugin, key)?;
        let meta = self.app.storage().stat(&path).await?;
        Ok(meta.map(|meta| meta.size))
    }

    /// Asks once more: rows go before their objects, so one that is still
    /// there after its object was missed has lost it.
    async fn confirm(
        &mut self,
        plugin: &PluginName,
        part: &Part,
        bucket: &BucketName,
        missed: &[LostObject],
    ) -> Result<()> {
        let keys: Vec<ObjectKey> = missed.iter().map(|lost| lost.key.clone()).collect();
        let Some(known) = self.known(plugin, bucket, &keys).await? else {
            return Ok(());
        };
        let is_lost = |lost: &&LostObject| {
            let still = known.get(&lost.key);
            still.is_some_and(|one| one.required && !is_as_said(one, lost.found))
        };
        let lost: Vec<LostObject> = missed.iter().filter(is_lost).cloned().collect();
        if lost.is_empty() {
            return Ok(());
        }
        let mut after = None;
        if self.options.repair {
            self.mend(part, bucket, &lost).await?;
            after = self.known(plugin, bucket, &keys).await?;
        }
        for lost in lost {
            let Some(before) = known.get(&lost.key) else {
                continue;
            };
            let mended = after.as_ref().is_some_and(|after| {
                let still = after.get(&lost.key);
                still.is_none_or(|one| !one.required || is_as_said(one, lost.found))
            });
            let place = format!("{bucket}/{plugin}/{}", lost.key);
            let (code, message) = match lost.found {
                None => ("missing_object", format!("its object {place} is not there")),
                Some(found) => (
                    "wrong_size",
                    format!(
                        "its object {place} has {found} bytes and should have {}",
                        before.size.unwrap_or_default()
                    ),
                ),
            };
            let lost = finding(code, before.subject.clone(), message, mended);
            self.found(plugin.as_str(), lost).await?;
        }
        Ok(())
    }
}

fn is_as_said(reference: &Reference, found: Option<u64>) -> bool {
    found.is_some_and(|found| reference.size.is_none_or(|size| size == found))
}
