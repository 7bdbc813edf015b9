//! The plugin `cron`: jobs that call an address, a plugin and the platform,
//! now and by the clock, with a target on loopback that sees what comes.

use atlashub_tests::{DEADLINE, Project, Reply, ServerBuilder, TestServer, shared, unique, until};
use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::OnceCell;

const SECRET: &str = "Bearer t0p-s3cret-of-the-tests";
/// Longer than any test lasts.
const LONG: Duration = Duration::from_secs(600);

/// A request that came.
#[derive(Clone)]
struct Came {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

#[derive(Clone, Default)]
struct Kept {
    came: Arc<Mutex<Vec<Came>>>,
    /// What paths are answered with, where it is not 200.
    statuses: Arc<Mutex<HashMap<String, u16>>>,
}

/// Whom jobs call. `/slow…` never answers, `/big…` says much, `/echo…` says
/// which headers it got. It has a thread of its own, so that it outlives the
/// test that started it.
struct Target {
    address: SocketAddr,
    kept: Kept,
}

impl Target {
    fn start() -> Self {
        let kept = Kept::default();
        let app = Router::new().fallback(answer).with_state(kept.clone());
        let (tell, told) = std::sync::mpsc::channel();
        drop(std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                axum::serve(listener, app).await.unwrap();
            });
        }));
        Self {
            address: told.recv().unwrap(),
            kept,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn answers(&self, path: &str, status: u16) {
        let mut statuses = self.kept.statuses.lock().unwrap();
        statuses.insert(path.to_owned(), status);
    }

    /// What came at a path.
    fn came(&self, path: &str) -> Vec<Came> {
        let came = self.kept.came.lock().unwrap();
        came.iter()
            .filter(|came| came.path == path)
            .cloned()
            .collect()
    }
}

async fn answer(State(kept): State<Kept>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let body = to_bytes(body, 1024 * 1024).await.unwrap();
    kept.came.lock().unwrap().push(Came {
        path: path.clone(),
        headers: parts.headers.clone(),
        body,
    });
    if path.starts_with("/slow") {
        tokio::time::sleep(LONG).await;
    }
    let status = kept.statuses.lock().unwrap().get(&path).copied();
    let status = StatusCode::from_u16(status.unwrap_or(200)).unwrap();
    let text = match path.as_str() {
        big if big.starts_with("/big") => "line of the target\n".repeat(1_000),
        echo if echo.starts_with("/echo") => format!("{:?}", parts.headers),
        _ => "fine".to_owned(),
    };
    (status, text).into_response()
}

/// A server that may reach the target.
struct World {
    server: TestServer,
    target: Target,
}

async fn world() -> &'static World {
    static WORLD: OnceCell<World> = OnceCell::const_new();
    WORLD
        .get_or_init(|| async {
            let target = Target::start();
            let server = ServerBuilder::default()
                .env("ATLASHUB_EGRESS_ALLOW", target.address.to_string())
                .start()
                .await;
            World { server, target }
        })
        .await
}

impl World {
    /// A project whose jobs may call the target, and `files`.
    async fn project(&self) -> Project {
        let admin = self.server.admin();
        let project = admin.project_with(&["files", "notifications"]).await;
        self.configure(&project, json!({})).await;
        project
    }

    async fn configure(&self, project: &Project, more: Value) {
        let mut config = json!({
            "allowed_targets": [self.target.address.to_string()], "allowed_plugins": ["files"],
        });
        let more = more.as_object().unwrap().clone();
        config.as_object_mut().unwrap().extend(more);
        let body = json!({"enabled": true, "grants": "requested", "config": config});
        let installed = self.server.admin().install(project, "cron", body).await;
        let _ = installed.expect_success();
    }

    fn job(&self, path: &str) -> Value {
        json!({
            "name": path, "type": "http", "schedule": "0 0 1 1 *",
            "http": {"url": self.target.url(path), "method": "POST", "body": {"a": [1, "ä"]}},
        })
    }

