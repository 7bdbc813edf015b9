//! App passwords: made, used where a route takes them, ended everywhere.

use atlashub_tests::{
    Admin, Engine, PASSWORD, Project, Reply, TestServer, User, built_in, shared, unique,
    until_told, with_manifest,
};
use reqwest::Method;
use serde_json::{Value, json};

/// A project with a route that takes `Basic`, and the route.
async fn project(admin: &Admin) -> (Project, String) {
    let name = unique("basic");
    let manifest = format!(
        "name = \"{name}\"\nversion = \"1.0.0\"\n[[routes]]\npath = \"/hello\"\nbasic = true\n"
    );
    let component = with_manifest(&built_in("hello"), &manifest);
    let _ = admin.upload(component, None).await.expect(201);
    let project = admin.project_with(&[&name]).await;
    let route = format!("/p/{}/hello", project.slug);
    (project, route)
}

async fn make(user: &User, name: &str) -> Value {
    user.post("/v1/auth/app-passwords", json!({ "name": name }))
        .await
        .expect(201)
        .json()
}

fn password(made: &Value) -> &str {
    made["password"].as_str().expect("a password")
}

async fn call(project: &Project, route: &str, email: &str, password: &str) -> Reply {
    let request = project.bare_request(Method::GET, route);
    Reply::to(request.basic_auth(email, Some(password))).await
}

/// Expects that it has ended: there is nothing to wait for on the node that
/// ended it.
async fn refused(project: &Project, route: &str, email: &str, password: &str) {
    let reply = call(project, route, email, password).await;
    reply.expect_problem(401);
}

