//! The changes feed.

use crate::fixture::{Fixture, new_project, on_both_engines, open, plugin};
use atlashub_core::{KeyKind, token};
use atlashub_data::platform::{ChangeKind, Engine, InstallationState, NewKey, ProjectPatch};
use futures::StreamExt as _;
use sea_orm::{ConnectionTrait as _, TransactionTrait as _};
use std::{sync::Arc, time::Duration};

on_both_engines! {
    every_change_is_announced,
    what_is_taken_back_is_not_announced,
    a_reader_misses_nothing_that_writers_commit_at_once,
    numbers_become_visible_in_their_order,
    a_reader_learns_that_changes_were_pruned,
    a_hint_comes_for_a_commit,
    a_lost_connection_is_made_again,
}

async fn kinds_since(fixture: &Fixture, seq: i64) -> Vec<ChangeKind> {
    let page = fixture.platform.changes().since(seq, 1_000).await.unwrap();
    page.items.into_iter().map(|change| change.kind).collect()
}

async fn every_change_is_announced(fixture: Arc<Fixture>) {
    let platform = &fixture.platform;
    let start = platform.changes().latest_seq().await.unwrap();
    let project = fixture.project("demo").await;
    let patch = ProjectPatch {
        name: Some("New".into()),
        ..ProjectPatch::default()
    };
    platform.projects().update(project.id, patch).await.unwrap();
    platform
        .domains()
        .add(project.id, "demo.example.com")
        .await
        .unwrap();
    platform.usage().set_limit(project.id, None).await.unwrap();
    let new_key = || NewKey::of_token(KeyKind::Secret, "", &token::generate("ahs_").unwrap(), None);
    let key = platform.keys().create(project.id, new_key()).await.unwrap();
    platform
        .keys()
        .rotate(project.id, key.id, new_key(), None)
        .await
        .unwrap();
    let revision = fixture.revision("hello", 1).await;
    let state = InstallationState {
        revision: revision.id,
        enabled: true,
        config: String::new(),
        grants: atlashub_core::GrantSet::default(),
        routes: None,
        limits: None,
    };
    let name = plugin("hello");
    platform
        .installations()
        .put(project.id, &name, state, None, "ada")
        .await
        .unwrap();
    platform
        .installations()
        .delete(project.id, &name, None, "ada")
        .await
        .unwrap();
    let owner = platform
        .admins()
        .create_first_owner("a@example.com", "h")
        .await
        .unwrap();
    platform.sessions().revoke_all(owner.id).await.unwrap();
    platform.projects().delete(project.id).await.unwrap();
    let kinds = kinds_since(&fixture, start).await;
    use ChangeKind as Kind;
    assert_eq!(
        kinds,
        [
            Kind::ProjectCreated,
            Kind::ProjectChanged,
            Kind::ProjectChanged,
            Kind::QuotaChanged,
            Kind::KeyCreated,
            Kind::KeyRevoked,
            Kind::KeyCreated,
            Kind::RevisionAdded,
            Kind::InstallationChanged,
            Kind::InstallationChanged,
            Kind::AdminChanged,
            Kind::SessionsRevoked,
            Kind::ProjectDeleted,
        ]
    );
    let page = platform.changes().since(start, 5).await.unwrap();
    assert!(!page.lost);
    assert_eq!(page.items.len(), 5);
    assert_eq!(page.items[4].subject, Some(key.id.to_string()));
    assert_eq!(page.items[4].project, Some(project.id));
    assert!(page.items.is_sorted_by_key(|change| change.seq));
    let latest = platform.changes().latest_seq().await.unwrap();
    assert!(kinds_since(&fixture, latest).await.is_empty());
}

async fn what_is_taken_back_is_not_announced(fixture: Arc<Fixture>) {
    let platform = &fixture.platform;
    let start = platform.changes().latest_seq().await.unwrap();
    let unit = platform.begin().await.unwrap();
    unit.projects()
        .create(new_project("one", None))
        .await
        .unwrap();
    drop(unit);
    let unit = platform.begin().await.unwrap();
    unit.projects()
        .create(new_project("two", None))
        .await
        .unwrap();
    unit.projects()
        .create(new_project("two", None))
        .await
        .unwrap_err();
    assert!(kinds_since(&fixture, start).await.is_empty());
    unit.commit().await.unwrap();
    assert_eq!(
        kinds_since(&fixture, start).await,
        [ChangeKind::ProjectCreated]
    );
}

