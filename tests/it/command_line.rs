//! The command line, used as its help says.

use atlashub_tests::{Project, TestServer, fixture, shared, unique};
use serde_json::json;

#[tokio::test]
async fn a_new_plugin_builds_and_deploys_as_it_stands() {
    let server = shared().await;
    let project = server.admin().project().await;
    let folder = tempfile::tempdir().unwrap();
    let name = unique("new");
    let source = folder.path().join(&name);
    let source = source.to_str().unwrap();
    let said = server
        .command(&["plugin", "new", &name, "--path", source])
        .await;
    assert!(said.contains("deploy"), "{said}");
    let deploy = [
        "plugin",
        "deploy",
        source,
        "--project",
        &project.slug,
        "--yes",
    ];
    let said = server.command(&deploy).await;
    assert!(
        said.contains(&name) && said.contains("kv"),
        "it does not say what it asks for: {said}"
    );
    let reply = project
        .get(&format!("/{name}/you"))
        .await
        .expect(200)
        .json();
    assert_eq!(reply, json!({"message": "hello, you", "times": 1}));
    let reply = project
        .get(&format!("/{name}/you"))
        .await
        .expect(200)
        .json();
    assert_eq!(reply["times"], 2);

    passes_its_own_test(source).await;

    let in_project = |word: &'static str| {
        let (name, slug) = (name.clone(), project.slug.clone());
        async move {
            server
                .command(&["plugin", word, &name, "--project", &slug])
                .await
        }
    };
    let _ = in_project("disable").await;
    project
        .get(&format!("/{name}/you"))
        .await
        .expect_problem(404);
    let _ = in_project("enable").await;
    let _ = project.get(&format!("/{name}/you")).await.expect(200);
    let list = server
        .command(&["plugin", "list", "--project", &project.slug])
        .await;
    assert!(list.contains(&name), "{list}");
    let component = format!("{source}/dist/{name}.wasm");
    let inspected = server.command(&["plugin", "inspect", &component]).await;
    assert!(
        inspected.contains("wasi:http/incoming-handler"),
        "{inspected}"
    );
}

#[tokio::test]
async fn a_project_is_made_with_its_keys() {
    let server = shared().await;
    let slug = unique("cli");
    let said = server
        .command(&["project", "create", "From the shell", "--slug", &slug])
        .await;
    assert!(said.contains("ahp_") && said.contains("ahs_"), "{said}");
    let keys = server.command(&["project", "keys", &slug]).await;
    assert!(!keys.is_empty());
    let made = server
        .command(&["project", "keys", &slug, "--create", "secret"])
        .await;
    assert!(made.contains("ahs_"), "{made}");
    let list = server.command(&["project", "list"]).await;
    assert!(list.contains(&slug), "{list}");
}

#[tokio::test]
async fn a_command_that_fails_says_what_to_do() {
    let server = shared().await;
    let said = server
        .failing_command(&["plugin", "deploy", "no-such-file.wasm", "--project", "x"])
        .await;
    assert!(said.contains("no-such-file.wasm"), "{said}");
    let said = server
        .failing_command(&["project", "keys", "no-such-project"])
        .await;
    assert!(
        said.contains("no-such-project") || said.contains("not found"),
        "{said}"
    );
}

/// A project with a plugin on the first of two versions, and their ids.
async fn upgradable() -> (&'static TestServer, Project, [String; 3]) {
    let server = shared().await;
    let admin = server.admin();
    let versions = crate::plugin_changes::versions(&admin).await;
    let project = admin.project().await;
    let body = json!({"revision": versions[0], "enabled": true, "grants": "requested"});
    let _ = admin.install(&project, "upgrade", body).await.expect(201);
    (server, project, versions)
}

#[tokio::test]
async fn a_plugin_is_rolled_back_to_what_ran_before() {
    let (server, project, versions) = upgradable().await;
    let roll_back = ["plugin", "rollback", "upgrade", "--project", &project.slug];
    let said = server.failing_command(&roll_back).await;
    assert!(
        said.contains("upgrade has had one revision only"),
        "nothing to go back to: {said}"
    );
    let next = json!({"revision": versions[1]});
    let admin = server.admin();
    let _ = admin.install(&project, "upgrade", next).await.expect(200);
    assert_eq!(project.get("/upgrade").await.expect(200).text(), "2");
    for version in ["1", "2"] {
        let said = server.command(&roll_back).await;
        assert_eq!(said.trim(), format!("upgrade is back on {version}.0.0"));
        assert_eq!(project.get("/upgrade").await.expect(200).text(), version);
    }
    let unknown = ["plugin", "rollback", "nothing", "--project", &project.slug];
    let said = server.failing_command(&unknown).await;
    assert!(said.contains("not_found"), "{said}");
}

