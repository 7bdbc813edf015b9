//! Reading everything once more on both sides. What differs is forgotten by
//! the journal, so that the next run copies it anew.

use super::{
    EngineMover, Journal,
    databases::{self, ordered},
    objects::{self, AT_ONCE, PAGE},
    plan::{Plan, PlannedProject},
};
use atlashub_core::{Error, Result};
use atlashub_data::{
    platform::moving::moved_tables,
    project::moving::{MovedTable, PUBLIC},
};
use atlashub_storage::{ListEntry, ObjectPath, PathPrefix, Storage};
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// Differences that are told.
const SHOWN: usize = 10;

impl EngineMover {
    /// Compares rows, then objects; how many objects there are, and bytes.
    pub(super) async fn verify(&self, plan: &Plan, journal: &mut Journal) -> Result<(u64, u64)> {
        let mut differ = Vec::new();
        self.verify_rows(journal, &mut differ).await?;
        for project in &plan.projects {
            self.verify_database(project, journal, &mut differ).await?;
        }
        let mut counted = (0, 0);
        if self.options.objects {
            for prefix in self.prefixes() {
                let (objects, bytes) = self.verify_objects(&prefix, journal, &mut differ).await?;
                counted.0 += objects;
                counted.1 += bytes;
            }
        }
        if differ.is_empty() {
            return Ok(counted);
        }
        let more = differ.len().saturating_sub(SHOWN);
        differ.truncate(SHOWN);
        if more > 0 {
            differ.push(format!("and {more} more"));
        }
        Err(Error::conflict(
            "moved_differs",
            format!(
                "the two sides differ, and nothing may be started on the target:\n  {}\n\
                 the source has changed since it was copied, or the target has: see that no node \
                 runs on either, and run the command again, which copies anew what differs",
                differ.join("\n  ")
            ),
        ))
    }

    async fn verify_rows(&self, journal: &mut Journal, differ: &mut Vec<String>) -> Result<()> {
        let rows = self.source.platform.rows_at_one_moment().await?;
        let before = differ.len();
        let mut total = 0;
        for table in moved_tables() {
            let found = self.target.platform.compare_table(&rows, table).await?;
            total += found.target;
            if !found.same {
                differ.push(format!(
                    "the platform's `{table}`: {} rows there, {} here",
                    found.source, found.target
                ));
            }
        }
        if differ.len() > before {
            // Rows that others refer to take those with them.
            journal.forget("rows/").await?;
        } else {
            self.tell(format!("the same: {total} rows of the platform"));
        }
        Ok(())
    }

    async fn verify_database(
        &self,
        project: &PlannedProject,
        journal: &mut Journal,
        differ: &mut Vec<String>,
    ) -> Result<()> {
        let before = differ.len();
        let mut total = 0;
        let mut compare = async |schema: &str, table: &MovedTable| -> Result<bool> {
            let found = self
                .target
                .databases
                .compare_rows(&self.source.databases, project.location, schema, table)
                .await?;
            total += found.target;
            if !found.same {
                differ.push(format!(
                    "{}: `{schema}.{}`: {} rows there, {} here",
                    project.slug, table.name, found.source, found.target
                ));
            }
            Ok(found.same)
        };
        let mut again = Vec::new();
        for table in &project.public.tables {
            if !compare(PUBLIC, table).await? {
                again.push(PUBLIC.to_owned());
            }
        }
        for plugin in &project.plugins {
            let schema = plugin.scope.plugin.schema();
            let made = databases::step(project.location, &schema, "made");
            for table in ordered(plugin, journal.done(&made)) {
                if !compare(&schema, table).await? {
                    again.push(schema.clone());
                }
            }
        }
        for schema in again {
            let steps = databases::step(project.location, &schema, "");
            journal.forget(&steps).await?;
        }
        if differ.len() == before {
            self.tell(format!("the same: {total} rows of {}", project.slug));
        }
        Ok(())
    }

    async fn verify_objects(
        &self,
        prefix: &PathPrefix,
        journal: &mut Journal,
        differ: &mut Vec<String>,
    ) -> Result<(u64, u64)> {
        let name = format!("verified/{}", prefix.as_str());
        if journal.done(&name).is_some() {
            let (_, objects, bytes) = objects::so_far(journal.done(&name));
            return Ok((objects, bytes));
        }
        let (mut after, mut objects, mut bytes) = objects::so_far(journal.begun(&name));
        let pace = self.pace(format!("comparing {}", prefix.as_str()), "objects");
        loop {
            let (there, here) = futures::try_join!(
                self.source.storage.walk(prefix, after.as_deref(), PAGE),
                self.target.storage.walk(prefix, after.as_deref(), PAGE),
            )?;
            let told = |entry: &ListEntry| (entry.key.clone(), entry.meta.size);
            let same_lists = there
                .entries
                .iter()
                .map(told)
                .eq(here.entries.iter().map(told));
            let mut found = Vec::new();
            if same_lists {
                found = futures::stream::iter(&there.entries)
                    .map(|entry| self.differs(prefix, entry))
                    .buffer_unordered(AT_ONCE)
                    .try_filter_map(async |found| Ok(found))
                    .try_collect()
                    .await?;
            } else {
                for entry in &there.entries {
                    if !here.entries.iter().any(|own| told(own) == told(entry)) {
                        found.push(format!("{}{} is missing here", prefix.as_str(), entry.key));
                    }
                }
                for entry in &here.entries {
                    if !there.entries.iter().any(|own| own.key == entry.key) {
                        let key = &entry.key;
                        found.push(format!("{}{key} is only here", prefix.as_str()));
                    }
                }
            }
            if !found.is_empty() {
                differ.extend(found.into_iter().map(|line| format!("the object {line}")));
                journal.forget(&objects::step(prefix)).await?;
                journal.forget(&name).await?;
                return Ok((objects, bytes));
            }
            objects += there.entries.len() as u64;
            bytes += there
                .entries
                .iter()
                .map(|entry| entry.meta.size)
                .sum::<u64>();
            pace(objects);
            let ended = there.next.is_none();
            after = there.next;
            let details = json!({ "after": after, "objects": objects, "bytes": bytes });
            journal.note(&name, ended, details).await?;
            if ended {
                break;
            }
        }
        if objects > 0 {
            self.tell(format!(
                "the same: {objects} objects of {} with {bytes} bytes",
                prefix.as_str()
            ));
        }
        Ok((objects, bytes))
    }

    /// The name of an object whose bytes differ.
    async fn differs(&self, prefix: &PathPrefix, entry: &ListEntry) -> Result<Option<String>> {
        let path = ObjectPath::below(prefix, &entry.key)?;
        let (there, here) = futures::try_join!(
            hash(&self.source.storage, &path),
            hash(&self.target.storage, &path),
        )?;
        Ok((there != here).then(|| format!("{path} has other bytes here")))
    }
}

async fn hash(storage: &Storage, path: &ObjectPath) -> Result<Vec<u8>> {
    let mut bytes = storage.read(path, None).await?.bytes;
    let mut hash = Sha256::new();
    while let Some(chunk) = bytes.try_next().await? {
        hash.update(&chunk);
    }
    Ok(hash.finalize().to_vec())
}
