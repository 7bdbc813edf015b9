//! Answers kept for `Idempotency-Key`.

use crate::fixture::{Fixture, on_both_engines};
use atlashub_core::{Digest, ProjectId};
use atlashub_data::platform::{Begin, IdempotencyKeys, IdempotencyRequest, StoredAnswer, Ticket};
use std::{sync::Arc, time::Duration};

on_both_engines! {
    of_many_equal_requests_one_runs,
    the_first_answer_is_given_again,
    another_request_with_the_key_is_refused,
    an_abandoned_key_is_free,
    a_request_left_behind_is_taken_over,
    an_answer_is_kept_for_a_day,
    callers_and_projects_have_keys_of_their_own,
    doubtful_keys_are_refused,
}

fn request(body: &str) -> IdempotencyRequest<'static> {
    IdempotencyRequest {
        project: None,
        caller: "ada",
        key: "k",
        request_hash: Digest::of(body.as_bytes()),
    }
}

fn answer() -> StoredAnswer {
    StoredAnswer {
        status: 201,
        headers: vec![("content-type".into(), "application/json".into())],
        body: vec![0, 1, 255],
    }
}

async fn run(fixture: &Fixture, request: IdempotencyRequest<'_>) -> Ticket {
    match fixture.platform.idempotency().begin(request).await.unwrap() {
        Begin::Run(ticket) => ticket,
        other => panic!("not to be run: {other:?}"),
    }
}

async fn of_many_equal_requests_one_runs(fixture: Arc<Fixture>) {
    let attempts = (0..16).map(|_| {
        let platform = fixture.platform.clone();
        tokio::spawn(async move { platform.idempotency().begin(request("a")).await.unwrap() })
    });
    let mut running = 0;
    for attempt in futures::future::join_all(attempts).await {
        match attempt.unwrap() {
            Begin::Run(_) => running += 1,
            other => assert!(matches!(other, Begin::Running), "{other:?}"),
        }
    }
    assert_eq!(running, 1);
}

async fn the_first_answer_is_given_again(fixture: Arc<Fixture>) {
    let keys = fixture.platform.idempotency();
    let ticket = run(&fixture, request("a")).await;
    assert!(keys.finish(&ticket, &answer()).await.unwrap());
    assert!(!keys.finish(&ticket, &answer()).await.unwrap());
    match keys.begin(request("a")).await.unwrap() {
        Begin::Answered(again) => assert_eq!(again, answer()),
        other => panic!("not answered: {other:?}"),
    }
}

async fn another_request_with_the_key_is_refused(fixture: Arc<Fixture>) {
    let keys = fixture.platform.idempotency();
    let ticket = run(&fixture, request("a")).await;
    assert!(matches!(
        keys.begin(request("b")).await.unwrap(),
        Begin::OtherRequest
    ));
    keys.finish(&ticket, &answer()).await.unwrap();
    assert!(matches!(
        keys.begin(request("b")).await.unwrap(),
        Begin::OtherRequest
    ));
}

async fn an_abandoned_key_is_free(fixture: Arc<Fixture>) {
    let keys = fixture.platform.idempotency();
    let ticket = run(&fixture, request("a")).await;
    keys.abandon(&ticket).await.unwrap();
    let ticket = run(&fixture, request("b")).await;
    keys.finish(&ticket, &answer()).await.unwrap();
    // What is answered is not abandoned any more.
    keys.abandon(&ticket).await.unwrap();
    assert!(matches!(
        keys.begin(request("b")).await.unwrap(),
        Begin::Answered(_)
    ));
}

async fn a_request_left_behind_is_taken_over(fixture: Arc<Fixture>) {
    let keys = fixture.platform.idempotency();
    let late = run(&fixture, request("a")).await;
    fixture
        .clock
        .advance(IdempotencyKeys::RUNNING_LEASE - Duration::from_secs(1));
    assert!(matches!(
        keys.begin(request("a")).await.unwrap(),
        Begin::Running
    ));
    fixture.clock.advance(Duration::from_secs(1));
    assert!(matches!(
        keys.begin(request("b")).await.unwrap(),
        Begin::OtherRequest
    ));
    let ticket = run(&fixture, request("a")).await;
    assert!(!keys.finish(&late, &answer()).await.unwrap());
    assert!(keys.finish(&ticket, &answer()).await.unwrap());
}

async fn an_answer_is_kept_for_a_day(fixture: Arc<Fixture>) {
    let keys = fixture.platform.idempotency();
    let ticket = run(&fixture, request("a")).await;
    keys.finish(&ticket, &answer()).await.unwrap();
    fixture
        .clock
        .advance(IdempotencyKeys::KEPT - Duration::from_secs(1));
    assert!(matches!(
        keys.begin(request("a")).await.unwrap(),
        Begin::Answered(_)
    ));
    assert_eq!(keys.sweep_expired().await.unwrap(), 0);
    fixture.clock.advance(Duration::from_secs(1));
    run(&fixture, request("b")).await;
    assert_eq!(keys.sweep_expired().await.unwrap(), 0);
    fixture.clock.advance(IdempotencyKeys::KEPT);
    assert_eq!(keys.sweep_expired().await.unwrap(), 1);
}

async fn callers_and_projects_have_keys_of_their_own(fixture: Arc<Fixture>) {
    let project = ProjectId::new();
    run(&fixture, request("a")).await;
    run(
        &fixture,
        IdempotencyRequest {
            caller: "bob",
            ..request("b")
        },
    )
    .await;
    run(
        &fixture,
        IdempotencyRequest {
            project: Some(project),
            ..request("c")
        },
    )
    .await;
    let keys = fixture.platform.idempotency();
    keys.delete_all(project).await.unwrap();
    run(
        &fixture,
        IdempotencyRequest {
            project: Some(project),
            ..request("d")
        },
    )
    .await;
    assert!(matches!(
        keys.begin(request("a")).await.unwrap(),
        Begin::Running
    ));
}

async fn doubtful_keys_are_refused(fixture: Arc<Fixture>) {
    let long = "k".repeat(IdempotencyKeys::MAX_KEY_BYTES + 1);
    for key in ["", "a\0b", "a\nb", long.as_str()] {
        let doubtful = IdempotencyRequest {
            key,
            ..request("a")
        };
        let error = fixture
            .platform
            .idempotency()
            .begin(doubtful)
            .await
            .unwrap_err();
        assert_eq!(error.code(), "invalid_idempotency_key");
    }
}
