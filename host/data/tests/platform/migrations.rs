//! Opening and migrating the platform database.

use crate::fixture::{Fixture, on_both_engines, open};
use atlashub_core::ErrorKind;
use atlashub_data::platform::{Engine, Platform, PlatformOptions};
use sea_orm::ConnectionTrait as _;
use std::sync::Arc;

on_both_engines! {
    migrated = false;
    a_new_database_is_migrated_once,
    nodes_that_start_together_migrate_once,
    a_database_of_a_later_version_is_refused,
}

async fn a_new_database_is_migrated_once(fixture: Arc<Fixture>) {
    let platform = &fixture.platform;
    platform.ping().await.unwrap();
    let pending = platform.pending_migrations().await.unwrap();
    assert!(pending.len() >= 13);
    // Asking has changed nothing.
    assert_eq!(platform.pending_migrations().await.unwrap(), pending);
    assert_eq!(platform.migrate().await.unwrap(), pending);
    assert!(platform.pending_migrations().await.unwrap().is_empty());
    assert!(platform.migrate().await.unwrap().is_empty());
    let all = platform.migrations().await.unwrap();
    assert_eq!(all.len(), pending.len());
    assert!(all.iter().all(|migration| migration.applied));
}

async fn nodes_that_start_together_migrate_once(fixture: Arc<Fixture>) {
    let nodes = (0..4).map(|_| {
        let (url, clock) = (fixture.url.clone(), fixture.clock.clone());
        tokio::spawn(async move {
            let node = open(&url, clock).await;
            let applied = node.migrate().await.unwrap();
            node.close().await.unwrap();
            applied.len()
        })
    });
    let mut applied: Vec<usize> = futures::future::join_all(nodes)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    applied.sort_unstable();
    assert_eq!(applied[..3], [0, 0, 0]);
    assert!(applied[3] >= 13);
}

async fn a_database_of_a_later_version_is_refused(fixture: Arc<Fixture>) {
    fixture.platform.migrate().await.unwrap();
    let raw = fixture.raw().await;
    raw.execute_raw(sea_orm::Statement::from_string(
        raw.get_database_backend(),
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 0)",
    ))
    .await
    .unwrap();
    raw.close().await.unwrap();
    let error = fixture.platform.migrate().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::Conflict, "schema_too_new")
    );
    assert!(fixture.platform.migrations().await.is_err());
}

#[tokio::test]
async fn doubtful_addresses_are_refused() {
    for url in [
        "",
        "mysql://x",
        "sqlite:",
        "sqlite::memory:",
        "postgres://[",
        "sqlite://?mode=rwc",
    ] {
        let error = Platform::connect(&url.into(), PlatformOptions::default())
            .await
            .unwrap_err();
        assert_eq!(error.code(), "invalid_database_url", "{url:?}");
    }
}

#[tokio::test]
async fn a_sqlite_file_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/folder/platform.db");
    let url = format!("sqlite://{}?mode=rwc", path.display());
    let platform = Platform::connect(&url.into(), PlatformOptions::default())
        .await
        .unwrap();
    assert_eq!(platform.engine(), Engine::Sqlite);
    platform.migrate().await.unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        for name in ["platform.db", "platform.db-wal"] {
            let file = std::fs::metadata(path.with_file_name(name)).unwrap();
            assert_eq!(file.permissions().mode() & 0o777, 0o600, "{name}");
        }
    }
    platform.close().await.unwrap();
    assert!(platform.ping().await.is_err());
}
