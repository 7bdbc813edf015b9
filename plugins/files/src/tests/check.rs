//! What `atlashub fsck` is told of objects and rows, and what it mends.

use super::drive::{self, get, host, id, ok, read, upload};
use crate::check::Drive;
use atlashub_sdk::{
    check::{Finding, Inspection, Lost, Records as _, Reference},
    prelude::*,
    testing::TestHost,
};
use std::time::Duration;

const BUCKET: &str = "private";

/// Everything that the rows refer to.
fn references() -> Vec<Reference> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = Drive::references(BUCKET, cursor.as_deref()).unwrap();
        all.extend(page.references);
        cursor = page.next;
        if cursor.is_none() {
            return all;
        }
    }
}

fn inspect(repair: bool) -> Vec<Finding> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = Drive::inspect(&Inspection {
            cursor,
            grace: Duration::ZERO,
            repair,
        });
        let page = page.unwrap();
        all.extend(page.findings);
        cursor = page.next;
        if cursor.is_none() {
            return all;
        }
    }
}

/// What is wrong, is mended, and is right then.
fn mends(code: &str) {
    let found = inspect(false);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].code.as_str(), found[0].mended), (code, false));
    let mended = inspect(true);
    assert_eq!(mended.len(), 1, "{mended:?}");
    assert!(mended[0].mended, "{mended:?}");
    assert_eq!(inspect(false), []);
}

fn damage(statement: &str) {
    assert!(
        sql::execute(statement, params![]).unwrap() > 0,
        "{statement}"
    );
}

/// A drive with a bit of everything.
fn used() -> TestHost {
    let host = host();
    let folder = drive::folder("Papers", None);
    let file = upload("a/letter.txt", b"dear all");
    let _ = ok(drive::upload_into(&folder, "b.txt", b"bee"));
    let _ = upload("copy.txt", b"dear all");
    let put = Request::new(Method::PUT, format!("/files/{}/content", id(&file)));
    let _ = ok(drive::call(put.with_body(b"dear everybody".to_vec())));
    let _ = drive::delete(format!("/files/{}", id(&upload("gone.txt", b"gone"))));
    let begun = Request::post("/files/tus", "")
        .with_header("tus-resumable", "1.0.0")
        .with_header("upload-length", "10")
        .with_header("upload-metadata", "filename YS5iaW4=");
    let begun = drive::call(begun);
    let at = begun.headers().get("location").unwrap().to_owned();
    let at = &at[at.find("/files/tus/").unwrap()..];
    let part = Request::new(Method::PATCH, at)
        .with_header("tus-resumable", "1.0.0")
        .with_header("upload-offset", "0")
        .with_header("content-type", "application/offset+octet-stream")
        .with_body(b"1234".to_vec());
    assert_eq!(drive::call(part).status(), 204);
    host
}

#[test]
fn a_drive_that_was_used_is_in_order() {
    let host = used();
    assert_eq!(inspect(false), []);
    let keys = host.objects(BUCKET);
    let known = Drive::known(BUCKET, &keys).unwrap();
    let known: Vec<&str> = known.iter().map(|one| one.key.as_str()).collect();
    for key in &keys {
        assert!(known.contains(&key.as_str()), "{key} is unknown");
    }
    let references = references();
    assert_eq!(references.len(), 5, "{references:?}");
    for reference in references {
        assert!(reference.required, "{reference:?}");
        let there = keys.contains(&reference.key);
        assert!(there, "{reference:?} has no object");
    }
    assert_eq!(Drive::known("public", &keys).unwrap(), []);
    assert_eq!(Drive::references("public", None).unwrap().references, []);
}

#[test]
fn what_nobody_stored_is_not_known() {
    let _host = used();
    let strange = ["nobodys".to_owned(), "tus/nobodys/1".to_owned()];
    assert_eq!(Drive::known(BUCKET, &strange).unwrap(), []);
}

#[test]
fn more_keys_than_a_statement_takes_are_looked_up() {
    let _host = used();
    let mut keys: Vec<String> = (0..990).map(|number| format!("strange-{number}")).collect();
    keys.extend(references().into_iter().map(|one| one.key));
    assert_eq!(Drive::known(BUCKET, &keys).unwrap().len(), 5);
}

#[test]
fn a_wrong_account_is_found_and_mended() {
    let _host = used();
    let before = read("/users/me/quota");
    damage("UPDATE files.accounts SET used_bytes = used_bytes + 7, entries = entries - 1");
    mends("account_differs");
    assert_eq!(read("/users/me/quota"), before);
}

