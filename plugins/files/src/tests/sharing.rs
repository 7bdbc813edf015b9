//! Roles of others, and links for those who are nobody.

use super::drive::*;
use atlashub_sdk::{identity::CallerKind, prelude::*, testing::TestHost};
use serde_json::{Value, json};

fn grant(kind: &str, id: &str, body: Value) -> Response {
    post(format!("/{kind}/{id}/permissions"), body)
}

fn status(response: Response) -> u16 {
    response.status().as_u16()
}

#[test]
fn a_role_allows_what_it_says_and_no_more() {
    let host = host();
    let file = id(&upload("a.txt", b"mine"));
    let one = |method: Method, path: &str, body: Value| {
        status(send(method, format!("/files/{file}{path}"), &body))
    };
    let everything = |host: &TestHost| {
        host.set_caller(user("u2"));
        let put =
            call(Request::new(Method::PUT, format!("/files/{file}/content")).with_body("theirs"));
        let all = [
            one(Method::GET, "", json!(null)),
            one(Method::GET, "/download", json!(null)),
            one(Method::GET, "/versions", json!(null)),
            status(put),
            one(Method::PATCH, "", json!({"description": "x"})),
            one(
                Method::POST,
                "/permissions",
                json!({"user": "u3", "role": "viewer"}),
            ),
            one(Method::POST, "/share", json!({})),
            one(Method::DELETE, "?permanent=1", json!(null)),
        ];
        host.set_caller(user("u1"));
        all
    };
    assert_eq!(everything(&host), [404; 8]);
    let viewer = ok(grant(
        "files",
        &file,
        json!({"handle": "@h-u2", "role": "viewer"}),
    ));
    assert_eq!(
        (&viewer["user_id"], &viewer["handle"]),
        (&json!("u2"), &json!("h-u2"))
    );
    assert_eq!(everything(&host), [200, 200, 200, 403, 403, 403, 403, 403]);
    let _ = ok(grant(
        "files",
        &file,
        json!({"email": "u2@example.com", "role": "editor"}),
    ));
    assert_eq!(everything(&host), [200, 200, 200, 200, 200, 403, 403, 403]);
    let _ = ok(grant(
        "files",
        &file,
        json!({"user": "u2", "role": "admin"}),
    ));
    assert_eq!(everything(&host), [200, 200, 200, 200, 200, 201, 201, 403]);
    assert_eq!(
        each(format!("/files/{file}/permissions"), "user_id"),
        ["u2", "u3"]
    );
    assert_eq!(status(delete(format!("/files/{file}/permissions/u2"))), 204);
    assert_eq!(everything(&host), [404; 8]);
    // What u2 put there counts for the owner.
    assert!(used() > 4);
    host.set_caller(user("u2"));
    assert_eq!(used(), 0);
}

#[test]
fn a_folders_roles_hold_for_all_that_lies_in_it() {
    let host = host();
    let file = id(&upload("a/b/c.txt", b"x"));
    let a = each("/folders", "id").remove(0);
    let b = each(format!("/folders?parent_id={a}"), "id").remove(0);
    let _ = ok(grant(
        "folders",
        &a,
        json!({"user": "u2", "role": "editor"}),
    ));
    host.set_caller(user("u2"));
    assert_eq!(each("/folders/shared-with-me", "id"), [a.as_str()]);
    assert_eq!(
        read("/folders/shared-with-me")["items"][0]["role"],
        "editor"
    );
    assert_eq!(each(format!("/folders?parent_id={a}"), "id"), [b.as_str()]);
    assert_eq!(each(format!("/files?folder_id={b}"), "id"), [file.as_str()]);
    // What an editor adds belongs to the folder's owner.
    let added = ok(upload_into(&b, "new.txt", b"12345"));
    assert_eq!(
        (&added["owner_id"], &added["path"]),
        (&json!("u1"), &json!("a/b/new.txt"))
    );
    let made = ok(post("/folders", json!({"name": "sub", "parent_id": b})));
    assert_eq!(made["owner_id"], "u1");
    // Within what is shared one may move, not out of it.
    let within = patch(format!("/files/{file}"), json!({"folder_id": a}));
    assert_eq!(ok(within)["path"], "a/c.txt");
    let out = patch(format!("/files/{file}"), json!({"folder_id": null}));
    assert_eq!(refused(out), (403, "role_needed".into()));
    assert_eq!(status(delete(format!("/folders/{b}"))), 204);
    assert_eq!(status(delete(format!("/folders/{a}?permanent=1"))), 403);
    host.set_caller(user("u1"));
    assert_eq!(used(), 6);
    // Whoever has a role may give it up.
    host.set_caller(user("u2"));
    assert_eq!(status(delete(format!("/folders/{a}/permissions/u2"))), 204);
    assert_eq!(status(get(format!("/files/{file}"))), 404);
}

