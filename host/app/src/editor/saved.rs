//! What was run, and statements that are kept to be run again.

use crate::{Actor, App};
use atlashub_core::{Error, ProjectId, Result, capability::sql::MAX_SQL_BYTES};
use atlashub_data::platform::{Page, Run, SavedQuery};
use serde_json::json;
use uuid::Uuid;

/// Longest name, bytes.
const MAX_NAME_BYTES: usize = 200;

impl App {
    /// A page of what the editor ran in a project, newest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn sql_history(
        &self,
        project: ProjectId,
        before: Option<Uuid>,
        limit: u64,
    ) -> Result<Page<Run, Uuid>> {
        self.platform()
            .sql_history()
            .list(project, before, limit)
            .await
    }

    /// Statements that are kept of a project, by name.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn saved_queries(&self, project: ProjectId) -> Result<Vec<SavedQuery>> {
        self.platform().saved_queries().list(project).await
    }

    /// Keeps a statement.
    ///
    /// # Errors
    /// `invalid_query`, `query_exists`, `too_many_queries`.
    pub async fn save_query(
        &self,
        actor: &Actor,
        project: ProjectId,
        name: &str,
        sql: &str,
    ) -> Result<SavedQuery> {
        check(name, sql)?;
        let unit = self.platform().begin().await?;
        let saved = unit
            .saved_queries()
            .add(project, name, sql, &actor.name())
            .await?;
        unit.audit()
            .append(actor.did(
                "query.save",
                Some(project),
                saved.id.to_string(),
                json!({ "name": name }),
            ))
            .await?;
        unit.commit().await?;
        Ok(saved)
    }

    /// Changes a kept statement.
    ///
    /// # Errors
    /// `not_found`, `invalid_query`, `query_exists`.
    pub async fn update_query(
        &self,
        actor: &Actor,
        project: ProjectId,
        id: Uuid,
        name: &str,
        sql: &str,
    ) -> Result<()> {
        check(name, sql)?;
        let unit = self.platform().begin().await?;
        if !unit.saved_queries().update(project, id, name, sql).await? {
            return Err(Error::not_found("kept statement"));
        }
        unit.audit()
            .append(actor.did(
                "query.update",
                Some(project),
                id.to_string(),
                json!({ "name": name }),
            ))
            .await?;
        unit.commit().await
    }

    /// Forgets a kept statement.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn remove_query(&self, actor: &Actor, project: ProjectId, id: Uuid) -> Result<()> {
        let unit = self.platform().begin().await?;
        if !unit.saved_queries().remove(project, id).await? {
            return Err(Error::not_found("kept statement"));
        }
        unit.audit()
            .append(actor.did("query.remove", Some(project), id.to_string(), json!({})))
            .await?;
        unit.commit().await
    }
}

fn check(name: &str, sql: &str) -> Result<()> {
    let fits = !name.trim().is_empty() && name.len() <= MAX_NAME_BYTES;
    if !fits || sql.trim().is_empty() || sql.len() > MAX_SQL_BYTES {
        return Err(Error::invalid(
            "invalid_query",
            format!(
                "a kept statement has a name of 1 to {MAX_NAME_BYTES} bytes and a text of at \
                 most {MAX_SQL_BYTES}"
            ),
        ));
    }
    Ok(())
}
