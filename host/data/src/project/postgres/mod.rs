//! Projects as databases of a Postgres server, and plugins' schemas in them.
//!
//! A plugin's statements run on connections that logged in as its own role,
//! which owns its schema and has no other right. Every statement is prepared
//! by the server, so there is never more than one in a call. Sessions go
//! back to a small pool of their plugin; the number over all plugins is
//! bounded.

mod archive;
mod bounded;
mod cursor;
mod error;
mod fence;
mod guard;
mod moving;
mod names;
mod numeric;
mod provision;
mod public;
mod session;
mod transaction;
mod value;

use self::{error::Fault, provision::Admin, session::Session};
use super::{
    CredentialStore, Options, migration, not_provisioned,
    pool::{Lease, Place, Pool, Purpose},
    public::no_database,
    text,
};
use atlashub_core::{
    Error, ProjectId, Result,
    capability::{
        PluginScope,
        sql::{Dialect, SqlCursor, SqlRows, SqlTransaction, SqlValue},
    },
    manifest::Migration,
};
use sqlx::Row as _;
use std::{collections::HashMap, sync::Arc, time::Duration};

/// The projects of one server.
pub(super) struct PostgresProjects {
    admin: Arc<Admin>,
    pool: Pool<Session>,
    options: Options,
}

impl PostgresProjects {
    pub(super) fn new(
        admin_url: &str,
        credentials: Arc<dyn CredentialStore>,
        options: Options,
    ) -> Result<Self> {
        Ok(Self {
            admin: Arc::new(Admin::new(admin_url, credentials, &options)?),
            pool: Pool::new(&options, 1, options.connections_per_plugin),
            options,
        })
    }

    pub(super) fn open_connections(&self) -> usize {
        self.pool.open_connections()
    }

    pub(super) fn close_idle(&self, age: Duration) {
        self.pool.sweep(age);
    }

    pub(super) async fn provision(&self, project: ProjectId) -> Result<()> {
        self.admin.provision(project).await
    }

    pub(super) async fn remove(&self, project: ProjectId) -> Result<()> {
        self.pool.close_project(project).await?;
        self.admin.remove(project).await
    }

    pub(super) async fn provision_plugin(&self, scope: &PluginScope) -> Result<()> {
        self.admin.provision_plugin(scope).await
    }

    pub(super) async fn drop_plugin(&self, scope: &PluginScope) -> Result<()> {
        self.pool.close(&scope.into()).await?;
        self.admin.drop_plugin(scope).await
    }

    pub(super) async fn migrate_plugin(
        &self,
        scope: &PluginScope,
        migrations: &[Migration],
    ) -> Result<Vec<String>> {
        let steps = migration::steps(migrations, Dialect::Postgres)?;
        let mut names = Vec::new();
        if steps.is_empty() {
            return Ok(names);
        }
        let mut lease = self.lease(&scope.into()).await?;
        let session = session_of(&mut lease)?;
        session
            .host(RECORDS, &[])
            .await
            .map_err(Fault::into_error)?;
        for step in steps {
            session.begin(false).await.map_err(Fault::into_error)?;
            let result = self.run_step(session, &step).await;
            match result {
                Ok(true) => {
                    session.commit().await.map_err(Fault::into_error)?;
                    names.push(step.name);
                }
                Ok(false) => session.rollback().await.map_err(Fault::into_error)?,
                Err(error) => {
                    // A session that fails at this is not used again.
                    let _ = session.rollback().await;
                    return Err(error);
                }
            }
        }
        // Plans and settings from before the change go with the sessions.
        session.retire();
        drop(lease);
        if !names.is_empty() {
            self.pool.refresh(&scope.into());
        }
        Ok(names)
    }

    /// Runs a step within a transaction, unless it ran before.
    async fn run_step(&self, session: &mut Session, step: &migration::Step) -> Result<bool> {
        // Another node may be at the same step: it waits here.
        session
            .host(LOCK_RECORDS, &[])
            .await
            .map_err(Fault::into_error)?;
        let rows = session
            .host(READ_RECORDS, &[])
            .await
            .map_err(Fault::into_error)?;
        let applied: HashMap<String, String> = rows
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect::<Result<_, sqlx::Error>>()
            .map_err(|error| Fault::from(error).into_error())?;
        if !migration::pending(step, &applied)? {
            return Ok(false);
        }
        let time = self.options.migration_time;
        session.set_time(time).await.map_err(Fault::into_error)?;
        for (number, statement) in (1..).zip(text::split_postgres(&step.text)) {
            session
                .migrate(statement, time)
                .await
                .map_err(|fault| migration::failed(step, number, statement, &fault.into_error()))?;
        }
        session
            .host(ADD_RECORD, &[&step.name, &step.checksum])
            .await
            .map_err(Fault::into_error)?;
        Ok(true)
    }