#[tokio::test]
async fn an_app_password_is_shown_once_and_opens_routes_that_take_it() {
    let (project, route) = project(&shared().await.admin()).await;
    let user = project.sign_up().await;
    let made = make(&user, " Laptop ").await;
    assert_eq!(made["name"], "Laptop");
    let text = password(&made);
    assert!(text.len() > 32 && text.starts_with("aha-"), "{text}");
    let list = user.get("/v1/auth/app-passwords").await.expect(200);
    assert!(!list.text().contains(text));
    assert_eq!(list.json()["items"][0]["id"], made["id"]);
    let _ = call(&project, &route, &user.email, text).await.expect(200);
    let shouted = user.email.to_uppercase();
    let _ = call(&project, &route, &shouted, text).await.expect(200);
    // Nothing of the host's own is opened by it.
    for path in ["/v1/auth/me", "/v1/auth/app-passwords", "/users/me"] {
        let path = format!("/p/{}{path}", project.slug);
        let reply = call(&project, &path, &user.email, text).await;
        reply.expect_problem(401);
    }
    let admins = call(&project, "/admin/v1/projects", &user.email, text).await;
    admins.expect_problem(401);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_a_challenge() {
    let (project, route) = project(&shared().await.admin()).await;
    let (user, other) = (project.sign_up().await, project.sign_up().await);
    let made = make(&user, "Laptop").await;
    for (email, text) in [
        (&user.email, PASSWORD),
        (&other.email, password(&made)),
        (&user.email, "aha-0000"),
    ] {
        let reply = call(&project, &route, email, text).await;
        assert_eq!(reply.expect_problem(401), "invalid_app_password");
        let asked = reply.headers.get_all("www-authenticate").iter();
        let realm = format!("Basic realm=\"{}\", charset=\"UTF-8\"", project.slug);
        assert!(
            asked
                .map(|value| value.to_str().unwrap())
                .any(|value| value == realm)
        );
    }
    // The same plugin in another project knows nothing of it.
    let (there, its_route) = self::project(&shared().await.admin()).await;
    let reply = call(&there, &its_route, &user.email, password(&made)).await;
    assert_eq!(reply.expect_problem(401), "invalid_app_password");
}

#[tokio::test]
async fn a_browser_is_neither_asked_nor_heard() {
    let (project, route) = project(&shared().await.admin()).await;
    let user = project.sign_up().await;
    let made = make(&user, "Laptop").await;
    for (header, value) in [
        ("origin", "https://elsewhere.example"),
        ("sec-fetch-site", "same-origin"),
    ] {
        let request = project
            .bare_request(Method::GET, &route)
            .header(header, value)
            .basic_auth(&user.email, Some(password(&made)));
        let reply = Reply::to(request).await;
        assert_eq!(reply.expect_problem(403), "not_for_browsers");
        assert!(
            !reply
                .headers
                .contains_key("access-control-allow-credentials")
        );
    }
}

#[tokio::test]
async fn too_many_wrong_ones_are_stopped_and_a_right_one_is_not() {
    let (project, route) = project(&shared().await.admin()).await;
    let user = project.sign_up().await;
    let made = make(&user, "Laptop").await;
    let mut stopped = false;
    for number in 0..100 {
        let wrong = format!("aha-{number}");
        let reply = call(&project, &route, &user.email, &wrong).await;
        stopped = reply.status == 429;
        if stopped {
            break;
        }
        reply.expect_problem(401);
    }
    assert!(stopped);
    let text = password(&made);
    let _ = call(&project, &route, &user.email, text).await.expect(200);
}

#[tokio::test]
async fn an_app_password_that_ends_is_refused_on_every_node() {
    let first = TestServer::start().await;
    let (project, route) = project(&first.admin()).await;
    let user = project.sign_up().await;
    let (kept, ended) = (make(&user, "Kept").await, make(&user, "Ended").await);
    let second = match Engine::of_this_run().serves_many_nodes() {
        true => Some(first.second_node().await),
        false => None,
    };
    let there = second
        .as_ref()
        .map_or(project.clone(), |second| project.on(second));
    for made in [&kept, &ended] {
        let text = password(made);
        let _ = call(&there, &route, &user.email, text).await.expect(200);
    }
    let path = format!("/v1/auth/app-passwords/{}", ended["id"].as_str().unwrap());
    let stranger = project.sign_up().await;
    stranger.delete(&path, json!({})).await.expect_problem(404);
    let _ = user.delete(&path, json!({})).await.expect(204);
    user.delete(&path, json!({})).await.expect_problem(404);
    refused(&project, &route, &user.email, password(&ended)).await;
    let node = second.as_ref().unwrap_or(&first);
    until_told("the end of the app password", node, || async {
        let reply = call(&there, &route, &user.email, password(&ended)).await;
        (reply.status == 401).then_some(())
    })
    .await;
    let text = password(&kept);
    let _ = call(&there, &route, &user.email, text).await.expect(200);
}

#[tokio::test]
async fn what_ends_all_sessions_ends_app_passwords() {
    let admin = shared().await.admin();
    let (project, route) = project(&admin).await;
    let user = project.sign_up().await;
    let made = make(&user, "Before the new password").await;
    let _ = call(&project, &route, &user.email, password(&made)).await;
    let change = json!({"current_password": PASSWORD, "password": "a very different phrase"});
    let tokens = user.put("/v1/auth/password", change).await.expect(200);
    refused(&project, &route, &user.email, password(&made)).await;
    let user = user.with_tokens(&tokens.json());
    let made = make(&user, "Before signing out everywhere").await;
    let _ = call(&project, &route, &user.email, password(&made)).await;
    let _ = user.post("/v1/auth/logout", json!({})).await.expect(204);
    refused(&project, &route, &user.email, password(&made)).await;

    let blocked = project.sign_up().await;
    let made = make(&blocked, "Before being shut out").await;
    let path = format!("/admin/v1/projects/{}/users/{}", project.slug, blocked.id);
    let reply = admin.patch(&path, json!({"disabled": true})).await;
    let _ = reply.expect_success();
    refused(&project, &route, &blocked.email, password(&made)).await;
}

#[tokio::test]
async fn an_admin_sees_and_ends_a_users_app_passwords() {
    let admin = shared().await.admin();
    let (project, route) = project(&admin).await;
    let user = project.sign_up().await;
    let made = make(&user, "Old phone").await;
    let _ = call(&project, &route, &user.email, password(&made)).await;
    let path = format!(
        "/admin/v1/projects/{}/users/{}/app-passwords",
        project.slug, user.id
    );
    let list = admin.get(&path).await.expect(200).json();
    assert_eq!(list["items"][0]["name"], "Old phone");
    let one = format!("{path}/{}", made["id"].as_str().unwrap());
    let _ = admin.delete(&one).await.expect(204);
    admin.delete(&one).await.expect_problem(404);
    refused(&project, &route, &user.email, password(&made)).await;
    let audit = admin
        .get(&format!(
            "/admin/v1/audit?project={}&limit=100",
            project.slug
        ))
        .await
        .expect(200)
        .text();
    for action in ["user.app_password.create", "user.app_password.end"] {
        assert!(audit.contains(action), "{action} is not in {audit}");
    }
}

#[tokio::test]
async fn app_passwords_have_names_and_there_are_not_too_many() {
    let (project, _) = project(&shared().await.admin()).await;
    let user = project.sign_up().await;
    for name in ["", "   ", "a\nb", &"x".repeat(101)] {
        let reply = user
            .post("/v1/auth/app-passwords", json!({ "name": name }))
            .await;
        assert_eq!(reply.expect_problem(422), "invalid_name");
    }
    for number in 0..50 {
        make(&user, &number.to_string()).await;
    }
    let reply = user
        .post("/v1/auth/app-passwords", json!({"name": "one more"}))
        .await;
    assert_eq!(reply.expect_problem(409), "too_many_app_passwords");
}
