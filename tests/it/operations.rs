//! Health, metrics, settings, shutting down.

use atlashub_tests::{Reply, TestServer, shared};
use reqwest::Method;

#[tokio::test]
async fn health_and_readiness_need_no_credentials() {
    let nobody = shared().await.admin().anonymous();
    for path in ["/healthz", "/readyz"] {
        let _ = nobody.get(path).await.expect(200);
    }
}

#[tokio::test]
async fn metrics_are_for_admins_and_name_the_plugins() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["hello"]).await;
    let _ = project.get("/hello").await.expect(200);
    admin.anonymous().get("/metrics").await.expect_problem(401);
    let metrics = admin.get("/metrics").await.expect(200);
    assert!(metrics.header("content-type").starts_with("text/plain"));
    let text = metrics.text();
    assert!(
        text.lines().any(|line| line.starts_with("# TYPE ")),
        "{text}"
    );
    assert!(
        text.contains(&project.slug) && text.contains("hello"),
        "no word of the plugin"
    );
}

#[tokio::test]
async fn the_interface_describes_itself() {
    let admin = shared().await.admin();
    let document = admin.get("/openapi.json").await.expect(200).json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    for path in [
        "/admin/v1/projects",
        "/admin/v1/plugins",
        "/admin/v1/session",
    ] {
        assert!(
            document["paths"][path].is_object(),
            "{path} is not described"
        );
    }
}

#[tokio::test]
async fn a_server_without_anything_to_do_stops_at_once() {
    let mut server = TestServer::start().await;
    let start = std::time::Instant::now();
    server.stop().await;
    assert!(
        start.elapsed().as_secs() < 10,
        "it took {:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_development_token_is_refused_in_production() {
    let log = TestServer::refused(&[("ATLASHUB_ENV", "production")]).await;
    assert!(log.contains("ATLASHUB_DEV_ADMIN_TOKEN"), "{log}");
}

#[tokio::test]
async fn a_setting_that_makes_no_sense_is_named() {
    for (name, value) in [
        ("ATLASHUB_DATABASE_URL", "mysql://x"),
        ("ATLASHUB_STORAGE_URL", "ftp://x"),
        ("ATLASHUB_MASTER_KEY", "short"),
        ("ATLASHUB_PUBLIC_URL", "nowhere"),
    ] {
        let log = TestServer::refused(&[(name, value)]).await;
        assert!(log.contains(name), "{name}={value}: {log}");
    }
}

#[tokio::test]
async fn the_stores_that_others_share_need_a_master_key_of_their_own() {
    if !atlashub_tests::Engine::of_this_run().serves_many_nodes() {
        // Embedded, the key is made on the first run and kept.
        let mut server = TestServer::start().await;
        server.restart().await;
        return;
    }
    let log = TestServer::refused(&[("ATLASHUB_MASTER_KEY", "")]).await;
    assert!(log.contains("ATLASHUB_MASTER_KEY"), "{log}");
}

#[tokio::test]
async fn a_project_over_its_rate_is_told_when_to_come_again() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["hello"]).await;
    let quota = format!("/admin/v1/projects/{}/quota", project.slug);
    let _ = admin
        .put(&quota, serde_json::json!({"requests_per_second": 5}))
        .await
        .expect(200);
    let mut refused = None;
    for _ in 0..200 {
        let reply = project.get("/hello").await;
        if reply.status == 429 {
            refused = Some(reply);
            break;
        }
    }
    let refused = refused.expect("two hundred requests in a row were all let in");
    refused.expect_problem(429);
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds));
    let policy = refused.header("ratelimit-policy");
    assert!(policy.starts_with("\"project\";q=10;w=2, "), "{policy}");
    let standing = refused.header("ratelimit");
    assert!(standing.starts_with("\"project\";r=0;t="), "{standing}");
    let neighbour = admin.project_with(&["hello"]).await;
    let _ = neighbour.get("/hello").await.expect(200);
}

#[tokio::test]
async fn a_callers_writes_are_limited_apart_from_its_reads() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["hello"]).await;
    let quota = format!("/admin/v1/projects/{}/quota", project.slug);
    let limits = serde_json::json!({"caller_writes_per_second": 1});
    let usage = admin.put(&quota, limits).await.expect(200).json();
    assert_eq!(usage["caller_writes_per_second"], 1);
    let write = || async { Reply::to(project.request(Method::POST, "/hello")).await };
    let mut refused = None;
    for _ in 0..50 {
        let reply = write().await;
        if reply.status == 429 {
            refused = Some(reply);
            break;
        }
    }
    let refused = refused.expect("fifty writes in a row were all let in");
    let standing = refused.header("ratelimit");
    assert!(standing.starts_with("\"writes\";r=0;t="), "{standing}");
    let read = project.get("/hello").await.expect(200);
    let standing = read.header("ratelimit");
    assert!(standing.starts_with("\"reads\";r="), "{standing}");
}

#[tokio::test]
async fn the_admin_interface_tells_its_limit() {
    let admin = shared().await.admin();
    let reply = admin.get("/admin/v1/projects").await.expect(200);
    assert_eq!(reply.header("ratelimit-policy"), "\"admin\";q=2000;w=2");
    assert!(reply.header("ratelimit").starts_with("\"admin\";r="));
}

#[tokio::test]
async fn a_browser_of_any_origin_may_call_a_projects_routes() {
    let project = shared().await.admin().project_with(&["hello"]).await;
    let request = project
        .bare_request(Method::OPTIONS, "/hello")
        .header("origin", "https://app.example")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "x-api-key");
    let preflight = Reply::to(request).await.expect_success();
    let allowed = preflight
        .header("access-control-allow-headers")
        .to_lowercase();
    assert!(allowed.contains("x-api-key") || allowed == "*", "{allowed}");
    let request = project
        .request(Method::GET, "/hello")
        .header("origin", "https://app.example");
    let reply = Reply::to(request).await.expect(200);
    assert!(!reply.header("access-control-allow-origin").is_empty());
}
