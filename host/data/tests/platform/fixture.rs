//! A fresh platform database and a clock that stands still.

use atlashub_core::{Clock, Manifest, PluginName, ProjectId, Slug, capability::PluginScope};
use atlashub_data::platform::{
    Engine, NewProject, NewRevision, Platform, PlatformOptions, Project, ProjectSettings, Revision,
};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection};
use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use time::{OffsetDateTime, macros::datetime};

/// A platform database for one test.
pub(crate) struct Fixture {
    pub(crate) platform: Platform,
    pub(crate) clock: Arc<TestClock>,
    /// Where the database is.
    pub(crate) url: String,
}

/// A clock that moves only when told to.
pub(crate) struct TestClock(Mutex<OffsetDateTime>);

impl TestClock {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(datetime!(2026-01-02 03:04:05.678901 UTC))))
    }

    pub(crate) fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap()
    }
}

pub(crate) async fn open(url: &str, clock: Arc<TestClock>) -> Platform {
    let options = PlatformOptions {
        clock,
        ..PlatformOptions::default()
    };
    Platform::connect(&url.into(), options).await.unwrap()
}

impl Fixture {
    async fn new(url: String) -> Self {
        let clock = TestClock::new();
        let platform = open(&url, clock.clone()).await;
        Self {
            platform,
            clock,
            url,
        }
    }

    /// A connection past the platform, as an attacker in the process or a
    /// person at the database's own shell would have.
    pub(crate) async fn raw(&self) -> DatabaseConnection {
        Database::connect(&self.url).await.unwrap()
    }

    /// Returns once somebody waits for a lock on Postgres, or `done` says that
    /// nobody will; at once on SQLite, where one connection writes.
    pub(crate) async fn until_somebody_waits(&self, done: impl Fn() -> bool) {
        if self.platform.engine() == Engine::Sqlite {
            return;
        }
        let raw = self.raw().await;
        let waiting = "SELECT 1 FROM pg_locks JOIN pg_database ON pg_locks.database = oid \
                       WHERE datname = current_database() AND NOT granted";
        let waiting = sea_orm::Statement::from_string(raw.get_database_backend(), waiting);
        while !done() && raw.query_one_raw(waiting.clone()).await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        raw.close().await.unwrap();
    }

    pub(crate) async fn project(&self, slug: &str) -> Project {
        self.platform
            .projects()
            .create(new_project(slug, None))
            .await
            .unwrap()
    }

    pub(crate) async fn revision(&self, plugin: &str, digest: u8) -> Revision {
        let new = new_revision(plugin, digest);
        self.platform.revisions().add(new).await.unwrap().0
    }
}

pub(crate) fn new_project(slug: &str, storage_limit_bytes: Option<u64>) -> NewProject {
    NewProject {
        id: ProjectId::new(),
        slug: slug.parse::<Slug>().unwrap(),
        name: format!("Project {slug}"),
        settings: ProjectSettings::default(),
        storage_limit_bytes,
    }
}

pub(crate) fn new_revision(plugin: &str, digest: u8) -> NewRevision {
    NewRevision {
        digest: atlashub_core::Digest::from_bytes([digest; 32]),
        size_bytes: 1_000,
        manifest: Manifest::bare(plugin.parse().unwrap()),
        openapi: None,
        imports: vec!["wasi:io/streams@0.2.0".into()],
        exports: vec!["wasi:http/incoming-handler@0.2.0".into()],
        builtin: false,
    }
}

pub(crate) fn plugin(name: &str) -> PluginName {
    name.parse().unwrap()
}

pub(crate) fn scope(project: &Project, name: &str) -> PluginScope {
    PluginScope {
        project: project.id,
        plugin: plugin(name),
    }
}

/// Runs `test` on a fresh SQLite file.
pub(crate) async fn on_sqlite<F: Future<Output = ()>>(
    migrated: bool,
    test: impl FnOnce(Arc<Fixture>) -> F,
) {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Arc::new(Fixture::new(sqlite_url(folder.path())).await);
    if migrated {
        fixture.platform.migrate().await.unwrap();
    }
    test(fixture.clone()).await;
    fixture.platform.close().await.unwrap();
}

pub(crate) fn sqlite_url(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("platform.db").display())
}

/// Runs `test` on a fresh Postgres database, where a cluster is given.
pub(crate) async fn on_postgres<F: Future<Output = ()>>(
    migrated: bool,
    test: impl FnOnce(Arc<Fixture>) -> F,
) {
    let Ok(cluster) = std::env::var("ATLASHUB_TEST_POSTGRES_URL") else {
        eprintln!("ATLASHUB_TEST_POSTGRES_URL is not set: not run on Postgres");
        return;
    };
    let name = format!("platform_test_{}", uuid::Uuid::now_v7().simple());
    let admin = Database::connect(&cluster).await.unwrap();
    admin
        .execute_raw(sea_orm::Statement::from_string(
            sea_orm::DbBackend::Postgres,
            format!("CREATE DATABASE {name}"),
        ))
        .await
        .unwrap();
    let mut url = url::Url::parse(&cluster).unwrap();
    url.set_path(&name);
    let fixture = Arc::new(Fixture::new(url.into()).await);
    if migrated {
        fixture.platform.migrate().await.unwrap();
    }
    test(fixture.clone()).await;
    fixture.platform.close().await.unwrap();
    admin
        .execute_raw(sea_orm::Statement::from_string(
            sea_orm::DbBackend::Postgres,
            format!("DROP DATABASE {name} WITH (FORCE)"),
        ))
        .await
        .unwrap();
    admin.close().await.unwrap();
}

/// Makes a test for each engine out of each function `async fn(Arc<Fixture>)`.
macro_rules! on_both_engines {
    ($($test:ident),+ $(,)?) => { on_both_engines!(migrated = true; $($test),+); };
    (migrated = $migrated:literal; $($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                crate::fixture::on_sqlite($migrated, super::$test).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                crate::fixture::on_postgres($migrated, super::$test).await;
            })+
        }
    };
}
pub(crate) use on_both_engines;
