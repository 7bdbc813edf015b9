//! What became of a transaction: Postgres numbers those that write, and keeps
//! for long which of them were committed.

use super::super::{PostgresProjects, error::Fault, session::Session, session_of};
use crate::project::public::no_transaction;
use atlashub_core::{Error, ErrorKind, ProjectId, Result};
use sqlx::Row as _;

const IDENTIFY: &str = "SELECT CAST(pg_current_xact_id() AS text)";
const STATUS: &str = "SELECT pg_xact_status(CAST($1 AS xid8))";

/// The number of the transaction that the session is in.
pub(in crate::project::postgres) async fn identify(session: &mut Session) -> Result<String, Fault> {
    let rows = session.host(IDENTIFY, &[]).await?;
    let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    Ok(row.try_get(0)?)
}

impl PostgresProjects {
    pub(in crate::project) async fn was_committed(
        &self,
        project: ProjectId,
        name: &str,
    ) -> Result<Option<bool>> {
        if name.is_empty() || name.len() > 20 || !name.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(no_transaction());
        }
        let mut lease = self.owner(project).await?;
        let rows = session_of(&mut lease)?.host(STATUS, &[name]).await;
        let rows = rows.map_err(Fault::into_error)?;
        let status: Option<String> = match rows.first() {
            Some(row) => row
                .try_get(0)
                .map_err(|error| Fault::from(error).into_error())?,
            None => None,
        };
        match status.as_deref() {
            None => Ok(None),
            Some("committed") => Ok(Some(true)),
            Some("aborted") => Ok(Some(false)),
            Some(_) => Err(Error::new(
                ErrorKind::Unavailable,
                "sql_busy",
                "the transaction has not ended yet",
            )),
        }
    }
}
