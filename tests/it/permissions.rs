//! What users may do: permissions that plugins declare, roles made of them,
//! and the users as plugins look them up.

use crate::users::showing_callers;
use atlashub_tests::{Admin, Project, Reply, User, shared, unique};
use reqwest::Method;
use serde_json::{Value, json};

fn path(project: &Project, rest: &str) -> String {
    format!("/admin/v1/projects/{}/{rest}", project.slug)
}

/// A new user who holds these roles and no others.
async fn user(project: &Project, admin: &Admin, roles: Value) -> User {
    let user = project.sign_up().await;
    let change = json!({ "roles": roles });
    let _ = admin
        .patch(&path(project, &format!("users/{}", user.id)), change)
        .await
        .expect(200);
    // What the session was remembered with is forgotten.
    let me = user.get("/users/me").await.expect(200).json();
    assert_eq!(me["roles"], roles);
    user
}

async fn role(project: &Project, admin: &Admin, name: &str, permissions: Value) -> Value {
    let role = json!({ "name": name, "permissions": permissions });
    let made = admin.post(&path(project, "roles"), role).await;
    made.expect(201).json()
}

async fn may(reply: Reply) -> bool {
    reply.expect(200).json().as_bool().unwrap()
}

fn asking(permission: &str) -> String {
    format!("/misbehave/permission?permission={permission}")
}

#[tokio::test]
async fn who_holds_a_permission_is_what_the_manifests_and_the_roles_say() {
    let admin = shared().await.admin();
    let project = showing_callers().await;
    admin.enable(&project, "files").await;
    let _ = role(&project, &admin, "crier", json!(["misbehave:shout"])).await;
    let _ = role(&project, &admin, "staff", json!(["misbehave:*"])).await;
    for (roles, stare, shout, files, undeclared) in [
        (json!(["admin"]), true, true, true, true),
        (json!(["editor"]), false, true, true, false),
        (json!(["viewer"]), true, false, false, false),
        (json!(["crier"]), false, true, false, false),
        (json!(["crier", "viewer"]), true, true, false, false),
        (json!(["staff"]), true, true, false, true),
        (json!([]), false, false, false, false),
    ] {
        let user = user(&project, &admin, roles.clone()).await;
        for (permission, expected) in [
            ("misbehave:stare", stare),
            ("misbehave:shout", shout),
            ("files:write", files),
            ("misbehave:undeclared", undeclared),
        ] {
            let found = may(user.get(&asking(permission)).await).await;
            assert_eq!(found, expected, "{roles} {permission}");
        }
    }
    assert!(may(project.get(&asking("misbehave:stare")).await).await);
    let publishable = project.with_key(&project.publishable);
    assert!(!may(publishable.get(&asking("misbehave:stare")).await).await);
    let nobody = project.bare_request(
        Method::GET,
        &format!("/p/{}{}", project.slug, asking("misbehave:stare")),
    );
    assert!(!may(Reply::to(nobody).await).await);
}

#[tokio::test]
async fn what_plugins_declare_is_listed_and_roles_show_what_nobody_declares() {
    let admin = shared().await.admin();
    let project = showing_callers().await;
    let list = admin.get(&path(&project, "permissions")).await;
    assert_eq!(
        list.expect(200).json()["items"],
        json!([
            {"permission": "misbehave:shout", "plugin": "misbehave", "title": "Shout",
             "roles": ["admin", "editor"], "enabled": true},
            {"permission": "misbehave:stare", "plugin": "misbehave", "title": "Stare",
             "roles": ["admin", "viewer"], "enabled": true},
        ])
    );
    let by_server = project.get("/v1/auth/admin/permissions").await;
    assert_eq!(by_server.expect(200).json()["items"][0]["title"], "Shout");
    let made = role(
        &project,
        &admin,
        "clerk",
        json!(["misbehave:shout", "files:write", "files:*"]),
    )
    .await;
    assert_eq!(made["undeclared"], json!(["files:*", "files:write"]));
    admin.enable(&project, "files").await;
    let roles = admin.get(&path(&project, "roles")).await.expect(200).json();
    let shown = |name: &str| {
        let mut roles = roles["items"].as_array().unwrap().iter();
        roles.find(|role| role["name"] == name).unwrap().clone()
    };
    assert_eq!(shown("clerk")["undeclared"], json!([]));
    assert_eq!(shown("admin")["permissions"], json!(["*"]));
    assert_eq!(
        shown("viewer")["permissions"],
        json!(["files:read", "misbehave:stare"])
    );
    let typo = json!({"permissions": ["files:wirte"]});
    let clerk = path(&project, "roles/clerk");
    let refused = admin.patch(&clerk, typo).await;
    assert_eq!(refused.expect_problem(422), "unknown_permission");
    let installed = admin.installed(&project, "files").await;
    assert_eq!(installed["permissions"][0]["permission"], "files:read");
    let catalogue = admin
        .get("/admin/v1/plugins/files")
        .await
        .expect(200)
        .json();
    assert_eq!(catalogue["permissions"], installed["permissions"]);
}

