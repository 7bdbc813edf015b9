//! The dialect against `files` itself, both on one host in memory.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test may panic"
)]

use crate::routes;
use atlashub_sdk::{
    Body, Caller, Method, Request, Response, blob, identity::CallerKind, testing::TestHost,
    users::User,
};
use serde_json::{Value, json};

fn user(id: &str) -> Caller {
    Caller::new(CallerKind::User, id)
}

/// `u1` calls; `u2` is there, too.
fn host() -> TestHost {
    let host = TestHost::new("files")
        .with_migrations(concat!(env!("CARGO_MANIFEST_DIR"), "/../files/migrations"))
        .unwrap()
        .with_caller(user("u1"))
        .with_permissions(["files:read", "files:write", "files:delete", "files:share"])
        .with_service("files.internal", |request| {
            atlashub_files_as_library::routes().call(request)
        });
    ["u1", "u2"].into_iter().fold(host, |host, id| {
        host.with_user(User {
            id: id.to_owned(),
            email: Some(format!("{id}@example.com")),
            handle: Some(format!("h-{id}")),
            ..User::default()
        })
    })
}

fn call(request: Request) -> Response {
    routes().call(request)
}

fn get(target: &str) -> Response {
    call(Request::get(target))
}

fn post(target: &str, body: &Value) -> Response {
    let request = Request::post(target, body.to_string().into_bytes());
    call(request.with_header("content-type", "application/json"))
}

fn ok(response: Response) -> Value {
    let status = response.status();
    let value: Value = response.into_json().unwrap();
    assert!(status.is_success(), "{status}: {value}");
    value
}

/// Status and code.
fn refused(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let problem: Value = response.into_json().unwrap();
    (status, problem["code"].as_str().unwrap().to_owned())
}

fn upload(path: &str, bytes: &[u8]) -> Value {
    let request = Request::post("/api/v1/files/", bytes.to_vec()).with_header("file-path", path);
    let response = call(request);
    assert_eq!(response.status().as_u16(), 201);
    ok(response)
}

fn id(value: &Value) -> &str {
    value["id"].as_str().unwrap()
}

/// What the link of an upload would do.
fn arrive(object_key: &str, bytes: &[u8]) {
    let options = blob::PutOptions {
        key: Some(object_key.to_owned()),
        ..blob::PutOptions::default()
    };
    let _ = blob::bucket("private").put_bytes(bytes, &options).unwrap();
}

#[test]
fn a_file_goes_in_shows_up_comes_back_and_goes() {
    let _host = host();
    let made = upload("reports/may.txt", b"words");
    assert_eq!(made["name"], "may.txt");
    assert_eq!(made["path"], "reports/may.txt");
    assert_eq!((&made["size"], &made["version"]), (&json!(5), &json!(1)));
    assert_eq!(made["ownerId"], "u1");
    for name in [
        "contentType",
        "createdAt",
        "updatedAt",
        "sha256",
        "etag",
        "downloadUrl",
    ] {
        assert!(made[name].is_string(), "{name}");
    }
    let other = upload("b.txt", b"more");
    for path in ["/api/v1/files/", "/api/v1/files"] {
        let page = ok(get(path));
        assert_eq!(page["items"].as_array().unwrap().len(), 2);
    }
    let first = ok(get("/api/v1/files/?limit=1"));
    assert_eq!(first["items"][0], other);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = ok(get(&format!("/api/v1/files/?limit=1&cursor={cursor}")));
    assert_eq!(second["items"], json!([made]));
    let at = format!("/api/v1/files/{}", id(&made));
    assert_eq!(ok(get(&at)), made);
    let bytes = get(&format!("{at}/Download"));
    assert_eq!(bytes.header("etag"), made["etag"].as_str());
    assert_eq!(bytes.into_bytes().unwrap(), b"words");
    let gone = call(Request::new(Method::DELETE, at.as_str()));
    assert_eq!(gone.status().as_u16(), 204);
    for path in [
        at.clone(),
        format!("{at}/Download"),
        format!("{at}/Download?redirect=1"),
    ] {
        assert_eq!(refused(get(&path)), (404, "not_found".into()), "{path}");
    }
    let again = call(Request::new(Method::DELETE, "/api/v1/files/nothing"));
    assert_eq!(refused(again), (404, "not_found".into()));
}

