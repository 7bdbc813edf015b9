//! Uploads in parts.

use super::drive::*;
use atlashub_sdk::{Method, Request, Response, blob, testing::TestHost};
use serde_json::{Value, json};

/// "name.txt" and "docs/name.txt".
const NAME: &str = "filename bmFtZS50eHQ=,filetype dGV4dC9wbGFpbg==,client";
const PATH: &str = "path ZG9jcy9uYW1lLnR4dA==";

fn begin(length: u64, metadata: &str) -> Response {
    call(
        Request::post("/files/tus", "")
            .with_header("tus-resumable", "1.0.0")
            .with_header("upload-length", length.to_string())
            .with_header("upload-metadata", metadata),
    )
}

fn place(response: &Response) -> String {
    let location = response.header("location").unwrap();
    location
        .strip_prefix("http://test.localhost")
        .unwrap()
        .to_owned()
}

fn started(length: u64) -> String {
    let response = begin(length, NAME);
    assert_eq!(response.status().as_u16(), 201);
    assert!(response.header("upload-expires").is_some());
    place(&response)
}

fn part(at: &str, offset: u64, bytes: &[u8]) -> Request {
    Request::new(Method::PATCH, at)
        .with_body(bytes.to_vec())
        .with_header("tus-resumable", "1.0.0")
        .with_header("content-type", "application/offset+octet-stream")
        .with_header("upload-offset", offset.to_string())
}

fn offset(at: &str) -> String {
    let response = call(Request::new(Method::HEAD, at).with_header("tus-resumable", "1.0.0"));
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(response.header("cache-control"), Some("no-store"));
    response.header("upload-offset").unwrap().to_owned()
}

fn content(response: &Response) -> (Value, Vec<u8>) {
    let file = response.header("file-id").unwrap();
    let bytes = get(format!("/files/{file}/download")).into_bytes().unwrap();
    (read(format!("/files/{file}")), bytes)
}

fn objects(host: &TestHost) -> usize {
    host.objects("private").len()
}

#[test]
fn parts_become_a_file() {
    let host = host();
    let at = started(10);
    assert_eq!(offset(&at), "0");
    assert_eq!(used(), 10);
    let first = call(part(&at, 0, b"01234"));
    assert_eq!(first.status().as_u16(), 204);
    assert_eq!(first.header("upload-offset"), Some("5"));
    assert_eq!(
        refused(call(part(&at, 0, b"01234"))),
        (409, "upload_offset".into())
    );
    assert_eq!(offset(&at), "5");
    let last = call(part(&at, 5, b"56789"));
    let (file, bytes) = content(&last);
    assert_eq!(bytes, b"0123456789");
    assert_eq!(
        (&file["filename"], &file["mime_type"]),
        (&json!("name.txt"), &json!("text/plain"))
    );
    // The parts are gone, and count once.
    assert_eq!((objects(&host), used()), (1, 10));
    assert_eq!(offset(&at), "10");
    assert_eq!(read("/users/me/quota")["entries"], 1);
    let sha256 = upload("same", b"0123456789")["sha256"].clone();
    assert_eq!(file["sha256"], sha256);
}

#[test]
fn one_part_is_the_file_as_it_is() {
    let host = host();
    let whole = call(
        Request::post("/files/tus", "hello")
            .with_header("tus-resumable", "1.0.0")
            .with_header("upload-length", "5")
            .with_header("content-type", "application/offset+octet-stream")
            .with_header("upload-metadata", PATH),
    );
    assert_eq!(whole.status().as_u16(), 201);
    let (file, bytes) = content(&whole);
    assert_eq!(
        (bytes.as_slice(), &file["path"]),
        (b"hello".as_slice(), &json!("docs/name.txt"))
    );
    assert_eq!(objects(&host), 1);
    // The file has the id of its upload.
    assert!(place(&whole).ends_with(file["id"].as_str().unwrap()));
    // An empty one is there at once.
    let empty = begin(0, NAME);
    assert_eq!(content(&empty).1, b"");
}

