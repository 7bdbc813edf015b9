//! `atlashub fsck`: compares what a project's store holds with what its
//! plugins' tables and its storage account say, while everything goes on.
//!
//! The host knows objects; what a plugin's rows refer to it asks the plugin,
//! through `atlashub:check`. What is younger than a grace may be under way and
//! is left alone; what looks wrong is looked at twice before it is reported.
//! Nothing that may be of use is deleted: objects without a row are moved to
//! `lost+found`, rows without an object stay. Memory is bounded by a page of
//! objects and [`MAX_DOUBTFUL`] doubtful ones.

mod avatars;
mod count;
mod objects;
mod references;
mod store;

pub(crate) use count::{recount, recount_wanted};

use crate::{Actor, App, directory::ProjectEntry, users::avatar::HOST};
use atlashub_core::{
    BucketName, Error, ErrorKind, PluginName, ProjectId, Result,
    capability::{
        PluginScope,
        blob::ObjectKey,
        check::{Finding, LostObject, Reference, ReferencePage},
    },
};
use atlashub_runtime::LivePlugin;
use futures::{SinkExt as _, Stream, StreamExt as _, channel::mpsc, future, stream};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// Objects without a row that are kept in mind for the second look.
const MAX_DOUBTFUL: usize = 10_000;
/// The code of a plugin that could not be asked.
const CHECK_FAILED: &str = "check_failed";

/// What a check may do.
#[derive(Clone, Copy, Debug)]
pub struct CheckOptions {
    /// What is younger is left alone.
    pub grace: Duration,
    /// Whether to mend what is found.
    pub repair: bool,
    /// Whether to delete objects without a row, and those that were moved to
    /// `lost+found` before, in place of moving them there.
    pub delete_orphans: bool,
}

/// What a check tells as it goes.
#[derive(Clone, Debug)]
pub enum CheckNews {
    /// Something is wrong.
    Found {
        /// The plugin, or `host`.
        part: String,
        /// What is wrong.
        finding: Finding,
    },
    /// The check is over.
    Over(CheckSummary),
}

/// What a check has looked at.
#[derive(Clone, Debug, Default)]
pub struct CheckSummary {
    /// Objects in the store.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// References to objects.
    pub references: u64,
    /// What was wrong.
    pub found: u64,
    /// What of it was mended.
    pub mended: u64,
    /// What is too young, or in use, to be decided on.
    pub left_alone: u64,
    /// Objects in `lost+found`.
    pub set_aside: u64,
    /// Plugins whose objects nobody could be asked about, and why.
    pub unchecked: BTreeMap<String, String>,
}

/// Who can be asked about a plugin's objects.
#[derive(Clone)]
enum Part {
    /// The host, about pictures of users.
    Host,
    /// The plugin.
    Plugin(Arc<LivePlugin>),
    /// Nobody, for this reason.
    Nobody(&'static str),
}

/// A check under way.
struct Check {
    app: App,
    entry: Arc<ProjectEntry>,
    options: CheckOptions,
    parts: BTreeMap<PluginName, Part>,
    buckets: BTreeSet<BucketName>,
    news: mpsc::Sender<Result<CheckNews>>,
    summary: CheckSummary,
}

impl App {
    /// Checks a project. It goes on as the stream is read, and ends with it.
    ///
    /// # Errors
    /// `not_found`. An error in the stream is its last item.
    pub async fn check_project(
        &self,
        actor: &Actor,
        project: ProjectId,
        options: CheckOptions,
    ) -> Result<impl Stream<Item = Result<CheckNews>> + Send + use<>> {
        let entry = self.entry(project).await?;
        if options.repair {
            let details = json!({
                "grace_seconds": options.grace.as_secs(),
                "delete_orphans": options.delete_orphans,
            });
            let event = actor.did(
                "project.repair",
                Some(entry.id),
                entry.id.to_string(),
                details,
            );
            self.platform().audit().append(event).await?;
        }
        let (news, told) = mpsc::channel(16);
        let check = Check::new(self.clone(), entry, options, news).await?;
        let work = stream::once(check.run()).filter_map(|end| future::ready(end.err().map(Err)));
        Ok(stream::select(told, work))
    }
}

impl Check {
    async fn new(
        app: App,
        entry: Arc<ProjectEntry>,
        options: CheckOptions,
        news: mpsc::Sender<Result<CheckNews>>,
    ) -> Result<Self> {
        let mut parts = BTreeMap::new();
        parts.insert(HOST.parse()?, Part::Host);
        for plugin in app.directory().routes(&entry).await?.plugins() {
            let part = match plugin.live() {
                Ok(live) if live.can_be_checked() => Part::Plugin(Arc::clone(live)),
                Ok(_) => Part::Nobody("it does not say which objects it refers to"),
                Err(error) if error.code() == "plugin_unavailable" => {
                    Part::Nobody("it cannot be started")
                }
                Err(_) => Part::Nobody("it is switched off"),
            };
            parts.insert(plugin.installation.plugin.clone(), part);
        }
        let buckets = app.platform().buckets().list(entry.id).await?;
        Ok(Self {
            app,
            entry,
            options,
            parts,
            buckets: buckets.into_iter().map(|bucket| bucket.name).collect(),
            news,
            summary: CheckSummary::default(),
        })
    }

