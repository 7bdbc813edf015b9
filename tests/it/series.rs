//! What projects did over time: counted by every node, added up, kept over a
//! restart, read as points.

use crate::jobs::{add, until_job, worked};
use atlashub_tests::{Admin, DEADLINE, Engine, Project, TestServer, shared, until};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A server that writes down what happened every second.
async fn server() -> TestServer {
    let builder = TestServer::builder();
    builder.env("ATLASHUB_SERIES_SECONDS", "1").start().await
}

/// What a project did within the last hour, as far as it is written down.
async fn of(admin: &Admin, project: &Project, more: &str) -> Value {
    let path = format!(
        "/admin/v1/projects/{}/series?step=minute{more}",
        project.slug
    );
    admin.get(&path).await.expect(200).json()
}

/// What it did in all, once that is what is `wanted`.
async fn until_total(admin: &Admin, project: &Project, more: &str, wanted: &Value) -> Value {
    until(&format!("{wanted} of {more:?}"), DEADLINE, || async {
        let series = of(admin, project, more).await;
        let is = |(name, value): (&String, &Value)| series["total"][name] == *value;
        let all = wanted.as_object().unwrap().iter().all(is);
        all.then_some(series)
    })
    .await
}

fn sum(series: &Value, member: &str) -> u64 {
    let points = series["points"].as_array().unwrap();
    points
        .iter()
        .map(|point| point[member].as_u64().unwrap())
        .sum()
}

#[tokio::test]
async fn requests_and_errors_appear_by_project_and_plugin() {
    let server = server().await;
    let admin = server.admin();
    let project = admin.project_with(&["hello", "files"]).await;
    let idle = admin.project_with(&["hello"]).await;
    for _ in 0..3 {
        let _ = project.get("/hello").await.expect(200);
    }
    project.get("/files/none").await.expect_problem(404);
    project
        .get("/nobody-answers-here")
        .await
        .expect_problem(404);
    let _ = project
        .get("/v1/auth/.well-known/jwks.json")
        .await
        .expect(200);

    let wanted = json!({"requests": 6, "client_errors": 2, "server_errors": 0});
    let all = until_total(&admin, &project, "", &wanted).await;
    assert_eq!(sum(&all, "requests"), 6);
    assert!(sum(&all, "bytes_out") > 0, "{all}");
    let latency = &all["total"]["latency_ms"];
    let of_total = |name: &str| latency[name].as_f64().unwrap();
    assert!(of_total("p50") > 0.0 && of_total("p50") <= of_total("p95"));
    let points = all["points"].as_array().unwrap();
    assert!((60..=61).contains(&points.len()), "{}", points.len());
    let silent = points.iter().filter(|point| point["requests"] == 0);
    for point in silent {
        assert_eq!(point["latency_ms"], Value::Null, "{point}");
    }
    let minute = |point: &Value| {
        let at = point["at"].as_str().unwrap();
        OffsetDateTime::parse(at, &Rfc3339)
            .unwrap()
            .unix_timestamp()
    };
    for pair in points.windows(2) {
        assert_eq!(minute(&pair[1]) - minute(&pair[0]), 60);
    }
    assert_eq!(minute(&points[0]) % 60, 0);

    let hello = of(&admin, &project, "&plugin=hello").await;
    assert_eq!(hello["total"]["requests"], 3);
    assert_eq!(hello["points"][0]["storage_bytes"], Value::Null);
    let files = of(&admin, &project, "&plugin=files").await;
    assert_eq!(files["total"]["client_errors"], 1);
    assert_eq!(of(&admin, &idle, "").await["total"]["requests"], 0);
    let everything = admin.get("/admin/v1/series").await.expect(200).json();
    assert!(everything["total"]["requests"].as_u64() >= Some(6));

    let look = |project: &Project| {
        let path = format!("/admin/v1/projects/{}", project.slug);
        let admin = admin.clone();
        async move { admin.get(&path).await.expect(200).json()["id"].clone() }
    };
    let (own, other) = (look(&project).await, look(&idle).await);
    let ids = format!("{},{}", own.as_str().unwrap(), other.as_str().unwrap());
    let path = format!("/admin/v1/series/projects?ids={ids}");
    let uses = admin.get(&path).await.expect(200).json();
    let requests = |place: usize| -> u64 {
        let numbers = uses["items"][place]["requests"].as_array().unwrap();
        numbers.iter().map(|number| number.as_u64().unwrap()).sum()
    };
    assert_eq!(uses["items"][0]["id"], own);
    assert_eq!((requests(0), requests(1)), (6, 0));
}

#[tokio::test]
async fn a_plugin_that_fails_is_seen_in_the_errors() {
    let server = server().await;
    let admin = server.admin();
    let misbehave = atlashub_tests::fixture("misbehave");
    let _ = admin.upload(misbehave, None).await.expect_success();
    let project = admin.project_with(&["misbehave"]).await;
    let _ = project.get("/misbehave/trap").await.expect_problem(502);
    let wanted = json!({"requests": 1, "client_errors": 0, "server_errors": 1});
    let _ = until_total(&admin, &project, "&plugin=misbehave", &wanted).await;
}

