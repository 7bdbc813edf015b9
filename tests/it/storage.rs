//! The `storage` plugin: buckets with rules, and links that bytes go through.

use atlashub_tests::{Engine, Project, Reply, TestServer, noise, shared};
use reqwest::Method;
use serde_json::{Value, json};

async fn project() -> Project {
    shared().await.admin().project_with(&["storage"]).await
}

async fn bucket(project: &Project, rules: Value) {
    let _ = project.post("/v1/storage/buckets", rules).await.expect(201);
}

async fn announce(project: &Project, bucket: &str, path: &str, kind: &str, size: usize) -> Reply {
    let body = json!({"bucket": bucket, "path": path, "contentType": kind, "maxSize": size});
    project.post("/v1/storage/signed-upload", body).await
}

/// Uses a link as a client that has nothing else.
async fn put(link: &str, kind: &str, bytes: impl Into<reqwest::Body>) -> Reply {
    let request = reqwest::Client::new().put(link);
    Reply::to(request.header("content-type", kind).body(bytes)).await
}

fn link(reply: &Value) -> String {
    reply["uploadUrl"].as_str().expect("a link").to_owned()
}

/// Announces an object and sends it.
pub(crate) async fn send(
    project: &Project,
    bucket: &str,
    path: &str,
    kind: &str,
    bytes: impl Into<Vec<u8>>,
) {
    let bytes = bytes.into();
    let reply = announce(project, bucket, path, kind, bytes.len()).await;
    let link = link(&reply.expect(200).json());
    let _ = put(&link, kind, bytes).await.expect_success();
}

async fn download(project: &Project, bucket: &str, path: &str) -> Reply {
    let query = format!("/v1/storage/signed-download?bucket={bucket}&objectKey={path}");
    project.get(&query).await
}

async fn fetched(reply: Reply) -> Reply {
    let url = reply.expect(200).json()["downloadUrl"]
        .as_str()
        .expect("a link")
        .to_owned();
    Reply::to(reqwest::Client::new().get(url)).await.expect(200)
}