    /// Goes on without a plugin that cannot be asked, and says so.
    async fn give_up(&mut self, plugin: &PluginName, error: Error) -> Result<()> {
        if error.code() != CHECK_FAILED {
            return Err(error);
        }
        self.parts
            .insert(plugin.clone(), Part::Nobody("it failed when it was asked"));
        let failed = finding(
            CHECK_FAILED,
            plugin.to_string(),
            error.message().to_owned(),
            false,
        );
        self.found(plugin.as_str(), failed).await
    }

    async fn run(mut self) -> Result<()> {
        self.check_objects().await?;
        self.check_references().await?;
        self.inspect_plugins().await?;
        // Last: what was mended before has changed it.
        self.check_account().await?;
        let summary = std::mem::take(&mut self.summary);
        self.tell(CheckNews::Over(summary)).await
    }

    fn project(&self) -> ProjectId {
        self.entry.id
    }

    fn scope(&self, plugin: &PluginName) -> PluginScope {
        PluginScope {
            project: self.project(),
            plugin: plugin.clone(),
        }
    }

    async fn tell(&mut self, news: CheckNews) -> Result<()> {
        let told = self.news.send(Ok(news)).await;
        told.map_err(|error| Error::internal("tell what a check found", error))
    }

    async fn found(&mut self, part: &str, finding: Finding) -> Result<()> {
        self.summary.found += 1;
        self.summary.mended += u64::from(finding.mended);
        let part = part.to_owned();
        self.tell(CheckNews::Found { part, finding }).await
    }

    /// Which of these objects rows of `plugin` refer to; `None` when nobody
    /// can be asked.
    async fn known(
        &self,
        plugin: &PluginName,
        bucket: &BucketName,
        keys: &[ObjectKey],
    ) -> Result<Option<BTreeMap<ObjectKey, Reference>>> {
        let known = match self.parts.get(plugin) {
            Some(Part::Host) => avatars::known(&self.app, self.project(), keys).await?,
            Some(Part::Plugin(live)) => live.known_objects(bucket, keys).await?,
            Some(Part::Nobody(_)) | None => return Ok(None),
        };
        let by_key = known.into_iter().map(|known| (known.key.clone(), known));
        Ok(Some(by_key.collect()))
    }

    async fn references_of(
        &self,
        part: &Part,
        bucket: &BucketName,
        cursor: Option<String>,
    ) -> Result<ReferencePage> {
        match part {
            Part::Host => avatars::references(&self.app, self.project(), bucket, cursor).await,
            Part::Plugin(live) => live.object_references(bucket, cursor).await,
            Part::Nobody(_) => Ok(ReferencePage::default()),
        }
    }

    async fn mend(&self, part: &Part, bucket: &BucketName, lost: &[LostObject]) -> Result<()> {
        match part {
            Part::Plugin(live) => live.mend_lost(bucket, lost).await,
            Part::Host | Part::Nobody(_) => Ok(()),
        }
    }

    async fn inspect_plugins(&mut self) -> Result<()> {
        for (plugin, part) in self.parts.clone() {
            let Part::Plugin(live) = part else { continue };
            if let Err(error) = self.inspect(&plugin, &live).await {
                self.give_up(&plugin, error).await?;
            }
        }
        Ok(())
    }

    async fn inspect(&mut self, plugin: &PluginName, live: &LivePlugin) -> Result<()> {
        let CheckOptions { grace, repair, .. } = self.options;
        let mut cursor = None;
        loop {
            let page = live.inspect(cursor.clone(), grace, repair).await?;
            for finding in page.findings {
                self.found(plugin.as_str(), finding).await?;
            }
            match next(cursor.as_ref(), page.next)? {
                None => return Ok(()),
                further => cursor = further,
            }
        }
    }
}

/// Where to go on, which must be elsewhere than before.
fn next(before: Option<&String>, next: Option<String>) -> Result<Option<String>> {
    if next.is_some() && next.as_ref() == before {
        return Err(Error::new(
            ErrorKind::PluginFault,
            CHECK_FAILED,
            "the plugin gave the same place to go on again",
        ));
    }
    Ok(next)
}

fn finding(code: &str, subject: String, message: String, mended: bool) -> Finding {
    Finding {
        code: code.to_owned(),
        subject,
        message,
        mended,
    }
}
