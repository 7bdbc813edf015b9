//! What plugins did, as metrics. Written when somebody looks, from counters
//! that the runtime keeps anyway: requests pay nothing for it.

use super::Directory;
use atlashub_runtime::LivePlugin;
use metrics::{counter, gauge};
use std::sync::Arc;

impl Directory {
    /// Requests for static files of plugins, by project and plugin.
    fn assets_served(&self) -> Vec<([(&'static str, String); 2], u64)> {
        let index = self.index.read();
        let mut served = Vec::new();
        for entry in index.by_id.values() {
            let Some(routes) = entry.routes() else {
                continue;
            };
            served.extend(routes.plugins().filter_map(|plugin| {
                let labels = [
                    ("project", entry.slug.to_string()),
                    ("plugin", plugin.installation.plugin.to_string()),
                ];
                Some((labels, plugin.assets_served()?))
            }));
        }
        served
    }

    /// The live plugins of all projects that are up on this node.
    #[must_use]
    pub fn live_plugins(&self) -> Vec<(String, Arc<LivePlugin>)> {
        let index = self.index.read();
        let mut live = Vec::new();
        for entry in index.by_id.values() {
            let Some(routes) = entry.routes() else {
                continue;
            };
            let running = routes.plugins().filter_map(|plugin| plugin.live().ok());
            live.extend(running.map(|plugin| (entry.slug.to_string(), Arc::clone(plugin))));
        }
        live
    }

    /// Brings the metrics of plugins and of the runtime up to date.
    #[expect(clippy::cast_precision_loss, reason = "gauges; exact to 2^53")]
    pub fn measure(&self) {
        for (project, plugin) in self.live_plugins() {
            let stats = plugin.stats();
            let labels = [
                ("project", project),
                ("plugin", plugin.scope().plugin.to_string()),
            ];
            counter!("atlashub_plugin_requests_total", &labels).absolute(stats.requests);
            counter!("atlashub_plugin_errors_total", &labels).absolute(stats.errors);
            counter!("atlashub_plugin_traps_total", &labels).absolute(stats.traps);
            counter!("atlashub_plugin_timeouts_total", &labels).absolute(stats.timeouts);
            counter!("atlashub_plugin_refused_total", &labels).absolute(stats.refused);
            counter!("atlashub_plugin_instantiations_total", &labels)
                .absolute(stats.instantiations);
            gauge!("atlashub_plugin_running", &labels).set(stats.running as f64);
            gauge!("atlashub_plugin_memory_bytes", &labels).set(stats.memory_bytes as f64);
            gauge!("atlashub_plugin_cut_off", &labels)
                .set(f64::from(u8::from(plugin.is_cut_off())));
            for (quantile, seconds) in [
                ("0.5", stats.p50_seconds),
                ("0.95", stats.p95_seconds),
                ("0.99", stats.p99_seconds),
            ] {
                let [project, plugin] = &labels;
                let labels = [
                    project.clone(),
                    plugin.clone(),
                    ("quantile", quantile.to_owned()),
                ];
                gauge!("atlashub_plugin_latency_seconds", &labels).set(seconds);
            }
        }
        for (labels, requests) in self.assets_served() {
            counter!("atlashub_plugin_asset_requests_total", &labels).absolute(requests);
        }
        let instances = self.code.runtime().live_instances();
        gauge!("atlashub_instances").set(instances as f64);
        gauge!("atlashub_projects").set(self.index.read().by_id.len() as f64);
    }
}
