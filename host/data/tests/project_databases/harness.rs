//! A project with one plugin, on either engine.

use async_trait::async_trait;
use atlashub_core::{
    Error, ProjectId, Result,
    capability::{
        PluginScope,
        sql::{Sql as _, SqlRows, SqlValue},
    },
    manifest::Migration,
};
use atlashub_data::project::{CredentialStore, Options, ProjectDatabases};
use secrecy::SecretString;
use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// Names the server for the tests on Postgres.
pub(crate) const POSTGRES: &str = "ATLASHUB_TEST_POSTGRES_URL";

/// Passwords in memory.
#[derive(Default)]
pub(crate) struct Credentials(Mutex<HashMap<(ProjectId, String), SecretString>>);

#[async_trait]
impl CredentialStore for Credentials {
    async fn get(&self, project: ProjectId, role: &str) -> Result<Option<SecretString>> {
        let key = (project, role.to_owned());
        Ok(self.0.lock().unwrap().get(&key).cloned())
    }

    async fn put(
        &self,
        project: ProjectId,
        role: &str,
        password: SecretString,
    ) -> Result<SecretString> {
        let key = (project, role.to_owned());
        let mut kept = self.0.lock().unwrap();
        Ok(kept.entry(key).or_insert(password).clone())
    }

    async fn forget(&self, project: ProjectId, role: Option<&str>) -> Result<()> {
        let mut kept = self.0.lock().unwrap();
        kept.retain(|(of, name), _| *of != project || role.is_some_and(|role| role != name));
        Ok(())
    }
}

/// A project in which the plugin `files` has a schema.
pub(crate) struct World {
    pub(crate) databases: ProjectDatabases,
    pub(crate) scope: PluginScope,
    pub(crate) credentials: Arc<Credentials>,
    folder: Option<tempfile::TempDir>,
}

impl World {
    pub(crate) async fn sqlite() -> Self {
        Self::sqlite_with(Options::default()).await
    }

    pub(crate) async fn sqlite_with(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let databases = ProjectDatabases::sqlite(folder.path().to_owned(), options);
        Self::provisioned(databases, Arc::default(), Some(folder)).await
    }

    pub(crate) async fn postgres() -> Option<Self> {
        Self::postgres_with(Options::default()).await
    }

    pub(crate) async fn postgres_with(options: Options) -> Option<Self> {
        let url = std::env::var(POSTGRES).ok()?;
        let credentials: Arc<Credentials> = Arc::default();
        let databases = ProjectDatabases::postgres(&url, credentials.clone(), options).unwrap();
        Some(Self::provisioned(databases, credentials, None).await)
    }

    /// Both engines, as far as they are there.
    pub(crate) async fn both_with(options: Options) -> Vec<Self> {
        let mut worlds = vec![Self::sqlite_with(options.clone()).await];
        worlds.extend(Self::postgres_with(options).await);
        worlds
    }

    pub(crate) async fn provisioned(
        databases: ProjectDatabases,
        credentials: Arc<Credentials>,
        folder: Option<tempfile::TempDir>,
    ) -> Self {
        let scope = scope("files");
        databases.provision(scope.project).await.unwrap();
        databases.provision_plugin(&scope).await.unwrap();
        Self {
            databases,
            scope,
            credentials,
            folder,
        }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.folder.is_some()
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.as_ref().unwrap().path()
    }

    pub(crate) async fn query(&self, sql: &str, values: Vec<SqlValue>) -> Result<SqlRows> {
        self.databases.query(&self.scope, sql, values).await
    }

    pub(crate) async fn execute(&self, sql: &str, values: Vec<SqlValue>) -> Result<u64> {
        self.databases.execute(&self.scope, sql, values).await
    }

    /// The one value of a query's one row.
    pub(crate) async fn value(&self, sql: &str) -> SqlValue {
        let rows = self.query(sql, Vec::new()).await.unwrap();
        assert_eq!(rows.rows.len(), 1, "{sql}");
        rows.rows[0][0].clone()
    }

    pub(crate) async fn refused(&self, sql: &str) -> Error {
        let queried = self.query(sql, Vec::new()).await;
        let executed = self.execute(sql, Vec::new()).await;
        match (queried, executed) {
            (Err(error), Err(_)) => error,
            _ => panic!("was not refused: {sql}"),
        }
    }

    pub(crate) async fn migrate(&self, steps: &[(&str, &str)]) -> Result<Vec<String>> {
        let migrations: Vec<Migration> = steps
            .iter()
            .map(|(name, sql)| Migration {
                name: (*name).to_owned(),
                sql: Some((*sql).to_owned()),
                sqlite: None,
                postgres: None,
            })
            .collect();
        self.databases
            .migrate_plugin(&self.scope, &migrations)
            .await
    }

    /// Makes `items (id BIGINT PRIMARY KEY, name TEXT)` with rows 1 to `count`.
    pub(crate) async fn with_items(self, count: i64) -> Self {
        self.migrate(&[(
            "items",
            "CREATE TABLE items (id BIGINT PRIMARY KEY, name TEXT UNIQUE)",
        )])
        .await
        .unwrap();
        if count > 0 {
            self.execute(
                "INSERT INTO files.items WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 \
                 FROM n WHERE i < $1) SELECT i, 'item ' || i FROM n",
                vec![SqlValue::Integer(count)],
            )
            .await
            .unwrap();
        }
        self
    }

    pub(crate) async fn count(&self) -> i64 {
        match self.value("SELECT count(*) FROM files.items").await {
            SqlValue::Integer(count) => count,
            other => panic!("{other:?}"),
        }
    }
}

/// The plugin `name` of a new project.
pub(crate) fn scope(name: &str) -> PluginScope {
    PluginScope {
        project: ProjectId::new(),
        plugin: name.parse().unwrap(),
    }
}

pub(crate) fn text(value: &str) -> SqlValue {
    SqlValue::Text(value.to_owned())
}

/// Waits until `condition` holds; fails after ten seconds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < Duration::from_secs(10), "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
