//! Schedules on a machine whose clock is set, and one that was down for days.
//! On SQLite and a local folder: a store that checks signatures would not take
//! such a clock.

use crate::{
    jobs::{add, until_job, worked},
    schedules::{put, runs},
};
use atlashub_tests::{DEADLINE, Project, TestServer, until};
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::Path};

fn set(clock: &Path, offset: &str) {
    // At once, so that no half of it is read.
    let new = clock.with_extension("new");
    std::fs::write(&new, format!("{offset}\n")).unwrap();
    std::fs::rename(&new, clock).unwrap();
}

/// The times of a schedule that ran, each of which did so once.
async fn times(project: &Project, name: &str) -> Vec<u64> {
    let runs = runs(project, name).await;
    let mut jobs = BTreeSet::new();
    let mut times = BTreeSet::new();
    for run in &runs {
        jobs.insert(run["job"].as_str().unwrap().to_owned());
        times.insert(run["scheduled_ms"].as_u64().unwrap());
    }
    assert_eq!(jobs.len(), times.len(), "{runs:?}");
    times.into_iter().collect()
}

async fn until_times(project: &Project, name: &str, count: usize) -> Vec<u64> {
    until(&format!("{count} times of {name}"), DEADLINE, || async {
        let times = times(project, name).await;
        (times.len() >= count).then_some(times)
    })
    .await
}

async fn missed(project: &Project, name: &str) -> u64 {
    let path = format!("/worker/schedules/{name}");
    let schedule: Value = project.get(&path).await.expect(200).json();
    schedule["missed"].as_u64().unwrap()
}

#[tokio::test]
async fn an_hour_forward_and_back_runs_no_time_twice() {
    let folder = tempfile::tempdir().unwrap();
    let clock = folder.path().join("clock");
    set(&clock, "+0");
    let server = TestServer::builder()
        .by_the_clock_in(&clock)
        .start_embedded()
        .await;
    let project = worked(&server.admin()).await;
    for policy in ["skip", "once", "all"] {
        let wish = json!({"job": "work", "expression": "* * * * *", "catch_up": policy});
        put(&project, policy, wish).await;
    }
    // Forward: an hour went by at once.
    set(&clock, "+1h");
    let all = until_times(&project, "all", 58).await;
    assert!(
        all.windows(2).all(|two| two[1] - two[0] == 60_000),
        "{all:?}"
    );
    let once = until_times(&project, "once", 1).await;
    assert!(once.len() <= 3, "{once:?}");
    assert!(missed(&project, "once").await >= 56);
    until("times that were left out", DEADLINE, || async {
        (missed(&project, "skip").await >= 56).then_some(())
    })
    .await;
    // Back: what ran does not run again, and work goes on.
    set(&clock, "+0");
    let id = add(&project, json!({"name": "work"})).await;
    until_job(&project, &id, "done").await;
    let before = times(&project, "all").await;
    // And forward again, past what ran: it goes on after the last.
    set(&clock, "+64m");
    let after = until_times(&project, "all", before.len() + 2).await;
    assert_eq!(after[..before.len()], before);
    assert!(
        after.windows(2).all(|two| two[1] - two[0] == 60_000),
        "{after:?}"
    );
    let _ = times(&project, "once").await;
    let _ = times(&project, "skip").await;
}

#[tokio::test]
async fn three_days_down_are_made_up_for_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let clock = folder.path().join("clock");
    set(&clock, "-3d");
    let mut server = TestServer::builder()
        .by_the_clock_in(&clock)
        .start_embedded()
        .await;
    let project = worked(&server.admin()).await;
    for policy in ["skip", "once", "all"] {
        let wish = json!({"job": "work", "expression": "0 * * * *", "catch_up": policy});
        put(&project, policy, wish).await;
    }
    server.stop().await;
    set(&clock, "+0");
    server.start_again().await;
    let all = until_times(&project, "all", 72).await;
    assert!(
        all.windows(2).all(|two| two[1] - two[0] == 3_600_000),
        "{all:?}"
    );
    assert!(all.len() <= 73, "{all:?}");
    // The last of them, unless another hour came meanwhile.
    let once = until_times(&project, "once", 1).await;
    assert!(once.len() <= 2 && all.contains(&once[0]), "{once:?}");
    assert!(missed(&project, "once").await >= 71);
    until("times that were left out", DEADLINE, || async {
        (missed(&project, "skip").await >= 71).then_some(())
    })
    .await;
    assert!(times(&project, "skip").await.len() <= 2);
}
