//! Jobs of plugins: done, done again after a failure, given up in the end,
//! one at a time, in order, and never for somebody else.

use atlashub_tests::{Admin, DEADLINE, Project, Reply, TestServer, fixture, shared, until};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A project with the worker.
pub(crate) async fn worked(admin: &Admin) -> Project {
    let _ = admin.upload(fixture("worker"), None).await.expect_success();
    admin.project_with(&["worker"]).await
}

/// Adds a job; its id.
pub(crate) async fn add(project: &Project, body: Value) -> String {
    let added = project.post("/worker/jobs", body).await.expect(202).json();
    added["id"].as_str().unwrap().to_owned()
}

pub(crate) async fn add_many(project: &Project, count: usize, job: Value) {
    let body = json!({"count": count, "job": job});
    let _ = project.post("/worker/jobs/many", body).await.expect(202);
}

/// What the worker has tried, in order.
pub(crate) async fn attempts(project: &Project) -> Vec<Value> {
    let ran = project.get("/worker/ran").await.expect(200).json();
    ran["items"].as_array().unwrap().clone()
}

async fn look(project: &Project, id: &str) -> Value {
    let path = format!("/worker/jobs/{id}");
    project.get(&path).await.expect(200).json()
}

/// The job, once it is in `state`.
pub(crate) async fn until_job(project: &Project, id: &str, state: &str) -> Value {
    until(&format!("a job that is {state}"), DEADLINE, || async {
        let job = look(project, id).await;
        (job["state"] == state).then_some(job)
    })
    .await
}

pub(crate) fn queue(project: &Project, rest: &str) -> String {
    format!("/admin/v1/projects/{}/queue{rest}", project.slug)
}

/// A job that nobody does until it is made ready.
fn later() -> Value {
    json!({"name": "work", "after_ms": 3_600_000})
}

/// Has a job that waits for its time tried at once.
async fn ready(admin: &Admin, project: &Project, id: &str) {
    let path = queue(project, &format!("/{id}/retry"));
    let _ = admin.post(&path, json!({})).await.expect(200);
}

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

#[tokio::test]
async fn a_job_is_done_once_and_as_it_was_added() {
    let admin = shared().await.admin();
    let project = worked(&admin).await;
    let payload = json!({"file": "ä\n\"\u{1f600}\"", "size": 3});
    let id = add(&project, json!({"name": "work", "payload": payload})).await;
    let done = until_job(&project, &id, "done").await;
    assert_eq!(
        (&done["attempt"], &done["max_attempts"], &done["error_code"]),
        (&json!(1), &json!(3), &Value::Null),
        "{done}"
    );
    let all = attempts(&project).await;
    assert_eq!(all.len(), 1, "{all:?}");
    let own: Value = serde_json::from_str(all[0]["payload"].as_str().unwrap()).unwrap();
    assert_eq!(own, payload);
    assert_eq!((&all[0]["job"], &all[0]["key"]), (&json!(id), &json!(id)));
    assert_eq!(all[0]["caller"], "Scheduler");
    // An admin sees it among the project's work.
    let listed = admin.get(&queue(&project, "?kind=job")).await.expect(200);
    let item = &listed.json()["items"][0];
    assert_eq!(
        (&item["id"], &item["consumer"], &item["name"]),
        (&json!(id), &json!("worker"), &json!("work")),
        "{item}"
    );
    let events = admin.get(&queue(&project, "?kind=event")).await.expect(200);
    assert_eq!(events.json()["items"], json!([]));
}

#[tokio::test]
async fn jobs_of_others_are_not_there() {
    let admin = shared().await.admin();
    let project = worked(&admin).await;
    let elsewhere = worked(&admin).await;
    let job = json!({"name": "quick", "after_ms": 60_000});
    let id = add(&project, job).await;
    let path = format!("/worker/jobs/{id}");
    assert_eq!(elsewhere.get(&path).await.expect_problem(404), "not_found");
    let cancelled = elsewhere.delete(&path).await.expect(200).json();
    assert_eq!(cancelled, json!(false));
    assert_eq!(look(&project, &id).await["state"], "scheduled");
    for nothing in ["0190a6a8-0000-7000-8000-000000000001", "x"] {
        let path = format!("/worker/jobs/{nothing}");
        assert_eq!(project.get(&path).await.expect_problem(404), "not_found");
    }
}

