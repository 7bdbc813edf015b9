//! Jobs against a host in memory: what is checked, kept and shown, what runs
//! come to, and who is told.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test may panic"
)]

use crate::{routes, work};
use atlashub_sdk::{identity::CallerKind, prelude::*, testing::TestHost};
use serde_json::{Value, json};
use std::{cell::RefCell, rc::Rc, time::Duration};

const SECRET: &str = "Bearer t0p-s3cret";
const HOOK: &str = "https://hooks.example/api/webhooks/1/w0rd";

/// What the target was sent: `METHOD path authorization body`.
type Sent = Rc<RefCell<Vec<String>>>;

fn server() -> Caller {
    Caller::new(CallerKind::SecretKey, "key")
}

/// A host with a target that answers as its path says: `/status/500`,
/// `/long`, `/echo`.
fn host() -> (TestHost, Sent) {
    let sent = Sent::default();
    let (target, hooks) = (Rc::clone(&sent), Rc::clone(&sent));
    let host = TestHost::new("cron")
        .with_migrations("migrations")
        .unwrap()
        .with_caller(server())
        .with_config(
            "allowed_targets",
            json!(["target.example", "hooks.example"]),
        )
        .with_config("allowed_plugins", json!(["files"]))
        .with_config("notify_user_ids", json!(["ada"]))
        .with_service("target.example", move |request| answer(request, &target))
        .with_service("hooks.example", move |request| {
            note(request, &hooks);
            Response::new(StatusCode::NO_CONTENT)
        })
        .with_service("files.internal", |request| {
            let text = format!("{} {}", request.method(), request.target());
            Response::new(StatusCode::OK).with_body(text.into_bytes())
        });
    (host, sent)
}

fn note(mut request: Request, sent: &Sent) -> String {
    let body = request.take_body().text(10_000).unwrap();
    let authorization = request.header("authorization").unwrap_or("-");
    let line = format!(
        "{} {} {authorization} {body}",
        request.method(),
        request.target()
    );
    sent.borrow_mut().push(line.clone());
    line
}

fn answer(request: Request, sent: &Sent) -> Response {
    let path = request.path().to_owned();
    let line = note(request, sent);
    let status = path
        .strip_prefix("/status/")
        .and_then(|text| text.parse().ok());
    let status = StatusCode::from_u16(status.unwrap_or(200)).unwrap();
    let body = match path.as_str() {
        "/long" => "x".repeat(10_000),
        _ => line,
    };
    Response::new(status)
        .with_header("set-cookie", "a=b")
        .with_body(body.into_bytes())
}

fn call(host: &TestHost, method: &str, path: &str, body: Value) -> (u16, Value) {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let request = Request::new(method, path).with_json(&body).unwrap();
    let response = host.call(&routes(), request);
    let status = response.status().as_u16();
    let text = response.into_text().unwrap();
    (status, serde_json::from_str(&text).unwrap_or(text.into()))
}

fn job(path: &str) -> Value {
    json!({
        "name": "Nightly", "type": "http", "schedule": "*/5 * * * *", "timezone": "UTC",
        "http": {
            "url": format!("https://target.example{path}"), "method": "post",
            "headers": {"Authorization": SECRET, "X-Word": {"secret": "hidden w0rd"}, "x-open": "seen"},
            "body": {"a": 1},
        },
    })
}

fn create(host: &TestHost, body: Value) -> String {
    let (status, made) = call(host, "POST", "/cron/jobs", body);
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().unwrap().to_owned()
}

fn run(host: &TestHost, job: &str) -> Value {
    let (status, run) = call(host, "POST", &format!("/cron/jobs/{job}/run"), Value::Null);
    assert_eq!(status, 202, "{run}");
    host.run_jobs(&work());
    runs(host, job)[0].clone()
}

fn runs(host: &TestHost, job: &str) -> Value {
    let (status, page) = call(host, "GET", &format!("/cron/jobs/{job}/runs"), Value::Null);
    assert_eq!(status, 200, "{page}");
    page["items"].clone()
}

fn log(host: &TestHost, run: &Value) -> String {
    let path = format!("/cron/runs/{}/log", run["id"].as_str().unwrap());
    let (status, text) = call(host, "GET", &path, Value::Null);
    assert_eq!(status, 200, "{text}");
    text.as_str().unwrap().to_owned()
}