    /// Has the plugin look after its jobs.
    async fn watch(&self, project: &Project) {
        let admin = self.server.admin();
        let base = format!("/admin/v1/projects/{}/schedules", project.slug);
        let list = admin.get(&format!("{base}?plugin=cron&limit=200")).await;
        let list = list.expect(200).json();
        let items = list["items"].as_array().unwrap().iter();
        let watch = items.clone().find(|one| one["name"] == "watch").unwrap();
        let path = format!("{base}/{}/run", watch["id"].as_str().unwrap());
        let _ = admin.post(&path, json!({})).await.expect_success();
    }
}

async fn create(project: &Project, body: Value) -> String {
    let made = project.post("/cron/jobs", body).await.expect(201).json();
    made["id"].as_str().unwrap().to_owned()
}

async fn start(project: &Project, job: &str) -> Value {
    let run = project
        .post(&format!("/cron/jobs/{job}/run"), json!({}))
        .await;
    run.expect(202).json()
}

/// The runs of a job, asked for until a busy database has told them.
async fn runs(project: &Project, job: &str) -> Vec<Value> {
    let path = format!("/cron/jobs/{job}/runs?limit=200");
    let request = project.request(Method::GET, &path);
    let page = Reply::try_patiently(request).await.unwrap();
    let page = page.expect(200).json();
    page["items"].as_array().unwrap().clone()
}

/// The run of that id, when it has ended.
async fn ended(project: &Project, run: &Value) -> Value {
    let job = run["job_id"].as_str().unwrap();
    until("the end of a run", DEADLINE, || async {
        let runs = runs(project, job).await;
        let own = runs.into_iter().find(|one| one["id"] == run["id"])?;
        (own["status"] != "running").then_some(own)
    })
    .await
}

async fn log(project: &Project, run: &Value) -> String {
    let path = format!("/cron/runs/{}/log", run["id"].as_str().unwrap());
    let reply = project.get(&path).await.expect(200);
    assert_eq!(reply.header("content-type"), "text/plain; charset=utf-8");
    reply.text()
}

