//! Looking after users and roles, and how a project lets its users in.

use crate::users::showing_callers;
use atlashub_tests::{PASSWORD, Project, Reply, User, shared};
use reqwest::Method;
use serde_json::{Value, json};

async fn project() -> Project {
    shared().await.admin().project().await
}

fn users(project: &Project) -> String {
    format!("/admin/v1/projects/{}/users", project.slug)
}

async fn set_roles(project: &Project, user: &User, roles: Value) {
    let path = format!("{}/{}", users(project), user.id);
    let body = json!({ "roles": roles });
    let _ = shared().await.admin().patch(&path, body).await.expect(200);
}

#[tokio::test]
async fn an_admin_looks_after_users() {
    let admin = shared().await.admin();
    let project = project().await;
    let user = project.sign_up().await;
    let list = admin.get(&users(&project)).await.expect(200).json();
    assert_eq!(list["items"][0]["id"], json!(user.id));
    let found = admin
        .get(&format!("{}?q=nobody", users(&project)))
        .await
        .json();
    assert_eq!(found["items"], json!([]));
    let path = format!("{}/{}", users(&project), user.id);
    let shut_out = admin
        .patch(&path, json!({"disabled": true}))
        .await
        .expect(200)
        .json();
    assert!(shut_out["disabled_at"].is_string());
    user.get("/users/me").await.expect_problem(401);
    project.sign_in(&user.email).await.expect_problem(401);
    let body = json!({"refresh_token": user.refresh});
    project.auth("/refresh", body).await.expect_problem(401);
    let _ = admin
        .patch(&path, json!({"disabled": false}))
        .await
        .expect(200);
    let back = user.again().await;
    let _ = admin.delete(&path).await.expect(204);
    back.get("/users/me").await.expect_problem(401);
    admin.get(&path).await.expect_problem(404);
    let foreign = project_of_another().await;
    let path = format!("{}/{}", users(&project), foreign.id);
    admin.get(&path).await.expect_problem(404);
    admin.delete(&path).await.expect_problem(404);
    let audit = admin
        .get("/admin/v1/audit?limit=200")
        .await
        .expect(200)
        .text();
    assert!(audit.contains("user.update") && audit.contains("user.delete"));
}

async fn project_of_another() -> User {
    project().await.sign_up().await
}

#[tokio::test]
async fn other_roles_hold_at_once_in_the_session_there_is() {
    let project = showing_callers().await;
    let user = project.sign_up().await;
    let roles = || async { user.get("/misbehave/request").await.json()["caller"]["roles"].clone() };
    assert_eq!(roles().await, json!(["editor"]));
    set_roles(&project, &user, json!(["viewer", "admin"])).await;
    assert_eq!(roles().await, json!(["admin", "viewer"]));
    let me = user.get("/users/me").await.expect(200).json();
    assert_eq!(me["role"], "admin");
    let admin = shared().await.admin();
    let path = format!("{}/{}", users(&project), user.id);
    let reply = admin.patch(&path, json!({"roles": ["nobody"]})).await;
    assert_eq!(reply.expect_problem(422), "unknown_role");
}