#[tokio::test]
async fn a_plugin_is_switched_on_with_what_it_asks_for_and_off() {
    let server = shared().await;
    let admin = server.admin();
    let project = admin.project().await;
    let which = ["files", "--project", &project.slug];
    let enable = [&["plugin", "enable"][..], &which].concat();
    // There is nobody to ask.
    let said = server.failing_command(&enable).await;
    assert!(
        said.contains("blob") && said.contains("--yes"),
        "it does not say what is asked for and how to give it: {said}"
    );
    project.get("/files").await.expect_problem(404);
    let yes = [&enable[..], &["--yes"]].concat();
    let said = server.command(&yes).await;
    assert!(said.contains("files is enabled"), "{said}");
    let _ = project.get("/files").await.expect(200);
    let disable = [&["plugin", "disable"][..], &which].concat();
    let said = server.command(&disable).await;
    assert!(said.contains("files is disabled"), "{said}");
    project.get("/files").await.expect_problem(404);
    // What it was given once it keeps, and is asked for no more.
    let said = server.command(&enable).await;
    assert!(said.contains("files is enabled"), "{said}");
    assert!(!said.contains("asks for more"), "{said}");
    let _ = project.get("/files").await.expect(200);
    let unknown = ["plugin", "disable", "nothing", "-p", &project.slug];
    let said = server.failing_command(&unknown).await;
    assert!(said.contains("nothing"), "{said}");
}

#[tokio::test]
async fn a_line_that_is_written_later_arrives_at_whoever_follows() {
    let server = shared().await;
    let admin = server.admin();
    let _ = admin.upload(fixture("misbehave"), None).await;
    let project = admin.project_with(&["misbehave"]).await;
    let follow = [
        "plugin",
        "logs",
        "misbehave",
        "--project",
        &project.slug,
        "--follow",
    ];
    let mut log = server.start_command(&follow);
    for number in 0..3 {
        let word = unique("said");
        let _ = project
            .get(&format!("/misbehave/says?text={word}"))
            .await
            .expect_success();
        let line = log.line_with(&word).await;
        assert!(line.contains("info"), "line {number}: {line}");
    }
    // Without following it ends by itself, the oldest line first.
    let (follow, _) = follow.split_at(follow.len() - 1);
    let said = server.command(follow).await;
    let lines = said.lines().filter(|line| line.contains("said-")).count();
    assert_eq!(lines, 3, "{said}");
    let path = format!("/admin/v1/projects/{}/plugins/misbehave", project.slug);
    let _ = admin.delete(&path).await.expect_success();
    let (code, said) = log.ended().await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("the plugin was removed"), "{said}");
    let typo = ["plugin", "logs", "misbehaves", "-p", &project.slug, "-f"];
    let said = server.failing_command(&typo).await;
    assert!(said.contains("misbehaves"), "{said}");
}

/// Runs the test that a new plugin comes with, with the versions that the
/// built-in plugins have: nothing is fetched.
async fn passes_its_own_test(source: &str) {
    let versions = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/Cargo.lock");
    std::fs::copy(versions, format!("{source}/Cargo.lock")).expect("copy the versions");
    let output = tokio::process::Command::new("cargo")
        .args(["test", "--offline", "--lib"])
        .current_dir(source)
        .output()
        .await
        .expect("run cargo");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("tests::it_counts_by_name ... ok"), "{said}");
}

#[tokio::test]
async fn keys_are_listed_replaced_and_revoked() {
    let server = shared().await;
    let project = server.admin().project_with(&["hello"]).await;
    let keys = ["project", "keys", &project.slug];
    let run = async |more: &[&str]| server.command(&[&keys[..], more].concat()).await;
    let made = run(&["--create", "secret", "--name", "of the shell"]).await;
    let key = made.lines().find(|line| line.starts_with("ahs_")).unwrap();
    let list = run(&[]).await;
    assert!(!list.contains(key), "the list shows a key: {list}");
    let line = list.lines().find(|line| line.contains("of the shell"));
    let id = line.unwrap().split_whitespace().next().unwrap().to_owned();
    assert!(made.contains(&id), "{made}");
    let _ = project.with_key(key).get("/hello").await.expect(200);

    let replaced = run(&["--rotate", &id, "--overlap", "3600"]).await;
    let next = replaced.lines().find(|line| line.starts_with("ahs_"));
    let next = next.unwrap();
    assert_ne!(next, key);
    for both in [key, next] {
        let _ = project.with_key(both).get("/hello").await.expect(200);
    }
    let list = run(&[]).await;
    assert!(list.contains("replaced, valid until "), "{list}");
    let id = replaced.split("(id ").nth(1).unwrap();
    let id = id.split(')').next().unwrap().to_owned();
    let last = run(&["--rotate", &id]).await;
    let last = last.lines().find(|line| line.starts_with("ahs_")).unwrap();
    project
        .with_key(next)
        .get("/hello")
        .await
        .expect_problem(401);
    let _ = project.with_key(last).get("/hello").await.expect(200);

    let list = run(&[]).await;
    let own = list.lines().filter(|line| line.contains("of the shell"));
    let ends = |line: &&str| line.contains("revoked") || line.contains("replaced");
    let own: Vec<&str> = own.filter(|line| !ends(line)).collect();
    assert_eq!(own.len(), 1, "{list}");
    let id = own[0].split_whitespace().next().unwrap().to_owned();
    let said = run(&["--revoke", &id]).await;
    assert_eq!(said.trim(), format!("revoked {id}"));
    project
        .with_key(last)
        .get("/hello")
        .await
        .expect_problem(401);
    let again = [&keys[..], &["--rotate", &id]].concat();
    let said = server.failing_command(&again).await;
    assert!(said.contains("key"), "{said}");
}
