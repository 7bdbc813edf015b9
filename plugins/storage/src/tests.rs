//! The plugin's routes against a host in memory.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test may panic"
)]

use crate::routes;
use atlashub_sdk::{identity::CallerKind, prelude::*, testing::TestHost};
use serde_json::{Value, json};
use std::time::Duration;

/// What users may do with what is theirs.
const OWN: [&str; 3] = ["storage:read", "storage:write", "storage:delete"];

fn host() -> TestHost {
    TestHost::new("storage")
        .with_migrations(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .unwrap()
        .with_caller(server())
        .with_permissions(OWN)
}

fn server() -> Caller {
    Caller::new(CallerKind::SecretKey, "k1")
}

fn user(id: &str) -> Caller {
    Caller::new(CallerKind::User, id)
}

fn app() -> Caller {
    Caller::new(CallerKind::PublishableKey, "k2")
}

fn call(request: Request) -> (u16, Value) {
    let response = routes().call(request);
    let status = response.status().as_u16();
    let body = response.into_bytes().unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

fn send(method: Method, target: &str, body: &Value) -> (u16, Value) {
    call(Request::new(method, target).with_json(body).unwrap())
}

fn bucket(rules: &Value) {
    let (status, answer) = send(Method::POST, "/v1/storage/buckets", rules);
    assert_eq!(status, 201, "{answer}");
}

fn announce(bucket: &str, path: &str) -> (u16, Value) {
    let body = json!({"bucket": bucket, "path": path, "contentType": "text/plain", "maxSize": 100});
    send(Method::POST, "/v1/storage/signed-upload", &body)
}

/// The key that the newest announced upload is bound to.
fn newest_key() -> String {
    let keys: Vec<String> = sql::query(
        "SELECT object_key FROM storage.uploads ORDER BY object_key DESC LIMIT 1",
        params![],
    )
    .unwrap();
    keys[0].clone()
}

/// What the host does when a client uses its link.
fn arrive(key: &str, bytes: &[u8]) {
    atlashub_sdk::testing::arrive("private", key, bytes).unwrap();
}

fn upload(bucket: &str, path: &str, bytes: &[u8]) {
    let (status, answer) = announce(bucket, path);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["objectKey"], path);
    arrive(&newest_key(), bytes);
}

fn download(bucket: &str, path: &str) -> u16 {
    let target = format!("/v1/storage/signed-download?bucket={bucket}&objectKey={path}");
    call(Request::get(target)).0
}

fn listed(target: &str) -> Vec<(String, u64)> {
    let (status, page) = call(Request::get(target));
    assert_eq!(status, 200, "{page}");
    page["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|object| {
            (
                object["objectKey"].as_str().unwrap().to_owned(),
                object["size"].as_u64().unwrap(),
            )
        })
        .collect()
}

#[test]
fn an_upload_is_an_object_once_its_bytes_are_there() {
    let _host = host();
    bucket(&json!({"name": "docs"}));
    assert_eq!(announce("docs", "a/b.txt").0, 200);
    assert_eq!(download("docs", "a/b.txt"), 404);
    assert!(listed("/v1/storage/list?bucket=docs").is_empty());
    arrive(&newest_key(), b"hello");
    assert_eq!(download("docs", "a/b.txt"), 200);
    assert_eq!(
        listed("/v1/storage/list?bucket=docs&prefix=a/"),
        [("a/b.txt".to_owned(), 5)]
    );
    assert!(listed("/v1/storage/list?bucket=docs&prefix=b").is_empty());
    assert!(listed("/v1/storage/list?bucket=docs&prefix=A/").is_empty());
}

