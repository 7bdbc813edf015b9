//! Which changes of tables were made, as the project's own database keeps it:
//! a table in the host's schema, which the owner alone reaches.

use super::super::{PostgresProjects, error::Fault, session::Session, session_of};
use crate::project::{
    pool::Lease,
    public::{given_up, no_database},
};
use atlashub_core::{ProjectId, Result};
use sqlx::Row as _;

const IS_MADE: &str = "SELECT to_regclass('_atlashub.changes') IS NOT NULL";

/// Notes that a change was made, within the transaction that makes it.
pub(super) async fn note(session: &mut Session, mark: &str, sql: &str) -> Result<()> {
    let note = "INSERT INTO _atlashub.changes (mark, sql) VALUES ($1, $2)";
    let noted = session.host(note, &[mark, sql]).await;
    noted
        .map(drop)
        .map_err(|fault| given_up(fault.into_error()))
}

impl PostgresProjects {
    /// A session of the owner in a database that can note changes.
    pub(super) async fn owner_who_notes(&self, project: ProjectId) -> Result<Lease<Session>> {
        let mut lease = self.owner(project).await?;
        let rows = session_of(&mut lease)?
            .host(IS_MADE, &[])
            .await
            .map_err(Fault::into_error)?;
        let made = rows
            .first()
            .is_some_and(|row| row.try_get(0).unwrap_or(false));
        if !made {
            // The database is of an older host.
            self.admin.provision(project).await?;
        }
        Ok(lease)
    }

    pub(in crate::project) async fn settle_change(
        &self,
        project: ProjectId,
        mark: &str,
    ) -> Result<Option<String>> {
        let mut lease = self.owner_who_notes(project).await?;
        let session = session_of(&mut lease)?;
        // Waits for a change with this mark that is about to end.
        let put = "INSERT INTO _atlashub.changes (mark) VALUES ($1) ON CONFLICT DO NOTHING";
        session
            .host(put, &[mark])
            .await
            .map_err(Fault::into_error)?;
        let found = "SELECT sql FROM _atlashub.changes WHERE mark = $1";
        let rows = session.host(found, &[mark]).await;
        let rows = rows.map_err(Fault::into_error)?;
        let row = rows.first().ok_or_else(|| no_database(project))?;
        row.try_get(0)
            .map_err(|error| Fault::from(error).into_error())
    }

    pub(in crate::project) async fn forget_change(
        &self,
        project: ProjectId,
        mark: &str,
    ) -> Result<()> {
        let mut lease = self.owner_who_notes(project).await?;
        let gone = "DELETE FROM _atlashub.changes WHERE mark = $1";
        let gone = session_of(&mut lease)?.host(gone, &[mark]).await;
        gone.map(drop).map_err(Fault::into_error)
    }
}
