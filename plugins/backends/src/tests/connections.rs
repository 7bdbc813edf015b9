//! Connections against a host in memory: what is checked, kept and shown, and
//! WebDAV and S3 against stand-ins that look at what they are sent.

use crate::{routes, work};
use atlashub_sdk::{identity::CallerKind, prelude::*, testing::TestHost, users::User};
use serde_json::{Value, json};

const PASSWORD: &str = "hunter2 äöü";
const LISTING: &str = r#"<d:multistatus xmlns:d="DAV:">
  <d:response><d:href>/dav/</d:href><d:propstat><d:prop><d:resourcetype><d:collection/></d:resourcetype></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>
  <d:response><d:href>/dav/b%20%C3%BC.txt</d:href><d:propstat><d:prop><d:resourcetype/><d:getcontentlength>5</d:getcontentlength></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>
  <d:response><d:href>/dav/a/</d:href><d:propstat><d:prop><d:resourcetype><d:collection/></d:resourcetype></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>
  <d:response><d:href>/elsewhere/c.txt</d:href></d:response>
  <d:response><d:href>/dav/..</d:href></d:response>
</d:multistatus>"#;

fn user(id: &str) -> Caller {
    Caller::new(CallerKind::User, id)
}

fn host() -> TestHost {
    TestHost::new("backends")
        .with_migrations("migrations")
        .unwrap()
        .with_permissions(["backends:use"])
        .with_caller(user("ada"))
        .with_service("cloud.example", cloud)
}

/// A WebDAV server with one user.
fn cloud(request: Request) -> Response {
    // `ada:hunter2 äöü`
    let known = request.header("authorization") == Some("Basic YWRhOmh1bnRlcjIgw6TDtsO8");
    if !known {
        return Response::new(StatusCode::UNAUTHORIZED);
    }
    match (request.method().as_str(), request.path()) {
        ("PROPFIND", "/dav/") => {
            Response::new(StatusCode::MULTI_STATUS).with_body(LISTING.as_bytes())
        }
        ("GET", "/dav/b%20%C3%BC.txt") => Response::new(StatusCode::OK)
            .with_header("content-type", "text/html")
            .with_header("set-cookie", "a=b")
            .with_body(b"hello".as_slice()),
        ("PROPFIND", "/dav/b%20%C3%BC.txt") => {
            let one = LISTING.replace("<d:href>/dav/</d:href>", "<d:href>/</d:href>");
            Response::new(StatusCode::MULTI_STATUS).with_body(one.into_bytes())
        }
        _ => Response::new(StatusCode::NOT_FOUND),
    }
}