#[test]
fn a_new_object_takes_the_place_and_the_room_of_the_old() {
    let host = host();
    bucket(&json!({"name": "docs"}));
    upload("docs", "a", b"one");
    assert_eq!(download("docs", "a"), 200);
    upload("docs", "a", b"three");
    assert_eq!(
        listed("/v1/storage/list?bucket=docs"),
        [("a".to_owned(), 5)]
    );
    assert_eq!(host.objects("private").len(), 1);
    let target = "/v1/storage/object?bucket=docs&objectKey=a";
    assert_eq!(call(Request::new(Method::DELETE, target)).0, 204);
    assert_eq!(call(Request::new(Method::DELETE, target)).0, 404);
    assert!(host.objects("private").is_empty());
}

#[test]
fn rules_are_changed_of_what_was_seen() {
    let _host = host();
    bucket(&json!({"name": "pictures"}));
    let listed = call(Request::get("/v1/storage/buckets")).1;
    let of = |listed: &Value| listed["items"][0]["etag"].as_str().unwrap().to_owned();
    let first = of(&listed);
    let change = |etag: &str, rules: &Value| {
        let request = Request::new(Method::PATCH, "/v1/storage/buckets/pictures");
        let request = request.with_header("if-match", etag);
        call(request.with_json(rules).unwrap())
    };
    let (status, changed) = change(&first, &json!({"public": true}));
    assert_eq!(status, 200, "{changed}");
    assert_ne!(changed["etag"], first);
    let (status, refused) = change(&first, &json!({"maxObjectBytes": 5}));
    assert_eq!(
        (status, &refused["code"], &refused["etag"]),
        (412, &json!("precondition_failed"), &changed["etag"])
    );
    // Nothing of it has happened; without a condition it is made of what is there.
    let (status, changed) = send(
        Method::PATCH,
        "/v1/storage/buckets/pictures",
        &json!({"maxObjectBytes": 7}),
    );
    assert_eq!(status, 200);
    assert_eq!(
        (&changed["public"], &changed["maxObjectBytes"]),
        (&json!(true), &json!(7))
    );
    assert_eq!(
        of(&call(Request::get("/v1/storage/buckets")).1),
        changed["etag"]
    );
}

#[test]
fn the_rules_of_a_bucket_hold() {
    let host = host();
    bucket(&json!({
        "name": "pictures", "allowedTypes": ["image/*", "text/Plain"], "maxObjectBytes": 100,
    }));
    assert_eq!(announce("pictures", "a").0, 200);
    let ask = |kind: &str, size: u64| {
        let body = json!({"bucket": "pictures", "path": "a", "contentType": kind, "maxSize": size});
        let (status, answer) = send(Method::POST, "/v1/storage/signed-upload", &body);
        (status, answer["code"].as_str().unwrap_or("").to_owned())
    };
    assert_eq!(ask("image/png", 100).0, 200);
    assert_eq!(ask("image/svg+xml; charset=utf-8", 1).0, 200);
    assert_eq!(ask("video/mp4", 1), (415, "type_refused".to_owned()));
    assert_eq!(ask("image/png", 101), (413, "object_too_large".to_owned()));
    assert_eq!(ask("image/png", 0), (422, "invalid_body".to_owned()));
    assert_eq!(ask("png", 1), (422, "invalid_content_type".to_owned()));
    assert_eq!(announce("other", "a").1["code"], "bucket_not_found");
    assert_eq!(announce("pictures", "../a").1["code"], "invalid_path");
    host.set_caller(user("u1"));
    assert_eq!(announce("pictures", "a").0, 403);
    host.set_caller(Caller::default());
    assert_eq!(announce("pictures", "a").0, 401);
}

