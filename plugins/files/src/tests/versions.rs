//! Versions, bytes that are shared, and what counts.

use super::drive::*;
use atlashub_sdk::{Method, Request};
use serde_json::{Value, json};

fn put(id: &str, bytes: &[u8]) -> Request {
    Request::new(Method::PUT, format!("/files/{id}/content")).with_body(bytes.to_vec())
}

fn bytes(target: String) -> Vec<u8> {
    let response = get(target);
    assert_eq!(response.status().as_u16(), 200);
    response.into_bytes().unwrap()
}

/// The status and the code of a refusal, or 201 and the file.
fn store_if(path: &str, text: &str, condition: (&str, &str)) -> (u16, Value) {
    let request = Request::post("/files/upload", text).with_header("file-path", path);
    let response = call(request.with_header(condition.0, condition.1));
    (response.status().as_u16(), response.into_json().unwrap())
}

#[test]
fn a_body_is_stored_only_over_what_was_named() {
    let host = host();
    let (status, first) = store_if("d/a.txt", "one", ("if-none-match", "*"));
    assert_eq!(status, 201);
    let (status, refusal) = store_if("d/a.txt", "two", ("if-none-match", "*"));
    assert_eq!(
        (status, &refusal["code"]),
        (412, &json!("precondition_failed"))
    );
    assert_eq!(refusal["detail"], "there is one already");
    let (status, refusal) = store_if("d/b.txt", "two", ("if-match", "*"));
    assert_eq!(status, 412);
    assert_eq!(refusal["detail"], "it is not there any more");
    assert_eq!(used(), 3);
    let known = first["etag"].as_str().unwrap();
    let (status, second) = store_if("d/a.txt", "two", ("if-match", known));
    assert_eq!((status, &second["version"]), (201, &json!(2)));
    assert_eq!(second["id"], first["id"]);
    assert_eq!(store_if("d/a.txt", "three", ("if-match", known)).0, 412);
    // Refused before a byte is stored.
    assert_eq!(host.objects("private").len(), 2);
    // The same call once more is answered as it was, and not refused.
    let again = || {
        let request = Request::post("/files/upload", "once").with_header("file-path", "once.txt");
        let request = request.with_header("if-none-match", "*");
        call(request.with_header("idempotency-key", "k1"))
    };
    assert_eq!(again().status().as_u16(), 201);
    assert_eq!(again().status().as_u16(), 201);
}

#[test]
fn a_file_is_deleted_only_as_it_was_seen() {
    let _host = host();
    let file = upload("a.txt", b"one");
    let id = id(&file);
    let first = file["etag"].as_str().unwrap();
    let second = ok(call(put(&id, b"two")));
    let second = second["etag"].as_str().unwrap();
    for how in ["", "?permanent=1"] {
        let delete = |etag: &str| {
            let request = Request::new(Method::DELETE, format!("/files/{id}{how}"));
            call(request.with_header("if-match", etag))
        };
        assert_eq!(refused(delete(first)), (412, "precondition_failed".into()));
        assert_eq!(delete(second).status().as_u16(), 204);
    }
    assert_eq!(used(), 0);
}