#[tokio::test]
async fn a_projects_own_admins_and_servers_look_after_its_users_and_nobody_else() {
    let project = project().await;
    let (boss, other) = (project.sign_up().await, project.sign_up().await);
    let path = "/v1/auth/admin/users";
    boss.get(path).await.expect_problem(403);
    let anonymous = project.bare_request(Method::GET, path);
    let anonymous = anonymous.header("apikey", &project.publishable);
    Reply::to(anonymous).await.expect_problem(403);
    let nobody = project.bare_request(Method::GET, &format!("/p/{}{path}", project.slug));
    Reply::to(nobody).await.expect_problem(401);
    set_roles(&project, &boss, json!(["admin"])).await;
    let list = boss.get(path).await.expect(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    let made = json!({"email": "new@example.com", "password": PASSWORD, "roles": ["viewer"]});
    let made = boss.post(path, made).await.expect(201).json();
    assert_eq!(made["roles"], json!(["viewer"]));
    let _ = project.sign_in("new@example.com").await.expect(200);
    // Beside a secret key a user is still no more than the user.
    let request = project
        .request(Method::GET, path)
        .bearer_auth(&other.access);
    Reply::to(request).await.expect_problem(403);
    let by_server = project.get(path).await.expect(200).json();
    assert_eq!(by_server["items"].as_array().unwrap().len(), 3);
    other.get("/admin/v1/projects").await.expect_problem(401);
}

#[tokio::test]
async fn roles_are_made_changed_and_removed() {
    let admin = shared().await.admin();
    let project = project().await;
    let roles = format!("/admin/v1/projects/{}/roles", project.slug);
    let list = admin.get(&roles).await.expect(200).json();
    let names: Vec<_> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|role| &role["name"])
        .collect();
    assert_eq!(names, ["admin", "editor", "viewer"]);
    let clerk = json!({"name": "clerk", "permissions": ["files:share"]});
    let _ = admin.post(&roles, clerk.clone()).await.expect(201);
    assert_eq!(
        admin.post(&roles, clerk).await.expect_problem(409),
        "role_taken"
    );
    let bad = json!({"name": "x", "permissions": ["everything"]});
    assert_eq!(
        admin.post(&roles, bad).await.expect_problem(422),
        "invalid_permission"
    );
    let bad = json!({"name": "Big Boss"});
    assert_eq!(
        admin.post(&roles, bad).await.expect_problem(422),
        "invalid_role"
    );
    let user = project.sign_up().await;
    set_roles(&project, &user, json!(["clerk"])).await;
    let path = format!("{roles}/clerk");
    let changed = admin
        .patch(&path, json!({"permissions": ["files:*"]}))
        .await
        .expect(200)
        .json();
    assert_eq!(changed["permissions"], json!(["files:*"]));
    let _ = admin.delete(&path).await.expect(204);
    admin.delete(&path).await.expect_problem(404);
    let user = admin
        .get(&format!("{}/{}", users(&project), user.id))
        .await
        .json();
    assert_eq!(
        (&user["roles"], &user["role"]),
        (&json!([]), &json!("none"))
    );
    let built_in = admin.delete(&format!("{roles}/editor")).await;
    assert_eq!(built_in.expect_problem(409), "built_in_role");
}

#[tokio::test]
async fn a_project_says_who_may_sign_up_and_for_how_long() {
    let admin = shared().await.admin();
    let project = project().await;
    let path = format!("/admin/v1/projects/{}/auth", project.slug);
    let settings = admin.get(&path).await.expect(200).json();
    assert_eq!(
        (&settings["enabled"], &settings["sign_up"]),
        (&json!(true), &json!("open"))
    );
    let user = project.sign_up().await;
    let body =
        json!({"sign_up": "invite", "access_token_seconds": 120, "password_min_characters": 12});
    let _ = admin.put(&path, body).await.expect(200);
    let new = json!({"email": "new@example.com", "password": PASSWORD});
    let reply = project.auth("/signup", new).await;
    assert_eq!(reply.expect_problem(403), "sign_up_closed");
    let tokens = project.sign_in(&user.email).await.expect(200).json();
    assert_eq!(tokens["expires_in"], 120);
    let short = json!({"current_password": PASSWORD, "password": "Zf3-9qLmx"});
    let reply = user.put("/v1/auth/password", short).await;
    assert_eq!(reply.expect_problem(422), "weak_password");
    for bad in [
        json!({"access_token_seconds": 1}),
        json!({"redirect_urls": ["javascript:x"]}),
    ] {
        assert_eq!(
            admin.put(&path, bad).await.expect_problem(422),
            "invalid_auth_settings"
        );
    }
    let _ = admin
        .put(&path, json!({"enabled": false}))
        .await
        .expect(200);
    project.sign_in(&user.email).await.expect_problem(404);
    assert_eq!(
        user.get("/users/me").await.expect_problem(401),
        "invalid_token"
    );
}

#[tokio::test]
async fn a_new_signing_key_leaves_old_tokens_valid() {
    let admin = shared().await.admin();
    let project = project().await;
    let user = project.sign_up().await;
    let path = format!("/admin/v1/projects/{}/auth/keys/rotate", project.slug);
    let set = admin.post(&path, json!({})).await.expect(200).json();
    assert_eq!(set["keys"].as_array().unwrap().len(), 2);
    let _ = user.get("/users/me").await.expect(200);
    let later = user.again().await;
    assert_ne!(
        later.access.split('.').next(),
        user.access.split('.').next()
    );
    let _ = later.get("/users/me").await.expect(200);
}