#[test]
fn the_bytes_that_come_are_looked_at() {
    let png: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    let host = host();
    let rules = json!({"name": "pictures", "allowedTypes": ["image/*"], "uploads": "users"});
    bucket(&rules);
    bucket(&json!({"name": "all"}));
    let send = |bucket: &str, kind: &str, bytes: &[u8]| {
        let body = json!({"bucket": bucket, "path": "a", "contentType": kind, "maxSize": 100});
        let (status, answer) = send(Method::POST, "/v1/storage/signed-upload", &body);
        if status == 200 {
            arrive(&newest_key(), bytes);
        }
        (status, answer)
    };
    let fetch = |bucket: &str| {
        let target = format!("/v1/storage/signed-download?bucket={bucket}&objectKey=a");
        let (status, answer) = call(Request::get(target.as_str()));
        (status, answer["code"].as_str().unwrap_or("").to_owned())
    };
    let refused = (415, "type_not_allowed".to_owned());
    // Said once; then it is as if nothing had come, and no bytes are left.
    assert_eq!(send("pictures", "image/png", b"<html><script>").0, 200);
    assert_eq!(fetch("pictures"), refused);
    assert_eq!(fetch("pictures").0, 404);
    assert!(host.objects("private").is_empty());
    assert!(
        host.audit()
            .iter()
            .any(|entry| entry.contains("object.refuse"))
    );
    // What lay there stays.
    assert_eq!(send("pictures", "image/png", png).0, 200);
    assert_eq!(fetch("pictures").0, 200);
    assert_eq!(send("pictures", "image/png", b"MZ\x90\0").0, 200);
    assert_eq!(fetch("pictures"), refused);
    assert_eq!(fetch("pictures").0, 200);
    // Only its sender, and who sees everything, hears of it.
    host.set_caller(user("u1"));
    let body = json!({"bucket": "pictures", "path": "b", "contentType": "image/png", "maxSize": 9});
    assert_eq!(announce_as(&body).0, 200);
    arrive(&newest_key(), b"words");
    host.set_caller(user("u2"));
    let target = "/v1/storage/signed-download?bucket=pictures&objectKey=b";
    assert_eq!(call(Request::get(target)).0, 404);
    host.set_caller(server());
    // Programs are taken nowhere, unless an admin says so.
    assert_eq!(send("all", "application/octet-stream", b"MZ\x90\0").0, 200);
    assert_eq!(fetch("all"), refused);
    assert_eq!(
        send("all", "application/wasm", b"").1["code"],
        "type_not_allowed"
    );
    assert!(listed("/v1/storage/list?bucket=all").is_empty());
    let _host = host.with_config("refused_types", json!(["image/*"]));
    assert_eq!(send("all", "application/octet-stream", b"MZ\x90\0").0, 200);
    assert_eq!(fetch("all").0, 200);
    assert_eq!(send("all", "text/plain", png).0, 200);
    assert_eq!(fetch("all"), refused);
}

fn announce_as(body: &Value) -> (u16, Value) {
    send(Method::POST, "/v1/storage/signed-upload", body)
}

