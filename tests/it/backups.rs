//! Backups of projects: made, listed, fetched, tested, restored as another
//! project and over the same one, and kept as the policy says. An archive that
//! was damaged in whatever way is refused before anything has changed.

use atlashub_core::{Digest, ProjectId};
use atlashub_storage::{Credentials, ObjectPath, Storage, StorageUrl, WriteMode};
use atlashub_tests::{
    Admin, DEADLINE, Project, Reply, ServerBuilder, TestServer, User, noise, shared, unique, until,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

/// The longest that a backup or a restore may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// The address of a project's backups.
pub(crate) fn backups(project: &Project, rest: &str) -> String {
    format!("/admin/v1/projects/{}/backups{rest}", project.slug)
}

/// Begins a backup and waits until it has ended.
pub(crate) async fn ended(admin: &Admin, project: &Project) -> Value {
    let begun = admin
        .post(&backups(project, ""), json!({}))
        .await
        .expect(202)
        .json();
    let id = begun["id"].as_str().unwrap().to_owned();
    until_ended(admin, project, &id).await
}

async fn until_ended(admin: &Admin, project: &Project, id: &str) -> Value {
    until("the end of the backup", PATIENCE, || async {
        let backup = admin
            .get(&backups(project, &format!("/{id}")))
            .await
            .expect(200)
            .json();
        (backup["state"] != "running").then_some(backup)
    })
    .await
}

/// As [`ended`], of one that must be ready.
pub(crate) async fn made(admin: &Admin, project: &Project) -> String {
    let backup = ended(admin, project).await;
    assert_eq!(backup["state"], "ready", "{backup}");
    backup["id"].as_str().unwrap().to_owned()
}

/// Waits until a run has ended.
pub(crate) async fn run_ended(admin: &Admin, begun: Value) -> Value {
    let path = format!("/admin/v1/backup-runs/{}", begun["id"].as_str().unwrap());
    until("the end of the run", PATIENCE, || async {
        let run = admin.get(&path).await.expect(200).json();
        (run["state"] != "running").then_some(run)
    })
    .await
}

/// Restores a backup and waits for the end of it.
pub(crate) async fn restore(admin: &Admin, project: &Project, backup: &str, how: Value) -> Value {
    let path = backups(project, &format!("/{backup}/restore"));
    let begun = admin.post(&path, how).await.expect(202).json();
    let run = run_ended(admin, begun).await;
    opened(project).await;
    run
}

/// Waits until a project is no longer kept closed for a restore: the feed tells
/// nodes a moment after its end.
async fn opened(project: &Project) {
    until("an open project", DEADLINE, || async {
        let open = project.get("/files").await;
        (open.status != 503).then_some(())
    })
    .await;
}

/// Makes a project of a backup, with keys of its own.
pub(crate) async fn restored(
    admin: &Admin,
    project: &Project,
    backup: &str,
    slug: &str,
) -> Project {
    let run = restore(admin, project, backup, json!({"new": {"slug": slug}})).await;
    assert_eq!(run["state"], "done", "{run}");
    with_keys(admin, project, slug, run["project"].as_str().unwrap()).await
}

/// The user of this address, signed in.
pub(crate) async fn signed_in(project: &Project, email: &str) -> User {
    let tokens = project.sign_in(email).await.expect(200).json();
    let access = tokens["access_token"].as_str().unwrap();
    let request = project
        .bare_request(Method::GET, "/v1/auth/me")
        .header("apikey", &project.publishable)
        .bearer_auth(access);
    let me = Reply::to(request).await.expect(200).json();
    User::known(project, &me, &tokens)
}

/// A restored project, with new keys.
async fn with_keys(admin: &Admin, like: &Project, slug: &str, id: &str) -> Project {
    let key = async |kind: &str| {
        let path = format!("/admin/v1/projects/{slug}/keys");
        let made = admin.post(&path, json!({"kind": kind})).await.expect(201);
        made.json()["key"].as_str().unwrap().to_owned()
    };
    let mut project = like.clone();
    id.clone_into(&mut project.id);
    slug.clone_into(&mut project.slug);
    project.publishable = key("publishable").await;
    project.secret = key("secret").await;
    project
}

fn digest(bytes: &[u8]) -> String {
    Digest::of(bytes).to_hex()
}

/// A project with a bit of everything.
pub(crate) struct World {
    pub(crate) project: Project,
    pub(crate) users: Vec<User>,
}

const POLICY: &str = "own_rows";

pub(crate) async fn world(admin: &Admin) -> World {
    let project = admin.project_with(&["files", "db", "notifications"]).await;
    let tables = format!("/admin/v1/projects/{}/tables", project.slug);
    let table = json!({"name": "notes", "columns": [
        {"name": "id", "type": "uuid", "primary_key": true, "default": {"function": "uuid"}},
        {"name": "owner", "type": "uuid"},
        {"name": "title", "type": "text", "nullable": false},
    ], "indexes": [{"columns": ["title"]}]});
    let _ = admin.post(&tables, table).await.expect(201);
    let policy = json!({
        "actions": ["select", "insert", "update", "delete"],
        "roles": ["authenticated"],
        "using": {"owner": "owner"},
    });
    let path = format!("{tables}/notes/policies/{POLICY}");
    let _ = admin.put(&path, policy).await.expect_success();
    let mut users = Vec::new();
    for number in 0..2 {
        let user = project.sign_up().await;
        let title = format!("note {number}: ünïcode ' \" \\ %");
        let row = json!({"rows": [{"owner": user.id, "title": title}]});
        let _ = project.post("/v1/db/notes", row).await.expect_success();
        upload(
            &user,
            &format!("docs/of {number}.bin"),
            noise(200_000, number),
        )
        .await;
        upload(&user, "empty.txt", Vec::new()).await;
        users.push(user);
    }
    World { project, users }
}

async fn upload(user: &User, path: &str, bytes: Vec<u8>) {
    let name = percent(path);
    let request = user
        .request(Method::POST, "/files/upload")
        .header("file-path", name)
        .body(bytes);
    let _ = Reply::to(request).await.expect_success();
}

fn percent(path: &str) -> String {
    path.replace(' ', "%20")
}

/// What there is to see of a project, but for what differs in a copy.
pub(crate) async fn seen(admin: &Admin, project: &Project) -> Value {
    let slug = &project.slug;
    let users = admin
        .get(&format!("/admin/v1/projects/{slug}/users"))
        .await
        .expect(200)
        .json();
    let users: BTreeMap<String, String> = users["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| {
            let text = |name: &str| user[name].as_str().unwrap().to_owned();
            (text("id"), text("email"))
        })
        .collect();
    let owner = |id: &Value| id.as_str().and_then(|id| users.get(id)).cloned();
    let rows = project
        .get("/v1/db/notes?order=title.asc")
        .await
        .expect(200);
    let rows = rows.json();
    let rows: Vec<Value> = rows["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| json!([row["id"], owner(&row["owner"]), row["title"]]))
        .collect();
    let files = project.get("/files?limit=200").await.expect(200).json();
    let items = files.get("items").unwrap_or(&files).as_array().unwrap();
    let mut listed = Vec::new();
    for file in items {
        let id = file["id"].as_str().unwrap();
        let content = project.get(&format!("/files/{id}/download")).await;
        let content = content.expect(200).body;
        assert_eq!(file["sha256"], digest(&content), "{file}");
        listed.push(json!([
            file["path"],
            file["size"],
            file["sha256"],
            owner(&file["owner_id"]),
        ]));
    }
    listed.sort_by_key(ToString::to_string);
    let plugins = admin
        .get(&format!("/admin/v1/projects/{slug}/plugins"))
        .await
        .expect(200)
        .json();
    let plugins: Vec<Value> = plugins["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|plugin| json!([plugin["name"], plugin["enabled"], plugin["grants"]]))
        .collect();
    let tables = admin
        .get(&format!("/admin/v1/projects/{slug}/tables/notes"))
        .await
        .expect(200)
        .json();
    let usage = admin
        .get(&format!("/admin/v1/projects/{slug}/usage"))
        .await
        .expect(200)
        .json();
    json!({
        "users": users.values().collect::<Vec<_>>(),
        "rows": rows,
        "files": listed,
        "plugins": plugins,
        "table": [tables["columns"], tables["indexes"], tables["policies"]],
        "used": usage["storage"]["used_bytes"],
    })
}

#[tokio::test]
async fn a_backup_is_made_listed_fetched_and_restored_as_another_project() {
    let server = shared().await;
    let admin = server.admin();
    let World { project, users } = world(&admin).await;
    let before = seen(&admin, &project).await;
    let backup = made(&admin, &project).await;

    let list = admin.get(&backups(&project, "")).await.expect(200).json();
    assert_eq!(list["items"][0]["id"], backup.as_str(), "{list}");
    assert_eq!(list["items"][0]["reason"], "manual", "{list}");
    let link = admin
        .get(&backups(&project, &format!("/{backup}/download")))
        .await
        .expect(200)
        .json();
    let archive = reqwest::get(link["url"].as_str().unwrap()).await.unwrap();
    assert_eq!(archive.status(), 200);
    let name = format!("{}-{backup}.ahb", project.slug);
    assert_eq!(link["filename"], name.as_str(), "{link}");
    let disposition = archive.headers()["content-disposition"].to_str().unwrap();
    assert!(disposition.contains(&name), "{disposition}");
    let archive = archive.bytes().await.unwrap();
    assert_eq!(link["bytes"], archive.len(), "{link}");
    assert_eq!(link["sha256"], digest(&archive), "{link}");
    for secret in [users[0].email.as_str(), "ünïcode", "CREATE TABLE"] {
        let found = archive
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "`{secret}` can be read in the archive");
    }

    let tested = admin
        .post(&backups(&project, &format!("/{backup}/verify")), json!({}))
        .await
        .expect(202);
    let tested = run_ended(&admin, tested.json()).await;
    assert_eq!(tested["state"], "done", "{tested}");
    let known = admin
        .get(&backups(&project, &format!("/{backup}")))
        .await
        .expect(200)
        .json();
    assert!(known["verified_at"].is_string(), "{known}");
    assert_eq!(known["verify_error"], Value::Null, "{known}");

    let slug = unique("copy");
    let copy = restored(&admin, &project, &backup, &slug).await;
    assert_ne!(copy.id, project.id);
    assert_eq!(seen(&admin, &copy).await, before);
    // The original is as it was, and what its users do is theirs.
    assert_eq!(seen(&admin, &project).await, before);
    let of_copy = signed_in(&copy, &users[0].email).await;
    assert_ne!(of_copy.id, users[0].id);
    let mine = of_copy.get("/users/me/files").await.expect(200).json();
    let items = mine.get("items").unwrap_or(&mine).as_array().unwrap();
    assert_eq!(items.len(), 2, "{mine}");
    upload(&of_copy, "only in the copy.txt", b"copy".to_vec()).await;
    let row = json!({"rows": [{"owner": of_copy.id, "title": "only in the copy"}]});
    let _ = copy.post("/v1/db/notes", row).await.expect_success();
    assert_eq!(seen(&admin, &project).await, before);
    assert_ne!(seen(&admin, &copy).await, before);
    // Nobody gets into the copy with the original's keys or tokens.
    let refused = project.request(Method::GET, &format!("/p/{slug}/files"));
    assert!(Reply::to(refused).await.status >= 400);
}

/// A copy has the original's schedules, and does nothing by itself.
async fn schedules_rest_until_they_are_let_go_on(admin: &Admin, from: &Project, copy: &Project) {
    let schedules = async |project: &Project| {
        let path = format!("/admin/v1/projects/{}/schedules?limit=100", project.slug);
        let listed = admin.get(&path).await.expect(200).json();
        listed["items"].as_array().unwrap().clone()
    };
    let named = |schedules: &[Value]| -> BTreeMap<String, bool> {
        let one = |schedule: &Value| {
            let name = format!("{} {}", schedule["plugin"], schedule["name"]);
            (name, schedule["paused"].as_bool().unwrap())
        };
        schedules.iter().map(one).collect()
    };
    let original = named(&schedules(from).await);
    assert!(original.len() >= 2, "{original:?}");
    assert!(original.values().all(|paused| !paused), "{original:?}");
    let copied = schedules(copy).await;
    let resting = named(&copied);
    assert!(resting.keys().eq(original.keys()), "{resting:?}");
    assert!(resting.values().all(|paused| *paused), "{resting:?}");
    let jobs = copy.get("/cron/jobs").await.expect(200).json();
    assert_eq!(jobs["items"][0]["on_hold"], true, "{jobs}");
    for schedule in copied {
        let id = schedule["id"].as_str().unwrap();
        let path = format!("/admin/v1/projects/{}/schedules/{id}/resume", copy.slug);
        let _ = admin.post(&path, json!({})).await.expect_success();
    }
    until("the job's next time", PATIENCE, || async {
        let jobs = copy.get("/cron/jobs").await.expect(200).json();
        jobs["items"][0]["next_run_at"].is_string().then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_a_job_backs_up_by_the_clock_is_fetched_and_restored_as_another_project() {
    let mut server = TestServer::start().await;
    let admin = server.admin();
    let World { project, .. } = world(&admin).await;
    let body = json!({"enabled": true, "grants": "requested"});
    let _ = admin.install(&project, "cron", body).await.expect_success();
    let before = seen(&admin, &project).await;
    let job = json!({
        "name": "Back up", "type": "platform", "action": "backup", "schedule": "* * * * * *",
    });
    let job = project.post("/cron/jobs", job).await.expect(201).json();
    let path = format!("/cron/jobs/{}", job["id"].as_str().unwrap());
    let ready = until("a backup by the clock", PATIENCE, || async {
        let list = admin.get(&backups(&project, "")).await.expect(200).json();
        let items = list["items"].as_array().unwrap();
        items.iter().find(|made| made["state"] == "ready").cloned()
    })
    .await;
    let _ = project
        .patch(&path, json!({"enabled": false}))
        .await
        .expect(200);
    assert_eq!(ready["reason"], "scheduled", "{ready}");
    let backup = ready["id"].as_str().unwrap();

    let runs = project
        .get(&format!("{path}/runs"))
        .await
        .expect(200)
        .json();
    assert!(
        runs["items"]
            .as_array()
            .is_some_and(|runs| !runs.is_empty()),
        "{runs}"
    );
    let link = backups(&project, &format!("/{backup}/download"));
    let link = admin.get(&link).await.expect(200).json();
    let archive = reqwest::get(link["url"].as_str().unwrap()).await.unwrap();
    let archive = archive.bytes().await.unwrap();
    assert_eq!(link["sha256"], digest(&archive), "{link}");

    let slug = unique("clock");
    let copy = restored(&admin, &project, backup, &slug).await;
    assert_eq!(seen(&admin, &copy).await, before);
    schedules_rest_until_they_are_let_go_on(&admin, &project, &copy).await;

    // The very bytes that came, on this host without the backup that they are of.
    let path = backups(&project, &format!("/{backup}"));
    until("the end of its test", PATIENCE, || async {
        (admin.delete(&path).await.status == 204).then_some(())
    })
    .await;
    server.stop().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fetched.ahb");
    std::fs::write(&file, &archive).unwrap();
    let slug = unique("fetched");
    let args = ["restore", file.to_str().unwrap(), "--slug", &slug];
    let (code, said) = server.run_with_its_settings(&args, &[]).await;
    assert_eq!(code, 0, "{said}");
    server.start_again().await;
    let found = admin.get(&format!("/admin/v1/projects/{slug}")).await;
    let id = found.expect(200).json()["id"].clone();
    let copy = with_keys(&admin, &project, &slug, id.as_str().unwrap()).await;
    assert_eq!(seen(&admin, &copy).await, before);
}

#[tokio::test]
async fn a_restore_over_the_project_is_confirmed_and_can_be_undone() {
    let server = shared().await;
    let admin = server.admin();
    let World { project, users } = world(&admin).await;
    let first = seen(&admin, &project).await;
    let backup = made(&admin, &project).await;

    let user = users[0].again().await;
    upload(&user, "later.txt", b"later".to_vec()).await;
    let late = project.sign_up().await;
    let row = json!({"rows": [{"owner": late.id, "title": "zz later"}]});
    let _ = project.post("/v1/db/notes", row).await.expect_success();
    let second = seen(&admin, &project).await;
    assert_ne!(first, second);

    let path = backups(&project, &format!("/{backup}/restore"));
    for body in [
        json!({}),
        json!({"confirm": "another"}),
        json!({"confirm": ""}),
        json!({"confirm": project.slug, "new": {}}),
    ] {
        let refused = admin.post(&path, body).await;
        assert_eq!(refused.expect_problem(422), "confirmation_required");
    }
    assert_eq!(seen(&admin, &project).await, second);

    let over = json!({"confirm": project.slug});
    let run = restore(&admin, &project, &backup, over.clone()).await;
    assert_eq!(run["state"], "done", "{run}");
    assert_eq!(seen(&admin, &project).await, first);
    // Sessions have ended, keys have stayed.
    assert_eq!(user.get("/users/me").await.status, 401);
    let _ = project.sign_in(&users[1].email).await.expect(200);
    assert_eq!(project.sign_in(&late.email).await.status, 401);

    let undo = run["before"].as_str().unwrap().to_owned();
    let kept = admin
        .get(&backups(&project, &format!("/{undo}")))
        .await
        .expect(200)
        .json();
    assert_eq!(kept["reason"], "before_restore", "{kept}");
    let run = restore(&admin, &project, &undo, over.clone()).await;
    assert_eq!(run["state"], "done", "{run}");
    assert_eq!(seen(&admin, &project).await, second);
    let _ = project.sign_in(&late.email).await.expect(200);

    // It goes on being a project as any other: changed, backed up, restored.
    let user = users[1].again().await;
    upload(&user, "after.txt", b"after".to_vec()).await;
    let third = seen(&admin, &project).await;
    let again = made(&admin, &project).await;
    let run = restore(&admin, &project, &backup, over.clone()).await;
    assert_eq!(run["state"], "done", "{run}");
    assert_eq!(seen(&admin, &project).await, first);
    let run = restore(&admin, &project, &again, over).await;
    assert_eq!(run["state"], "done", "{run}");
    assert_eq!(seen(&admin, &project).await, third);
}

#[tokio::test]
async fn a_deleted_project_comes_back_as_it_was() {
    let mut server = TestServer::start().await;
    let admin = server.admin();
    let World { project, users } = world(&admin).await;
    let before = seen(&admin, &project).await;
    let backup = made(&admin, &project).await;
    let path = format!("/admin/v1/projects/{}", project.slug);
    let _ = admin.delete(&path).await.expect_success();
    // Until it is purged its id is taken, and a copy would be made.
    until("the project's end", PATIENCE, || async {
        server
            .log()
            .contains("a deleted project is gone")
            .then_some(())
    })
    .await;
    let all = admin.get("/admin/v1/backups").await.expect(200).json();
    assert_eq!(all["items"][0]["id"], backup.as_str(), "{all}");
    let path = format!("/admin/v1/backups/{backup}/restore");
    let begun = admin.post(&path, json!({})).await.expect(202).json();
    let run = run_ended(&admin, begun).await;
    assert_eq!(run["state"], "done", "{run}");
    assert_eq!(run["project"], project.id.as_str());
    // With the keys that it had.
    assert_eq!(seen(&admin, &project).await, before);
    let again = signed_in(&project, &users[0].email).await;
    assert_eq!(again.id, users[0].id);
    server.restart().await;
    assert_eq!(seen(&admin, &project).await, before);
}

#[tokio::test]
async fn a_restored_project_lives_on_after_a_restart() {
    let mut server = TestServer::start().await;
    let admin = server.admin();
    let World { project, users } = world(&admin).await;
    let first = seen(&admin, &project).await;
    let backup = made(&admin, &project).await;
    let user = users[0].again().await;
    upload(&user, "later.txt", b"later".to_vec()).await;
    let run = restore(&admin, &project, &backup, json!({"confirm": project.slug})).await;
    assert_eq!(run["state"], "done", "{run}");
    server.restart().await;
    assert_eq!(seen(&admin, &project).await, first);
    let found = crate::fsck::fsck(&server, &project, &[]).await;
    assert_eq!(found.code, 0, "{:?}", found.findings);
    // And ends as any other.
    let path = format!("/admin/v1/projects/{}", project.slug);
    let _ = admin.delete(&path).await.expect_success();
    until("the project's end", PATIENCE, || async {
        server
            .log()
            .contains("a deleted project is gone")
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_node_that_ends_in_the_middle_leaves_the_old_or_the_new() {
    let mut server = TestServer::start().await;
    let admin = server.admin();
    let World { project, users } = world(&admin).await;
    let first = seen(&admin, &project).await;
    let backup = made(&admin, &project).await;
    let user = users[0].again().await;
    upload(&user, "later.txt", b"later".to_vec()).await;
    let second = seen(&admin, &project).await;
    let path = backups(&project, &format!("/{backup}/restore"));
    let mut seen_new = 0;
    for pause in [0, 300, 1_500, 3_200, 3_600, 4_500] {
        let begun = admin
            .post(&path, json!({"confirm": project.slug}))
            .await
            .expect(202)
            .json();
        // Not proof of anything: only another moment each time.
        tokio::time::sleep(Duration::from_millis(pause)).await;
        server.kill();
        server.start_again().await;
        let run = run_ended(&admin, begun).await;
        opened(&project).await;
        let now = seen(&admin, &project).await;
        if run["state"] == "done" {
            assert_eq!(now, first, "{run}");
            seen_new += 1;
            break;
        }
        assert_eq!(run["state"], "failed", "{run}");
        assert!(run["error"].as_str().unwrap().contains("begin it again"));
        assert_eq!(now, second, "{run}");
    }
    if seen_new == 0 {
        let run = restore(&admin, &project, &backup, json!({"confirm": project.slug})).await;
        assert_eq!(run["state"], "done", "{run}");
        assert_eq!(seen(&admin, &project).await, first);
    }
    // Nothing is under way for ever.
    let list = admin.get(&backups(&project, "")).await.expect(200).json();
    for backup in list["items"].as_array().unwrap() {
        assert_ne!(backup["state"], "running", "{backup}");
    }
}

#[tokio::test]
async fn backups_are_kept_as_the_policy_says_and_come_by_themselves() {
    let server = shared().await;
    let admin = server.admin();
    let project = admin.project().await;
    let policy = format!("/admin/v1/projects/{}/backup-policy", project.slug);
    let default = admin.get(&policy).await.expect(200).json();
    assert_eq!(
        (&default["enabled"], &default["keep_last"]),
        (&json!(false), &json!(7))
    );
    for wrong in [
        json!({"interval_seconds": 10}),
        json!({"keep_last": 0}),
        json!({"keep_days": 0}),
    ] {
        let refused = admin.put(&policy, wrong).await;
        assert_eq!(refused.expect_problem(422), "invalid_policy");
    }
    // A schedule is read before it is taken, and tells its next time.
    for wrong in [
        json!({"schedule": "every day"}),
        json!({"schedule": "0 3 * * *", "timezone": "Kenya/Nowhere"}),
    ] {
        let refused = admin.put(&policy, wrong).await;
        assert_eq!(refused.expect_problem(422), "invalid_schedule");
    }
    let lonely = admin.put(&policy, json!({"timezone": "Africa/Nairobi"}));
    assert_eq!(lonely.await.expect_problem(422), "invalid_policy");
    let nightly = json!({"enabled": true, "schedule": "30 3 * * *", "timezone": "Africa/Nairobi"});
    let set = admin.put(&policy, nightly.clone()).await.expect(200).json();
    let next = set["next_at"].as_str().unwrap();
    assert!(next.ends_with("T00:30:00Z"), "{set}");
    let off = json!({"schedule": "30 3 * * *"});
    let set = admin.put(&policy, off).await.expect(200).json();
    assert_eq!(set["next_at"], Value::Null, "{set}");
    let keep_two = json!({"keep_last": 2});
    let set = admin.put(&policy, keep_two).await.expect(200).json();
    assert_eq!(
        (&set["keep_last"], &set["enabled"]),
        (&json!(2), &json!(false))
    );
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(made(&admin, &project).await);
    }
    let kept = until("the oldest to go", DEADLINE, || async {
        let list = admin.get(&backups(&project, "")).await.expect(200).json();
        let items = list["items"].as_array().unwrap().clone();
        (items.len() == 2).then_some(items)
    })
    .await;
    assert_eq!(kept[0]["id"], all[2].as_str());
    assert_eq!(kept[1]["id"], all[1].as_str());
    let gone = admin.get(&backups(&project, &format!("/{}", all[0]))).await;
    gone.expect_problem(404);

    // With the last one just made the next would be a day away.
    let path = backups(&project, &format!("/{}", all[2]));
    let _ = admin.delete(&path).await.expect(204);
    let _ = admin
        .delete(&backups(&project, &format!("/{}", all[1])))
        .await
        .expect(204);
    let on = json!({"enabled": true, "keep_last": 2});
    let _ = admin.put(&policy, on).await.expect(200);
    let scheduled = until("a backup by itself", PATIENCE, || async {
        let list = admin.get(&backups(&project, "")).await.expect(200).json();
        let newest = list["items"].get(0).cloned()?;
        newest["verified_at"].is_string().then_some(newest)
    })
    .await;
    assert_eq!(scheduled["reason"], "scheduled", "{scheduled}");
    assert_eq!(scheduled["verify_error"], Value::Null, "{scheduled}");

    // And at the times of a schedule, of which the last second is one.
    let often = json!({"enabled": true, "keep_last": 2, "schedule": "* * * * * *"});
    let _ = admin.put(&policy, often).await.expect(200);
    let _ = until("a backup of the schedule", PATIENCE, || async {
        let list = admin.get(&backups(&project, "")).await.expect(200).json();
        let mut items = list["items"].as_array().unwrap().iter();
        // The next may be on its way already.
        let is_another = |backup: &&Value| {
            backup["id"] != scheduled["id"]
                && backup["reason"] == "scheduled"
                && backup["state"] == "ready"
        };
        items.find(is_another).cloned()
    })
    .await;
    let _ = admin
        .put(&policy, json!({"keep_last": 2}))
        .await
        .expect(200);
}

#[tokio::test]
async fn backups_are_for_admins_and_of_their_project() {
    let server = shared().await;
    let admin = server.admin();
    let (project, other) = (admin.project().await, admin.project().await);
    let backup = made(&admin, &project).await;
    let nobody = admin.anonymous();
    for path in ["", "/", "/x"] {
        let path = backups(&project, path.trim_end_matches('/'));
        assert_eq!(nobody.get(&path).await.status, 401, "{path}");
    }
    let strange = admin.get(&backups(&other, &format!("/{backup}"))).await;
    strange.expect_problem(404);
    let over = json!({"confirm": other.slug});
    let path = backups(&other, &format!("/{backup}/restore"));
    admin.post(&path, over).await.expect_problem(404);
    let path = backups(&project, &format!("/{backup}/download"));
    let link = admin.get(&path).await.expect(200).json();
    let url = link["url"].as_str().unwrap();
    let wrong = reqwest::get(format!("{url}x")).await.unwrap();
    assert!(
        [400, 403].contains(&wrong.status().as_u16()),
        "{}",
        wrong.status()
    );
    let platform = admin
        .post("/admin/v1/backups", json!({}))
        .await
        .expect(202)
        .json();
    let path = format!("/admin/v1/backups/{}", platform["id"].as_str().unwrap());
    let platform = until("the platform's backup", PATIENCE, || async {
        let backup = admin.get(&path).await.expect(200).json();
        (backup["state"] != "running").then_some(backup)
    })
    .await;
    assert_eq!(platform["state"], "ready", "{platform}");
    assert_eq!(platform["project"], Value::Null);
    let tested = admin.post(&format!("{path}/verify"), json!({})).await;
    let tested = run_ended(&admin, tested.expect(202).json()).await;
    assert_eq!(tested["state"], "done", "{tested}");
}

/// A way to damage an archive.
type Damage = (&'static str, fn(&mut Vec<u8>));

/// Where the first chunk begins, and how long chunks are.
const HEAD: usize = 56;
const CHUNK: usize = 256 * 1024 + 16;

const DAMAGES: &[Damage] = &[
    ("nothing is left", Vec::clear),
    ("a byte is left", |archive| archive.truncate(1)),
    ("the beginning alone is left", |archive| {
        archive.truncate(HEAD)
    }),
    ("it is cut in the first chunk", |archive| {
        archive.truncate(HEAD + 1_000)
    }),
    ("it is cut behind the first chunk", |archive| {
        archive.truncate(HEAD + CHUNK)
    }),
    ("it is cut in the middle", |archive| {
        archive.truncate(archive.len() / 2)
    }),
    ("the last byte is missing", |archive| {
        archive.pop();
    }),
    ("the last 16 bytes are missing", |archive| {
        archive.truncate(archive.len() - 16)
    }),
    ("a byte comes after the end", |archive| archive.push(0)),
    ("a chunk comes after the end", |archive| {
        archive.extend(vec![0; CHUNK])
    }),
    ("it is there twice", |archive| {
        archive.extend(archive.clone())
    }),
    ("the magic word is another", |archive| archive[0] ^= 1),
    ("the version is another", |archive| archive[7] ^= 1),
    ("the key is another", |archive| archive[10] ^= 1),
    ("the salt is another", |archive| archive[30] ^= 1),
    ("the first byte of the first chunk is another", |archive| {
        archive[HEAD] ^= 0x80
    }),
    ("a bit in the middle is another", |archive| {
        let middle = archive.len() / 2;
        archive[middle] ^= 4;
    }),
    ("a bit of the last byte is another", |archive| {
        let last = archive.len() - 1;
        archive[last] ^= 1;
    }),
    ("a byte was left out", |archive| {
        archive.remove(HEAD + 5_000);
    }),
    ("a byte was put in", |archive| {
        archive.insert(HEAD + 5_000, 7)
    }),
    ("a page is zero", |archive| {
        archive[HEAD + 4_096..HEAD + 8_192].fill(0)
    }),
    ("two chunks changed places", |archive| {
        let (first, second) = archive[HEAD..].split_at_mut(CHUNK);
        first.swap_with_slice(&mut second[..CHUNK]);
    }),
    ("a chunk was left out", |archive| {
        archive.drain(HEAD..HEAD + CHUNK);
    }),
    ("a chunk is there twice", |archive| {
        let chunk = archive[HEAD..HEAD + CHUNK].to_vec();
        archive.splice(HEAD..HEAD, chunk);
    }),
    ("it is another file", |archive| {
        *archive = b"PK\x03\x04 not an archive at all".repeat(100)
    }),
    ("it is text", |archive| *archive = b"{}\n".repeat(1_000)),
];

/// The store of a server, past it.
fn store(server: &TestServer) -> Storage {
    let folder = server.folder().join("node-0/data/objects");
    let url = match server.store_setting("ATLASHUB_STORAGE_URL") {
        Some(url) => url.to_owned(),
        None => format!("fs:{}", folder.display()),
    };
    let url: StorageUrl = url.parse().unwrap();
    Storage::open(&url, Credentials::from_env().as_ref()).unwrap()
}

#[tokio::test]
async fn damage_of_every_kind_is_refused_before_anything_has_changed() {
    let server = ServerBuilder::default().start().await;
    let admin = server.admin();
    let World { project, .. } = world(&admin).await;
    let before = seen(&admin, &project).await;
    let backup = made(&admin, &project).await;
    let id: ProjectId = project.id.parse().unwrap();
    let path = ObjectPath::backup(Some(id), &backup.parse().unwrap()).unwrap();
    let store = store(&server);
    let whole = store.read_bytes(&path, 1 << 30).await.unwrap().to_vec();
    assert!(whole.len() > HEAD + 3 * CHUNK, "{}", whole.len());
    assert!(DAMAGES.len() >= 20);
    let count = async || {
        let list = admin.get("/admin/v1/projects").await.expect(200).json();
        list["items"].as_array().unwrap().len()
    };
    let projects = count().await;
    let address = backups(&project, &format!("/{backup}/restore"));
    for (what, damage) in DAMAGES {
        let mut archive = whole.clone();
        damage(&mut archive);
        assert_ne!(archive, whole, "{what}");
        let written = store.write_bytes(&path, archive.into(), WriteMode::Replace);
        let _ = written.await.unwrap();
        for how in [json!({"confirm": project.slug}), json!({"new": {}})] {
            let answer = admin.post(&address, how.clone()).await;
            if answer.status == 202 {
                let run = run_ended(&admin, answer.json()).await;
                assert_eq!(run["state"], "failed", "{what} {how}: {run}");
                assert_eq!(run["before"], Value::Null, "{what} {how}: {run}");
                let error = run["error"].as_str().unwrap();
                assert!(error.contains("damaged"), "{what} {how}: {error}");
            } else {
                let code = answer.expect_problem(422);
                let known = [
                    "archive_damaged",
                    "archive_unreadable",
                    "archive_key_unknown",
                ];
                assert!(known.contains(&code.as_str()), "{what} {how}: {code}");
            }
        }
        // Nobody was kept out for it, either.
        let _ = project.get("/files").await.expect(200);
    }
    assert_eq!(seen(&admin, &project).await, before);
    assert_eq!(count().await, projects);
    // The whole one is as good as ever.
    let written = store.write_bytes(&path, whole.into(), WriteMode::Replace);
    let _ = written.await.unwrap();
    let run = restore(&admin, &project, &backup, json!({"confirm": project.slug})).await;
    assert_eq!(run["state"], "done", "{run}");
    assert_eq!(seen(&admin, &project).await, before);
    // A backup whose archive is gone says so.
    store.delete(&path).await.unwrap();
    let gone = admin.post(&address, json!({"confirm": project.slug})).await;
    assert_eq!(gone.expect_problem(404), "archive_missing");
}
