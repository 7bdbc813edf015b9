//! Traces and fault reports, as those receive them who read them: what is said
//! of a request, and what is not.

use crate::{
    fsck::run_in_the_database,
    telemetry_stand_in::{ReceivedSpan, Receiver},
};
use atlashub_tests::{DEADLINE, Project, Reply, TestServer, fixture, until};
use reqwest::Method;
use serde_json::json;

/// A word that stands for what nobody else may read.
const SECRET: &str = "nobody-else-may-read-this";

/// The span of the request that was answered so.
#[track_caller]
fn span_of(receiver: &Receiver, reply: &Reply) -> ReceivedSpan {
    let id = reply.header("x-request-id");
    let mut spans = receiver.requests().into_iter();
    spans
        .find(|one| {
            one.attributes
                .get("atlashub.request_id")
                .map(String::as_str)
                == Some(id)
        })
        .unwrap_or_else(|| panic!("no span of the request {id}"))
}

#[track_caller]
fn expect_attributes(span: &ReceivedSpan, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        let found = span.attributes.get(*name).map(String::as_str);
        assert_eq!(found, Some(*value), "{name} of {span:?}");
    }
}

/// Calls with secrets wherever a request can carry them.
async fn ask(project: &Project, method: Method, path: &str) -> Reply {
    let request = project
        .request(method, &format!("{path}?token={SECRET}"))
        .header("cookie", format!("a={SECRET}"))
        .header("x-of-the-app", SECRET)
        .body(SECRET);
    Reply::to(request).await
}

#[tokio::test]
async fn the_spans_of_requests_arrive_with_route_status_and_project() {
    let receiver = Receiver::start().await;
    let endpoint = format!("http://{}", receiver.address);
    let mut server = TestServer::builder()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .env(
            "OTEL_EXPORTER_OTLP_HEADERS",
            "x-of-the-operator=well%20known",
        )
        .start()
        .await;
    let admin = server.admin();
    let _ = admin.upload(fixture("misbehave"), None).await;
    let project = admin.project_with(&["hello", "misbehave"]).await;
    let well = ask(&project, Method::GET, "/hello/somebody")
        .await
        .expect(200);
    let prefixed = format!("/p/{}/hello", project.slug);
    let prefixed = ask(&project, Method::GET, &prefixed).await.expect(200);
    let nowhere = ask(&project, Method::GET, "/nowhere/at-all").await;
    nowhere.expect_problem(404);
    let trapped = ask(&project, Method::GET, "/misbehave/trap").await;
    trapped.expect_problem(502);
    let path = format!("/admin/v1/projects/{}", project.slug);
    let by_admin = admin.get(&path).await.expect(200);
    let by_user = ask(&project, Method::GET, "/v1/auth/me").await;
    let invented = Method::from_bytes(b"INVENTED").unwrap();
    let invented = ask(&project, invented, "/hello").await;
    // What has not been sent yet is sent at the end.
    server.stop().await;

    let of_hello = [
        ("http.request.method", "GET"),
        ("http.route", "/hello"),
        ("http.response.status_code", "200"),
        ("atlashub.project", project.slug.as_str()),
        ("atlashub.plugin", "hello"),
    ];
    for reply in [&well, &prefixed] {
        let span = span_of(&receiver, reply);
        assert_eq!(span.span.name, "GET", "{span:?}");
        expect_attributes(&span, &of_hello);
        assert_eq!(span.span.status.as_ref().map_or(0, |is| is.code), 0);
        assert_eq!(span.resource["service.name"], "atlashub");
    }
    let span = span_of(&receiver, &nowhere);
    assert_eq!(span.span.name, "GET");
    expect_attributes(
        &span,
        &[
            ("http.response.status_code", "404"),
            ("atlashub.project", &project.slug),
        ],
    );
    assert!(!span.attributes.contains_key("http.route"), "{span:?}");
    let span = span_of(&receiver, &trapped);
    expect_attributes(
        &span,
        &[
            ("http.route", "/misbehave"),
            ("http.response.status_code", "502"),
        ],
    );
    assert_eq!(span.span.status.as_ref().unwrap().code, 2, "{span:?}");
    let span = span_of(&receiver, &by_admin);
    expect_attributes(
        &span,
        &[
            ("http.route", "/admin/v1/projects/{project}"),
            ("http.response.status_code", "200"),
        ],
    );
    let span = span_of(&receiver, &by_user);
    expect_attributes(&span, &[("atlashub.project", &project.slug)]);
    let span = span_of(&receiver, &invented);
    expect_attributes(&span, &[("http.request.method", "_OTHER")]);
    // Each request has one.
    let hellos = receiver.requests().into_iter();
    let hellos = hellos.filter(|one| {
        let of = |name: &str| one.attributes.get(name).map(String::as_str);
        of("http.route") == Some("/hello") && of("http.request.method") == Some("GET")
    });
    assert_eq!(hellos.count(), 2);

    let traces = receiver.traces_as_text();
    for secret in [SECRET, "somebody", &project.secret, "dev-token"] {
        assert!(!traces.contains(secret), "`{secret}` is in a trace");
    }
    for headers in receiver.headers() {
        assert_eq!(headers["x-of-the-operator"], "well known");
    }
}