#[test]
fn a_part_of_a_file_and_a_known_one_cost_no_more() {
    let _host = host();
    let made = upload("a.txt", b"0123456789");
    let at = format!("/api/v1/files/{}/Download", id(&made));
    let part = call(Request::get(at.as_str()).with_header("range", "bytes=2-4"));
    assert_eq!(part.status().as_u16(), 206);
    assert_eq!(part.into_bytes().unwrap(), b"234");
    let etag = made["etag"].as_str().unwrap();
    let known = call(Request::get(at.as_str()).with_header("if-none-match", etag));
    assert_eq!(known.status().as_u16(), 304);
    let beyond = call(Request::get(at.as_str()).with_header("range", "bytes=99-"));
    assert_eq!(beyond.status().as_u16(), 416);
}

#[test]
fn several_files_of_a_form_are_a_list() {
    let _host = host();
    let part = |name: &str| {
        format!(
            "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             content-type: text/plain\r\n\r\n{name}\r\n"
        )
    };
    let form = format!("{}{}--x--\r\n", part("a.txt"), part("b.txt"));
    let request = Request::post("/api/v1/files/", form.into_bytes())
        .with_header("content-type", "multipart/form-data; boundary=x");
    let made = ok(call(request));
    let names: Vec<&Value> = made
        .as_array()
        .unwrap()
        .iter()
        .map(|file| &file["name"])
        .collect();
    assert_eq!(names, ["a.txt", "b.txt"]);
}

#[test]
fn a_permission_names_file_user_and_role() {
    let host = host();
    let made = upload("a.txt", b"words");
    let file = id(&made);
    for user in ["u2", "u2@example.com", "@h-u2"] {
        let grant = json!({"file": file, "user": user, "role": "viewer"});
        let given = post("/api/v1/permissions", &grant);
        assert_eq!(given.status().as_u16(), 201);
        let given = ok(given);
        assert_eq!(
            json!([
                given["file"],
                given["user"],
                given["role"],
                given["grantedBy"]
            ]),
            json!([file, "u2", "viewer", "u1"])
        );
    }
    let on_file = ok(get(&format!("/api/v1/permissions?file={file}")));
    assert_eq!(on_file["items"].as_array().unwrap().len(), 1);
    assert!(on_file["items"][0]["id"].is_string());
    assert_eq!(ok(get("/api/v1/permissions"))["items"], json!([]));
    for (grant, expected) in [
        (
            json!({"file": "nothing", "user": "u2", "role": "viewer"}),
            404,
        ),
        (json!({"file": file, "user": "u2", "role": "king"}), 422),
        (json!({"file": file, "user": "u2"}), 422),
        (json!({"file": file, "user": "u1", "role": "viewer"}), 422),
    ] {
        assert_eq!(
            post("/api/v1/permissions", &grant).status().as_u16(),
            expected,
            "{grant}"
        );
    }
    let unknown = json!({"file": file, "user": "nobody", "role": "viewer"});
    let refusal = refused(post("/api/v1/permissions", &unknown));
    assert_eq!(refusal, (404, "user_not_found".into()));
    host.set_caller(user("u2"));
    let own = ok(get("/api/v1/permissions"));
    let own = &own["items"][0];
    assert_eq!(
        json!([
            own["file"],
            own["user"],
            own["role"],
            own["grantedBy"],
            own.get("id")
        ]),
        json!([file, "u2", "viewer", "u1", null])
    );
    let shared = ok(get("/api/v1/files/?shared=true"));
    assert_eq!(shared["items"], json!([made]));
    // A viewer gives no roles, and sees none of others'.
    let grant = json!({"file": file, "user": "u2", "role": "admin"});
    assert_eq!(post("/api/v1/permissions", &grant).status().as_u16(), 403);
    let all = get(&format!("/api/v1/permissions?file={file}"));
    assert_eq!(all.status().as_u16(), 403);
}

