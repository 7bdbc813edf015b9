//! Pages that plugins bring into the dashboard: what their tokens reach, and
//! what they do not.

use atlashub_tests::{Admin, Project, Reply, TestServer, fixture};
use reqwest::Method;
use serde_json::json;

const EMAIL: &str = "owner@example.com";
const PASSWORD: &str = "a long and honest pass phrase";

/// A server with an owner's session and a project with two plugins.
async fn with_pages() -> (TestServer, Admin, String, Project) {
    let server = TestServer::start().await;
    let admin = server.admin();
    let nobody = admin.anonymous();
    let body = json!({"email": EMAIL, "password": PASSWORD});
    let _ = nobody
        .post("/admin/v1/setup", body.clone())
        .await
        .expect_success();
    let session = nobody.post("/admin/v1/session", body).await;
    let token = session.expect_success().json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let _ = admin.upload(fixture("pages"), None).await.expect_success();
    let project = admin.project_with(&["pages", "hello"]).await;
    (server, admin, token, project)
}

async fn page_token(admin: &Admin, project: &Project, plugin: &str) -> Reply {
    let slug = &project.slug;
    let path = format!("/admin/v1/projects/{slug}/plugins/{plugin}/page-token");
    admin.post(&path, json!({})).await
}

/// Asks with a page's token, and nothing else.
async fn ask(project: &Project, method: Method, path: &str, token: &str) -> Reply {
    Reply::to(project.bare_request(method, path).bearer_auth(token)).await
}

#[tokio::test]
async fn a_page_calls_its_own_plugin_as_the_admin_and_nothing_else() {
    let (_server, admin, session, project) = with_pages().await;
    let owner = admin.with_session(&session);
    let slug = &project.slug;
    let shown = format!("/admin/v1/projects/{slug}/plugins/pages");
    let shown = admin.get(&shown).await.expect(200).json();
    let page = json!({"title": "Inside", "path": "/pages/inside/index.html"});
    assert_eq!(shown["pages"], json!([page]));
    let made = page_token(&owner, &project, "pages").await.expect(201);
    let token = made.json()["token"].as_str().unwrap().to_owned();
    let own = format!("/p/{slug}/pages/api/caller");
    let caller = ask(&project, Method::GET, &own, &token).await.expect(200);
    let caller = caller.json();
    assert_eq!(caller["admin"], true, "{caller}");
    assert_eq!(caller["roles"], json!(["owner"]));
    // Not another plugin, not the project's users, not the project's description.
    for path in ["/hello", "/v1/auth/me", "/openapi.json"] {
        let path = format!("/p/{slug}{path}");
        let refused = ask(&project, Method::GET, &path, &token).await;
        assert_eq!(refused.status, 403, "{path}: {}", refused.text());
    }
    // Not another project.
    let other = admin.project_with(&["pages"]).await;
    let elsewhere = format!("/p/{}/pages/api/caller", other.slug);
    let refused = ask(&project, Method::GET, &elsewhere, &token).await;
    assert_eq!(refused.status, 401, "{}", refused.text());
    // Not the admin interface, and no further token.
    for (method, path) in [
        (Method::GET, "/admin/v1/projects".to_owned()),
        (
            Method::POST,
            format!("/admin/v1/projects/{slug}/plugins/pages/page-token"),
        ),
    ] {
        let refused = ask(&project, method, &path, &token).await;
        assert_eq!(refused.status, 401, "{path}: {}", refused.text());
    }
    // One that somebody changed is none.
    let forged = format!("{}x", &token[..token.len() - 1]);
    let refused = ask(&project, Method::GET, &own, &forged).await;
    assert_eq!(refused.expect_problem(401), "invalid_page_token");
}

#[tokio::test]
async fn a_page_has_the_rights_of_its_admin_and_ends_with_the_session() {
    let (_server, admin, session, project) = with_pages().await;
    let owner = admin.with_session(&session);
    let made = page_token(&owner, &project, "pages").await.expect(201);
    let token = made.json()["token"].as_str().unwrap().to_owned();
    let own = format!("/p/{}/pages/api/caller", project.slug);
    let _ = ask(&project, Method::GET, &own, &token).await.expect(200);
    let _ = owner.delete("/admin/v1/session").await.expect_success();
    let refused = ask(&project, Method::GET, &own, &token).await;
    assert_eq!(refused.expect_problem(401), "invalid_page_token");
}

#[tokio::test]
async fn a_plugin_without_pages_or_switched_off_has_no_tokens() {
    let (_server, admin, _session, project) = with_pages().await;
    let refused = page_token(&admin, &project, "hello").await;
    assert_eq!(refused.expect_problem(409), "no_pages");
    let refused = page_token(&admin, &project, "nowhere").await;
    let _ = refused.expect_problem(404);
    let off = json!({"enabled": false});
    let _ = admin.install(&project, "pages", off).await.expect_success();
    let refused = page_token(&admin, &project, "pages").await;
    assert_eq!(refused.expect_problem(409), "no_pages");
}

#[tokio::test]
async fn a_page_may_be_framed_by_its_own_host_and_is_of_no_origin() {
    let (_server, _admin, _session, project) = with_pages().await;
    let policy_of = async |path: &str| {
        let path = format!("/p/{}{path}", project.slug);
        let reply = Reply::to(project.bare_request(Method::GET, &path)).await;
        let policy = reply.expect(200).headers["content-security-policy"].clone();
        policy.to_str().unwrap().to_owned()
    };
    let page = policy_of("/pages/inside/").await;
    assert!(page.contains("frame-ancestors 'self'"), "{page}");
    assert!(page.contains("sandbox allow-scripts allow-forms"), "{page}");
    assert!(!page.contains("allow-same-origin"), "{page}");
    let other = policy_of("/pages/").await;
    assert!(other.contains("frame-ancestors 'none'"), "{other}");
    // This host is not the project's own, but the dashboard's, too.
    assert!(other.contains("sandbox allow-scripts"), "{other}");
    assert!(!other.contains("allow-same-origin"), "{other}");
}
