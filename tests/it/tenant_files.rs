//! The dialect of `tenant-files`, with its links used past the plugin.

use atlashub_tests::{Project, Reply, User, noise, shared};
use reqwest::Method;
use serde_json::{Value, json};

async fn project() -> Project {
    let admin = shared().await.admin();
    admin.project_with(&["files", "tenant-files"]).await
}

async fn issue(user: &User, wanted: Value) -> Value {
    let reply = user.post("/api/v1/credentials", wanted).await;
    reply.expect(200).json()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no `{name}` in {value}"))
}

/// Uses the link of an upload as a client that has nothing else.
async fn put(link: &Value, bytes: Vec<u8>) -> Reply {
    let request = reqwest::Client::new().put(text(link, "url"));
    let kind = text(&link["headers"], "Content-Type");
    Reply::to(request.header("content-type", kind).body(bytes)).await
}

#[tokio::test]
async fn links_of_credentials_carry_bytes_and_nothing_else() {
    let project = project().await;
    let user = project.sign_up().await;
    let bytes = noise(3 * 1024 * 1024, 11);
    let issued = issue(
        &user,
        json!({"prefix": "reports", "objects": [{
            "operation": "upload", "path": "reports/2026/ü.bin", "size": bytes.len(),
            "contentType": "application/octet-stream",
        }]}),
    )
    .await;
    let link = &issued["objects"][0];
    let confirm = format!("/api/v1/files/{}/Confirm", text(link, "id"));
    assert!(text(link, "confirmUrl").ends_with(&confirm), "{link}");
    let early = user.post(&confirm, json!({})).await;
    assert_eq!(early.expect_problem(409), "not_uploaded");
    // Another type than was announced is refused where the bytes would go.
    let other = reqwest::Client::new().put(text(link, "url"));
    let other = Reply::to(other.header("content-type", "text/html").body("x")).await;
    assert!([400, 403, 415].contains(&other.status), "{}", other.text());
    let _ = put(link, bytes.clone()).await.expect_success();
    let file = user.post(&confirm, json!({})).await.expect(200).json();
    assert_eq!(file["path"], "reports/2026/ü.bin");
    assert_eq!(file["size"], bytes.len());
    // What the link brings later is nobody's.
    let _ = put(link, vec![0; 9]).await;

    let objects = json!([
        {"operation": "download", "path": "reports/2026/ü.bin"},
        {"operation": "download", "id": file["id"]},
    ]);
    let issued = issue(&user, json!({"prefix": "reports", "objects": objects})).await;
    for link in issued["objects"].as_array().expect("objects") {
        let got = Reply::to(reqwest::Client::new().get(text(link, "url"))).await;
        assert_eq!(got.expect(200).body, bytes);
    }
    let stranger = project.sign_up().await;
    let issued = issue(&stranger, json!({"objects": objects})).await;
    for refused in issued["objects"].as_array().expect("objects") {
        assert_eq!(refused["error"]["status"], 404, "{refused}");
    }
}

#[tokio::test]
async fn a_link_beyond_the_quota_is_refused_with_its_limits() {
    let project = project().await;
    let admin = shared().await.admin();
    let body = json!({"enabled": true, "grants": "requested", "config": {"user_quota_bytes": 10}});
    let reply = admin.install(&project, "files", body).await;
    let _ = reply.expect_success();
    let user = project.sign_up().await;
    let object = json!({
        "operation": "upload", "path": "a", "size": 11, "contentType": "text/plain",
    });
    let issued = issue(&user, json!({"objects": [object]})).await;
    assert_eq!(
        issued["objects"][0]["error"]["code"], "quota_exceeded",
        "{issued}"
    );
    let request = user.request(Method::POST, "/api/v1/files/");
    let request = request.header("file-path", "a").body(vec![7; 11]);
    let reply = Reply::to(request).await;
    assert_eq!(reply.expect_problem(413), "quota_exceeded");
    assert_eq!(reply.json()["limit_bytes"], 10);
}

#[tokio::test]
async fn without_files_the_plugin_says_what_it_needs() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["tenant-files"]).await;
    for path in ["/api/v1/files/", "/api/v1/permissions?file=1"] {
        let reply = project.get(path).await;
        assert_eq!(reply.expect_problem(503), "files_unavailable");
    }
    // It is there as soon as `files` is.
    let _ = admin.enable(&project, "files").await;
    let _ = project.get("/api/v1/files/").await.expect(200);
}
