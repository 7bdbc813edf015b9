//! Installing, switching off, configuring, upgrading, rolling back, removing:
//! at once, all or nothing, and without a failed request.

use atlashub_tests::{Admin, Project, built_in, fixture, shared, unique, with_manifest};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// Uploads the three versions of the plugin `upgrade`; answers their ids.
pub(crate) async fn versions(admin: &Admin) -> [String; 3] {
    let mut ids = Vec::new();
    for name in ["upgrade", "upgrade-next", "broken-activate"] {
        let revision = admin
            .upload(fixture(name), None)
            .await
            .expect_success()
            .json();
        ids.push(revision["id"].as_str().unwrap().to_owned());
    }
    ids.try_into().unwrap()
}

async fn on_first_version(admin: &Admin) -> (Project, [String; 3]) {
    let versions = versions(admin).await;
    let project = admin.project().await;
    let body = json!({"revision": versions[0], "enabled": true, "grants": "requested"});
    let _ = admin.install(&project, "upgrade", body).await.expect(201);
    assert_eq!(project.get("/upgrade").await.expect(200).text(), "1");
    (project, versions)
}

#[tokio::test]
async fn a_plugin_answers_as_soon_as_it_is_installed() {
    let admin = shared().await.admin();
    let project = admin.project().await;
    project.get("/hello").await.expect_problem(404);
    let installed = admin.enable(&project, "hello").await;
    assert_eq!(installed["enabled"], true, "{installed}");
    let _ = project.get("/hello").await.expect(200);
    let listed = admin.installed(&project, "hello").await;
    assert_eq!(
        (&listed["health"], &listed["last_error"]),
        (&json!("ok"), &Value::Null),
        "{listed}"
    );
}

#[tokio::test]
async fn a_disabled_plugin_is_gone_and_comes_back_with_its_data() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["files"]).await;
    let file = project
        .upload("kept.txt", "kept")
        .await
        .expect_success()
        .json();
    let path = format!("/files/{}/download", file["id"].as_str().unwrap());
    let _ = admin
        .install(&project, "files", json!({"enabled": false}))
        .await
        .expect(200);
    project.get(&path).await.expect_problem(404);
    assert_eq!(
        admin.installed(&project, "files").await["health"],
        "disabled"
    );
    let _ = admin
        .install(&project, "files", json!({"enabled": true}))
        .await
        .expect(200);
    assert_eq!(project.get(&path).await.expect(200).text(), "kept");
}

#[tokio::test]
async fn an_upgrade_takes_effect_at_once_and_rolls_back() {
    let admin = shared().await.admin();
    let (project, versions) = on_first_version(&admin).await;
    let upgraded = admin
        .install(&project, "upgrade", json!({"revision": versions[1]}))
        .await;
    assert_eq!(upgraded.expect(200).json()["version"], "2.0.0");
    assert_eq!(project.get("/upgrade").await.expect(200).text(), "2");
    let listed = admin.installed(&project, "upgrade").await;
    assert_eq!(listed["previous_revision"], json!(versions[0]), "{listed}");
    let _ = admin
        .install(&project, "upgrade", json!({"revision": versions[0]}))
        .await
        .expect(200);
    assert_eq!(project.get("/upgrade").await.expect(200).text(), "1");
}

#[tokio::test]
async fn a_revision_is_chosen_by_id_digest_or_version() {
    let admin = shared().await.admin();
    let (project, _) = on_first_version(&admin).await;
    let plugin = admin
        .get("/admin/v1/plugins/upgrade")
        .await
        .expect(200)
        .json();
    let revisions = plugin["revisions"].as_array().unwrap();
    let second = revisions
        .iter()
        .find(|revision| revision["version"] == "2.0.0")
        .unwrap();
    for word in [
        second["digest"].clone(),
        json!("2.0.0"),
        second["id"].clone(),
    ] {
        let _ = admin
            .install(&project, "upgrade", json!({"revision": "1.0.0"}))
            .await
            .expect(200);
        let _ = admin
            .install(&project, "upgrade", json!({"revision": word}))
            .await
            .expect(200);
        assert_eq!(
            project.get("/upgrade").await.expect(200).text(),
            "2",
            "chosen by {word}"
        );
    }
    let reply = admin
        .install(&project, "upgrade", json!({"revision": "9.9.9"}))
        .await;
    reply.expect_problem(404);
}

