//! Storage accounts.

use crate::fixture::{Fixture, new_project, on_both_engines};
use atlashub_core::{ErrorKind, ProjectId};
use atlashub_data::platform::{Nodes, StorageUsage};
use std::{pin::pin, sync::Arc, task::Poll, time::Duration};
use uuid::Uuid;

const TTL: Duration = Duration::from_secs(600);

on_both_engines! {
    of_many_who_want_the_last_bytes_as_many_get_them_as_fit,
    uploads_at_once_settle_exactly,
    over_the_limit_is_refused_with_figures,
    a_reservation_grows_and_is_settled,
    a_reservation_left_behind_is_given_back,
    a_renewed_reservation_is_not_swept,
    what_a_node_had_set_aside_is_given_back_when_it_is_gone,
    an_account_is_corrected_only_when_nothing_moves,
    use_never_falls_below_zero,
    a_limit_can_change,
    callers_who_go_away_leave_the_account_right,
}

async fn account(fixture: &Fixture, limit: Option<u64>) -> ProjectId {
    let new = new_project("demo", limit);
    fixture.platform.projects().create(new).await.unwrap().id
}

async fn used(fixture: &Fixture, project: ProjectId) -> (u64, u64) {
    let usage = fixture.platform.usage().get(project).await.unwrap();
    (usage.used_bytes, usage.reserved_bytes)
}

async fn of_many_who_want_the_last_bytes_as_many_get_them_as_fit(fixture: Arc<Fixture>) {
    let project = account(&fixture, Some(1_000)).await;
    fixture
        .platform
        .usage()
        .reserve(project, 900, TTL)
        .await
        .unwrap();
    let attempts = (0..64).map(|_| {
        let platform = fixture.platform.clone();
        tokio::spawn(async move { platform.usage().reserve(project, 30, TTL).await })
    });
    let mut granted = 0;
    for attempt in futures::future::join_all(attempts).await {
        match attempt.unwrap() {
            Ok(_) => granted += 1,
            Err(error) => assert_eq!(error.code(), "quota_exceeded"),
        }
    }
    assert_eq!(granted, 3);
    assert_eq!(used(&fixture, project).await, (990, 990));
}

async fn uploads_at_once_settle_exactly(fixture: Arc<Fixture>) {
    let project = account(&fixture, None).await;
    let uploads = (0..32_u64).map(|n| {
        let platform = fixture.platform.clone();
        tokio::spawn(async move {
            let usage = platform.usage();
            let id = usage.reserve(project, 100, TTL).await.unwrap();
            usage.extend(id, 50, TTL).await.unwrap();
            match n % 4 {
                0 => assert!(usage.release(id).await.unwrap()),
                1 => usage.settle(id, 10).await.unwrap(),
                2 => usage.settle(id, 150).await.unwrap(),
                _ => usage.settle(id, 200).await.unwrap(),
            }
        })
    });
    for upload in futures::future::join_all(uploads).await {
        upload.unwrap();
    }
    assert_eq!(used(&fixture, project).await, (8 * (10 + 150 + 200), 0));
}

async fn over_the_limit_is_refused_with_figures(fixture: Arc<Fixture>) {
    let project = account(&fixture, Some(100)).await;
    let usage = fixture.platform.usage();
    let id = usage.reserve(project, 60, TTL).await.unwrap();
    for bytes in [41, u64::MAX, 1 << 62] {
        let error = usage.reserve(project, bytes, TTL).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (ErrorKind::TooLarge, "quota_exceeded")
        );
        assert_eq!(error.fields()["limit_bytes"], 100);
        assert_eq!(error.fields()["used_bytes"], 60);
        assert_eq!(error.fields()["requested_bytes"], bytes);
    }
    assert_eq!(
        usage.extend(id, 41, TTL).await.unwrap_err().code(),
        "quota_exceeded"
    );
    assert_eq!(
        usage.settle(id, 101).await.unwrap_err().code(),
        "quota_exceeded"
    );
    // What was refused has changed nothing.
    assert_eq!(used(&fixture, project).await, (60, 60));
    usage.extend(id, 40, TTL).await.unwrap();
    usage.reserve(project, 0, TTL).await.unwrap();
    assert_eq!(used(&fixture, project).await, (100, 100));
    for bytes in [0, 1] {
        let error = usage
            .reserve(ProjectId::new(), bytes, TTL)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}

