//! Sessions of pages: the refresh token stands in a cookie that no script
//! reads, for one call, and for pages of the same origin.

use atlashub_tests::{PASSWORD, Project, Reply, User, shared};
use reqwest::{Method, header};
use serde_json::{Value, json};

/// A page of the server's own origin, or of another.
const HERE: &str = "same-origin";
const ELSEWHERE: &str = "cross-site";

async fn user() -> (Project, User) {
    let project = shared().await.admin().project().await;
    let user = project.sign_up().await;
    (project, user)
}

/// What a page posts to the project below its path.
async fn post(project: &Project, path: &str, site: &str, cookie: &str, body: Value) -> Reply {
    let path = format!("/p/{}{path}", project.slug);
    let request = project
        .bare_request(Method::POST, &path)
        .header("sec-fetch-site", site)
        .header(header::COOKIE, cookie)
        .json(&body);
    Reply::to(request).await
}

async fn sign_in(project: &Project, user: &User, site: &str) -> Reply {
    let body = json!({"email": user.email, "password": PASSWORD, "session": "cookie"});
    post(project, "/v1/auth/login", site, "a=b", body).await
}

/// The cookie as a browser sends it back.
fn kept(reply: &Reply) -> String {
    let set = reply.header("set-cookie");
    set.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_page_never_sees_the_refresh_token() {
    let (project, user) = user().await;
    let first = sign_in(&project, &user, HERE).await.expect(200);
    assert!(first.json().get("refresh_token").is_none());
    let set = first.header("set-cookie").to_owned();
    let path = format!("Path=/p/{}/v1/auth/refresh;", project.slug);
    for part in [path.as_str(), "HttpOnly;", "SameSite=Strict;", "Secure;"] {
        assert!(set.contains(part), "{part} in {set}");
    }
    let second = post(&project, "/v1/auth/refresh", HERE, &kept(&first), json!({})).await;
    let second = second.expect(200);
    assert!(second.json().get("refresh_token").is_none());
    assert_ne!(kept(&first), kept(&second));
    let user = user.with_access(second.json()["access_token"].as_str().unwrap());
    let _ = user.get("/v1/auth/me").await.expect(200);

    let end = user
        .request(Method::POST, "/v1/auth/logout?scope=local")
        .header("sec-fetch-site", HERE);
    let ended = Reply::to(end).await.expect(204);
    assert!(ended.header("set-cookie").contains("Max-Age=0"));
    let gone = post(
        &project,
        "/v1/auth/refresh",
        HERE,
        &kept(&second),
        json!({}),
    )
    .await;
    assert_eq!(gone.expect_problem(401), "invalid_refresh_token");
}

#[tokio::test]
async fn a_page_of_another_origin_neither_begins_nor_uses_a_session_in_a_cookie() {
    let (project, user) = user().await;
    let refused = sign_in(&project, &user, ELSEWHERE).await;
    assert_eq!(refused.expect_problem(403), "cross_site");
    let ours = sign_in(&project, &user, HERE).await.expect(200);
    let refused = post(
        &project,
        "/v1/auth/refresh",
        ELSEWHERE,
        &kept(&ours),
        json!({}),
    )
    .await;
    assert_eq!(refused.expect_problem(403), "cross_site");
    assert!(!refused.headers.contains_key("set-cookie"));
    // What is in a sandbox says that it comes from nowhere.
    let path = format!("/p/{}/v1/auth/refresh", project.slug);
    let sandboxed = project
        .bare_request(Method::POST, &path)
        .header(header::ORIGIN, "null")
        .header(header::COOKIE, kept(&ours))
        .json(&json!({}));
    assert_eq!(Reply::to(sandboxed).await.expect_problem(403), "cross_site");
    let _ = post(&project, "/v1/auth/refresh", HERE, &kept(&ours), json!({}))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_page_without_a_session_is_told_so_and_a_program_keeps_its_token_itself() {
    let (project, user) = user().await;
    let none = post(&project, "/v1/auth/refresh", HERE, "a=b", json!({})).await;
    none.expect_problem(401);
    let tokens = project.sign_in(&user.email).await.expect(200);
    assert!(!tokens.headers.contains_key("set-cookie"));
    assert!(tokens.json()["refresh_token"].is_string());
}

#[tokio::test]
async fn a_page_that_sets_another_password_stays_signed_in() {
    let (project, user) = user().await;
    let first = sign_in(&project, &user, HERE).await.expect(200);
    let page = user.with_access(first.json()["access_token"].as_str().unwrap());
    let body = json!({"current_password": PASSWORD, "password": "another long phrase", "session": "cookie"});
    let change = page
        .request(
            Method::PUT,
            &format!("/p/{}/v1/auth/password", project.slug),
        )
        .header("sec-fetch-site", HERE)
        .json(&body);
    let changed = Reply::to(change).await.expect(200);
    assert!(changed.json().get("refresh_token").is_none());
    let next = post(
        &project,
        "/v1/auth/refresh",
        HERE,
        &kept(&changed),
        json!({}),
    )
    .await;
    let _ = next.expect(200);
    post(&project, "/v1/auth/refresh", HERE, &kept(&first), json!({}))
        .await
        .expect_problem(401);
}
