//! `atlashub:sql/client`: the plugin's own tables.

use super::not_granted;
use crate::{
    bindings::sql::client::{self, Error, Rows, Value},
    state::{PluginShared, State, for_guest},
};
use atlashub_core::{
    Grant, Result,
    capability::sql::{SqlCursor, SqlRows, SqlTransaction, SqlValue},
};
use std::sync::Arc;
use wasmtime::component::Resource;

/// A transaction in the hands of a guest.
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub struct Transaction(Box<dyn SqlTransaction>);

/// A cursor in the hands of a guest.
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub struct Cursor(Box<dyn SqlCursor>);

type Answer<T> = wasmtime::Result<std::result::Result<T, Error>>;

fn answer<T>(result: Result<T>) -> Answer<T> {
    Ok(result.map_err(|error| {
        let (code, message) = for_guest(&error);
        Error { code, message }
    }))
}

pub(super) fn parameters(values: Vec<Value>) -> Vec<SqlValue> {
    values
        .into_iter()
        .map(|value| match value {
            Value::Null => SqlValue::Null,
            Value::Boolean(value) => SqlValue::Boolean(value),
            Value::Integer(value) => SqlValue::Integer(value),
            Value::Real(value) => SqlValue::Real(value),
            Value::Text(value) => SqlValue::Text(value),
            Value::Blob(value) => SqlValue::Blob(value),
        })
        .collect()
}

pub(super) fn rows(rows: SqlRows) -> Rows {
    let value = |value| match value {
        SqlValue::Null => Value::Null,
        SqlValue::Boolean(value) => Value::Boolean(value),
        SqlValue::Integer(value) => Value::Integer(value),
        SqlValue::Real(value) => Value::Real(value),
        SqlValue::Text(value) => Value::Text(value),
        SqlValue::Blob(value) => Value::Blob(value),
    };
    Rows {
        columns: rows.columns,
        rows: rows
            .rows
            .into_iter()
            .map(|row| row.into_iter().map(value).collect())
            .collect(),
    }
}

impl PluginShared {
    fn check_sql(&self) -> Result<()> {
        if self.grants.contains(&Grant::Sql) {
            Ok(())
        } else {
            Err(not_granted("sql"))
        }
    }
}

impl client::Host for State {
    fn get_dialect(&mut self) -> wasmtime::Result<String> {
        Ok(self.plugin().services.sql.dialect().as_str().to_owned())
    }

    async fn query(&mut self, sql: String, values: Vec<Value>) -> Answer<Rows> {
        let plugin = Arc::clone(&self.hooks.plugin);
        let found = match plugin.check_sql() {
            Ok(()) => {
                plugin
                    .services
                    .sql
                    .query(&plugin.scope, &sql, parameters(values))
                    .await
            }
            Err(error) => Err(error),
        };
        answer(found.map(rows))
    }

    async fn execute(&mut self, sql: String, values: Vec<Value>) -> Answer<u64> {
        let plugin = Arc::clone(&self.hooks.plugin);
        answer(match plugin.check_sql() {
            Ok(()) => {
                plugin
                    .services
                    .sql
                    .execute(&plugin.scope, &sql, parameters(values))
                    .await
            }
            Err(error) => Err(error),
        })
    }
}

impl client::HostTransaction for State {
    async fn begin(&mut self) -> Answer<Resource<Transaction>> {
        let plugin = Arc::clone(&self.hooks.plugin);
        if let Err(error) = plugin.check_sql() {
            return answer(Err(error));
        }
        match plugin.services.sql.begin(&plugin.scope).await {
            Ok(transaction) => {
                let handle = self.table.push(Transaction(transaction))?;
                self.open_handles += 1;
                Ok(Ok(handle))
            }
            Err(error) => answer(Err(error)),
        }
    }

    async fn query(
        &mut self,
        this: Resource<Transaction>,
        sql: String,
        values: Vec<Value>,
    ) -> Answer<Rows> {
        let transaction = self.table.get_mut(&this)?;
        answer(
            transaction
                .0
                .query(&sql, parameters(values))
                .await
                .map(rows),
        )
    }

    async fn execute(
        &mut self,
        this: Resource<Transaction>,
        sql: String,
        values: Vec<Value>,
    ) -> Answer<u64> {
        let transaction = self.table.get_mut(&this)?;
        answer(transaction.0.execute(&sql, parameters(values)).await)
    }

    async fn commit(&mut self, this: Resource<Transaction>) -> Answer<()> {
        let transaction = self.table.delete(this)?;
        self.open_handles = self.open_handles.saturating_sub(1);
        answer(transaction.0.commit().await)
    }

    async fn rollback(&mut self, this: Resource<Transaction>) -> Answer<()> {
        let transaction = self.table.delete(this)?;
        self.open_handles = self.open_handles.saturating_sub(1);
        answer(transaction.0.rollback().await)
    }

    fn drop(&mut self, this: Resource<Transaction>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        self.open_handles = self.open_handles.saturating_sub(1);
        Ok(())
    }
}

impl client::HostCursor for State {
    async fn open(&mut self, sql: String, values: Vec<Value>) -> Answer<Resource<Cursor>> {
        let plugin = Arc::clone(&self.hooks.plugin);
        if let Err(error) = plugin.check_sql() {
            return answer(Err(error));
        }
        match plugin
            .services
            .sql
            .cursor(&plugin.scope, &sql, parameters(values))
            .await
        {
            Ok(cursor) => {
                let handle = self.table.push(Cursor(cursor))?;
                self.open_handles += 1;
                Ok(Ok(handle))
            }
            Err(error) => answer(Err(error)),
        }
    }

    async fn next(&mut self, this: Resource<Cursor>, max: u32) -> Answer<Rows> {
        let cursor = self.table.get_mut(&this)?;
        answer(cursor.0.next(max as usize).await.map(rows))
    }

    fn drop(&mut self, this: Resource<Cursor>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        self.open_handles = self.open_handles.saturating_sub(1);
        Ok(())
    }
}
