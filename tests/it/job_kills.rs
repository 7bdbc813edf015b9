//! Nodes that are killed, and one that hangs, while jobs are done and
//! schedules fall due.

use crate::{
    jobs::{LEASE, add, add_many, queue, until_job, worked},
    schedules::put,
};
use atlashub_tests::{DEADLINE, Engine, Project, TestServer, until};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

/// Jobs of the test with many.
const JOBS: usize = 10_000;
/// How many are added by one call.
const AT_ONCE: usize = 25;
/// How many items a node works on.
const WORKERS: &str = "ATLASHUB_QUEUE_WORKERS";
/// Schedules that fall due each second, and times of each: a thousand ticks.
const SCHEDULES: usize = 50;
const TIMES: usize = 20;
/// How often a node is killed.
const KILL_EVERY: Duration = Duration::from_secs(5);
const KILL_A_TICKING_NODE_EVERY: Duration = Duration::from_secs(3);
/// The longest that all of it may take.
const ALL: Duration = Duration::from_secs(1_800);

fn variables() -> BTreeMap<String, String> {
    let lease = LEASE.as_secs().to_string();
    BTreeMap::from([("ATLASHUB_QUEUE_LEASE_SECONDS".to_owned(), lease)])
}

/// As many nodes as the engine serves, `wanted` at most. The first is never
/// killed where there are others.
async fn nodes(wanted: usize) -> Vec<TestServer> {
    let first = TestServer::builder().envs(variables()).start().await;
    let more = others(&first, wanted).await;
    [vec![first], more].into_iter().flatten().collect()
}

/// The other nodes of so many, where the engine serves them.
async fn others(first: &TestServer, wanted: usize) -> Vec<TestServer> {
    let mut nodes = Vec::new();
    if Engine::of_this_run().serves_many_nodes() {
        for number in 1..wanted {
            nodes.push(first.node_with(number, variables()).await);
        }
    }
    nodes
}

/// Kills one node after the other until `done` has come to `goal`: one each
/// `pause`, or less often where nothing much was done in that time; how many were
/// killed.
async fn kill_in_turns<F>(
    nodes: &mut [TestServer],
    pause: Duration,
    goal: usize,
    mut done: impl FnMut() -> F,
) -> usize
where
    F: Future<Output = Option<usize>>,
{
    let victims = usize::from(nodes.len() > 1)..nodes.len();
    let begun = Instant::now();
    let (mut kills, mut before) = (0, 0);
    for victim in victims.cycle() {
        let up = Instant::now();
        let next = before + goal / 20;
        before = until("time for a kill", ALL, || {
            let done = done();
            async move {
                let done = done.await?;
                let is_time = up.elapsed() >= pause && done >= next;
                (done >= goal || is_time).then_some(done)
            }
        })
        .await;
        if before >= goal {
            break;
        }
        assert!(begun.elapsed() < ALL, "it does not end");
        nodes[victim].kill();
        kills += 1;
        nodes[victim].start_again().await;
    }
    kills
}

/// What the node that is always there says, when it is there.
async fn try_get(project: &Project, path: &str) -> Option<Value> {
    let request = project.request(reqwest::Method::GET, path);
    let reply = atlashub_tests::Reply::try_to(request).await.ok()?;
    (reply.status == 200).then(|| reply.json())
}

#[tokio::test]
async fn a_thousand_ticks_are_a_thousand_runs_whichever_nodes_are_killed() {
    let mut nodes = nodes(3).await;
    let project = worked(&nodes[0].admin()).await;
    for number in 0..SCHEDULES {
        let wish = json!({"job": "work", "expression": "* * * * * *", "catch_up": "all"});
        put(&project, &format!("tick-{number:02}"), wish).await;
    }
    let goal = SCHEDULES * TIMES;
    let kills = kill_in_turns(&mut nodes, KILL_A_TICKING_NODE_EVERY, goal, || async {
        let counts = try_get(&project, "/worker/counts").await?;
        Some(usize::try_from(counts["ended"].as_u64()?).unwrap())
    })
    .await;
    assert!(kills >= 1, "{kills}");
    let all = until("the times of each schedule", ALL, || async {
        let ran = try_get(&project, "/worker/ran").await?;
        let all = ran["items"].as_array()?.clone();
        let mut ended: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
        for one in all.iter().filter(|one| one["ended"] == 1) {
            let times = ended.entry(one["schedule"].as_str()?).or_default();
            times.insert(one["scheduled_ms"].as_u64()?);
        }
        let enough = ended.values().all(|times| times.len() >= TIMES);
        (ended.len() == SCHEDULES && enough).then_some(all)
    })
    .await;
    let mut jobs: BTreeMap<&str, BTreeMap<u64, BTreeSet<&str>>> = BTreeMap::new();
    for one in &all {
        let schedule = jobs.entry(one["schedule"].as_str().unwrap()).or_default();
        let at = one["scheduled_ms"].as_u64().unwrap();
        let job = one["job"].as_str().unwrap();
        schedule.entry(at).or_default().insert(job);
    }
    for (schedule, times) in &jobs {
        for (at, jobs) in times {
            assert_eq!(jobs.len(), 1, "{schedule} {at}: {jobs:?}");
        }
        // In order, one at a time, and none left out.
        let times: Vec<u64> = times.keys().copied().collect();
        assert!(
            times.windows(2).all(|two| two[1] - two[0] == 1_000),
            "{schedule} {times:?}"
        );
        let path = format!("/worker/schedules/{schedule}");
        assert_eq!(project.get(&path).await.expect(200).json()["missed"], 0);
    }
}

