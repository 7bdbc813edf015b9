//! What other plugins follow by: files that are told of again, files that go
//! for good with others, and what of others a user may read.

use super::drive::{
    self, call, delete, folder, host, id, ok, post, read, upload, upload_into, user,
};
use crate::subscriptions;
use atlashub_sdk::{identity::CallerKind, prelude::*, testing::TestHost};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Hands the plugin its own events until there are no more; answers those
/// that tell others something, from the `from`th on.
fn settle(host: &TestHost, from: usize) -> Vec<Event> {
    let mut at = from;
    host.set_caller(Caller::new(CallerKind::Plugin, "files"));
    while let Some(event) = host.events().get(at).cloned() {
        at += 1;
        let is_own = ["retelling", "folder_trashed", "folder_restored"]
            .iter()
            .any(|name| event.name == format!("files.{name}"));
        if is_own {
            host.deliver(&subscriptions(), event).unwrap();
        }
    }
    host.set_caller(user("u1"));
    host.events().split_off(from)
}

/// The files that were told of again.
fn retold(events: &[Event]) -> Vec<String> {
    let events = events.iter().filter(|event| event.name == "files.retold");
    events
        .flat_map(|event| {
            let told: Value = event.json().unwrap();
            let ids = told["ids"].as_array().unwrap().clone();
            assert!(ids.len() <= 20);
            ids.into_iter().map(|id| id.as_str().unwrap().to_owned())
        })
        .collect()
}

/// The files or folders of the events of this name.
fn named(events: &[Event], name: &str) -> BTreeSet<String> {
    let events = events.iter().filter(|event| event.name == name);
    events
        .map(|event| id(&event.json::<Value>().unwrap()))
        .collect()
}

fn as_plugin(of: &str) -> Caller {
    Caller {
        via_plugin: Some("search".into()),
        ..user(of)
    }
}

#[test]
fn all_files_are_told_of_again_in_few_steps_one_after_the_other() {
    let host = host();
    let mut known = BTreeSet::new();
    for at in 0..2_345 {
        let id = format!("00000000-0000-7000-8000-{at:012}");
        sql::execute(
            "INSERT INTO files.objects (id, object_key, owner, path, filename, size, mime_type, sha256, \
             version, visibility, tags, created_at, updated_at) \
             VALUES ($1, $1, 'u2', $1, $1, 1, 'text/plain', $1, 1, 'private', '[]', 1, 1)",
            params![&id],
        )
        .unwrap();
        known.insert(id);
    }
    assert_eq!(post("/retell", json!({})).status().as_u16(), 404);
    host.set_caller(as_plugin("u1"));
    assert_eq!(post("/retell", json!({})).status().as_u16(), 202);
    let events = settle(&host, 0);
    let told = retold(&events);
    assert_eq!(told.len(), 2_345);
    assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), known);
    // The call, and the parts of what the first step left.
    let steps = events
        .iter()
        .filter(|event| event.name == "files.retelling");
    assert_eq!(steps.count(), 9);
}

#[test]
fn a_plugin_has_some_files_told_of_again() {
    let host = host();
    host.set_caller(as_plugin("u1"));
    let file = "00000000-0000-7000-8000-000000000001";
    assert_eq!(
        post("/retell", json!({"ids": [file]})).status().as_u16(),
        202
    );
    assert_eq!(retold(&host.events()), [file]);
    for ids in [json!(["x"]), json!(vec![file; 101])] {
        assert_eq!(
            post("/retell", json!({ "ids": ids })).status().as_u16(),
            422
        );
    }
}

