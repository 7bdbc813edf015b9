//! Folders: made, listed, moved, thrown away and taken back.

use super::drive::{self, *};
use serde_json::{Value, json};

#[test]
fn a_path_makes_the_folders_on_its_way() {
    let _host = host();
    let file = upload("a/b/c.txt", b"c");
    assert_eq!(each("/folders", "path"), ["a"]);
    let a = each("/folders", "id").remove(0);
    assert_eq!(each(format!("/folders?parent_id={a}"), "path"), ["a/b"]);
    let b = each(format!("/folders?parent_id={a}"), "id").remove(0);
    assert_eq!(file["folder_id"], b);
    assert_eq!(upload("a/b/d.txt", b"d")["folder_id"], b);
    assert_eq!(
        each(format!("/files?folder_id={b}&sort=filename"), "filename"),
        ["c.txt", "d.txt"]
    );
    assert!(each(format!("/files?folder_id={a}"), "id").is_empty());
    assert!(each("/files?folder_id=root", "id").is_empty());
    let below = ok(upload_into(&a, "x/e.txt", b"e"));
    assert_eq!(below["path"], "a/x/e.txt");
}

#[test]
fn a_folder_carries_along_what_lies_in_it() {
    let _host = host();
    let file = id(&upload("a/b/ü.txt", b"c"));
    let a = each("/folders", "id").remove(0);
    let goal = folder("ziel", None);
    let moved = ok(post(
        format!("/folders/{a}/move"),
        json!({"parent_id": goal}),
    ));
    assert_eq!(moved["path"], "ziel/a");
    assert_eq!(read(format!("/files/{file}"))["path"], "ziel/a/b/ü.txt");
    let renamed = ok(patch(format!("/folders/{goal}"), json!({"name": "🎯"})));
    assert_eq!(renamed["path"], "🎯");
    assert_eq!(read(format!("/files/{file}"))["path"], "🎯/a/b/ü.txt");
    let top = ok(patch(
        format!("/folders/{a}"),
        json!({"parent_id": null, "name": "A"}),
    ));
    assert_eq!(
        (&top["path"], &top["parent_id"]),
        (&json!("A"), &Value::Null)
    );
    assert_eq!(read(format!("/files/{file}"))["path"], "A/b/ü.txt");
    let up = ok(patch(
        format!("/files/{file}"),
        json!({"folder_id": goal, "filename": "v"}),
    ));
    assert_eq!(up["path"], "🎯/v");
}

#[test]
fn no_folder_lies_in_itself_and_none_has_a_name_twice() {
    let _host = host();
    let a = folder("a", None);
    let b = folder("b", Some(&a));
    let into_itself = post(format!("/folders/{a}/move"), json!({"parent_id": b}));
    assert_eq!(refused(into_itself), (409, "folder_cycle".into()));
    let into_itself = post(format!("/folders/{a}/move"), json!({"parent_id": a}));
    assert_eq!(refused(into_itself), (409, "folder_cycle".into()));
    // A name that only begins the same is another.
    let ab = folder("ab", None);
    assert_eq!(
        ok(post(format!("/folders/{ab}/move"), json!({"parent_id": a})))["path"],
        "a/ab"
    );
    let twice = post("/folders", json!({"name": "a"}));
    assert_eq!(refused(twice), (409, "path_taken".into()));
    let _ = upload("f", b"x");
    let as_a_file = post("/folders", json!({"name": "f"}));
    assert_eq!(refused(as_a_file), (409, "path_taken".into()));
    let onto_a_file = patch(format!("/folders/{a}"), json!({"name": "f"}));
    assert_eq!(refused(onto_a_file), (409, "path_taken".into()));
    for name in ["", ".", "..", "a/b"] {
        let doubtful = post("/folders", json!({"name": name}));
        assert_eq!(refused(doubtful), (422, "invalid_path".into()), "{name}");
    }
}

#[test]
fn trees_are_so_deep_and_no_deeper() {
    let _host = host();
    let way = vec!["d"; 64].join("/");
    let deepest = ok(post("/folders", json!({"path": way})));
    assert_eq!(deepest["path"], way);
    let deepest = id(&deepest);
    let deeper = post("/folders", json!({"name": "e", "parent_id": deepest}));
    assert_eq!(refused(deeper), (422, "folder_too_deep".into()));
    let other = folder("other", None);
    let top = each("/folders", "id").remove(0);
    let under = post(format!("/folders/{top}/move"), json!({"parent_id": other}));
    assert_eq!(refused(under), (422, "folder_too_deep".into()));
    let long = patch(format!("/folders/{top}"), json!({"name": "n".repeat(250)}));
    assert_eq!(ok(long)["name"].as_str().unwrap().len(), 250);
    for _ in 0..3 {
        let way: String = vec!["m".repeat(240); 4].join("/");
        let file = upload(&format!("{way}/f"), b"1");
        assert_eq!(file["filename"], "f");
    }
    let first = each("/folders?limit=1", "id").remove(0);
    let longer = patch(
        format!("/folders/{first}"),
        json!({"name": "m".repeat(255)}),
    );
    assert_eq!(ok(longer)["path"].as_str().unwrap().len(), 255);
}

