//! What this plugin does by itself, when something falls due.

use super::drive::{
    call, delete, each, folder, get, host, id, ok, patch, post, upload, upload_into, used, user,
};
use crate::subscriptions;
use atlashub_sdk::{identity::CallerKind, prelude::*, testing::TestHost};
use serde_json::{Value, json};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Events of that name.
fn named(host: &TestHost, name: &str) -> Vec<Event> {
    let events = host.events().into_iter();
    events.filter(|event| event.name == name).collect()
}

/// Lets time go by and hands the plugin what falls due then.
fn after(host: &TestHost, time: Duration) {
    host.advance(time);
    let due = named(host, "files.due").pop().unwrap();
    host.set_caller(Caller::new(CallerKind::Plugin, "files"));
    host.deliver(&subscriptions(), due).unwrap();
    host.set_caller(user("u1"));
}

fn untold() -> i64 {
    sql::query_one("SELECT COUNT(*) FROM files.untold", Vec::new()).unwrap()
}

#[test]
fn what_expires_goes_though_nobody_calls() {
    let host = host();
    assert!(named(&host, "files.due").is_empty());
    let file = upload("a.txt", b"words");
    assert!(
        delete(format!("/files/{}", id(&file)))
            .status()
            .is_success()
    );
    let link = json!({"filename": "b", "size": 9, "content_type": "text/plain"});
    let _ = ok(post("/files/upload-url", link));
    assert_eq!(used(), 14);
    after(&host, Duration::from_secs(60));
    assert_eq!(used(), 14);
    // Announced and never sent.
    after(&host, DAY);
    assert_eq!(used(), 5);
    after(&host, DAY * 30);
    assert_eq!((used(), host.objects("private").len()), (0, 0));
    let deleted = named(&host, "files.deleted");
    assert_eq!(deleted.len(), 1);
    // Only what was done is left to forget.
    let before = named(&host, "files.due").len();
    after(&host, DAY * 180);
    assert_eq!(named(&host, "files.due").len(), before);
}

#[test]
fn a_busy_project_is_looked_after_once_a_while() {
    let host = host();
    for n in 0..50 {
        let _ = upload(&format!("{n}.txt"), b"words");
    }
    assert!(named(&host, "files.due").len() <= 2);
    host.advance(Duration::from_secs(60));
    let _ = upload("later.txt", b"words");
    assert!(named(&host, "files.due").len() <= 3);
}

#[test]
fn what_was_told_is_not_told_again() {
    let host = host();
    let outer = folder("outer", None);
    let file = id(&ok(upload_into(&outer, "a.txt", b"one")));
    let at = format!("/files/{file}");
    let _ = ok(patch(at.as_str(), json!({"filename": "b.txt"})));
    let _ = ok(patch(format!("/folders/{outer}"), json!({"name": "other"})));
    assert!(delete(at.as_str()).status().is_success());
    let _ = ok(post(format!("{at}/restore"), json!({})));
    assert!(delete(format!("/folders/{outer}")).status().is_success());
    let _ = ok(post(format!("/folders/{outer}/restore"), json!({})));
    let moved = json!({"from": "other/b.txt", "to": "c.txt"});
    let _ = ok(post("/files/move", moved));
    assert_eq!(untold(), 0);
    after(&host, Duration::from_secs(60));
    assert!(named(&host, "files.retold").is_empty());
}

#[test]
fn what_a_kill_left_untold_is_told_later() {
    let host = host();
    let outer = folder("outer", None);
    let file = upload("a.txt", b"words");
    // As after a kill between the change and its event.
    let note = "INSERT INTO files.untold (id, subject, is_folder) VALUES ($1, $2, $3)";
    sql::execute(note, params!["1", id(&file), false]).unwrap();
    sql::execute(note, params!["2", &outer, true]).unwrap();
    after(&host, Duration::from_secs(60));
    let retold: Value = named(&host, "files.retold")[0].json().unwrap();
    assert_eq!(retold["ids"], json!([id(&file)]));
    let within: Value = named(&host, "files.retelling")[0].json().unwrap();
    assert_eq!(within["folder"], json!(outer));
    assert_eq!(named(&host, "files.folder_changed").len(), 1);
    assert_eq!(untold(), 0);
}

