//! `sdk/client-ts`, as an application uses it.

use crate::oauth::Place;
use atlashub_tests::{TestServer, node_tests, shared};
use serde_json::json;

#[tokio::test]
async fn an_application_works_with_the_typed_client() {
    let client = std::env::var("ATLASHUB_TEST_CLIENT")
        .expect("ATLASHUB_TEST_CLIENT is not set: `cargo xtask test` sets it");
    let server = shared().await;
    let admin = server.admin();
    let project = admin.project_with(&["db", "files", "storage"]).await;
    let tables = format!("/admin/v1/projects/{}/tables", project.slug);
    let notes = json!({
        "name": "notes",
        "columns": [
            {"name": "id", "type": "uuid", "primary_key": true, "default": {"function": "uuid"}},
            {"name": "owner", "type": "uuid", "nullable": false},
            {"name": "text", "type": "text", "nullable": false},
        ],
    });
    let _ = admin.post(&tables, notes).await.expect(201);
    let own = json!({
        "actions": ["select", "insert", "update", "delete"],
        "roles": ["authenticated"],
        "using": {"owner": "owner"},
    });
    let _ = admin
        .put(&format!("{tables}/notes/policies/own"), own)
        .await
        .expect(201);
    let pictures = json!({"name": "pictures", "uploads": "users", "allowedTypes": ["image/*"]});
    let made = project.post("/v1/storage/buckets", pictures).await;
    let _ = made.expect(201);
    let variables = [
        ("ATLASHUB_TEST_CLIENT", client.into()),
        (
            "ATLASHUB_TEST_URL",
            (server.url(&format!("/p/{}", project.slug))).into(),
        ),
        ("ATLASHUB_TEST_PUBLISHABLE", (&project.publishable).into()),
    ];
    node_tests("client/app.mjs", variables).await;
}

#[tokio::test]
async fn a_user_looks_after_an_account_with_the_typed_client() {
    let client = std::env::var("ATLASHUB_TEST_CLIENT")
        .expect("ATLASHUB_TEST_CLIENT is not set: `cargo xtask test` sets it");
    // Mails land in a folder where no mail server is set.
    let server = TestServer::start().await;
    let place = Place::at(&server).await;
    let _provider = place.provider().await;
    let folder = tempfile::tempdir().expect("a folder");
    let picture = folder.path().join("picture.png");
    let image = crate::avatars::png(32, 24, [200, 30, 30]);
    std::fs::write(&picture, image).expect("write the picture");
    let variables = [
        ("ATLASHUB_TEST_CLIENT", client.into()),
        ("ATLASHUB_TEST_URL", (&place.base).into()),
        (
            "ATLASHUB_TEST_PUBLISHABLE",
            (&place.project.publishable).into(),
        ),
        (
            "ATLASHUB_TEST_OUTBOX",
            (server.folder().join("node-0/data/outbox")).into(),
        ),
        ("ATLASHUB_TEST_PICTURE", picture.into()),
    ];
    node_tests("client/account.mjs", variables).await;
}