#[test]
fn what_lies_in_a_folder_is_told_of_again_when_it_goes_and_comes_back() {
    let host = host();
    let outer = folder("outer", None);
    let inner = folder("inner", Some(&outer));
    let _ = folder("outer2", None);
    let mut within = vec![
        id(&ok(upload_into(&outer, "a.txt", b"a"))),
        id(&ok(upload_into(&inner, "b.txt", b"b"))),
    ];
    let _ = upload("outer2/c.txt", b"c");
    within.sort();
    for (what, seen) in [("", 404), ("/restore", 200)] {
        let from = host.events().len();
        let done = match what {
            "" => delete(format!("/folders/{outer}")),
            _ => call(Request::post(format!("/folders/{outer}{what}"), "")),
        };
        assert!(done.status().is_success());
        let mut told = retold(&settle(&host, from));
        told.sort();
        assert_eq!(told, within, "{what}");
        let one = format!("/files/{}", within[0]);
        assert_eq!(call(Request::get(one)).status().as_u16(), seen);
    }
}

#[test]
fn every_file_that_goes_for_good_is_told_of_wherever_it_goes() {
    let host = host();
    let outer = folder("outer", None);
    let inner = folder("inner", Some(&outer));
    let within: BTreeSet<String> = (0..120)
        .map(|at| {
            let name = format!("{at}.txt");
            id(&ok(upload_into(&inner, &name, name.as_bytes())))
        })
        .collect();
    let from = host.events().len();
    let gone = delete(format!("/folders/{outer}?permanent=1"));
    assert!(gone.status().is_success());
    let events = host.events().split_off(from);
    assert_eq!(named(&events, "files.deleted"), within);
    let folders = BTreeSet::from([outer, inner]);
    assert_eq!(named(&events, "files.folder_deleted"), folders);
}

#[test]
fn a_file_that_lay_in_the_trash_too_long_is_told_of() {
    let host = host().with_config("trash_days", 0);
    let file = id(&upload("old.txt", b"old"));
    assert!(delete(format!("/files/{file}")).status().is_success());
    host.set_permissions(["files:read", "files:maintain"]);
    let _ = ok(call(Request::post("/files/sweep", "")));
    let deleted = named(&host.events(), "files.deleted");
    assert_eq!(deleted, BTreeSet::from([file]));
}

#[test]
fn whoever_shares_a_folder_lets_others_read_what_lies_in_it() {
    let host = host();
    let outer = folder("outer", None);
    let inner = folder("inner", Some(&outer));
    let own = folder("own", None);
    let deep = id(&ok(upload_into(&inner, "deep.txt", b"deep")));
    let single = id(&ok(upload_into(&own, "single.txt", b"single")));
    let _ = upload("own/hidden.txt", b"hidden");
    for path in [format!("/folders/{outer}"), format!("/files/{single}")] {
        let grant = json!({"user": "u2", "role": "viewer"});
        let _ = ok(post(format!("{path}/permissions"), grant));
    }
    host.set_caller(user("u2"));
    let listed = drive::each("/files/shared-with-me?inside=true", "id");
    assert_eq!(
        BTreeSet::from_iter(listed),
        BTreeSet::from([deep.clone(), single.clone()])
    );
    let first = read("/files/shared-with-me?inside=true&limit=1");
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = read(format!(
        "/files/shared-with-me?inside=true&limit=1&cursor={cursor}"
    ));
    assert_ne!(rest["items"][0]["id"], first["items"][0]["id"]);
    assert_eq!(rest["next_cursor"], Value::Null);
    assert_eq!(
        drive::each("/files/shared-with-me", "id"),
        std::slice::from_ref(&single)
    );

    assert_eq!(call(Request::get("/readable")).status().as_u16(), 404);
    host.set_caller(as_plugin("u2"));
    let mut folders = vec![outer.clone(), inner.clone()];
    folders.sort();
    let readable = read("/readable");
    assert_eq!(readable["folders"], json!(folders));
    assert_eq!(readable["files"], json!([single]));
    host.set_caller(user("u1"));
    assert!(delete(format!("/folders/{outer}")).status().is_success());
    host.set_caller(as_plugin("u2"));
    assert_eq!(read("/readable")["folders"], json!([]));
    assert_eq!(
        drive::each("/files/shared-with-me?inside=true", "id"),
        [single]
    );
    host.set_caller(as_plugin("u3"));
    assert_eq!(read("/readable")["files"], json!([]));
}
