//! Backups: rows as they are archived, leases, policies.

use crate::fixture::{Fixture, new_project, on_both_engines};
use atlashub_core::ProjectId;
use atlashub_data::platform::{
    BackupPolicy, BackupReason, BackupTotals, PolicyTask, RunKind, TurnEnd,
    archive::{ArchivedRow, TABLES, Whose},
};
use std::{sync::Arc, time::Duration};

const LEASE: Duration = Duration::from_secs(30);

on_both_engines! {
    every_table_says_whether_it_is_archived,
    rows_come_out_as_they_went_in,
    at_most_one_backup_of_a_project_is_made_at_a_time,
    what_nobody_renews_has_failed,
    a_policys_turn_is_one_nodes_until_it_has_ended,
    the_newest_backup_is_tested_again_in_its_time,
}

async fn project(fixture: &Fixture) -> ProjectId {
    let new = new_project("demo", Some(100));
    fixture.platform.projects().create(new).await.unwrap().id
}

async fn every_table_says_whether_it_is_archived(fixture: Arc<Fixture>) {
    let tables = fixture.platform.table_names().await.unwrap();
    assert!(tables.len() > 30, "{tables:?}");
    for name in tables {
        assert!(
            TABLES.iter().any(|table| table.name == name),
            "`{name}` belongs into `TABLES` of data/platform/archive.rs"
        );
    }
}

/// All archived rows of a table.
async fn rows(fixture: &Fixture, table: &str, project: ProjectId) -> Vec<ArchivedRow> {
    let table = TABLES.iter().find(|known| known.name == table).unwrap();
    let Whose::Project(condition) = table.whose else {
        panic!("not a project's")
    };
    let all = fixture.platform.rows_at_one_moment().await.unwrap();
    let mut rows = all
        .of_table(table.name, condition, Some(project))
        .await
        .unwrap();
    let mut found = Vec::new();
    loop {
        let page = rows.next().await.unwrap();
        if page.is_empty() {
            return found;
        }
        found.extend(page.iter().map(|row| serde_json::from_str(row).unwrap()));
    }
}

async fn rows_come_out_as_they_went_in(fixture: Arc<Fixture>) {
    let (project, other) = (project(&fixture).await, ProjectId::new());
    let platform = &fixture.platform;
    let mut new = new_project("other", None);
    new.id = other;
    platform.projects().create(new).await.unwrap();
    for number in 0..998 {
        let unit = platform.begin().await.unwrap();
        let name = format!("name {number} ' \" \\ ünï");
        unit.saved_queries()
            .add(
                if number % 2 == 0 { project } else { other },
                &name,
                "SELECT 1",
                "me",
            )
            .await
            .unwrap();
        unit.commit().await.unwrap();
    }
    let of_project = rows(&fixture, "saved_queries", project).await;
    assert_eq!(of_project.len(), 499);
    for table in ["projects", "buckets", "storage_usage"] {
        let before = rows(&fixture, table, project).await;
        assert!(!before.is_empty(), "{table}");
    }
    let unit = platform.begin().await.unwrap();
    unit.remove_rows("saved_queries", "project_id = $1", project)
        .await
        .unwrap();
    let into = unit.rows_into("saved_queries").await.unwrap();
    for row in &of_project {
        unit.add_archived_row(&into, row).await.unwrap();
    }
    let mut unknown = of_project[0].clone();
    unknown.insert("from_the_future".to_owned(), 1.into());
    let refused = unit.add_archived_row(&into, &unknown).await.unwrap_err();
    assert_eq!(refused.code(), "archive_too_new");
    unit.commit().await.unwrap();
    assert_eq!(rows(&fixture, "saved_queries", project).await, of_project);
    let unit = platform.begin().await.unwrap();
    let into = unit.rows_into("saved_queries").await.unwrap();
    let twice = unit.add_archived_row(&into, &of_project[0]).await;
    assert_eq!(twice.unwrap_err().code(), "row_taken");
    unit.roll_back().await.unwrap();
}

