//! `@supabase/postgrest-js`, as npm has it, against `/rest/v1`.

use crate::db;
use atlashub_tests::shared;
use serde_json::json;
use std::path::Path;
use tokio::process::Command;

#[tokio::test]
async fn the_client_from_npm_works_unchanged() {
    let folder = std::env::var("ATLASHUB_TEST_POSTGREST")
        .expect("ATLASHUB_TEST_POSTGREST is not set: `cargo xtask test` sets it");
    let project = db::project().await;
    let allowed = json!({"config": {"aggregates": true}});
    let admin = shared().await.admin();
    let _ = admin.install(&project, "db", allowed).await.expect(200);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("javascript/postgrest/client.mjs");
    let address = format!("/p/{}/rest/v1", project.slug);
    let output = Command::new("node")
        .arg("--test")
        .arg(script)
        .env("ATLASHUB_TEST_POSTGREST", folder)
        .env("ATLASHUB_TEST_URL", shared().await.url(&address))
        .env("ATLASHUB_TEST_SECRET", &project.secret)
        .env("ATLASHUB_TEST_PUBLISHABLE", &project.publishable)
        .output()
        .await
        .expect("Node is there");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
