//! What is said of a lock to whom it keeps out, with a stand-in for `files`
//! that knows where something lies.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed test may panic"
)]

use crate::routes;
use atlashub_sdk::{identity::CallerKind, prelude::*, testing::TestHost};
use serde_json::json;

const LOCK: &str = "<lockinfo xmlns='DAV:'><lockscope><exclusive/></lockscope>\
    <locktype><write/></locktype></lockinfo>";

/// A drive with a folder `docs`, and a file in it.
fn host() -> TestHost {
    let times = json!({"created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z"});
    TestHost::new("webdav")
        .with_migrations(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .unwrap()
        .with_caller(Caller::new(CallerKind::User, "u1"))
        .with_permissions(["files:read", "files:write", "files:delete"])
        .with_service("files.internal", move |request| {
            let (kind, path) = match request.target() {
                "/files/at?path=" => return Json(json!({"kind": "folder"})).into_response(),
                "/files/at?path=docs" => ("folder", "docs"),
                "/files/at?path=docs%2Fa%20b%2Etxt" => ("file", "docs/a b.txt"),
                "/files/at?path=docs%2Fnew" => return Error::not_found("file").into_response(),
                other => panic!("`files` was asked for {other}"),
            };
            let mut node = times.clone();
            node["id"] = json!(path);
            node["path"] = json!(path);
            if kind == "file" {
                node["filename"] = json!("a b.txt");
                node["mime_type"] = json!("text/plain");
                node["etag"] = json!("\"0\"");
            }
            Json(json!({"kind": kind, kind: node})).into_response()
        })
}

fn call(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let request = Request::new(method, path).with_body(body.as_bytes().to_vec());
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.with_header(name, *value)
    });
    routes().call(request)
}

/// The condition and the address in a refusal.
fn unmet(response: Response) -> (u16, String, String) {
    let status = response.status().as_u16();
    assert_eq!(
        response.header("content-type"),
        Some("application/xml; charset=utf-8")
    );
    let text = response.into_text().unwrap();
    let inner = text
        .strip_prefix("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:error xmlns:D=\"DAV:\"><D:")
        .and_then(|text| text.strip_suffix("></D:error>"))
        .unwrap();
    let (condition, rest) = inner.split_once("><D:href>").unwrap();
    let (href, end) = rest.split_once("</D:href></D:").unwrap();
    assert_eq!(condition, end);
    (status, condition.to_owned(), href.to_owned())
}

fn locked(condition: &str, href: &str) -> (u16, String, String) {
    (423, condition.to_owned(), href.to_owned())
}

#[test]
fn who_is_kept_out_learns_of_the_token_that_is_missing() {
    let _host = host();
    let at = "/dav/docs/a%20b.txt";
    let lock = call("LOCK", at, &[], LOCK);
    assert_eq!(lock.status().as_u16(), 200);
    let to = &[("destination", "/dav/docs/new")];
    for (method, headers) in [
        ("PUT", &[][..]),
        ("DELETE", &[]),
        ("MOVE", to),
        ("PROPPATCH", &[]),
    ] {
        let refused = unmet(call(method, at, headers, ""));
        assert_eq!(refused, locked("lock-token-submitted", at), "{method}");
    }
    // A folder with something locked in it does not go away either.
    let folder = unmet(call("DELETE", "/dav/docs/", &[], ""));
    assert_eq!(folder, locked("lock-token-submitted", at));
    // Under another prefix addresses are as the client has them.
    let seen = "/p/demo/dav/docs/a%20b.txt";
    let refused = unmet(call("PUT", at, &[("x-forwarded-path", seen)], ""));
    assert_eq!(refused, locked("lock-token-submitted", seen));
}

#[test]
fn who_wants_a_lock_too_learns_which_is_in_the_way() {
    let _host = host();
    let lock = call("LOCK", "/dav/docs/", &[("depth", "infinity")], LOCK);
    let token = lock.header("lock-token").unwrap().to_owned();
    assert_eq!(lock.status().as_u16(), 200);
    let inside = unmet(call("LOCK", "/dav/docs/a%20b.txt", &[], LOCK));
    assert_eq!(inside, locked("no-conflicting-lock", "/dav/docs/"));
    let made = unmet(call("MKCOL", "/dav/docs/new", &[], ""));
    assert_eq!(made, locked("lock-token-submitted", "/dav/docs/"));
    // A lock that is over is not refreshed.
    let shown = format!("({token})");
    let again = call("LOCK", "/dav/docs/", &[("if", shown.as_str())], "");
    assert_eq!(again.status().as_u16(), 200);
    let ended = call(
        "UNLOCK",
        "/dav/docs/",
        &[("lock-token", token.as_str())],
        "",
    );
    assert_eq!(ended.status().as_u16(), 204);
    let over = call("LOCK", "/dav/docs/", &[("if", shown.as_str())], "");
    assert_eq!(over.status().as_u16(), 412);
}

#[test]
fn the_description_names_the_routes() {
    atlashub_sdk::testing::assert_described(&routes(), env!("CARGO_MANIFEST_DIR"));
}
