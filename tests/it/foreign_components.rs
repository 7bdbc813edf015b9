//! Components that other tool chains made, without a manifest.

use atlashub_tests::{Reply, fixture, shared, unique};
use reqwest::Method;
use serde_json::json;
use std::{path::Path, process::Command};

#[tokio::test]
async fn a_wstd_component_without_a_manifest_answers() {
    let admin = shared().await.admin();
    let name = unique("wstd");
    let revision = admin
        .upload_named(fixture("wstd"), &name)
        .await
        .expect(201)
        .json();
    assert_eq!(
        (&revision["name"], &revision["grants"]),
        (&json!(name), &json!([]))
    );
    let project = admin.project_with(&[&name]).await;
    let path = format!("/{name}");
    assert_eq!(project.get(&path).await.expect(200).text(), "GET /");
    assert_eq!(
        project
            .get(&format!("{path}/slow"))
            .await
            .expect(200)
            .text(),
        "GET /slow"
    );
    assert_eq!(project.get(&format!("{path}/missing")).await.status, 404);
    let body = atlashub_tests::noise(300_000, 5);
    let echo = Reply::to(project.request(Method::POST, &path).body(body.clone()))
        .await
        .expect(200);
    assert_eq!(echo.body, body);
    let logs = format!("/admin/v1/projects/{}/plugins/{name}/logs", project.slug);
    atlashub_tests::until("what it printed", atlashub_tests::DEADLINE, || async {
        admin
            .get(&logs)
            .await
            .text()
            .contains("asked for /slow")
            .then_some(())
    })
    .await;
}

const JAVASCRIPT: &str = "addEventListener('fetch', (event) => event.respondWith((async () => {
  const body = event.request.method === 'POST' ? await event.request.text() : '';
  const path = new URL(event.request.url).pathname;
  return new Response(`JavaScript at ${path} ${body.toUpperCase()}`, { status: 201 });
})()));
";

const WORLD: &str = "package test:javascript;
world plugin {
  export wasi:http/incoming-handler@0.2.10;
}
";

/// Makes a component out of [`JAVASCRIPT`] with componentize-js, whose engine
/// exports an older patch of the standard interfaces than ours.
fn componentize(folder: &Path) -> Vec<u8> {
    let tool = std::env::var("ATLASHUB_TEST_JAVASCRIPT")
        .expect("ATLASHUB_TEST_JAVASCRIPT is not set: `cargo xtask test` sets it");
    let standard = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/deps");
    let deps = folder.join("wit/deps");
    std::fs::create_dir_all(&deps).unwrap();
    for entry in std::fs::read_dir(standard).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("wasi-") {
            let text = std::fs::read_to_string(&path)
                .unwrap()
                .replace("0.2.12", "0.2.10");
            std::fs::write(deps.join(name), text).unwrap();
        }
    }
    std::fs::write(folder.join("wit/world.wit"), WORLD).unwrap();
    std::fs::write(folder.join("plugin.js"), JAVASCRIPT).unwrap();
    let output = Command::new(Path::new(&tool).join("node_modules/.bin/componentize-js"))
        .args([
            "plugin.js",
            "--wit",
            "wit",
            "--world-name",
            "plugin",
            "--out",
            "plugin.wasm",
        ])
        .current_dir(folder)
        .output()
        .expect("run componentize-js");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    std::fs::read(folder.join("plugin.wasm")).unwrap()
}

#[tokio::test]
async fn a_javascript_component_without_a_manifest_answers() {
    let folder = tempfile::tempdir().unwrap();
    let component = componentize(folder.path());
    let admin = shared().await.admin();
    let name = unique("js");
    let _ = admin.upload_named(component, &name).await.expect(201);
    let project = admin.project_with(&[&name]).await;
    let path = format!("/{name}/x");
    assert_eq!(
        project.get(&path).await.expect(201).text(),
        "JavaScript at /x "
    );
    let reply = Reply::to(project.request(Method::POST, &path).body("said"))
        .await
        .expect(201);
    assert_eq!(reply.text(), "JavaScript at /x SAID");
}