#[test]
fn credentials_are_a_link_for_each_object() {
    let host = host();
    let made = upload("in/a.txt", b"words");
    let wanted = json!({"prefix": "/in/", "objects": [
        {"operation": "upload", "path": "in/new/b.txt", "size": 4, "contentType": "text/plain"},
        {"operation": "download", "path": "in/a.txt"},
        {"operation": "download", "id": made["id"]},
    ]});
    let issued = ok(post("/api/v1/credentials", &wanted));
    assert_eq!(
        (&issued["type"], &issued["prefix"]),
        (&json!("signed-links"), &json!("in"))
    );
    assert_eq!(issued["expiresIn"], 300);
    let [up, by_path, by_id] = [0, 1, 2].map(|at| &issued["objects"][at]);
    assert_eq!(
        (&up["method"], &up["expiresIn"]),
        (&json!("PUT"), &json!(900))
    );
    assert_eq!(up["headers"], json!({"Content-Type": "text/plain"}));
    assert_eq!(
        (&by_path["method"], &by_path["id"]),
        (&json!("GET"), &made["id"])
    );
    assert_eq!(
        (&by_id["path"], &by_id["expiresAt"]),
        (&json!("in/a.txt"), &issued["expiresAt"])
    );
    for link in [up, by_path, by_id] {
        assert!(link["url"].is_string());
    }
    let confirm = format!("/api/v1/files/{}/Confirm", id(up));
    assert!(up["confirmUrl"].as_str().unwrap().ends_with(&confirm));
    assert_eq!(
        refused(post(&confirm, &json!({}))),
        (409, "not_uploaded".into())
    );
    let key = host.objects("private");
    assert_eq!(key.len(), 1, "{key:?}");
}

#[test]
fn what_is_confirmed_is_a_file_at_its_path() {
    let _host = host();
    let wanted = json!({"objects": [
        {"operation": "upload", "path": "deep/er/b.txt", "size": 4, "contentType": "text/plain"},
    ]});
    let issued = ok(post("/api/v1/credentials", &wanted));
    let link = &issued["objects"][0];
    assert_eq!(
        (&issued["prefix"], &issued["expiresIn"]),
        (&json!(""), &json!(900))
    );
    arrive(link["objectKey"].as_str().unwrap(), b"more");
    let made = ok(post(
        &format!("/api/v1/files/{}/Confirm", id(link)),
        &json!({}),
    ));
    assert_eq!(
        (&made["path"], &made["size"]),
        (&json!("deep/er/b.txt"), &json!(4))
    );
}

