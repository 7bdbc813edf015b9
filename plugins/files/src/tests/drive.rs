//! Calls of the plugin's routes against a host in memory.

use crate::routes;
use atlashub_sdk::{identity::CallerKind, prelude::*, testing::TestHost, users::User};
use serde_json::{Value, json};

/// A host with the plugin's tables and permissions, and three users: `u1`,
/// who calls, `u2` and `u3`.
pub(crate) fn host() -> TestHost {
    let mut host = TestHost::new("files")
        .with_migrations(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .unwrap()
        .with_caller(user("u1"))
        .with_permissions(["files:read", "files:write", "files:delete", "files:share"]);
    for id in ["u1", "u2", "u3"] {
        host = host.with_user(User {
            id: id.to_owned(),
            email: Some(format!("{id}@example.com")),
            handle: Some(format!("h-{id}")),
            ..User::default()
        });
    }
    host
}

pub(crate) fn user(id: &str) -> Caller {
    Caller::new(CallerKind::User, id)
}

pub(crate) fn call(request: Request) -> Response {
    routes().call(request)
}

pub(crate) fn get(target: impl Into<String>) -> Response {
    call(Request::get(target))
}

/// The JSON of a success.
pub(crate) fn ok(response: Response) -> Value {
    let status = response.status();
    let value: Value = response.into_json().unwrap();
    assert!(status.is_success(), "{status}: {value}");
    value
}

pub(crate) fn read(target: impl Into<String>) -> Value {
    ok(get(target))
}

pub(crate) fn send(method: Method, target: impl Into<String>, body: &Value) -> Response {
    call(
        Request::new(method, target)
            .with_body(serde_json::to_vec(body).unwrap())
            .with_header("content-type", "application/json"),
    )
}

pub(crate) fn post(target: impl Into<String>, body: Value) -> Response {
    send(Method::POST, target, &body)
}

pub(crate) fn patch(target: impl Into<String>, body: Value) -> Response {
    send(Method::PATCH, target, &body)
}

pub(crate) fn delete(target: impl Into<String>) -> Response {
    call(Request::new(Method::DELETE, target))
}

/// Status and code of a refusal.
pub(crate) fn refused(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let problem: Value = response.into_json().unwrap();
    (
        status,
        problem["code"].as_str().unwrap_or_default().to_owned(),
    )
}

pub(crate) fn upload(path: &str, bytes: &[u8]) -> Value {
    ok(call(
        Request::post("/files/upload", bytes.to_vec()).with_header("file-path", path),
    ))
}

pub(crate) fn upload_into(folder: &str, path: &str, bytes: &[u8]) -> Response {
    call(
        Request::post("/files/upload", bytes.to_vec())
            .with_header("file-path", path)
            .with_header("folder-id", folder),
    )
}

pub(crate) fn folder(name: &str, parent: Option<&str>) -> String {
    id(&ok(post(
        "/folders",
        json!({"name": name, "parent_id": parent}),
    )))
}

pub(crate) fn id(value: &Value) -> String {
    value["id"].as_str().unwrap().to_owned()
}

/// One field of all items of a list.
pub(crate) fn each(target: impl Into<String>, field: &str) -> Vec<String> {
    let page = read(target);
    let items = page["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item[field].as_str().unwrap().to_owned())
        .collect()
}

pub(crate) fn used() -> i64 {
    read("/users/me/quota")["used_bytes"].as_i64().unwrap()
}
