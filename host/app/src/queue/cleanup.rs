//! The platform's job `cleanup`: what maintenance does once a minute, at once,
//! and the project's objects counted anew.

use super::actions::{PlatformAction, PlatformTask};
use crate::{app::WeakApp, check, maintenance};
use async_trait::async_trait;
use atlashub_core::{Error, Result};

pub(crate) struct Cleanup(pub(crate) WeakApp);

#[async_trait]
impl PlatformAction for Cleanup {
    async fn run(&self, task: &PlatformTask) -> Result<()> {
        let Some(app) = self.0.upgrade() else {
            return Err(Error::internal("tidy a project up", "the app has ended"));
        };
        maintenance::sweep(&app).await;
        task.progress(50, Some("removed what ran out".to_owned()))
            .await?;
        app.settle_changes(Some(task.project)).await?;
        check::recount(&app, task.project).await
    }
}