#[tokio::test]
async fn an_endpoint_in_the_settings_file_counts_and_one_that_is_away_does_no_harm() {
    let receiver = Receiver::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("atlashub.toml");
    let section = |address: &str| format!("[telemetry]\notlp_endpoint = \"http://{address}\"\n");
    std::fs::write(&file, section("127.0.0.1:1")).unwrap();
    let mut server = TestServer::builder()
        .env("ATLASHUB_CONFIG", file.to_str().unwrap())
        .start()
        .await;
    let project = server.admin().project_with(&["hello"]).await;
    let _ = project.get("/hello").await.expect(200);
    server.stop().await;
    assert!(receiver.requests().is_empty());
    std::fs::write(&file, section(&receiver.address)).unwrap();
    server.start_again().await;
    let reply = project.get("/hello").await.expect(200);
    server.stop().await;
    let span = span_of(&receiver, &reply);
    expect_attributes(&span, &[("http.route", "/hello")]);
}

#[tokio::test]
async fn a_fault_is_reported_without_what_it_was_about() {
    let receiver = Receiver::start().await;
    let dsn = format!("http://thekeyofthetests@{}/42", receiver.address);
    let mut server = TestServer::builder()
        .env("ATLASHUB_SENTRY_DSN", dsn)
        .start()
        .await;
    let admin = server.admin();
    let _ = admin.upload(fixture("misbehave"), None).await;
    let project = admin.project_with(&["hello", "misbehave"]).await;
    let path = format!("/admin/v1/projects/{}/domains", project.slug);
    // What others do wrong is nobody's report: plugins that trap, bad requests.
    let trapped = ask(&project, Method::GET, "/misbehave/trap").await;
    trapped.expect_problem(502);
    let refused = admin.post(&path, json!({"host": "no host"})).await;
    refused.expect_problem(422);

    run_in_the_database(&server, "ALTER TABLE domains RENAME TO domains_elsewhere").await;
    let body = json!({"host": format!("{SECRET}.example.org")});
    let request = admin.request(Method::POST, &format!("{path}?token={SECRET}"));
    let failed = Reply::to(request.header("cookie", SECRET).json(&body)).await;
    assert_eq!(failed.expect_problem(500), "internal");
    run_in_the_database(&server, "ALTER TABLE domains_elsewhere RENAME TO domains").await;
    let event = until("the report", DEADLINE, || async {
        receiver.events().into_iter().next()
    })
    .await;
    assert_eq!(event["message"], "request failed", "{event}");
    // The level is left out: `error` is what that means.
    assert!(event["level"].is_null(), "{event}");
    assert_eq!(event["environment"], "development", "{event}");
    let fields = &event["contexts"]["Rust Tracing Fields"];
    assert_eq!(fields["code"], "internal", "{event}");
    assert_eq!(
        fields["request_id"],
        failed.header("x-request-id"),
        "{event}"
    );
    // Where it failed is said, in this program's words.
    assert!(
        fields["failed_to"]
            .as_str()
            .is_some_and(|words| words.contains("domain")),
        "{event}"
    );
    let text = event.to_string();
    for secret in [
        SECRET,
        "SELECT",
        "INSERT",
        "domains",
        "no such table",
        "does not exist",
        "dev-token",
        "postgres",
        "sqlite",
        &project.slug,
        &project.secret,
    ] {
        assert!(!text.contains(secret), "`{secret}` is in {text}");
    }
    // The log has what the report leaves out, under the same id.
    let log = server.log();
    let line = log.lines().find(|line| {
        line.contains(failed.header("x-request-id")) && line.contains("request failed")
    });
    assert!(
        line.is_some_and(|line| line.contains("domains")),
        "the cause is not in the log: {line:?}"
    );
    server.stop().await;
    let faults = receiver.events().len();
    assert_eq!(faults, 1, "{:#?}", receiver.events());
}
