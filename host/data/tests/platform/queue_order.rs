//! The queue's ordering keys: one at a time, in order, on any number of nodes.

use crate::{
    fixture::{Fixture, on_both_engines, open},
    queue::{LEASE, add, item, state, take},
};
use atlashub_core::{ItemId, ProjectId};
use atlashub_data::platform::{ItemState, NewItem, Outcome, WorkFailure};
use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

on_both_engines! {
    items_of_a_key_are_taken_one_after_the_other,
    a_failed_item_keeps_those_behind_it_waiting,
    what_is_given_up_lets_the_next_go_on,
    what_is_cancelled_lets_the_next_go_on,
    what_is_tried_again_goes_behind_the_others,
    a_worker_that_is_gone_keeps_the_order,
    keys_stay_in_order_while_many_add_and_many_work,
}

fn keyed(project: ProjectId, key: &str) -> NewItem {
    NewItem {
        ordering_key: Some(key.to_owned()),
        ..item(project)
    }
}

fn dead() -> Outcome {
    Outcome::Dead(WorkFailure {
        code: "handler_failed".to_owned(),
        message: "no".to_owned(),
    })
}

async fn ids_taken(fixture: &Fixture, project: ProjectId) -> Vec<ItemId> {
    let taken = take(&fixture.platform, project, 9).await;
    taken.into_iter().map(|item| item.id).collect()
}

async fn items_of_a_key_are_taken_one_after_the_other(fixture: Arc<Fixture>) {
    let project = fixture.project("shop").await.id;
    let new = ["a", "a", "b", "a"].map(|key| keyed(project, key)).to_vec();
    let ids = add(&fixture.platform, new).await;
    let taken = take(&fixture.platform, project, 9).await;
    let heads: Vec<ItemId> = taken.iter().map(|item| item.id).collect();
    assert_eq!(heads, [ids[0], ids[2]]);
    assert!(ids_taken(&fixture, project).await.is_empty());
    let queue = fixture.platform.queue();
    assert!(queue.finish(taken[0].lease(), Outcome::Done).await.unwrap());
    assert_eq!(ids_taken(&fixture, project).await, [ids[1]]);
    assert_eq!(
        state(&fixture.platform, project, ids[3]).await,
        ItemState::Waiting
    );
}

async fn a_failed_item_keeps_those_behind_it_waiting(fixture: Arc<Fixture>) {
    let project = fixture.project("shop").await.id;
    let ids = add(
        &fixture.platform,
        vec![keyed(project, "a"), keyed(project, "a")],
    )
    .await;
    let taken = take(&fixture.platform, project, 9).await.remove(0);
    let queue = fixture.platform.queue();
    let retry = Outcome::Retry {
        at: fixture.platform.now() + Duration::from_secs(5),
        failure: WorkFailure {
            code: "plugin_trapped".to_owned(),
            message: String::new(),
        },
    };
    assert!(queue.finish(taken.lease(), retry).await.unwrap());
    assert!(ids_taken(&fixture, project).await.is_empty());
    fixture.clock.advance(Duration::from_secs(5));
    queue.ready_due().await.unwrap();
    assert_eq!(ids_taken(&fixture, project).await, [ids[0]]);
}

async fn what_is_given_up_lets_the_next_go_on(fixture: Arc<Fixture>) {
    let project = fixture.project("shop").await.id;
    let ids = add(
        &fixture.platform,
        vec![keyed(project, "a"), keyed(project, "a")],
    )
    .await;
    let taken = take(&fixture.platform, project, 9).await.remove(0);
    assert!(
        fixture
            .platform
            .queue()
            .finish(taken.lease(), dead())
            .await
            .unwrap()
    );
    assert_eq!(ids_taken(&fixture, project).await, [ids[1]]);
}

async fn what_is_cancelled_lets_the_next_go_on(fixture: Arc<Fixture>) {
    let project = fixture.project("shop").await.id;
    let new = (0..3).map(|_| keyed(project, "a")).collect();
    let ids = add(&fixture.platform, new).await;
    let queue = fixture.platform.queue();
    // One that waits: the first stays the first.
    queue.cancel(project, ids[1]).await.unwrap();
    assert_eq!(ids_taken(&fixture, project).await, [ids[0]]);
    queue.cancel(project, ids[0]).await.unwrap();
    assert_eq!(ids_taken(&fixture, project).await, [ids[2]]);
}

