//! A folder of files with their metadata, against a host in memory and a
//! stand-in of `files`.

use crate::{routes, work};
use atlashub_sdk::{identity::CallerKind, prelude::*, testing::TestHost};
use serde_json::{Value, json};
use std::{
    cell::RefCell,
    io::{Cursor, Write as _},
    rc::Rc,
};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// What was asked of `files`: method, path, and what came with it.
type Asked = Rc<RefCell<Vec<(String, String, String)>>>;

fn host(asked: &Asked) -> TestHost {
    host_where(asked, |_, _| None)
}

/// As [`host`], where `files` answers something else now and then, by the
/// method and the place, or by what is deleted.
fn host_where(asked: &Asked, other: impl Fn(&str, &str) -> Option<Response> + 'static) -> TestHost {
    let asked = Rc::clone(asked);
    TestHost::new("transfer")
        .with_migrations(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .unwrap()
        .with_caller(Caller::new(CallerKind::SecretKey, "k"))
        .with_service("files.internal", move |mut request| {
            let method = request.method().to_string();
            let path = request.path().to_owned();
            let at = request.header("file-path").unwrap_or_default().to_owned();
            let whose = request.header("file-owner").map(|id| format!(" of {id}"));
            let body = request.take_body().text(1 << 20).unwrap_or_default();
            let place = match at.as_str() {
                "" => format!("{path}?{}", request.query()),
                at => at.to_owned(),
            };
            let condition = match method.as_str() {
                "POST" => request.header("if-none-match"),
                "DELETE" => request.header("if-match"),
                _ => Some(""),
            };
            assert!(condition.is_some(), "{method} {place} without a condition");
            let another = other(&method, &place);
            let usual = || match (method.as_str(), path.as_str()) {
                ("GET", _) if request.query().contains("taken") => Response::new(StatusCode::OK)
                    .with_header("content-type", "application/json")
                    .with_body(b"{}".to_vec()),
                ("GET", _) if request.query().contains("half") => {
                    let at = "2030-01-01T00:00:00Z";
                    let file = json!({"id": "former", "filename": "half",
                        "mime_type": "text/plain", "etag": "\"1\"", "size": 1, "created_at": at, "updated_at": at});
                    let found = json!({"kind": "file", "file": file}).to_string();
                    Response::new(StatusCode::OK).with_body(found.into_bytes())
                }
                ("GET", _) => Response::new(StatusCode::NOT_FOUND),
                ("POST", _) if at.contains("broken") => {
                    Response::new(StatusCode::PAYLOAD_TOO_LARGE)
                        .with_body(br#"{"code":"quota_exceeded","detail":"too much"}"#.to_vec())
                }
                ("DELETE", _) => Response::new(StatusCode::NO_CONTENT),
                _ => Response::new(StatusCode::OK)
                    .with_header("content-type", "application/json")
                    .with_body(
                        json!({"id": format!("id of {at}"), "etag": format!("\"{at}\"")})
                            .to_string()
                            .into_bytes(),
                    ),
            };
            let answer = another.unwrap_or_else(usual);
            if method != "GET" {
                asked.borrow_mut().push((
                    method,
                    format!("{path} {at}{}", whose.unwrap_or_default())
                        .trim()
                        .to_owned(),
                    body,
                ));
            }
            answer
        })
}

fn archive(files: &[(&str, &str, bool)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text, packed) in files {
        let method = if *packed {
            CompressionMethod::Deflated
        } else {
            CompressionMethod::Stored
        };
        let options = SimpleFileOptions::default().compression_method(method);
        writer.start_file(*name, options).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn call(request: Request) -> (u16, Value) {
    let response = routes().call(request);
    let status = response.status().as_u16();
    let body = response.into_bytes().unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

/// A job that has not begun.
fn asked_for(bytes: Vec<u8>) -> String {
    let (status, upload) = call(Request::post("/transfer/uploads", bytes));
    assert_eq!(status, 201, "{upload}");
    let body = json!({"source": upload["id"]});
    let (status, job) = call(
        Request::post("/transfer/folder", "")
            .with_json(&body)
            .unwrap(),
    );
    assert_eq!(status, 202, "{job}");
    format!("/transfer/jobs/{}", job["id"].as_str().unwrap())
}

/// The job at its end.
fn import(host: &TestHost, bytes: Vec<u8>) -> Value {
    let path = asked_for(bytes);
    assert_eq!(host.run_jobs(&work()), 1);
    call(Request::get(&path)).1
}

fn failed(job: &Value, code: &str) {
    assert_eq!(
        (&job["status"], &job["error"]["code"]),
        (&json!("failed"), &json!(code)),
        "{job}"
    );
}

fn codes(answer: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let faults = answer["report"]["errors"].as_array().unwrap();
    faults
        .iter()
        .map(|fault| (text(&fault["file"]), text(&fault["code"])))
        .collect()
}

#[test]
fn files_go_in_with_what_stands_beside_them() {
    let asked = Asked::default();
    let host = host(&asked);
    let long = "word ".repeat(10_000);
    let job = import(
        &host,
        archive(&[
            ("a.txt", &long, true),
            (
                "a.txt.json",
                r#"{"path": "letters/a.txt", "description": "A", "tags": ["x"]}"#,
                true,
            ),
            ("b.json", "{}", false),
            ("b.json.json", "{}", false),
        ]),
    );
    assert_eq!(job["status"], "done", "{job}");
    let report = &job["report"];
    assert_eq!(report["files"][0]["path"], "letters/a.txt");
    assert_eq!(report["bytes"], 50_002);
    let asked = asked.borrow();
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert_eq!(asked[0].1, "/files/upload letters%2Fa%2Etxt");
    assert_eq!(asked[0].2, long);
    assert_eq!(asked[1].0, "PATCH");
    assert_eq!(asked[1].2, r#"{"description":"A","tags":["x"]}"#);
    assert_eq!(
        (asked[2].1.as_str(), asked[2].2.as_str()),
        ("/files/upload b%2Ejson", "{}")
    );
}

#[test]
fn a_file_that_fails_takes_those_before_it_along() {
    let asked = Asked::default();
    let host = host(&asked);
    let answer = import(
        &host,
        archive(&[
            ("a", "1", false),
            ("a.json", "{}", false),
            ("broken", "2", true),
            ("broken.json", "{}", false),
        ]),
    );
    failed(&answer, "folder_refused");
    assert_eq!(
        codes(&answer),
        [("broken".to_owned(), "quota_exceeded".to_owned())]
    );
    let methods: Vec<String> = asked
        .borrow()
        .iter()
        .map(|(method, ..)| method.clone())
        .collect();
    assert_eq!(methods, ["POST", "POST", "DELETE"]);
}

#[test]
fn what_is_wrong_is_told_of_every_file_before_one_is_stored() {
    let asked = Asked::default();
    let host = host(&asked);
    let answer = import(
        &host,
        archive(&[
            ("alone", "1", false),
            ("odd", "2", false),
            ("odd.json", "{\"paths\": 1}", false),
            ("same", "3", false),
            ("same.json", "{\"path\": \"x\"}", false),
            ("x", "3", false),
            ("x.json", "{}", false),
        ]),
    );
    failed(&answer, "folder_refused");
    let told: Vec<(String, String)> = [
        ("alone", "metadata_missing"),
        ("odd", "invalid_metadata"),
        ("x", "path_taken"),
    ]
    .map(|(file, code)| (file.to_owned(), code.to_owned()))
    .to_vec();
    assert_eq!(codes(&answer), told);
    let answer = import(
        &host,
        archive(&[("taken", "1", false), ("taken.json", "{}", false)]),
    );
    assert_eq!(
        codes(&answer),
        [("taken".to_owned(), "path_taken".to_owned())]
    );
    assert!(asked.borrow().is_empty());
}

#[test]
fn slips_and_bombs_are_refused() {
    let asked = Asked::default();
    let host = host(&asked);
    for name in ["../a", "/a", "a\\b", "C:a"] {
        let answer = import(
            &host,
            archive(&[(name, "1", false), ("a.json", "{}", false)]),
        );
        failed(&answer, "invalid_archive");
    }
    // It says that it has a byte, and has a million.
    let mut bytes = archive(&[("a", &"0".repeat(1_000_000), true), ("a.json", "{}", false)]);
    let size = 1_000_000_u32.to_le_bytes();
    let at = bytes.windows(4).rposition(|window| window == size).unwrap();
    bytes[at..at + 4].copy_from_slice(&1_u32.to_le_bytes());
    let answer = import(&host, bytes);
    failed(&answer, "folder_refused");
    assert_eq!(
        codes(&answer),
        [("a".to_owned(), "invalid_archive".to_owned())]
    );
    // It says that it has four gigabytes, and that a stored one has.
    for (packed, code) in [(true, "compressed_file_too_large"), (false, "")] {
        let text = "0".repeat(1_000_001);
        let mut bytes = archive(&[("a", &text, packed), ("a.json", "{}", false)]);
        let size = 1_000_001_u32.to_le_bytes();
        let at = bytes.windows(4).rposition(|window| window == size).unwrap();
        bytes[at..at + 4].copy_from_slice(&0xFFFF_FFF0_u32.to_le_bytes());
        let answer = import(&host, bytes);
        if packed {
            assert_eq!(codes(&answer), [("a".to_owned(), code.to_owned())]);
        } else {
            failed(&answer, "invalid_archive");
        }
    }
    assert!(asked.borrow().is_empty());
}

#[test]
fn numbers_that_archives_lie_with_are_refused() {
    use crate::archive::zip;
    let asked = Asked::default();
    let host = host(&asked);
    let whole = |size: u64, offset: u64| {
        let mut bytes = zip::head("a");
        bytes.push(b'1');
        bytes.extend(zip::foot(0, size));
        let at = bytes.len() as u64;
        let entry = zip::Entry {
            name: "a".to_owned(),
            crc: 0,
            size,
            offset,
        };
        bytes.extend(zip::list(&[entry], at));
        (bytes, usize::try_from(at).unwrap())
    };
    // Ten gigabytes in an archive of a few bytes; sizes and places whose sum
    // wraps round.
    for (size, offset) in [
        (10 << 30, 0),
        (u64::MAX, 0),
        (1, u64::MAX),
        (u64::MAX, u64::MAX),
        (1, 10 << 30),
    ] {
        let answer = import(&host, whole(size, offset).0);
        failed(&answer, "invalid_archive");
    }
    // The list itself: how many entries it has, its size, and where it is.
    for (place, value) in [
        (24, 10_u64 << 30),
        (24, u64::MAX),
        (32, 10 << 30),
        (32, u64::MAX),
        (40, 10 << 30),
        (40, u64::MAX),
        (48, u64::MAX),
    ] {
        let (mut bytes, _) = whole(1, 0);
        let mark = 0x0606_4b50_u32.to_le_bytes();
        let at = bytes.windows(4).rposition(|window| window == mark).unwrap();
        bytes[at + place..at + place + 8].copy_from_slice(&value.to_le_bytes());
        let answer = import(&host, bytes);
        assert_eq!(answer["status"], "failed", "{place} {value}: {answer}");
    }
    assert!(asked.borrow().is_empty());
}

/// A job whose turn ended when one file was stored, and `open` perhaps.
fn interrupted(id: &str, open: Value) {
    sql::execute(
        "INSERT INTO transfer.stored (job_id, n, file, path, size, file_id, etag) \
         VALUES ($1, 0, 'a', 'a', 1, 'id of a', '\"a\"')",
        params![id],
    )
    .unwrap();
    let state = json!({"checked": true, "count": 1, "open": open});
    sql::execute(
        "UPDATE transfer.jobs SET state = $2, status = 'running', run = 'gone', started_at = 5 \
         WHERE id = $1",
        params![id, state],
    )
    .unwrap();
}

#[test]
fn what_a_turn_that_was_cut_short_may_have_stored_goes_before_it_is_stored_again() {
    let asked = Asked::default();
    let host = host(&asked);
    let path = asked_for(archive(&[
        ("a", "1", false),
        ("a.json", "{}", false),
        ("half", "2", false),
        ("half.json", "{}", false),
    ]));
    let id = path.rsplit('/').next().unwrap().to_owned();
    interrupted(&id, json!({"path": "half", "owner": null, "size": 1}));
    assert_eq!(host.run_jobs(&work()), 1);
    let (_, job) = call(Request::get(&path));
    assert_eq!(job["status"], "done", "{job}");
    assert_eq!(job["report"]["files_taken"], 2);
    let calls: Vec<String> = asked
        .borrow()
        .iter()
        .map(|(method, what, _)| format!("{method} {what}"))
        .collect();
    assert_eq!(calls, ["DELETE /files/former", "POST /files/upload half"]);
}

#[test]
fn files_go_to_the_users_whom_their_metadata_name() {
    let asked = Asked::default();
    let id = "01900000-0000-7000-8000-000000000001";
    let mary = users::User {
        id: id.to_owned(),
        email: Some("mary@example.com".to_owned()),
        handle: Some("mary".to_owned()),
        ..users::User::default()
    };
    let host = host(&asked).with_user(mary);
    let named = |name: &str| json!({"path": "same.txt", "owner": name}).to_string();
    let job = import(
        &host,
        archive(&[
            ("1", "mine", false),
            ("1.json", &named("mary@example.com"), false),
            ("2", "nobody's", false),
            ("2.json", r#"{"path": "same.txt"}"#, false),
        ]),
    );
    assert_eq!(job["status"], "done", "{job}");
    assert_eq!(job["report"]["files"][0]["owner"], id);
    let calls: Vec<String> = asked.borrow().iter().map(|call| call.1.clone()).collect();
    let of_mary = format!("/files/upload same%2Etxt of {id}");
    assert_eq!(calls, [of_mary.as_str(), "/files/upload same%2Etxt"]);
    asked.borrow_mut().clear();
    // The same place under two of her names, and somebody who is not there.
    let job = import(
        &host,
        archive(&[
            ("1", "mine", false),
            ("1.json", &named("@mary"), false),
            ("2", "mine, too", false),
            ("2.json", &named(id), false),
            ("3", "whose?", false),
            ("3.json", &named("joe@example.com"), false),
        ]),
    );
    failed(&job, "folder_refused");
    let told = [("2", "path_taken"), ("3", "unknown_user")];
    let told = told.map(|(file, code)| (file.to_owned(), code.to_owned()));
    assert_eq!(codes(&job), told);
    assert!(asked.borrow().is_empty());
}

#[test]
fn a_folder_that_is_cancelled_half_way_leaves_no_file() {
    let asked = Asked::default();
    let _host = host(&asked);
    let path = asked_for(archive(&[
        ("a", "1", false),
        ("a.json", "{}", false),
        ("b", "2", false),
        ("b.json", "{}", false),
    ]));
    let id = path.rsplit('/').next().unwrap().to_owned();
    interrupted(&id, json!(null));
    let (status, _) = call(
        Request::post(format!("{path}/cancel"), "")
            .with_json(&json!({}))
            .unwrap(),
    );
    assert_eq!(status, 200);
    let asked = asked.borrow();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].0, "DELETE");
}

#[test]
fn a_folder_goes_on_behind_the_files_that_are_stored() {
    let asked = Asked::default();
    let host = host(&asked);
    let path = asked_for(archive(&[
        ("a", "1", false),
        ("a.json", "{}", false),
        ("b", "2", false),
        ("b.json", "{}", false),
    ]));
    let id = path.rsplit('/').next().unwrap().to_owned();
    interrupted(&id, json!({"path": "b", "owner": null, "size": 1}));
    assert_eq!(host.run_jobs(&work()), 1);
    let (_, job) = call(Request::get(&path));
    assert_eq!(job["status"], "done", "{job}");
    assert_eq!(job["report"]["files"].as_array().unwrap().len(), 2);
    let asked = asked.borrow();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].1, "/files/upload b");
}

/// What was asked of `files`, without what came with it.
fn calls(asked: &Asked) -> Vec<String> {
    let asked = asked.borrow();
    let calls = asked.iter();
    calls
        .map(|(method, what, _)| format!("{method} {what}"))
        .collect()
}

fn cancel(path: &str) -> Value {
    let request = Request::post(format!("{path}/cancel"), "");
    let (status, job) = call(request.with_json(&json!({})).unwrap());
    assert_eq!(status, 200, "{job}");
    job
}

fn sweep(host: &TestHost) {
    let sweep = Job::new("sweep", &json!({})).unwrap();
    host.run_job(&work(), &sweep).unwrap();
}

fn noted() -> i64 {
    sql::query_one("SELECT count(*) FROM transfer.stored", params![]).unwrap()
}

fn three() -> Vec<u8> {
    archive(&[
        ("a", "1", false),
        ("a.json", "{}", false),
        ("b", "2", false),
        ("b.json", "{}", false),
        ("c", "3", false),
        ("c.json", "{}", false),
    ])
}

#[test]
fn a_file_that_is_stored_while_its_import_is_cancelled_goes_too() {
    for at in ["b", "c"] {
        let asked = Asked::default();
        let path = Rc::new(RefCell::new(String::new()));
        let its = Rc::clone(&path);
        let host = host_where(&asked, move |method, place| {
            if method == "POST" && place == at {
                // It is not over before the turn lets go.
                assert_eq!(cancel(&its.borrow())["status"], "running");
            }
            None
        });
        let job = asked_for(three());
        path.borrow_mut().clone_from(&job);
        assert_eq!(host.run_jobs(&work()), 1);
        let stored = ["a", "b", "c"].into_iter().take_while(|own| *own < at);
        let mut expected: Vec<String> = stored
            .clone()
            .map(|own| format!("POST /files/upload {own}"))
            .collect();
        expected.extend(stored.map(|own| format!("DELETE /files/id%20of%20{own}")));
        expected.push(format!("POST /files/upload {at}"));
        expected.push(format!("DELETE /files/id%20of%20{at}"));
        assert_eq!(calls(&asked), expected);
        let (_, job) = call(Request::get(&job));
        assert_eq!(job["status"], "cancelled", "{job}");
        assert_eq!(noted(), 0);
        sweep(&host);
        assert_eq!(calls(&asked), expected);
    }
}

#[test]
fn a_turn_that_fails_while_its_import_is_cancelled_leaves_nothing_behind() {
    let asked = Asked::default();
    let path = Rc::new(RefCell::new(String::new()));
    let its = Rc::clone(&path);
    let there = RefCell::new(None::<Value>);
    let host = host_where(&asked, move |method, place| match method {
        // It is stored, and the answer is lost.
        "POST" if place == "b" => {
            let _ = cancel(&its.borrow());
            let at = moment::rfc3339(moment::now_ms());
            *there.borrow_mut() = Some(json!({"id": "late", "filename": "b",
                "mime_type": "text/plain", "etag": "\"1\"", "size": 1, "created_at": at, "updated_at": at}));
            Some(Response::new(StatusCode::SERVICE_UNAVAILABLE))
        }
        "GET" if place.contains("path=b") => {
            let found = json!({"kind": "file", "file": there.borrow().clone()?}).to_string();
            Some(Response::new(StatusCode::OK).with_body(found.into_bytes()))
        }
        _ => None,
    });
    let job = asked_for(three());
    path.borrow_mut().clone_from(&job);
    assert_eq!(host.run_jobs(&work()), 1);
    let last = calls(&asked).pop();
    assert_eq!(last.as_deref(), Some("DELETE /files/late"));
    let (_, job) = call(Request::get(&job));
    assert_eq!(job["status"], "cancelled", "{job}");
}

#[test]
fn what_somebody_puts_in_the_place_of_a_file_stays_theirs() {
    // Where the third is to go, a file comes to lie after its place was looked
    // at; the first has other bytes by the time it is taken back.
    let asked = Asked::default();
    let precondition_failed = || {
        Response::new(StatusCode::PRECONDITION_FAILED)
            .with_body(br#"{"code":"precondition_failed","detail":"no"}"#.to_vec())
    };
    let host = host_where(&asked, move |method, place| match (method, place) {
        ("POST", "c") => Some(precondition_failed()),
        ("DELETE", "/files/id%20of%20a?permanent=1") => Some(precondition_failed()),
        _ => None,
    });
    let job = import(&host, three());
    failed(&job, "folder_refused");
    assert_eq!(codes(&job), [("c".to_owned(), "path_taken".to_owned())]);
    assert_eq!(noted(), 0);
    let deleted: Vec<String> = calls(&asked)
        .into_iter()
        .filter(|call| call.starts_with("DELETE"))
        .collect();
    assert_eq!(
        deleted,
        ["DELETE /files/id%20of%20a", "DELETE /files/id%20of%20b"]
    );
}

#[test]
fn what_could_not_be_taken_back_the_clock_takes_back() {
    let asked = Asked::default();
    let fails = Rc::new(RefCell::new(true));
    let still = Rc::clone(&fails);
    let host = host_where(&asked, move |method, place| {
        let is_it = method == "DELETE" && place.contains("of%20a") && *still.borrow();
        is_it.then(|| Response::new(StatusCode::INTERNAL_SERVER_ERROR))
    });
    let path = asked_for(archive(&[
        ("a", "1", false),
        ("a.json", "{}", false),
        ("b", "1", false),
        ("b.json", "{}", false),
        ("broken", "2", true),
        ("broken.json", "{}", false),
    ]));
    assert_eq!(host.run_jobs(&work()), 1);
    let (_, job) = call(Request::get(&path));
    assert_eq!(
        (&job["status"], &job["error"]["code"], noted()),
        (&json!("running"), &json!("folder_refused"), 1),
        "{job}"
    );
    // Nor is it forgotten, whoever wants that.
    let (status, _) = call(Request::new(Method::DELETE, &path));
    assert_eq!(status, 204);
    sweep(&host);
    assert_eq!((call(Request::get(&path)).0, noted()), (200, 1));
    *fails.borrow_mut() = false;
    asked.borrow_mut().clear();
    host.advance(std::time::Duration::from_secs(121));
    sweep(&host);
    assert_eq!(calls(&asked), ["DELETE /files/id%20of%20a"]);
    assert_eq!((call(Request::get(&path)).0, noted()), (404, 0));
}

#[test]
fn a_turn_that_is_killed_after_its_import_was_cancelled_leaves_nothing() {
    for is_of_another in [false, true] {
        let asked = Asked::default();
        let arrived = Rc::new(RefCell::new(None::<Value>));
        let there = Rc::clone(&arrived);
        let host = host_where(&asked, move |method, place| match method {
            // It is on its way when its server is killed.
            "POST" => Some(Response::new(StatusCode::SERVICE_UNAVAILABLE)),
            "GET" if place.contains("path=b") => {
                let file = there.borrow().clone()?;
                let found = json!({"kind": "file", "file": file}).to_string();
                Some(Response::new(StatusCode::OK).with_body(found.into_bytes()))
            }
            _ => None,
        });
        let path = asked_for(three());
        let id = path.rsplit('/').next().unwrap().to_owned();
        interrupted(&id, json!({"path": "b", "owner": null, "size": 1}));
        sql::execute(
            "UPDATE transfer.jobs SET started_at = $1",
            params![moment::now_ms()],
        )
        .unwrap();
        assert_eq!(host.run_jobs(&work()), 1);
        assert_eq!(cancel_in_queue(&host, &path)["status"], "running");
        let at = moment::rfc3339(moment::now_ms());
        *arrived.borrow_mut() = Some(json!({"id": "late", "filename": "b",
            "mime_type": "text/plain", "etag": "\"1\"", "size": 1, "created_at": at, "updated_at": at}));
        if is_of_another {
            let other = asked_for(three());
            let other = other.rsplit('/').next().unwrap();
            sql::execute(
                "INSERT INTO transfer.stored (job_id, n, file, path, size, file_id) \
                 VALUES ($1, 0, 'b', 'b', 1, 'late')",
                params![other],
            )
            .unwrap();
        }
        asked.borrow_mut().clear();
        host.advance(std::time::Duration::from_secs(122));
        let mut queue = host.jobs().into_iter();
        let is_due = |job: &jobs::Status| {
            job.name == "sweep" && i64::try_from(job.due_ms).unwrap() <= moment::now_ms()
        };
        assert!(queue.any(|job| is_due(&job)), "nobody looks at it again");
        sweep(&host);
        let deleted = ["DELETE /files/late"];
        let expected = if is_of_another {
            &deleted[..0]
        } else {
            &deleted[..]
        };
        assert_eq!(calls(&asked), expected);
        let (_, job) = call(Request::get(&path));
        assert_eq!(job["status"], "cancelled", "{job}");
    }
}

/// The job, when an admin has taken its turn back.
fn cancel_in_queue(host: &TestHost, path: &str) -> Value {
    assert!(jobs::cancel(&host.jobs()[0].id).unwrap());
    call(Request::get(path)).1
}
