//! Files and folders by their paths: found, moved, copied.

use super::drive::*;
use serde_json::{Value, json};

fn at(path: &str) -> Value {
    read(format!("/files/at?path={path}"))
}

fn go(what: &str, from: &str, to: &str, replace: bool) -> Response {
    let wish = json!({"from": from, "to": to, "replace": replace});
    post(format!("/files/{what}"), wish)
}

use atlashub_sdk::prelude::Response;

#[test]
fn a_path_leads_to_a_file_or_a_folder_of_ones_own() {
    let host = host();
    let file = upload("a/ü.txt", b"x");
    assert_eq!(at("a/%C3%BC.txt")["file"]["id"], file["id"]);
    let folder = at("/a/");
    assert_eq!(
        (&folder["kind"], &folder["folder"]["path"]),
        (&json!("folder"), &json!("a"))
    );
    assert_eq!(at("")["folder"], Value::Null);
    assert_eq!(refused(get("/files/at?path=b")).0, 404);
    host.set_caller(user("u2"));
    assert_eq!(refused(get("/files/at?path=a")).0, 404);
}

#[test]
fn what_moves_keeps_its_id_and_takes_along_what_lies_in_it() {
    let _host = host();
    let file = upload("a/b/c.txt", b"c");
    let _ = upload("z/y", b"y");
    let moved = ok(go("move", "a/b", "z/b", false));
    assert_eq!(moved["replaced"], false);
    assert_eq!(at("z/b/c.txt")["file"]["id"], file["id"]);
    let moved = ok(go("move", "z/b/c.txt", "d.txt", false));
    assert_eq!(moved["file"]["id"], file["id"]);
    assert_eq!(moved["file"]["folder_id"], Value::Null);
    assert_eq!(
        refused(go("move", "d.txt", "none/d.txt", false)),
        (409, "folder_missing".into())
    );
    assert_eq!(
        refused(go("move", "d.txt", "z/y", false)),
        (409, "path_taken".into())
    );
    assert_eq!(
        refused(go("move", "z", "z/b/z", true)),
        (409, "folder_cycle".into())
    );
    assert_eq!(
        refused(go("move", "z/b", "z", true)),
        (409, "folder_cycle".into())
    );
    assert_eq!(
        refused(go("copy", "z", "z", true)),
        (409, "same_path".into())
    );
    assert_eq!(refused(go("move", "none", "z/n", false)).0, 404);
}

#[test]
fn a_file_over_a_file_becomes_its_next_version() {
    let host = host();
    let (old, new) = (upload("a.txt", b"old"), upload("a.tmp", b"newer"));
    let moved = ok(go("move", "a.tmp", "a.txt", true));
    assert_eq!(moved["file"]["id"], old["id"]);
    assert_eq!(
        (&moved["replaced"], &moved["file"]["version"]),
        (&json!(true), &json!(2))
    );
    assert_eq!(moved["copies"][0], json!([new["id"], old["id"]]));
    assert_eq!(refused(get("/files/at?path=a.tmp")).0, 404);
    let path = format!("/files/{}/download", id(&old));
    assert_eq!(get(path).into_bytes().unwrap(), b"newer");
    // Nothing is left of what it came from but the bytes, which count once.
    assert_eq!(used(), 8);
    assert!(each("/files/trash", "id").is_empty());
    assert_eq!(host.objects("private").len(), 2);
    let path = format!("/files/{}/versions/1/restore", id(&old));
    let _ = ok(post(path, json!({})));
    assert_eq!(at("a.txt")["file"]["size"], 3);
}

#[test]
fn a_copy_shares_the_bytes_and_goes_its_own_way() {
    let host = host();
    let file = upload("a/b/c.txt", b"bytes");
    let _ = upload("a/d.txt", b"bytes");
    let _ = folder("e", None);
    let copied = ok(go("copy", "a", "e/a", false));
    assert_eq!(copied["copies"].as_array().unwrap().len(), 4);
    let copy = at("e/a/b/c.txt");
    assert_ne!(copy["file"]["id"], file["id"]);
    assert_eq!(host.objects("private").len(), 1);
    assert_eq!(used(), 20);
    let _ = delete(format!("/files/{}?permanent=1", id(&file)));
    let path = format!("/files/{}/download", id(&copy["file"]));
    assert_eq!(get(path).into_bytes().unwrap(), b"bytes");
    let shallow = json!({"from": "e", "to": "f", "shallow": true});
    let _ = ok(post("/files/copy", shallow));
    assert_eq!(refused(get("/files/at?path=f/a")).0, 404);
}

#[test]
fn what_gives_way_goes_to_the_trash() {
    let host = host();
    let _ = (upload("a/x", b"1"), upload("b/y", b"2"), upload("c", b"3"));
    let replaced = ok(go("copy", "a", "b", true));
    assert_eq!(replaced["replaced"], true);
    assert_eq!(refused(get("/files/at?path=b/y")).0, 404);
    assert_eq!(at("b/x")["kind"], "file");
    assert_eq!(each("/folders/trash", "path"), ["b"]);
    let _ = ok(go("move", "b", "c", true));
    assert_eq!(each("/files/trash", "path"), ["c"]);
    assert_eq!(at("c/x")["kind"], "file");
    host.set_permissions(["files:read", "files:write"]);
    assert_eq!(refused(go("copy", "a", "c", true)).0, 403);
    host.set_permissions(["files:read"]);
    assert_eq!(refused(go("move", "a", "d", false)).0, 403);
}
