//! Changes of tables that were cut short: begun, and neither completed nor
//! refused. The project's database knows whether one was made. Settled before
//! the next change of the project, and once a minute.

use crate::{Actor, App, changes::chain};
use atlashub_core::{
    ProjectId, Result,
    capability::{database::Database as _, sql::Dialect},
};
use atlashub_data::platform::BegunMigration;
use serde_json::json;
use std::time::Duration;
use time::OffsetDateTime;

/// A change that has run for longer is taken for cut short. One that runs on
/// all the same fails at its end.
const LONGEST: Duration = Duration::from_secs(10 * 60);
/// Changes that are settled at once.
const AT_ONCE: u64 = 100;

impl App {
    /// Settles the changes that were cut short, of one project or of all;
    /// answers how many. One that cannot be settled is left for later.
    ///
    /// # Errors
    /// When the platform database cannot, or when a change of `project`
    /// cannot be settled.
    pub async fn settle_changes(&self, project: Option<ProjectId>) -> Result<u64> {
        let migrations = self.platform().project_migrations();
        let before = self.cut_short_before();
        let unfinished = migrations.unfinished(project, before, AT_ONCE).await?;
        let mut settled = 0;
        for begun in unfinished {
            match self.settle_change(&begun).await {
                Ok(()) => settled += 1,
                Err(error) if project.is_some() => return Err(error),
                Err(error) => tracing::warn!(
                    project = %begun.project,
                    number = begun.number,
                    error = %chain(&error),
                    "a change of tables that was cut short is not settled"
                ),
            }
        }
        Ok(settled)
    }

    /// What began before this cannot be running any more. On SQLite there is
    /// one node, and nothing outlives it.
    fn cut_short_before(&self) -> OffsetDateTime {
        let before = self.clock().now() - LONGEST;
        match self.databases().dialect() {
            Dialect::Sqlite => before.max(self.started_at()),
            Dialect::Postgres => before,
        }
    }

    async fn settle_change(&self, begun: &BegunMigration) -> Result<()> {
        let databases = self.databases();
        let made = databases.settle_change(begun.project, &begun.mark).await?;
        let unit = self.platform().begin().await?;
        let migrations = unit.project_migrations();
        match &made {
            Some(sql) => {
                migrations
                    .complete(begun.project, begun.number, sql)
                    .await?;
            }
            None => migrations.forget(begun.project, begun.number).await?,
        }
        let outcome = if made.is_some() { "made" } else { "not made" };
        let details = json!({ "title": begun.title, "asked_by": begun.actor, "outcome": outcome });
        let number = begun.number.to_string();
        let did = Actor::host().did("schema.settle", Some(begun.project), number, details);
        unit.audit().append(did).await?;
        unit.commit().await?;
        tracing::info!(
            project = %begun.project, number = begun.number, outcome,
            "settled a change of tables that was cut short"
        );
        if made.is_some() {
            self.forget_note(begun).await;
        }
        Ok(())
    }

    /// Removes the note of a change whose record is complete. One that stays
    /// does no harm.
    pub(crate) async fn forget_note(&self, begun: &BegunMigration) {
        let forgotten = self
            .databases()
            .forget_change(begun.project, &begun.mark)
            .await;
        if let Err(error) = forgotten {
            tracing::debug!(error = %chain(&error), "the note of a change of tables stays");
        }
    }
}