#[tokio::test]
async fn work_of_the_queue_and_storage_appear() {
    let server = server().await;
    let admin = server.admin();
    let project = worked(&admin).await;
    let _ = admin.enable(&project, "files").await;
    let id = add(&project, json!({"name": "work", "payload": {}})).await;
    let _ = until_job(&project, &id, "done").await;
    let _ = add(&project, json!({"name": "work", "after_ms": 3_600_000})).await;
    let _ = project.upload("a.bin", vec![7; 50_000]).await.expect(201);
    let wanted = json!({"jobs_done": 1, "jobs_failed": 0});
    let _ = until_total(&admin, &project, "&plugin=worker", &wanted).await;
    until("the levels", DEADLINE, || async {
        let series = of(&admin, &project, "").await;
        let last = series["points"].as_array().unwrap().last().unwrap().clone();
        let stored = last["storage_bytes"].as_u64() >= Some(50_000);
        (stored && last["jobs_waiting"].as_u64() >= Some(1)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_happened_survives_a_restart() {
    // Written down by the end of the node: its minute is not over.
    let mut server = TestServer::start().await;
    let project = server.admin().project_with(&["hello"]).await;
    for round in 1..=2 {
        for _ in 0..5 {
            let _ = project.get("/hello").await.expect(200);
        }
        server.restart().await;
        let wanted = json!({"requests": 5 * round});
        let _ = until_total(&server.admin(), &project, "&plugin=hello", &wanted).await;
    }
}

#[tokio::test]
async fn two_nodes_add_up() {
    if !Engine::of_this_run().serves_many_nodes() {
        return;
    }
    let first = server().await;
    let second = first.second_node().await;
    let admin = first.admin();
    let project = admin.project_with(&["hello"]).await;
    let there = project.on(&second);
    until("the project there", DEADLINE, || async {
        (there.get("/hello").await.status == 200).then_some(())
    })
    .await;
    let requests = |series: Value| series["total"]["requests"].as_u64().unwrap();
    let before = until("the first request", DEADLINE, || async {
        let found = requests(of(&admin, &project, "&plugin=hello").await);
        (found > 0).then_some(found)
    })
    .await;
    for _ in 0..20 {
        let _ = project.get("/hello").await.expect(200);
        let _ = there.get("/hello").await.expect(200);
    }
    let wanted = json!({"requests": before + 40});
    let _ = until_total(&admin, &project, "&plugin=hello", &wanted).await;
    let seen = until_total(&second.admin(), &project, "&plugin=hello", &wanted).await;
    assert_eq!(sum(&seen, "requests"), before + 40);
}

#[tokio::test]
async fn a_deleted_project_takes_what_it_did_with_it() {
    let server = server().await;
    let admin = server.admin();
    let project = admin.project_with(&["hello"]).await;
    let _ = project.get("/hello").await.expect(200);
    let _ = until_total(&admin, &project, "", &json!({"requests": 1})).await;
    let path = format!("/admin/v1/projects/{}", project.slug);
    let _ = admin.delete(&path).await.expect_success();
    let series = format!("{path}/series");
    let _ = admin.get(&series).await.expect_problem(404);
}

#[tokio::test]
async fn what_cannot_be_told_is_refused_with_a_way_out() {
    let admin = shared().await.admin();
    let project = admin.project().await;
    let base = format!("/admin/v1/projects/{}/series", project.slug);
    let now = OffsetDateTime::now_utc();
    let ago = |hours: i64| {
        let at = (now - time::Duration::hours(hours)).format(&Rfc3339);
        at.unwrap().replace('+', "%2B")
    };
    for (query, code) in [
        (format!("step=minute&from={}", ago(30)), "too_many_points"),
        (
            format!("step=minute&from={}&to={}", ago(50), ago(49)),
            "step_too_fine",
        ),
        (format!("step=hour&from={}", ago(24 * 33)), "step_too_fine"),
        (format!("from={}&to={}", ago(1), ago(2)), "invalid_range"),
    ] {
        let refused = admin.get(&format!("{base}?{query}")).await;
        assert_eq!(refused.expect_problem(400), code, "{query}");
    }
    for query in ["step=second", "from=yesterday"] {
        let _ = admin
            .get(&format!("{base}?{query}"))
            .await
            .expect_problem(400);
    }
    let days = admin.get(&format!("{base}?from={}", ago(24 * 365))).await;
    let days = days.expect(200).json();
    assert_eq!(days["step"], "day");
    assert!((365..=367).contains(&days["points"].as_array().unwrap().len()));
    let path = "/admin/v1/series/projects?ids=nobody";
    let _ = admin.get(path).await.expect_problem(400);
}