#[tokio::test]
async fn a_failed_job_is_tried_again_after_a_wait_that_grows() {
    let admin = shared().await.admin();
    let project = worked(&admin).await;
    // Two failures of one sort, then of the other.
    for wish in [json!({"fail_until": 2}), json!({"trap_until": 2})] {
        let id = add(&project, json!({"name": "work", "payload": wish})).await;
        let done = until_job(&project, &id, "done").await;
        assert_eq!(done["attempt"], 3, "{done}");
        let all = attempts(&project).await;
        let own: Vec<_> = all.iter().filter(|one| one["job"] == json!(id)).collect();
        let ended: Vec<_> = own
            .iter()
            .map(|one| one["ended"].as_i64().unwrap())
            .collect();
        assert_eq!(ended, [0, 0, 1], "{own:?}");
        assert!(own.iter().all(|one| one["key"] == json!(id)), "{own:?}");
        // 50 to 100 ms after the first failure, 100 to 200 after the second.
        let waited = done["started_ms"].as_u64().unwrap() - done["created_ms"].as_u64().unwrap();
        assert!(waited >= 150, "{waited} ms");
    }
}

#[tokio::test]
async fn a_job_that_keeps_failing_is_given_up_and_an_admin_can_have_it_tried_again() {
    let admin = shared().await.admin();
    let project = worked(&admin).await;
    let useless = json!({"name": "work", "payload": {"refuse": true}});
    let useless = add(&project, useless).await;
    let dead = until_job(&project, &useless, "dead").await;
    assert_eq!(
        (&dead["attempt"], &dead["error_code"]),
        (&json!(1), &json!("no_use")),
        "{dead}"
    );
    let failing = json!({"name": "work", "payload": {"fail_until": 2}, "attempts": 2});
    let id = add(&project, failing).await;
    let dead = until_job(&project, &id, "dead").await;
    assert_eq!(
        (&dead["attempt"], &dead["error_code"]),
        (&json!(2), &json!("internal")),
        "{dead}"
    );
    let path = queue(&project, "?kind=job&state=dead");
    let listed = admin.get(&path).await.expect(200).json();
    let listed = listed["items"].as_array().unwrap();
    assert_eq!(listed.len(), 2, "{listed:?}");
    let path = queue(&project, &format!("/{id}"));
    let whole = admin.get(&path).await.expect(200).json();
    assert_eq!(whole["payload"]["fail_until"], 2, "{whole}");
    // Its attempts begin anew, and so do its failures.
    let retried = admin.post(&format!("{path}/retry"), json!({})).await;
    assert_eq!(retried.expect(200).json()["attempt"], 0);
    until("another two attempts", DEADLINE, || async {
        let all = attempts(&project).await;
        let own = all.iter().filter(|one| one["job"] == json!(id)).count();
        (own >= 2 && look(&project, &id).await["state"] == "dead").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_job_that_takes_too_long_is_ended() {
    let admin = shared().await.admin();
    let project = worked(&admin).await;
    let wish = json!({"wait_ms": 600_000});
    // The manifest gives half a second and two attempts, this one two seconds.
    let job = json!({"name": "long", "payload": wish});
    let longer = json!({"name": "long", "payload": wish, "timeout_ms": 2_000, "attempts": 1});
    let (id, longer) = (add(&project, job).await, add(&project, longer).await);
    let dead = until_job(&project, &id, "dead").await;
    assert_eq!(
        (&dead["attempt"], &dead["error_code"]),
        (&json!(2), &json!("deadline_exceeded")),
        "{dead}"
    );
    let dead = until_job(&project, &longer, "dead").await;
    let took = dead["finished_ms"].as_u64().unwrap() - dead["started_ms"].as_u64().unwrap();
    assert!((2_000..60_000).contains(&took), "{took} ms");
}

#[tokio::test]
async fn while_a_job_with_a_key_is_open_no_other_is_added() {
    let admin = shared().await.admin();
    let project = worked(&admin).await;
    let job = json!({"name": "quick", "unique": "k", "after_ms": 60_000});
    let ask = || async {
        let added = project.post("/worker/jobs", job.clone()).await;
        added.expect(202).json()
    };
    let first = ask().await;
    assert_eq!(first["existing"], false);
    let copies = futures::future::join_all((0..10).map(|_| ask())).await;
    for copy in copies {
        assert_eq!(
            (&copy["id"], &copy["existing"]),
            (&first["id"], &json!(true))
        );
    }
    // The key is the job's own, and free when that has ended.
    let other = json!({"name": "work", "unique": "k", "after_ms": 60_000});
    let other = project.post("/worker/jobs", other).await.expect(202).json();
    assert_eq!(other["existing"], false);
    let path = format!("/worker/jobs/{}", first["id"].as_str().unwrap());
    let cancelled = project.delete(&path).await.expect(200).json();
    assert_eq!(cancelled, json!(true));
    assert_eq!(ask().await["existing"], false);
}

#[tokio::test]
async fn a_job_waits_for_its_time() {
    let admin = shared().await.admin();
    let project = worked(&admin).await;
    let at = now_ms() + 1_500;
    let bodies = [
        json!({"name": "quick", "after_ms": 1_500}),
        json!({"name": "quick", "at_ms": at}),
    ];
    for body in bodies {
        let id = add(&project, body).await;
        let done = until_job(&project, &id, "done").await;
        let started = done["started_ms"].as_u64().unwrap();
        assert!(started >= done["due_ms"].as_u64().unwrap(), "{done}");
        assert!(started >= at - 1, "{done}");
    }
    // What is past is due at once.
    let id = add(&project, json!({"name": "quick", "at_ms": 1})).await;
    until_job(&project, &id, "done").await;
}

#[tokio::test]
async fn jobs_of_a_key_run_one_at_a_time_in_their_order() {
    let admin = shared().await.admin();
    let project = worked(&admin).await;
    let first = json!({"fail_until": 1, "number": -1});
    add(
        &project,
        json!({"name": "work", "payload": first, "ordered": "a"}),
    )
    .await;
    let mut last = String::new();
    for number in 0..10 {
        let payload = json!({"number": number});
        let body = json!({"name": "work", "payload": payload, "ordered": "a"});
        last = add(&project, body).await;
    }
    until_job(&project, &last, "done").await;
    let all = attempts(&project).await;
    let numbers: Vec<i64> = all
        .iter()
        .map(|one| serde_json::from_str(one["payload"].as_str().unwrap()).unwrap())
        .map(|payload: Value| payload["number"].as_i64().unwrap())
        .collect();
    let expected: Vec<i64> = [-1].into_iter().chain(-1..10).collect();
    assert_eq!(numbers, expected);
}

#[tokio::test]
async fn a_cancelled_job_is_not_done_or_stopped() {
    let server = TestServer::builder()
        .env("ATLASHUB_QUEUE_LEASE_SECONDS", "8")
        .start()
        .await;
    let admin = server.admin();
    let project = worked(&admin).await;
    let cancel = |id: String| {
        let project = project.clone();
        async move {
            let path = format!("/worker/jobs/{id}");
            project.delete(&path).await.expect(200).json()
        }
    };
    let waiting = add(&project, later()).await;
    assert_eq!(cancel(waiting.clone()).await, json!(true));
    assert_eq!(cancel(waiting.clone()).await, json!(false));
    // One that looks while it works finds out by itself.
    let wish = json!({"progress": 10, "wait_ms": 1_000, "progress_after": 90});
    let asking = add(&project, json!({"name": "work", "payload": wish})).await;
    until_job(&project, &asking, "running").await;
    assert_eq!(cancel(asking.clone()).await, json!(true));
    // One that does not is stopped.
    let wish = json!({"wait_ms": 600_000});
    let job = json!({"name": "work", "payload": wish, "timeout_ms": 3_600_000});
    let deaf = add(&project, job).await;
    until_job(&project, &deaf, "running").await;
    assert_eq!(cancel(deaf.clone()).await, json!(true));
    let metrics = format!("/admin/v1/projects/{}/plugins/worker/metrics", project.slug);
    until("the end of the handlers", DEADLINE, || async {
        let metrics = admin.get(&metrics).await.expect(200).json();
        (metrics["running"] == 0).then_some(())
    })
    .await;
    for id in [&waiting, &asking, &deaf] {
        assert_eq!(look(&project, id).await["state"], "cancelled");
    }
    let all = attempts(&project).await;
    assert_eq!(all.len(), 2, "{all:?}");
    assert!(all.iter().all(|one| one["ended"] == 0), "{all:?}");
}

#[tokio::test]
async fn a_job_says_how_far_it_is() {
    let admin = shared().await.admin();
    let project = worked(&admin).await;
    let wish = json!({"progress": 40, "wait_ms": 3_000});
    let id = add(&project, json!({"name": "work", "payload": wish})).await;
    let half = until("some progress", DEADLINE, || async {
        let job = look(&project, &id).await;
        (job["progress"] == 40).then_some(job)
    })
    .await;
    assert_eq!(half["progress_message"], "under way", "{half}");
    let path = queue(&project, &format!("/{id}"));
    assert_eq!(admin.get(&path).await.expect(200).json()["progress"], 40);
    until_job(&project, &id, "done").await;
    // Outside of a job there is nothing to say it of.
    let answer = project.post("/worker/progress", json!({})).await;
    assert!(answer.status >= 400, "{}", answer.status);
}

#[tokio::test]
async fn the_urgent_go_first() {
    let server = TestServer::builder()
        .env("ATLASHUB_QUEUE_WORKERS", "1")
        .start()
        .await;
    let project = worked(&server.admin()).await;
    let first = json!({"name": "work", "payload": {"wait_ms": 20_000}});
    let first = add(&project, first).await;
    until_job(&project, &first, "running").await;
    let mut last = String::new();
    for priority in [5, 0, -7, 100, -100] {
        let payload = json!({"priority": priority});
        let body = json!({"name": "work", "payload": payload, "priority": priority});
        let id = add(&project, body).await;
        if priority == 100 {
            last = id;
        }
    }
    until_job(&project, &last, "done").await;
    let all = attempts(&project).await;
    let order: Vec<i64> = all
        .iter()
        .map(|one| serde_json::from_str(one["payload"].as_str().unwrap()).unwrap())
        .filter_map(|payload: Value| payload["priority"].as_i64())
        .collect();
    assert_eq!(order, [-100, -7, 0, 5, 100]);
}

#[tokio::test]
async fn many_jobs_of_one_project_do_not_delay_one_of_another() {
    let server = TestServer::builder()
        .env("ATLASHUB_QUEUE_WORKERS", "2")
        .start()
        .await;
    let admin = server.admin();
    let busy = worked(&admin).await;
    let idle = worked(&admin).await;
    // Minutes of work for two places, however long it takes to add it.
    let wish = json!({"wait_ms": 300, "silent": true});
    for _ in 0..40 {
        add_many(&busy, 50, json!({"name": "work", "payload": wish})).await;
    }
    let id = add(&idle, json!({"name": "work"})).await;
    until_job(&idle, &id, "done").await;
    let counts = admin.get(&queue(&busy, "/counts")).await.expect(200).json();
    let open = counts["ready"].as_u64().unwrap() + counts["running"].as_u64().unwrap();
    assert!(open >= 500, "{counts}");
}

#[tokio::test]
async fn jobs_are_bounded() {
    let admin = shared().await.admin();
    let project = worked(&admin).await;
    let large = "x".repeat(64 * 1024);
    for (body, status, code) in [
        (json!({"name": "other"}), 422, "job_not_declared"),
        (
            json!({"name": "work", "payload": large}),
            413,
            "job_too_large",
        ),
        (json!({"name": "work", "priority": 101}), 422, "invalid_job"),
        (json!({"name": "work", "unique": ""}), 422, "invalid_job"),
        (
            json!({"name": "work", "ordered": "a\nb"}),
            422,
            "invalid_job",
        ),
        (json!({"name": "work", "attempts": 51}), 422, "invalid_job"),
        (
            json!({"name": "work", "timeout_ms": 3_600_001}),
            422,
            "invalid_job",
        ),
        (
            json!({"name": "work", "after_ms": u64::MAX}),
            422,
            "invalid_job",
        ),
        (
            json!({"name": "reboot", "platform": true}),
            422,
            "platform_job_unknown",
        ),
        (
            json!({"name": "export", "platform": true}),
            501,
            "platform_job_unavailable",
        ),
    ] {
        let answer = project.post("/worker/jobs", body.clone()).await;
        assert_eq!(answer.expect_problem(status), code, "{body:.100}");
    }
    let listed = admin.get(&queue(&project, "")).await.expect(200).json();
    assert_eq!(listed["items"], json!([]));
}

#[tokio::test]
async fn the_platform_tidies_a_project_up_as_a_job() {
    let admin = shared().await.admin();
    let project = worked(&admin).await;
    let id = add(&project, json!({"name": "cleanup", "platform": true})).await;
    let done = until_job(&project, &id, "done").await;
    assert_eq!(
        (&done["platform"], &done["progress"], &done["attempt"]),
        (&json!(true), &json!(50), &json!(1)),
        "{done}"
    );
    assert!(attempts(&project).await.is_empty());
}

#[tokio::test]
async fn what_was_not_granted_is_not_done() {
    let admin = shared().await.admin();
    let project = worked(&admin).await;
    let bare = json!({"grants": ["sql"]});
    let _ = admin.install(&project, "worker", bare).await.expect(200);
    for (method, path, body) in [
        (Method::POST, "/worker/jobs", json!({"name": "work"})),
        (Method::GET, "/worker/schedules", json!({})),
        (
            Method::GET,
            "/worker/explain?expression=*+*+*+*+*",
            json!({}),
        ),
        (
            Method::PUT,
            "/worker/schedules/s",
            json!({"job": "work", "expression": "* * * * *"}),
        ),
    ] {
        let request = project.request(method, path).json(&body);
        let answer = Reply::to(request).await;
        assert_eq!(answer.expect_problem(403), "not_granted", "{path}");
    }
    let some = json!({"grants": ["sql", "jobs"]});
    let _ = admin.install(&project, "worker", some).await.expect(200);
    let answer = project
        .post("/worker/jobs", json!({"name": "cleanup", "platform": true}))
        .await;
    assert_eq!(answer.expect_problem(403), "not_granted");
    // What was in the queue when the grant went is not done.
    let id = add(&project, later()).await;
    let bare = json!({"grants": ["sql"]});
    let _ = admin.install(&project, "worker", bare).await.expect(200);
    ready(&admin, &project, &id).await;
    let item = until("the end of the job", DEADLINE, || async {
        let item = admin.get(&queue(&project, &format!("/{id}"))).await;
        let item = item.expect(200).json();
        (item["state"] == "dead").then_some(item)
    })
    .await;
    assert_eq!(item["error"]["code"], "job_not_declared", "{item}");
}

#[tokio::test]
async fn jobs_wait_for_a_plugin_that_is_off() {
    let admin = shared().await.admin();
    let project = worked(&admin).await;
    let id = add(&project, later()).await;
    let off = json!({"enabled": false});
    let _ = admin.install(&project, "worker", off).await.expect(200);
    ready(&admin, &project, &id).await;
    let path = queue(&project, &format!("/{id}"));
    until("a job that is held", DEADLINE, || async {
        let item = admin.get(&path).await.expect(200).json();
        (item["state"] == "held").then_some(())
    })
    .await;
    let on = json!({"enabled": true});
    let _ = admin.install(&project, "worker", on).await.expect(200);
    let done = until_job(&project, &id, "done").await;
    assert_eq!(done["attempt"], 1, "{done}");
}

#[tokio::test]
async fn a_manifest_with_jobs_needs_a_handler_and_the_grant() {
    let admin = shared().await.admin();
    let manifest = "name = \"hello\"\nversion = \"9.0.0\"\n\
                    [[jobs]]\nname = \"a\"\n";
    let component = atlashub_tests::built_in("hello");
    let refused = admin.upload(component.clone(), Some(manifest)).await;
    assert_eq!(refused.expect_problem(422), "invalid_manifest");
    let granted = format!("grants = [\"jobs\"]\n{manifest}");
    let refused = admin.upload(component, Some(&granted)).await;
    assert_eq!(refused.expect_problem(422), "no_job_handler");
}

/// How long a job may be under way elsewhere.
pub(crate) const LEASE: Duration = Duration::from_secs(4);
