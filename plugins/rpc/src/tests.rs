//! The dialect against a host in memory, with a stand-in for `files`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test may panic"
)]

use crate::routes;
use atlashub_sdk::{identity::CallerKind, prelude::*, testing::TestHost};
use serde_json::{Value, json};
use std::{cell::RefCell, rc::Rc};

/// Calls that `files` got: method, target, path header, body.
type Seen = Rc<RefCell<Vec<(Method, String, Option<String>, Vec<u8>)>>>;

fn host() -> (TestHost, Seen) {
    let seen = Seen::default();
    let kept = Rc::clone(&seen);
    let host = TestHost::new("rpc")
        .with_password("ann@example.com", "right")
        .with_caller(Caller::new(CallerKind::User, "u1"))
        .with_service("files.internal", move |mut request| {
            let body = request.take_body().bytes(1 << 20).unwrap();
            let path = request.header("file-path").map(str::to_owned);
            let target = request.target().to_owned();
            let answer = files(request.method(), &target);
            kept.borrow_mut()
                .push((request.method().clone(), target, path, body));
            answer
        });
    (host, seen)
}

fn files(method: &Method, target: &str) -> Response {
    match (method.as_str(), target) {
        ("POST", "/files/upload") => {
            (StatusCode::CREATED, Json(json!({"id": "f1"}))).into_response()
        }
        ("GET", "/users/me/files?path=docs%2Fa%20b%2Etxt") => {
            Json(json!({"items": [{"id": "f1"}], "next_cursor": null})).into_response()
        }
        ("GET", "/files/f1/download") => Response::new(StatusCode::OK)
            .with_header("content-type", "text/plain")
            .with_header("set-cookie", "not=passed")
            .with_body(b"hello".to_vec()),
        _ => Json(json!({"items": [], "next_cursor": null})).into_response(),
    }
}

fn call(request: Request) -> (u16, Value) {
    let response = routes().call(request);
    let status = response.status().as_u16();
    let body = response.into_bytes().unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

fn login(body: &Value) -> (u16, Value) {
    call(
        Request::new(Method::POST, "/rpc/login")
            .with_json(body)
            .unwrap(),
    )
}

#[test]
fn who_knows_the_password_gets_a_token() {
    let (_host, _) = host();
    let (status, answer) = login(&json!({"email": "Ann@example.com", "password": "right"}));
    assert_eq!(status, 200);
    assert!(answer[0]["token"].is_string(), "{answer}");
    let (status, answer) = login(&json!({"email": "ann@example.com", "password": "wrong"}));
    assert_eq!(
        (status, answer),
        (400, json!({"message": "Invalid email or password"}))
    );
    assert_eq!(login(&json!({"email": "ann@example.com"})).0, 400);
}

#[test]
fn a_file_goes_to_its_path_and_comes_back() {
    let (_host, seen) = host();
    let store = Request::new(Method::POST, "/rpc/store_file")
        .with_header("file-path", "docs/a%20b.txt")
        .with_body(b"hello".to_vec());
    assert_eq!(call(store), (200, json!("f1")));
    assert_eq!(
        seen.borrow()[0],
        (
            Method::POST,
            "/files/upload".to_owned(),
            Some("docs/a%20b.txt".to_owned()),
            b"hello".to_vec()
        )
    );
    let retrieve = Request::get("/rpc/retrieve_file?p_file_path=docs%2Fa%20b.txt");
    let response = routes().call(retrieve);
    assert_eq!(response.status(), 200);
    assert_eq!(response.header("content-type"), Some("text/plain"));
    assert_eq!(response.header("set-cookie"), None);
    assert_eq!(response.into_bytes().unwrap(), b"hello");
    let missing = Request::get("/rpc/retrieve_file?p_file_path=nothing");
    assert_eq!(call(missing), (400, json!({"message": "File not found."})));
}

#[test]
fn nobody_gets_nothing() {
    let (host, seen) = host();
    for kind in [CallerKind::Nobody, CallerKind::PublishableKey] {
        host.set_caller(Caller::new(kind, "k"));
        let store = Request::new(Method::POST, "/rpc/store_file").with_header("file-path", "a");
        assert_eq!(call(store).0, 401);
        let retrieve = Request::get("/rpc/retrieve_file?p_file_path=a");
        assert_eq!(call(retrieve).0, 401);
    }
    assert!(seen.borrow().is_empty());
}

#[test]
fn without_files_it_says_so() {
    let _host = TestHost::new("rpc").with_caller(Caller::new(CallerKind::User, "u1"));
    let (status, answer) = call(Request::get("/rpc/retrieve_file?p_file_path=a"));
    assert_eq!(
        (status, &answer["code"]),
        (503, &json!("files_unavailable"))
    );
}

#[test]
fn the_description_names_the_routes() {
    atlashub_sdk::testing::assert_described(&routes(), env!("CARGO_MANIFEST_DIR"));
}
