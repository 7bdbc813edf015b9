//! Several files as one archive.

use super::drive::*;
use atlashub_sdk::prelude::*;
use serde_json::json;
use std::io::{Cursor, Read as _};
use zip::ZipArchive;

/// Names and contents in the order of the archive.
fn unpacked(bytes: Vec<u8>) -> Vec<(String, Vec<u8>)> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    (0..archive.len())
        .map(|index| {
            let mut file = archive.by_index(index).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            (file.name().unwrap().into_owned(), bytes)
        })
        .collect()
}

#[test]
fn files_and_folders_come_as_one_archive() {
    let host = host();
    let big: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    let one = id(&upload("x/naïve 写真.txt", &big));
    let two = id(&upload("y/naïve 写真.txt", b"two"));
    let _ = upload("a/b/c.txt", b"deep");
    let _ = upload("a/top.txt", b"");
    let folder = each("/folders", "id").remove(0);
    let response = post(
        "/files/zip",
        json!({"ids": [one, two], "folder_ids": [folder]}),
    );
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(response.header("content-type"), Some("application/zip"));
    let files = unpacked(response.into_bytes().unwrap());
    let wanted: [(&str, &[u8]); 4] = [
        ("naïve 写真.txt", &big),
        ("naïve 写真 (2).txt", b"two"),
        ("a/b/c.txt", b"deep"),
        ("a/top.txt", b""),
    ];
    assert_eq!(files.len(), 4);
    for ((name, bytes), (wanted_name, wanted_bytes)) in files.iter().zip(wanted) {
        assert_eq!(
            (name.as_str(), bytes.as_slice()),
            (wanted_name, wanted_bytes)
        );
    }
    // One of them that is not the caller's, and there is nothing.
    host.set_caller(user("u2"));
    let others = post("/files/zip", json!({"ids": [one]}));
    assert_eq!(refused(others).0, 404);
    assert_eq!(refused(post("/files/zip", json!({}))).0, 422);
}

#[test]
fn a_folder_with_more_files_than_an_archive_has_is_refused_and_not_cut() {
    let host = host();
    let _ = upload("a/one.txt", b"1");
    sql::execute(
        "WITH RECURSIVE count (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < 10000) \
         INSERT INTO files.objects (id, object_key, owner, path, filename, size, mime_type, sha256, \
         version, visibility, tags, created_at, updated_at, folder_id) \
         SELECT 'f' || n, o.object_key, o.owner, 'a/' || n, '' || n, o.size, o.mime_type, o.sha256, \
         1, o.visibility, o.tags, o.created_at, o.updated_at, o.folder_id \
         FROM count CROSS JOIN files.objects o",
        params![],
    )
    .unwrap();
    let folder = each("/folders", "id").remove(0);
    let all = json!({"folder_ids": [folder]});
    assert_eq!(
        refused(post("/files/zip", all.clone())),
        (422, "too_many_files".into())
    );
    sql::execute("DELETE FROM files.objects WHERE id = 'f1'", params![]).unwrap();
    assert_eq!(post("/files/zip", all).status().as_u16(), 200);
    drop(host);
}

#[test]
fn a_link_gives_a_folder_as_an_archive() {
    let host = host();
    let _ = upload("a/b/zwei\nZeilen.txt", b"x");
    let folder = each("/folders", "id").remove(0);
    let link = ok(post(
        format!("/folders/{folder}/share"),
        json!({"max_downloads": 1}),
    ));
    let token = link["token"].as_str().unwrap();
    host.set_caller(atlashub_sdk::Caller::default());
    let target = format!("/share/{token}/download");
    let response = get(&target);
    assert_eq!(
        response.header("content-disposition"),
        Some("attachment; filename=\"a.zip\"")
    );
    let files = unpacked(response.into_bytes().unwrap());
    assert_eq!(files, [("a/b/zwei_Zeilen.txt".to_owned(), b"x".to_vec())]);
    assert_eq!(refused(get(&target)), (410, "share_ended".into()));
}
