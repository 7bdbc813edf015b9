//! Files that are too large for one call go in parts, each read from `files`
//! by its range; against stand-ins at the services' own addresses.

use crate::routes;
use atlashub_sdk::{identity::CallerKind, prelude::*, testing::TestHost};
use serde_json::{Value, json};
use std::{cell::RefCell, rc::Rc};

const MIB: u64 = 1024 * 1024;

type Seen = Rc<RefCell<Vec<String>>>;

fn answer(value: Value) -> Response {
    Response::new(StatusCode::OK)
        .with_header("content-type", "application/json")
        .with_body(value.to_string().into_bytes())
}

/// A host with a file of `size` bytes in `files`, whose ranges are answered by
/// their own names.
fn host(size: u64) -> TestHost {
    TestHost::new("backends")
        .with_migrations("migrations")
        .unwrap()
        .with_permissions(["backends:use"])
        .with_caller(Caller::new(CallerKind::User, "ada"))
        .with_config("onedrive_client_id", "client")
        .with_config("dropbox_client_id", "client")
        .with_service("files.internal", move |request| {
            match (request.path(), request.header("range")) {
                ("/files/f", _) => answer(json!({
                    "id": "f", "filename": "film.mkv", "size": size,
                    "mime_type": "video/x-matroska", "etag": "\"v1\"",
                })),
                ("/files/f/download", Some(range)) => {
                    assert_eq!(request.header("if-match"), Some("\"v1\""));
                    let body = range.as_bytes().to_vec();
                    Response::new(StatusCode::PARTIAL_CONTENT).with_body(body)
                }
                _ => Response::new(StatusCode::NOT_FOUND),
            }
        })
}

fn token(mut request: Request) -> Response {
    let form = request.take_body().text(10_000).unwrap();
    assert!(
        form.contains("client_id=client") && form.contains("code_verifier="),
        "{form}"
    );
    assert!(!form.contains("client_secret"), "{form}");
    answer(json!({"access_token": "at", "refresh_token": "rt", "expires_in": 3600}))
}

/// A call as it was seen: where to, what of the file, with what authorization.
fn note(seen: &Seen, request: &mut Request) {
    let path = request.target().to_owned();
    let field = |name: &str| request.header(name).unwrap_or("-").to_owned();
    let fields = [
        field("authorization"),
        field("content-length"),
        field("content-range"),
    ];
    let argument: Value =
        serde_json::from_str(request.header("dropbox-api-arg").unwrap_or("null")).unwrap();
    let offset = argument["cursor"]["offset"].to_string();
    let body = request.take_body().text(10_000).unwrap();
    seen.borrow_mut()
        .push(format!("{path} {} {offset} {body}", fields.join(" ")));
}

