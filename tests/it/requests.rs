//! What a project was asked, for those who look after it; and what a node runs
//! with.

use atlashub_tests::{Admin, Project, TestServer, shared, until};
use serde_json::{Value, json};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// Requests of the project that a query names, the newest first.
async fn asked(admin: &Admin, project: &Project, query: &str) -> Vec<Value> {
    let path = format!("/admin/v1/projects/{}/requests?{query}", project.slug);
    let page = admin.get(&path).await.expect(200).json();
    page["items"].as_array().expect("requests").clone()
}

fn paths(requests: &[Value]) -> Vec<&str> {
    let paths = requests.iter().map(|one| one["path"].as_str());
    paths.map(Option::unwrap_or_default).collect()
}

#[tokio::test]
async fn the_latest_requests_are_told_with_how_they_ended_and_without_secrets() {
    let server = shared().await;
    let admin = server.admin();
    let (project, other) = (
        admin.project_with(&["hello"]).await,
        admin.project_with(&["hello"]).await,
    );
    let first = project.get("/hello?token=hidden").await.expect(200);
    let _ = project
        .get("/nothing/0123456789abcdef0123")
        .await
        .expect(404);
    let wrong = json!({"email": "nobody@example.com", "password": "wrong horse"});
    let _ = project.auth("/login", wrong).await.expect(401);
    let _ = other.get("/hello").await.expect(200);
    until("the requests are kept", PATIENCE, || async {
        (asked(&admin, &project, "limit=10").await.len() == 3).then_some(())
    })
    .await;

    let all = asked(&admin, &project, "limit=10").await;
    assert_eq!(paths(&all), ["/v1/auth/login", "/nothing/0123…", "/hello"]);
    let hello = &all[2];
    assert_eq!(
        (
            &hello["method"],
            &hello["status"],
            &hello["plugin"],
            &hello["caller"]
        ),
        (
            &json!("GET"),
            &json!(200),
            &json!("hello"),
            &json!("secret-key")
        ),
        "{hello}"
    );
    assert_eq!(hello["request_id"], first.header("x-request-id"));
    assert!(hello["latency_ms"].as_f64().expect("a number") > 0.0);
    assert!(!Value::from(all.clone()).to_string().contains("hidden"));
    assert_eq!(all[0]["caller"], "publishable-key", "{all:?}");

    let id = first.header("x-request-id").to_owned();
    for (query, expected) in [
        (
            "status=failed".to_owned(),
            vec!["/v1/auth/login", "/nothing/0123…"],
        ),
        ("status=404".to_owned(), vec!["/nothing/0123…"]),
        ("status=2xx".to_owned(), vec!["/hello"]),
        ("status=5xx".to_owned(), vec![]),
        ("method=post".to_owned(), vec!["/v1/auth/login"]),
        ("plugin=hello".to_owned(), vec!["/hello"]),
        ("q=AUTH".to_owned(), vec!["/v1/auth/login"]),
        (format!("request_id={id}"), vec!["/hello"]),
        ("slower_ms=60000".to_owned(), vec![]),
    ] {
        let found = asked(&admin, &project, &query).await;
        assert_eq!(paths(&found), expected, "{query}");
    }
    let path = format!("/admin/v1/projects/{}/requests", project.slug);
    let page = admin
        .get(&format!("{path}?limit=2"))
        .await
        .expect(200)
        .json();
    let cursor = page["next_cursor"].as_str().expect("a page behind");
    let rest = asked(&admin, &project, &format!("limit=2&cursor={cursor}")).await;
    assert_eq!(paths(&rest), ["/hello"]);
    let refused = admin.get(&format!("{path}?status=fine")).await;
    assert_eq!(refused.expect_problem(400), "invalid_status");
}

#[tokio::test]
async fn settings_are_told_without_secrets_and_a_mail_is_tried() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let told = admin.get("/admin/v1/settings").await.expect(200).json();
    let one = |name: &str| {
        let items = told["items"].as_array().expect("settings");
        let found = items.iter().find(|one| one["name"] == name);
        found.expect("the setting").clone()
    };
    assert!(one("network.listen")["value"].is_string(), "{told}");
    let token = one("secrets.dev_admin_token");
    assert_eq!(
        (&token["value"], &token["set"], &token["secret"]),
        (&Value::Null, &json!(true), &json!(true))
    );
    let sent = admin
        .post("/admin/v1/settings/mail", json!({"to": "ops@example.com"}))
        .await
        .expect(200)
        .json();
    assert_eq!(sent["to"], "ops@example.com");
    let refused = admin
        .post("/admin/v1/settings/mail", json!({"to": "nobody"}))
        .await;
    assert_eq!(refused.expect_problem(422), "invalid_email");
}