#[tokio::test]
async fn files_and_rows_are_for_those_whose_roles_allow_it() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["files", "db"]).await;
    let _ = role(&project, &admin, "uploader", json!(["files:write"])).await;
    let upload = |user: &User| {
        let request = user.request(Method::POST, "/files/upload");
        Reply::to(request.header("file-path", unique("f")).body("text"))
    };
    let table = json!({"name": "notes", "columns": [
        {"name": "id", "type": "integer", "primary_key": true}, {"name": "text", "type": "text"},
    ]});
    let _ = admin
        .post(&path(&project, "tables"), table)
        .await
        .expect(201);
    let everything =
        json!({"actions": ["select", "insert"], "roles": ["authenticated"], "using": true});
    let policy = path(&project, "tables/notes/policies/all");
    let _ = admin.put(&policy, everything).await.expect(201);
    let row = json!({"rows": [{"id": 1, "text": "a"}]});

    let viewer = user(&project, &admin, json!(["viewer"])).await;
    assert_eq!(
        upload(&viewer).await.expect_problem(403),
        "permission_needed"
    );
    let _ = viewer.get("/files").await.expect(200);
    let refused = viewer.post("/v1/db/notes", row.clone()).await;
    assert_eq!(refused.expect_problem(403), "permission_needed");
    let _ = viewer.get("/v1/db/notes").await.expect(200);
    let refused = viewer.post("/rest/v1/notes", json!({"id": 2})).await;
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (403, &json!("42501"))
    );

    let uploader = user(&project, &admin, json!(["uploader"])).await;
    let _ = upload(&uploader).await.expect(201);
    assert_eq!(
        uploader.get("/files").await.expect_problem(403),
        "permission_needed"
    );
    assert_eq!(
        uploader.get("/v1/db/notes").await.expect_problem(403),
        "permission_needed"
    );

    let editor = user(&project, &admin, json!(["editor"])).await;
    let _ = upload(&editor).await.expect(201);
    let _ = editor.post("/v1/db/notes", row).await.expect(201);
}

#[tokio::test]
async fn plugins_look_users_up_when_they_were_granted_it() {
    let admin = shared().await.admin();
    let project = showing_callers().await;
    let mut users = Vec::new();
    for _ in 0..3 {
        users.push(project.sign_up().await);
    }
    let stranger = admin.project().await.sign_up().await;
    let look = async |name: &str| {
        let reply = project.get(&format!("/misbehave/user?name={name}")).await;
        reply.expect(200).json()
    };
    let found = look(&users[0].id).await;
    assert_eq!(found["email"], users[0].email);
    assert_eq!(found["roles"], json!(["editor"]));
    assert!(found["created_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(
        look(&users[1].email.to_uppercase()).await["id"],
        users[1].id
    );
    let handle = json!({"handle": "finder"});
    let _ = users[2].put("/users/me", handle).await.expect(200);
    assert_eq!(look("@Finder").await["id"], users[2].id);
    for unknown in [&stranger.id, &stranger.email, "nobody", "", "@"] {
        assert_eq!(look(unknown).await, Value::Null, "{unknown}");
    }
    let shut_out = path(&project, &format!("users/{}", users[1].id));
    let _ = admin
        .patch(&shut_out, json!({"disabled": true}))
        .await
        .expect(200);
    assert_eq!(look(&users[1].id).await, Value::Null);
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let target = format!("/misbehave/users?limit=1{cursor}");
        let page = project.get(&target).await.expect(200).json();
        let items = page["users"].as_array().unwrap();
        ids.extend(items.iter().map(|user| user["id"].clone()));
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(ids, [json!(users[0].id), json!(users[2].id)]);
    let reply = project.get("/misbehave/users?limit=1&cursor=x").await;
    assert_eq!(reply.expect_problem(400), "invalid_cursor");

    let fewer = json!({"grants": ["kv"]});
    let _ = admin
        .install(&project, "misbehave", fewer)
        .await
        .expect(200);
    for target in ["/misbehave/user?name=a", "/misbehave/users"] {
        let reply = project.get(target).await;
        assert_eq!(reply.expect_problem(403), "not_granted", "{target}");
    }
    // What the caller may do is no secret of the users'.
    assert!(may(project.get(&asking("misbehave:stare")).await).await);
}