#[test]
fn what_a_file_was_can_be_had_again() {
    let host = host();
    let file = upload("a.txt", b"one");
    let id = id(&file);
    let second = ok(call(
        put(&id, b"second").with_header("if-match", file["etag"].as_str().unwrap()),
    ));
    assert_eq!(
        (&second["version"], &second["size"]),
        (&json!(2), &json!(6))
    );
    let stale = call(put(&id, b"stale").with_header("if-match", file["etag"].as_str().unwrap()));
    assert_eq!(refused(stale), (412, "precondition_failed".into()));
    assert_eq!(used(), 9);

    let versions = read(format!("/files/{id}/versions"));
    let numbers: Vec<&Value> = versions["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| &v["version"])
        .collect();
    assert_eq!(numbers, [2, 1]);
    assert_eq!(versions["items"][0]["current"], true);
    assert_eq!(versions["items"][1]["sha256"], file["sha256"]);
    assert_eq!(versions["items"][1]["created_by"], "u1");
    assert_eq!(bytes(format!("/files/{id}/download?version=1")), b"one");
    assert_eq!(
        get(format!("/files/{id}/download?version=9"))
            .status()
            .as_u16(),
        404
    );

    let restored = ok(post(format!("/files/{id}/versions/1/restore"), json!({})));
    assert_eq!(
        (&restored["version"], &restored["sha256"]),
        (&json!(3), &file["sha256"])
    );
    assert_eq!(bytes(format!("/files/{id}/download")), b"one");
    assert_eq!(bytes(format!("/files/{id}/download?version=2")), b"second");
    assert_eq!(used(), 12);
    assert_eq!(host.objects("private").len(), 2);
    assert_eq!(
        refused(post(format!("/files/{id}/versions/7/restore"), json!({}))).0,
        404
    );
}

#[test]
fn former_versions_are_kept_in_number_and_their_bytes_go_with_them() {
    let host = host().with_config("versions_keep", 2);
    let id = id(&upload("a.txt", b"0"));
    for text in ["11", "222", "3333"] {
        let _ = ok(call(put(&id, text.as_bytes())));
    }
    let versions = read(format!("/files/{id}/versions"));
    assert_eq!(versions["items"].as_array().unwrap().len(), 3);
    assert_eq!(
        get(format!("/files/{id}/download?version=1"))
            .status()
            .as_u16(),
        404
    );
    assert_eq!(used(), 9);
    assert_eq!(host.objects("private").len(), 3);
}

#[test]
fn without_former_versions_only_the_present_one_counts() {
    let host = host()
        .with_config("versions_keep", 0)
        .with_config("user_quota_bytes", 10);
    let id = id(&upload("a.txt", b"12345678"));
    let _ = ok(call(put(&id, b"123456789")));
    assert_eq!(used(), 9);
    assert_eq!(host.objects("private").len(), 1);
}

#[test]
fn equal_bytes_are_stored_once_and_counted_for_everybody() {
    let host = host();
    let one = id(&upload("one", b"the same"));
    let two = id(&upload("two", b"the same"));
    assert_eq!(host.objects("private").len(), 1);
    assert_eq!(used(), 16);
    let sha256 = read(format!("/files/{one}"))["sha256"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(each(format!("/files?sha256={sha256}"), "id").len(), 2);
    host.set_caller(user("u2"));
    assert!(each(format!("/files?sha256={sha256}"), "id").is_empty());
    let theirs = id(&upload("three", b"the same"));
    assert_eq!((host.objects("private").len(), used()), (1, 8));
    host.set_caller(user("u1"));
    for file in [&one, &two] {
        assert_eq!(
            delete(format!("/files/{file}?permanent=1"))
                .status()
                .as_u16(),
            204
        );
    }
    assert_eq!((host.objects("private").len(), used()), (1, 0));
    host.set_caller(user("u2"));
    assert_eq!(bytes(format!("/files/{theirs}/download")), b"the same");
    assert_eq!(
        delete(format!("/files/{theirs}?permanent=1"))
            .status()
            .as_u16(),
        204
    );
    assert!(host.objects("private").is_empty());
    // The same bytes again are a new object.
    let again = id(&upload("four", b"the same"));
    assert_eq!(bytes(format!("/files/{again}/download")), b"the same");
}

#[test]
fn a_user_has_so_much_room() {
    let host = host().with_config("user_quota_bytes", 10);
    let first = id(&upload("a", b"123456"));
    let over = call(Request::post("/files/upload", "12345").with_header("file-path", "b"));
    assert_eq!(over.status().as_u16(), 413);
    let problem: Value = over.into_json().unwrap();
    assert_eq!(problem["code"], "quota_exceeded");
    assert_eq!(problem["limit_bytes"], 10);
    assert_eq!(problem["used_bytes"], 6);
    assert_eq!(problem["requested_bytes"], 5);
    assert_eq!(host.objects("private").len(), 1);
    assert_eq!(refused(call(put(&first, b"12345"))).0, 413);
    let _ = upload("b", b"1234");
    assert_eq!(
        read("/users/me/quota"),
        json!({"limit_bytes": 10, "used_bytes": 10, "available_bytes": 0, "entries": 2})
    );
    // The trash counts until it is emptied.
    assert_eq!(delete(format!("/files/{first}")).status().as_u16(), 204);
    assert_eq!(used(), 10);
    assert_eq!(
        delete(format!("/files/{first}?permanent=1"))
            .status()
            .as_u16(),
        204
    );
    assert_eq!(used(), 4);
    host.set_caller(atlashub_sdk::Caller::new(
        atlashub_sdk::identity::CallerKind::SecretKey,
        "k1",
    ));
    let _ = upload("c", b"12345678901234567890");
    let quota = read("/users/me/quota");
    assert_eq!(
        (&quota["limit_bytes"], &quota["used_bytes"]),
        (&Value::Null, &json!(20))
    );
}

#[test]
fn the_projects_limit_for_users_goes_before_the_plugins() {
    let told = "atlashub.user_storage_bytes";
    let host = host()
        .with_config("user_quota_bytes", 10)
        .with_config(told, 12);
    let _ = upload("a", b"12345678901");
    let over = call(Request::post("/files/upload", "12").with_header("file-path", "b"));
    let problem: Value = over.into_json().unwrap();
    assert_eq!(
        (
            &problem["limit_bytes"],
            &problem["used_bytes"],
            &problem["requested_bytes"]
        ),
        (&json!(12), &json!(11), &json!(2))
    );
    assert_eq!(read("/users/me/quota")["available_bytes"], 1);
    // It is less than what is there already: nothing is lost, and nothing
    // more fits.
    let _host = host.with_config(told, 5);
    let over = call(Request::post("/files/upload", "1").with_header("file-path", "b"));
    assert_eq!(refused(over), (413, "quota_exceeded".into()));
    assert_eq!(read("/users/me/quota")["available_bytes"], 0);
}

#[test]
fn a_sweep_deletes_what_is_due() {
    let host = host()
        .with_config("trash_days", 0)
        .with_config("versions_days", 0);
    let file = id(&upload("a/one", b"1"));
    let _ = upload("a/two", b"22");
    let _ = ok(call(put(&file, b"333")));
    let folder = each("/folders", "id").remove(0);
    let sweep = || call(Request::post("/files/sweep", ""));
    assert_eq!(refused(sweep()), (403, "permission_needed".into()));
    host.set_permissions([
        "files:read",
        "files:write",
        "files:delete",
        "files:maintain",
    ]);
    assert_eq!(delete(format!("/folders/{folder}")).status().as_u16(), 204);
    let swept = ok(sweep());
    assert_eq!(swept["files"], 2, "{swept}");
    assert!(host.objects("private").is_empty());
    assert_eq!(read("/users/me/quota")["entries"], 0);
}

#[test]
fn what_happened_to_a_file_is_told_to_its_owner() {
    let host = host();
    let file = id(&upload("a", b"1"));
    let _ = ok(call(put(&file, b"2")));
    let _ = ok(patch(format!("/files/{file}"), json!({"filename": "b"})));
    assert_eq!(
        each(format!("/files/{file}/activity"), "action"),
        ["object.change", "object.replace", "object.upload"]
    );
    let page = read(format!("/files/{file}/activity?limit=2"));
    assert_eq!(page["items"][0]["actor_id"], "u1");
    let next = page["next_cursor"].as_str().unwrap();
    assert_eq!(
        each(format!("/files/{file}/activity?cursor={next}"), "action"),
        ["object.upload"]
    );
    host.set_caller(user("u2"));
    assert_eq!(
        get(format!("/files/{file}/activity")).status().as_u16(),
        404
    );
}