#[tokio::test]
async fn a_job_runs_now_and_its_sealed_header_is_nowhere_but_at_the_target() {
    let world = world().await;
    let project = world.project().await;
    let path = unique("/echo");
    let mut body = world.job(&path);
    body["http"]["headers"] = json!({"Authorization": SECRET, "x-plain": "seen"});
    let id = create(&project, body).await;
    let job = project.get(&format!("/cron/jobs/{id}")).await.expect(200);
    let headers = &job.json()["http"]["headers"];
    assert_eq!(
        headers,
        &json!({"authorization": "[sealed]", "x-plain": "seen"})
    );

    let run = ended(&project, &start(&project, &id).await).await;
    assert_eq!(run["status"], "success", "{run}");
    assert_eq!(run["http_status"], 200);
    assert!(run["duration_ms"].is_u64(), "{run}");
    let came = world.target.came(&path);
    assert_eq!(came.len(), 1);
    assert_eq!(came[0].headers["authorization"], SECRET);
    assert_eq!(
        came[0].headers["idempotency-key"],
        run["id"].as_str().unwrap()
    );
    let sent: Value = serde_json::from_slice(&came[0].body).unwrap();
    assert_eq!(sent, json!({"a": [1, "ä"]}));

    let log = log(&project, &run).await;
    assert!(log.contains("200 OK"), "{log}");
    // What the target repeated.
    assert!(log.contains(r#""authorization": "[sealed]""#), "{log}");
    let list = project.get("/cron/jobs").await.expect(200).text();
    let admin = world.server.admin();
    let base = format!("/admin/v1/projects/{}", project.slug);
    let logs = admin.get(&format!("{base}/plugins/cron/logs")).await.text();
    let queue = admin.get(&format!("{base}/queue")).await.text();
    let audit = admin.get("/admin/v1/audit?limit=200").await.text();
    let server = world.server.log();
    for text in [&log, &list, &logs, &queue, &audit, &server, &job.text()] {
        assert!(!text.contains("t0p-s3cret"), "{text}");
    }
    assert!(audit.contains("plugins.cron.job.create"), "{audit}");
}

#[tokio::test]
async fn a_schedule_with_seconds_fires_once_each_time() {
    let world = world().await;
    let project = world.project().await;
    let path = unique("/tick");
    let mut body = world.job(&path);
    body["schedule"] = json!("* * * * * *");
    body["timezone"] = json!("Africa/Nairobi");
    let id = create(&project, body).await;
    let three = until("three runs", DEADLINE, || async {
        let runs = runs(&project, &id).await;
        let done = runs.iter().filter(|run| run["status"] == "success").count();
        (done >= 3).then_some(runs)
    })
    .await;
    let times: BTreeSet<&str> = three
        .iter()
        .map(|run| run["scheduled_at"].as_str().unwrap())
        .collect();
    assert_eq!(times.len(), three.len(), "{three:?}");

    let off = json!({"enabled": false});
    let changed = project.patch(&format!("/cron/jobs/{id}"), off).await;
    let changed = changed.expect(200).json();
    assert_eq!(changed["next_run_at"], Value::Null);
    assert_eq!(changed["last_status"], "success");
    let _ = project
        .delete(&format!("/cron/jobs/{id}"))
        .await
        .expect(204);
    let gone = project.get(&format!("/cron/jobs/{id}/runs")).await;
    assert_eq!(gone.expect_problem(404), "not_found");
}

#[tokio::test]
async fn failure_and_recovery_are_told_once_each() {
    let world = world().await;
    let project = world.project().await;
    let user = project.sign_up().await;
    let (path, hook) = (unique("/turn"), unique("/hook"));
    world.target.answers(&path, 503);
    let mut body = world.job(&path);
    body["retries"] = json!(2);
    body["retry_backoff_ms"] = json!(200);
    body["notify"] = json!({"user_ids": [user.id], "webhook_url": world.target.url(&hook)});
    let id = create(&project, body).await;
    let failed = ended(&project, &start(&project, &id).await).await;
    assert_eq!(failed["status"], "fail", "{failed}");
    assert_eq!(failed["http_status"], 503);
    assert_eq!(failed["attempt"], 3);
    let came = world.target.came(&path);
    assert_eq!(came.len(), 3);
    let keys: BTreeSet<_> = came
        .iter()
        .map(|came| came.headers["idempotency-key"].to_str().unwrap())
        .collect();
    assert_eq!(keys.len(), 1);
    let text = log(&project, &failed).await;
    assert!(
        text.contains("attempt 1: ") && text.contains("attempt 3: "),
        "{text}"
    );
    let again = ended(&project, &start(&project, &id).await).await;
    assert_eq!(again["status"], "fail");
    world.target.answers(&path, 200);
    let works = ended(&project, &start(&project, &id).await).await;
    assert_eq!(works["status"], "success");

    let kinds = until("two notifications", DEADLINE, || async {
        let list = user.get("/notifications").await.expect(200).json();
        let items = list["items"].as_array().unwrap();
        let mut kinds: Vec<_> = items
            .iter()
            .map(|item| item["kind"].as_str().unwrap().to_owned())
            .collect();
        kinds.sort();
        (kinds.len() >= 2).then_some(kinds)
    })
    .await;
    assert_eq!(kinds, ["job_failed", "job_recovered"]);
    let told = until("two messages", DEADLINE, || async {
        let told = world.target.came(&hook);
        (told.len() >= 2).then_some(told)
    })
    .await;
    let contents: Vec<Value> = told
        .iter()
        .map(|came| serde_json::from_slice(&came.body).unwrap())
        .collect();
    let says = |words: &str| {
        let contents = contents.iter();
        let mut texts = contents.map(|content| content["content"].as_str().unwrap());
        texts.any(|text| text.contains(words) && text.starts_with(&format!("[{}]", project.slug)))
    };
    assert!(says("failed") && says("works again"), "{contents:?}");
    // Its address is a secret, too.
    let job = project.get(&format!("/cron/jobs/{id}")).await.expect(200);
    assert_eq!(job.json()["notify"]["webhook_url"], "[sealed]");
    assert!(!job.text().contains(&hook));
}

#[tokio::test]
async fn who_takes_too_long_and_who_is_not_on_the_list() {
    let world = world().await;
    let project = world.project().await;
    let path = unique("/slow");
    let mut body = world.job(&path);
    body["timeout_ms"] = json!(500);
    let id = create(&project, body).await;
    let late = ended(&project, &start(&project, &id).await).await;
    assert_eq!(late["status"], "timeout", "{late}");
    assert_eq!(late["http_status"], Value::Null);
    assert_eq!(late["error_text"], "it took longer than 500 ms");

    let mut other = world.job("/");
    other["http"]["url"] = json!("https://other.example:8443/x");
    let refused = project.post("/cron/jobs", other).await;
    assert_eq!(refused.expect_problem(400), "target_not_allowed");
    let refused = refused.json();
    assert_eq!(refused["allow"], "other.example:8443");
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("`other.example:8443`")
    );

    // What leaves the list is not called any more.
    let path = unique("/left");
    let id = create(&project, world.job(&path)).await;
    world
        .configure(&project, json!({"allowed_targets": []}))
        .await;
    let run = ended(&project, &start(&project, &id).await).await;
    assert_eq!(run["status"], "fail", "{run}");
    assert!(
        run["error_text"]
            .as_str()
            .unwrap()
            .contains("`allowed_targets`"),
        "{run}"
    );
    // A private address that the operator does not allow is not called, though
    // the project would.
    let nobody = atlashub_tests::free_address().to_string();
    world
        .configure(&project, json!({"allowed_targets": [nobody]}))
        .await;
    let mut body = world.job("/");
    body["http"]["url"] = json!(format!("http://{nobody}/"));
    let id = create(&project, body).await;
    let run = ended(&project, &start(&project, &id).await).await;
    assert_eq!(run["status"], "fail", "{run}");
    assert!(
        run["error_text"]
            .as_str()
            .unwrap()
            .contains("ATLASHUB_EGRESS_ALLOW"),
        "{run}"
    );
    assert!(world.target.came(&path).is_empty());
}

#[tokio::test]
async fn history_is_paged_and_long_logs_lie_in_the_store() {
    let world = world().await;
    let project = world.project().await;
    world.configure(&project, json!({"keep_runs": 3})).await;
    let path = unique("/big");
    let id = create(&project, world.job(&path)).await;
    for _ in 0..5 {
        let run = ended(&project, &start(&project, &id).await).await;
        assert!(run["log_object_key"].is_string(), "{run}");
    }
    let all = runs(&project, &id).await;
    assert_eq!(all.len(), 5);
    assert!(
        log(&project, &all[0])
            .await
            .contains(&"line of the target\n".repeat(1_000))
    );
    let page = |cursor: String| {
        let path = format!("/cron/jobs/{id}/runs?limit=2{cursor}");
        let project = &project;
        async move { project.get(&path).await.expect(200).json() }
    };
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = page(cursor).await;
        seen.extend(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, all);
    let none = format!("/cron/jobs/{id}/runs?status=fail");
    assert_eq!(
        project.get(&none).await.expect(200).json()["items"],
        json!([])
    );

    world.watch(&project).await;
    let kept = until("the end of what is too old", DEADLINE, || async {
        let runs = runs(&project, &id).await;
        (runs.len() == 3).then_some(runs)
    })
    .await;
    assert_eq!(kept, all[..3]);
    let _ = project
        .delete(&format!("/cron/jobs/{id}"))
        .await
        .expect(204);
    let path = format!("/cron/runs/{}/log", kept[0]["id"].as_str().unwrap());
    assert_eq!(project.get(&path).await.expect_problem(404), "not_found");
}

#[tokio::test]
async fn a_job_that_may_not_overlap_waits_its_turn_and_what_is_missed_is_told() {
    let world = world().await;
    let project = world.project().await;
    let user = project.sign_up().await;
    let path = unique("/slow");
    let mut body = world.job(&path);
    body["schedule"] = json!("* * * * * *");
    body["timeout_ms"] = json!(3_000);
    body["notify"] = json!({"user_ids": [user.id], "on": ["missed"]});
    let id = create(&project, body).await;
    let missed = until("a missed time", DEADLINE, || async {
        let runs = runs(&project, &id).await;
        runs.into_iter().find(|run| run["status"] == "missed")
    })
    .await;
    assert_eq!(missed["started_at"], Value::Null, "{missed}");
    assert_eq!(missed["attempt"], 0);
    let open = runs(&project, &id).await;
    let open = open.iter().filter(|run| run["status"] == "running").count();
    assert!(open <= 1, "{open} run at once");
    until("a notification", DEADLINE, || async {
        let list = user.get("/notifications").await.expect(200).json();
        (list["items"][0]["kind"] == "job_missed").then_some(())
    })
    .await;
    let off = json!({"enabled": false});
    let _ = project
        .patch(&format!("/cron/jobs/{id}"), off)
        .await
        .expect(200);
    // By hand it may not overlap either; allowed to, it may.
    let free = until("no run", DEADLINE, || async {
        let runs = runs(&project, &id).await;
        runs.iter()
            .all(|run| run["status"] != "running")
            .then_some(())
    });
    free.await;
    let first = start(&project, &id).await;
    let second = project
        .post(&format!("/cron/jobs/{id}/run"), json!({}))
        .await;
    assert_eq!(second.expect_problem(409), "job_running");
    let overlap = json!({"overlap": true});
    let _ = project
        .patch(&format!("/cron/jobs/{id}"), overlap)
        .await
        .expect(200);
    let second = start(&project, &id).await;
    for run in [first, second] {
        assert_eq!(ended(&project, &run).await["status"], "timeout");
    }
}

#[tokio::test]
async fn the_platform_and_plugins_are_jobs_too() {
    let world = world().await;
    let project = world.project().await;
    let cleanup = json!({
        "name": "Tidy", "type": "platform", "schedule": "0 3 * * *", "action": "cleanup",
    });
    let id = create(&project, cleanup).await;
    let run = ended(&project, &start(&project, &id).await).await;
    assert_eq!(run["status"], "success", "{run}");

    let sweep = json!({
        "name": "Sweep", "type": "plugin", "schedule": "0 3 * * *",
        "plugin": {"name": "files", "method": "POST", "path": "/files/sweep"},
    });
    let id = create(&project, sweep).await;
    let run = ended(&project, &start(&project, &id).await).await;
    assert_eq!(run["status"], "success", "{run}");
    assert!(
        log(&project, &run)
            .await
            .contains("POST /files/sweep of the plugin files")
    );

    let other = json!({
        "name": "Other", "type": "plugin", "schedule": "0 3 * * *",
        "plugin": {"name": "notifications", "path": "/notifications"},
    });
    let refused = project.post("/cron/jobs", other).await;
    assert_eq!(refused.expect_problem(400), "target_not_allowed");
    let unknown = json!({
        "name": "Other", "type": "platform", "schedule": "0 3 * * *", "action": "reboot",
    });
    let refused = project.post("/cron/jobs", unknown).await;
    assert_eq!(refused.expect_problem(422), "unknown_action");
}

#[tokio::test]
async fn an_export_comes_by_the_clock_and_is_kept() {
    let world = world().await;
    let admin = world.server.admin();
    let project = admin.project_with(&["cron", "db", "transfer"]).await;
    let table = json!({"name": "notes", "columns": [
        {"name": "id", "type": "bigint", "primary_key": true},
        {"name": "word", "type": "text"},
    ]});
    let tables = format!("/admin/v1/projects/{}/tables", project.slug);
    let _ = admin.post(&tables, table).await.expect(201);
    let rows = json!({"rows": [{"id": 1, "word": "kept"}]});
    let _ = project.post("/v1/db/notes", rows).await.expect(201);

    let export = json!({
        "name": "Out", "type": "platform", "schedule": "0 3 * * *", "action": "export",
    });
    let id = create(&project, export.clone()).await;
    let run = ended(&project, &start(&project, &id).await).await;
    assert_eq!(run["status"], "success", "{run}");
    let jobs = project.get("/transfer/jobs").await.expect(200).json();
    let path = format!(
        "/transfer/jobs/{}",
        jobs["items"][0]["id"].as_str().unwrap()
    );
    let job = project.get(&path).await.expect(200).json();
    assert_eq!(
        (&job["status"], &job["what"], &job["progress"]["rows"]),
        (&json!("done"), &json!("database"), &json!(1)),
        "{job}"
    );
    let url = job["result"]["url"].as_str().unwrap();
    let reply = Reply::to(reqwest::Client::new().get(url)).await.expect(200);
    assert_eq!(job["result"]["size"], reply.body.len());

    let csv = json!({
        "name": "Notes", "type": "platform", "schedule": "0 3 * * *", "action": "export",
        "payload": {"what": "table", "table": "notes", "format": "csv"},
    });
    let id = create(&project, csv).await;
    let run = ended(&project, &start(&project, &id).await).await;
    assert_eq!(run["status"], "success", "{run}");
    let nothing = json!({
        "name": "Nothing", "type": "platform", "schedule": "0 3 * * *", "action": "export",
        "payload": {"what": "table", "table": "nothing"},
    });
    let id = create(&project, nothing).await;
    let run = ended(&project, &start(&project, &id).await).await;
    assert_eq!(run["status"], "fail", "{run}");
    assert!(
        run["error_text"].to_string().contains("unknown_table"),
        "{run}"
    );

    // Where nothing provides it.
    let other = admin.project_with(&["cron"]).await;
    let id = create(&other, export).await;
    let run = ended(&other, &start(&other, &id).await).await;
    assert_eq!(run["status"], "fail", "{run}");
    assert!(
        run["error_text"]
            .to_string()
            .contains("platform_job_unavailable"),
        "{run}"
    );
}

#[tokio::test]
async fn of_many_that_want_a_job_to_run_now_one_begins_it() {
    let world = world().await;
    let project = world.server.admin().project_with(&["cron", "hello"]).await;
    let job = json!({
        "name": "Once", "type": "platform", "schedule": "0 3 * * *", "action": "cleanup",
    });
    let id = create(&project, job).await;
    // One that waits in the queue is open, too.
    let path = format!("/cron/jobs/{id}/run");
    let asks = (0..20).map(|_| project.post(&path, json!({})));
    let answers = futures::future::join_all(asks).await;
    let runs = project.get(&format!("/cron/jobs/{id}/runs")).await;
    let runs = runs.expect(200).json();
    let begun = answers.iter().filter(|answer| answer.status == 202).count();
    let listed = runs["items"].as_array().unwrap();
    assert_eq!(listed.len(), begun, "{runs}");
    assert!(begun >= 1);
    for answer in answers {
        if answer.status != 202 {
            assert_eq!(answer.expect_problem(409), "job_running");
        }
    }
    // None began before the one before it had ended.
    let mut spans: Vec<(String, String)> = Vec::new();
    for run in listed {
        let run = ended(&project, run).await;
        let text = |name: &str| run[name].as_str().unwrap().to_owned();
        spans.push((text("started_at"), text("finished_at")));
    }
    spans.sort();
    for pair in spans.windows(2) {
        assert!(pair[0].1 <= pair[1].0, "{spans:?}");
    }
}

#[tokio::test]
async fn an_export_ends_where_there_is_one_worker() {
    let server = TestServer::builder()
        .env("ATLASHUB_QUEUE_WORKERS", "1")
        .start()
        .await;
    let admin = server.admin();
    let project = admin.project_with(&["cron", "db", "transfer"]).await;
    let export = json!({
        "name": "Out", "type": "platform", "schedule": "0 3 * * *", "action": "export",
    });
    let id = create(&project, export).await;
    let run = ended(&project, &start(&project, &id).await).await;
    assert_eq!(run["status"], "success", "{run}");
}

#[tokio::test]
async fn expressions_are_explained_in_their_zone() {
    let server = shared().await;
    let project = server.admin().project_with(&["cron"]).await;
    let ask = |schedule: &str, timezone: &str| {
        let question = json!({
            "schedule": schedule, "timezone": timezone, "count": 2, "after": "2026-03-28T00:00:00Z",
        });
        let project = &project;
        async move { project.post("/cron/explain", question).await }
    };
    // The night in which half past two does not exist.
    let told = ask("30 2 * * *", "Europe/Berlin").await.expect(200).json();
    let next = json!(["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z"]);
    assert_eq!(told["next"], next, "{told}");
    for (schedule, zone) in [("* * *", "UTC"), ("* * * * *", "Mars/Olympus")] {
        let refused: Reply = ask(schedule, zone).await;
        assert_eq!(refused.expect_problem(422), "invalid_schedule");
    }
}