#[test]
fn wrong_counts_of_who_has_bytes_are_mended() {
    let host = used();
    damage("UPDATE files.contents SET refs = refs + 1 WHERE refs = 2");
    mends("contents_differ");
    damage("DELETE FROM files.contents WHERE refs = 2");
    mends("contents_differ");
    // Whoever goes last takes the bytes along, and not before.
    let files = drive::each("/files", "id");
    let objects = host.objects(BUCKET).len();
    for file in files {
        let _ = drive::delete(format!("/files/{file}?permanent=true"));
        assert_eq!(inspect(false), []);
    }
    assert!(host.objects(BUCKET).len() < objects);
}

#[test]
fn bytes_that_no_file_has_are_given_up() {
    let host = used();
    damage(
        "INSERT INTO files.contents (object_key, sha256, size, refs, canonical) \
         VALUES ('nobodys', 'abc', 3, 1, 0)",
    );
    blob::bucket(BUCKET)
        .put_bytes(
            b"abc",
            &blob::PutOptions {
                key: Some("nobodys".to_owned()),
                ..blob::PutOptions::default()
            },
        )
        .unwrap();
    mends("contents_differ");
    let known = Drive::known(BUCKET, &["nobodys".to_owned()]).unwrap();
    assert!(!known[0].required, "it is to be deleted: {known:?}");
    assert!(host.objects(BUCKET).contains(&"nobodys".to_owned()));
}

#[test]
fn a_thumbnail_of_bytes_that_are_gone_is_forgotten() {
    let _host = used();
    damage(
        "INSERT INTO files.thumbnails (object_key, size, thumbnail_key, content_type, bytes) \
         VALUES ('gone', 64, 'thumbnail', 'image/png', 3)",
    );
    mends("thumbnail_left");
}

#[test]
fn a_lost_thumbnail_is_made_anew() {
    let _host = used();
    let file = references()[0].key.clone();
    sql::execute(
        "INSERT INTO files.thumbnails (object_key, size, thumbnail_key, content_type, bytes) \
         VALUES ($1, 64, 'thumbnail', 'image/png', 3)",
        params![file],
    )
    .unwrap();
    let key = "thumbnail".to_owned();
    assert!(references().iter().any(|one| one.key == key));
    let lost = Lost {
        key: key.clone(),
        found: None,
    };
    Drive::mend(BUCKET, &[lost]).unwrap();
    assert!(!references().iter().any(|one| one.key == key));
}

#[test]
fn what_does_not_lie_where_it_says_is_found() {
    let _host = used();
    damage("UPDATE files.folders SET path = 'Elsewhere' WHERE path = 'Papers'");
    let found: Vec<String> = inspect(true).into_iter().map(|one| one.code).collect();
    assert_eq!(found, ["misplaced", "misplaced"]);
    damage("UPDATE files.folders SET path = 'Papers' WHERE path = 'Elsewhere'");
    assert_eq!(inspect(false), []);
}

#[test]
fn an_upload_that_counts_other_bytes_than_it_has_is_ended() {
    let _host = used();
    let before = read("/users/me/quota");
    damage("UPDATE files.uploads SET received = 5 WHERE file_id IS NULL");
    mends("upload_differs");
    let after = read("/users/me/quota");
    assert_eq!(
        before["used_bytes"].as_i64().unwrap() - 10,
        after["used_bytes"].as_i64().unwrap()
    );
}

#[test]
fn an_upload_that_lost_a_part_is_ended() {
    let _host = used();
    let all = references();
    let part = all.iter().find(|one| one.key.starts_with("tus/")).unwrap();
    let lost = Lost {
        key: part.key.clone(),
        found: None,
    };
    Drive::mend(BUCKET, &[lost]).unwrap();
    assert!(
        !references()
            .iter()
            .any(|one| one.required && one.key == part.key)
    );
    assert_eq!(inspect(false), []);
}

#[test]
fn a_file_whose_bytes_are_lost_stays_and_is_not_shared_any_more() {
    let _host = host();
    let file = upload("letter.txt", b"dear all");
    let key = references()[0].key.clone();
    let _ = blob::bucket(BUCKET).delete(&key).unwrap();
    Drive::mend(
        BUCKET,
        &[Lost {
            key: key.clone(),
            found: None,
        }],
    )
    .unwrap();
    let known = Drive::known(BUCKET, std::slice::from_ref(&key)).unwrap();
    assert!(known[0].required && known[0].subject.contains("letter.txt"));
    let path = format!("/files/{}", id(&file));
    assert_eq!(read(&path)["size"], 8);
    assert!(get(format!("{path}/download")).into_bytes().is_err());
    // The same bytes again are kept by themselves.
    let again = upload("again.txt", b"dear all");
    let reply = get(format!("/files/{}/download", id(&again)));
    assert_eq!(reply.into_bytes().unwrap(), b"dear all");
    assert_eq!(inspect(false), []);
}
