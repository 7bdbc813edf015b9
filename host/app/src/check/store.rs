//! What lies in the store beside the projects that are there: components of
//! which no row speaks, rows whose component is gone, and what deleted projects
//! left. `atlashub fsck` looks at it when it looks at all projects.

use super::{CheckNews, CheckOptions, CheckSummary, HOST, finding};
use crate::{Actor, App};
use atlashub_core::{Digest, Error, ProjectId, Result, capability::check::Finding};
use atlashub_storage::{ListEntry, ObjectPath, PathPrefix};
use futures::{SinkExt as _, Stream, StreamExt as _, channel::mpsc, future, stream};
use serde_json::json;

/// Objects and rows that are looked at together.
const PAGE: usize = 500;

/// A check under way.
struct StoreCheck {
    app: App,
    options: CheckOptions,
    news: mpsc::Sender<Result<CheckNews>>,
    summary: CheckSummary,
}

impl App {
    /// Checks what belongs to no project. It goes on as the stream is read,
    /// and ends with it.
    ///
    /// # Errors
    /// When the database cannot. An error in the stream is its last item.
    pub async fn check_store(
        &self,
        actor: &Actor,
        options: CheckOptions,
    ) -> Result<impl Stream<Item = Result<CheckNews>> + Send + use<>> {
        if options.repair {
            let details = json!({
                "grace_seconds": options.grace.as_secs(),
                "delete_orphans": options.delete_orphans,
            });
            let event = actor.did("store.repair", None, "store".to_owned(), details);
            self.platform().audit().append(event).await?;
        }
        let (news, told) = mpsc::channel(16);
        let check = StoreCheck {
            app: self.clone(),
            options,
            news,
            summary: CheckSummary::default(),
        };
        let work = stream::once(check.run()).filter_map(|end| future::ready(end.err().map(Err)));
        Ok(stream::select(told, work))
    }
}

impl StoreCheck {
    async fn run(mut self) -> Result<()> {
        self.check_components().await?;
        self.check_rows().await?;
        for (prefix, place) in [
            (PathPrefix::projects(), Place::Objects),
            (PathPrefix::all_incoming(), Place::Incoming),
        ] {
            self.check_projects(&prefix, place).await?;
        }
        let summary = std::mem::take(&mut self.summary);
        self.tell(CheckNews::Over(summary)).await
    }

    async fn tell(&mut self, news: CheckNews) -> Result<()> {
        let told = self.news.send(Ok(news)).await;
        told.map_err(|error| Error::internal("tell what a check found", error))
    }

    async fn found(&mut self, finding: Finding) -> Result<()> {
        self.summary.found += 1;
        self.summary.mended += u64::from(finding.mended);
        let part = HOST.to_owned();
        self.tell(CheckNews::Found { part, finding }).await
    }

    /// Whether what nothing refers to is to be deleted.
    const fn deletes(&self) -> bool {
        self.options.repair && self.options.delete_orphans
    }

    /// Component bytes of which no revision speaks.
    async fn check_components(&mut self) -> Result<()> {
        let mut after = None;
        loop {
            let storage = self.app.storage().clone();
            let prefix = PathPrefix::revisions();
            let page = storage.walk(&prefix, after.as_deref(), PAGE).await?;
            let digests: Vec<Digest> = page
                .entries
                .iter()
                .filter_map(|entry| entry.key.parse().ok())
                .collect();
            let known = self.app.platform().revisions().among(&digests).await?;
            for entry in page.entries {
                self.count(&entry);
                let digest: Option<Digest> = entry.key.parse().ok();
                if digest.is_some_and(|digest| known.contains(&digest)) {
                    self.summary.references += 1;
                } else if self.is_young(&entry) {
                    self.summary.left_alone += 1;
                } else {
                    self.orphaned(&entry, digest).await?;
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn orphaned(&mut self, entry: &ListEntry, digest: Option<Digest>) -> Result<()> {
        let mut deleted = false;
        if let Some(digest) = digest.filter(|_| self.deletes()) {
            // It may have been uploaded just now.
            let known = self.app.platform().revisions().among(&[digest]).await?;
            if known.is_empty() {
                let path = ObjectPath::revision(&digest)?;
                self.app.storage().delete(&path).await?;
                deleted = true;
            }
        }
        let subject = format!("revisions/{}", entry.key);
        let message = format!("no revision has these {} bytes", entry.meta.size);
        let found = finding("orphaned_component", subject, message, deleted);
        self.found(found).await
    }

    /// Revisions whose bytes are gone, or others.
    async fn check_rows(&mut self) -> Result<()> {
        let mut after = None;
        loop {
            let revisions = self.app.platform().revisions();
            let rows = revisions.after(after, PAGE as u64).await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = Some(last.id);
            for row in rows {
                let path = ObjectPath::revision(&row.digest)?;
                let size = self.app.storage().stat(&path).await?.map(|meta| meta.size);
                if size == Some(row.size_bytes) {
                    continue;
                }
                let subject = format!("{} {}", row.plugin, row.manifest.version);
                let message = match size {
                    None => "its component is not in the store".to_owned(),
                    Some(size) => format!(
                        "its component has {size} bytes in the store, {} are right",
                        row.size_bytes
                    ),
                };
                let how = if row.builtin {
                    "a server that starts puts it back"
                } else {
                    "upload it again"
                };
                let message = format!("{message}: {how}");
                let found = finding("missing_component", subject, message, false);
                self.found(found).await?;
            }
        }
    }

    /// What lies there of projects that are not.
    async fn check_projects(&mut self, prefix: &PathPrefix, place: Place) -> Result<()> {
        let mut after: Option<String> = None;
        loop {
            let page = self.app.storage().walk(prefix, after.as_deref(), 1).await?;
            let Some(entry) = page.entries.first() else {
                return Ok(());
            };
            let name = entry.key.split('/').next().unwrap_or_default().to_owned();
            // Behind all that begins with the name and a slash.
            after = Some(format!("{name}0"));
            let project: Option<ProjectId> = name.parse().ok();
            if let Some(id) = project
                && self.app.platform().projects().is_there(id).await?
            {
                continue;
            }
            let mut deleted = false;
            if let Some(id) = project.filter(|_| self.deletes()) {
                self.app.storage().delete_all(&place.of(id)).await?;
                deleted = true;
            }
            let subject = format!("{}{name}", prefix.as_str());
            let message = "there is no such project".to_owned();
            let found = finding("project_left", subject, message, deleted);
            self.found(found).await?;
        }
    }

    fn count(&mut self, entry: &ListEntry) {
        self.summary.objects += 1;
        self.summary.bytes = self.summary.bytes.saturating_add(entry.meta.size);
    }

    fn is_young(&self, entry: &ListEntry) -> bool {
        let oldest = self.app.platform().now() - self.options.grace;
        entry.meta.modified.is_some_and(|at| at > oldest)
    }
}

/// Where something of a project lies.
#[derive(Clone, Copy)]
enum Place {
    Objects,
    Incoming,
}

impl Place {
    fn of(self, project: ProjectId) -> PathPrefix {
        match self {
            Self::Objects => PathPrefix::project(project),
            Self::Incoming => PathPrefix::incoming(project),
        }
    }
}
