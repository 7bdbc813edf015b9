//! `atlashub:database/client`: the project's own tables, with the rights of
//! the caller of the request that is being handled.

use super::{
    not_granted,
    sql::{parameters, rows},
};
use crate::{
    bindings::{
        database::client::{self, Error},
        sql::client::{Rows, Value},
    },
    state::{State, for_guest},
};
use atlashub_core::{
    Result,
    capability::{database as plain, sql::SqlTransaction},
};
use std::sync::Arc;
use wasmtime::component::Resource;

/// A transaction in the hands of a guest. It has the rights of the caller
/// for whom it was begun; an instance serves one request at a time, and one
/// that leaves a transaction behind is not used again.
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub struct Transaction(Box<dyn SqlTransaction>);

pub(super) type Answer<T> = wasmtime::Result<std::result::Result<T, Error>>;

pub(super) fn answer<T>(result: Result<T>) -> Answer<T> {
    Ok(result.map_err(|error| {
        let (code, message) = for_guest(&error);
        let sqlstate = error
            .fields()
            .get("sqlstate")
            .and_then(|state| state.as_str());
        Error {
            code,
            message,
            sqlstate: sqlstate.map(str::to_owned),
        }
    }))
}

impl State {
    pub(super) fn database(&self) -> Result<(Arc<dyn plain::Database>, plain::Access)> {
        let plugin = self.plugin();
        if !plugin.grants.allows_database(false) {
            return Err(not_granted("database:read"));
        }
        let access = plain::Access::of(
            plugin.scope.project,
            &self.hooks.request.caller,
            plugin.grants.allows_database(true),
        );
        Ok((Arc::clone(&plugin.services.database), access))
    }
}

fn table(table: &plain::Table) -> client::Table {
    let column = |column: &plain::Column| client::Column {
        name: column.name.clone(),
        data_type: column.data_type.clone(),
        kind: column.kind.as_str().to_owned(),
        nullable: column.nullable,
        default: column.default.clone(),
        generated: column.generated,
    };
    let foreign_key = |key: &plain::ForeignKey| client::ForeignKey {
        name: key.name.clone(),
        columns: key.columns.clone(),
        table: key.table.clone(),
        references: key.references.clone(),
    };
    client::Table {
        name: table.name.clone(),
        kind: table.kind.as_str().to_owned(),
        columns: table.columns.iter().map(column).collect(),
        primary_key: table.primary_key.clone(),
        unique: table.unique.clone(),
        foreign_keys: table.foreign_keys.iter().map(foreign_key).collect(),
    }
}

impl client::Host for State {
    fn get_dialect(&mut self) -> wasmtime::Result<String> {
        let database = &self.plugin().services.database;
        Ok(database.dialect().as_str().to_owned())
    }

    fn get_schema_version(&mut self) -> Answer<u64> {
        answer(
            self.database()
                .map(|(database, access)| database.schema_version(access.project)),
        )
    }

    async fn describe(&mut self) -> Answer<Vec<client::Table>> {
        let found = match self.database() {
            Ok((database, access)) => database.describe(access.project).await,
            Err(error) => Err(error),
        };
        answer(found.map(|tables| tables.iter().map(table).collect()))
    }

    async fn list_told(&mut self) -> Answer<Vec<String>> {
        let (tables, reach) = match self.database() {
            Ok((database, access)) => (database.describe(access.project).await, access.reach),
            Err(error) => return answer(Err(error)),
        };
        answer(tables.map(|tables| {
            tables
                .iter()
                .filter(|table| table.audience.includes(&reach))
                .map(|table| table.name.clone())
                .collect()
        }))
    }

    async fn query(&mut self, sql: String, values: Vec<Value>) -> Answer<Rows> {
        let found = match self.database() {
            Ok((database, access)) => database.query(&access, &sql, parameters(values)).await,
            Err(error) => Err(error),
        };
        answer(found.map(rows))
    }

    async fn was_committed(&mut self, name: String) -> Answer<Option<bool>> {
        answer(match self.database() {
            Ok((database, access)) => database.was_committed(&access, &name).await,
            Err(error) => Err(error),
        })
    }

    async fn execute(&mut self, sql: String, values: Vec<Value>) -> Answer<u64> {
        answer(match self.database() {
            Ok((database, access)) => database.execute(&access, &sql, parameters(values)).await,
            Err(error) => Err(error),
        })
    }
}

impl client::HostTransaction for State {
    async fn identify(&mut self, this: Resource<Transaction>) -> Answer<String> {
        let transaction = self.table.get_mut(&this)?;
        answer(transaction.0.identify().await)
    }

    async fn begin(&mut self) -> Answer<Resource<Transaction>> {
        let begun = match self.database() {
            Ok((database, access)) => database.begin(&access).await,
            Err(error) => Err(error),
        };
        match begun {
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
        let found = transaction.0.query(&sql, parameters(values)).await;
        answer(found.map(rows))
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
