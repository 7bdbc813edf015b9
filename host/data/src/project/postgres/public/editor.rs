//! Statements of an admin on Postgres: on a connection of their own that
//! logged in as the project's owner and is closed after them. The host begins
//! and ends the transaction, and ends the backend when the statement runs too
//! long or nobody waits for it any more.

use super::{
    super::{PostgresProjects, error::Fault, session::Session},
    prepare,
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
        result.map_err(Fault::into_error)
    }
}

async fn run(
    session: &mut Session,
    project: ProjectId,
    statement: &EditorStatement,
) -> Result<EditorResult, Fault> {
    session.begin(!statement.write).await?;
    session.set_time(statement.time).await?;
    let explained;
    let sql = if statement.explain {
        super::guard::check_offered(&statement.sql).map_err(Fault::Refused)?;
        explained = format!("EXPLAIN {}", statement.sql);
        explained.as_str()
    } else {
        statement.sql.as_str()
    };
    let bounds = (statement.time, statement.max_rows, statement.write);
    let mut result = session
        .query_bounded(sql, &statement.values, bounds)
        .await?;
    if !statement.write {
        // Its transaction ends with the connection.
        return Ok(result);
    }
    // What was put off until the end happens before tables are looked at.
    session.run("SET CONSTRAINTS ALL IMMEDIATE").await?;
    session.run(&prepare::reconcile(project)).await?;
    session.commit().await?;
    // What a function or a block did is not told: only what it began like.
    result.changed_tables = true;
    Ok(result)
}
