//! Schedules: due once on however many nodes, switched with their plugin.

use crate::fixture::{Fixture, on_both_engines, open, plugin, scope};
use atlashub_core::{
    ItemId, ProjectId,
    capability::{
        PluginScope,
        jobs::{JobTarget, Schedule, ScheduleTerms},
    },
    schedule::CatchUp,
};
use atlashub_data::platform::{
    Advance, FixedSchedule, ItemKind, JobWork, NewItem, NewSchedule, Platform, ScheduleFilter, Tick,
};
use std::{sync::Arc, time::Duration};
use time::OffsetDateTime;

on_both_engines! {
    of_many_nodes_one_moves_a_schedule_on,
    a_schedule_is_due_when_it_says_and_changed_times_begin_anew,
    schedules_rest_while_their_plugin_is_off,
    what_a_manifest_has_comes_and_goes_with_it,
    a_schedule_on_hold_goes_on_from_then,
    of_a_time_there_is_one_job,
    schedules_are_listed_and_kept_apart,
}

fn terms(expression: &str) -> ScheduleTerms {
    ScheduleTerms {
        target: JobTarget::Own("remind".to_owned()),
        expression: expression.to_owned(),
        zone: "UTC".to_owned(),
        catch_up: CatchUp::Once,
        overlap: false,
        payload: "null".to_owned(),
        enabled: true,
    }
}

async fn put(
    platform: &Platform,
    scope: &PluginScope,
    name: &str,
    terms: ScheduleTerms,
) -> Schedule {
    let (terms, times) = terms.checked(name).unwrap();
    let new = NewSchedule {
        name,
        terms: &terms,
        times: &times,
    };
    platform.schedules().put(scope, new).await.unwrap()
}

async fn worked(fixture: &Fixture, slug: &str) -> PluginScope {
    scope(&fixture.project(slug).await, "notes")
}

/// Moves on what is due, an hour each; the names.
async fn move_on(platform: &Platform) -> Vec<String> {
    let unit = platform.begin().await.unwrap();
    let mut names = Vec::new();
    for due in unit.schedules().lock_due(10).await.unwrap() {
        let at = due.due_at.unwrap();
        let advance = Advance {
            next: Some(at + Duration::from_secs(3_600)),
            ran: Some((at, ItemId::new())),
            ..Advance::default()
        };
        let schedules = unit.schedules();
        schedules.advance(due.schedule.id, advance).await.unwrap();
        names.push(due.schedule.name);
    }
    unit.commit().await.unwrap();
    names
}

async fn find(platform: &Platform, scope: &PluginScope, name: &str) -> Schedule {
    let found = platform.schedules().find(scope, name).await.unwrap();
    found.unwrap()
}

async fn of_many_nodes_one_moves_a_schedule_on(fixture: Arc<Fixture>) {
    let scope = worked(&fixture, "a").await;
    for number in 0..20 {
        let name = format!("s{number:02}");
        put(&fixture.platform, &scope, &name, terms("0 * * * *")).await;
    }
    fixture.clock.advance(Duration::from_secs(3_600));
    let other = open(&fixture.url, Arc::clone(&fixture.clock)).await;
    let nodes = [fixture.platform.clone(), other.clone()];
    let moved = nodes.iter().cycle().take(6).cloned().map(|node| {
        tokio::spawn(async move {
            let mut all = Vec::new();
            loop {
                let moved = move_on(&node).await;
                if moved.is_empty() {
                    return all;
                }
                all.extend(moved);
            }
        })
    });
    let mut all = Vec::new();
    for moved in moved.collect::<Vec<_>>() {
        all.extend(moved.await.unwrap());
    }
    all.sort();
    let expected: Vec<_> = (0..20).map(|number| format!("s{number:02}")).collect();
    assert_eq!(all, expected);
    other.close().await.unwrap();
}

