//! What a project's plugins do for the platform: the one that says in its
//! manifest that it `provides` it is looked up, and its job added. What such a job
//! takes and how it is done is the plugin's.

use crate::{
    Actor, App,
    directory::{InstalledPlugin, RouteTable},
};
use atlashub_core::{
    Error, ErrorKind, Grant, ItemId, PluginName, ProjectId, Result,
    capability::jobs::{JobTerms, check_payload},
    job::JobDeclaration,
};
use atlashub_data::platform::{Backlog, ItemKind, JobWork, NewItem};
use serde_json::json;
use std::sync::Arc;

/// A job of a plugin's that was added.
#[derive(Clone, Debug)]
pub struct BegunProvided {
    /// The plugin that does it.
    pub plugin: PluginName,
    /// The job, in the queue.
    pub job: ItemId,
}

impl App {
    /// Has the project's plugin that provides `what` do it, with the wishes in
    /// `payload`, which is JSON.
    ///
    /// # Errors
    /// `job_too_large`; `platform_job_unavailable` when none does;
    /// `queue_full`.
    pub async fn begin_provided(
        &self,
        actor: &Actor,
        project: ProjectId,
        what: &'static str,
        payload: String,
    ) -> Result<BegunProvided> {
        check_payload(&payload)?;
        let item = NewItem {
            request: actor.request,
            ..item_of(self, project, what, ItemId::new(), payload).await?
        };
        let (plugin, job) = (item.consumer.clone(), item.id);
        let unit = self.platform().begin().await?;
        unit.queue().enqueue(vec![item]).await?;
        let about = json!({ "plugin": plugin, "job": job.to_string() });
        let did = actor.did(&format!("project.{what}"), Some(project), None, about);
        unit.audit().append(did).await?;
        unit.commit().await?;
        self.queue().wake();
        Ok(BegunProvided { plugin, job })
    }
}

/// The item of the queue with which the project's plugin that provides `what`
/// does it; its room in the queue is taken.
///
/// # Errors
/// `platform_job_unavailable`, `queue_full`.
pub(super) async fn item_of(
    app: &App,
    project: ProjectId,
    what: &str,
    id: ItemId,
    payload: String,
) -> Result<NewItem> {
    let (installed, declared) = provider(app, project, what).await?;
    let terms = JobTerms::of(&declared);
    let more = Backlog {
        items: 1,
        bytes: payload.len() as u64,
    };
    app.queue()
        .take_share(app.platform(), project, more)
        .await?;
    Ok(NewItem {
        id,
        project,
        kind: ItemKind::Job,
        consumer: installed.installation.plugin.clone(),
        name: declared.name,
        source: None,
        subject: *id.as_uuid(),
        request: None,
        payload,
        ordering_key: None,
        unique_key: None,
        priority: 0,
        hops: 0,
        due_at: None,
        max_attempts: terms.max_attempts,
        job: Some(JobWork {
            timeout: terms.timeout,
            backoff: terms.backoff,
            tick: None,
        }),
    })
}

/// The plugin of the project that provides it, and its job.
pub(super) async fn provider(
    app: &App,
    project: ProjectId,
    what: &str,
) -> Result<(Arc<InstalledPlugin>, JobDeclaration)> {
    let directory = app.directory();
    if directory.by_id(project).is_none() {
        directory.refresh(project).await?;
    }
    if let Some(entry) = directory.by_id(project) {
        let routes = directory.routes(&entry).await?;
        if let Some(found) = first(&routes, what) {
            return Ok(found);
        }
        // This node may not know yet what another one changed.
        let routes = directory.bring_up(&entry, None).await?;
        if let Some(found) = first(&routes, what) {
            return Ok(found);
        }
    }
    Err(Error::new(
        ErrorKind::Invalid,
        "platform_job_unavailable",
        format!("no plugin that is on in this project provides `{what}`, as `transfer` does"),
    ))
}

/// The first by name.
fn first(routes: &RouteTable, what: &str) -> Option<(Arc<InstalledPlugin>, JobDeclaration)> {
    routes
        .plugins()
        .filter_map(|installed| Some((Arc::clone(installed), provided(installed, what)?)))
        .min_by(|(one, _), (other, _)| one.installation.plugin.cmp(&other.installation.plugin))
}

fn provided(installed: &InstalledPlugin, what: &str) -> Option<JobDeclaration> {
    let state = &installed.installation.state;
    if !state.enabled || !state.grants.contains(&Grant::Jobs) {
        return None;
    }
    let mut jobs = installed.revision.manifest.jobs.iter();
    jobs.find(|job| job.provides.as_deref() == Some(what))
        .cloned()
}