fn call(host: &TestHost, path: &str, body: &Value) -> (u16, Value) {
    let request = Request::new(Method::POST, path).with_json(body).unwrap();
    let response = host.call(&routes(), request);
    let status = response.status().as_u16();
    let text = response.into_text().unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// Signs in, and stores the file as `/films/film.mkv`.
fn store(host: &TestHost, kind: &str) {
    let wish = json!({"type": kind, "display_name": kind});
    let (_, begun) = call(host, "/storage-backends/connect", &wish);
    let url = begun["authorization_url"].as_str().unwrap();
    let state = url
        .split("&state=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap();
    let returned = json!({"state": state, "code": "code"});
    let (status, made) = call(host, "/storage-backends/callback", &returned);
    assert_eq!(status, 201, "{made}");
    let path = format!("/storage-backends/{}/store", made["id"].as_str().unwrap());
    let (status, stored) = call(host, &path, &json!({"file_id": "f", "path": "films/"}));
    assert_eq!(status, 201, "{stored}");
    assert_eq!(stored["path"], "/films/film.mkv");
}

#[test]
fn onedrive_gets_a_large_file_in_parts_without_the_token() {
    let size = 210 * MIB;
    let seen = Seen::default();
    let parts = Rc::clone(&seen);
    let host = host(size)
        .with_service("login.microsoftonline.com", token)
        .with_service("graph.microsoft.com", |request| {
            assert_eq!(request.header("authorization"), Some("Bearer at"));
            match request.path() {
                "/v1.0/me/drive/root/children" => answer(json!({"value": []})),
                "/v1.0/me/drive/root:/films/film.mkv:/createUploadSession" => {
                    answer(json!({"uploadUrl": "https://up.example.com/session/1"}))
                }
                _ => Response::new(StatusCode::NOT_FOUND),
            }
        })
        .with_service("up.example.com", move |mut request| {
            note(&parts, &mut request);
            Response::new(StatusCode::ACCEPTED)
        });
    store(&host, "onedrive");
    let part = 50 * MIB;
    let wanted: Vec<_> = (0..5)
        .map(|number| {
            let (start, end) = (number * part, size.min((number + 1) * part));
            let length = end - start;
            let last = end - 1;
            format!("/session/1 - {length} bytes {start}-{last}/{size} null bytes={start}-{last}")
        })
        .collect();
    assert_eq!(*seen.borrow(), wanted);
}

#[test]
fn dropbox_gets_a_large_file_in_parts() {
    let size = 150 * MIB;
    let seen = Seen::default();
    let parts = Rc::clone(&seen);
    let host = host(size)
        .with_service("api.dropboxapi.com", |request| match request.path() {
            "/oauth2/token" => token(request),
            "/2/files/list_folder" => {
                answer(json!({"entries": [], "cursor": "c", "has_more": false}))
            }
            "/2/files/get_metadata" => Response::new(StatusCode::CONFLICT)
                .with_body(b"{\"error_summary\": \"path/not_found/\"}".as_slice()),
            other => panic!("{other}"),
        })
        .with_service("content.dropboxapi.com", move |mut request| {
            note(&parts, &mut request);
            answer(json!({"session_id": "s"}))
        });
    store(&host, "dropbox");
    let part = 64 * MIB;
    let last = |end: u64| end - 1;
    assert_eq!(
        *seen.borrow(),
        [
            "/2/files/upload_session/start Bearer at 0 - null ".to_owned(),
            format!(
                "/2/files/upload_session/append_v2 Bearer at {part} - 0 bytes=0-{}",
                last(part)
            ),
            format!(
                "/2/files/upload_session/append_v2 Bearer at {part} - {part} bytes={part}-{}",
                last(2 * part)
            ),
            format!(
                "/2/files/upload_session/append_v2 Bearer at {} - {} bytes={}-{}",
                size - 2 * part,
                2 * part,
                2 * part,
                last(size)
            ),
            format!("/2/files/upload_session/finish Bearer at 0 - {size} "),
        ]
    );
}

/// Stores a file of so many bytes in a bucket whose server answers so; what
/// came of it, and what the server saw.
fn store_in_bucket(size: u64, complete: &'static str) -> (u16, Vec<String>) {
    let seen = Seen::default();
    let calls = Rc::clone(&seen);
    let host = host(size)
        .with_config("s3_part_bytes", 5 * MIB)
        .with_service("s3.example.com", move |mut request| {
            let method = request.method().clone();
            let target = request.target().to_owned();
            if method == Method::HEAD {
                return Response::new(StatusCode::NOT_FOUND);
            }
            if method == Method::GET {
                let list = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
                return Response::new(StatusCode::OK).with_body(list.as_bytes().to_vec());
            }
            let length = request.header("content-length").unwrap_or("-").to_owned();
            assert!(request.header("authorization").is_some());
            let body = request.take_body().text(10_000).unwrap();
            calls
                .borrow_mut()
                .push(format!("{method} {target} {length} {body}"));
            if target.ends_with("?uploads=") {
                let begun = "<InitiateMultipartUploadResult><UploadId>up/1</UploadId>\
                    </InitiateMultipartUploadResult>";
                return Response::new(StatusCode::OK).with_body(begun.as_bytes().to_vec());
            }
            if method == Method::POST {
                return Response::new(StatusCode::OK).with_body(complete.as_bytes().to_vec());
            }
            Response::new(StatusCode::OK).with_header("etag", "\"e-1\"")
        });
    let wish = json!({"type": "s3", "display_name": "s3", "credentials": {
        "endpoint": "https://s3.example.com", "bucket": "films",
        "access_key_id": "AK", "secret_access_key": "SK",
    }});
    let (status, made) = call(&host, "/storage-backends", &wish);
    assert_eq!(status, 201, "{made}");
    let path = format!("/storage-backends/{}/store", made["id"].as_str().unwrap());
    let (status, _) = call(&host, &path, &json!({"file_id": "f", "path": "a/"}));
    let seen = seen.borrow().clone();
    (status, seen)
}

#[test]
fn s3_gets_a_large_file_in_parts() {
    let size = 12 * MIB;
    let done = "<CompleteMultipartUploadResult/>";
    let (status, seen) = store_in_bucket(size, done);
    assert_eq!(status, 201);
    let at = "/films/a/film.mkv";
    let part = |number: u64, start: u64, end: u64| {
        let (length, last) = (end - start, end - 1);
        format!("PUT {at}?partNumber={number}&uploadId=up%2F1 {length} bytes={start}-{last}")
    };
    let listed = |number: u64| {
        format!("<Part><PartNumber>{number}</PartNumber><ETag>&quot;e-1&quot;</ETag></Part>")
    };
    let list = format!(
        "<CompleteMultipartUpload>{}{}{}</CompleteMultipartUpload>",
        listed(1),
        listed(2),
        listed(3)
    );
    assert_eq!(
        seen,
        [
            format!("POST {at}?uploads= 0 "),
            part(1, 0, 5 * MIB),
            part(2, 5 * MIB, 10 * MIB),
            part(3, 10 * MIB, size),
            format!("POST {at}?uploadId=up%2F1 {} {list}", list.len()),
        ]
    );
}

#[test]
fn parts_that_come_to_nothing_are_taken_back() {
    // As a server says so that began its answer too early.
    let (status, seen) = store_in_bucket(6 * MIB, "<Error><Code>InternalError</Code></Error>");
    assert_eq!(status, 502);
    let last = seen.last().unwrap();
    assert!(
        last.starts_with("DELETE /films/a/film.mkv?uploadId=up%2F1"),
        "{last}"
    );
}
