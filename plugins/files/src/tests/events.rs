//! What the plugin tells other plugins.

use crate::routes;
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
    let mut told = host.events();
    told.retain(|event| event.name != "files.due");
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
    let manifest = include_str!("../../plugin.toml");
    let source = include_str!("../happened.rs");
    let events = source.split_once("fn event(").unwrap().1;
    let events = events.split_once("})").unwrap().0;
    let names: Vec<&str> = events.split('"').skip(1).step_by(2).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        let declared = format!("[[events]]\nname = \"{name}\"\n");
        assert!(manifest.contains(&declared), "{name} is not declared");
    }
}

/// What people are to be told: kind, whom, title.
fn notices(host: &TestHost) -> Vec<(String, Value, String)> {
    let all = host.events().into_iter();
    all.filter(|event| event.name == "files.notice")
        .map(|event| {
            let notice: Value = event.json().unwrap();
            let text = |name: &str| notice[name].as_str().unwrap().to_owned();
            (text("kind"), notice["user_ids"].clone(), text("title"))
        })
        .collect()
}

#[test]
fn those_whom_it_concerns_are_told_and_nobody_of_what_they_did() {
    let user = |id: &str| atlashub_sdk::users::User {
        id: id.to_owned(),
        email: Some(format!("{id}@example.com")),
        name: Some(id.to_uppercase()),
        ..Default::default()
    };
    let host = TestHost::new("files")
        .with_migrations(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .unwrap()
        .with_user(user("u1"))
        .with_user(user("u2"))
        .with_config("user_quota_bytes", "1000")
        .with_caller(Caller::new(CallerKind::User, "u1"))
        .with_permissions(["files:read", "files:write", "files:share"]);
    let post = |path: &str, body: Value| {
        let request =
            Request::post(path, body.to_string()).with_header("content-type", "application/json");
        let response = host.call(&routes(), request);
        assert!(response.status().is_success(), "{}", response.status());
        response.into_json::<Value>().unwrap()
    };
    let folder = post("/folders", serde_json::json!({"name": "plans"}));
    let id = folder["id"].as_str().unwrap();
    post(
        &format!("/folders/{id}/permissions"),
        serde_json::json!({"user": "u2", "role": "editor"}),
    );
    let put = |path: &str, bytes: usize| {
        let upload =
            Request::post("/files/upload", "x".repeat(bytes)).with_header("file-path", path);
        let response = host.call(&routes(), upload);
        assert!(response.status().is_success(), "{}", response.status());
    };
    put("alone.txt", 10);
    put("plans/a.txt", 10);
    put("b.txt", 900);
    put("c.txt", 10);
    let one = |id: &str| serde_json::json!([id]);
    assert_eq!(
        notices(&host),
        [
            (
                "file_shared".to_owned(),
                one("u2"),
                "U1 shared the folder plans with you".to_owned()
            ),
            (
                "file_added".to_owned(),
                one("u2"),
                "U1 added a.txt to a shared folder".to_owned()
            ),
            (
                "quota_near_end".to_owned(),
                one("u1"),
                "92 % of your storage is in use".to_owned()
            ),
        ]
    );
}

#[test]
fn who_takes_events_of_this_plugin_reads_files_and_changes_none() {
    let host = TestHost::new("files")
        .with_migrations(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .unwrap()
        .with_caller(Caller::new(CallerKind::User, "u1"))
        .with_permissions(["files:read", "files:write"]);
    let upload = Request::post("/files/upload", "text").with_header("file-path", "a.txt");
    let file: Value = host.call(&routes(), upload).into_json().unwrap();
    let path = format!("/files/{}", file["id"].as_str().unwrap());
    let status = |caller: Caller, method: Method| {
        host.set_caller(caller);
        host.call(&routes(), Request::new(method, path.clone()))
            .status()
            .as_u16()
    };
    let as_plugin = |name: &str, via: Option<&str>| {
        let mut caller = Caller::new(CallerKind::Plugin, name);
        caller.via_plugin = via.map(str::to_owned);
        caller
    };
    assert_eq!(status(as_plugin("files", Some("search")), Method::GET), 200);
    assert_eq!(
        status(as_plugin("files", Some("search")), Method::DELETE),
        404
    );
    assert_eq!(status(as_plugin("files", None), Method::GET), 404);
    assert_eq!(
        status(as_plugin("announcer", Some("search")), Method::GET),
        404
    );
}

#[test]
fn a_job_works_with_all_files_if_an_admin_lets_its_plugin() {
    let host = TestHost::new("files")
        .with_migrations(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .unwrap()
        .with_caller(Caller::new(CallerKind::User, "u1"))
        .with_permissions(["files:read", "files:write"]);
    let upload = Request::post("/files/upload", "text").with_header("file-path", "a.txt");
    let file: Value = host.call(&routes(), upload).into_json().unwrap();
    let path = format!("/files/{}", file["id"].as_str().unwrap());
    let in_a_job = |plugin: Option<&str>| {
        host.set_caller(Caller {
            kind: CallerKind::Scheduler,
            id: None,
            roles: Vec::new(),
            via_plugin: plugin.map(str::to_owned),
        });
        let seen = host.call(&routes(), Request::get(path.clone()));
        let store = Request::post("/files/upload", "more").with_header("file-path", "b.txt");
        let stored = host.call(&routes(), store);
        (seen.status().as_u16(), stored.status().as_u16())
    };
    assert_eq!(in_a_job(Some("transfer")), (200, 201));
    assert_eq!(in_a_job(Some("other")), (401, 401));
    assert_eq!(in_a_job(None), (401, 401));
}
