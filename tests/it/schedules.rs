//! Schedules: jobs that come by the clock, each time once.

use crate::jobs::{attempts, now_ms, until_job, worked};
use atlashub_tests::{Admin, DEADLINE, Project, Reply, TestServer, shared, until};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub(crate) async fn put(project: &Project, name: &str, body: Value) -> Value {
    let path = format!("/worker/schedules/{name}");
    let request = project.request(Method::PUT, &path).json(&body);
    Reply::to(request).await.expect(200).json()
}

async fn show(project: &Project, name: &str) -> Value {
    let path = format!("/worker/schedules/{name}");
    project.get(&path).await.expect(200).json()
}

/// Attempts at jobs of a schedule.
pub(crate) async fn runs(project: &Project, name: &str) -> Vec<Value> {
    let mut all = attempts(project).await;
    all.retain(|one| one["schedule"] == name);
    all
}

async fn until_runs(project: &Project, name: &str, count: usize) -> Vec<Value> {
    until(&format!("{count} runs of {name}"), DEADLINE, || async {
        let runs = runs(project, name).await;
        (runs.len() >= count).then_some(runs)
    })
    .await
}

/// The schedule of that name as admins see it.
async fn seen(admin: &Admin, project: &Project, name: &str) -> Value {
    let path = format!("/admin/v1/projects/{}/schedules", project.slug);
    let listed = admin.get(&path).await.expect(200).json();
    let listed = listed["items"].as_array().unwrap();
    let found = listed.iter().find(|schedule| schedule["name"] == name);
    found.cloned().unwrap_or_default()
}

#[tokio::test]
async fn each_time_of_a_schedule_is_one_job() {
    let admin = shared().await.admin();
    let project = worked(&admin).await;
    let before = now_ms();
    let wish =
        json!({"job": "work", "expression": "* * * * * *", "payload": {"a": 1}, "overlap": true});
    let made = put(&project, "often", wish).await;
    assert!(made["next_ms"].as_u64().unwrap() > before, "{made}");
    let runs = until_runs(&project, "often", 4).await;
    let removed = project.delete("/worker/schedules/often").await.expect(200);
    assert_eq!(removed.json(), json!(true));
    let times: BTreeSet<u64> = runs
        .iter()
        .map(|run| run["scheduled_ms"].as_u64().unwrap())
        .collect();
    assert_eq!(times.len(), runs.len(), "{runs:?}");
    assert!(
        times.iter().all(|at| at % 1_000 == 0 && *at > before),
        "{times:?}"
    );
    let keys: BTreeSet<&str> = runs
        .iter()
        .map(|run| run["key"].as_str().unwrap())
        .collect();
    assert_eq!(keys.len(), runs.len());
    assert!(
        runs.iter().all(|run| run["payload"] == "{\"a\":1}"),
        "{runs:?}"
    );
    // It is gone, and a name can be used again.
    let gone = project.get("/worker/schedules/often").await;
    assert_eq!(gone.expect_problem(404), "not_found");
    let again = project.delete("/worker/schedules/often").await.expect(200);
    assert_eq!(again.json(), json!(false));
}

#[tokio::test]
async fn a_run_does_not_begin_while_the_one_before_goes_on() {
    let admin = shared().await.admin();
    let project = worked(&admin).await;
    let slow = json!({"job": "work", "expression": "* * * * * *", "payload": {"wait_ms": 2_500}});
    put(&project, "slow", slow).await;
    let runs = until_runs(&project, "slow", 3).await;
    assert!(
        runs.iter().rev().skip(1).all(|run| run["ended"] == 1),
        "{runs:?}"
    );
    let schedule = show(&project, "slow").await;
    assert!(schedule["missed"].as_u64().unwrap() >= 2, "{schedule}");
    assert!(schedule["last_missed_ms"].is_u64(), "{schedule}");
    let _ = project.delete("/worker/schedules/slow").await.expect(200);
}

