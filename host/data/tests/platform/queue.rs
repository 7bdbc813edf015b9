//! The queue: leases, fences, retries, fairness, what admins do.

use crate::fixture::{Fixture, on_both_engines, open, plugin};
use atlashub_core::{ItemId, PluginName, ProjectId, WorkerId};
use atlashub_data::platform::{
    Enqueued, ItemFilter, ItemKind, ItemState, Lease, NewItem, Outcome, Platform, QueueItem,
    Retention, WorkFailure,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use uuid::Uuid;

on_both_engines! {
    of_many_workers_on_two_nodes_one_gets_an_item,
    a_lease_that_ran_out_cannot_complete,
    many_are_completed_at_once_but_only_by_who_holds_them,
    an_item_whose_worker_is_gone_is_tried_again_and_given_up_in_the_end,
    a_lease_that_is_prolonged_holds,
    a_failed_item_falls_due_again,
    an_open_item_keeps_its_unique_key,
    every_project_gets_its_turn,
    the_urgent_go_first_and_the_delayed_wait,
    what_is_put_off_for_a_plugin_is_not_counted_as_tried,
    a_cancelled_item_cannot_be_completed,
    what_was_given_up_can_be_tried_again,
    lists_are_filtered_and_keep_projects_apart,
    the_backlog_counts_what_is_open,
    what_ended_is_forgotten_after_a_while,
}

pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// An item of the consumer `search`.
pub(crate) fn item(project: ProjectId) -> NewItem {
    NewItem {
        id: ItemId::new(),
        project,
        kind: ItemKind::Event,
        consumer: plugin("search"),
        name: "files.uploaded".to_owned(),
        source: Some(plugin("files")),
        subject: Uuid::now_v7(),
        request: None,
        payload: "{\"file\":1}".to_owned(),
        ordering_key: None,
        unique_key: None,
        priority: 0,
        hops: 0,
        due_at: None,
        max_attempts: 3,
        job: None,
    }
}

pub(crate) async fn add(platform: &Platform, items: Vec<NewItem>) -> Vec<ItemId> {
    let added = platform.queue().enqueue(items).await.unwrap();
    let id = |added| match added {
        Enqueued::Added(id) | Enqueued::Exists(id) => id,
    };
    added.into_iter().map(id).collect()
}

pub(crate) async fn take(platform: &Platform, project: ProjectId, limit: u32) -> Vec<QueueItem> {
    let queue = platform.queue();
    queue
        .take(project, WorkerId::new(), LEASE, limit)
        .await
        .unwrap()
}

pub(crate) async fn state(platform: &Platform, project: ProjectId, item: ItemId) -> ItemState {
    let found = platform.queue().find(project, item).await.unwrap();
    found.unwrap().state
}

fn failure() -> WorkFailure {
    WorkFailure {
        code: "plugin_trapped".to_owned(),
        message: "it trapped".to_owned(),
    }
}

async fn of_many_workers_on_two_nodes_one_gets_an_item(fixture: Arc<Fixture>) {
    let project = fixture.project("shop").await.id;
    let other = open(&fixture.url, fixture.clock.clone()).await;
    let ids = add(&fixture.platform, (0..60).map(|_| item(project)).collect()).await;
    let workers = (0..12).map(|number| {
        let platform = match number % 2 {
            0 => fixture.platform.clone(),
            _ => other.clone(),
        };
        tokio::spawn(async move {
            let mut done = Vec::new();
            loop {
                let taken = take(&platform, project, 3).await;
                if taken.is_empty() {
                    return done;
                }
                for item in taken {
                    let ended = platform.queue().finish(item.lease(), Outcome::Done).await;
                    assert!(ended.unwrap());
                    done.push(item.id);
                }
            }
        })
    });
    let done: Vec<ItemId> = futures::future::join_all(workers)
        .await
        .into_iter()
        .flat_map(Result::unwrap)
        .collect();
    assert_eq!(done.len(), 60);
    assert_eq!(
        done.into_iter().collect::<BTreeSet<_>>(),
        ids.into_iter().collect()
    );
    other.close().await.unwrap();
}

async fn a_lease_that_ran_out_cannot_complete(fixture: Arc<Fixture>) {
    let project = fixture.project("shop").await.id;
    let queue = fixture.platform.queue();
    let id = add(&fixture.platform, vec![item(project)]).await[0];
    let late = take(&fixture.platform, project, 1).await.remove(0);
    fixture.clock.advance(LEASE);
    // Nobody has noticed yet.
    assert!(!queue.finish(late.lease(), Outcome::Done).await.unwrap());
    let now = fixture.platform.now();
    assert_eq!(queue.take_back_expired(|_| now).await.unwrap(), 1);
    assert!(!queue.finish(late.lease(), Outcome::Done).await.unwrap());
    queue.ready_due().await.unwrap();
    let second = take(&fixture.platform, project, 1).await.remove(0);
    assert_eq!((second.id, second.attempt), (id, 2));
    // Somebody else holds it now.
    let dead = Outcome::Dead(failure());
    assert!(!queue.finish(late.lease(), dead).await.unwrap());
    assert!(queue.finish(second.lease(), Outcome::Done).await.unwrap());
    assert_eq!(state(&fixture.platform, project, id).await, ItemState::Done);
    // Once is enough.
    assert!(!queue.finish(second.lease(), Outcome::Done).await.unwrap());
}

async fn many_are_completed_at_once_but_only_by_who_holds_them(fixture: Arc<Fixture>) {
    let project = fixture.project("shop").await.id;
    let queue = fixture.platform.queue();
    assert!(queue.complete(&[]).await.unwrap().is_empty());
    let ids = add(&fixture.platform, (0..5).map(|_| item(project)).collect()).await;
    let taken = take(&fixture.platform, project, 5).await;
    let leases: Vec<Lease> = taken.iter().map(QueueItem::lease).collect();
    // One was cancelled, one taken back and taken again.
    queue.cancel(project, ids[0]).await.unwrap();
    let again = Outcome::HandedBack;
    assert!(queue.finish(leases[1], again).await.unwrap());
    let second = take(&fixture.platform, project, 1).await.remove(0);
    assert_eq!(second.id, leases[1].item);
    let held = queue.complete(&leases).await.unwrap();
    assert_eq!(held, leases[2..].iter().copied().collect());
    for (id, wanted) in [
        (ids[0], ItemState::Cancelled),
        (ids[1], ItemState::Running),
        (ids[2], ItemState::Done),
        (ids[4], ItemState::Done),
    ] {
        assert_eq!(state(&fixture.platform, project, id).await, wanted);
    }
    // Once is enough, and after the lease it is too late.
    assert!(queue.complete(&leases).await.unwrap().is_empty());
    fixture.clock.advance(LEASE);
    assert!(queue.complete(&[second.lease()]).await.unwrap().is_empty());
}

async fn an_item_whose_worker_is_gone_is_tried_again_and_given_up_in_the_end(
    fixture: Arc<Fixture>,
) {
    let project = fixture.project("shop").await.id;
    let queue = fixture.platform.queue();
    let id = add(&fixture.platform, vec![item(project)]).await[0];
    for attempt in 1..=3 {
        let taken = take(&fixture.platform, project, 1).await.remove(0);
        assert_eq!(taken.attempt, attempt);
        let now = fixture.platform.now();
        assert_eq!(queue.take_back_expired(|_| now).await.unwrap(), 0);
        fixture.clock.advance(LEASE);
        let later = fixture.platform.now() + Duration::from_secs(attempt.into());
        let taken_back = queue.take_back_expired(|tried| {
            assert_eq!(tried, attempt);
            later
        });
        assert_eq!(taken_back.await.unwrap(), 1);
        if attempt < 3 {
            assert_eq!(queue.next_due().await.unwrap(), Some(later));
        }
        fixture.clock.advance(Duration::from_secs(attempt.into()));
        queue.ready_due().await.unwrap();
    }
    let given_up = queue.find(project, id).await.unwrap().unwrap();
    assert_eq!(given_up.state, ItemState::Dead);
    assert_eq!(given_up.failure.unwrap().code, "lease_expired");
    assert_eq!(queue.next_due().await.unwrap(), None);
}

async fn a_lease_that_is_prolonged_holds(fixture: Arc<Fixture>) {
    let project = fixture.project("shop").await.id;
    let queue = fixture.platform.queue();
    add(&fixture.platform, vec![item(project), item(project)]).await;
    let (mine, others) = (WorkerId::new(), WorkerId::new());
    let taken = queue.take(project, mine, LEASE, 1).await.unwrap().remove(0);
    let foreign = queue
        .take(project, others, LEASE, 1)
        .await
        .unwrap()
        .remove(0);
    fixture.clock.advance(LEASE / 2);
    let held = queue
        .renew(mine, &[taken.id, foreign.id], LEASE)
        .await
        .unwrap();
    assert_eq!(held, [taken.lease()]);
    fixture.clock.advance(LEASE / 2);
    assert!(
        queue
            .note_progress(taken.lease(), 40, Some("pages".into()))
            .await
            .unwrap()
    );
    assert!(
        !queue
            .note_progress(foreign.lease(), 40, None)
            .await
            .unwrap()
    );
    assert!(!queue.finish(foreign.lease(), Outcome::Done).await.unwrap());
    let half = queue.find(project, taken.id).await.unwrap().unwrap();
    assert_eq!(
        (half.progress, half.progress_note.as_deref()),
        (Some(40), Some("pages"))
    );
    assert!(queue.finish(taken.lease(), Outcome::Done).await.unwrap());
    fixture.clock.advance(LEASE);
    assert!(
        queue
            .renew(others, &[foreign.id], LEASE)
            .await
            .unwrap()
            .is_empty()
    );
}

async fn a_failed_item_falls_due_again(fixture: Arc<Fixture>) {
    let project = fixture.project("shop").await.id;
    let queue = fixture.platform.queue();
    add(&fixture.platform, vec![item(project)]).await;
    let taken = take(&fixture.platform, project, 1).await.remove(0);
    let at = fixture.platform.now() + Duration::from_secs(10);
    let retry = Outcome::Retry {
        at,
        failure: failure(),
    };
    assert!(queue.finish(taken.lease(), retry).await.unwrap());
    assert_eq!(queue.next_due().await.unwrap(), Some(at));
    assert_eq!(queue.ready_due().await.unwrap(), 0);
    assert!(take(&fixture.platform, project, 1).await.is_empty());
    fixture.clock.advance(Duration::from_secs(10));
    assert_eq!(queue.ready_due().await.unwrap(), 1);
    let again = take(&fixture.platform, project, 1).await.remove(0);
    assert_eq!((again.attempt, again.failure.clone()), (2, Some(failure())));
    // Handing it back is as if it had not been tried.
    let back = queue.finish(again.lease(), Outcome::HandedBack).await;
    assert!(back.unwrap());
    let mine = WorkerId::new();
    let again = queue.take(project, mine, LEASE, 9).await.unwrap().remove(0);
    assert_eq!(again.attempt, 2);
    assert_eq!(queue.hand_back(mine).await.unwrap(), 1);
    assert!(!queue.finish(again.lease(), Outcome::Done).await.unwrap());
    assert_eq!(take(&fixture.platform, project, 1).await[0].attempt, 2);
}

async fn an_open_item_keeps_its_unique_key(fixture: Arc<Fixture>) {
    let project = fixture.project("shop").await.id;
    let elsewhere = fixture.project("other").await.id;
    let queue = fixture.platform.queue();
    let only = |project| NewItem {
        unique_key: Some("reindex".to_owned()),
        ..item(project)
    };
    let first = queue.enqueue(vec![only(project)]).await.unwrap()[0];
    let Enqueued::Added(id) = first else {
        panic!("{first:?}");
    };
    let both = queue
        .enqueue(vec![only(project), only(elsewhere)])
        .await
        .unwrap();
    assert_eq!(both[0], Enqueued::Exists(id));
    assert!(matches!(both[1], Enqueued::Added(_)));
    let taken = take(&fixture.platform, project, 9).await.remove(0);
    let under_way = queue.enqueue(vec![only(project)]).await.unwrap();
    assert_eq!(under_way, [Enqueued::Exists(id)]);
    queue
        .finish(taken.lease(), Outcome::Dead(failure()))
        .await
        .unwrap();
    let next = queue.enqueue(vec![only(project)]).await.unwrap()[0];
    assert!(matches!(next, Enqueued::Added(new) if new != id));
    let refused = queue.retry(project, id).await.unwrap_err();
    assert_eq!(refused.code(), "queue_item_exists");
}

async fn every_project_gets_its_turn(fixture: Arc<Fixture>) {
    let mut projects = Vec::new();
    for slug in ["a", "b", "c", "d"] {
        projects.push(fixture.project(slug).await.id);
    }
    projects.sort();
    let crowd = (0..300).map(|_| item(projects[1])).collect();
    add(&fixture.platform, crowd).await;
    for project in [projects[0], projects[3]] {
        add(&fixture.platform, vec![item(project)]).await;
    }
    let queue = fixture.platform.queue();
    let with_work = async |after, limit| queue.projects_with_work(after, limit).await.unwrap();
    let all = [projects[0], projects[1], projects[3]];
    assert_eq!(with_work(None, 10).await, all);
    assert_eq!(with_work(None, 2).await, all[..2]);
    assert_eq!(
        with_work(Some(projects[1]), 10).await,
        [projects[3], projects[0], projects[1]]
    );
    assert_eq!(
        with_work(Some(projects[2]), 2).await,
        [projects[3], projects[0]]
    );
    assert_eq!(with_work(Some(projects[3]), 10).await, all);
    // A worker that takes two of each and goes on after the last.
    let mut order = BTreeMap::new();
    let (mut after, mut turns) = (None, 0);
    while turns < 6 {
        let Some(project) = with_work(after, 1).await.first().copied() else {
            break;
        };
        for _ in take(&fixture.platform, project, 2).await {
            *order.entry(project).or_insert(0) += 1;
        }
        (after, turns) = (Some(project), turns + 1);
    }
    assert_eq!(order[&projects[0]], 1);
    assert_eq!(order[&projects[3]], 1);
    assert_eq!(order[&projects[1]], 8);
}

async fn the_urgent_go_first_and_the_delayed_wait(fixture: Arc<Fixture>) {
    let project = fixture.project("shop").await.id;
    let queue = fixture.platform.queue();
    let later = fixture.platform.now() + Duration::from_secs(60);
    let ids = add(
        &fixture.platform,
        vec![
            NewItem {
                priority: 5,
                ..item(project)
            },
            item(project),
            NewItem {
                priority: -1,
                ..item(project)
            },
            NewItem {
                due_at: Some(later),
                priority: -9,
                ..item(project)
            },
            item(project),
        ],
    )
    .await;
    assert_eq!(queue.next_due().await.unwrap(), Some(later));
    let taken = take(&fixture.platform, project, 9).await;
    let taken: Vec<ItemId> = taken.into_iter().map(|item| item.id).collect();
    assert_eq!(taken, [ids[2], ids[1], ids[4], ids[0]]);
    fixture.clock.advance(Duration::from_secs(60));
    assert_eq!(queue.ready_due().await.unwrap(), 1);
    assert_eq!(take(&fixture.platform, project, 9).await[0].id, ids[3]);
}

async fn what_is_put_off_for_a_plugin_is_not_counted_as_tried(fixture: Arc<Fixture>) {
    let project = fixture.project("shop").await.id;
    let queue = fixture.platform.queue();
    let ids = add(&fixture.platform, vec![item(project), item(project)]).await;
    let taken = take(&fixture.platform, project, 1).await.remove(0);
    let until = fixture.platform.now() + Duration::from_secs(60);
    let postponed = queue.finish(taken.lease(), Outcome::Postponed(until)).await;
    assert!(postponed.unwrap());
    assert_eq!(
        queue.hold(project, &plugin("other"), until).await.unwrap(),
        0
    );
    assert_eq!(
        queue.hold(project, &plugin("search"), until).await.unwrap(),
        1
    );
    for id in &ids {
        assert_eq!(
            state(&fixture.platform, project, *id).await,
            ItemState::Held
        );
    }
    assert_eq!(queue.next_due().await.unwrap(), Some(until));
    assert!(take(&fixture.platform, project, 9).await.is_empty());
    let search: PluginName = plugin("search");
    assert_eq!(queue.release(project, &search).await.unwrap(), 2);
    let attempts: Vec<u32> = take(&fixture.platform, project, 9)
        .await
        .iter()
        .map(|item| item.attempt)
        .collect();
    assert_eq!(attempts, [1, 1]);
}

async fn a_cancelled_item_cannot_be_completed(fixture: Arc<Fixture>) {
    let project = fixture.project("shop").await.id;
    let elsewhere = fixture.project("other").await.id;
    let queue = fixture.platform.queue();
    let id = add(&fixture.platform, vec![item(project)]).await[0];
    let taken = take(&fixture.platform, project, 1).await.remove(0);
    let foreign = queue.cancel(elsewhere, id).await.unwrap_err();
    assert_eq!(foreign.code(), "not_found");
    let cancelled = queue.cancel(project, id).await.unwrap();
    assert_eq!(cancelled.state, ItemState::Cancelled);
    assert!(!queue.finish(taken.lease(), Outcome::Done).await.unwrap());
    let twice = queue.cancel(project, id).await.unwrap_err();
    assert_eq!(twice.code(), "queue_item_ended");
}

async fn what_was_given_up_can_be_tried_again(fixture: Arc<Fixture>) {
    let project = fixture.project("shop").await.id;
    let elsewhere = fixture.project("other").await.id;
    let queue = fixture.platform.queue();
    let id = add(&fixture.platform, vec![item(project)]).await[0];
    let refused = queue.retry(project, id).await.unwrap_err();
    assert_eq!(refused.code(), "queue_item_not_retryable");
    let taken = take(&fixture.platform, project, 1).await.remove(0);
    queue
        .finish(taken.lease(), Outcome::Dead(failure()))
        .await
        .unwrap();
    let dead = queue.find(project, id).await.unwrap().unwrap();
    assert_eq!(
        (dead.state, dead.failure),
        (ItemState::Dead, Some(failure()))
    );
    assert_eq!(dead.payload, "{\"file\":1}");
    let foreign = queue.retry(elsewhere, id).await.unwrap_err();
    assert_eq!(foreign.code(), "not_found");
    let retried = queue.retry(project, id).await.unwrap();
    assert_eq!((retried.state, retried.attempt), (ItemState::Ready, 0));
    let again = take(&fixture.platform, project, 1).await.remove(0);
    assert_eq!((again.id, again.attempt), (id, 1));
    assert!(again.fence > taken.fence);
    queue.finish(again.lease(), Outcome::Done).await.unwrap();
    let done = queue.find(project, id).await.unwrap().unwrap();
    assert_eq!((done.failure, done.payload.as_str()), (None, ""));
    let refused = queue.retry(project, id).await.unwrap_err();
    assert_eq!(refused.code(), "queue_item_not_retryable");
}

async fn lists_are_filtered_and_keep_projects_apart(fixture: Arc<Fixture>) {
    let project = fixture.project("shop").await.id;
    let elsewhere = fixture.project("other").await.id;
    let queue = fixture.platform.queue();
    let other_consumer = NewItem {
        consumer: plugin("mailer"),
        ..item(project)
    };
    let ids = add(
        &fixture.platform,
        vec![
            item(project),
            item(elsewhere),
            other_consumer,
            item(project),
        ],
    )
    .await;
    let taken = take(&fixture.platform, project, 1).await.remove(0);
    queue
        .finish(taken.lease(), Outcome::Dead(failure()))
        .await
        .unwrap();
    let list = async |filter: ItemFilter, before, limit| {
        let page = queue.list(project, &filter, before, limit).await.unwrap();
        let ids: Vec<ItemId> = page.items.iter().map(|item| item.id).collect();
        (ids, page.next)
    };
    let (newest, next) = list(ItemFilter::default(), None, 2).await;
    assert_eq!(newest, [ids[3], ids[2]]);
    assert_eq!(
        list(ItemFilter::default(), next, 2).await,
        (vec![ids[0]], None)
    );
    let dead = ItemFilter {
        state: Some(ItemState::Dead),
        ..ItemFilter::default()
    };
    assert_eq!(list(dead, None, 9).await.0, [ids[0]]);
    let mails = ItemFilter {
        consumer: Some(plugin("mailer")),
        ..ItemFilter::default()
    };
    assert_eq!(list(mails, None, 9).await.0, [ids[2]]);
    let unknown = ItemFilter {
        name: Some("files.deleted".into()),
        ..ItemFilter::default()
    };
    assert!(list(unknown, None, 9).await.0.is_empty());
    let counts = queue.counts(project).await.unwrap();
    assert_eq!(
        (counts.of(ItemState::Ready), counts.of(ItemState::Dead)),
        (2, 1)
    );
    assert_eq!(counts.of(ItemState::Running), 0);
    assert_eq!(queue.find(project, ids[1]).await.unwrap(), None);
}

async fn the_backlog_counts_what_is_open(fixture: Arc<Fixture>) {
    let project = fixture.project("shop").await.id;
    let queue = fixture.platform.queue();
    add(&fixture.platform, (0..4).map(|_| item(project)).collect()).await;
    let taken = take(&fixture.platform, project, 2).await;
    queue.finish(taken[0].lease(), Outcome::Done).await.unwrap();
    let open = queue.backlog(project, 100).await.unwrap();
    assert_eq!((open.items, open.bytes), (3, 30));
    assert_eq!(queue.backlog(project, 2).await.unwrap().items, 2);
}

async fn what_ended_is_forgotten_after_a_while(fixture: Arc<Fixture>) {
    let project = fixture.project("shop").await.id;
    let queue = fixture.platform.queue();
    let retention = Retention {
        done: Duration::from_secs(60),
        failed: Duration::from_secs(600),
        per_project: 2,
    };
    let ids = add(&fixture.platform, (0..6).map(|_| item(project)).collect()).await;
    for taken in take(&fixture.platform, project, 4).await {
        queue.finish(taken.lease(), Outcome::Done).await.unwrap();
    }
    let taken = take(&fixture.platform, project, 1).await.remove(0);
    queue
        .finish(taken.lease(), Outcome::Dead(failure()))
        .await
        .unwrap();
    // Two of the four done are too many.
    assert_eq!(queue.sweep_ended(&retention).await.unwrap(), 2);
    assert_eq!(queue.find(project, ids[0]).await.unwrap(), None);
    fixture.clock.advance(Duration::from_secs(60));
    assert_eq!(queue.sweep_ended(&retention).await.unwrap(), 2);
    assert_eq!(queue.find(project, ids[3]).await.unwrap(), None);
    fixture.clock.advance(Duration::from_secs(600));
    assert_eq!(queue.sweep_ended(&retention).await.unwrap(), 1);
    assert_eq!(
        state(&fixture.platform, project, ids[5]).await,
        ItemState::Ready
    );
}
