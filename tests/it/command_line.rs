//! The command line, used as its help says.

use atlashub_tests::{shared, unique};
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