#[tokio::test]
async fn hooks_are_told_why_they_are_called() {
    let admin = shared().await.admin();
    let (project, versions) = on_first_version(&admin).await;
    let _ = admin
        .install(&project, "upgrade", json!({"revision": versions[1]}))
        .await
        .expect(200);
    let hooks = project.get("/upgrade/hooks").await.expect(200).json();
    let lines: Vec<&str> = hooks
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(
        lines.first().is_some_and(|line| line.starts_with("1 ")),
        "{hooks}"
    );
    assert!(
        lines
            .last()
            .is_some_and(|line| line.starts_with("2 ") && line.ends_with("1.0.0")),
        "{hooks}"
    );
}

/// Asks for `path` from several clients until told to stop; counts what was
/// not one of the wanted answers.
struct Load {
    stop: Arc<AtomicBool>,
    answers: Arc<AtomicUsize>,
    clients: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Load {
    fn on(project: &Project, path: &'static str, wanted: &'static [&'static str]) -> Self {
        let (stop, answers) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let clients = (0..8).map(|_| {
            let (project, stop, answers) =
                (project.clone(), Arc::clone(&stop), Arc::clone(&answers));
            tokio::spawn(async move {
                let mut wrong = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let reply = project.get(path).await;
                    if reply.status != 200 || !wanted.contains(&reply.text().as_str()) {
                        wrong.push(format!("{} {}", reply.status, reply.text()));
                    }
                    answers.fetch_add(1, Ordering::Relaxed);
                }
                wrong
            })
        });
        let clients = clients.collect();
        Self {
            stop,
            answers,
            clients,
        }
    }

    /// Waits until `count` more answers have come.
    async fn answers(&self, count: usize) {
        let goal = self.answers.load(Ordering::Relaxed) + count;
        atlashub_tests::until("more answers", atlashub_tests::DEADLINE, || async {
            (self.answers.load(Ordering::Relaxed) >= goal).then_some(())
        })
        .await;
    }

    async fn end(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let mut wrong = Vec::new();
        for client in self.clients {
            wrong.extend(client.await.unwrap());
        }
        wrong
    }
}

#[tokio::test]
async fn no_request_fails_while_a_plugin_is_upgraded_under_load() {
    let admin = shared().await.admin();
    let (project, versions) = on_first_version(&admin).await;
    let load = Load::on(&project, "/upgrade", &["1", "2"]);
    for turn in 0..10 {
        load.answers(50).await;
        let revision = &versions[(turn + 1) % 2];
        let _ = admin
            .install(&project, "upgrade", json!({"revision": revision}))
            .await
            .expect(200);
        let wanted = if turn % 2 == 0 { "2" } else { "1" };
        assert_eq!(
            project.get("/upgrade").await.expect(200).text(),
            wanted,
            "after the change"
        );
    }
    load.answers(50).await;
    assert_eq!(load.end().await, Vec::<String>::new(), "requests failed");
}

#[tokio::test]
async fn a_broken_revision_leaves_the_old_one_serving_and_says_why() {
    let admin = shared().await.admin();
    let (project, versions) = on_first_version(&admin).await;
    let load = Load::on(&project, "/upgrade", &["1"]);
    let reply = admin
        .install(&project, "upgrade", json!({"revision": versions[2]}))
        .await;
    assert!(
        (400..500).contains(&reply.status),
        "the answer was {} {}",
        reply.status,
        reply.text()
    );
    reply.expect_problem(reply.status);
    assert!(
        reply.text().contains("the fixture refuses"),
        "no reason in {}",
        reply.text()
    );
    load.answers(50).await;
    assert_eq!(load.end().await, Vec::<String>::new(), "requests failed");
    let listed = admin.installed(&project, "upgrade").await;
    assert_eq!(
        (&listed["version"], &listed["enabled"]),
        (&json!("1.0.0"), &json!(true)),
        "{listed}"
    );
}

#[tokio::test]
async fn a_revision_whose_tables_cannot_be_made_leaves_the_old_one_serving() {
    let admin = shared().await.admin();
    let name = unique("tables");
    let text = |version: &str, sql: &str| {
        format!(
            "name = \"{name}\"\nversion = \"{version}\"\ngrants = [\"sql\"]\n[[routes]]\npath = \"/hello\"\n\
             [[migrations]]\nname = \"0001\"\nsql = \"CREATE TABLE a (id integer)\"\n{sql}"
        )
    };
    let good = with_manifest(&built_in("hello"), &text("1.0.0", ""));
    let bad = "[[migrations]]\nname = \"0002\"\nsql = \"CREATE TABLE b (id integer); ALTER TABLE no_such ADD COLUMN x integer\"\n";
    let bad = with_manifest(&built_in("hello"), &text("2.0.0", bad));
    for component in [good, bad] {
        let _ = admin.upload(component, None).await.expect(201);
    }
    let project = admin.project().await;
    let body = json!({"revision": "1.0.0", "grants": "requested"});
    let _ = admin.install(&project, &name, body).await.expect(201);
    let reply = admin
        .install(&project, &name, json!({"revision": "2.0.0"}))
        .await;
    reply.expect_problem(422);
    assert!(
        reply.text().contains("0002"),
        "{} does not name the migration",
        reply.text()
    );
    let _ = project.get("/hello").await.expect(200);
    assert_eq!(admin.installed(&project, &name).await["version"], "1.0.0");
}

#[tokio::test]
async fn two_plugins_cannot_own_the_same_route() {
    let admin = shared().await.admin();
    let name = unique("rival");
    let text = format!("name = \"{name}\"\nversion = \"1.0.0\"\n[[routes]]\npath = \"/hello\"\n");
    let _ = admin
        .upload(built_in("hello"), Some(&text))
        .await
        .expect(201);
    let project = admin.project_with(&["hello"]).await;
    let reply = admin
        .install(&project, &name, json!({"enabled": true}))
        .await;
    reply.expect_problem(409);
    assert!(
        reply.text().contains(&name) && reply.text().contains("`hello`"),
        "{}",
        reply.text()
    );
    // Switched off it may be there, and mounted elsewhere it may serve.
    let _ = admin
        .install(&project, &name, json!({"enabled": false}))
        .await
        .expect(201);
    let _ = admin
        .install(&project, "hello", json!({"enabled": false}))
        .await
        .expect(200);
    let _ = admin
        .install(&project, &name, json!({"enabled": true}))
        .await
        .expect(200);
    admin
        .install(&project, "hello", json!({"enabled": true}))
        .await
        .expect_problem(409);
}

#[tokio::test]
async fn the_longest_route_wins() {
    let admin = shared().await.admin();
    let name = unique("long");
    let text =
        format!("name = \"{name}\"\nversion = \"1.0.0\"\n[[routes]]\npath = \"/hello/wide\"\n");
    let _ = admin.upload(fixture("wstd"), Some(&text)).await.expect(201);
    let project = admin.project_with(&["hello", &name]).await;
    assert_eq!(
        project.get("/hello/wide").await.expect(200).text(),
        "GET /hello/wide"
    );
    assert_eq!(
        project.get("/hello/wider").await.expect(200).json()["message"],
        "hello, wider"
    );
}

#[tokio::test]
async fn configuration_is_checked_against_the_plugins_schema() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["files"]).await;
    let wrong = json!({"config": {"max_file_bytes": "many"}});
    let reply = admin.install(&project, "files", wrong).await;
    reply.expect_problem(422);
    assert!(reply.text().contains("max_file_bytes"), "{}", reply.text());
    let right = json!({"config": {"max_file_bytes": 4}});
    let _ = admin.install(&project, "files", right).await.expect(200);
    project
        .upload("long.txt", "longer than four")
        .await
        .expect_problem(413);
    let _ = project.upload("short.txt", "four").await.expect_success();
}