#[tokio::test]
async fn a_schedule_can_be_changed_switched_off_and_run_out_of_its_turn() {
    let admin = shared().await.admin();
    let project = worked(&admin).await;
    let yearly = |enabled: bool| {
        json!({"job": "work", "expression": "0 0 1 1 *", "zone": "africa/nairobi",
               "enabled": enabled, "payload": {"wait_ms": 3_000}})
    };
    let made = put(&project, "s", yearly(true)).await;
    assert_eq!(made["definition"]["zone"], "Africa/Nairobi");
    assert_eq!(made["definition"]["expression"], "0 0 0 1 1 *");
    // Midnight in Nairobi.
    let next = made["next_ms"].as_u64().unwrap();
    assert_eq!(next % 86_400_000, 21 * 3_600_000, "{made}");
    let off = put(&project, "s", yearly(false)).await;
    assert_eq!(off["next_ms"], Value::Null, "{off}");
    let run = || async {
        let path = "/worker/schedules/s/run";
        project.post(path, json!({})).await.expect(200).json()
    };
    let first = run().await;
    assert_eq!(first["existing"], false);
    let second = run().await;
    assert_eq!(
        (&second["id"], &second["existing"]),
        (&first["id"], &json!(true))
    );
    let id = first["id"].as_str().unwrap();
    let done = until_job(&project, id, "done").await;
    assert_eq!(done["schedule"], "s", "{done}");
    assert_eq!(show(&project, "s").await["last_job"], json!(id));
    let on = put(&project, "s", yearly(true)).await;
    assert_eq!(on["next_ms"], json!(next), "{on}");
    let unknown = project.post("/worker/schedules/none/run", json!({})).await;
    assert_eq!(unknown.expect_problem(404), "not_found");
}

#[tokio::test]
async fn schedules_of_a_manifest_are_there_while_the_plugin_is_on() {
    let admin = shared().await.admin();
    let project = worked(&admin).await;
    let fixed = show(&project, "nightly").await;
    assert_eq!(fixed["fixed"], true, "{fixed}");
    // Half past two in Nairobi.
    let next = fixed["next_ms"].as_u64().unwrap();
    assert_eq!(next % 86_400_000, 23 * 3_600_000 + 1_800_000, "{fixed}");
    let change = json!({"job": "work", "expression": "* * * * *"});
    let request = project.request(Method::PUT, "/worker/schedules/nightly");
    let refused = Reply::to(request.json(&change)).await;
    assert_eq!(refused.expect_problem(422), "invalid_schedule");
    let refused = project.delete("/worker/schedules/nightly").await;
    assert_eq!(refused.expect_problem(422), "invalid_schedule");
    // Its own rests while the plugin is off.
    put(
        &project,
        "own",
        json!({"job": "work", "expression": "0 0 * * *"}),
    )
    .await;
    let off = json!({"enabled": false});
    let _ = admin.install(&project, "worker", off).await.expect(200);
    assert_eq!(seen(&admin, &project, "nightly").await, Value::Null);
    let own = seen(&admin, &project, "own").await;
    assert_eq!(
        (&own["suspended"], &own["next_at"]),
        (&json!(true), &Value::Null)
    );
    let path = format!(
        "/admin/v1/projects/{}/schedules/{}/run",
        project.slug,
        own["id"].as_str().unwrap()
    );
    let refused = admin.post(&path, json!({})).await;
    assert_eq!(refused.expect_problem(409), "schedule_suspended");
    let on = json!({"enabled": true});
    let _ = admin.install(&project, "worker", on).await.expect(200);
    assert_eq!(seen(&admin, &project, "nightly").await["fixed"], true);
    let own = until("its next time", DEADLINE, || async {
        let own = seen(&admin, &project, "own").await;
        own["next_at"].is_string().then_some(own)
    })
    .await;
    assert_eq!(own["suspended"], false, "{own}");
    // With its data goes what it made.
    let plugin = format!(
        "/admin/v1/projects/{}/plugins/worker?data=delete",
        project.slug
    );
    let _ = admin.delete(&plugin).await.expect_success();
    assert_eq!(seen(&admin, &project, "own").await, Value::Null);
}