async fn at_most_one_backup_of_a_project_is_made_at_a_time(fixture: Arc<Fixture>) {
    let project = project(&fixture).await;
    let backups = fixture.platform.backups();
    let named = Some((project, "demo"));
    let begin = || backups.begin(named, BackupReason::Manual, "me", LEASE);
    assert!(!backups.keeps_deleted(project).await.unwrap());
    let first = begin().await.unwrap();
    assert_eq!(begin().await.unwrap_err().code(), "backup_running");
    assert!(backups.keeps_deleted(project).await.unwrap());
    assert!(!backups.forget(first).await.unwrap());
    assert!(backups.renew(first, "rows", 7, LEASE).await.unwrap());
    let totals = BackupTotals {
        bytes: 9,
        sha256: "ab".to_owned(),
        objects: 2,
        rows: 3,
    };
    assert!(backups.ready(first, &totals).await.unwrap());
    assert!(!backups.fail(first, "no").await.unwrap());
    let second = begin().await.unwrap();
    assert!(backups.fail(second, "why").await.unwrap());
    let list = backups.list(Some(project), None, 10).await.unwrap();
    assert_eq!(
        list.iter().map(|backup| backup.id).collect::<Vec<_>>(),
        [second, first]
    );
    assert_eq!((list[1].bytes, list[1].objects, list[1].rows), (9, 2, 3));
    assert_eq!(list[0].error.as_deref(), Some("why"));
    assert_eq!(backups.list_all(None, 10).await.unwrap(), list);
    assert!(backups.list(None, None, 10).await.unwrap().is_empty());
    let older = backups.list(Some(project), Some(second), 10).await.unwrap();
    assert_eq!(older, list[1..]);
    let run = backups
        .begin_run(
            first,
            RunKind::RestoreOver,
            Some(project),
            None,
            "me",
            LEASE,
        )
        .await
        .unwrap();
    assert!(!backups.forget(first).await.unwrap());
    let again = backups
        .begin_run(
            first,
            RunKind::RestoreOver,
            Some(project),
            None,
            "me",
            LEASE,
        )
        .await;
    assert_eq!(again.unwrap_err().code(), "restore_running");
    assert!(backups.end_run(run, None).await.unwrap());
    assert!(!backups.fail_run(run, "late").await.unwrap());
    assert_eq!(backups.runs(first).await.unwrap()[0].state, "done");
    assert!(backups.forget(first).await.unwrap());
}

async fn what_nobody_renews_has_failed(fixture: Arc<Fixture>) {
    let project = project(&fixture).await;
    let backups = fixture.platform.backups();
    let named = Some((project, "demo"));
    let short = Duration::ZERO;
    let left = backups
        .begin(named, BackupReason::Manual, "me", short)
        .await
        .unwrap();
    fixture.clock.advance(Duration::from_secs(1));
    assert_eq!(backups.fail_left(false).await.unwrap(), [left]);
    assert!(!backups.renew(left, "x", 1, LEASE).await.unwrap());
    assert_eq!(backups.get(left).await.unwrap().state, "failed");
    let owned = backups
        .begin(named, BackupReason::Manual, "me", LEASE)
        .await
        .unwrap();
    assert!(backups.fail_left(false).await.unwrap().is_empty());
    assert_eq!(backups.fail_left(true).await.unwrap(), [owned]);
    let run = backups
        .begin_run(left, RunKind::Verify, None, Some(project), "me", LEASE)
        .await
        .unwrap();
    assert!(backups.is_loaded_to(project).await.unwrap());
    assert!(backups.fail_left_runs(false).await.unwrap().is_empty());
    let given_up = backups.fail_left_runs(true).await.unwrap();
    assert_eq!((given_up.len(), given_up[0].id), (1, run));
    assert!(!backups.is_loaded_to(project).await.unwrap());
    assert!(!backups.end_run(run, None).await.unwrap());
}