#[test]
fn a_new_picture_is_made_small_in_the_background() {
    let host = host().with_service("images.internal", |_| {
        Response::new(StatusCode::OK)
            .with_header("content-type", "image/png")
            .with_body(b"small".to_vec())
    });
    let _ = upload("a.txt", b"words");
    assert!(named(&host, "files.picture").is_empty());
    let file = upload("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    let picture = named(&host, "files.picture").pop().unwrap();
    let before = host.objects("private").len();
    host.deliver(&subscriptions(), picture.clone()).unwrap();
    host.deliver(&subscriptions(), picture.clone()).unwrap();
    assert_eq!(host.objects("private").len(), before + 1);
    let made = get(format!("/files/{}/thumbnail", id(&file)));
    assert_eq!(made.into_bytes().unwrap(), b"small");
    // It was deleted meanwhile.
    let gone = delete(format!("/files/{}?permanent=1", id(&file)));
    assert!(gone.status().is_success());
    host.deliver(&subscriptions(), picture).unwrap();
    assert_eq!(host.objects("private").len(), 1);
}

#[test]
fn former_versions_go_when_they_are_old() {
    let host = host();
    let file = id(&upload("a.txt", b"1"));
    let put = |bytes: &[u8]| {
        let at = format!("/files/{file}/content");
        let request = Request::new(Method::PUT, at).with_body(bytes.to_vec());
        let _ = ok(call(request));
    };
    put(b"22");
    host.advance(DAY * 20);
    put(b"333");
    let versions = || each(format!("/files/{file}/versions"), "sha256").len();
    assert_eq!((versions(), used()), (3, 6));
    after(&host, DAY * 11);
    assert_eq!((versions(), used()), (2, 5));
    after(&host, DAY * 20);
    assert_eq!((versions(), used()), (1, 3));
    assert_eq!(host.objects("private").len(), 1);
}

#[test]
fn a_link_that_was_to_end_ends() {
    let host = host();
    let file = id(&upload("a.txt", b"words"));
    let end = moment::rfc3339(moment::now_ms() + 3_600_000);
    let link = post(format!("/files/{file}/share"), json!({"expires_at": end}));
    let token = ok(link)["token"].as_str().unwrap().to_owned();
    let download = || get(format!("/share/{token}/download")).status().as_u16();
    host.set_caller(Caller::default());
    assert_eq!(download(), 200);
    host.advance(Duration::from_secs(3_601));
    assert!([404, 410].contains(&download()));
    assert!([404, 410].contains(&get(format!("/share/{token}")).status().as_u16()));
    // Its maker sees for a month that it has ended.
    let links = || sql::query_one::<i64>("SELECT COUNT(*) FROM files.shares", Vec::new()).unwrap();
    host.set_caller(user("u1"));
    after(&host, DAY * 29);
    assert_eq!(links(), 1);
    after(&host, DAY * 2);
    assert_eq!(links(), 0);
}

#[test]
fn what_happened_to_a_folder_is_told_to_its_owner() {
    let host = host();
    let plans = folder("plans", None);
    let at = format!("/folders/{plans}");
    let _ = ok(patch(at.as_str(), json!({"name": "done"})));
    assert!(delete(at.as_str()).status().is_success());
    let actions = || each(format!("{at}/activity"), "action");
    assert_eq!(
        actions(),
        ["folder.trash", "folder.change", "folder.create"]
    );
    host.set_caller(user("u2"));
    assert_eq!(get(format!("{at}/activity")).status().as_u16(), 404);
}

#[test]
fn a_version_that_comes_back_may_bring_the_quota_near_its_end() {
    let host = host().with_config("user_quota_bytes", 100);
    let file = id(&upload("a.txt", &[b'x'; 45]));
    let at = format!("/files/{file}/content");
    let put = Request::new(Method::PUT, at).with_body(vec![b'y'; 5]);
    let _ = ok(call(put));
    assert!(named(&host, "files.notice").is_empty());
    let _ = ok(post(format!("/files/{file}/versions/1/restore"), json!({})));
    let notice: Value = named(&host, "files.notice")[0].json().unwrap();
    assert_eq!(notice["kind"], "quota_near_end");
}
