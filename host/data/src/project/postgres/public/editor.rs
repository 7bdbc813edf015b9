//! Statements of an admin on Postgres: on a connection of their own that
//! logged in as the project's owner and is closed after them. The host begins
//! and ends the transaction, and ends the backend when the statement runs too
//! long or nobody waits for it any more.

use super::{
    super::{PostgresProjects, error::Fault, session::Session},
    changes, prepare,
};
use crate::project::{
    busy,
    pool::{Place, Side},
    public::{EditorResult, EditorStatement, no_database},
};
use atlashub_core::{ProjectId, Result};

impl PostgresProjects {
    pub(in crate::project) async fn run_statement(
        &self,
        project: ProjectId,
        statement: EditorStatement,
    ) -> Result<EditorResult> {
        let place = Place::Public(project, Side::Owner);
        if statement.mark.is_some() {
            drop(self.owner_who_notes(project).await?);
        }
        // One of the owner's few turns, so that editors are bounded, too.
        let _turn = self
            .pool
            .acquire(&place, crate::project::pool::Purpose::Write)
            .await?;
        let opening = self.admin.open_session(&place);
        let mut session = tokio::time::timeout(self.options.queue_time, opening)
            .await
            .map_err(|_| busy("the database does not answer"))??
            .ok_or_else(|| no_database(project))?;
        let result = run(&mut session, project, &statement).await;
        session.retire();
        result
    }
}

async fn run(
    session: &mut Session,
    project: ProjectId,
    statement: &EditorStatement,
) -> Result<EditorResult> {
    let fault = Fault::into_error;
    session.begin(!statement.write).await.map_err(fault)?;
    session.set_time(statement.time).await.map_err(fault)?;
    let explained;
    let sql = if statement.explain {
        super::guard::check_offered(&statement.sql)?;
        explained = format!("EXPLAIN {}", statement.sql);
        explained.as_str()
    } else {
        statement.sql.as_str()
    };
    let bounds = (statement.time, statement.max_rows, statement.write);
    let mut result = session
        .query_bounded(sql, &statement.values, bounds)
        .await
        .map_err(fault)?;
    if !statement.write {
        // Its transaction ends with the connection.
        return Ok(result);
    }
    // What was put off until the end happens before tables are looked at.
    let immediate = session.run("SET CONSTRAINTS ALL IMMEDIATE").await;
    immediate.map_err(fault)?;
    let reconciled = session.run(&prepare::reconcile(project)).await;
    reconciled.map_err(fault)?;
    if let Some(mark) = &statement.mark {
        changes::note(session, mark, &statement.script()).await?;
    }
    session.commit().await.map_err(fault)?;
    // What a function or a block did is not told: only what it began like.
    result.changed_tables = true;
    Ok(result)
}
