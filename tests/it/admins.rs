//! Admins: the first owner, sessions, the development token.

use atlashub_tests::{Admin, Reply, TestServer};
use reqwest::Method;
use serde_json::json;

const EMAIL: &str = "owner@example.com";
const PASSWORD: &str = "a long and honest pass phrase";

async fn sign_in(admin: &Admin, password: &str) -> Reply {
    admin
        .anonymous()
        .post(
            "/admin/v1/session",
            json!({"email": EMAIL, "password": password}),
        )
        .await
}

async fn with_owner() -> (TestServer, Admin) {
    let server = TestServer::start().await;
    let admin = server.admin();
    let body = json!({"email": EMAIL, "password": PASSWORD});
    let _ = admin
        .anonymous()
        .post("/admin/v1/setup", body)
        .await
        .expect_success();
    (server, admin)
}

#[tokio::test]
async fn the_first_owner_is_made_once() {
    let (_server, admin) = with_owner().await;
    let again = json!({"email": "other@example.com", "password": PASSWORD});
    admin
        .anonymous()
        .post("/admin/v1/setup", again)
        .await
        .expect_problem(409);
}

#[tokio::test]
async fn a_weak_password_makes_no_owner() {
    let server = TestServer::start().await;
    let admin = server.admin().anonymous();
    for password in ["", "short", "password", "12345678"] {
        let body = json!({"email": EMAIL, "password": password});
        admin
            .post("/admin/v1/setup", body)
            .await
            .expect_problem(422);
    }
    let body = json!({"email": "not an address", "password": PASSWORD});
    admin
        .post("/admin/v1/setup", body)
        .await
        .expect_problem(422);
}

#[tokio::test]
async fn of_two_first_owners_at_once_one_is_made() {
    let server = TestServer::start().await;
    let admin = server.admin().anonymous();
    let make = |email: &str| {
        let body = json!({"email": email, "password": PASSWORD});
        let admin = admin.clone();
        async move { admin.post("/admin/v1/setup", body).await.status }
    };
    let (one, two) = tokio::join!(make("one@example.com"), make("two@example.com"));
    let made = [one, two]
        .iter()
        .filter(|status| (200..300).contains(*status))
        .count();
    assert_eq!(made, 1, "the answers were {one} and {two}");
}

#[tokio::test]
async fn an_admin_signs_in_and_out() {
    let (_server, admin) = with_owner().await;
    let session = sign_in(&admin, PASSWORD).await.expect_success();
    let cookie = session.header("set-cookie").to_owned();
    assert!(cookie.starts_with("__Host-"), "{cookie}");
    for attribute in ["Secure", "HttpOnly", "SameSite", "Path=/"] {
        assert!(cookie.contains(attribute), "no {attribute} in {cookie}");
    }
    let body = session.json();
    let token = body["token"].as_str().expect("a token");
    let signed_in = admin.with_session(token);
    let _ = signed_in.get("/admin/v1/projects").await.expect(200);
    let _ = signed_in.delete("/admin/v1/session").await.expect_success();
    signed_in
        .get("/admin/v1/projects")
        .await
        .expect_problem(401);
}

