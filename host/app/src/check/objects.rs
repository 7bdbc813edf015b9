//! Objects that nothing refers to, in one walk through a project's store.

use super::{Check, CheckOptions, HOST, MAX_DOUBTFUL, Part, finding};
use atlashub_core::{
    BucketName, PluginName, Result,
    capability::{
        blob::{Blobs as _, ObjectKey},
        check::MAX_KEYS,
    },
};
use atlashub_storage::{ObjectMeta, ObjectPath, PathPrefix, WriteMode};

/// Where the host puts what nothing refers to, within a project. No bucket
/// can have this name.
const LOST: &str = "lost+found/";

/// An object that nothing refers to, as it seems.
struct Doubtful {
    bucket: BucketName,
    plugin: PluginName,
    key: ObjectKey,
    size: u64,
}

/// Objects of a plugin in a bucket.
struct Group {
    bucket: BucketName,
    plugin: PluginName,
    objects: Vec<(ObjectKey, ObjectMeta)>,
}

impl Check {
    pub(super) async fn check_objects(&mut self) -> Result<()> {
        let storage = self.app.storage().clone();
        let prefix = PathPrefix::project(self.project());
        let mut doubtful = Vec::new();
        let mut after = None;
        loop {
            let page = storage.walk(&prefix, after.as_deref(), MAX_KEYS).await?;
            let mut groups: Vec<Group> = Vec::new();
            for entry in page.entries {
                self.summary.objects += 1;
                self.summary.bytes = self.summary.bytes.saturating_add(entry.meta.size);
                if let Some(place) = entry.key.strip_prefix(LOST) {
                    self.lost_before(place).await?;
                    continue;
                }
                match self.place_of(&entry.key) {
                    Some((bucket, plugin, key)) => {
                        let object = (key, entry.meta);
                        match groups.last_mut() {
                            Some(last) if last.bucket == bucket && last.plugin == plugin => {
                                last.objects.push(object);
                            }
                            _ => groups.push(Group {
                                bucket,
                                plugin,
                                objects: vec![object],
                            }),
                        }
                    }
                    None => self.stray(&entry.key, entry.meta).await?,
                }
            }
            for group in groups {
                self.look_at(group, &mut doubtful).await?;
            }
            if doubtful.len() >= MAX_DOUBTFUL {
                self.decide(std::mem::take(&mut doubtful)).await?;
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        self.decide(doubtful).await
    }

    /// The bucket, plugin and key of an object, if it lies where objects do.
    fn place_of(&self, path: &str) -> Option<(BucketName, PluginName, ObjectKey)> {
        let mut segments = path.splitn(3, '/');
        let bucket: BucketName = segments.next()?.parse().ok()?;
        let plugin: PluginName = segments.next()?.parse().ok()?;
        let key: ObjectKey = segments.next()?.parse().ok()?;
        self.buckets
            .contains(&bucket)
            .then_some((bucket, plugin, key))
    }

    async fn look_at(&mut self, group: Group, doubtful: &mut Vec<Doubtful>) -> Result<()> {
        let Group {
            bucket,
            plugin,
            objects,
        } = group;
        let keys: Vec<ObjectKey> = objects.iter().map(|(key, _)| key.clone()).collect();
        let known = match self.known(&plugin, &bucket, &keys).await {
            Ok(known) => known,
            Err(error) => return self.give_up(&plugin, error).await,
        };
        let Some(known) = known else {
            let why = match self.parts.get(&plugin) {
                Some(Part::Nobody(why)) => why,
                _ => "it is not installed",
            };
            let unchecked = &mut self.summary.unchecked;
            unchecked.insert(plugin.to_string(), why.to_owned());
            return Ok(());
        };
        for (key, meta) in objects {
            if known.contains_key(&key) {
                continue;
            }
            if self.is_young(meta) {
                self.summary.left_alone += 1;
                continue;
            }
            doubtful.push(Doubtful {
                bucket: bucket.clone(),
                plugin: plugin.clone(),
                key,
                size: meta.size,
            });
        }
        Ok(())
    }

    /// Whether an object may belong to something that is under way.
    fn is_young(&self, meta: ObjectMeta) -> bool {
        let grace = self.options.grace;
        let since = self.app.platform().now() - grace;
        !grace.is_zero() && meta.modified.is_none_or(|at| at > since)
    }

    /// Looks again at what seemed to be referred to by nothing: requests of
    /// before have ended, and what was being deleted is gone.
    async fn decide(&mut self, doubtful: Vec<Doubtful>) -> Result<()> {
        for doubtful in doubtful {
            let Doubtful {
                bucket,
                plugin,
                key,
                size,
            } = doubtful;
            let keys = std::slice::from_ref(&key);
            let known = match self.known(&plugin, &bucket, keys).await {
                Ok(known) => known,
                Err(error) => {
                    self.give_up(&plugin, error).await?;
                    continue;
                }
            };
            if known.is_none_or(|known| known.contains_key(&key)) {
                continue;
            }
            let path = ObjectPath::object(self.project(), &bucket, &plugin, &key)?;
            if self.app.storage().stat(&path).await?.is_none() {
                continue;
            }
            let place = format!("{bucket}/{plugin}/{key}");
            let (message, mended) = match (self.options.repair, self.options.delete_orphans) {
                (false, _) => (format!("no row refers to these {size} bytes"), false),
                (true, true) => {
                    let scope = self.scope(&plugin);
                    self.app.blobs().delete(&scope, &bucket, &key).await?;
                    let message = format!("no row referred to these {size} bytes; deleted");
                    (message, true)
                }
                (true, false) => {
                    let moved = self.set_aside(&path, &place, size).await?;
                    let message = match moved {
                        true => {
                            format!("no row refers to these {size} bytes; now in {LOST}{place}")
                        }
                        false => {
                            format!("no row refers to these {size} bytes; {LOST}{place} is taken")
                        }
                    };
                    (message, moved)
                }
            };
            let orphan = finding("orphaned_object", place, message, mended);
            self.found(plugin.as_str(), orphan).await?;
        }
        Ok(())
    }

    /// Moves an object to where it is in nobody's way; whether it is there.
    /// Its bytes still count.
    async fn set_aside(&mut self, from: &ObjectPath, place: &str, size: u64) -> Result<bool> {
        let storage = self.app.storage();
        let to = ObjectPath::lost(self.project(), place)?;
        match storage.copy(from, &to, WriteMode::CreateOnly).await {
            Ok(_) => {}
            // A check before this one was ended in the middle.
            Err(error) if error.code() == "object_exists" => {
                let there = storage.stat(&to).await?;
                if there.is_none_or(|meta| meta.size != size) {
                    return Ok(false);
                }
            }
            Err(error) if error.code() == "object_not_found" => return Ok(true),
            Err(error) => return Err(error),
        }
        storage.delete(from).await?;
        self.summary.set_aside += 1;
        Ok(true)
    }

    /// What an earlier check has put aside.
    async fn lost_before(&mut self, place: &str) -> Result<()> {
        let CheckOptions {
            repair,
            delete_orphans,
            ..
        } = self.options;
        if !(repair && delete_orphans) {
            self.summary.set_aside += 1;
            return Ok(());
        }
        let path = ObjectPath::lost(self.project(), place)?;
        self.app.blobs().delete_lost(self.project(), path).await
    }

    /// Something that lies where no plugin keeps objects.
    async fn stray(&mut self, path: &str, meta: ObjectMeta) -> Result<()> {
        if self.is_young(meta) {
            self.summary.left_alone += 1;
            return Ok(());
        }
        let shown: String = path.escape_debug().take(600).collect();
        let message = format!(
            "{} bytes lie where no plugin keeps objects; look at them, and remove them by hand",
            meta.size
        );
        let stray = finding("stray_object", shown, message, false);
        self.found(HOST, stray).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bucket_is_called_as_the_place_of_lost_objects() {
        assert!(LOST.trim_end_matches('/').parse::<BucketName>().is_err());
    }
}
