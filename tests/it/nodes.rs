//! Several nodes on the same stores. On an engine for one node, the same
//! changes are looked for on that node after a restart.

use crate::{contained::compiling::keep_own_cache, plugin_changes::versions};
use atlashub_tests::{Engine, Project, Reply, TestServer, until, until_told};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

/// A node that sees a revision for the first time has to compile it, too.
const COMPILED: Duration = atlashub_tests::DEADLINE;

/// A second node, where the engine serves several.
async fn pair() -> (TestServer, Option<TestServer>) {
    let first = TestServer::start().await;
    let second = match Engine::of_this_run().serves_many_nodes() {
        true => Some(first.second_node().await),
        false => None,
    };
    (first, second)
}

/// The project as the second node serves it; the only node restarts.
async fn elsewhere(
    first: &mut TestServer,
    second: Option<&TestServer>,
    project: &Project,
) -> Project {
    match second {
        Some(second) => project.on(second),
        None => {
            first.restart().await;
            project.clone()
        }
    }
}

/// The node that [`elsewhere`] speaks of.
fn node<'a>(first: &'a TestServer, second: Option<&'a TestServer>) -> &'a TestServer {
    second.unwrap_or(first)
}

async fn until_answers(project: &Project, path: &str, wanted: &str) {
    until(&format!("the answer `{wanted}`"), COMPILED, || async {
        (project.get(path).await.text() == wanted).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_new_project_and_its_plugin_answer_everywhere() {
    let (mut first, second) = pair().await;
    let project = first.admin().project_with(&["hello"]).await;
    let there = elsewhere(&mut first, second.as_ref(), &project).await;
    until_answers(&there, "/hello", "{\"message\":\"hello\"}").await;
}

#[tokio::test]
async fn an_upgrade_is_seen_everywhere() {
    let (mut first, second) = pair().await;
    let admin = first.admin();
    let versions = versions(&admin).await;
    let project = admin.project().await;
    let body = json!({"revision": versions[0], "grants": "requested"});
    let _ = admin.install(&project, "upgrade", body).await.expect(201);
    let there = elsewhere(&mut first, second.as_ref(), &project).await;
    until_answers(&there, "/upgrade", "1").await;
    let body = json!({"revision": versions[1]});
    let _ = admin.install(&project, "upgrade", body).await.expect(200);
    let there = elsewhere(&mut first, second.as_ref(), &project).await;
    until_answers(&there, "/upgrade", "2").await;
    let _ = admin
        .install(&project, "upgrade", json!({"enabled": false}))
        .await
        .expect(200);
    let there = elsewhere(&mut first, second.as_ref(), &project).await;
    until_told(
        "the plugin's end",
        node(&first, second.as_ref()),
        || async { (there.get("/upgrade").await.status == 404).then_some(()) },
    )
    .await;
}

#[tokio::test]
async fn what_ran_before_goes_on_where_an_upgrade_cannot_be_loaded() {
    if !Engine::of_this_run().serves_many_nodes() {
        return;
    }
    let (mut there, lines) = TestServer::builder().start_over_lines().await;
    keep_own_cache(&mut there, 0).await;
    // The other node has the object store without that line.
    let store = std::env::var("ATLASHUB_TEST_S3_URL").unwrap();
    let (_, query) = store.split_once('?').unwrap();
    let setting = there.store_setting("ATLASHUB_STORAGE_URL").unwrap();
    let (bucket, _) = setting.split_once('?').unwrap();
    let direct = [(
        "ATLASHUB_STORAGE_URL".to_owned(),
        format!("{bucket}?{query}"),
    )];
    let here = there.node_with(1, direct.into()).await;
    let admin = here.admin();
    let versions = versions(&admin).await;
    let project = admin.project().await;
    let body = json!({"revision": versions[0], "grants": "requested"});
    let _ = admin.install(&project, "upgrade", body).await.expect(201);
    let project_there = project.on(&there);
    until_answers(&project_there, "/upgrade", "1").await;
    lines.store.cut();
    let body = json!({"revision": versions[1]});
    let _ = admin.install(&project, "upgrade", body).await.expect(200);
    let told = until("the failure to be told", COMPILED, || async {
        let answer = project_there.get("/upgrade").await.expect(200);
        assert_eq!(answer.text(), "1");
        let seen = there.admin().installed(&project_there, "upgrade").await;
        seen["last_error"].is_string().then_some(seen)
    })
    .await;
    assert_eq!(told["health"], "failing", "{told}");
    assert_eq!(project.get("/upgrade").await.expect(200).text(), "2");
    lines.store.mend();
    until("the upgrade", COMPILED, || async {
        let answer = project_there.get("/upgrade").await.expect(200);
        (answer.text() == "2").then_some(())
    })
    .await;
    let seen = there.admin().installed(&project_there, "upgrade").await;
    assert_eq!(seen["health"], "ok", "{seen}");
}

#[tokio::test]
async fn a_limit_for_users_is_known_everywhere() {
    let (mut first, second) = pair().await;
    let admin = first.admin();
    let project = admin.project_with(&["files"]).await;
    let user = project.sign_up().await;
    let there = elsewhere(&mut first, second.as_ref(), &project).await;
    let user = user.at(&there);
    let limit = async || {
        let quota = user.get("/users/me/quota").await;
        (quota.status == 200).then(|| quota.json()["limit_bytes"].clone())
    };
    until("the plugin's limit", COMPILED, || async {
        (limit().await? == 104_857_600).then_some(())
    })
    .await;
    let quota = format!("/admin/v1/projects/{}/quota", project.slug);
    let set = json!({"user_storage_bytes": 1000});
    let _ = first.admin().put(&quota, set).await.expect(200);
    until_told(
        "the project's limit",
        node(&first, second.as_ref()),
        || async { (limit().await? == 1000).then_some(()) },
    )
    .await;
}

#[tokio::test]
async fn a_revoked_key_is_refused_on_every_node() {
    let (mut first, second) = pair().await;
    let admin = first.admin();
    let project = admin.project_with(&["hello"]).await;
    let keys = format!("/admin/v1/projects/{}/keys", project.slug);
    let made = admin
        .post(&keys, json!({"kind": "secret"}))
        .await
        .expect(201)
        .json();
    let key = made["key"].as_str().unwrap();
    let there = elsewhere(&mut first, second.as_ref(), &project).await;
    let _ = there.with_key(key).get("/hello").await.expect(200);
    let _ = admin
        .delete(&format!("{keys}/{}", made["id"].as_str().unwrap()))
        .await
        .expect_success();
    let there = elsewhere(&mut first, second.as_ref(), &project).await;
    let there = there.with_key(key);
    until_told(
        "the end of the key",
        node(&first, second.as_ref()),
        || async { (there.get("/hello").await.status == 401).then_some(()) },
    )
    .await;
}

#[tokio::test]
async fn tries_to_sign_in_are_counted_for_all_nodes_and_kept_over_a_restart() {
    let (mut first, second) = pair().await;
    let body = json!({"email": "ada@example.com", "password": "a wrong pass phrase"});
    let refused = async |node: &TestServer| {
        let admin = node.admin().anonymous();
        admin.post("/admin/v1/session", body.clone()).await.status == 429
    };
    let mut passed = 0;
    while !refused(&first).await {
        passed += 1;
        assert!(passed < 60, "sixty tries in a row were all let in");
    }
    if second.is_none() {
        first.restart().await;
    }
    // One may have come back meanwhile; not as many as there were.
    let there = second.as_ref().unwrap_or(&first);
    let mut more = 0;
    while !refused(there).await {
        more += 1;
        assert!(more < passed / 2, "another node lets as many in again");
    }
}

#[tokio::test]
async fn a_file_sent_to_one_node_is_read_from_another() {
    let (mut first, second) = pair().await;
    let project = first.admin().project_with(&["files"]).await;
    let bytes = atlashub_tests::noise(3_000_000, 11);
    let file = project
        .upload("shared.bin", bytes.clone())
        .await
        .expect_success()
        .json();
    let there = elsewhere(&mut first, second.as_ref(), &project).await;
    let path = format!("/files/{}/download", file["id"].as_str().unwrap());
    assert_eq!(there.get(&path).await.expect(200).body, bytes);
}

#[tokio::test]
async fn another_permission_of_a_role_holds_everywhere() {
    let (mut first, second) = pair().await;
    let admin = first.admin();
    let project = admin.project_with(&["files"]).await;
    let roles = format!("/admin/v1/projects/{}/roles", project.slug);
    let clerk = json!({"name": "clerk", "permissions": ["files:read"]});
    let _ = admin.post(&roles, clerk).await.expect(201);
    let user = project.sign_up().await;
    let of_user = format!("/admin/v1/projects/{}/users/{}", project.slug, user.id);
    let _ = admin
        .patch(&of_user, json!({"roles": ["clerk"]}))
        .await
        .expect(200);
    let there = elsewhere(&mut first, second.as_ref(), &project).await;
    let there = user.at(&there);
    until("the role", COMPILED, || async {
        (there.get("/files").await.status == 200).then_some(())
    })
    .await;
    let _ = first
        .admin()
        .patch(&format!("{roles}/clerk"), json!({"permissions": []}))
        .await
        .expect(200);
    until_told(
        "the end of the permission",
        node(&first, second.as_ref()),
        || async { (there.get("/files").await.status == 403).then_some(()) },
    )
    .await;
    let _ = first
        .admin()
        .patch(
            &format!("{roles}/clerk"),
            json!({"permissions": ["files:*"]}),
        )
        .await
        .expect(200);
    until_told(
        "the other permission",
        node(&first, second.as_ref()),
        || async { (there.get("/files").await.status == 200).then_some(()) },
    )
    .await;
}

#[tokio::test]
async fn other_roles_of_a_user_and_being_shut_out_hold_everywhere() {
    let (mut first, second) = pair().await;
    let admin = first.admin();
    let project = admin.project_with(&["files"]).await;
    let user = project.sign_up().await;
    let of_user = format!("/admin/v1/projects/{}/users/{}", project.slug, user.id);
    let there = elsewhere(&mut first, second.as_ref(), &project).await;
    let there = user.at(&there);
    until("the user", COMPILED, || async {
        (there.get("/files").await.status == 200).then_some(())
    })
    .await;
    let admin = first.admin();
    for (change, status) in [
        (json!({"roles": []}), 403),
        (json!({"roles": ["viewer"]}), 200),
        (json!({"disabled": true}), 401),
    ] {
        let _ = admin.patch(&of_user, change.clone()).await.expect(200);
        until_told(
            &format!("{change} to hold"),
            node(&first, second.as_ref()),
            || async { (there.get("/files").await.status == status).then_some(()) },
        )
        .await;
    }
}

#[tokio::test]
async fn another_row_policy_and_another_column_hold_everywhere() {
    let (mut first, second) = pair().await;
    let project = first.admin().project_with(&["db"]).await;
    let tables = format!("/admin/v1/projects/{}/tables", project.slug);
    let notes = json!({"name": "notes", "columns": [
        {"name": "id", "type": "bigint", "primary_key": true},
        {"name": "note", "type": "text"},
    ]});
    let _ = first.admin().post(&tables, notes).await.expect(201);
    let row = json!({"rows": [{"id": 1, "note": "seen"}]});
    let _ = project.post("/v1/db/notes", row).await.expect(201);
    let there = elsewhere(&mut first, second.as_ref(), &project).await;
    let public = there.with_key(&project.publishable);
    until("the table", COMPILED, || async {
        (public.get("/v1/db/notes").await.status == 200).then_some(())
    })
    .await;
    let admin = first.admin();
    let policy = format!("{tables}/notes/policies/open");
    let seen = async |rows: usize, told: usize| {
        let page = public.get("/v1/db/notes").await.expect(200).json();
        let list = public.get("/v1/db/tables").await.expect(200).json();
        let count = |value: &serde_json::Value| value.as_array().map(Vec::len);
        count(&page["rows"]) == Some(rows) && count(&list["tables"]) == Some(told)
    };
    assert!(seen(0, 0).await);
    let open = json!({"actions": ["select"], "roles": ["anon"], "using": true});
    let _ = admin.put(&policy, open).await.expect(201);
    until_told("the policy", node(&first, second.as_ref()), || async {
        seen(1, 1).await.then_some(())
    })
    .await;
    let change = json!({"changes": [
        {"op": "add_column", "column": {"name": "more", "type": "integer", "default": {"value": 7}}},
    ]});
    let changed = admin.patch(&format!("{tables}/notes"), change).await;
    let _ = changed.expect_success();
    until_told("the column", node(&first, second.as_ref()), || async {
        let page = public.get("/v1/db/notes").await.expect(200).json();
        (page["rows"][0]["more"] == 7).then_some(())
    })
    .await;
    let _ = admin.delete(&policy).await.expect_success();
    until_told(
        "the end of the policy",
        node(&first, second.as_ref()),
        || async { seen(0, 0).await.then_some(()) },
    )
    .await;
}

/// Calls `path` of a project until that is refused, at most `most` times; how
/// many were let in, and the refusal.
async fn until_too_many(
    project: &Project,
    path: &str,
    body: &serde_json::Value,
    most: usize,
) -> (usize, Reply) {
    for passed in 0..=most {
        let request = project.bare_request(Method::POST, path);
        let request = request.header("apikey", &project.publishable).json(body);
        let reply = Reply::to(request).await;
        if reply.status == 429 {
            return (passed, reply);
        }
    }
    panic!("{path}: more than {most} tries were let in");
}

#[tokio::test]
async fn tries_of_a_projects_users_are_counted_for_all_nodes() {
    let (first, second) = pair().await;
    let project = first.admin().project().await;
    let there = second
        .as_ref()
        .map_or(project.clone(), |second| project.on(second));
    for (call, at_once) in [
        ("/signup", 5),
        ("/forgot-password", 5),
        ("/magic-link", 5),
        ("/login", 20),
    ] {
        let email = format!("{}@example.com", atlashub_tests::unique("tries"));
        let body = json!({"email": email, "password": "correct horse battery"});
        let path = format!("/v1/auth{call}");
        let (passed, refused) = until_too_many(&project, &path, &body, 2 * at_once).await;
        assert!(passed >= 5, "{call}: only {passed} were let in");
        // On another node, and by whatever name; one may have come back
        // meanwhile, not as many as there were.
        let (_, elsewhere) = until_too_many(&there, &path, &body, 2).await;
        let (_, alias) = until_too_many(&there, &format!("/users{call}"), &body, 2).await;
        for reply in [refused, elsewhere, alias] {
            assert_eq!(reply.expect_problem(429), "rate_limited", "{call}");
            let wait: u64 = reply.header("retry-after").parse().unwrap();
            assert!((1..=3_600).contains(&wait), "{call}: {wait}");
        }
    }
}

#[tokio::test]
async fn signing_in_is_a_class_of_its_own_by_every_name() {
    let project = atlashub_tests::shared().await.admin().project().await;
    let body = json!({"email": "nobody@example.com", "password": "a wrong one"});
    for mount in ["/v1/auth", "/auth", "/users"] {
        let path = format!("{mount}/login");
        let request = project.bare_request(Method::POST, &path);
        let request = request.header("apikey", &project.publishable).json(&body);
        let reply = Reply::to(request).await;
        assert_eq!(reply.expect_problem(401), "invalid_credentials");
        let policy = reply.header("ratelimit-policy");
        assert!(policy.contains("\"auth\";"), "{path}: {policy}");
        assert!(!policy.contains("\"writes\";"), "{path}: {policy}");
    }
}
