//! What the plugin tells other plugins.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test may panic"
)]

use atlashub_plugin_files::routes;
use atlashub_sdk::{identity::CallerKind, prelude::*, testing::TestHost};
use serde_json::Value;

#[test]
fn what_happens_to_a_file_is_published_in_its_order() {
    let host = TestHost::new("files")
        .with_migrations(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .unwrap()
        .with_caller(Caller::new(CallerKind::User, "u1"))
        .with_permissions(["files:read", "files:write", "files:delete"]);
    let call = |request: Request| {
        let response = host.call(&routes(), request);
        assert!(response.status().is_success(), "{}", response.status());
        response
    };
    let upload = Request::post("/files/upload", "text").with_header("file-path", "a.txt");
    let file: Value = call(upload).into_json().unwrap();
    let id = file["id"].as_str().unwrap();
    call(Request::new(Method::DELETE, format!("/files/{id}")));
    call(Request::post(format!("/files/{id}/restore"), ""));
    call(Request::get(format!("/files/{id}/download")));
    call(Request::new(
        Method::DELETE,
        format!("/files/{id}?permanent=1"),
    ));
    let told = host.events();
    let names: Vec<&str> = told.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "files.uploaded",
            "files.trashed",
            "files.restored",
            "files.deleted"
        ]
    );
    for event in told {
        assert_eq!(event.key.as_deref(), Some(id));
        let payload: Value = event.json().unwrap();
        assert_eq!(
            (&payload["id"], &payload["actor_id"]),
            (&file["id"], &"u1".into())
        );
    }
}

#[test]
fn every_event_is_in_the_manifest() {
    let manifest = include_str!("../plugin.toml");
    let source = include_str!("../src/happened.rs");
    let events = source.split_once("fn event(").unwrap().1;
    let events = events.split_once("})").unwrap().0;
    let names: Vec<&str> = events.split('"').skip(1).step_by(2).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        let declared = format!("[[events]]\nname = \"{name}\"\n");
        assert!(manifest.contains(&declared), "{name} is not declared");
    }
}
