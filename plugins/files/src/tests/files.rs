//! The plugin's routes against a host in memory.

use crate::routes;
use atlashub_sdk::{identity::CallerKind, prelude::*, testing::TestHost};
use serde_json::{Value, json};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR0123456789";

fn host() -> TestHost {
    TestHost::new("files")
        .with_migrations(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .unwrap()
        .with_caller(user("u1"))
        .with_permissions(["files:read", "files:write", "files:delete", "files:share"])
}

fn user(id: &str) -> Caller {
    Caller::new(CallerKind::User, id)
}

fn call(request: Request) -> Response {
    routes().call(request)
}

fn get(target: impl Into<String>) -> Response {
    call(Request::get(target))
}

fn status(target: impl Into<String>) -> u16 {
    get(target).status().as_u16()
}

fn code(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let problem: Value = response.into_json().unwrap();
    (status, problem["code"].as_str().unwrap().to_owned())
}

fn form(parts: &[(&str, Option<&str>, &[u8])]) -> Request {
    let mut body = Vec::new();
    for (name, filename, bytes) in parts {
        let filename = filename
            .map(|name| format!("; filename=\"{name}\""))
            .unwrap_or_default();
        body.extend(
            format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"{filename}\r\n\r\n")
                .bytes(),
        );
        body.extend(*bytes);
        body.extend(b"\r\n");
    }
    body.extend(b"--B--\r\n");
    Request::post("/files/upload", body)
        .with_header("content-type", "multipart/form-data; boundary=B")
}

fn raw(path: &str, bytes: &[u8]) -> Request {
    Request::post("/files/upload", bytes).with_header("file-path", path)
}

fn upload(request: Request) -> Value {
    let response = call(request);
    assert_eq!(response.status().as_u16(), 201);
    response.into_json().unwrap()
}

fn id(file: &Value) -> String {
    file["id"].as_str().unwrap().to_owned()
}