async fn a_schedule_is_due_when_it_says_and_changed_times_begin_anew(fixture: Arc<Fixture>) {
    let platform = &fixture.platform;
    let scope = worked(&fixture, "a").await;
    assert_eq!(platform.schedules().next_due().await.unwrap(), None);
    // It is four minutes past three.
    let made = put(platform, &scope, "s", terms("0 * * * *")).await;
    let next = made.next_at.unwrap();
    assert_eq!((next.hour(), next.minute()), (4, 0));
    assert_eq!(platform.schedules().next_due().await.unwrap(), Some(next));
    assert!(move_on(platform).await.is_empty());
    fixture.clock.advance(Duration::from_secs(3_600));
    assert_eq!(move_on(platform).await, ["s"]);
    let moved = find(platform, &scope, "s").await;
    assert_eq!(moved.last_due_at, Some(next));
    assert_eq!(moved.next_at, Some(next + Duration::from_secs(3_600)));
    // The same times stay where they are; others are reckoned from now.
    let same = ScheduleTerms {
        payload: "1".to_owned(),
        ..terms("0 * * * *")
    };
    let same = put(platform, &scope, "s", same).await;
    assert_eq!((same.id, same.next_at), (made.id, moved.next_at));
    let other = put(platform, &scope, "s", terms("30 * * * *")).await;
    assert_eq!(other.next_at.unwrap().minute(), 30);
    let off = ScheduleTerms {
        enabled: false,
        ..terms("30 * * * *")
    };
    assert_eq!(put(platform, &scope, "s", off).await.next_at, None);
    assert_eq!(platform.schedules().next_due().await.unwrap(), None);
    assert!(platform.schedules().remove(&scope, "s").await.unwrap());
    assert!(!platform.schedules().remove(&scope, "s").await.unwrap());
}

async fn schedules_rest_while_their_plugin_is_off(fixture: Arc<Fixture>) {
    let platform = &fixture.platform;
    let scope = worked(&fixture, "a").await;
    put(platform, &scope, "on", terms("0 * * * *")).await;
    let off = ScheduleTerms {
        enabled: false,
        ..terms("0 * * * *")
    };
    put(platform, &scope, "off", off).await;
    platform.schedules().plugin_is_off(&scope).await.unwrap();
    fixture.clock.advance(Duration::from_secs(7_200));
    assert!(move_on(platform).await.is_empty());
    let resting = find(platform, &scope, "on").await;
    assert_eq!((resting.suspended, resting.next_at), (true, None));
    platform
        .schedules()
        .plugin_is_on(&scope, &[])
        .await
        .unwrap();
    // What went by meanwhile is nobody's.
    let unit = platform.begin().await.unwrap();
    let due = unit.schedules().lock_due(10).await.unwrap();
    let due: Vec<_> = due
        .iter()
        .map(|due| (due.schedule.name.as_str(), due.due_at))
        .collect();
    assert_eq!(due, [("on", None)]);
    unit.roll_back().await.unwrap();
    platform.schedules().remove_all(&scope).await.unwrap();
    assert_eq!(platform.schedules().next_due().await.unwrap(), None);
}

async fn what_a_manifest_has_comes_and_goes_with_it(fixture: Arc<Fixture>) {
    let platform = &fixture.platform;
    let scope = worked(&fixture, "a").await;
    let fixed = |name: &str, expression: &str| {
        let (terms, times) = terms(expression).checked(name).unwrap();
        FixedSchedule {
            name: name.to_owned(),
            terms,
            times,
        }
    };
    put(platform, &scope, "own", terms("0 * * * *")).await;
    let schedules = platform.schedules();
    let both = [fixed("a", "0 1 * * *"), fixed("b", "0 2 * * *")];
    schedules.plugin_is_on(&scope, &both).await.unwrap();
    let a = find(platform, &scope, "a").await;
    assert!(a.fixed && a.next_at.is_some());
    // An upgrade keeps what it keeps.
    let fewer = [fixed("a", "0 1 * * *")];
    schedules.plugin_is_on(&scope, &fewer).await.unwrap();
    assert_eq!(find(platform, &scope, "a").await, a);
    assert!(schedules.find(&scope, "b").await.unwrap().is_none());
    let removed = schedules.remove(&scope, "a").await;
    assert_eq!(removed.unwrap_err().code(), "invalid_schedule");
    schedules.plugin_is_off(&scope).await.unwrap();
    assert!(schedules.find(&scope, "a").await.unwrap().is_none());
    assert!(find(platform, &scope, "own").await.suspended);
}