#[test]
fn the_buckets_of_the_platform_are_there() {
    let host = host();
    let (status, page) = call(Request::get("/v1/storage/buckets"));
    assert_eq!(status, 200);
    let names = |list: &str| -> Vec<String> {
        let buckets = page[list].as_array().unwrap().iter();
        buckets
            .map(|bucket| bucket["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("items"), ["private", "uploads"]);
    assert_eq!(names("buckets"), names("items"));
    assert_eq!(page["next_cursor"], Value::Null);
    let made = page["items"][0]["createdAt"].as_str().unwrap();
    assert!(made.starts_with("20") && made.ends_with('Z'), "{made}");
    upload("private", "a", b"words");
    host.set_caller(user("u1"));
    assert_eq!(announce("private", "b").0, 403);
    upload("uploads", "b", b"words");
    assert_eq!(download("uploads", "b"), 200);
    assert_eq!(download("private", "a"), 404);
}

#[test]
fn users_have_their_own_objects_and_nobody_elses() {
    let host = host();
    bucket(&json!({"name": "homes", "uploads": "users"}));
    host.set_caller(user("u1"));
    upload("homes", "mine", b"1");
    assert_eq!(download("homes", "mine"), 200);
    host.set_caller(user("u2"));
    assert_eq!(download("homes", "mine"), 404);
    assert_eq!(announce("homes", "mine").1["code"], "path_taken");
    let target = "/v1/storage/object?bucket=homes&objectKey=mine";
    assert_eq!(call(Request::new(Method::DELETE, target)).0, 404);
    assert_eq!(call(Request::get("/v1/storage/list?bucket=homes")).0, 403);
    host.set_permissions([]);
    assert_eq!(announce("homes", "new").1["code"], "permission_needed");
    host.set_caller(app());
    assert_eq!(announce("homes", "new").0, 403);
    assert_eq!(download("homes", "mine"), 403);
    host.set_caller(user("u1"));
    host.set_permissions(["storage:delete"]);
    assert_eq!(call(Request::new(Method::DELETE, target)).0, 204);
}

#[test]
fn whose_bytes_come_first_keeps_the_path() {
    let host = host();
    bucket(&json!({"name": "drop", "uploads": "anyone"}));
    host.set_caller(app());
    assert_eq!(announce("drop", "a").0, 200);
    let first = newest_key();
    assert_eq!(announce("drop", "a").0, 200);
    let second = newest_key();
    assert_ne!(first, second);
    arrive(&second, b"second");
    host.set_caller(server());
    assert_eq!(
        listed("/v1/storage/list?bucket=drop"),
        [("a".to_owned(), 6)]
    );
    arrive(&first, b"first");
    assert_eq!(
        listed("/v1/storage/list?bucket=drop"),
        [("a".to_owned(), 6)]
    );
    assert_eq!(host.objects("private"), [second]);
    host.set_caller(app());
    assert_eq!(announce("drop", "a").1["code"], "path_taken");
}

#[test]
fn uploads_are_looked_after_though_nobody_calls() {
    let host = host();
    let due = |host: &TestHost| -> Vec<Event> {
        let events = host.events().into_iter();
        events.filter(|event| event.name == "storage.due").collect()
    };
    bucket(&json!({"name": "docs"}));
    for path in ["lost", "late"] {
        assert_eq!(announce("docs", path).0, 200);
    }
    arrive(&newest_key(), b"late");
    assert_eq!(due(&host).len(), 1);
    host.advance(Duration::from_secs(900 + 3_601));
    let event = due(&host).pop().unwrap();
    host.deliver(&crate::subscriptions(), event).unwrap();
    let left: Vec<String> = sql::query("SELECT path FROM storage.uploads", params![]).unwrap();
    assert!(left.is_empty());
    let objects: Vec<String> = sql::query("SELECT path FROM storage.objects", params![]).unwrap();
    assert_eq!(objects, ["late"]);
    // Nothing falls due any more.
    assert_eq!(due(&host).len(), 1);
    assert_eq!(announce("docs", "next").0, 200);
    assert_eq!(due(&host).len(), 2);
}

#[test]
fn an_upload_states_its_size_or_the_most_it_may_have() {
    let _host = host();
    bucket(&json!({"name": "docs", "maxObjectBytes": 100}));
    let body = |sizes: Value| {
        let mut body = json!({"bucket": "docs", "path": "a", "contentType": "text/plain"});
        let fields = body.as_object_mut().unwrap();
        fields.extend(sizes.as_object().unwrap().clone());
        announce_as(&body)
    };
    assert_eq!(body(json!({"size": 100})).0, 200);
    assert_eq!(body(json!({"size": 10, "maxSize": 10})).0, 200);
    assert_eq!(body(json!({"size": 101})).1["code"], "object_too_large");
    for wrong in [
        json!({}),
        json!({"size": 0}),
        json!({"size": 11, "maxSize": 10}),
    ] {
        assert_eq!(body(wrong).1["code"], "invalid_body");
    }
}

#[test]
fn what_never_arrives_is_forgotten() {
    let host = host();
    bucket(&json!({"name": "docs"}));
    assert_eq!(announce("docs", "lost").0, 200);
    let key = newest_key();
    assert_eq!(announce("docs", "late").0, 200);
    arrive(&newest_key(), b"late");
    let overdue = "UPDATE storage.uploads SET expires_at = expires_at - 2 * 3600 * 1000 - 900000";
    sql::execute(overdue, params![]).unwrap();
    assert_eq!(announce("docs", "next").0, 200);
    let left: Vec<String> = sql::query("SELECT path FROM storage.uploads", params![]).unwrap();
    assert_eq!(left, ["next"]);
    assert_eq!(
        listed("/v1/storage/list?bucket=docs"),
        [("late".to_owned(), 4)]
    );
    assert!(!host.objects("private").contains(&key));
}

#[test]
fn public_buckets_are_everybodys_to_read() {
    let host = host();
    bucket(&json!({"name": "site", "public": true}));
    upload("site", "css/a b.css", b"x");
    host.set_caller(Caller::default());
    let response = routes().call(Request::get("/v1/storage/public/site/css/a%20b.css"));
    assert_eq!(response.status().as_u16(), 302);
    assert!(response.header("location").is_some());
    for missing in ["site/other", "site/../x", "none/a"] {
        let target = format!("/v1/storage/public/{missing}");
        assert_eq!(call(Request::get(target)).0, 404, "{missing}");
    }
    host.set_caller(server());
    let rules = json!({"public": false});
    assert_eq!(
        send(Method::PATCH, "/v1/storage/buckets/site", &rules).0,
        200
    );
    host.set_caller(Caller::default());
    assert_eq!(
        call(Request::get("/v1/storage/public/site/css/a%20b.css")).0,
        404
    );
}

#[test]
fn lists_come_in_pages_in_the_order_of_bytes() {
    let _host = host();
    bucket(&json!({"name": "docs"}));
    for path in ["b", "a", "B", "a%x", "a_x", "ä"] {
        upload("docs", path, b"1");
        assert_eq!(download("docs", &path.replace('%', "%25")), 200);
    }
    let (_, first) = call(Request::get("/v1/storage/list?bucket=docs&limit=4"));
    let keys: Vec<&str> = first["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|object| object["objectKey"].as_str().unwrap())
        .collect();
    assert_eq!(keys, ["B", "a", "a%x", "a_x"]);
    assert_eq!(first["nextCursor"], "a_x");
    assert_eq!(listed("/v1/storage/list?bucket=docs&cursor=a_x").len(), 2);
    assert_eq!(
        listed("/v1/storage/list?bucket=docs&prefix=a_"),
        [("a_x".to_owned(), 1)]
    );
}

#[test]
fn a_bucket_goes_when_nothing_is_in_it() {
    let host = host();
    let rules = json!({"name": "docs"});
    bucket(&rules);
    let (status, answer) = send(Method::POST, "/v1/storage/buckets", &rules);
    assert_eq!((status, &answer["code"]), (409, &json!("bucket_exists")));
    assert_eq!(
        send(
            Method::POST,
            "/v1/storage/buckets",
            &json!({"name": "Docs"})
        )
        .0,
        422
    );
    upload("docs", "a", b"1");
    let delete = || call(Request::new(Method::DELETE, "/v1/storage/buckets/docs"));
    assert_eq!(delete().1["code"], "bucket_not_empty");
    let target = "/v1/storage/object?bucket=docs&objectKey=a";
    assert_eq!(call(Request::new(Method::DELETE, target)).0, 204);
    assert_eq!(delete().0, 204);
    assert_eq!(delete().0, 404);
    host.advance(Duration::from_secs(1));
    host.set_caller(Caller::new(CallerKind::Admin, "a1"));
    bucket(&rules);
    host.set_caller(app());
    assert_eq!(delete().0, 403);
    assert_eq!(
        host.audit()
            .iter()
            .filter(|entry| entry.contains("bucket."))
            .count(),
        3
    );
}

#[test]
fn the_description_names_the_routes() {
    atlashub_sdk::testing::assert_described(&routes(), env!("CARGO_MANIFEST_DIR"));
}
