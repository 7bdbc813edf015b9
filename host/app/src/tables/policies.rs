//! Row policies of a table, one by one.

use super::Author;
use crate::{Actor, App};
use atlashub_core::{Precondition, ProjectId, Result};
use atlashub_data::project::public::{PolicyChange, RowPolicy};
use serde_json::json;

impl App {
    /// The row policies of a table by name.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn row_policies(&self, project: ProjectId, table: &str) -> Result<Vec<RowPolicy>> {
        self.databases().row_policies(project, table).await
    }

    /// Sets one row policy of a table, where `condition` holds of the one with
    /// its name; whether it is new.
    ///
    /// # Errors
    /// `not_found`, `precondition_failed`, `invalid_policy` with the reason;
    /// then nothing has changed.
    pub async fn put_row_policy(
        &self,
        actor: &Actor,
        project: ProjectId,
        table: &str,
        policy: RowPolicy,
        condition: Precondition,
    ) -> Result<bool> {
        let name = policy.name.clone();
        let change = PolicyChange::PutWhere(policy, condition);
        let databases = self.databases();
        let is_new = databases
            .change_row_policies(project, table, change)
            .await?;
        self.policies_changed(actor.into(), project, table, &name, "policy.put")
            .await?;
        Ok(is_new)
    }

    /// Gives a table exactly these row policies.
    ///
    /// # Errors
    /// `not_found`, `invalid_policy` with the reason; then nothing has
    /// changed.
    pub async fn set_row_policies<'a>(
        &self,
        author: impl Into<Author<'a>>,
        project: ProjectId,
        table: &str,
        policies: Vec<RowPolicy>,
    ) -> Result<()> {
        let names: Vec<String> = policies.iter().map(|own| own.name.clone()).collect();
        let change = PolicyChange::All(policies);
        let databases = self.databases();
        databases
            .change_row_policies(project, table, change)
            .await?;
        self.policies_changed(
            author.into(),
            project,
            table,
            &names.join(", "),
            "policy.put",
        )
        .await
    }

    /// Removes one row policy of a table.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn remove_row_policy(
        &self,
        actor: &Actor,
        project: ProjectId,
        table: &str,
        name: &str,
    ) -> Result<()> {
        let change = PolicyChange::Remove(name.to_owned());
        self.databases()
            .change_row_policies(project, table, change)
            .await?;
        self.policies_changed(actor.into(), project, table, name, "policy.remove")
            .await
    }

    async fn policies_changed(
        &self,
        author: Author<'_>,
        project: ProjectId,
        table: &str,
        name: &str,
        action: &str,
    ) -> Result<()> {
        let mut details = json!({ "policy": name });
        author.sign(&mut details);
        let unit = self.platform().begin().await?;
        unit.project_migrations().announce(project).await?;
        unit.audit()
            .append(
                author
                    .actor()
                    .did(action, Some(project), table.to_owned(), details),
            )
            .await?;
        unit.commit().await
    }
}