#[tokio::test]
async fn an_admin_sees_schedules_and_puts_them_on_hold() {
    let admin = shared().await.admin();
    let project = worked(&admin).await;
    let elsewhere = worked(&admin).await;
    put(
        &project,
        "s",
        json!({"job": "quick", "expression": "* * * * * *"}),
    )
    .await;
    let schedule = seen(&admin, &project, "s").await;
    let id = schedule["id"].as_str().unwrap();
    let path = format!("/admin/v1/projects/{}/schedules/{id}", project.slug);
    let whole = admin.get(&path).await.expect(200).json();
    let next = whole["next_times"].as_array().unwrap();
    assert_eq!(next.len(), 10, "{whole}");
    assert_eq!(whole["payload"], json!({}));
    let paused = admin.post(&format!("{path}/pause"), json!({})).await;
    let paused = paused.expect(200).json();
    assert_eq!(
        (&paused["paused"], &paused["next_at"]),
        (&json!(true), &Value::Null)
    );
    // The plugin cannot let it go on.
    let again = json!({"job": "quick", "expression": "*/2 * * * * *"});
    let again = put(&project, "s", again).await;
    assert_eq!(
        (&again["paused"], &again["next_ms"]),
        (&json!(true), &Value::Null)
    );
    let run = admin.post(&format!("{path}/run"), json!({})).await;
    let job = run.expect(202).json();
    until_job(&project, job["job"].as_str().unwrap(), "done").await;
    let _ = admin
        .post(&format!("{path}/resume"), json!({}))
        .await
        .expect(200);
    until("another run", DEADLINE, || async {
        let now = admin.get(&path).await.expect(200).json();
        now["last_due_at"].is_string().then_some(())
    })
    .await;
    let audit = format!("/admin/v1/audit?project={}", project.id);
    let noted = admin.get(&audit).await.expect(200).json();
    let noted: Vec<_> = noted["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["target"] == json!(id))
        .map(|event| event["action"].as_str().unwrap())
        .collect();
    assert_eq!(noted, ["schedule.resume", "schedule.run", "schedule.pause"]);
    // Nothing crosses projects.
    let foreign = format!("/admin/v1/projects/{}/schedules/{id}", elsewhere.slug);
    assert_eq!(admin.get(&foreign).await.expect_problem(404), "not_found");
    for rest in ["pause", "resume", "run"] {
        let answer = admin.post(&format!("{foreign}/{rest}"), json!({})).await;
        assert_eq!(answer.expect_problem(404), "not_found", "{rest}");
    }
    let listed = format!("/admin/v1/projects/{}/schedules?plugin=hello", project.slug);
    let listed = admin.get(&listed).await.expect(200).json();
    assert_eq!(listed["items"], json!([]));
}

#[tokio::test]
async fn schedules_are_listed_in_pages() {
    let admin = shared().await.admin();
    let project = worked(&admin).await;
    for name in ["a-1", "a-3", "b-1", "a-2"] {
        put(
            &project,
            name,
            json!({"job": "work", "expression": "0 0 * * *"}),
        )
        .await;
    }
    let page = |query: &'static str| {
        let project = project.clone();
        async move {
            let path = format!("/worker/schedules?{query}");
            let page = project.get(&path).await.expect(200).json();
            let names: Vec<String> = page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["name"].as_str().unwrap().to_owned())
                .collect();
            (names, page["next_cursor"].clone())
        }
    };
    let (names, next) = page("prefix=a-&limit=2").await;
    assert_eq!(
        (names, next),
        (vec!["a-1".into(), "a-2".into()], json!("a-2"))
    );
    let (names, next) = page("prefix=a-&limit=2&cursor=a-2").await;
    assert_eq!((names, next), (vec!["a-3".into()], Value::Null));
    let (names, _) = page("").await;
    assert_eq!(names, ["a-1", "a-2", "a-3", "b-1", "nightly"]);
}