fn kinds(host: &TestHost) -> Vec<String> {
    let events = host.events();
    let notices = events.iter().filter(|event| event.name == "cron.notice");
    notices
        .map(|event| {
            event.json::<Value>().unwrap()["kind"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect()
}

#[test]
fn every_route_is_described() {
    atlashub_sdk::testing::assert_described(&routes(), env!("CARGO_MANIFEST_DIR"));
}

#[test]
fn a_job_that_runs_now_leaves_a_run_and_a_log_without_its_secrets() {
    let (host, sent) = host();
    let id = create(&host, job("/echo"));
    let (_, shown) = call(&host, "GET", &format!("/cron/jobs/{id}"), Value::Null);
    assert_eq!(shown["http"]["headers"]["authorization"], "[sealed]");
    assert_eq!(shown["http"]["headers"]["x-word"], "[sealed]");
    assert_eq!(shown["http"]["headers"]["x-open"], "seen");
    assert_eq!(shown["http"]["method"], "POST");
    assert!(shown["next_run_at"].is_string(), "{shown}");

    let run = run(&host, &id);
    assert_eq!(run["status"], "success", "{run}");
    assert_eq!(run["http_status"], 200);
    assert_eq!(run["attempt"], 1);
    assert_eq!(sent.borrow().len(), 1);
    assert_eq!(sent.borrow()[0], format!("POST /echo {SECRET} {{\"a\":1}}"));
    let log = log(&host, &run);
    assert!(log.contains("POST https://target.example/echo"), "{log}");
    assert!(log.contains("200 OK"), "{log}");
    assert!(log.contains("POST /echo [sealed]"), "{log}");
    assert!(!log.contains("set-cookie"), "{log}");
    let rows: Vec<Value> = sql::query("SELECT * FROM cron.jobs", params![]).unwrap();
    let everything = format!(
        "{shown}{run}{log}{rows:?}{:?}{:?}",
        host.logs(),
        host.audit()
    );
    for secret in ["t0p-s3cret", "hidden w0rd"] {
        assert!(!everything.contains(secret), "{everything}");
    }
}

#[test]
fn attempts_are_made_again_later_and_later_and_failure_and_recovery_are_told_once() {
    let (host, sent) = host();
    let mut body = job("/status/500");
    body["retries"] = json!(2);
    body["retry_backoff_ms"] = json!(1_000);
    body["notify"] = json!({"webhook_url": HOOK, "user_ids": ["bob"]});
    let id = create(&host, body);
    let first = run(&host, &id);
    assert_eq!(
        (&first["status"], &first["attempt"]),
        (&json!("running"), &json!(1))
    );
    let (status, refused) = call(&host, "POST", &format!("/cron/jobs/{id}/run"), Value::Null);
    assert_eq!((status, &refused["code"]), (409, &json!("job_running")));
    host.advance(Duration::from_millis(1_000));
    host.run_jobs(&work());
    assert_eq!(runs(&host, &id)[0]["attempt"], 2);
    host.advance(Duration::from_millis(1_000));
    assert_eq!(
        host.run_jobs(&work()),
        0,
        "the second wait is twice as long"
    );
    host.advance(Duration::from_millis(1_000));
    host.run_jobs(&work());
    let failed = runs(&host, &id)[0].clone();
    assert_eq!(
        (&failed["status"], &failed["attempt"]),
        (&json!("fail"), &json!(3))
    );
    assert_eq!(failed["http_status"], 500);
    assert_eq!(
        failed["error_text"],
        "the target answered 500 Internal Server Error"
    );
    let text = log(&host, &failed);
    for attempt in ["attempt 1: ", "attempt 2: ", "attempt 3: "] {
        assert!(text.contains(attempt), "{text}");
    }
    assert_eq!(kinds(&host), ["job_failed"]);
    let notice: Value = host.events()[0].json().unwrap();
    assert_eq!(notice["user_ids"], json!(["ada", "bob"]));
    assert_eq!(notice["subject"], json!({"type": "cron_job", "id": id}));
    let hook = sent.borrow().last().unwrap().clone();
    assert!(hook.starts_with("POST /api/webhooks/1/w0rd"), "{hook}");
    assert!(
        hook.contains(r#""content":"[test] The job “Nightly” failed"#),
        "{hook}"
    );
    // It fails on, and nobody is told again.
    let again = json!({"retries": 0});
    let (status, changed) = call(&host, "PATCH", &format!("/cron/jobs/{id}"), again);
    assert_eq!(status, 200);
    assert_eq!(changed["notify"]["webhook_url"], "[sealed]");
    assert!(!changed.to_string().contains("w0rd"));
    assert_eq!(run(&host, &id)["status"], "fail");
    assert_eq!(kinds(&host), ["job_failed"]);
    // It works again; its secrets stay where they are.
    let mut http = job("/status/204")["http"].clone();
    http["headers"]["Authorization"] = json!("[sealed]");
    let (status, _) = call(
        &host,
        "PATCH",
        &format!("/cron/jobs/{id}"),
        json!({"http": http}),
    );
    assert_eq!(status, 200);
    assert_eq!(run(&host, &id)["status"], "success");
    assert_eq!(kinds(&host), ["job_failed", "job_recovered"]);
    let with_secret = sent
        .borrow()
        .iter()
        .filter(|line| line.contains(SECRET))
        .count();
    assert_eq!(with_secret, 5);
}

#[test]
fn a_job_is_changed_of_what_was_seen() {
    let (host, _) = host();
    let id = create(&host, job("/echo"));
    let path = format!("/cron/jobs/{id}");
    let etag = |job: &Value| job["etag"].as_str().unwrap().to_owned();
    let first = etag(&call(&host, "GET", &path, json!({})).1);
    let change = |expected: &str, body: Value| {
        let request = Request::new(Method::PATCH, &path).with_header("if-match", expected);
        let response = host.call(&routes(), request.with_json(&body).unwrap());
        let status = response.status().as_u16();
        (status, response.into_json::<Value>().unwrap())
    };
    let (status, changed) = change(&first, json!({"name": "One"}));
    assert_eq!((status, &changed["name"]), (200, &json!("One")));
    let (status, refused) = change(&first, json!({"name": "Other"}));
    assert_eq!(
        (status, &refused["code"], &refused["etag"]),
        (412, &json!("precondition_failed"), &changed["etag"])
    );
    // That it ran is no change of the job.
    assert_eq!(run(&host, &id)["status"], "success");
    assert_eq!(change(&etag(&changed), json!({"name": "Two"})).0, 200);
}

#[test]
fn a_due_time_is_one_run_however_often_it_is_delivered() {
    let (host, sent) = host();
    let mut body = job("/echo");
    body["overlap"] = json!(true);
    let id = create(&host, body);
    let mut due = Job::new("due", &json!({"job_id": id})).unwrap();
    due.scheduled_ms = Some(1_000_000);
    host.run_job(&work(), &due).unwrap();
    host.run_job(&work(), &due).unwrap();
    due.id = "0190a6a8-0000-7000-a000-000000000099".to_owned();
    host.run_job(&work(), &due).unwrap();
    assert_eq!(sent.borrow().len(), 1);
    assert_eq!(runs(&host, &id).as_array().unwrap().len(), 1);
    assert_eq!(runs(&host, &id)[0]["scheduled_at"], "1970-01-01T00:16:40Z");
}

#[test]
fn schedules_run_jobs_and_a_time_is_missed_while_another_attempt_is_to_come() {
    let (host, _) = host();
    let mut body = job("/status/503");
    body["retries"] = json!(1);
    body["retry_backoff_ms"] = json!(3_600_000);
    let id = create(&host, body);
    host.advance(Duration::from_secs(300));
    assert_eq!(host.run_schedules(), 1);
    host.run_jobs(&work());
    assert_eq!(runs(&host, &id)[0]["status"], "running");
    host.advance(Duration::from_secs(300));
    assert_eq!(host.run_schedules(), 1);
    host.run_jobs(&work());
    let items = runs(&host, &id);
    assert_eq!(items[0]["status"], "missed", "{items}");
    assert_eq!(items[0]["error_text"], "the run before had not ended");
    assert_eq!(kinds(&host), ["job_missed"]);
}

#[test]
fn a_time_that_counts_waits_for_the_run_before() {
    let (host, sent) = host();
    let mut body = job("/status/503");
    body["retries"] = json!(1);
    body["retry_backoff_ms"] = json!(60_000);
    body["catch_up"] = json!("all");
    let id = create(&host, body);
    let due = |at: u64| {
        let mut due = Job::new("due", &json!({"job_id": id})).unwrap();
        due.id = format!("0190a6a8-0000-7000-a000-{at:012}");
        due.scheduled_ms = Some(at);
        due
    };
    host.run_job(&work(), &due(1_000)).unwrap();
    let refused = host.run_job(&work(), &due(2_000)).unwrap_err();
    assert!(events::is_worth_retrying(&refused));
    host.advance(Duration::from_secs(60));
    host.run_jobs(&work());
    assert_eq!(runs(&host, &id)[0]["status"], "fail");
    host.run_job(&work(), &due(2_000)).unwrap();
    assert_eq!(sent.borrow().len(), 3);
    let mut last = due(3_000);
    last.attempt = last.max_attempts;
    host.run_job(&work(), &last).unwrap();
    assert_eq!(runs(&host, &id)[0]["status"], "missed");
}

#[test]
fn who_may_have_jobs_and_which() {
    let (host, _) = host();
    host.set_caller(Caller::new(CallerKind::User, "eve"));
    let (status, refused) = call(&host, "POST", "/cron/jobs", job("/echo"));
    assert_eq!(
        (status, &refused["code"]),
        (403, &json!("permission_needed"))
    );
    host.set_permissions(["cron:manage"]);
    create(&host, job("/echo"));
    let platform =
        json!({"name": "a", "type": "platform", "schedule": "0 0 * * *", "action": "cleanup"});
    let plugin = json!({
        "name": "a", "type": "plugin", "schedule": "0 0 * * *", "plugin": {"name": "files", "path": "/files"},
    });
    for body in [&platform, &plugin] {
        let (status, refused) = call(&host, "POST", "/cron/jobs", body.clone());
        assert_eq!(status, 403, "{refused}");
    }
    host.set_caller(server());
    let id = create(&host, plugin);
    let platform = create(&host, platform);
    host.set_caller(Caller::new(CallerKind::User, "eve"));
    for id in [&id, &platform] {
        for (method, more) in [("PATCH", ""), ("DELETE", ""), ("POST", "/run")] {
            let (status, _) = call(&host, method, &format!("/cron/jobs/{id}{more}"), json!({}));
            assert_eq!(status, 403, "{method} {more}");
        }
    }
    host.set_caller(Caller::new(CallerKind::PublishableKey, "key"));
    assert_eq!(call(&host, "GET", "/cron/jobs", Value::Null).0, 403);
    host.set_caller(Caller::default());
    assert_eq!(call(&host, "GET", "/cron/jobs", Value::Null).0, 401);
}

#[test]
fn what_a_job_may_not_be_is_refused_by_name() {
    let (host, _) = host();
    let with = |field: &str, value: Value| {
        let mut body = job("/echo");
        body[field] = value;
        body
    };
    let http = |field: &str, value: Value| {
        let mut body = job("/echo");
        body["http"][field] = value;
        body
    };
    for (body, status, code) in [
        (with("name", json!(" ")), 422, "invalid_job_definition"),
        (with("schedule", json!("* * *")), 422, "invalid_schedule"),
        (with("timeout_ms", json!(1)), 422, "invalid_job_definition"),
        (with("retries", json!(99)), 422, "invalid_job_definition"),
        (
            with("action", json!("backup")),
            422,
            "invalid_job_definition",
        ),
        (with("type", json!("plugin")), 422, "invalid_job_definition"),
        (with("more", json!(1)), 422, "invalid_body"),
        (
            http("url", json!("https://other.example/")),
            400,
            "target_not_allowed",
        ),
        (
            http("url", json!("http://files.internal/")),
            422,
            "invalid_url",
        ),
        (
            http("method", json!("TRACE")),
            422,
            "invalid_job_definition",
        ),
        (
            http("headers", json!({"Host": "x"})),
            422,
            "invalid_job_definition",
        ),
        (
            http("headers", json!({"x": "a\nb"})),
            422,
            "invalid_job_definition",
        ),
        (
            with("notify", json!({"webhook_url": "https://other.example/"})),
            400,
            "target_not_allowed",
        ),
    ] {
        let (got, answer) = call(&host, "POST", "/cron/jobs", body);
        assert_eq!((got, &answer["code"]), (status, &json!(code)), "{answer}");
    }
    let (_, empty) = call(&host, "GET", "/cron/jobs", Value::Null);
    assert_eq!(empty["items"], json!([]));
    assert!(host.schedules().is_empty());
}

#[test]
fn a_kept_secret_is_not_sent_to_another_host() {
    let (host, _) = host();
    let id = create(&host, job("/echo"));
    let http = json!({"url": "https://hooks.example/", "headers": {"authorization": "[sealed]"}});
    let (status, refused) = call(
        &host,
        "PATCH",
        &format!("/cron/jobs/{id}"),
        json!({"http": http}),
    );
    assert_eq!((status, &refused["code"]), (422, &json!("secret_needed")));
}

#[test]
fn long_logs_are_objects_which_go_with_their_job() {
    let (host, _) = host();
    let id = create(&host, job("/long"));
    let run = run(&host, &id);
    assert!(run["log_object_key"].is_string(), "{run}");
    assert!(log(&host, &run).contains(&"x".repeat(10_000)));
    assert_eq!(host.objects("private").len(), 1);
    let (status, _) = call(&host, "DELETE", &format!("/cron/jobs/{id}"), Value::Null);
    assert_eq!(status, 204);
    assert!(host.objects("private").is_empty());
    assert!(host.schedules().is_empty());
    assert_eq!(
        call(&host, "GET", &format!("/cron/jobs/{id}"), Value::Null).0,
        404
    );
}

#[test]
fn jobs_of_the_platform_and_of_plugins_run() {
    let (host, _) = host();
    let id = create(
        &host,
        json!({"name": "Tidy", "type": "platform", "schedule": "0 3 * * *", "action": "cleanup"}),
    );
    assert_eq!(run(&host, &id)["status"], "running");
    host.advance(Duration::from_secs(1));
    host.run_jobs(&work());
    assert_eq!(runs(&host, &id)[0]["status"], "success");
    let id = create(
        &host,
        json!({
            "name": "Sweep", "type": "plugin", "schedule": "0 3 * * *",
            "plugin": {"name": "files", "method": "POST", "path": "/files/sweep?a=b"},
        }),
    );
    let run = run(&host, &id);
    assert_eq!(run["status"], "success", "{run}");
    assert!(log(&host, &run).contains("POST /files/sweep?a=b"));
    let other = json!({
        "name": "a", "type": "plugin", "schedule": "0 3 * * *", "plugin": {"name": "db", "path": "/"},
    });
    let (status, refused) = call(&host, "POST", "/cron/jobs", other);
    assert_eq!(
        (status, &refused["code"]),
        (400, &json!("target_not_allowed"))
    );
    assert_eq!(refused["allow"], "db");
}

#[test]
fn history_is_paged_and_ends() {
    let (host, _) = host();
    let host = host.with_config("keep_runs", 3);
    let id = create(&host, job("/echo"));
    for _ in 0..5 {
        host.advance(Duration::from_secs(1));
        run(&host, &id);
    }
    let path = format!("/cron/jobs/{id}/runs?limit=2");
    let (_, first) = call(&host, "GET", &path, Value::Null);
    let cursor = first["next_cursor"].as_str().unwrap();
    let (_, second) = call(
        &host,
        "GET",
        &format!("{path}&cursor={cursor}"),
        Value::Null,
    );
    assert_eq!(second["items"].as_array().unwrap().len(), 2);
    assert!(second["items"][0]["id"].as_str().unwrap() < cursor);
    let watch = Job::new("watch", &Value::Null).unwrap();
    host.run_job(&work(), &watch).unwrap();
    assert_eq!(runs(&host, &id).as_array().unwrap().len(), 3);
    host.advance(Duration::from_secs(31 * 24 * 3_600));
    host.run_job(&work(), &watch).unwrap();
    assert_eq!(runs(&host, &id), json!([]));
}

#[test]
fn a_run_on_which_nothing_works_any_more_ends_as_failed() {
    let (host, _) = host();
    let id = create(&host, job("/echo"));
    let (_, begun) = call(&host, "POST", &format!("/cron/jobs/{id}/run"), Value::Null);
    assert_eq!(begun["status"], "running");
    let item = host.jobs()[0].id.clone();
    assert!(jobs::cancel(&item).unwrap());
    let watch = Job::new("watch", &Value::Null).unwrap();
    host.run_job(&work(), &watch).unwrap();
    assert_eq!(runs(&host, &id)[0]["status"], "running");
    host.advance(Duration::from_secs(61));
    host.run_job(&work(), &watch).unwrap();
    assert_eq!(runs(&host, &id)[0]["status"], "fail");
}

#[test]
fn an_expression_is_explained() {
    let (host, _) = host();
    let (status, told) = call(
        &host,
        "POST",
        "/cron/explain",
        json!({"schedule": "30 8 * * *", "after": "2026-01-01T00:00:00Z", "count": 2}),
    );
    assert_eq!(status, 200, "{told}");
    assert_eq!(
        told["next"],
        json!(["2026-01-01T08:30:00Z", "2026-01-02T08:30:00Z"])
    );
    let (status, refused) = call(&host, "POST", "/cron/explain", json!({"schedule": "x"}));
    assert_eq!(
        (status, &refused["code"]),
        (422, &json!("invalid_schedule"))
    );
}

#[test]
fn the_same_idempotency_key_makes_one_job() {
    let (host, _) = host();
    let send = |body: Value| {
        let request = Request::post("/cron/jobs", "")
            .with_header("idempotency-key", "k1")
            .with_json(&body)
            .unwrap();
        host.call(&routes(), request)
    };
    assert_eq!(send(job("/echo")).status().as_u16(), 201);
    assert_eq!(send(job("/echo")).status().as_u16(), 201);
    assert_eq!(send(job("/other")).status().as_u16(), 422);
    let (_, list) = call(&host, "GET", "/cron/jobs", Value::Null);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}