fn names(target: &str) -> Vec<String> {
    let page: Value = get(target).into_json().unwrap();
    page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["filename"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_form_makes_files() {
    let host = host();
    let file = upload(form(&[
        ("file", Some("cat.png"), PNG),
        ("tags", None, b"Cats, cats ,PETS"),
        ("visibility", None, b"public"),
    ]));
    let id = id(&file);
    assert_eq!(file["filename"], "cat.png");
    assert_eq!(file["path"], "cat.png");
    assert_eq!(file["folder_id"], Value::Null);
    assert_eq!(file["size"], PNG.len());
    assert_eq!(file["mime_type"], "image/png");
    assert_eq!(
        file["etag"],
        format!("\"{}\"", file["sha256"].as_str().unwrap())
    );
    assert_eq!(file["version"], 1);
    assert_eq!(file["visibility"], "public");
    assert_eq!(file["owner_id"], "u1");
    assert_eq!(file["tags"], json!(["cats", "pets"]));
    assert_eq!(
        file["url"],
        format!("http://test.localhost/files/{id}/download")
    );
    assert!(file["created_at"].as_str().unwrap().ends_with('Z'));

    let several = upload(form(&[
        ("file", Some("cat.png"), b"one"),
        ("file", Some("b.txt"), b"two"),
    ]));
    assert_eq!(several[0]["filename"], "cat (2).png");
    assert_eq!(several[1]["filename"], "b.txt");
    assert_eq!(host.objects("private").len(), 3);
}

#[test]
fn what_cannot_be_taken_leaves_nothing_behind() {
    let host = host();
    assert_eq!(
        code(call(form(&[("tags", None, b"a")]))),
        (422, "file_missing".into())
    );
    let folder = form(&[("file", Some("a"), b"a"), ("folder_id", None, b"f")]);
    assert_eq!(code(call(folder)), (404, "not_found".into()));
    let program = form(&[("file", Some("cat.png"), b"MZ\x90\0\x03\0\0\0\x04")]);
    assert_eq!(code(call(program)), (415, "type_refused".into()));
    assert_eq!(
        code(call(Request::post("/files/upload", "x"))),
        (400, "file_path_missing".into())
    );
    assert_eq!(
        code(call(raw("a/../b", b"x"))),
        (422, "invalid_path".into())
    );
    assert!(host.objects("private").is_empty());
}

#[test]
fn a_raw_body_is_kept_at_its_path() {
    let host = host();
    let first = upload(raw("docs/%C3%9Cber%20uns.txt", b"one"));
    assert_eq!(first["path"], "docs/Über uns.txt");
    assert_eq!(first["filename"], "Über uns.txt");
    let second = upload(raw("/docs/%C3%9Cber%20uns.txt", b"two!"));
    assert_eq!(second["id"], first["id"]);
    assert_eq!(second["version"], 2);
    assert_eq!(second["size"], 4);
    assert_eq!(host.objects("private").len(), 2);
    let bytes = get(format!("/files/{}/download", id(&second)))
        .into_bytes()
        .unwrap();
    assert_eq!(bytes, b"two!");
    host.set_caller(user("u2"));
    assert_ne!(
        upload(raw("docs/%C3%9Cber%20uns.txt", b"x"))["id"],
        first["id"]
    );
}

#[test]
fn over_quota_the_limits_are_said() {
    let _host = host().with_quota(3);
    let response = call(raw("a.txt", b"four"));
    assert_eq!(response.status().as_u16(), 413);
    let problem: Value = response.into_json().unwrap();
    assert_eq!(problem["code"], "quota_exceeded");
    assert_eq!(problem["limit_bytes"], 3);
    assert_eq!(problem["used_bytes"], 0);
    assert_eq!(problem["requested_bytes"], 4);
}

#[test]
fn the_configuration_sets_types_and_sizes() {
    let _host = host()
        .with_config("refused_types", json!(["image/*"]))
        .with_config("max_file_bytes", 40);
    assert_eq!(code(call(raw("a.png", PNG))), (415, "type_refused".into()));
    assert_eq!(
        code(call(raw("a.txt", &[b'x'; 41]))),
        (413, "object_too_large".into())
    );
    assert_eq!(upload(raw("a.exe", b"MZ\x90\0\x03\0\0\0\x04"))["size"], 9);
}

#[test]
fn downloads_say_what_they_are() {
    let _host = host();
    let file = upload(raw("cat.png", PNG));
    let path = format!("/files/{}/download", id(&file));
    let response = get(&path);
    assert_eq!(response.status().as_u16(), 200);
    for (name, value) in [
        ("content-type", "image/png"),
        ("content-length", &PNG.len().to_string()),
        ("content-disposition", "inline; filename=\"cat.png\""),
        ("accept-ranges", "bytes"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("etag", file["etag"].as_str().unwrap()),
    ] {
        assert_eq!(response.header(name), Some(value), "{name}");
    }
    let modified = response.header("last-modified").unwrap().to_owned();
    assert_eq!(response.into_bytes().unwrap(), PNG);

    let saved = get(format!("{path}?disposition=attachment"));
    assert_eq!(
        saved.header("content-disposition"),
        Some("attachment; filename=\"cat.png\"")
    );

    let known =
        call(Request::get(&path).with_header("if-none-match", file["etag"].as_str().unwrap()));
    assert_eq!(known.status().as_u16(), 304);
    assert_eq!(known.header("etag"), file["etag"].as_str());
    assert_eq!(known.header("content-length"), None);
    let since = call(Request::get(&path).with_header("if-modified-since", modified));
    assert_eq!(since.status().as_u16(), 304);

    let head = call(Request::new(Method::HEAD, &path));
    assert_eq!(
        head.header("content-length"),
        Some(PNG.len().to_string().as_str())
    );
    assert!(head.into_bytes().unwrap().is_empty());

    let link = get(format!("{path}?redirect=1"));
    assert_eq!(link.status().as_u16(), 302);
    assert!(
        link.header("location")
            .unwrap()
            .contains("/_/blob/private/")
    );
}

#[test]
fn parts_are_exact() {
    let _host = host();
    let path = format!(
        "/files/{}/download",
        id(&upload(raw("a.txt", b"0123456789")))
    );
    let part = |range: &str| call(Request::get(&path).with_header("range", range));
    let middle = part("bytes=2-4");
    assert_eq!(middle.status().as_u16(), 206);
    assert_eq!(middle.header("content-range"), Some("bytes 2-4/10"));
    assert_eq!(middle.header("content-length"), Some("3"));
    assert_eq!(middle.into_bytes().unwrap(), b"234");
    assert_eq!(part("bytes=-1").into_bytes().unwrap(), b"9");
    let beyond = part("bytes=10-");
    assert_eq!(beyond.header("content-range"), Some("bytes */10"));
    assert_eq!(code(beyond), (416, "range_not_satisfiable".into()));
    let changed = call(
        Request::get(&path)
            .with_header("range", "bytes=0-1")
            .with_header("if-range", "\"x\""),
    );
    assert_eq!(changed.status().as_u16(), 200);
    let failed = call(Request::get(&path).with_header("if-match", "\"x\""));
    assert_eq!(failed.status().as_u16(), 412);
}

#[test]
fn what_could_run_is_never_shown_in_place() {
    let _host = host();
    for (name, bytes) in [
        ("a.html", "<!DOCTYPE html><script>alert(1)</script>"),
        (
            "a.svg",
            "<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>",
        ),
        ("a.js", "alert(1)"),
    ] {
        let path = format!(
            "/files/{}/download?disposition=inline",
            id(&upload(raw(name, bytes.as_bytes())))
        );
        let response = get(path);
        let disposition = response.header("content-disposition").unwrap();
        assert!(
            disposition.starts_with("attachment"),
            "{name}: {disposition}"
        );
    }
}

#[test]
fn files_belong_to_who_sent_them() {
    let host = host();
    let private = id(&upload(raw("mine.txt", b"mine")));
    let public = id(&upload(form(&[
        ("file", Some("all.txt"), b"all"),
        ("visibility", None, b"public"),
    ])));

    let nobody = Caller::default();
    let publishable = Caller::new(CallerKind::PublishableKey, "k1");
    let other = user("u2");
    for (caller, expected) in [(nobody, 401), (publishable, 403), (other, 404)] {
        host.set_caller(caller.clone());
        for path in ["", "/download"] {
            assert_eq!(
                status(format!("/files/{private}{path}")),
                expected,
                "{caller:?} {path}"
            );
            assert_eq!(
                status(format!("/files/{public}{path}")),
                200,
                "{caller:?} {path}"
            );
            assert_eq!(
                status(format!("/files/unknown{path}")),
                expected,
                "{caller:?} {path}"
            );
        }
        let patch = Request::new(Method::PATCH, format!("/files/{public}"))
            .with_json(&json!({}))
            .unwrap();
        assert_eq!(call(patch).status().as_u16(), expected);
        assert_eq!(
            call(Request::new(Method::DELETE, format!("/files/{public}")))
                .status()
                .as_u16(),
            expected
        );
        assert_eq!(
            call(Request::post(format!("/files/{public}/restore"), ""))
                .status()
                .as_u16(),
            expected
        );
    }
    host.set_caller(Caller::default());
    for request in [
        Request::get("/files"),
        Request::get("/users/me/files"),
        Request::get("/files/trash"),
        raw("a", b""),
    ] {
        assert_eq!(call(request).status().as_u16(), 401);
    }

    host.set_caller(Caller::new(CallerKind::SecretKey, "k2"));
    assert_eq!(names("/files?sort=filename"), ["all.txt", "mine.txt"]);
    assert_eq!(names("/files?owner=u2"), [""; 0]);
    assert!(names("/users/me/files").is_empty());
    assert_eq!(status(format!("/files/{private}/download")), 200);

    let viewer = Caller {
        roles: vec!["viewer".into()],
        ..Caller::new(CallerKind::Admin, "a1")
    };
    host.set_caller(viewer);
    host.set_permissions(["files:read"]);
    assert_eq!(status(format!("/files/{private}")), 200);
    assert_eq!(call(raw("a", b"")).status().as_u16(), 403);
    assert_eq!(
        call(Request::new(Method::DELETE, format!("/files/{private}")))
            .status()
            .as_u16(),
        403
    );

    host.set_caller(Caller {
        kind: CallerKind::Admin,
        ..Caller::default()
    });
    assert_eq!(upload(raw("development.txt", b""))["owner_id"], Value::Null);
}

#[test]
fn users_do_what_their_roles_allow() {
    let host = host();
    let id = upload(raw("mine.txt", b"mine"))["id"].clone();
    let file = format!("/files/{}", id.as_str().unwrap());
    let change = |changes: Value| {
        call(
            Request::new(Method::PATCH, &file)
                .with_json(&changes)
                .unwrap(),
        )
    };
    let refused = |response: Response, permission: &str| {
        assert_eq!(response.status().as_u16(), 403);
        let problem: Value = response.into_json().unwrap();
        assert_eq!(problem["code"], "permission_needed");
        assert_eq!(problem["permission"], permission);
    };
    host.set_permissions(["files:read"]);
    assert_eq!(status(format!("{file}/download")), 200);
    refused(call(raw("more.txt", b"more")), "files:write");
    refused(change(json!({"filename": "other.txt"})), "files:write");
    refused(call(Request::new(Method::DELETE, &file)), "files:delete");
    host.set_permissions(["files:write"]);
    refused(get(format!("{file}/download")), "files:read");
    refused(get("/files"), "files:read");
    refused(get("/files/trash"), "files:read");
    assert_eq!(
        change(json!({"filename": "other.txt"})).status().as_u16(),
        200
    );
    refused(change(json!({"visibility": "public"})), "files:share");
    refused(
        call(raw("open.txt", b"open").with_header("visibility", "public")),
        "files:share",
    );
    assert_eq!(host.objects("private").len(), 1);
    host.set_permissions(["files:write", "files:share"]);
    assert_eq!(
        change(json!({"visibility": "public"})).status().as_u16(),
        200
    );
    host.set_permissions([]);
    assert_eq!(status(format!("{file}/download")), 200);
    refused(call(raw("more.txt", b"more")), "files:write");
    host.set_permissions(["files:delete"]);
    assert_eq!(
        call(Request::new(Method::DELETE, &file)).status().as_u16(),
        204
    );
}

#[test]
fn lists_come_in_pages() {
    let _host = host();
    for number in 0..5 {
        upload(raw(
            &format!("file-{number}.txt"),
            "x".repeat(5 - number).as_bytes(),
        ));
    }
    upload(raw("cat_1.png", PNG));
    for (sort, first) in [
        ("filename", "cat_1.png"),
        ("-filename", "file-4.txt"),
        ("size", "file-4.txt"),
        ("-size", "cat_1.png"),
    ] {
        let mut seen = Vec::new();
        let mut target = format!("/files?limit=4&sort={sort}");
        loop {
            let page: Value = get(&target).into_json().unwrap();
            let items = page["items"].as_array().unwrap();
            seen.extend(
                items
                    .iter()
                    .map(|file| file["filename"].as_str().unwrap().to_owned()),
            );
            let Some(cursor) = page["next_cursor"].as_str() else {
                break;
            };
            target = format!("/files?limit=4&sort={sort}&cursor={cursor}");
        }
        assert_eq!(seen.len(), 6, "{sort}");
        assert_eq!(seen[0], first, "{sort}");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 6, "{sort}");
    }
    assert_eq!(names("/files?q=CAT_"), ["cat_1.png"]);
    assert!(names("/files?q=cat%25").is_empty());
    assert!(names("/files?q=*").is_empty());
    assert_eq!(names("/files?type=image/"), ["cat_1.png"]);
    assert_eq!(names("/files?visibility=public"), [""; 0]);
    assert_eq!(code(get("/files?sort=owner")).0, 400);
    assert_eq!(
        code(get("/files?cursor=zz")),
        (400, "invalid_cursor".into())
    );
}

#[test]
fn metadata_can_be_changed() {
    let _host = host();
    let first = id(&upload(raw("docs/a.txt", b"a")));
    upload(raw("docs/taken.txt", b"b"));
    let patch = |changes: Value| {
        call(
            Request::new(Method::PATCH, format!("/files/{first}"))
                .with_json(&changes)
                .unwrap(),
        )
    };
    let changed: Value = patch(json!({
        "filename": "b.txt", "description": "about it", "visibility": "public", "tags": ["X", "x"]
    }))
    .into_json()
    .unwrap();
    assert_eq!(changed["path"], "docs/b.txt");
    assert_eq!(changed["description"], "about it");
    assert_eq!(changed["visibility"], "public");
    assert_eq!(changed["tags"], json!(["x"]));
    let cleared: Value = patch(json!({ "description": null })).into_json().unwrap();
    assert_eq!(cleared["description"], Value::Null);
    assert_eq!(cleared["filename"], "b.txt");
    assert_eq!(names("/files?tag=X"), ["b.txt"]);

    assert_eq!(
        code(patch(json!({ "filename": "taken.txt" }))),
        (409, "path_taken".into())
    );
    assert_eq!(
        code(patch(json!({ "filename": "a/b" }))),
        (422, "invalid_path".into())
    );
    assert_eq!(
        code(patch(json!({ "owner_id": "u2" }))),
        (422, "invalid_body".into())
    );
    assert_eq!(
        code(patch(json!({ "folder_id": "f" }))),
        (404, "not_found".into())
    );
}

#[test]
fn the_trash_gives_back_or_forgets() {
    let host = host();
    let file = id(&upload(raw("a.txt", b"a")));
    let delete = |query: &str| {
        call(Request::new(
            Method::DELETE,
            format!("/files/{file}{query}"),
        ))
        .status()
        .as_u16()
    };
    assert_eq!(delete(""), 204);
    assert_eq!(status(format!("/files/{file}")), 404);
    assert_eq!(status(format!("/files/{file}/download")), 404);
    assert!(names("/files").is_empty());
    assert_eq!(names("/files/trash"), ["a.txt"]);
    assert_eq!(host.objects("private").len(), 1);

    let restore = || call(Request::post(format!("/files/{file}/restore"), ""));
    let restored: Value = restore().into_json().unwrap();
    assert_eq!(restored["filename"], "a.txt");
    assert_eq!(names("/files"), ["a.txt"]);

    assert_eq!(delete(""), 204);
    upload(raw("a.txt", b"another"));
    assert_eq!(code(restore()), (409, "path_taken".into()));
    assert_eq!(delete("?permanent=1"), 204);
    assert_eq!(restore().status().as_u16(), 404);
    assert_eq!(host.objects("private").len(), 1);
    let noted = ["trash", "restore", "trash", "delete"];
    let noted = noted.map(|done| format!("object.{done} {file} {{}}"));
    assert_eq!(host.audit(), noted);
}

#[test]
fn the_same_upload_with_the_same_idempotency_key_happens_once() {
    let host = host();
    let send = |bytes: &[u8], key: &str| {
        let request = form(&[("file", Some("a.png"), bytes)]).with_header("idempotency-key", key);
        host.call(&routes(), request)
    };
    let first = send(PNG, "k1");
    assert_eq!(first.status(), StatusCode::CREATED);
    let location = first.header("location").unwrap().to_owned();
    let first: Value = first.into_json().unwrap();
    let again = send(PNG, "k1");
    assert_eq!(again.status(), StatusCode::CREATED);
    assert_eq!(again.header("location"), Some(location.as_str()));
    assert_eq!(again.into_json::<Value>().unwrap(), first);
    let stored = host.objects("private").len();
    assert_eq!(stored, 1, "the bytes of the second call are gone");

    let other = code(send(b"something else", "k1"));
    assert_eq!(other, (422, "idempotency_key_reused".to_owned()));
    assert_eq!(host.objects("private").len(), 1);
    let fresh: Value = send(PNG, "k2").into_json().unwrap();
    assert_eq!(fresh["path"], "a (2).png");

    // Another user's key of the same name is another key.
    host.set_caller(user("u2"));
    let theirs: Value = send(PNG, "k1").into_json().unwrap();
    assert_eq!(theirs["path"], "a.png");
    assert_ne!(theirs["id"], first["id"]);
}

#[test]
fn an_upload_that_failed_frees_its_idempotency_key() {
    let host = host();
    let send = |body: Request| host.call(&routes(), body.with_header("idempotency-key", "k"));
    assert_eq!(code(send(form(&[]))).0, 422);
    let second = send(form(&[("file", Some("a.png"), PNG)]));
    assert_eq!(second.status(), StatusCode::CREATED);
}

#[test]
fn the_description_names_the_routes() {
    atlashub_sdk::testing::assert_described(&routes(), env!("CARGO_MANIFEST_DIR"));
}

#[test]
fn a_part_of_a_name_is_found_in_any_case_and_script() {
    let _host = host();
    for name in ["Übersicht.txt", "ФАЙЛ.md", "[a]*?^.c", "Straße"] {
        let sent = raw(&atlashub_sdk::http::encoded(name), b"x");
        assert_eq!(call(sent).status().as_u16(), 201, "{name}");
    }
    for (part, name) in [
        ("über", "Übersicht.txt"),
        ("ÜBERS", "Übersicht.txt"),
        ("файл", "ФАЙЛ.md"),
        ("[A]*?^", "[a]*?^.c"),
        ("STRAß", "Straße"),
    ] {
        let part = atlashub_sdk::http::encoded(part);
        assert_eq!(names(&format!("/files?q={part}")), [name], "{part}");
    }
}

#[test]
fn a_server_stores_and_finds_in_the_name_of_a_user_and_nobody_else_does() {
    let mary = users::User {
        id: "01900000-0000-7000-8000-000000000001".to_owned(),
        email: Some("mary@example.com".to_owned()),
        ..users::User::default()
    };
    let id = mary.id.clone();
    let host = host()
        .with_user(mary)
        .with_caller(Caller::new(CallerKind::SecretKey, "k"));
    for named in [id.as_str(), "mary%40example.com"] {
        let made = call(raw("a.txt", b"1").with_header("file-owner", named));
        let made: Value = made.into_json().unwrap();
        assert_eq!(made["owner_id"], id, "{made}");
    }
    let found: Value = get("/files/at?path=a.txt&owner=mary@example.com")
        .into_json()
        .unwrap();
    assert_eq!(found["file"]["version"], 2, "{found}");
    assert_eq!(status("/files/at?path=a.txt"), 404);
    let unknown = raw("a.txt", b"1").with_header("file-owner", "joe@example.com");
    assert_eq!(code(call(unknown)), (422, "unknown_user".to_owned()));
    let _host = host.with_caller(user("u1"));
    let others = raw("a.txt", b"1").with_header("file-owner", id.as_str());
    assert_eq!(code(call(others)), (403, "forbidden".to_owned()));
    assert_eq!(status("/files/at?path=a.txt&owner=mary@example.com"), 403);
}