#[tokio::test]
async fn a_session_survives_a_restart() {
    let (mut server, admin) = with_owner().await;
    let session = sign_in(&admin, PASSWORD).await.expect_success().json();
    let signed_in = admin.with_session(session["token"].as_str().unwrap());
    server.restart().await;
    let _ = signed_in.get("/admin/v1/projects").await.expect(200);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_admin_look_the_same() {
    let (_server, admin) = with_owner().await;
    let wrong = sign_in(&admin, "another long pass phrase").await;
    let body = json!({"email": "nobody@example.com", "password": PASSWORD});
    let unknown = admin.anonymous().post("/admin/v1/session", body).await;
    assert_eq!(wrong.expect_problem(401), unknown.expect_problem(401));
    assert_eq!(wrong.json()["detail"], unknown.json()["detail"]);
}

#[tokio::test]
async fn guessing_passwords_is_slowed_down() {
    let (_server, admin) = with_owner().await;
    for _ in 0..60 {
        let reply = sign_in(&admin, "another long pass phrase").await;
        if reply.status == 429 {
            reply.expect_problem(429);
            let wait: u32 = reply
                .header("retry-after")
                .parse()
                .expect("seconds to wait");
            assert!(wait > 0);
            return;
        }
        reply.expect_problem(401);
    }
    panic!("sixty wrong passwords in a row were all checked");
}

#[tokio::test]
async fn a_cross_site_form_cannot_act_for_an_admin() {
    let (_server, admin) = with_owner().await;
    let session = sign_in(&admin, PASSWORD).await.expect_success();
    let cookie = session
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let request = admin
        .anonymous()
        .request(reqwest::Method::POST, "/admin/v1/projects")
        .header("cookie", &cookie)
        .header("origin", "https://evil.example")
        .header("sec-fetch-site", "cross-site")
        .header("content-type", "application/x-www-form-urlencoded")
        .body("name=Stolen");
    let reply = atlashub_tests::Reply::to(request).await;
    assert!(
        (400..500).contains(&reply.status),
        "the answer was {} {}",
        reply.status,
        reply.text()
    );
    let reading = admin
        .anonymous()
        .request(reqwest::Method::GET, "/admin/v1/projects");
    let _ = atlashub_tests::Reply::to(reading.header("cookie", &cookie))
        .await
        .expect(200);
}

#[tokio::test]
async fn the_audit_is_paged_filtered_and_exported() {
    let (_server, admin) = with_owner().await;
    let project = admin.project().await;
    let keys = format!("/admin/v1/projects/{}/keys", project.slug);
    for name in ["=cmd()", "plain"] {
        let body = json!({"kind": "secret", "name": name});
        let _ = admin.post(&keys, body).await.expect(201);
    }
    let filter = format!("project={}&action=key.*", project.slug);
    let first = format!("/admin/v1/audit?{filter}&limit=1");
    let first = admin.get(&first).await.expect(200).json();
    assert_eq!(first["items"][0]["details"]["name"], "plain");
    let cursor = first["next_cursor"].as_str().expect("a next page");
    let second = format!("/admin/v1/audit?{filter}&limit=1&cursor={cursor}");
    let second = admin.get(&second).await.expect(200).json();
    assert_eq!(second["items"][0]["details"]["name"], "=cmd()");
    let alias = format!("/admin/logs?{filter}");
    let alias = admin.get(&alias).await.expect(200).json();
    assert_eq!(alias["items"][0], first["items"][0]);

    let export = format!("/admin/v1/audit/export?{filter}");
    let lines = admin.get(&export).await.expect(200);
    assert_eq!(lines.header("content-type"), "application/x-ndjson");
    assert!(
        lines
            .header("content-disposition")
            .starts_with("attachment")
    );
    let lines = lines.text();
    let events: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(events.len() >= 2, "{lines}");
    assert_eq!(events[0], first["items"][0]);
    let path = "/admin/v1/audit/export?format=csv";
    let table = admin.get(path).await.expect(200).text();
    assert!(table.starts_with("seq,at,project_id,"), "{table}");
    assert!(table.lines().count() > events.len(), "{table}");
    // Nothing at all, packed, is a whole answer, too.
    let nothing = admin.request(Method::GET, "/admin/v1/audit/export?action=nothing.at.all");
    let nothing = Reply::to(nothing.header("accept-encoding", "gzip")).await;
    let _ = nothing.expect(200);
    let wrong = "/admin/v1/audit/export?format=xml";
    admin.get(wrong).await.expect_problem(400);
    let anonymous = admin.anonymous();
    anonymous.get(&export).await.expect_problem(401);
}

#[tokio::test]
async fn what_admins_do_is_in_the_audit() {
    let (_server, admin) = with_owner().await;
    let project = admin.project_with(&["hello"]).await;
    let audit = admin
        .get("/admin/v1/audit?limit=100")
        .await
        .expect(200)
        .json();
    let entries = audit["items"].as_array().expect("items");
    let about_project = entries
        .iter()
        .filter(|entry| entry.to_string().contains(&project.id))
        .count();
    assert!(
        about_project >= 2,
        "the project and its plugin are missing in {audit}"
    );
    assert!(
        !audit.to_string().contains(PASSWORD),
        "a password is in the audit"
    );
}