#[tokio::test]
async fn a_grant_that_the_manifest_does_not_ask_for_is_refused() {
    let admin = shared().await.admin();
    let project = admin.project().await;
    let reply = admin
        .install(&project, "hello", json!({"grants": ["sql"]}))
        .await;
    reply.expect_problem(422);
    project.get("/hello").await.expect_problem(404);
}

#[tokio::test]
async fn removing_a_plugin_keeps_or_deletes_its_data_as_asked() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["files"]).await;
    let path = format!("/admin/v1/projects/{}/plugins/files", project.slug);
    let _ = project.upload("a.txt", "a").await.expect_success();
    let _ = admin
        .delete(&format!("{path}?data=keep"))
        .await
        .expect_success();
    project.get("/files").await.expect_problem(404);
    admin.enable(&project, "files").await;
    let list = project.get("/files").await.expect(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
    let _ = admin
        .delete(&format!("{path}?data=delete"))
        .await
        .expect_success();
    admin.enable(&project, "files").await;
    let list = project.get("/files").await.expect(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 0, "{list}");
}

#[tokio::test]
async fn a_plugin_switched_off_in_one_project_serves_on_in_another() {
    let admin = shared().await.admin();
    let (one, two) = (
        admin.project_with(&["hello"]).await,
        admin.project_with(&["hello"]).await,
    );
    let _ = admin
        .install(&one, "hello", json!({"enabled": false}))
        .await
        .expect(200);
    one.get("/hello").await.expect_problem(404);
    let _ = two.get("/hello").await.expect(200);
}
