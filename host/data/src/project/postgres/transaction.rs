//! A plugin's transaction on Postgres: it owns one of the plugin's
//! connections until it ends.

use super::{error::Fault, guard, public::ended, session::Session};
use crate::project::{check_call, no_name, pool::Lease, transaction_over};
use async_trait::async_trait;
use atlashub_core::{
    Result,
    capability::sql::{SqlRows, SqlTransaction, SqlValue},
};

/// An open transaction (read committed).
pub(super) struct PostgresTransaction {
    lease: Option<Lease<Session>>,
    failed: bool,
    /// Whether it is on the project's own tables.
    public: bool,
}

impl PostgresTransaction {
    /// Wraps a session that has begun a transaction.
    pub(super) fn new(lease: Lease<Session>) -> Self {
        Self {
            lease: Some(lease),
            failed: false,
            public: false,
        }
    }

    /// As [`PostgresTransaction::new`], on the project's own tables.
    pub(super) fn public(lease: Lease<Session>) -> Self {
        Self {
            lease: Some(lease),
            failed: false,
            public: true,
        }
    }

    fn check(&self, sql: &str, values: &[SqlValue]) -> Result<()> {
        check_call(sql, values)?;
        if self.public {
            guard::check_public(sql)?;
        }
        Ok(())
    }

    async fn run<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Session) -> Result<T, Fault>,
    ) -> Result<T> {
        if self.failed {
            return Err(transaction_over());
        }
        // Stays set when this future is dropped in the middle.
        self.failed = true;
        let session = self
            .lease
            .as_mut()
            .and_then(|lease| lease.connection.as_mut());
        let result = work(session.ok_or_else(transaction_over)?).await;
        self.failed = result.is_err();
        result.map_err(Fault::into_error)
    }

    async fn end(
        mut self: Box<Self>,
        work: impl AsyncFnOnce(&mut Session) -> Result<(), Fault>,
    ) -> Result<()> {
        let mut lease = self.lease.take().ok_or_else(transaction_over)?;
        let session = lease.connection.as_mut().ok_or_else(transaction_over)?;
        work(session).await.map_err(Fault::into_error)
    }
}

impl Drop for PostgresTransaction {
    fn drop(&mut self) {
        let Some(mut lease) = self.lease.take() else {
            return;
        };
        // Without a runtime the connection is closed instead, which also
        // rolls back.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Some(session) = lease.connection.as_mut() {
                    // A session that fails at this is not used again.
                    let _ = session.rollback().await;
                }
            });
        }
    }
}

#[async_trait]
impl SqlTransaction for PostgresTransaction {
    async fn query(&mut self, sql: &str, values: Vec<SqlValue>) -> Result<SqlRows> {
        self.check(sql, &values)?;
        self.run(async |session| session.query(sql, &values).await)
            .await
    }

    async fn execute(&mut self, sql: &str, values: Vec<SqlValue>) -> Result<u64> {
        self.check(sql, &values)?;
        self.run(async |session| session.execute(sql, &values).await)
            .await
    }

    async fn identify(&mut self) -> Result<String> {
        if !self.public {
            return Err(no_name());
        }
        self.run(async |session| ended::identify(session).await)
            .await
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        if self.failed {
            // Dropping it rolls back.
            return Err(transaction_over());
        }
        self.end(async |session| session.commit().await).await
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        self.end(async |session| session.rollback().await).await
    }
}
