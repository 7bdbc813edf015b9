//! The project's own tables in a test: callers of every reach, and a table
//! with rows of two users.

use crate::harness::{World, text};
use atlashub_core::{
    Error, ProjectId, Result,
    capability::{
        database::{Access, BoundCaller, Database as _, Reach},
        sql::{SqlRows, SqlValue},
    },
};
use atlashub_data::project::public::{PolicyChange, RowPolicy};
use std::sync::Arc;
use uuid::Uuid;

/// The project's own tables in a test.
pub(crate) struct Tables<'a>(pub(crate) &'a World);

impl Tables<'_> {
    pub(crate) fn project(&self) -> ProjectId {
        self.0.scope.project
    }

    pub(crate) async fn change(&self, statements: &[&str]) -> Result<()> {
        let statements: Vec<String> = statements.iter().map(|sql| (*sql).to_owned()).collect();
        self.0
            .databases
            .change_tables(self.project(), &statements)
            .await
    }

    pub(crate) async fn policies(&self, table: &str, json: serde_json::Value) -> Result<()> {
        let policies: Vec<RowPolicy> = serde_json::from_value(json).unwrap();
        self.0
            .databases
            .change_row_policies(self.project(), table, PolicyChange::All(policies))
            .await
            .map(drop)
    }

    pub(crate) fn service(&self) -> Access {
        Access {
            project: self.project(),
            reach: Reach::Everything,
            write: true,
        }
    }

    pub(crate) fn anonymous(&self) -> Access {
        Access {
            reach: Reach::Policies(BoundCaller::anonymous()),
            ..self.service()
        }
    }

    pub(crate) fn user(&self, id: Uuid) -> Access {
        self.user_with(id, &[])
    }

    pub(crate) fn user_with(&self, id: Uuid, roles: &[&str]) -> Access {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        Access {
            reach: Reach::Policies(Arc::new(BoundCaller::user(id, roles))),
            ..self.service()
        }
    }

    pub(crate) async fn query(
        &self,
        access: &Access,
        sql: &str,
        values: Vec<SqlValue>,
    ) -> Result<SqlRows> {
        self.0.databases.query(access, sql, values).await
    }

    pub(crate) async fn execute(
        &self,
        access: &Access,
        sql: &str,
        values: Vec<SqlValue>,
    ) -> Result<u64> {
        self.0.databases.execute(access, sql, values).await
    }

    /// The texts or numbers of the first column.
    pub(crate) async fn list(&self, access: &Access, sql: &str) -> Vec<String> {
        let rows = self.query(access, sql, Vec::new()).await;
        let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        rows.rows.into_iter().map(|row| shown(&row[0])).collect()
    }

    pub(crate) async fn run(&self, access: &Access, sql: &str) -> Result<u64> {
        self.execute(access, sql, Vec::new()).await
    }

    pub(crate) async fn refused(&self, access: &Access, sql: &str) -> Error {
        match self.execute(access, sql, Vec::new()).await {
            Ok(_) => panic!("was not refused: {sql}"),
            Err(error) => error,
        }
    }

    /// Updates or deletes the rows for which `condition` holds, as each
    /// engine has it.
    pub(crate) fn rows_where(&self, table: &str, condition: &str) -> String {
        if self.0.is_sqlite() {
            format!("WHERE rowid IN (SELECT _rowid_ FROM {table} WHERE {condition})")
        } else {
            format!("WHERE {condition}")
        }
    }
}

pub(crate) fn shown(value: &SqlValue) -> String {
    match value {
        SqlValue::Null => "null".to_owned(),
        SqlValue::Boolean(value) => value.to_string(),
        SqlValue::Integer(value) => value.to_string(),
        SqlValue::Real(value) => value.to_string(),
        SqlValue::Text(value) => value.clone(),
        SqlValue::Blob(value) => format!("{value:?}"),
    }
}

pub(crate) const ANA: Uuid = Uuid::from_u128(0xa);
pub(crate) const BEN: Uuid = Uuid::from_u128(0xb);

/// Todos 1 and 2 of Ana, 3 of Ben; with `policies`.
pub(crate) async fn todos(tables: &Tables<'_>, policies: serde_json::Value) {
    tables
        .change(&[
            "CREATE TABLE todos (id INTEGER PRIMARY KEY, title TEXT NOT NULL DEFAULT 'new', \
             owner UUID, done BOOLEAN NOT NULL DEFAULT FALSE)",
        ])
        .await
        .unwrap();
    for (id, owner) in [(1, ANA), (2, ANA), (3, BEN)] {
        tables
            .execute(
                &tables.service(),
                "INSERT INTO public.todos (id, title, owner) VALUES ($1, $2, $3)",
                vec![
                    SqlValue::Integer(id),
                    text(&format!("todo {id}")),
                    text(&owner.to_string()),
                ],
            )
            .await
            .unwrap();
    }
    tables.policies("todos", policies).await.unwrap();
}

pub(crate) fn own_rows() -> serde_json::Value {
    serde_json::json!([{
        "name": "own", "roles": ["authenticated"],
        "actions": ["select", "insert", "update", "delete"],
        "using": {"owner": "owner"},
    }])
}