async fn a_policys_turn_is_one_nodes_until_it_has_ended(fixture: Arc<Fixture>) {
    let project = project(&fixture).await;
    let platform = &fixture.platform;
    let backups = platform.backups();
    let default = backups.policy(Some(project)).await.unwrap();
    assert_eq!(default, BackupPolicy::default());
    let policy = BackupPolicy {
        enabled: true,
        ..default
    };
    let hour = Duration::from_secs(3_600);
    for whose in [Some(project), None] {
        let now = platform.now();
        backups.set_policy(whose, &policy, Some(now)).await.unwrap();
        assert_eq!(backups.policy(whose).await.unwrap(), policy);
        let turn = backups.take_turn(LEASE).await.unwrap().unwrap();
        assert_eq!(
            (turn.project, turn.task, turn.attempt, turn.made),
            (whose, PolicyTask::Backup, 1, None)
        );
        assert!(backups.take_turn(LEASE).await.unwrap().is_none());
        // Nothing is over before its end is noted.
        assert_eq!(backups.next_due(whose).await.unwrap(), Some(now));
        let made = uuid::Uuid::now_v7();
        assert!(backups.note_made(&turn, Some(made)).await.unwrap());

        // Its node was killed: another takes it, and what the first says of it
        // later is not taken.
        fixture.clock.advance(LEASE * 2);
        let again = backups.take_turn(LEASE).await.unwrap().unwrap();
        assert_eq!((again.attempt, again.made), (2, Some(made)));
        assert!(!backups.renew_turn(&turn, LEASE).await.unwrap());
        assert!(!backups.end_turn(&turn, TurnEnd::Done).await.unwrap());
        assert!(backups.renew_turn(&again, LEASE).await.unwrap());

        // A failure is told, and tried again after a while.
        let retry = TurnEnd::Retry("no room", hour);
        assert!(backups.end_turn(&again, retry).await.unwrap());
        let failure = backups.turn_failure(whose).await.unwrap().unwrap();
        assert_eq!((failure.error.as_str(), failure.attempt), ("no room", 2));
        assert!(backups.take_turn(LEASE).await.unwrap().is_none());
        fixture.clock.advance(hour);
        let third = backups.take_turn(LEASE).await.unwrap().unwrap();
        assert_eq!(third.attempt, 3);
        assert!(
            backups
                .end_turn(&third, TurnEnd::Postponed(Duration::ZERO))
                .await
                .unwrap()
        );
        let third = backups.take_turn(LEASE).await.unwrap().unwrap();
        assert_eq!(third.attempt, 3);
        assert!(
            backups
                .end_turn(&third, TurnEnd::GivenUp("no room"))
                .await
                .unwrap()
        );
        let failure = backups.turn_failure(whose).await.unwrap().unwrap();
        assert_eq!(failure.attempt, 0);
        let next = platform.now() + hour * 24;
        assert_eq!(backups.next_due(whose).await.unwrap(), Some(next));
        assert!(backups.take_turn(LEASE).await.unwrap().is_none());

        fixture.clock.advance(hour * 24);
        let fourth = backups.take_turn(LEASE).await.unwrap().unwrap();
        assert_eq!((fourth.attempt, fourth.made), (1, None));
        assert!(backups.end_turn(&fourth, TurnEnd::Done).await.unwrap());
        assert_eq!(backups.turn_failure(whose).await.unwrap(), None);
        backups
            .set_policy(whose, &BackupPolicy::default(), None)
            .await
            .unwrap();
    }
    let ghost = ProjectId::new();
    let refused = backups.set_policy(Some(ghost), &policy, None).await;
    assert_eq!(refused.unwrap_err().code(), "not_found");
}

async fn the_newest_backup_is_tested_again_in_its_time(fixture: Arc<Fixture>) {
    let project = project(&fixture).await;
    let platform = &fixture.platform;
    let backups = platform.backups();
    let day = Duration::from_secs(86_400);
    let policy = BackupPolicy {
        enabled: true,
        interval_seconds: 90 * 86_400,
        verify_every_days: Some(3),
        ..BackupPolicy::default()
    };
    let whose = Some(project);
    let due = Some(platform.now());
    backups.set_policy(whose, &policy, due).await.unwrap();
    let made = backups.take_turn(LEASE).await.unwrap().unwrap();
    assert!(backups.end_turn(&made, TurnEnd::Done).await.unwrap());
    let next = backups.next_due(whose).await.unwrap();
    fixture.clock.advance(day * 2);
    assert!(backups.take_turn(LEASE).await.unwrap().is_none());
    fixture.clock.advance(day);
    let test = backups.take_turn(LEASE).await.unwrap().unwrap();
    assert_eq!(test.task, PolicyTask::Verify);
    assert!(backups.end_turn(&test, TurnEnd::Done).await.unwrap());
    // The backup comes when it would have come.
    assert_eq!(backups.next_due(whose).await.unwrap(), next);
    assert!(backups.take_turn(LEASE).await.unwrap().is_none());
    // A policy that is switched off tests nothing, either.
    let off = BackupPolicy::default();
    backups.set_policy(whose, &off, None).await.unwrap();
    fixture.clock.advance(day * 30);
    assert!(backups.take_turn(LEASE).await.unwrap().is_none());
}