async fn a_schedule_on_hold_goes_on_from_then(fixture: Arc<Fixture>) {
    let platform = &fixture.platform;
    let scope = worked(&fixture, "a").await;
    let made = put(platform, &scope, "s", terms("0 * * * *")).await;
    let pause = |paused| platform_pause(platform, made.project, made.id, paused);
    let paused = pause(true).await;
    assert_eq!((paused.paused, paused.next_at), (true, None));
    fixture.clock.advance(Duration::from_secs(7_200));
    assert!(move_on(platform).await.is_empty());
    // Changing it does not let it go on.
    assert_eq!(
        put(platform, &scope, "s", terms("5 * * * *")).await.next_at,
        None
    );
    let resumed = pause(false).await;
    assert!(!resumed.paused);
    let unit = platform.begin().await.unwrap();
    let due = unit.schedules().lock_due(10).await.unwrap();
    assert_eq!((due.len(), due[0].due_at), (1, None));
    let next = Advance {
        next: Some(platform.now() + Duration::from_secs(60)),
        ..Advance::default()
    };
    unit.schedules().advance(made.id, next).await.unwrap();
    unit.commit().await.unwrap();
    // One that is not on hold is left where it is.
    let before = find(platform, &scope, "s").await.next_at;
    assert_eq!(pause(false).await.next_at, before);
    let elsewhere = fixture.project("b").await;
    let schedules = platform.schedules();
    let foreign = schedules.pause(elsewhere.id, made.id, true).await.unwrap();
    assert!(foreign.is_none());
}

async fn platform_pause(
    platform: &Platform,
    project: ProjectId,
    id: atlashub_core::ScheduleId,
    paused: bool,
) -> Schedule {
    let schedules = platform.schedules();
    schedules.pause(project, id, paused).await.unwrap().unwrap()
}

async fn of_a_time_there_is_one_job(fixture: Arc<Fixture>) {
    let platform = &fixture.platform;
    let scope = worked(&fixture, "a").await;
    let made = put(platform, &scope, "s", terms("0 * * * *")).await;
    let item = |due_at: OffsetDateTime| NewItem {
        kind: ItemKind::Job,
        subject: *made.id.as_uuid(),
        job: Some(JobWork {
            timeout: Duration::from_millis(1_500),
            backoff: Duration::from_millis(20),
            tick: Some(Tick {
                schedule: "s".to_owned(),
                due_at,
            }),
        }),
        ..crate::queue::item(scope.project)
    };
    let at = made.next_at.unwrap();
    let added = crate::queue::add(platform, vec![item(at)]).await;
    let again = platform.queue().enqueue(vec![item(at)]).await;
    assert_eq!(again.unwrap_err().code(), "internal");
    let later = at + Duration::from_secs(1);
    crate::queue::add(platform, vec![item(later)]).await;
    let found = platform
        .queue()
        .find(scope.project, added[0])
        .await
        .unwrap();
    assert_eq!(found.unwrap().job, item(at).job);
}

async fn schedules_are_listed_and_kept_apart(fixture: Arc<Fixture>) {
    let platform = &fixture.platform;
    let scope_a = worked(&fixture, "a").await;
    let scope_b = worked(&fixture, "b").await;
    let other = PluginScope {
        plugin: plugin("other"),
        ..scope_a.clone()
    };
    for (scope, name) in [
        (&scope_a, "x-2"),
        (&scope_a, "x-1"),
        (&scope_a, "y"),
        (&scope_b, "x-1"),
        (&other, "x-1"),
    ] {
        put(platform, scope, name, terms("0 * * * *")).await;
    }
    let schedules = platform.schedules();
    let page = schedules
        .list_of_plugin(&scope_a, "x-", 1, None)
        .await
        .unwrap();
    assert_eq!(
        (page.schedules.len(), page.next.as_deref()),
        (1, Some("x-1"))
    );
    let page = schedules
        .list_of_plugin(&scope_a, "x-", 1, page.next)
        .await
        .unwrap();
    assert_eq!((page.schedules[0].name.as_str(), page.next), ("x-2", None));
    let all = ScheduleFilter::default();
    let first = schedules
        .list(scope_a.project, &all, None, 3)
        .await
        .unwrap();
    assert_eq!(first.items.len(), 3);
    let rest = schedules
        .list(scope_a.project, &all, first.next, 3)
        .await
        .unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));
    let only = ScheduleFilter {
        plugin: Some(other.plugin.clone()),
    };
    let only = schedules
        .list(scope_a.project, &only, None, 10)
        .await
        .unwrap();
    assert_eq!(only.items.len(), 1);
    let id = only.items[0].id;
    assert!(
        schedules
            .find_by_id(scope_b.project, id)
            .await
            .unwrap()
            .is_none()
    );
}
