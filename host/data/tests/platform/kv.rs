//! Small values of plugins, through the capability trait.

use crate::fixture::{Fixture, on_both_engines, scope};
use atlashub_core::{
    ErrorKind, ProjectId,
    capability::{
        PluginScope,
        kv::{Kv, KvCondition, MAX_KEY_BYTES, MAX_VALUE_BYTES},
    },
};
use atlashub_data::platform::{Platform, PlatformOptions};
use std::{sync::Arc, time::Duration};

on_both_engines! {
    a_value_is_read_as_it_was_written,
    a_write_holds_to_its_condition,
    concurrent_increments_lose_none,
    of_many_who_want_an_absent_key_one_gets_it,
    an_expired_value_is_absent,
    a_version_grows_over_a_deletion,
    keys_are_listed_in_byte_order,
    plugins_do_not_see_each_others_values,
    keys_and_values_have_bounds,
    a_plugin_cannot_fill_the_database,
}

async fn a_value_is_read_as_it_was_written(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let scope = scope(&project, "hello");
    let kv: Arc<dyn Kv> = Arc::new(fixture.platform.clone());
    for value in [Vec::new(), vec![0, 255, 10], vec![7; MAX_VALUE_BYTES]] {
        let version = kv
            .set(&scope, "a\0ü", value.clone(), None, KvCondition::Always)
            .await
            .unwrap()
            .unwrap();
        let entry = kv.get(&scope, "a\0ü").await.unwrap().unwrap();
        assert_eq!((entry.value, entry.version), (value, version));
    }
    assert_eq!(kv.get(&scope, "b").await.unwrap(), None);
    assert!(kv.delete(&scope, "a\0ü").await.unwrap());
    assert!(!kv.delete(&scope, "a\0ü").await.unwrap());
    assert_eq!(kv.get(&scope, "a\0ü").await.unwrap(), None);
    let stranger = PluginScope {
        project: ProjectId::new(),
        ..scope
    };
    let error = kv
        .set(&stranger, "a", vec![], None, KvCondition::Always)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

async fn a_write_holds_to_its_condition(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let scope = scope(&project, "hello");
    let kv: &dyn Kv = &fixture.platform;
    let set = async |value: &[u8], condition| {
        kv.set(&scope, "a", value.to_vec(), None, condition)
            .await
            .unwrap()
    };
    assert_eq!(set(b"0", KvCondition::Version(1)).await, None);
    let first = set(b"1", KvCondition::Absent).await.unwrap();
    assert_eq!(set(b"2", KvCondition::Absent).await, None);
    let second = set(b"2", KvCondition::Version(first)).await.unwrap();
    assert!(second > first);
    assert_eq!(set(b"3", KvCondition::Version(first)).await, None);
    assert_eq!(set(b"3", KvCondition::Version(u64::MAX)).await, None);
    assert_eq!(kv.get(&scope, "a").await.unwrap().unwrap().value, b"2");
    assert!(set(b"3", KvCondition::Always).await.unwrap() > second);
}

async fn concurrent_increments_lose_none(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let scope = scope(&project, "hello");
    let tasks = (0..8).map(|_| {
        let (platform, scope) = (fixture.platform.clone(), scope.clone());
        tokio::spawn(async move {
            let kv: &dyn Kv = &platform;
            for _ in 0..10 {
                loop {
                    let (next, condition) = match kv.get(&scope, "n").await.unwrap() {
                        None => (1_u64, KvCondition::Absent),
                        Some(entry) => {
                            let n = u64::from_le_bytes(entry.value.try_into().unwrap());
                            (n + 1, KvCondition::Version(entry.version))
                        }
                    };
                    let value = next.to_le_bytes().to_vec();
                    if kv
                        .set(&scope, "n", value, None, condition)
                        .await
                        .unwrap()
                        .is_some()
                    {
                        break;
                    }
                }
            }
        })
    });
    for task in futures::future::join_all(tasks).await {
        task.unwrap();
    }
    let entry = fixture
        .platform
        .kv()
        .get(&scope, "n")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(entry.value, 80_u64.to_le_bytes());
}

async fn of_many_who_want_an_absent_key_one_gets_it(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let scope = scope(&project, "hello");
    let ttl = Some(Duration::from_secs(1));
    for _ in 0..2 {
        let attempts = (0..16).map(|_| {
            let (platform, scope) = (fixture.platform.clone(), scope.clone());
            tokio::spawn(async move {
                platform
                    .kv()
                    .set(&scope, "lock", vec![], ttl, KvCondition::Absent)
                    .await
                    .unwrap()
            })
        });
        let won = futures::future::join_all(attempts).await;
        assert_eq!(
            won.into_iter()
                .filter(|won| won.as_ref().unwrap().is_some())
                .count(),
            1
        );
        // The lock runs out, and is there to be taken again.
        fixture.clock.advance(Duration::from_secs(1));
    }
}

async fn an_expired_value_is_absent(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let scope = scope(&project, "hello");
    let kv = fixture.platform.kv();
    let ttl = Some(Duration::from_secs(10));
    let version = kv
        .set(&scope, "a", vec![1], ttl, KvCondition::Always)
        .await
        .unwrap()
        .unwrap();
    kv.set(&scope, "b", vec![1], None, KvCondition::Always)
        .await
        .unwrap();
    assert!(kv.get(&scope, "a").await.unwrap().is_some());
    fixture.clock.advance(Duration::from_secs(10));
    assert_eq!(kv.get(&scope, "a").await.unwrap(), None);
    assert_eq!(kv.list(&scope, "", None, 10).await.unwrap(), ["b"]);
    assert!(!kv.delete(&scope, "a").await.unwrap());
    let condition = KvCondition::Version(version);
    assert_eq!(
        kv.set(&scope, "a", vec![2], None, condition).await.unwrap(),
        None
    );
    assert_eq!(kv.sweep_expired().await.unwrap(), 1);
    // Written without a time to live, a value stays.
    kv.set(&scope, "a", vec![3], None, KvCondition::Absent)
        .await
        .unwrap()
        .unwrap();
    fixture.clock.advance(Duration::from_secs(1_000_000));
    assert!(kv.get(&scope, "a").await.unwrap().is_some());
}

async fn a_version_grows_over_a_deletion(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let scope = scope(&project, "hello");
    let kv = fixture.platform.kv();
    let old = kv
        .set(&scope, "a", vec![1], None, KvCondition::Always)
        .await
        .unwrap()
        .unwrap();
    kv.delete(&scope, "a").await.unwrap();
    fixture.clock.advance(Duration::from_micros(1));
    let new = kv
        .set(&scope, "a", vec![2], None, KvCondition::Absent)
        .await
        .unwrap()
        .unwrap();
    assert!(new > old);
    let stale = KvCondition::Version(old);
    assert_eq!(
        kv.set(&scope, "a", vec![3], None, stale).await.unwrap(),
        None
    );
}

async fn keys_are_listed_in_byte_order(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let scope = scope(&project, "hello");
    let kv = fixture.platform.kv();
    for key in ["b", "ab", "a%", "aB", "a_", "a", "aé", "A", "a\u{10ffff}"] {
        kv.set(&scope, key, vec![], None, KvCondition::Always)
            .await
            .unwrap();
    }
    let all = kv.list(&scope, "", None, 100).await.unwrap();
    assert_eq!(
        all,
        ["A", "a", "a%", "aB", "a_", "ab", "aé", "a\u{10ffff}", "b"]
    );
    let page = kv.list(&scope, "a", None, 3).await.unwrap();
    assert_eq!(page, ["a", "a%", "aB"]);
    let page = kv.list(&scope, "a", Some("aB"), 100).await.unwrap();
    assert_eq!(page, ["a_", "ab", "aé", "a\u{10ffff}"]);
    assert_eq!(kv.list(&scope, "a%", None, 100).await.unwrap(), ["a%"]);
}

async fn plugins_do_not_see_each_others_values(fixture: Arc<Fixture>) {
    let (one, two) = (fixture.project("one").await, fixture.project("two").await);
    let kv = fixture.platform.kv();
    let own = scope(&one, "hello");
    kv.set(&own, "a", vec![1], None, KvCondition::Always)
        .await
        .unwrap();
    for other in [scope(&one, "files"), scope(&two, "hello")] {
        assert_eq!(kv.get(&other, "a").await.unwrap(), None);
        assert!(kv.list(&other, "", None, 10).await.unwrap().is_empty());
        assert!(!kv.delete(&other, "a").await.unwrap());
        assert_eq!(kv.delete_all(&other).await.unwrap(), 0);
    }
    assert_eq!(kv.delete_all(&own).await.unwrap(), 1);
}

async fn keys_and_values_have_bounds(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let scope = scope(&project, "hello");
    let kv = fixture.platform.kv();
    let long = "a".repeat(MAX_KEY_BYTES + 1);
    for key in ["", long.as_str()] {
        let error = kv
            .set(&scope, key, vec![], None, KvCondition::Always)
            .await
            .unwrap_err();
        assert_eq!(error.code(), "kv_key_invalid");
        assert_eq!(
            kv.get(&scope, key).await.unwrap_err().code(),
            "kv_key_invalid"
        );
        assert_eq!(
            kv.delete(&scope, key).await.unwrap_err().code(),
            "kv_key_invalid"
        );
    }
    let value = vec![0; MAX_VALUE_BYTES + 1];
    let error = kv
        .set(&scope, "a", value, None, KvCondition::Always)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::TooLarge, "kv_value_too_large")
    );
}

