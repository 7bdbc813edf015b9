//! `@supabase/postgrest-js`, as npm has it, against `/rest/v1`.

use crate::db;
use atlashub_tests::{node_tests, shared};
use serde_json::json;

#[tokio::test]
async fn the_client_from_npm_works_unchanged() {
    let folder = std::env::var("ATLASHUB_TEST_POSTGREST")
        .expect("ATLASHUB_TEST_POSTGREST is not set: `cargo xtask test` sets it");
    let project = db::project().await;
    let allowed = json!({"config": {"aggregates": true}});
    let admin = shared().await.admin();
    let _ = admin.install(&project, "db", allowed).await.expect(200);
    let address = format!("/p/{}/rest/v1", project.slug);
    let variables = [
        ("ATLASHUB_TEST_POSTGREST", folder.into()),
        ("ATLASHUB_TEST_URL", (shared().await.url(&address)).into()),
        ("ATLASHUB_TEST_SECRET", (&project.secret).into()),
        ("ATLASHUB_TEST_PUBLISHABLE", (&project.publishable).into()),
    ];
    node_tests("postgrest/client.mjs", variables).await;
}