#[tokio::test]
async fn expressions_are_explained_and_doubtful_ones_refused() {
    let admin = shared().await.admin();
    let project = worked(&admin).await;
    let ask = |query: String| {
        let project = project.clone();
        async move { project.get(&format!("/worker/explain?{query}")).await }
    };
    // 2026-10-25 in Berlin, where half past two comes twice.
    let query = "expression=30+2+*+*+*&zone=Europe/Berlin&after_ms=1792838400000&count=2";
    let explained = ask(query.to_owned()).await.expect(200).json();
    assert_eq!(explained["expression"], "0 30 2 * * *");
    let times = explained["next_ms"].as_array().unwrap();
    let gap = times[1].as_u64().unwrap() - times[0].as_u64().unwrap();
    assert_eq!((times.len(), gap), (2, 25 * 3_600_000), "{explained}");
    for query in [
        "expression=*+*+*+*",
        "expression=61+*+*+*+*",
        "expression=0+0+30+2+*",
        "expression=*+*+*+*+*&zone=Mars/Olympus",
    ] {
        let refused = ask(query.to_owned()).await;
        assert_eq!(refused.expect_problem(422), "invalid_schedule", "{query}");
    }
    for (body, code) in [
        (
            json!({"job": "other", "expression": "* * * * *"}),
            "job_not_declared",
        ),
        (
            json!({"job": "work", "expression": "never"}),
            "invalid_schedule",
        ),
        (
            json!({"job": "platform:reboot", "expression": "* * * * *"}),
            "platform_job_unknown",
        ),
    ] {
        let request = project.request(Method::PUT, "/worker/schedules/s");
        let refused = Reply::to(request.json(&body)).await;
        assert_eq!(refused.expect_problem(422), code, "{body}");
    }
}

#[tokio::test]
async fn the_platform_tidies_a_project_up_by_the_clock() {
    let admin = shared().await.admin();
    let project = worked(&admin).await;
    let tidy = json!({"job": "platform:cleanup", "expression": "* * * * * *"});
    put(&project, "tidy", tidy).await;
    let job = until("a run", DEADLINE, || async {
        let schedule = show(&project, "tidy").await;
        schedule["last_job"].as_str().map(str::to_owned)
    })
    .await;
    let _ = project.delete("/worker/schedules/tidy").await.expect(200);
    let done = until_job(&project, &job, "done").await;
    assert_eq!(
        (&done["platform"], &done["schedule"]),
        (&json!(true), &json!("tidy"))
    );
}

#[tokio::test]
async fn what_went_by_while_nobody_was_there_is_made_up_for_as_asked() {
    // Ten minutes ago, and then now: as if it had been down between.
    let mut server = TestServer::builder().ten_minutes_ago().start().await;
    let project = worked(&server.admin()).await;
    for policy in ["skip", "once", "all"] {
        let wish = json!({"job": "work", "expression": "* * * * *", "catch_up": policy});
        put(&project, policy, wish).await;
    }
    server.return_to_now().await;
    let all = until_runs(&project, "all", 9).await;
    let times: Vec<u64> = all
        .iter()
        .map(|run| run["scheduled_ms"].as_u64().unwrap())
        .collect();
    // In order, none left out.
    assert!(
        times.windows(2).all(|two| two[1] - two[0] == 60_000),
        "{times:?}"
    );
    let once = until_runs(&project, "once", 1).await;
    let schedule = show(&project, "once").await;
    let missed = schedule["missed"].as_u64().unwrap();
    // As long as the test takes, a time that is due may come, too.
    assert!(
        (7..=11).contains(&missed) && once.len() <= 3,
        "{schedule} {once:?}"
    );
    let schedule = until("times that were missed", DEADLINE, || async {
        let schedule = show(&project, "skip").await;
        (schedule["missed"].as_u64()? >= 7).then_some(schedule)
    })
    .await;
    let skipped = runs(&project, "skip").await;
    assert!(skipped.len() <= 3, "{schedule} {skipped:?}");
}