async fn a_plugin_cannot_fill_the_database(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let (greedy, modest) = (scope(&project, "greedy"), scope(&project, "modest"));
    let options = PlatformOptions {
        kv_bytes_per_plugin: 10_000,
        clock: fixture.clock.clone(),
        ..PlatformOptions::default()
    };
    let platform = Platform::connect(&fixture.url.as_str().into(), options)
        .await
        .unwrap();
    let kv = platform.kv();
    let set = async |scope: &PluginScope, key: &str, bytes: usize| {
        kv.set(scope, key, vec![0; bytes], None, KvCondition::Always)
            .await
    };
    // Overwriting takes no more room, however often it is done.
    for _ in 0..30 {
        set(&greedy, "same", 1_000).await.unwrap();
    }
    let mut written = 1;
    let error = loop {
        match set(&greedy, &written.to_string(), 1_000).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 1_000_000, "nothing bounds the values");
    };
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::TooLarge, "kv_full")
    );
    assert!(kv.size(&greedy).await.unwrap() >= 9_000);
    set(&modest, "a", 1_000).await.unwrap();
    kv.delete_all(&greedy).await.unwrap();
    set(&greedy, "a", 1_000).await.unwrap();
    assert_eq!(kv.size(&modest).await.unwrap(), 1_000 + 1 + 64);
    platform.close().await.unwrap();
}
