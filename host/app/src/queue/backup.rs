//! The platform's job `backup`: a backup of the project as its policy would
//! make it, verified where the policy says so, and older ones removed.

use super::actions::{PlatformAction, PlatformTask};
use crate::app::WeakApp;
use async_trait::async_trait;
use atlashub_core::{Error, ErrorKind, Result};

pub(crate) struct BackUp(pub(crate) WeakApp);

#[async_trait]
impl PlatformAction for BackUp {
    async fn run(&self, task: &PlatformTask) -> Result<()> {
        let Some(app) = self.0.upgrade() else {
            return Err(Error::internal("back a project up", "the app has ended"));
        };
        match app.backups().run_scheduled(Some(task.project)).await {
            Ok(_) => Ok(()),
            // One that somebody else began ends in a while.
            Err(error) if error.code() == "backup_running" => Err(Error::new(
                ErrorKind::Unavailable,
                "backup_running",
                "another backup of the project is being made, this one comes after it",
            )),
            Err(error) => Err(error),
        }
    }
}
