//! boto3, as PyPI has it, through signed links; on S3 it also reads with the
//! store's own keys what AtlasHub wrote there.

use atlashub_tests::{Engine, shared};
use serde_json::json;
use std::path::Path;
use tokio::process::Command;

#[tokio::test]
async fn boto3_uses_signed_links_and_finds_the_same_bytes_in_the_store() {
    let server = shared().await;
    let project = server.admin().project_with(&["storage", "files"]).await;
    let bucket = json!({"name": "films"});
    let _ = project
        .post("/v1/storage/buckets", bucket)
        .await
        .expect(201);
    let python = std::env::var_os("ATLASHUB_TEST_BOTO3")
        .expect("ATLASHUB_TEST_BOTO3 is not set: `cargo xtask test` sets it");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/signed_links.py");
    let output = Command::new(python)
        .arg("-B")
        .arg(script)
        .env("BASE", server.url(&format!("/p/{}", project.slug)))
        .env("KEY", &project.secret)
        .env("PROJECT", &project.id)
        .env(
            "ATLASHUB_TEST_ENGINE",
            match Engine::of_this_run() {
                Engine::Sqlite => "sqlite",
                Engine::Postgres => "postgres",
            },
        )
        .output()
        .await
        .expect("run Python");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
