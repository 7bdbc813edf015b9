//! API keys.

use crate::fixture::{Fixture, on_both_engines};
use atlashub_core::{Clock as _, ErrorKind, KeyId, KeyKind, ProjectId, token};
use atlashub_data::platform::NewKey;
use std::{sync::Arc, time::Duration};

on_both_engines! {
    a_key_is_found_by_its_hash,
    a_revoked_key_is_not_valid,
    a_rotated_key_works_until_its_time,
    a_key_is_rotated_once,
    last_use_never_goes_back,
    keys_of_a_deleted_project_are_not_found,
}

fn new_key() -> (String, NewKey) {
    let token = token::generate(KeyKind::Secret.prefix()).unwrap();
    let new = NewKey::of_token(KeyKind::Secret, "server", &token, None);
    (token, new)
}

async fn a_key_is_found_by_its_hash(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let (token, new) = new_key();
    let keys = fixture.platform.keys();
    let key = keys.create(project.id, new).await.unwrap();
    assert_eq!(key.hint, token[..8]);
    assert_eq!(
        keys.find_by_hash(&token::hash(&token)).await.unwrap(),
        Some(key.clone())
    );
    assert_eq!(
        keys.find_by_hash(&token::hash("ahs_other")).await.unwrap(),
        None
    );
    assert_eq!(
        keys.find(project.id, key.id).await.unwrap(),
        Some(key.clone())
    );
    assert_eq!(keys.find(ProjectId::new(), key.id).await.unwrap(), None);
    keys.create(project.id, new_key().1).await.unwrap();
    let page = keys.list(project.id, None, 1).await.unwrap();
    assert_eq!((page.items.len(), page.next), (1, Some(key.id)));
    assert_eq!(
        keys.list(project.id, page.next, 1).await.unwrap().next,
        None
    );
    let error = keys
        .create(ProjectId::new(), new_key().1)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

async fn a_revoked_key_is_not_valid(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let keys = fixture.platform.keys();
    let expires_at = fixture.clock.now() + Duration::from_secs(60);
    let mut new = new_key().1;
    new.expires_at = Some(expires_at);
    let key = keys.create(project.id, new).await.unwrap();
    assert!(key.is_valid_at(fixture.clock.now()));
    assert!(!key.is_valid_at(expires_at));
    assert!(!keys.revoke(ProjectId::new(), key.id).await.unwrap());
    assert!(keys.revoke(project.id, key.id).await.unwrap());
    assert!(!keys.revoke(project.id, key.id).await.unwrap());
    let key = keys.find_by_hash(&key.hash).await.unwrap().unwrap();
    assert!(!key.is_valid_at(fixture.clock.now()));
}

async fn a_rotated_key_works_until_its_time(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let keys = fixture.platform.keys();
    let old = keys.create(project.id, new_key().1).await.unwrap();
    let until = fixture.clock.now() + Duration::from_secs(3_600);
    let new = keys
        .rotate(project.id, old.id, new_key().1, Some(until))
        .await
        .unwrap();
    let old = keys.find(project.id, old.id).await.unwrap().unwrap();
    assert!(old.is_valid_at(fixture.clock.now()));
    assert!(!old.is_valid_at(until));
    // What is to be revoked later can be revoked now.
    assert!(keys.revoke(project.id, old.id).await.unwrap());
    let old = keys.find(project.id, old.id).await.unwrap().unwrap();
    assert!(!old.is_valid_at(fixture.clock.now()));
    assert!(new.is_valid_at(until));
    let at_once = keys
        .rotate(project.id, new.id, new_key().1, None)
        .await
        .unwrap();
    let new = keys.find(project.id, new.id).await.unwrap().unwrap();
    assert!(!new.is_valid_at(fixture.clock.now()));
    assert!(at_once.is_valid_at(fixture.clock.now()));
}

async fn a_key_is_rotated_once(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let old = fixture
        .platform
        .keys()
        .create(project.id, new_key().1)
        .await
        .unwrap();
    let attempts = (0..8).map(|_| {
        let platform = fixture.platform.clone();
        let (project, old) = (project.id, old.id);
        tokio::spawn(async move {
            platform
                .keys()
                .rotate(project, old, new_key().1, None)
                .await
        })
    });
    let mut made = 0;
    for attempt in futures::future::join_all(attempts).await {
        match attempt.unwrap() {
            Ok(_) => made += 1,
            Err(error) => assert_eq!(error.code(), "key_revoked"),
        }
    }
    assert_eq!(made, 1);
    assert_eq!(
        fixture
            .platform
            .keys()
            .list(project.id, None, 100)
            .await
            .unwrap()
            .items
            .len(),
        2
    );
    let error = fixture
        .platform
        .keys()
        .rotate(project.id, KeyId::new(), new_key().1, None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

async fn last_use_never_goes_back(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let keys = fixture.platform.keys();
    let key = keys.create(project.id, new_key().1).await.unwrap();
    let late = fixture.clock.now() + Duration::from_secs(2);
    let early = fixture.clock.now() + Duration::from_secs(1);
    let uses = [(key.id, late), (KeyId::new(), late)];
    let first = keys.touch_last_used(&uses).await.unwrap();
    assert_eq!(first, [(project.id, key.id)]);
    assert_eq!(keys.touch_last_used(&[(key.id, early)]).await.unwrap(), []);
    let key = keys.find(project.id, key.id).await.unwrap().unwrap();
    assert_eq!(key.last_used_at, Some(late));
}

async fn keys_of_a_deleted_project_are_not_found(fixture: Arc<Fixture>) {
    let project = fixture.project("demo").await;
    let keys = fixture.platform.keys();
    let key = keys.create(project.id, new_key().1).await.unwrap();
    fixture
        .platform
        .projects()
        .delete(project.id)
        .await
        .unwrap();
    assert_eq!(keys.find_by_hash(&key.hash).await.unwrap(), None);
}