#[test]
fn shared_files_are_listed_until_they_are_gone() {
    let host = host();
    let mut files = Vec::new();
    for name in ["a", "b", "c"] {
        let file = id(&upload(name, b"x"));
        let _ = ok(grant(
            "files",
            &file,
            json!({"user": "u2", "role": "viewer"}),
        ));
        files.push(file);
    }
    assert_eq!(status(delete(format!("/files/{}", files[1]))), 204);
    host.set_caller(user("u2"));
    let first = read("/files/shared-with-me?limit=1");
    let next = first["next_cursor"].as_str().unwrap();
    assert_eq!(first["items"][0]["shared_by"], "u1");
    let second = read(format!("/files/shared-with-me?limit=1&cursor={next}"));
    let mut seen = [id(&first["items"][0]), id(&second["items"][0])];
    seen.sort();
    assert_eq!(seen, [files[0].as_str(), &files[2]]);
    assert_eq!(second["next_cursor"], Value::Null);
}

#[test]
fn a_role_is_for_a_user_who_is_there() {
    let _host = host();
    let file = id(&upload("a", b"x"));
    for (body, code) in [
        (
            json!({"email": "x@example.com", "role": "viewer"}),
            (404, "user_not_found"),
        ),
        (
            json!({"user": "u1", "role": "viewer"}),
            (422, "user_is_owner"),
        ),
        (
            json!({"user": "u2", "role": "owner"}),
            (422, "invalid_role"),
        ),
        (json!({"role": "viewer"}), (422, "invalid_body")),
        (
            json!({"user": "u2", "email": "a@b", "role": "viewer"}),
            (422, "invalid_body"),
        ),
    ] {
        assert_eq!(
            refused(grant("files", &file, body)),
            (code.0, code.1.into())
        );
    }
}

fn share(kind: &str, id: &str, body: Value) -> (String, Value) {
    let link = ok(post(format!("/{kind}/{id}/share"), body));
    (link["token"].as_str().unwrap().to_owned(), link)
}

fn nobody(host: &TestHost) {
    host.set_caller(Caller::default());
}