#[test]
fn what_a_broken_line_left_is_found() {
    let _host = host();
    let at = started(6);
    // A part that was stored, of which its request could not tell any more.
    let key = format!("tus/{}/1", at.rsplit('/').next().unwrap());
    let options = blob::PutOptions {
        key: Some(key),
        ..blob::PutOptions::default()
    };
    let _ = blob::bucket("private").put_bytes(b"abc", &options).unwrap();
    atlashub_sdk::sql::execute("UPDATE files.uploads SET attempt = 1", Vec::new()).unwrap();
    assert_eq!(offset(&at), "3");
    let (_, bytes) = content(&call(part(&at, 3, b"def")));
    assert_eq!(bytes, b"abcdef");
}

#[test]
fn what_is_put_together_counts_once_when_the_file_was_not_made() {
    let host = host();
    let at = started(6);
    let first = call(part(&at, 0, b"abc"));
    assert_eq!(first.status().as_u16(), 204);
    let run = |sql: &str| atlashub_sdk::sql::execute(sql, Vec::new()).unwrap();
    let _ = run("CREATE TRIGGER files.stop BEFORE INSERT ON objects \
                 BEGIN SELECT RAISE(ABORT, 'stopped'); END");
    let stopped = call(part(&at, 3, b"def"));
    assert!(stopped.status().is_server_error() || stopped.status().is_client_error());
    // What was put together, and the parts that go with the next sweep.
    assert_eq!(objects(&host), 3);
    let still = call(Request::new(Method::HEAD, &at).with_header("tus-resumable", "1.0.0"));
    assert!(!still.status().is_success());
    let _ = run("DROP TRIGGER files.stop");
    assert_eq!(offset(&at), "6");
    let file = at.rsplit('/').next().unwrap();
    let bytes = get(format!("/files/{file}/download")).into_bytes();
    assert_eq!(bytes.unwrap(), b"abcdef");
    assert_eq!((objects(&host), used()), (1, 6));
}

#[test]
fn an_upload_that_is_ended_leaves_nothing() {
    let host = host();
    let at = started(10);
    let _ = call(part(&at, 0, b"01234"));
    assert_eq!((objects(&host), used()), (1, 10));
    let end = Request::new(Method::DELETE, at.as_str()).with_header("tus-resumable", "1.0.0");
    assert_eq!(call(end).status().as_u16(), 204);
    assert_eq!((objects(&host), used()), (0, 0));
    assert_eq!(get(at.as_str()).status().as_u16(), 404);
}

#[test]
fn what_does_not_fit_is_refused() {
    let host = host()
        .with_config("user_quota_bytes", 10)
        .with_config("max_file_bytes", 9);
    assert_eq!(refused(begin(10, NAME)), (413, "object_too_large".into()));
    let at = started(9);
    assert_eq!(refused(begin(5, NAME)), (413, "quota_exceeded".into()));
    assert_eq!(
        refused(call(part(&at, 0, b"1234567890"))),
        (413, "object_too_large".into())
    );
    for checksum in [
        format!("sha256 {}=", "A".repeat(43)),
        format!("sha1 {}=", "A".repeat(27)),
    ] {
        let wrong = part(&at, 0, b"123456789").with_header("upload-checksum", checksum);
        assert_eq!(refused(call(wrong)), (460, "checksum_mismatch".into()));
    }
    let unknown = part(&at, 0, b"1").with_header("upload-checksum", "md5 AAAA");
    assert_eq!(refused(call(unknown)), (400, "invalid_checksum".into()));
    assert_eq!(offset(&at), "0");
    assert_eq!(objects(&host), 0);
    let program = call(part(&at, 0, b"MZ\x90\0\x03\0\0\0\x04"));
    assert_eq!(refused(program), (415, "type_refused".into()));
    assert_eq!(objects(&host), 0);
    let old = Request::post("/files/tus", "").with_header("upload-length", "1");
    let response = call(old);
    assert_eq!(response.header("tus-version"), Some("1.0.0"));
    assert_eq!(refused(response).0, 412);
    assert_eq!(refused(begin(1, "filename %")).0, 400);
    let plain = Request::new(Method::PATCH, at.as_str())
        .with_header("tus-resumable", "1.0.0")
        .with_header("content-type", "text/plain");
    assert_eq!(refused(call(plain)).0, 415);
    host.set_caller(user("u2"));
    assert_eq!(refused(call(part(&at, 0, b"1"))).0, 404);
    let offer = call(Request::new(Method::OPTIONS, "/files/tus"));
    assert_eq!(offer.header("tus-max-size"), Some("9"));
    assert!(offer.header("tus-extension").unwrap().contains("checksum"));
}

