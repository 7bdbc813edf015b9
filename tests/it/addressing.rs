//! How a request finds its project: host name, path, key, default.

use atlashub_tests::{Reply, TestServer, shared, unique};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_project_answers_under_its_host_name() {
    let project = shared().await.admin().project_with(&["hello"]).await;
    let request = project
        .bare_request(Method::GET, "/hello")
        .header("host", format!("{}.hub.test", project.slug));
    assert_eq!(
        Reply::to(request).await.expect(200).json(),
        json!({"message": "hello"})
    );
}

#[tokio::test]
async fn a_host_name_matches_in_any_case_and_with_a_port() {
    let project = shared().await.admin().project_with(&["hello"]).await;
    let host = format!("{}.HUB.test:8443", project.slug.to_uppercase());
    let request = project
        .bare_request(Method::GET, "/hello")
        .header("host", host);
    let _ = Reply::to(request).await.expect(200);
}

#[tokio::test]
async fn a_project_answers_under_its_path() {
    let project = shared().await.admin().project_with(&["hello"]).await;
    let path = format!("/p/{}/hello/Ada", project.slug);
    let reply = Reply::to(project.bare_request(Method::GET, &path))
        .await
        .expect(200);
    assert_eq!(reply.json(), json!({"message": "hello, Ada"}));
}

#[tokio::test]
async fn a_project_is_found_by_its_key_in_each_of_three_headers() {
    let project = shared().await.admin().project_with(&["hello"]).await;
    let bearer = format!("Bearer {}", project.publishable);
    for (name, value) in [
        ("x-api-key", project.publishable.as_str()),
        ("apikey", project.publishable.as_str()),
        ("authorization", bearer.as_str()),
    ] {
        let request = project
            .bare_request(Method::GET, "/hello")
            .header(name, value);
        let _ = Reply::to(request).await.expect(200);
    }
}

#[tokio::test]
async fn a_request_that_names_no_project_goes_to_the_default_one() {
    let slug = unique("default");
    let server = TestServer::builder()
        .env("ATLASHUB_DEFAULT_PROJECT", &slug)
        .start()
        .await;
    let admin = server.admin();
    let body = json!({"name": "Default", "slug": slug});
    let _ = admin.post("/admin/v1/projects", body).await.expect(201);
    let path = format!("/admin/v1/projects/{slug}/plugins/hello");
    let _ = admin
        .put(&path, json!({"enabled": true}))
        .await
        .expect_success();
    let _ = admin.anonymous().get("/hello").await.expect(200);
}

#[tokio::test]
async fn two_ways_that_name_the_same_project_agree() {
    let project = shared().await.admin().project_with(&["hello"]).await;
    let request = project
        .request(Method::GET, &format!("/p/{}/hello", project.slug))
        .header("host", format!("{}.hub.test", project.slug));
    let _ = Reply::to(request).await.expect(200);
}

#[tokio::test]
async fn two_ways_that_name_different_projects_are_refused() {
    let admin = shared().await.admin();
    let (one, two) = (
        admin.project_with(&["hello"]).await,
        admin.project_with(&["hello"]).await,
    );
    let (host, path) = (
        format!("{}.hub.test", one.slug),
        format!("/p/{}/hello", two.slug),
    );
    let by_host_and_key = two.request(Method::GET, "/hello").header("host", &host);
    let by_host_and_path = one.bare_request(Method::GET, &path).header("host", &host);
    let by_path_and_key = one.request(Method::GET, &path);
    let by_two_keys = one.request(Method::GET, "/hello").bearer_auth(&two.secret);
    for request in [
        by_host_and_key,
        by_host_and_path,
        by_path_and_key,
        by_two_keys,
    ] {
        Reply::to(request).await.expect_problem(400);
    }
}

#[tokio::test]
async fn an_unknown_project_is_not_found() {
    let project = shared().await.admin().project().await;
    let by_path = project.bare_request(Method::GET, "/p/no-such-project/hello");
    let by_host = project
        .bare_request(Method::GET, "/hello")
        .header("host", "no-such.hub.test");
    let by_nothing = project.bare_request(Method::GET, "/hello");
    for request in [by_path, by_host, by_nothing] {
        Reply::to(request).await.expect_problem(404);
    }
}

#[tokio::test]
async fn an_address_that_no_plugin_owns_is_not_found() {
    let project = shared().await.admin().project_with(&["hello"]).await;
    for path in ["/", "/hell", "/helloo", "/nothing/here"] {
        project.get(path).await.expect_problem(404);
    }
}

#[tokio::test]
async fn the_host_keeps_its_own_addresses_inside_a_project() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["hello"]).await;
    for path in ["/admin", "/_/x", "/v1/auth/me", "/metrics"] {
        let body = json!({"enabled": true, "routes": [path]});
        admin
            .install(&project, "hello", body)
            .await
            .expect_problem(422);
    }
    let _ = project.get("/hello").await.expect(200);
}

#[tokio::test]
async fn a_removed_project_is_gone_at_once() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["hello"]).await;
    let _ = project.get("/hello").await.expect(200);
    let path = format!("/admin/v1/projects/{}", project.slug);
    let _ = admin.delete(&path).await.expect_success();
    project.get("/hello").await.expect_problem(401);
    let by_path = format!("/p/{}/hello", project.slug);
    Reply::to(project.bare_request(Method::GET, &by_path))
        .await
        .expect_problem(404);
    admin.get(&path).await.expect_problem(404);
}