async fn a_reservation_grows_and_is_settled(fixture: Arc<Fixture>) {
    let project = account(&fixture, Some(100)).await;
    let usage = fixture.platform.usage();
    let id = usage.reserve(project, 10, TTL).await.unwrap();
    usage.extend(id, 20, TTL).await.unwrap();
    assert_eq!(used(&fixture, project).await, (30, 30));
    usage.settle(id, 25).await.unwrap();
    assert_eq!(used(&fixture, project).await, (25, 0));
    assert_eq!(
        usage.settle(id, 25).await.unwrap_err().code(),
        "reservation_expired"
    );
    assert_eq!(
        usage.extend(id, 1, TTL).await.unwrap_err().code(),
        "reservation_expired"
    );
    assert!(!usage.release(id).await.unwrap());
    assert_eq!(used(&fixture, project).await, (25, 0));
}

async fn a_reservation_left_behind_is_given_back(fixture: Arc<Fixture>) {
    let project = account(&fixture, Some(100)).await;
    let usage = fixture.platform.usage();
    let id = usage.reserve(project, 100, TTL).await.unwrap();
    assert_eq!(usage.sweep_expired().await.unwrap(), 0);
    fixture.clock.advance(TTL);
    let sweeps = (0..4).map(|_| {
        let platform = fixture.platform.clone();
        tokio::spawn(async move { platform.usage().sweep_expired().await.unwrap() })
    });
    let swept = futures::future::join_all(sweeps).await;
    assert_eq!(swept.into_iter().map(Result::unwrap).sum::<u64>(), 1);
    assert_eq!(used(&fixture, project).await, (0, 0));
    assert_eq!(
        usage.settle(id, 1).await.unwrap_err().code(),
        "reservation_expired"
    );
    assert_eq!(used(&fixture, project).await, (0, 0));
}

async fn a_renewed_reservation_is_not_swept(fixture: Arc<Fixture>) {
    let project = account(&fixture, Some(100)).await;
    let usage = fixture.platform.usage();
    let id = usage.reserve(project, 100, TTL).await.unwrap();
    fixture.clock.advance(TTL / 2);
    usage.extend(id, 0, TTL).await.unwrap();
    fixture.clock.advance(TTL / 2);
    assert_eq!(usage.sweep_expired().await.unwrap(), 0);
    usage.settle(id, 100).await.unwrap();
    assert_eq!(used(&fixture, project).await, (100, 0));
}

async fn what_a_node_had_set_aside_is_given_back_when_it_is_gone(fixture: Arc<Fixture>) {
    let project = account(&fixture, Some(100)).await;
    let (usage, nodes) = (fixture.platform.usage(), fixture.platform.nodes());
    let (gone, other) = (Uuid::now_v7(), Uuid::now_v7());
    nodes.beat(gone).await.unwrap();
    fixture.platform.take_part_as(gone);
    let id = usage.reserve(project, 60, TTL).await.unwrap();
    fixture.clock.advance(Nodes::LIVE_FOR / 2);
    nodes.beat(other).await.unwrap();
    assert_eq!(usage.sweep_expired().await.unwrap(), 0);
    assert_eq!(usage.wanting_recount(10).await.unwrap(), []);
    fixture.clock.advance(Nodes::LIVE_FOR / 2);
    assert_eq!(usage.sweep_expired().await.unwrap(), 1);
    assert_eq!(used(&fixture, project).await, (0, 0));
    assert_eq!(usage.wanting_recount(10).await.unwrap(), [project]);
    // It was not gone, only slow: its upload is told.
    let error = usage.settle(id, 60).await.unwrap_err();
    assert_eq!(error.code(), "reservation_expired");
    assert!(usage.correct(project, 0, 60).await.unwrap());
    assert_eq!(usage.wanting_recount(10).await.unwrap(), []);
    assert_eq!(used(&fixture, project).await, (60, 0));
}

