//! Counting what is answered and done, a minute long. A lock is held for a
//! few additions, never across an await, and is one of several.

use super::latency::bucket;
use atlashub_core::{PluginName, ProjectId};
use atlashub_data::platform::{SeriesCounts, SeriesRow};
use parking_lot::Mutex;
use std::{collections::HashMap, time::Duration};

/// Locks, so that projects seldom wait for each other.
const SHARDS: usize = 8;

/// A request that was answered.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    /// With which status.
    pub status: u16,
    /// Time until the head of the answer was there.
    pub latency: Duration,
    /// Length of its body, where the head told it.
    pub bytes: u64,
}

/// By plugin; few of a project's are used within a minute.
type OfProject = Vec<(Option<PluginName>, SeriesCounts)>;

/// What happened on this node since it was last written down.
#[derive(Default)]
pub struct Traffic {
    shards: [Mutex<HashMap<ProjectId, OfProject>>; SHARDS],
}

impl Traffic {
    /// Counts a request of a project, answered by a plugin or by none.
    pub fn answered(&self, project: ProjectId, plugin: Option<&PluginName>, answered: &Answered) {
        self.count(project, plugin, |counts| {
            counts.requests += 1;
            match answered.status {
                400..500 => counts.client_errors += 1,
                500.. => counts.server_errors += 1,
                _ => {}
            }
            counts.bytes_out = counts.bytes_out.saturating_add(answered.bytes);
            if let Some(count) = counts.latency.get_mut(bucket(answered.latency)) {
                *count += 1;
            }
        });
    }

    /// Counts an item of the queue that was done, or given up.
    pub(crate) fn worked(&self, project: ProjectId, plugin: &PluginName, done: bool) {
        self.count(project, Some(plugin), |counts| {
            if done {
                counts.jobs_done += 1;
            } else {
                counts.jobs_failed += 1;
            }
        });
    }

    fn count(
        &self,
        project: ProjectId,
        plugin: Option<&PluginName>,
        count: impl FnOnce(&mut SeriesCounts),
    ) {
        // The last bytes of an id are its random ones.
        let place = project
            .as_uuid()
            .as_bytes()
            .last()
            .map_or(0, |byte| usize::from(*byte));
        let Some(shard) = self.shards.get(place % SHARDS) else {
            return;
        };
        let mut shard = shard.lock();
        let plugins = shard.entry(project).or_default();
        if let Some((_, counts)) = plugins.iter_mut().find(|(name, _)| name.as_ref() == plugin) {
            return count(counts);
        }
        let mut counts = SeriesCounts::default();
        count(&mut counts);
        plugins.push((plugin.cloned(), counts));
    }

    /// What was counted since the last call.
    pub(super) fn take(&self) -> Vec<SeriesRow> {
        let mut rows = Vec::new();
        for shard in &self.shards {
            let taken = std::mem::take(&mut *shard.lock());
            for (project, plugins) in taken {
                rows.extend(plugins.into_iter().map(|(plugin, counts)| SeriesRow {
                    project,
                    plugin,
                    counts,
                }));
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn answered(status: u16) -> Answered {
        Answered {
            status,
            latency: Duration::from_millis(1),
            bytes: 10,
        }
    }

    #[test]
    fn requests_are_counted_by_project_and_plugin_once() {
        let traffic = Traffic::default();
        let (one, two) = (ProjectId::new(), ProjectId::new());
        let files: PluginName = "files".parse().unwrap();
        for status in [200, 302, 404, 499, 500, 599] {
            traffic.answered(one, Some(&files), &answered(status));
        }
        traffic.answered(one, None, &answered(429));
        traffic.answered(two, Some(&files), &answered(200));
        traffic.worked(two, &files, true);
        traffic.worked(two, &files, false);
        let rows = traffic.take();
        assert_eq!(rows.len(), 3);
        let of = |project, plugin: Option<&PluginName>| {
            let mut found = rows.iter();
            let row = found.find(|row| row.project == project && row.plugin.as_ref() == plugin);
            row.unwrap().counts
        };
        let counts = of(one, Some(&files));
        assert_eq!(
            (counts.requests, counts.client_errors, counts.server_errors),
            (6, 2, 2)
        );
        assert_eq!((counts.bytes_out, counts.latency[1]), (60, 6));
        assert_eq!(of(one, None).client_errors, 1);
        let counts = of(two, Some(&files));
        assert_eq!(
            (counts.requests, counts.jobs_done, counts.jobs_failed),
            (1, 1, 1)
        );
        assert!(traffic.take().is_empty());
    }
}