async fn a_reader_misses_nothing_that_writers_commit_at_once(fixture: Arc<Fixture>) {
    const WRITERS: usize = 6;
    const EACH: usize = 20;
    let start = fixture.platform.changes().latest_seq().await.unwrap();
    let writers = (0..WRITERS).map(|writer| {
        let platform = fixture.platform.clone();
        tokio::spawn(async move {
            for n in 0..EACH {
                let slug = format!("demo-{writer}-{n}");
                platform
                    .projects()
                    .create(new_project(&slug, None))
                    .await
                    .unwrap();
            }
        })
    });
    let writing = futures::future::join_all(writers);
    let platform = fixture.platform.clone();
    let reader = tokio::spawn(async move {
        let (mut seq, mut seen) = (start, 0);
        while seen < WRITERS * EACH {
            let page = platform.changes().since(seq, 7).await.unwrap();
            seen += page.items.len();
            seq = page.items.last().map_or(seq, |change| change.seq);
        }
        seen
    });
    for writer in writing.await {
        writer.unwrap();
    }
    let seen = tokio::time::timeout(Duration::from_secs(60), reader).await;
    assert_eq!(
        seen.expect("the reader missed a change").unwrap(),
        WRITERS * EACH
    );
}

async fn numbers_become_visible_in_their_order(fixture: Arc<Fixture>) {
    if fixture.platform.engine() == Engine::Sqlite {
        // One connection writes: the second writer cannot even begin.
        let _unit = fixture.platform.begin().await.unwrap();
        let platform = fixture.platform.clone();
        let second = tokio::spawn(async move { platform.begin().await.map(drop) });
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        return;
    }
    // Another node has taken a number, and is slow to commit.
    let raw = fixture.raw().await;
    let slow = raw.begin().await.unwrap();
    for sql in [
        "SELECT pg_advisory_xact_lock(4711046013)",
        "INSERT INTO changes (kind, at) VALUES ('slow', 0)",
    ] {
        let statement = sea_orm::Statement::from_string(raw.get_database_backend(), sql);
        slow.execute_raw(statement).await.unwrap();
    }
    let start = fixture.platform.changes().latest_seq().await.unwrap();
    let platform = fixture.platform.clone();
    let fast = tokio::spawn(async move {
        let new = new_project("demo", None);
        platform.projects().create(new).await.map(drop)
    });
    fixture.until_somebody_waits(|| fast.is_finished()).await;
    assert!(kinds_since(&fixture, start).await.is_empty());
    slow.commit().await.unwrap();
    fast.await.unwrap().unwrap();
    raw.close().await.unwrap();
    let slow = ChangeKind::Other("slow".into());
    assert_eq!(
        kinds_since(&fixture, start).await,
        [slow, ChangeKind::ProjectCreated]
    );
}

async fn a_reader_learns_that_changes_were_pruned(fixture: Arc<Fixture>) {
    let changes = fixture.platform.changes();
    let start = changes.latest_seq().await.unwrap();
    for n in 0..3 {
        fixture.project(&format!("demo-{n}")).await;
        fixture.clock.advance(Duration::from_secs(10));
    }
    let all = changes.since(start, 10).await.unwrap();
    assert!(!all.lost);
    let (first, last) = (all.items[0].seq, all.items[2].seq);
    assert_eq!(changes.prune(Duration::from_secs(25)).await.unwrap(), 2);
    assert!(changes.since(start, 10).await.unwrap().lost);
    assert!(changes.since(first, 10).await.unwrap().lost);
    let page = changes.since(last, 10).await.unwrap();
    assert!(!page.lost && page.items.is_empty());
    // The newest stays, however old it is.
    fixture.clock.advance(Duration::from_secs(1_000));
    changes.prune(Duration::from_secs(1)).await.unwrap();
    assert_eq!(changes.latest_seq().await.unwrap(), last);
    assert!(!changes.since(last, 10).await.unwrap().lost);
}

async fn a_hint_comes_for_a_commit(fixture: Arc<Fixture>) {
    let listener = match fixture.platform.engine() {
        // Another node.
        Engine::Postgres => open(&fixture.url, fixture.clock.clone()).await,
        Engine::Sqlite => fixture.platform.clone(),
    };
    let mut hints = listener.listen().await.unwrap();
    let start = listener.changes().latest_seq().await.unwrap();
    fixture.project("demo").await;
    let hint = tokio::time::timeout(Duration::from_secs(10), hints.next()).await;
    assert_eq!(hint.expect("no hint came"), Some(()));
    assert_eq!(
        listener
            .changes()
            .since(start, 10)
            .await
            .unwrap()
            .items
            .len(),
        1
    );
    drop(hints);
    listener.close().await.unwrap();
}

async fn a_lost_connection_is_made_again(fixture: Arc<Fixture>) {
    let mut hints = fixture.platform.listen().await.unwrap();
    if fixture.platform.engine() == Engine::Postgres {
        let raw = fixture.raw().await;
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        let end = sea_orm::Statement::from_string(raw.get_database_backend(), end);
        assert_eq!(raw.query_all_raw(end).await.unwrap().len(), 1);
        raw.close().await.unwrap();
        // Something may have been missed.
        let hint = tokio::time::timeout(Duration::from_secs(30), hints.next()).await;
        assert_eq!(hint.expect("no hint came"), Some(()));
    }
    fixture.project("demo").await;
    let hint = tokio::time::timeout(Duration::from_secs(30), hints.next()).await;
    assert_eq!(hint.expect("no hint came"), Some(()));
}
