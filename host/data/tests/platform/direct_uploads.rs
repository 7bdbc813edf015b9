//! Announced uploads.

use crate::fixture::{Fixture, new_project, on_both_engines};
use atlashub_core::{Digest, ProjectId, capability::PluginScope};
use atlashub_data::platform::{DirectUpload, DirectUploads, NewDirectUpload};
use std::{sync::Arc, time::Duration};

const HOUR: Duration = Duration::from_secs(3_600);
const CLAIM: Duration = Duration::from_secs(60);

on_both_engines! {
    what_goes_straight_to_the_store_counts_until_it_is_settled,
    one_of_many_settles_an_upload,
    an_upload_is_looked_at_when_its_link_is_dead_and_forgotten_later,
    what_is_announced_moves_nothing_and_what_is_claimed_does,
}

async fn project(fixture: &Fixture, limit: u64) -> ProjectId {
    let new = new_project("demo", Some(limit));
    fixture.platform.projects().create(new).await.unwrap().id
}

fn new(project: ProjectId, key: &str, bytes: u64, is_straight: bool) -> NewDirectUpload {
    NewDirectUpload {
        scope: PluginScope {
            project,
            plugin: "files".parse().unwrap(),
        },
        bucket: "private".parse().unwrap(),
        key: key.parse().unwrap(),
        max_bytes: bytes,
        is_straight,
        valid_for: HOUR,
    }
}

async fn found(fixture: &Fixture, new: &NewDirectUpload) -> DirectUpload {
    let uploads = fixture.platform.direct_uploads();
    let found = uploads.find(&new.scope, &new.bucket, &new.key).await;
    found.unwrap().unwrap()
}

async fn used(fixture: &Fixture, project: ProjectId) -> (u64, u64) {
    let usage = fixture.platform.usage().get(project).await.unwrap();
    (usage.used_bytes, usage.reserved_bytes)
}

async fn what_goes_straight_to_the_store_counts_until_it_is_settled(fixture: Arc<Fixture>) {
    let project = project(&fixture, 100).await;
    let uploads = fixture.platform.direct_uploads();
    let straight = new(project, "a", 60, true);
    uploads.announce(&straight).await.unwrap();
    assert_eq!(used(&fixture, project).await, (60, 60));
    let error = uploads.announce(&new(project, "b", 41, true)).await;
    assert_eq!(error.unwrap_err().code(), "quota_exceeded");
    let error = uploads.announce(&straight).await;
    assert_eq!(error.unwrap_err().code(), "quota_exceeded");
    let error = uploads.announce(&new(project, "a", 1, true)).await;
    assert_eq!(error.unwrap_err().code(), "object_exists");
    assert_eq!(used(&fixture, project).await, (60, 60));
    // What comes by this host is set aside when it comes.
    uploads
        .announce(&new(project, "c", 500, false))
        .await
        .unwrap();
    assert_eq!(used(&fixture, project).await, (60, 60));

    let upload = found(&fixture, &straight).await;
    let sum = Digest::of(b"bytes");
    uploads.settle(&upload, 50, Some(sum)).await.unwrap();
    assert_eq!(used(&fixture, project).await, (50, 0));
    let settled = found(&fixture, &straight).await;
    assert!(settled.is_settled && settled.reservation.is_none());
    assert_eq!(settled.sha256, Some(sum));
    let again = uploads.settle(&upload, 50, None).await.unwrap_err();
    assert_eq!(again.code(), "not_found");
    assert_eq!(used(&fixture, project).await, (50, 0));
}

async fn one_of_many_settles_an_upload(fixture: Arc<Fixture>) {
    let project = project(&fixture, 100).await;
    let uploads = fixture.platform.direct_uploads();
    let id = uploads
        .announce(&new(project, "a", 60, true))
        .await
        .unwrap();
    let tries = (0..16).map(|_| {
        let platform = fixture.platform.clone();
        tokio::spawn(async move { platform.direct_uploads().claim(id, CLAIM).await })
    });
    let claims = futures::future::join_all(tries).await;
    let won = claims
        .into_iter()
        .filter(|claim| *claim.as_ref().unwrap().as_ref().unwrap());
    assert_eq!(won.count(), 1);
    // A claim that is renewed stays, one that is not runs out.
    fixture.clock.advance(CLAIM / 2);
    uploads.renew(id, CLAIM).await.unwrap();
    fixture.clock.advance(CLAIM);
    assert!(!uploads.claim(id, CLAIM).await.unwrap());
    fixture.clock.advance(CLAIM / 2);
    assert!(uploads.claim(id, CLAIM).await.unwrap());
    uploads.give_up(id).await.unwrap();
    assert!(uploads.claim(id, CLAIM).await.unwrap());
    uploads.give_up(id).await.unwrap();
    // Nobody settles what is about to be forgotten.
    fixture.clock.advance(HOUR + DirectUploads::KEPT);
    assert!(!uploads.claim(id, CLAIM).await.unwrap());
}

async fn an_upload_is_looked_at_when_its_link_is_dead_and_forgotten_later(fixture: Arc<Fixture>) {
    let project = project(&fixture, 100).await;
    let uploads = fixture.platform.direct_uploads();
    let straight = new(project, "a", 60, true);
    uploads.announce(&straight).await.unwrap();
    assert_eq!(uploads.due(10).await.unwrap(), []);
    fixture.clock.advance(HOUR + DirectUploads::LATE);
    let due = uploads.due(10).await.unwrap();
    assert_eq!(due.len(), 1);
    assert!(!due[0].is_over);
    uploads.cancel(&due[0]).await.unwrap();
    assert_eq!(used(&fixture, project).await, (0, 0));
    let id = due[0].id;
    assert!(!uploads.claim(id, CLAIM).await.unwrap());
    uploads.look_later(id).await.unwrap();
    assert_eq!(uploads.due(10).await.unwrap(), []);
    fixture.clock.advance(DirectUploads::KEPT);
    let due = uploads.due(10).await.unwrap();
    assert!(due[0].is_over);
    uploads.forget(&due[0]).await.unwrap();
    assert_eq!(used(&fixture, project).await, (0, 0));
    let gone = uploads.find(&straight.scope, &straight.bucket, &straight.key);
    assert_eq!(gone.await.unwrap(), None);
}

async fn what_is_announced_moves_nothing_and_what_is_claimed_does(fixture: Arc<Fixture>) {
    let project = project(&fixture, 100).await;
    let (uploads, usage) = (fixture.platform.direct_uploads(), fixture.platform.usage());
    let id = uploads
        .announce(&new(project, "a", 60, true))
        .await
        .unwrap();
    let account = usage.get(project).await.unwrap();
    assert_eq!((account.used_bytes, account.announced_bytes), (60, 60));
    assert!(usage.correct(project, 60, 70).await.unwrap());
    assert!(usage.correct(project, 70, 60).await.unwrap());
    assert!(uploads.claim(id, CLAIM).await.unwrap());
    assert_eq!(usage.get(project).await.unwrap().announced_bytes, 0);
    assert!(!usage.correct(project, 60, 70).await.unwrap());
}