async fn what_is_tried_again_goes_behind_the_others(fixture: Arc<Fixture>) {
    let project = fixture.project("shop").await.id;
    let new = (0..3).map(|_| keyed(project, "a")).collect();
    let ids = add(&fixture.platform, new).await;
    let queue = fixture.platform.queue();
    let first = take(&fixture.platform, project, 9).await.remove(0);
    queue.finish(first.lease(), dead()).await.unwrap();
    let second = take(&fixture.platform, project, 9).await.remove(0);
    let retried = queue.retry(project, ids[0]).await.unwrap();
    assert_eq!(retried.state, ItemState::Waiting);
    assert!(ids_taken(&fixture, project).await.is_empty());
    queue.finish(second.lease(), Outcome::Done).await.unwrap();
    let third = take(&fixture.platform, project, 9).await.remove(0);
    assert_eq!(third.id, ids[2]);
    // What is added now stands behind the one that came back.
    let fourth = add(&fixture.platform, vec![keyed(project, "a")]).await[0];
    queue.finish(third.lease(), Outcome::Done).await.unwrap();
    let again = take(&fixture.platform, project, 9).await.remove(0);
    assert_eq!(again.id, ids[0]);
    queue.finish(again.lease(), Outcome::Done).await.unwrap();
    assert_eq!(ids_taken(&fixture, project).await, [fourth]);
}

async fn a_worker_that_is_gone_keeps_the_order(fixture: Arc<Fixture>) {
    let project = fixture.project("shop").await.id;
    let new = (0..2).map(|_| keyed(project, "a")).collect();
    let ids = add(&fixture.platform, new).await;
    let queue = fixture.platform.queue();
    for _ in 0..3 {
        assert_eq!(ids_taken(&fixture, project).await, [ids[0]]);
        fixture.clock.advance(LEASE);
        let now = fixture.platform.now();
        assert_eq!(queue.take_back_expired(|_| now).await.unwrap(), 1);
        queue.ready_due().await.unwrap();
    }
    assert_eq!(
        state(&fixture.platform, project, ids[0]).await,
        ItemState::Dead
    );
    assert_eq!(ids_taken(&fixture, project).await, [ids[1]]);
}

/// Four write, four work on two nodes; of each key the numbers come in order,
/// and nothing is left.
async fn keys_stay_in_order_while_many_add_and_many_work(fixture: Arc<Fixture>) {
    const KEYS: usize = 4;
    const EACH: usize = 25;
    let project = fixture.project("shop").await.id;
    let other = open(&fixture.url, fixture.clock.clone()).await;
    let seen: Arc<Mutex<BTreeMap<String, Vec<usize>>>> = Arc::default();
    let writers = (0..KEYS).map(|key| {
        let platform = fixture.platform.clone();
        tokio::spawn(async move {
            for number in 0..EACH {
                let new = NewItem {
                    payload: number.to_string(),
                    ..keyed(project, &key.to_string())
                };
                add(&platform, vec![new]).await;
            }
        })
    });
    let workers = (0..4).map(|number| {
        let platform = match number % 2 {
            0 => fixture.platform.clone(),
            _ => other.clone(),
        };
        let seen = Arc::clone(&seen);
        tokio::spawn(async move {
            let all = KEYS * EACH;
            while seen.lock().values().map(Vec::len).sum::<usize>() < all {
                for item in take(&platform, project, 2).await {
                    let key = item.ordering_key.clone().unwrap();
                    let number = item.payload.parse().unwrap();
                    seen.lock().entry(key).or_default().push(number);
                    let ended = platform.queue().finish(item.lease(), Outcome::Done).await;
                    assert!(ended.unwrap());
                }
                tokio::task::yield_now().await;
            }
        })
    });
    let all: Vec<_> = writers.chain(workers).collect();
    for ended in futures::future::join_all(all).await {
        ended.unwrap();
    }
    let in_order: Vec<usize> = (0..EACH).collect();
    assert_eq!(seen.lock().len(), KEYS);
    for (key, numbers) in seen.lock().iter() {
        assert_eq!(numbers, &in_order, "key {key}");
    }
    other.close().await.unwrap();
}