#[test]
fn nothing_outside_the_prefix_gets_a_link() {
    let host = host();
    let outside = upload("out/a.txt", b"words");
    let beside = upload("inner.txt", b"words");
    let up = |path: &str| json!({"operation": "upload", "path": path, "size": 1, "contentType": "text/plain"});
    let down = |path: &str| json!({"operation": "download", "path": path});
    for (object, code) in [
        (up("out/b.txt"), "outside_prefix"),
        (up("in"), "outside_prefix"),
        (up("inner/b.txt"), "outside_prefix"),
        (up("in/../out/b.txt"), "invalid_path"),
        (up("in//b.txt"), "invalid_path"),
        (up("in/"), "invalid_path"),
        (down("out/a.txt"), "outside_prefix"),
        (down("inner.txt"), "outside_prefix"),
        (down("in/../out/a.txt"), "invalid_path"),
        (down("in/none.txt"), "not_found"),
        (
            json!({"operation": "download", "id": outside["id"]}),
            "not_found",
        ),
        (
            json!({"operation": "download", "id": beside["id"]}),
            "not_found",
        ),
        (json!({"operation": "download"}), "invalid_body"),
    ] {
        let wanted = json!({"prefix": "in", "objects": [object]});
        let issued = ok(post("/api/v1/credentials", &wanted));
        assert_eq!(issued["objects"][0]["error"]["code"], code, "{object}");
        assert_eq!(issued["objects"][0].get("url"), None, "{object}");
    }
    // What another shares lies in the other's drive, under no prefix of one's own.
    host.set_caller(user("u2"));
    let theirs = upload("in/c.txt", b"theirs");
    let grant = json!({"file": theirs["id"], "user": "u1", "role": "viewer"});
    assert_eq!(post("/api/v1/permissions", &grant).status().as_u16(), 201);
    host.set_caller(user("u1"));
    let object = json!({"operation": "download", "id": theirs["id"]});
    let narrow = ok(post(
        "/api/v1/credentials",
        &json!({"prefix": "in", "objects": [object]}),
    ));
    assert_eq!(narrow["objects"][0]["error"]["code"], "not_found");
    let wide = ok(post("/api/v1/credentials", &json!({"objects": [object]})));
    assert!(wide["objects"][0]["url"].is_string());
}

#[test]
fn one_call_is_for_some_objects() {
    let _host = host();
    let many = vec![json!({"operation": "download", "path": "a"}); 51];
    for objects in [json!([]), json!(many)] {
        let answer = post("/api/v1/credentials", &json!({ "objects": objects }));
        assert_eq!(refused(answer), (422, "invalid_body".into()));
    }
    let unknown = json!({"objects": [{"operation": "delete", "path": "a"}]});
    assert_eq!(post("/api/v1/credentials", &unknown).status().as_u16(), 422);
}

#[test]
fn who_may_not_write_gets_no_link_for_writing() {
    let host = host();
    let made = upload("a.txt", b"words");
    host.set_permissions(["files:read"]);
    let up = json!({"operation": "upload", "path": "b", "size": 1, "contentType": "text/plain"});
    let down = json!({"operation": "download", "id": made["id"]});
    let both = post("/api/v1/credentials", &json!({"objects": [down, up]}));
    assert_eq!(both.status().as_u16(), 403);
    let read = post("/api/v1/credentials", &json!({"objects": [down]}));
    assert_eq!(read.status().as_u16(), 200);
    host.set_caller(Caller::default());
    let nobody = post("/api/v1/credentials", &json!({"objects": [down]}));
    assert_eq!(nobody.status().as_u16(), 401);
}

#[test]
fn without_files_every_call_says_so() {
    let _host = TestHost::new("tenant-files").with_caller(user("u1"));
    let down = json!({"objects": [{"operation": "download", "id": "1"}]});
    let grant = json!({"file": "1", "user": "u2", "role": "viewer"});
    for response in [
        get("/api/v1/files/"),
        get("/api/v1/files/1"),
        get("/api/v1/files/1/Download"),
        get("/api/v1/files/1/Download?redirect=1"),
        get("/api/v1/permissions"),
        get("/api/v1/permissions?file=1"),
        call(Request::post(
            "/api/v1/files/",
            Body::empty().bytes(1).unwrap(),
        )),
        call(Request::new(Method::DELETE, "/api/v1/files/1")),
        post("/api/v1/files/1/Confirm", &json!({})),
        post("/api/v1/permissions", &grant),
    ] {
        assert_eq!(refused(response), (503, "files_unavailable".into()));
    }
    let _host = TestHost::new("tenant-files")
        .with_caller(user("u1"))
        .with_permissions(["files:read"]);
    let refusal = refused(post("/api/v1/credentials", &down));
    assert_eq!(refusal, (503, "files_unavailable".into()));
}

#[test]
fn the_description_names_the_routes() {
    atlashub_sdk::testing::assert_described(&routes(), env!("CARGO_MANIFEST_DIR"));
}