#[test]
fn a_program_in_small_parts_is_refused_and_forgotten() {
    let host = host();
    let program = b"MZ\x90\0\x03\0\0\0\x04";
    let at = started(9);
    for (offset, byte) in (0..8).zip(program) {
        assert_eq!(call(part(&at, offset, &[*byte])).status().as_u16(), 204);
    }
    let last = call(part(&at, 8, &program[8..]));
    assert_eq!(refused(last), (415, "type_refused".into()));
    assert_eq!((objects(&host), used()), (0, 0));
    assert_eq!(get(at.as_str()).status().as_u16(), 404);
}

#[test]
fn a_checksum_that_fits_is_taken() {
    let _host = host();
    let at = started(3);
    // Of "abc", as FIPS 180-4 has it.
    let first =
        part(&at, 0, b"abc").with_header("upload-checksum", "sha1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0=");
    assert_eq!(content(&call(first)).1, b"abc");
}

#[test]
fn many_small_parts_are_put_together_on_the_way() {
    let host = host();
    let at = started(510);
    for offset in 0..509 {
        assert_eq!(call(part(&at, offset, b"x")).status().as_u16(), 204);
    }
    let (file, bytes) = content(&call(part(&at, 509, b"y")));
    assert_eq!(bytes.len(), 510);
    assert_eq!(bytes.last(), Some(&b'y'));
    assert_eq!((file["size"].as_u64(), used()), (Some(510), 510));
    host.set_permissions(["files:maintain"]);
    for _ in 0..2 {
        let _ = ok(call(Request::post("/files/sweep", "")));
    }
    assert_eq!(objects(&host), 1);
}

#[test]
fn an_upload_that_rested_too_long_is_swept() {
    let host = host();
    let at = started(10);
    let _ = call(part(&at, 0, b"01234"));
    atlashub_sdk::sql::execute("UPDATE files.uploads SET expires_at = 1", Vec::new()).unwrap();
    assert_eq!(get(at.as_str()).status().as_u16(), 404);
    host.set_permissions(["files:maintain"]);
    let _ = ok(call(Request::post("/files/sweep", "")));
    host.set_permissions(["files:read"]);
    assert_eq!((objects(&host), used()), (0, 0));
}

#[test]
fn clients_without_all_methods_name_them_in_a_header() {
    let _host = host();
    let at = started(3);
    let post = |method: &str| {
        Request::post(at.as_str(), "abc")
            .with_header("tus-resumable", "1.0.0")
            .with_header("x-http-method-override", method)
            .with_header("content-type", "application/offset+octet-stream")
            .with_header("upload-offset", "0")
    };
    assert_eq!(refused(call(post("OPTIONS"))).0, 400);
    assert_eq!(call(post("HEAD")).header("upload-offset"), Some("0"));
    assert_eq!(content(&call(post("PATCH"))).1, b"abc");
    assert_eq!(call(post("DELETE")).status().as_u16(), 204);
    assert_eq!(get(at.as_str()).status().as_u16(), 404);
}