async fn listed(project: &Project, bucket: &str) -> Vec<Value> {
    let path = format!("/v1/storage/list?bucket={bucket}");
    let page = project.get(&path).await.expect(200).json();
    page["objects"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn bytes_go_past_the_plugin_and_come_back() {
    let project = project().await;
    bucket(&project, json!({"name": "films"})).await;
    let bytes = noise(8 * 1024 * 1024, 5);
    send(&project, "films", "a/ü 1.bin", "video/mp4", bytes.clone()).await;
    let objects = listed(&project, "films").await;
    assert_eq!(objects.len(), 1);
    assert_eq!(objects[0]["objectKey"], "a/ü 1.bin");
    assert_eq!(objects[0]["size"], bytes.len());
    assert_eq!(objects[0]["contentType"], "video/mp4");
    let reply = fetched(download(&project, "films", "a/%C3%BC%201.bin").await).await;
    assert_eq!(reply.header("content-type"), "video/mp4");
    assert!(
        reply
            .header("content-disposition")
            .ends_with("filename*=UTF-8''%C3%BC%201%2Ebin"),
        "{}",
        reply.header("content-disposition")
    );
    assert!(reply.body == bytes, "other bytes came back");
}

#[tokio::test]
async fn size_and_type_hold_when_the_bytes_arrive() {
    let project = project().await;
    let rules = json!({"name": "small", "maxObjectBytes": 100, "allowedTypes": ["text/*"]});
    bucket(&project, rules).await;
    let refused = announce(&project, "small", "a", "image/png", 1).await;
    assert_eq!(refused.expect_problem(415), "type_refused");
    let refused = announce(&project, "small", "a", "text/plain", 101).await;
    assert_eq!(refused.expect_problem(413), "object_too_large");
    let reply = announce(&project, "small", "a", "text/plain", 3).await;
    let link = link(&reply.expect(200).json());
    let refused = put(&link, "text/html", "abc").await;
    assert_eq!(refused.expect_problem(415), "content_type_mismatch");
    let refused = put(&link, "text/plain", "abcd").await;
    assert_eq!(refused.expect_problem(413), "object_too_large");
    assert!(listed(&project, "small").await.is_empty());
    assert_eq!(download(&project, "small", "a").await.status, 404);
    let _ = put(&link, "text/plain", "abc").await.expect_success();
    assert_eq!(listed(&project, "small").await.len(), 1);
}

/// Announces an object of exactly that size.
async fn announce_exactly(project: &Project, path: &str, size: usize) -> Reply {
    let body = json!({"bucket": "docs", "path": path, "contentType": "text/plain", "size": size});
    project.post("/v1/storage/signed-upload", body).await
}

/// What the project has in use, and how much of that is only set aside.
async fn storage_of(server: &TestServer, project: &Project) -> (u64, u64) {
    let path = format!("/admin/v1/projects/{}/usage", project.slug);
    let usage = server.admin().get(&path).await.expect(200).json();
    let bytes = |name: &str| usage["storage"][name].as_u64().expect("a size");
    (bytes("used_bytes"), bytes("reserved_bytes"))
}

#[tokio::test]
async fn an_upload_of_a_known_size_goes_straight_to_a_store_that_signs_links() {
    let server = shared().await;
    let project = server.admin().project_with(&["storage"]).await;
    bucket(&project, json!({"name": "docs"})).await;
    let reply = announce_exactly(&project, "a", 9).await;
    let url = link(&reply.expect(200).json());
    let is_straight = Engine::of_this_run() == Engine::Postgres;
    assert_eq!(url.contains("X-Amz-Signature="), is_straight, "{url}");
    assert_eq!(url.starts_with(&server.url("")), !is_straight, "{url}");
    // It counts from now on where nobody asks later.
    let aside = if is_straight { 9 } else { 0 };
    assert_eq!(storage_of(server, &project).await, (aside, aside));
    assert_eq!(
        put(&url, "text/html", "nine byte").await.status,
        refusal(415)
    );
    assert_eq!(
        put(&url, "text/plain", "ten bytes!").await.status,
        refusal(413)
    );
    if is_straight {
        assert_eq!(put(&url, "text/plain", "8 bytes!").await.status, 403);
    }
    assert_eq!(download(&project, "docs", "a").await.status, 404);
    let _ = put(&url, "text/plain", "nine byte").await.expect_success();
    let came = fetched(download(&project, "docs", "a").await).await;
    assert_eq!(came.text(), "nine byte");
    assert_eq!(storage_of(server, &project).await, (9, 0));

    // Settled, the link is good for nothing more.
    let again = put(&url, "text/plain", "NINE BYTE").await;
    if !is_straight {
        assert_eq!(again.expect_problem(409), "link_used");
    }
    let same = fetched(download(&project, "docs", "a").await).await;
    assert_eq!(same.text(), "nine byte");
    let object = "/v1/storage/object?bucket=docs&objectKey=a";
    let _ = project.delete(object).await.expect(204);
    let late = put(&url, "text/plain", "nine byte").await;
    if !is_straight {
        assert_eq!(late.expect_problem(409), "link_used");
    }
    assert!(listed(&project, "docs").await.is_empty());
    assert_eq!(storage_of(server, &project).await, (0, 0));
}

/// How a link refuses what it was not signed for: a store knows but one
/// answer.
fn refusal(here: u16) -> u16 {
    match Engine::of_this_run() {
        Engine::Postgres => 403,
        Engine::Sqlite => here,
    }
}

#[tokio::test]
async fn what_is_announced_for_a_store_counts_before_it_comes() {
    let server = shared().await;
    let project = server.admin().project_with(&["storage"]).await;
    bucket(&project, json!({"name": "docs"})).await;
    let quota = format!("/admin/v1/projects/{}/quota", project.slug);
    let body = json!({"storage_bytes": 10});
    let _ = server.admin().put(&quota, body).await.expect_success();
    let announced = futures::future::join_all((0..8).map(|n| {
        let project = &project;
        async move { announce_exactly(project, &format!("a{n}"), 4).await }
    }))
    .await;
    let (links, refused): (Vec<_>, Vec<_>) =
        announced.into_iter().partition(|reply| reply.status == 200);
    let sent = futures::future::join_all(
        links
            .iter()
            .map(|reply| async { put(&link(&reply.json()), "text/plain", "four").await }),
    )
    .await;
    let came = sent.iter().filter(|reply| reply.status == 200).count();
    assert_eq!(came, 2);
    for reply in refused {
        assert_eq!(reply.expect_problem(413), "quota_exceeded");
    }
    assert_eq!(listed(&project, "docs").await.len(), 2);
    assert_eq!(storage_of(server, &project).await, (8, 0));
}

#[tokio::test]
async fn an_admin_keeps_clients_from_the_store() {
    let server = TestServer::builder()
        .env("ATLASHUB_STORAGE_PRESIGN", "off")
        .start()
        .await;
    let project = server.admin().project_with(&["storage"]).await;
    bucket(&project, json!({"name": "docs"})).await;
    let reply = announce_exactly(&project, "a", 4).await;
    let url = link(&reply.expect(200).json());
    assert!(url.starts_with(&server.url("/_/blob/")), "{url}");
    let _ = put(&url, "text/plain", "four").await.expect_success();
    let reply = download(&project, "docs", "a").await.expect(200).json();
    let url = reply["downloadUrl"].as_str().expect("a link");
    assert!(url.starts_with(&server.url("/_/blob/")), "{url}");
    let got = Reply::to(reqwest::Client::new().get(url)).await.expect(200);
    assert_eq!(got.text(), "four");
}

#[tokio::test]
async fn the_quota_counts_what_arrived() {
    let server = shared().await;
    let project = server.admin().project_with(&["storage"]).await;
    bucket(&project, json!({"name": "docs"})).await;
    let quota = format!("/admin/v1/projects/{}/quota", project.slug);
    let body = json!({"storage_bytes": 10});
    let _ = server.admin().put(&quota, body).await.expect_success();
    let first = announce(&project, "docs", "first", "text/plain", 8).await;
    let second = announce(&project, "docs", "second", "text/plain", 8).await;
    let (first, second) = (first.expect(200).json(), second.expect(200).json());
    let _ = put(&link(&first), "text/plain", "12345678")
        .await
        .expect_success();
    let refused = put(&link(&second), "text/plain", "12345678").await;
    assert_eq!(refused.expect_problem(413), "quota_exceeded");
    let object = "/v1/storage/object?bucket=docs&objectKey=first";
    let _ = project.delete(object).await.expect(204);
    let _ = put(&link(&second), "text/plain", "12345678")
        .await
        .expect_success();
    let objects = listed(&project, "docs").await;
    assert_eq!(objects.len(), 1);
    assert_eq!(objects[0]["objectKey"], "second");
}

#[tokio::test]
async fn a_users_object_is_the_users() {
    let project = project().await;
    bucket(&project, json!({"name": "homes", "uploads": "users"})).await;
    let (one, other) = (project.sign_up().await, project.sign_up().await);
    let body = json!({"bucket": "homes", "path": "me", "contentType": "text/plain", "maxSize": 9});
    let announced = one
        .request(Method::POST, "/v1/storage/signed-upload")
        .json(&body);
    let announced = Reply::to(announced).await.expect(200).json();
    let _ = put(&link(&announced), "text/plain", "mine")
        .await
        .expect_success();
    let path = "/v1/storage/signed-download?bucket=homes&objectKey=me";
    let reply = Reply::to(one.request(Method::GET, path)).await;
    assert_eq!(fetched(reply).await.text(), "mine");
    let reply = Reply::to(other.request(Method::GET, path)).await;
    assert_eq!(reply.status, 404, "{}", reply.text());
    let taken = other
        .request(Method::POST, "/v1/storage/signed-upload")
        .json(&body);
    assert_eq!(Reply::to(taken).await.expect_problem(409), "path_taken");
    let object = "/v1/storage/object?bucket=homes&objectKey=me";
    let reply = Reply::to(other.request(Method::DELETE, object)).await;
    assert_eq!(reply.status, 404, "{}", reply.text());
    let reply = Reply::to(one.request(Method::DELETE, object)).await;
    assert_eq!(reply.status, 204, "{}", reply.text());
    assert!(listed(&project, "homes").await.is_empty());
}

#[tokio::test]
async fn a_link_is_good_for_as_long_as_is_asked_for_and_a_users_no_longer_than_is_set() {
    let project = project().await;
    bucket(&project, json!({"name": "homes", "uploads": "users"})).await;
    let user = project.sign_up().await;
    let body = json!({"bucket": "homes", "path": "me", "contentType": "text/plain", "maxSize": 9});
    let announced = user
        .request(Method::POST, "/v1/storage/signed-upload")
        .json(&body);
    let announced = Reply::to(announced).await.expect(200).json();
    let _ = put(&link(&announced), "text/plain", "mine")
        .await
        .expect_success();
    let path = |seconds: &str| {
        format!("/v1/storage/signed-download?bucket=homes&objectKey=me&expiresIn={seconds}")
    };
    let week = project.get(&path("604800")).await.expect(200).json();
    assert_eq!(week["expiresIn"], 604_800);
    for seconds in ["9", "604801"] {
        let refused = project.get(&path(seconds)).await;
        assert_eq!(refused.expect_problem(422), "invalid_lifetime");
    }
    let mine = Reply::to(user.request(Method::GET, &path("60"))).await;
    assert_eq!(mine.expect(200).json()["expiresIn"], 60);
    let beyond = Reply::to(user.request(Method::GET, &path("901"))).await;
    assert_eq!(beyond.expect_problem(422), "invalid_lifetime");
}

#[tokio::test]
async fn what_a_public_bucket_holds_needs_no_key() {
    let project = project().await;
    bucket(&project, json!({"name": "site", "public": true})).await;
    send(&project, "site", "a.css", "text/css", "body{}").await;
    send(
        &project,
        "site",
        "x.html",
        "text/html",
        "<script>alert(1)</script>",
    )
    .await;
    let get = |path: &str| {
        Reply::to(project.bare_request(
            Method::GET,
            &format!("/p/{}/v1/storage/public/{path}", project.slug),
        ))
    };
    assert_eq!(get("site/none").await.status, 404);
    let reply = get("site/a.css").await;
    let place = reply.expect(302).header("location").to_owned();
    let style = Reply::to(reqwest::Client::new().get(place))
        .await
        .expect(200);
    assert_eq!(style.text(), "body{}");
    let reply = get("site/x.html").await;
    let place = reply.expect(302).header("location").to_owned();
    let page = Reply::to(reqwest::Client::new().get(place))
        .await
        .expect(200);
    assert!(
        page.header("content-disposition").starts_with("attachment"),
        "a page of a user's would run: {}",
        page.header("content-disposition")
    );
}

#[tokio::test]
async fn two_projects_have_buckets_of_the_same_name() {
    let (one, other) = (project().await, project().await);
    for project in [&one, &other] {
        bucket(project, json!({"name": "docs"})).await;
    }
    send(&one, "docs", "a", "text/plain", "one").await;
    assert!(listed(&other, "docs").await.is_empty());
    assert_eq!(download(&other, "docs", "a").await.status, 404);
    send(&other, "docs", "a", "text/plain", "other").await;
    for (project, text) in [(&one, "one"), (&other, "other")] {
        let reply = fetched(download(project, "docs", "a").await).await;
        assert_eq!(reply.text(), text);
    }
}
