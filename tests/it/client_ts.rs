//! `sdk/client-ts`, as an application uses it.

use atlashub_tests::{node_tests, shared};
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
