//! The platform's job `export`: the host writes nothing out itself. It adds
//! the job of the project's plugin that says in its manifest that it provides
//! it, and follows that to its end.

use super::{
    actions::{PlatformAction, PlatformTask},
    provided::{item_of, provider},
};
use crate::{App, app::WeakApp};
use async_trait::async_trait;
use atlashub_core::{Error, ItemId, ProjectId, Result, job::EXPORT};
use atlashub_data::platform::{ItemState, NewItem, QueueItem};
use std::time::Duration;
use uuid::Uuid;

/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// What sets the id of the plugin's job apart from that of the platform's.
const APART: u128 = 0x6578_706f_7274 << 8;

pub(crate) struct Export(pub(crate) WeakApp);

impl Export {
    fn app(&self) -> Result<App> {
        let app = self.0.upgrade();
        app.ok_or_else(|| Error::internal("export a project", "the app has ended"))
    }
}

#[async_trait]
impl PlatformAction for Export {
    async fn check(&self, project: ProjectId) -> Result<()> {
        provider(&self.app()?, project, EXPORT).await.map(drop)
    }

    async fn run(&self, task: &PlatformTask) -> Result<()> {
        let app = self.app()?;
        let id = match begun(&app, task).await? {
            Some(id) => id,
            None => begin(&app, task).await?,
        };
        let followed = follow(&app, task, id).await;
        if matches!(&followed, Err(error) if error.code() == "job_lost") {
            // Nobody wants it any more; it may have ended.
            let _ = app.platform().queue().cancel(task.project, id).await;
            app.queue().wake();
        }
        followed
    }
}

/// The id of the plugin's job for an attempt: one that was cut short is found
/// again.
fn id_of(task: &PlatformTask, attempt: u32) -> ItemId {
    let own = task.lease.item.as_uuid().as_u128();
    ItemId::from_uuid(Uuid::from_u128(own ^ (APART + u128::from(attempt))))
}

/// The plugin's job of this attempt, or of one before that goes on.
async fn begun(app: &App, task: &PlatformTask) -> Result<Option<ItemId>> {
    for attempt in (1..=task.attempt).rev() {
        let id = id_of(task, attempt);
        let found = app.platform().queue().find(task.project, id).await?;
        if found.is_some_and(|item| !matches!(item.state, ItemState::Dead | ItemState::Cancelled)) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

async fn begin(app: &App, task: &PlatformTask) -> Result<ItemId> {
    let id = id_of(task, task.attempt);
    let item = NewItem {
        source: Some(task.plugin.clone()),
        ..item_of(app, task.project, EXPORT, id, task.payload.clone()).await?
    };
    app.platform().queue().enqueue(vec![item]).await?;
    app.queue().wake();
    Ok(id)
}

/// Waits for the job's end, and passes on what is said of it.
async fn follow(app: &App, task: &PlatformTask, id: ItemId) -> Result<()> {
    loop {
        let found = app.platform().queue().find(task.project, id).await?;
        let Some(item) = found else {
            return Err(Error::conflict(
                "export_lost",
                "the plugin's job is not known any more",
            ));
        };
        if let Some(outcome) = outcome(&item) {
            return outcome;
        }
        let percent = item.progress.unwrap_or(0);
        task.progress(percent, item.progress_note).await?;
        tokio::time::sleep(LOOK).await;
    }
}

fn outcome(item: &QueueItem) -> Option<Result<()>> {
    match &item.state {
        ItemState::Done => Some(Ok(())),
        ItemState::Cancelled => Some(Err(Error::conflict(
            "export_cancelled",
            "the plugin's job was cancelled",
        ))),
        ItemState::Dead => {
            let why = item.failure.as_ref();
            let why = why.map(|why| format!("{}: {}", why.code, why.message));
            let plugin = &item.consumer;
            Some(Err(Error::conflict(
                "export_failed",
                format!("the plugin `{plugin}`: {}", why.unwrap_or_default()),
            )))
        }
        _ => None,
    }
}