#[test]
fn whoever_has_a_link_reads_until_it_ends() {
    let host = host();
    let file = id(&upload("a.txt", b"secret"));
    let (token, link) = share("files", &file, json!({"permission": "read"}));
    assert_eq!(link["url"], format!("http://test.localhost/share/{token}"));
    assert_eq!(token.len(), 64);
    nobody(&host);
    let shown = read(format!("/share/{token}"));
    assert_eq!(
        (&shown["filename"], &shown["size"]),
        (&json!("a.txt"), &json!(6))
    );
    assert!(shown.get("owner_id").is_none() && shown.get("path").is_none());
    let download = get(format!("/share/{token}/download"));
    assert_eq!(download.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(download.into_bytes().unwrap(), b"secret");
    let part =
        call(Request::get(format!("/share/{token}/download")).with_header("range", "bytes=0-1"));
    assert_eq!(part.into_bytes().unwrap(), b"se");
    assert_eq!(status(get(format!("/share/{}", "0".repeat(64)))), 404);
    assert_eq!(status(get(format!("/files/{file}"))), 401);
    host.set_caller(user("u1"));
    let links = read(format!("/files/{file}/share"));
    assert_eq!(links["items"][0]["downloads"], 2);
    assert!(links["items"][0].get("token").is_none());
    assert!(
        each(format!("/files/{file}/activity"), "action").contains(&"share.download".to_owned())
    );
    assert_eq!(status(delete(format!("/files/{file}/share/{token}"))), 204);
    assert_eq!(status(get(format!("/share/{token}"))), 404);
}

#[test]
fn a_limit_of_downloads_is_kept_and_parts_are_not_sold_apart() {
    let host = host();
    let file = id(&upload("a.txt", b"secret"));
    let (token, _) = share("files", &file, json!({"max_downloads": 2}));
    nobody(&host);
    assert_eq!(read(format!("/share/{token}"))["downloads_left"], 2);
    let part =
        call(Request::get(format!("/share/{token}/download")).with_header("range", "bytes=1-"));
    assert_eq!(part.into_bytes().unwrap(), b"secret");
    let head = call(Request::new(
        Method::HEAD,
        format!("/share/{token}/download"),
    ));
    assert_eq!(status(head), 200);
    assert_eq!(status(get(format!("/share/{token}/download"))), 200);
    let over = get(format!("/share/{token}/download"));
    assert_eq!(refused(over), (410, "share_ended".into()));
    assert_eq!(read(format!("/share/{token}"))["downloads_left"], 0);
}

#[test]
fn a_password_is_asked_for_and_cannot_be_guessed() {
    let host = host();
    let file = id(&upload("a.txt", b"secret"));
    let (token, link) = share("files", &file, json!({"password": "öffne dich"}));
    assert_eq!(link["has_password"], true);
    nobody(&host);
    let with = |password: &str| {
        call(
            Request::get(format!("/share/{token}/download"))
                .with_header("share-password", password),
        )
    };
    assert_eq!(
        refused(get(format!("/share/{token}"))),
        (401, "share_password_required".into())
    );
    assert_eq!(refused(with("x")), (401, "share_password_wrong".into()));
    assert_eq!(status(with("%C3%B6ffne%20dich")), 200);
    let form = Request::post(
        format!("/share/{token}/download"),
        "password=%C3%B6ffne+dich",
    );
    assert_eq!(status(call(form)), 200);
    assert_eq!(
        status(post(
            format!("/share/{token}/download"),
            json!({"password": "öffne dich"})
        )),
        200
    );
    for _ in 0..10 {
        assert_eq!(refused(with("x")).0, 401);
    }
    // From here on not even the right one.
    let resting = with("%C3%B6ffne%20dich");
    assert!(resting.header("retry-after").is_some());
    assert_eq!(refused(resting), (429, "too_many_tries".into()));
}

#[test]
fn a_link_ends_when_it_should() {
    let host = host();
    let file = id(&upload("a.txt", b"secret"));
    let past = post(
        format!("/files/{file}/share"),
        json!({"expires_at": "2020-01-01T00:00:00Z"}),
    );
    assert_eq!(refused(past), (422, "invalid_share".into()));
    let (token, link) = share(
        "files",
        &file,
        json!({"expires_at": "2999-01-01T00:00:00Z"}),
    );
    assert_eq!(link["expires_at"], "2999-01-01T00:00:00Z");
    assert_eq!(status(get(format!("/share/{token}/download"))), 200);
    assert_eq!(status(delete(format!("/files/{file}"))), 204);
    assert_eq!(status(get(format!("/share/{token}"))), 404);
    let _ = ok(post(format!("/files/{file}/restore"), json!({})));
    assert_eq!(status(get(format!("/share/{token}"))), 200);
    assert_eq!(status(delete(format!("/files/{file}?permanent=1"))), 204);
    nobody(&host);
    assert_eq!(status(get(format!("/share/{token}"))), 404);
    for body in [
        json!({"max_downloads": 0}),
        json!({"permission": "upload"}),
        json!({"expires_at": "soon"}),
    ] {
        host.set_caller(user("u1"));
        let other = id(&upload("b.txt", b"y"));
        assert_eq!(refused(post(format!("/files/{other}/share"), body)).0, 422);
    }
}

#[test]
fn a_folders_link_shows_its_files_and_no_others() {
    let host = host();
    let inside = id(&upload("a/b/in.txt", b"in"));
    let outside = id(&upload("ab/out.txt", b"out"));
    let a = each("/folders", "id").remove(0);
    let (token, _) = share("folders", &a, json!({}));
    nobody(&host);
    assert_eq!(read(format!("/share/{token}"))["kind"], "folder");
    assert_eq!(each(format!("/share/{token}/files"), "path"), ["b/in.txt"]);
    let bytes = get(format!("/share/{token}/download?file={inside}"));
    assert_eq!(bytes.into_bytes().unwrap(), b"in");
    assert_eq!(
        status(get(format!("/share/{token}/download?file={outside}"))),
        404
    );
    let upload = Request::post(format!("/share/{token}/upload"), "x").with_header("file-path", "x");
    assert_eq!(status(call(upload)), 403);
}

#[test]
fn an_upload_link_takes_and_shows_nothing() {
    let host = host();
    let inbox = folder("inbox", None);
    let (token, _) = share(
        "folders",
        &inbox,
        json!({"permission": "upload", "max_downloads": 3}),
    );
    nobody(&host);
    let send = |name: &str| {
        let request = Request::post(format!("/share/{token}/upload"), name.as_bytes().to_vec());
        call(request.with_header("file-path", name))
    };
    assert_eq!(ok(send("../../a.txt"))[0]["filename"], "a.txt");
    assert_eq!(ok(send("a.txt"))[0]["filename"], "a (2).txt");
    // What is refused uses nothing up.
    assert_eq!(refused(send("..")).0, 422);
    assert_eq!(status(send("b")), 201);
    assert_eq!(refused(send("c")), (410, "share_ended".into()));
    for path in ["download", "files"] {
        assert_eq!(status(get(format!("/share/{token}/{path}"))), 403, "{path}");
    }
    host.set_caller(user("u1"));
    assert_eq!(
        each(
            format!("/files?folder_id={inbox}&sort=filename"),
            "filename"
        ),
        ["a (2).txt", "a.txt", "b"]
    );
    assert_eq!(used(), 17);
}

#[test]
fn many_are_looked_up_at_once_and_nobody_learns_more_than_one_by_one() {
    let host = host();
    let (one, two) = (id(&upload("a.txt", b"one")), id(&upload("b.txt", b"two")));
    let look = |ids: &[&str]| post("/files/lookup", json!({ "ids": ids }));
    let names = |answer: Response| -> Vec<String> {
        let items = ok(answer)["items"].take();
        let items = items.as_array().unwrap().iter();
        items
            .map(|file| file["filename"].as_str().unwrap().into())
            .collect()
    };
    assert_eq!(names(look(&[&two, "unknown", &one])), ["b.txt", "a.txt"]);
    host.set_caller(user("u2"));
    assert_eq!(names(look(&[&two, &one])), Vec::<String>::new());
    host.set_caller(user("u1"));
    let shared = grant("files", &one, json!({"user": "u2", "role": "viewer"}));
    assert_eq!(status(shared), 201);
    let _ = ok(patch(
        format!("/files/{two}"),
        json!({"visibility": "public"}),
    ));
    host.set_caller(user("u2"));
    assert_eq!(names(look(&[&two, &one])), ["b.txt", "a.txt"]);
    // What is public is everybody's; who may know of nothing else is refused.
    host.set_caller(Caller::default());
    assert_eq!(names(look(&[&two])), ["b.txt"]);
    assert_eq!(status(look(&[&two, &one])), 401);
    assert_eq!(status(look(&[&two, "unknown"])), 401);
    host.set_caller(user("u2"));
    let many = vec!["x"; 101];
    assert_eq!(refused(look(&many)), (422, "too_many_ids".into()));
}

#[test]
fn reading_what_is_anothers_is_in_the_audit_once() {
    let host = host();
    let file = id(&upload("a.txt", b"mine"));
    ok(grant(
        "files",
        &file,
        json!({"user": "u2", "role": "viewer"}),
    ));
    let noted = |host: &TestHost| {
        let audit = host.audit();
        let reads = audit
            .iter()
            .filter(|event| event.starts_with("object.read"));
        reads.cloned().collect::<Vec<_>>()
    };
    let download = || status(get(format!("/files/{file}/download")));
    assert_eq!(download(), 200);
    assert!(noted(&host).is_empty(), "the owner's own");
    host.set_caller(user("u3"));
    assert_eq!(download(), 404);
    assert!(noted(&host).is_empty(), "nobody read it");
    host.set_caller(user("u2"));
    for _ in 0..3 {
        assert_eq!(download(), 200);
    }
    assert_eq!(noted(&host), [format!("object.read {file} {{}}")]);
}

#[test]
fn making_a_file_public_and_private_again_is_in_the_audit() {
    let host = host();
    let file = id(&upload("a.txt", b"mine"));
    let change = |body: Value| status(send(Method::PATCH, format!("/files/{file}"), &body));
    assert_eq!(change(json!({"description": "x"})), 200);
    assert_eq!(change(json!({"visibility": "public"})), 200);
    assert_eq!(change(json!({"visibility": "public"})), 200);
    // What everybody may read is read by nobody in particular.
    host.set_caller(user("u2"));
    assert_eq!(status(get(format!("/files/{file}/download"))), 200);
    host.set_caller(user("u1"));
    assert_eq!(change(json!({"visibility": "private"})), 200);
    let noted = ["publish", "hide"].map(|done| format!("object.{done} {file} {{}}"));
    assert_eq!(host.audit(), noted);
}

#[test]
fn links_and_roles_of_users_who_are_no_more_end() {
    let host = host();
    let file = id(&upload("a.txt", b"mine"));
    let (token, _) = share("files", &file, json!({}));
    // Somebody made links and has a role, and is deleted: the host knows no `u9`.
    let (orphan, _) = share("files", &file, json!({}));
    for statement in [
        "UPDATE files.shares SET created_by = 'u9' WHERE id = (SELECT max(id) FROM files.shares)",
        "INSERT INTO files.permissions (id, subject, kind, user_id, role, granted_by, created_at) \
         VALUES ('p9', 'f', 'file', 'u9', 'viewer', NULL, 1), ('p2', 'f', 'file', 'u2', 'viewer', NULL, 1)",
    ] {
        sql::execute(statement, params![]).unwrap();
    }
    nobody(&host);
    assert_eq!(status(get(format!("/share/{token}"))), 200);
    assert_eq!(
        refused(get(format!("/share/{orphan}"))),
        (404, "not_found".into())
    );
    let left: i64 = sql::query_one("SELECT count(*) FROM files.shares", params![]).unwrap();
    assert_eq!(left, 1);
    host.set_permissions(["files:maintain"]);
    host.set_caller(Caller::new(CallerKind::SecretKey, "k"));
    assert_eq!(status(post("/files/sweep", json!({}))), 200);
    let roles: Vec<String> = sql::query("SELECT id FROM files.permissions", params![]).unwrap();
    assert_eq!(roles, ["p2"]);
    // A key that is gone is no user: what it made stays.
    sql::execute(
        "UPDATE files.shares SET created_by = 'k9', by_user = 0",
        params![],
    )
    .unwrap();
    nobody(&host);
    assert_eq!(status(get(format!("/share/{token}"))), 200);
}