fn call(host: &TestHost, method: &str, path: &str, body: Value) -> (u16, Value) {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let request = Request::new(method, path).with_json(&body).unwrap();
    let response = host.call(&routes(), request);
    let status = response.status().as_u16();
    let text = response.into_text().unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

fn webdav(password: &str) -> Value {
    json!({
        "type": "webdav", "display_name": "Cloud",
        "credentials": {"url": "https://cloud.example/dav", "username": "ada", "password": password},
    })
}

fn connect(host: &TestHost) -> String {
    let (status, made) = call(host, "POST", "/storage-backends", webdav(PASSWORD));
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_connection_is_kept_for_its_user_and_its_credentials_are_never_shown() {
    let host = host();
    let id = connect(&host);
    let (status, list) = call(&host, "GET", "/storage-backends", Value::Null);
    assert_eq!(status, 200);
    let item = &list["items"][0];
    assert_eq!(item["type"], "webdav");
    assert_eq!(item["is_default"], true);
    assert!(item.get("credentials").is_none());
    assert!(!list.to_string().contains("hunter2"));
    let kept: Vec<Value> = sql::query("SELECT * FROM backends.connections", params![]).unwrap();
    assert_eq!(kept.len(), 1);
    for secret in ["hunter2", "cloud.example", "YWRhOmh1bnRlcjIg"] {
        assert!(!kept[0].to_string().contains(secret), "{}", kept[0]);
    }

    host.set_caller(user("bob"));
    let path = |more: &str| format!("/storage-backends/{id}{more}");
    for (method, more) in [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/default"),
        ("POST", "/test"),
        ("GET", "/browse"),
        ("GET", "/download?path=a"),
    ] {
        let (status, answer) = call(&host, method, &path(more), json!({}));
        assert_eq!(
            (status, &answer["code"]),
            (404, &json!("not_found")),
            "{method} {more}"
        );
    }
    for (more, wish) in [
        ("/import", json!({"path": "a"})),
        ("/store", json!({"file_id": "1"})),
    ] {
        let (status, _) = call(&host, "POST", &path(more), wish);
        assert_eq!(status, 404, "{more}");
    }
    let (_, list) = call(&host, "GET", "/storage-backends", Value::Null);
    assert_eq!(list["items"], json!([]));

    host.set_caller(user("ada"));
    assert_eq!(call(&host, "DELETE", &path(""), Value::Null).0, 204);
    assert_eq!(call(&host, "GET", &path(""), Value::Null).0, 404);
}

#[test]
fn only_users_with_the_permission_connect() {
    let host = host();
    host.set_permissions([]);
    let (status, answer) = call(&host, "POST", "/storage-backends", webdav(PASSWORD));
    assert_eq!(
        (status, &answer["code"]),
        (403, &json!("permission_needed"))
    );
    host.set_caller(Caller::new(CallerKind::SecretKey, "key"));
    let (status, answer) = call(&host, "GET", "/storage-backends", Value::Null);
    assert_eq!((status, &answer["code"]), (403, &json!("user_needed")));
    host.set_caller(Caller::default());
    assert_eq!(call(&host, "GET", "/storage-backends", Value::Null).0, 401);
}

#[test]
fn what_does_not_work_is_told_before_it_is_kept() {
    let host = host();
    let refused = |body: Value, code: &str| {
        let (status, answer) = call(&host, "POST", "/storage-backends", body.clone());
        assert_eq!(
            (status, &answer["code"]),
            (422, &json!(code)),
            "{body}: {answer}"
        );
        let text = answer.to_string();
        assert!(
            !text.contains("hunter2") && !text.contains("wrong word"),
            "{text}"
        );
    };
    refused(webdav("wrong word"), "credentials_refused");
    let with = |name: &str, value: Value| {
        let mut body = webdav(PASSWORD);
        body["credentials"][name] = value;
        body
    };
    refused(
        with("url", json!("https://nobody.example/")),
        "address_refused",
    );
    refused(
        with("url", json!("http://cloud.example/dav")),
        "address_refused",
    );
    refused(
        with("url", json!("https://files.internal/")),
        "address_refused",
    );
    refused(
        with("url", json!("https://cloud.example/other")),
        "remote_not_found",
    );
    refused(with("password", json!(["hunter2"])), "invalid_credentials");
    refused(with("password", Value::Null), "invalid_credentials");
    refused(with("pin", json!("hunter2")), "invalid_credentials");
    let mut body = webdav(PASSWORD);
    body["type"] = json!("gdrive");
    refused(body.clone(), "connect_needed");
    body["type"] = json!("hunter2");
    refused(body, "invalid_body");
    let mut body = webdav(PASSWORD);
    body["display_name"] = json!(" ");
    refused(body, "invalid_display_name");
    let count: i64 =
        sql::query_one("SELECT count(*) FROM backends.connections", params![]).unwrap();
    assert_eq!(count, 0);
    for line in host.logs() {
        assert!(
            !line.contains("hunter2") && !line.contains("wrong word"),
            "{line}"
        );
    }

    let (status, made) = call(
        &host,
        "POST",
        "/storage-backends?test=0",
        webdav("wrong word"),
    );
    assert_eq!(status, 201, "{made}");
    let path = format!("/storage-backends/{}", made["id"].as_str().unwrap());
    let (status, outcome) = call(&host, "POST", &format!("{path}/test"), Value::Null);
    assert_eq!((status, &outcome["ok"]), (200, &json!(false)));
    assert_eq!(outcome["code"], "credentials_refused");
    let change = json!({"credentials": webdav(PASSWORD)["credentials"], "display_name": "Mine"});
    let (status, changed) = call(&host, "PATCH", &path, change);
    assert_eq!(
        (status, &changed["display_name"]),
        (200, &json!("Mine")),
        "{changed}"
    );
    let (_, outcome) = call(&host, "POST", &format!("{path}/test"), Value::Null);
    assert_eq!(outcome, json!({"ok": true}));
}

#[test]
fn one_connection_is_the_default_and_twenty_are_the_most() {
    let host = host();
    let first = connect(&host);
    let second = connect(&host);
    let (_, shown) = call(&host, "GET", "/storage-backends/default", Value::Null);
    assert_eq!(shown["id"], first.as_str());
    let path = format!("/storage-backends/{second}/default");
    assert_eq!(call(&host, "POST", &path, Value::Null).0, 200);
    let (_, shown) = call(&host, "GET", "/storage-backends/default", Value::Null);
    assert_eq!(shown["id"], second.as_str());
    for _ in 2..20 {
        connect(&host);
    }
    let (status, answer) = call(&host, "POST", "/storage-backends", webdav(PASSWORD));
    assert_eq!(
        (status, &answer["code"]),
        (409, &json!("too_many_backends"))
    );
    let (_, page) = call(&host, "GET", "/storage-backends?limit=15", Value::Null);
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = format!("/storage-backends?limit=15&cursor={cursor}");
    let (_, rest) = call(&host, "GET", &rest, Value::Null);
    assert_eq!(rest["items"].as_array().unwrap().len(), 5);
    assert_eq!(rest["next_cursor"], Value::Null);
}

#[test]
fn a_folder_is_browsed_and_a_file_is_saved_never_shown() {
    let host = host();
    let id = connect(&host);
    let path = format!("/storage-backends/{id}");
    let (status, listing) = call(&host, "GET", &format!("{path}/browse"), Value::Null);
    assert_eq!(status, 200, "{listing}");
    let items = listing["items"].as_array().unwrap();
    let names: Vec<_> = items
        .iter()
        .map(|item| item["path"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["/a", "/b ü.txt"]);
    assert_eq!(items[1]["size"], 5);
    for climbing in ["..", "a/../..", "a//b"] {
        let (status, answer) = call(
            &host,
            "GET",
            &format!("{path}/browse?path={climbing}"),
            Value::Null,
        );
        assert_eq!((status, &answer["code"]), (422, &json!("invalid_path")));
    }
    let request = Request::get(format!("{path}/download?path=/b%20%C3%BC.txt"));
    let response = host.call(&routes(), request);
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(
        response.header("content-disposition"),
        Some("attachment; filename=\"b _.txt\"; filename*=UTF-8''b%20%C3%BC.txt")
    );
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(response.header("set-cookie"), None);
    assert_eq!(response.into_text().unwrap(), "hello");
}

#[test]
fn what_users_confided_who_were_deleted_goes_with_them() {
    let there = User {
        id: "ada".to_owned(),
        ..User::default()
    };
    let host = host().with_user(there);
    let kept = connect(&host);
    // More than are asked for at once.
    for gone in 0..150 {
        host.set_caller(user(&format!("gone-{gone}")));
        connect(&host);
    }
    let begun = "INSERT INTO backends.journeys \
         (id, user_id, kind, display_name, verifier, callback, expires_at) \
         VALUES ($1, $2, 'dropbox', 'Box', 'sealed', '', 0)";
    for (id, whose) in [("x", "ada"), ("y", "zoe")] {
        sql::execute(begun, params![id, whose]).unwrap();
    }
    atlashub_sdk::jobs::enqueue("sweep", &Value::Null).unwrap();
    assert_eq!(host.run_jobs(&work()), 1);
    let left: Vec<String> = sql::query(
        "SELECT id FROM backends.connections UNION SELECT id FROM backends.journeys ORDER BY 1",
        params![],
    )
    .unwrap();
    assert_eq!(left, [kept, "x".to_owned()]);
}

#[test]
fn the_description_names_the_routes() {
    atlashub_sdk::testing::assert_described(&routes(), env!("CARGO_MANIFEST_DIR"));
}