#[test]
fn a_folder_goes_to_the_trash_and_comes_back_whole() {
    let host = host();
    let file = id(&upload("a/b/c.txt", b"c"));
    let before = id(&upload("a/b/before.txt", b"before"));
    let a = each("/folders", "id").remove(0);
    assert_eq!(delete(format!("/files/{before}")).status().as_u16(), 204);
    assert_eq!(delete(format!("/folders/{a}")).status().as_u16(), 204);
    assert_eq!(get(format!("/files/{file}")).status().as_u16(), 404);
    assert_eq!(get(format!("/folders/{a}")).status().as_u16(), 404);
    assert!(each("/folders", "id").is_empty());
    assert_eq!(each("/folders/trash", "id"), [a.as_str()]);
    // What went with its folder is not shown beside it.
    assert_eq!(each("/files/trash", "id"), [before.as_str()]);
    assert_eq!(used(), 7);

    // The old place has been taken meanwhile: the folder comes back beside it
    // once that is gone.
    let other = folder("a", None);
    let taken = post(format!("/folders/{a}/restore"), json!({}));
    assert_eq!(refused(taken), (409, "path_taken".into()));
    let _ = ok(patch(format!("/folders/{other}"), json!({"name": "z"})));
    assert_eq!(
        ok(post(format!("/folders/{a}/restore"), json!({})))["path"],
        "a"
    );
    assert_eq!(read(format!("/files/{file}"))["path"], "a/b/c.txt");
    assert_eq!(get(format!("/files/{before}")).status().as_u16(), 404);
    let back = ok(post(format!("/files/{before}/restore"), json!({})));
    assert_eq!(back["path"], "a/b/before.txt");

    // For good: rows, bytes and what they count.
    assert_eq!(
        delete(format!("/folders/{a}?permanent=1"))
            .status()
            .as_u16(),
        204
    );
    assert!(each("/folders/trash", "id").is_empty());
    assert!(host.objects("private").is_empty());
    let quota = read("/users/me/quota");
    assert_eq!(
        (&quota["used_bytes"], &quota["entries"]),
        (&json!(0), &json!(1))
    );
}

#[test]
fn a_file_comes_back_where_its_folder_is_now() {
    let _host = host();
    let one = id(&upload("a/one.txt", b"1"));
    let two = id(&upload("b/two.txt", b"2"));
    for file in [&one, &two] {
        assert_eq!(delete(format!("/files/{file}")).status().as_u16(), 204);
    }
    let folders = each("/folders", "id");
    let _ = ok(patch(
        format!("/folders/{}", folders[0]),
        json!({"name": "new"}),
    ));
    assert_eq!(
        delete(format!("/folders/{}?permanent=1", folders[1]))
            .status()
            .as_u16(),
        204
    );
    assert_eq!(
        ok(post(format!("/files/{one}/restore"), json!({})))["path"],
        "new/one.txt"
    );
    assert_eq!(
        ok(post(format!("/files/{two}/restore"), json!({})))["path"],
        "b/two.txt"
    );
    assert_eq!(each("/folders", "name"), ["b", "new"]);
}

#[test]
fn folders_are_listed_in_pages() {
    let _host = host();
    for number in 0..25 {
        let _ = folder(&format!("{number:02}"), None);
    }
    let mut seen = Vec::new();
    let mut target = "/folders?limit=10".to_owned();
    loop {
        let page = read(&target);
        let items = page["items"].as_array().unwrap();
        seen.extend(
            items
                .iter()
                .map(|item| item["name"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(cursor) => target = format!("/folders?limit=10&cursor={cursor}"),
            None => break,
        }
    }
    let all: Vec<String> = (0..25).map(|number| format!("{number:02}")).collect();
    assert_eq!(seen, all);
    assert_eq!(refused(get("/folders?cursor=xyz")).0, 400);
}

#[test]
fn others_folders_are_not_there() {
    let host = host();
    let a = folder("a", None);
    let _ = upload("a/f", b"x");
    host.set_caller(user("u2"));
    assert!(each("/folders", "id").is_empty());
    for refusal in [
        get(format!("/folders/{a}")),
        get(format!("/folders?parent_id={a}")),
        get(format!("/files?folder_id={a}")),
        patch(format!("/folders/{a}"), json!({"name": "b"})),
        delete(format!("/folders/{a}")),
        post(format!("/folders/{a}/move"), json!({})),
        post(format!("/folders/{a}/restore"), json!({})),
        post("/folders", json!({"name": "b", "parent_id": a})),
        upload_into(&a, "g", b"x"),
    ] {
        assert_eq!(refused(refusal).0, 404);
    }
    let own = id(&upload("g", b"y"));
    let into_others = patch(format!("/files/{own}"), json!({"folder_id": a}));
    assert_eq!(refused(into_others).0, 404);
}

#[test]
fn there_is_an_end_to_files_and_folders() {
    let host = host().with_config("user_max_entries", 3);
    let _ = upload("a/f", b"");
    let _ = folder("b", None);
    assert_eq!(
        refused(post("/folders", json!({"name": "c"}))),
        (409, "too_many_entries".into())
    );
    let one_more = drive::call(
        atlashub_sdk::Request::post("/files/upload", "x").with_header("file-path", "d/e"),
    );
    assert_eq!(refused(one_more), (409, "too_many_entries".into()));
    assert_eq!(host.objects("private").len(), 1);
    assert_eq!(each("/folders", "name"), ["a", "b"]);
}