async fn an_account_is_corrected_only_when_nothing_moves(fixture: Arc<Fixture>) {
    let project = account(&fixture, Some(100)).await;
    let usage = fixture.platform.usage();
    let id = usage.reserve(project, 10, TTL).await.unwrap();
    assert!(!usage.correct(project, 10, 5).await.unwrap());
    usage.settle(id, 10).await.unwrap();
    assert!(!usage.correct(project, 9, 5).await.unwrap());
    assert_eq!(used(&fixture, project).await, (10, 0));
    assert!(usage.correct(project, 10, 5).await.unwrap());
    assert_eq!(used(&fixture, project).await, (5, 0));
}

async fn use_never_falls_below_zero(fixture: Arc<Fixture>) {
    let project = account(&fixture, Some(100)).await;
    let usage = fixture.platform.usage();
    let id = usage.reserve(project, 50, TTL).await.unwrap();
    usage.settle(id, 50).await.unwrap();
    usage.give_back(project, 20).await.unwrap();
    assert_eq!(used(&fixture, project).await, (30, 0));
    usage.give_back(project, 31).await.unwrap();
    assert_eq!(used(&fixture, project).await, (0, 0));
}

async fn a_limit_can_change(fixture: Arc<Fixture>) {
    let project = account(&fixture, Some(100)).await;
    let usage = fixture.platform.usage();
    usage.reserve(project, 100, TTL).await.unwrap();
    usage.set_limit(project, Some(50)).await.unwrap();
    assert!(usage.reserve(project, 1, TTL).await.is_err());
    usage.set_limit(project, None).await.unwrap();
    usage.reserve(project, 1_000_000, TTL).await.unwrap();
    let expected = StorageUsage {
        used_bytes: 1_000_100,
        reserved_bytes: 1_000_100,
        announced_bytes: 0,
        limit_bytes: None,
    };
    assert_eq!(usage.get(project).await.unwrap(), expected);
    let error = usage.set_limit(ProjectId::new(), None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

/// Drops `work` when it has been polled `polls` times without an end.
async fn cut_off<T>(work: impl Future<Output = T>, polls: u32) -> Option<T> {
    let mut work = pin!(work);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(context).map(Some)
    })
    .await
}

async fn callers_who_go_away_leave_the_account_right(fixture: Arc<Fixture>) {
    let project = account(&fixture, None).await;
    let usage = fixture.platform.usage();
    let (mut finished, mut cut) = (0, 0);
    for round in 0..5 {
        for polls in 1..60 {
            let upload = async {
                let id = usage.reserve(project, 10, TTL).await.unwrap();
                usage.extend(id, 10, TTL).await.unwrap();
                usage.settle(id, 20).await.unwrap();
            };
            match cut_off(upload, polls).await {
                Some(()) => finished += 1,
                None => cut += 1,
            }
            if round == 0 {
                // Whatever was cut off, the next caller finds all in order.
                let (used, reserved) = used(&fixture, project).await;
                assert_eq!((used - reserved) % 20, 0);
            }
        }
    }
    assert!(
        finished > 0 && cut > 0,
        "{finished} finished, {cut} cut off"
    );
    let (used_bytes, reserved) = used(&fixture, project).await;
    let settled = (used_bytes - reserved) / 20;
    assert_eq!((used_bytes - reserved) % 20, 0);
    assert!((finished..=finished + cut).contains(&settled));
    fixture.clock.advance(TTL);
    usage.sweep_expired().await.unwrap();
    assert_eq!(used(&fixture, project).await, (settled * 20, 0));
}
