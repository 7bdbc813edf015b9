//! All files as one archive, against a host in memory and a stand-in of
//! `files`.

use crate::{routes, work};
use atlashub_sdk::{identity::CallerKind, prelude::*, testing::TestHost};
use serde_json::{Value, json};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    io::{Cursor, Read as _},
    rc::Rc,
};
use zip::ZipArchive;

/// Ids that were read, in order.
type Asked = Rc<RefCell<Vec<String>>>;

/// A host with files at these paths; their ids are `0`, `1`, …. What is read
/// of one is its path, unless `other` says something else.
fn host(
    paths: Vec<String>,
    asked: &Asked,
    other: impl Fn(&str) -> Option<Response> + 'static,
) -> TestHost {
    let asked = Rc::clone(asked);
    TestHost::new("transfer")
        .with_migrations(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .unwrap()
        .with_caller(Caller::new(CallerKind::SecretKey, "k"))
        .with_service("files.internal", move |request| {
            let id = request
                .path()
                .strip_suffix("/download")
                .and_then(|path| path.strip_prefix("/files/"));
            let Some(id) = id else {
                return page(&paths, request.query());
            };
            asked.borrow_mut().push(id.to_owned());
            let path = &paths[id.parse::<usize>().unwrap()];
            let read = || Response::new(StatusCode::OK).with_body(path.clone().into_bytes());
            other(id).unwrap_or_else(read)
        })
}

/// A page of the list, 200 files at most.
fn page(paths: &[String], query: &str) -> Response {
    let cursor = query
        .split('&')
        .find_map(|part| part.strip_prefix("cursor="));
    let first: usize = cursor.map_or(0, |text| text.parse().unwrap());
    let files = paths.iter().enumerate().skip(first).take(200);
    let files: Vec<Value> = files
        .map(|(id, path)| {
            let at = "2026-01-01T00:00:00Z";
            let filename = path.rsplit('/').next().unwrap();
            json!({"id": id.to_string(), "filename": filename, "path": path,
                "mime_type": "text/plain", "size": path.len(), "created_at": at, "updated_at": at})
        })
        .collect();
    let next = first + files.len();
    let next = (next < paths.len()).then(|| next.to_string());
    let body = json!({"items": files, "next_cursor": next}).to_string();
    Response::new(StatusCode::OK).with_body(body.into_bytes())
}

fn paths(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

fn call(request: Request) -> (u16, Value) {
    let response = routes().call(request);
    let status = response.status().as_u16();
    let body = response.into_bytes().unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

fn ask(more: Value) -> String {
    let mut body = json!({"what": "files", "format": "zip"});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let request = Request::post("/transfer/export", "")
        .with_json(&body)
        .unwrap();
    let (status, job) = call(request);
    assert_eq!(status, 202, "{job}");
    job["id"].as_str().unwrap().to_owned()
}

fn see(id: &str) -> Value {
    call(Request::get(format!("/transfer/jobs/{id}"))).1
}

/// The entries of a job's result.
fn entries(id: &str) -> BTreeMap<String, String> {
    let key: String = sql::query_one(
        "SELECT result_key FROM transfer.jobs WHERE id = $1",
        params![id],
    )
    .unwrap();
    let body = blob::bucket("private").read(&key, None).unwrap();
    let mut archive = ZipArchive::new(Cursor::new(body.bytes(1 << 20).unwrap())).unwrap();
    let mut entries = BTreeMap::new();
    for at in 0..archive.len() {
        let mut entry = archive.by_index(at).unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        let name = entry.name().unwrap().into_owned();
        let before = entries.insert(name.clone(), text);
        assert_eq!(before, None, "{name} is in it twice");
    }
    entries
}

fn refused(status: StatusCode, code: &str) -> Response {
    let problem = json!({"code": code, "detail": "it is so"}).to_string();
    Response::new(status).with_body(problem.into_bytes())
}

#[test]
fn files_that_are_deleted_meanwhile_are_left_out_and_told_of() {
    let asked = Asked::default();
    let host = host(paths(&["a", "b", "c", "d"]), &asked, |id| match id {
        "1" => Some(refused(StatusCode::NOT_FOUND, "not_found")),
        "2" => Some(refused(StatusCode::GONE, "gone")),
        _ => None,
    });
    let id = ask(json!({}));
    assert_eq!(host.run_jobs(&work()), 1);
    let job = see(&id);
    assert_eq!(job["status"], "done", "{job}");
    assert_eq!(
        job["report"],
        json!({"files_taken": 2, "files_left_out": 2})
    );
    let names: Vec<String> = entries(&id).into_keys().collect();
    assert_eq!(names, ["server/a", "server/d"]);
}

#[test]
fn a_file_that_cannot_be_read_just_now_is_read_again() {
    for status in [429, 500, 503] {
        let asked = Asked::default();
        let tries = RefCell::new(0);
        let host = host(paths(&["a", "b"]), &asked, move |id| {
            *tries.borrow_mut() += usize::from(id == "1");
            let fails = id == "1" && *tries.borrow() == 1;
            fails.then(|| Response::new(StatusCode::from_u16(status).unwrap()))
        });
        let id = ask(json!({}));
        assert_eq!(host.run_jobs(&work()), 1);
        assert_eq!(see(&id)["status"], "running", "{status}");
        host.advance(std::time::Duration::from_secs(60));
        assert_eq!(host.run_jobs(&work()), 1);
        let job = see(&id);
        assert_eq!(job["status"], "done", "{job}");
        assert_eq!(
            job["report"],
            json!({"files_taken": 2, "files_left_out": 0})
        );
        assert_eq!(entries(&id)["server/b"], "b");
    }
}

#[test]
fn a_file_that_may_not_be_read_fails_the_job_which_says_so() {
    let asked = Asked::default();
    let host = host(paths(&["a", "b"]), &asked, |id| {
        (id == "1").then(|| refused(StatusCode::FORBIDDEN, "quarantined"))
    });
    let id = ask(json!({}));
    assert_eq!(host.run_jobs(&work()), 1);
    let job = see(&id);
    assert_eq!(
        (&job["status"], &job["error"]["code"]),
        (&json!("failed"), &json!("quarantined")),
        "{job}"
    );
    let detail = job["error"]["detail"].as_str().unwrap();
    assert!(
        detail.contains("`b`") && detail.contains("it is so"),
        "{detail}"
    );
}

#[test]
fn files_have_names_of_their_own_in_the_archive() {
    let asked = Asked::default();
    let odd = "01900000-0000-7000-8000-000000000001/x";
    let all = ["a_b", "a:b", "a\\b", "a:b/c", odd, "plain/c"];
    let host = host(paths(&all), &asked, |_| None);
    let id = ask(json!({}));
    assert_eq!(host.run_jobs(&work()), 1);
    let found = entries(&id);
    let expected = [
        ("server/1/a_b", "a:b"),
        ("server/2/a_b", "a\\b"),
        ("server/3/a_b/c", "a:b/c"),
        (&format!("server/4/{odd}"), odd),
        ("server/a_b", "a_b"),
        ("server/plain/c", "plain/c"),
    ]
    .map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(found.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn too_many_files_are_refused_before_one_is_read() {
    let asked = Asked::default();
    let many: Vec<String> = (0..10_001).map(|n| n.to_string()).collect();
    let host = host(many, &asked, |_| None);
    let id = ask(json!({"metadata": true}));
    assert_eq!(host.run_jobs(&work()), 1);
    let job = see(&id);
    assert_eq!(
        (&job["status"], &job["error"]["code"]),
        (&json!("failed"), &json!("too_many_files")),
        "{job}"
    );
    assert_eq!(*asked.borrow(), [""; 0]);
    assert_eq!(host.objects("private"), [""; 0]);
}