    pub(super) async fn query(
        &self,
        scope: &PluginScope,
        sql: &str,
        values: Vec<SqlValue>,
    ) -> Result<SqlRows> {
        let reads = text::may_only_read(sql) && text::first_word(sql) != "WITH";
        let place = Place::from(scope);
        let mut retried = false;
        loop {
            let mut lease = self.lease(&place).await?;
            let session = session_of(&mut lease)?;
            let result = if reads {
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

    pub(super) async fn execute(
        &self,
        scope: &PluginScope,
        sql: &str,
        values: Vec<SqlValue>,
    ) -> Result<u64> {
        let place = Place::from(scope);
        let mut retried = false;
        loop {
            let mut lease = self.lease(&place).await?;
            let session = session_of(&mut lease)?;
            match session.execute(sql, &values).await {
                Err(fault) if self.starts_over(&place, session, &fault, &mut retried) => {}
                result => return result.map_err(Fault::into_error),
            }
        }
    }

    pub(super) async fn begin(&self, scope: &PluginScope) -> Result<Box<dyn SqlTransaction>> {
        let mut lease = self.lease(&scope.into()).await?;
        session_of(&mut lease)?
            .begin(false)
            .await
            .map_err(Fault::into_error)?;
        Ok(Box::new(transaction::PostgresTransaction::new(lease)))
    }

    pub(super) async fn cursor(
        &self,
        scope: &PluginScope,
        sql: &str,
        values: Vec<SqlValue>,
    ) -> Result<Box<dyn SqlCursor>> {
        if !text::may_only_read(sql) {
            return Err(super::denied("a cursor can only read"));
        }
        let mut lease = self.lease(&scope.into()).await?;
        let session = session_of(&mut lease)?;
        session.begin(true).await.map_err(Fault::into_error)?;
        if let Err(fault) = session.declare(sql, &values).await {
            // A session that fails at this is not used again.
            let _ = session.rollback().await;
            return Err(fault.into_error());
        }
        Ok(Box::new(cursor::PostgresCursor::new(lease)))
    }

    /// Whether the statement should run once more, on a new session, since
    /// this one still had a plan from before a change of the schema.
    fn starts_over(
        &self,
        place: &Place,
        session: &mut Session,
        fault: &Fault,
        retried: &mut bool,
    ) -> bool {
        if !fault.is_stale_plan() || std::mem::replace(retried, true) {
            return false;
        }
        session.retire();
        self.pool.refresh(place);
        true
    }

    /// A session of that place, opened when none is idle.
    async fn lease(&self, place: &Place) -> Result<Lease<Session>> {
        let mut lease = self.pool.acquire(place, Purpose::Write).await?;
        if lease.connection.is_none() {
            let opening = self.admin.open_session(place);
            let session = tokio::time::timeout(self.options.queue_time, opening)
                .await
                .map_err(|_| super::busy("the database does not answer"))??
                .ok_or_else(|| match place {
                    Place::Plugin(scope) => not_provisioned(scope),
                    Place::Public(project, _) => no_database(*project),
                })?;
            lease.connection = Some(session);
        }
        Ok(lease)
    }
}

fn session_of(lease: &mut Lease<Session>) -> Result<&mut Session> {
    lease
        .connection
        .as_mut()
        .ok_or_else(|| Error::conflict("sql_failed", "the connection has ended"))
}

const RECORDS: &str = "CREATE TABLE IF NOT EXISTS _migrations (\
     name text PRIMARY KEY, checksum text NOT NULL, \
     applied_at timestamptz NOT NULL DEFAULT now())";
const LOCK_RECORDS: &str = "LOCK TABLE _migrations IN SHARE ROW EXCLUSIVE MODE";
const READ_RECORDS: &str = "SELECT name, checksum FROM _migrations";
const ADD_RECORD: &str = "INSERT INTO _migrations (name, checksum) VALUES ($1, $2)";
