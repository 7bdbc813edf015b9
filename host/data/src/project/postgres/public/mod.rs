//! A project's own tables on Postgres: the schema `public` of its database,
//! with three login roles. The owner makes tables; `_app` has the rights of
//! callers whom row policies bind; `_service` reaches every row, by a policy
//! of its own on each table.

mod alter;
mod changes;
mod definitions;
mod describe;
mod editor;
pub(super) mod ended;
mod policies;
pub(super) mod prepare;
mod rows;

use super::{
    PostgresProjects,
    error::Fault,
    guard,
    session::{Serving, Session},
    session_of, transaction,
};
use crate::project::{
    pool::{Lease, Place, Side},
    public::script,
    text,
};
use atlashub_core::{
    ProjectId, Result,
    capability::{
        database::{Access, Reach},
        sql::{SqlRows, SqlTransaction, SqlValue},
    },
};
use std::sync::Arc;

impl PostgresProjects {
    /// Runs a statement of a caller.
    pub(in crate::project) async fn query_public(
        &self,
        access: &Access,
        sql: &str,
        values: Vec<SqlValue>,
    ) -> Result<SqlRows> {
        guard::check_public(sql)?;
        let place = place(access);
        let reads = text::may_only_read(sql) && text::first_word(sql) != "WITH";
        let mut retried = false;
        loop {
            let mut lease = self.lease_for(&place, access).await?;
            let session = session_of(&mut lease)?;
            let result = if reads || !access.write {
                session.query(sql, &values).await
            } else {
                session.query_whole(sql, &values).await
            };
            match result {
                Err(fault) if self.starts_over(&place, session, &fault, &mut retried) => {}
                result => return result.map_err(Fault::into_error),
            }
        }
    }

    pub(in crate::project) async fn execute_public(
        &self,
        access: &Access,
        sql: &str,
        values: Vec<SqlValue>,
    ) -> Result<u64> {
        guard::check_public(sql)?;
        let place = place(access);
        let mut retried = false;
        loop {
            let mut lease = self.lease_for(&place, access).await?;
            let session = session_of(&mut lease)?;
            match session.execute(sql, &values).await {
                Err(fault) if self.starts_over(&place, session, &fault, &mut retried) => {}
                result => return result.map_err(Fault::into_error),
            }
        }
    }

    pub(in crate::project) async fn begin_public(
        &self,
        access: &Access,
    ) -> Result<Box<dyn SqlTransaction>> {
        let mut lease = self.lease_for(&place(access), access).await?;
        session_of(&mut lease)?
            .begin(!access.write)
            .await
            .map_err(Fault::into_error)?;
        Ok(Box::new(transaction::PostgresTransaction::public(lease)))
    }

    /// A session that serves this caller.
    async fn lease_for(&self, place: &Place, access: &Access) -> Result<Lease<Session>> {
        let mut lease = self.lease(place).await?;
        let serving = Serving {
            caller: match &access.reach {
                Reach::Everything => None,
                Reach::Policies(caller) => Some(Arc::clone(caller)),
            },
            write: access.write,
        };
        session_of(&mut lease)?
            .serve(&serving)
            .await
            .map_err(Fault::into_error)?;
        Ok(lease)
    }

    /// A session of the owner.
    async fn owner(&self, project: ProjectId) -> Result<Lease<Session>> {
        self.lease(&Place::Public(project, Side::Owner)).await
    }

    /// Has sessions look at tables anew.
    pub(in crate::project) fn forget_plans(&self, project: ProjectId) {
        for side in [Side::Bound, Side::Service, Side::Owner] {
            self.pool.refresh(&Place::Public(project, side));
        }
    }

    pub(in crate::project) async fn change_tables(
        &self,
        project: ProjectId,
        statements: &[String],
        mark: Option<&str>,
    ) -> Result<()> {
        let mut lease = self.owner_who_notes(project).await?;
        let session = session_of(&mut lease)?;
        session.begin(false).await.map_err(Fault::into_error)?;
        match self.change(session, project, statements, mark).await {
            Ok(()) => session.commit().await.map_err(Fault::into_error),
            Err(error) => {
                // A session that fails at this is not used again.
                let _ = session.rollback().await;
                Err(error)
            }
        }
    }

    async fn change(
        &self,
        session: &mut Session,
        project: ProjectId,
        statements: &[String],
        mark: Option<&str>,
    ) -> Result<()> {
        let time = self.options.migration_time;
        let work = async {
            session.set_time(time).await?;
            for statement in statements {
                session.migrate(statement, time).await?;
            }
            let sql = prepare::reconcile(project);
            session.migrate(&sql, time).await
        };
        work.await.map_err(Fault::into_error)?;
        match mark {
            Some(mark) => changes::note(session, mark, &script(statements)).await,
            None => Ok(()),
        }
    }
}

fn place(access: &Access) -> Place {
    let side = match access.reach {
        Reach::Everything => Side::Service,
        Reach::Policies(_) => Side::Bound,
    };
    Place::Public(access.project, side)
}
