//! `@supabase/auth-js`, as npm has it, against `/auth/v1`.

use crate::oauth::{APP, Place};
use atlashub_tests::{TestServer, node_tests};
use serde_json::json;

#[tokio::test]
async fn the_auth_client_from_npm_works_unchanged() {
    let folder = std::env::var("ATLASHUB_TEST_AUTH_JS")
        .expect("ATLASHUB_TEST_AUTH_JS is not set: `cargo xtask test` sets it");
    // Mails land in a folder where no mail server is set.
    let server = TestServer::start().await;
    let place = Place::at(&server).await;
    let _provider = place.provider().await;
    let admin = server.admin();
    let _ = admin
        .install(&place.project, "hello", json!({}))
        .await
        .expect(201);
    let strict = admin.project().await;
    let settings = format!("/admin/v1/projects/{}/auth", strict.slug);
    let body = json!({"require_verified_email": true, "redirect_urls": [APP]});
    let _ = admin.put(&settings, body).await.expect(200);
    let address = |slug: &str| server.url(&format!("/p/{slug}/auth/v1"));
    let variables = [
        ("ATLASHUB_TEST_AUTH_JS", folder.into()),
        ("ATLASHUB_TEST_URL", (address(&place.project.slug)).into()),
        ("ATLASHUB_TEST_SECRET", (&place.project.secret).into()),
        (
            "ATLASHUB_TEST_PUBLISHABLE",
            (&place.project.publishable).into(),
        ),
        ("ATLASHUB_TEST_STRICT_URL", (address(&strict.slug)).into()),
        (
            "ATLASHUB_TEST_STRICT_PUBLISHABLE",
            (&strict.publishable).into(),
        ),
        (
            "ATLASHUB_TEST_OUTBOX",
            (server.folder().join("node-0/data/outbox")).into(),
        ),
    ];
    node_tests("auth/client.mjs", variables).await;
}
