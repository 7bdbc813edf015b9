//! Uploads by a signed link.

use super::drive::*;
use atlashub_sdk::{Request, Response, testing::TestHost};
use serde_json::{Value, json};

fn announce(body: Value) -> Response {
    post("/files/upload-url", body)
}

fn announced(size: u64) -> Value {
    let body = json!({"filename": "a.txt", "size": size, "content_type": "text/plain"});
    ok(announce(body))
}

/// What the link would do.
fn arrive(link: &Value, bytes: &[u8]) -> Result<(), String> {
    atlashub_sdk::testing::arrive("private", link["object_key"].as_str().unwrap(), bytes)
}

fn confirm(link: &Value) -> Response {
    let id = link["file_id"].as_str().unwrap();
    call(Request::post(format!("/files/{id}/confirm"), ""))
}

fn objects(host: &TestHost) -> usize {
    host.objects("private").len()
}

#[test]
fn an_upload_by_link_is_a_file_once_it_is_confirmed() {
    let host = host();
    let link = announced(10);
    assert!(link["upload_url"].is_string());
    let at = format!("/files/{}", link["file_id"].as_str().unwrap());
    assert_eq!(used(), 10);
    assert_eq!(refused(confirm(&link)), (409, "not_uploaded".into()));
    assert_eq!(get(at.as_str()).status().as_u16(), 404);
    // Fewer bytes than were announced: the rest is given back.
    arrive(&link, b"words").unwrap();
    let file: Value = ok(confirm(&link));
    assert_eq!(file["id"], link["file_id"]);
    assert_eq!((&file["size"], used()), (&json!(5), 5));
    assert_eq!(file["sha256"], upload("same", b"words")["sha256"]);
    // What the link writes afterwards is not the file's.
    assert_eq!(arrive(&link, b"other").unwrap_err(), "link_used");
    assert_eq!(
        get(format!("{at}/download")).into_bytes().unwrap(),
        b"words"
    );
    let again: Value = ok(confirm(&link));
    assert_eq!(again["id"], file["id"]);
    assert_eq!(used(), 10);
    // Equal bytes are stored once.
    assert_eq!(objects(&host), 1);
}

#[test]
fn a_program_that_comes_by_link_is_refused() {
    let host = host();
    let link = announced(100);
    arrive(&link, b"MZ\x90\0\x03\0\0\0\x04").unwrap();
    assert_eq!(refused(confirm(&link)), (415, "type_refused".into()));
    assert_eq!((objects(&host), used()), (0, 0));
    let named = json!({"filename": "a", "size": 1, "content_type": "application/wasm"});
    assert_eq!(refused(announce(named)), (415, "type_refused".into()));
}

#[test]
fn what_was_never_confirmed_is_swept() {
    let host = host();
    let link = announced(10);
    arrive(&link, b"words").unwrap();
    atlashub_sdk::sql::execute("UPDATE files.uploads SET expires_at = 1", Vec::new()).unwrap();
    assert_eq!(refused(confirm(&link)).0, 404);
    host.set_permissions(["files:maintain"]);
    let _ = ok(call(Request::post("/files/sweep", "")));
    host.set_permissions(["files:read"]);
    assert_eq!((objects(&host), used()), (0, 0));
}

#[test]
fn a_link_is_its_senders_and_within_limits() {
    let host = host()
        .with_config("user_quota_bytes", 10)
        .with_config("max_file_bytes", 9);
    let large = json!({"filename": "a", "size": 10, "content_type": "text/plain"});
    assert_eq!(refused(announce(large)), (413, "object_too_large".into()));
    let link = announced(9);
    let more = json!({"filename": "a", "size": 2, "content_type": "text/plain"});
    assert_eq!(refused(announce(more)), (413, "quota_exceeded".into()));
    // Not an upload by TUS, and the other way round.
    let tus = format!("/files/tus/{}", link["file_id"].as_str().unwrap());
    assert_eq!(get(tus.as_str()).status().as_u16(), 404);
    arrive(&link, b"words").unwrap();
    host.set_caller(user("u2"));
    assert_eq!(refused(confirm(&link)).0, 404);
}