#[tokio::test]
async fn many_jobs_end_each_once_whichever_workers_are_killed() {
    // Nobody works before all are there, however long it takes to add them.
    let idle = TestServer::builder()
        .envs(variables())
        .env(WORKERS, "0")
        .start()
        .await;
    let mut nodes = vec![idle];
    let admin = nodes[0].admin();
    let project = worked(&admin).await;
    // Who is killed costs an attempt.
    let job = json!({"name": "work", "attempts": 50, "payload": {"wait_ms": 50}});
    for _ in 0..JOBS / AT_ONCE {
        add_many(&project, AT_ONCE, job.clone()).await;
    }
    let more = others(&nodes[0], 4).await;
    nodes.extend(more);
    if nodes.len() == 1 {
        nodes[0].restart_without(WORKERS).await;
    }
    let path = queue(&project, "/counts");
    let count = || async {
        let request = admin.request(reqwest::Method::GET, &path);
        let reply = atlashub_tests::Reply::try_to(request).await.ok()?;
        (reply.status == 200).then(|| reply.json())
    };
    let kills = kill_in_turns(&mut nodes, KILL_EVERY, JOBS, || async {
        Some(usize::try_from(count().await?["done"].as_u64()?).unwrap())
    })
    .await;
    assert!(kills >= 1, "{kills}");
    let counts = count().await.unwrap();
    for (state, expected) in [("done", JOBS), ("dead", 0), ("ready", 0), ("running", 0)] {
        assert_eq!(counts[state], json!(expected), "{counts}");
    }
    let ran = project.get("/worker/counts").await.expect(200).json();
    assert_eq!((&ran["began"], &ran["ended"]), (&json!(JOBS), &json!(JOBS)));
}

#[tokio::test]
async fn a_worker_that_hung_beyond_its_lease_cannot_complete() {
    let mut nodes = nodes(1).await;
    let hung = nodes.remove(0);
    let project = worked(&hung.admin()).await;
    let wish = json!({"wait_ms": 6_000});
    let id = add(
        &project,
        json!({"name": "work", "payload": wish, "attempts": 5}),
    )
    .await;
    until_job(&project, &id, "running").await;
    let other = match Engine::of_this_run().serves_many_nodes() {
        true => {
            // It must not take the job before the first hangs.
            hung.freeze();
            Some(hung.node_with(1, variables()).await)
        }
        false => {
            hung.freeze();
            None
        }
    };
    let Some(other) = other else {
        // Alone, it finds after its sleep that the lease ran out.
        tokio::time::sleep(LEASE + Duration::from_secs(2)).await;
        hung.thaw();
        let done = until_job(&project, &id, "done").await;
        assert_eq!(done["attempt"], 2, "{done}");
        return;
    };
    let there = project.on(&other);
    let done = until_job(&there, &id, "done").await;
    assert_eq!(done["attempt"], 2, "{done}");
    hung.thaw();
    let metrics = format!("/admin/v1/projects/{}/plugins/worker/metrics", project.slug);
    let admin = hung.admin();
    until("the end of what it was at", DEADLINE, || async {
        let metrics = admin.get(&metrics).await.expect(200).json();
        (metrics["running"] == 0).then_some(())
    })
    .await;
    let after = until_job(&project, &id, "done").await;
    assert_eq!(
        (&after["attempt"], &after["finished_ms"]),
        (&json!(2), &done["finished_ms"]),
        "{after}"
    );
}
