//! Asking `files`, against a stand-in that answers what a test wants.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test may panic"
)]

use atlashub_files_client::{
    File, Refusal, Scope, ask, catch_up, changed, file, shared, shared_inside,
};
use atlashub_sdk::{identity::CallerKind, prelude::*, testing::TestHost};
use serde_json::{Value, json};
use std::{cell::RefCell, rc::Rc};

const FILES: &str = "files.internal";

/// A host on which `files` answers with this status and body.
fn answering(status: u16, body: &'static str) -> TestHost {
    TestHost::new("asking").with_service(FILES, move |_| {
        Response::new(StatusCode::from_u16(status).unwrap()).with_body(body.as_bytes().to_vec())
    })
}

#[test]
fn a_refusal_keeps_its_status_code_words_and_limits() {
    let _host = answering(
        413,
        r#"{"code":"quota_exceeded","detail":"too much","limit_bytes":7,"other":1}"#,
    );
    let error = changed(None, 1).unwrap_err();
    assert_eq!(error.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        (error.code(), error.detail()),
        ("quota_exceeded", "too much")
    );
    assert_eq!(
        Value::from(error.fields().clone()),
        json!({"limit_bytes": 7})
    );
}

#[test]
fn a_code_that_is_none_is_not_passed_on() {
    let long = "a".repeat(65);
    for code in ["", "No words", "ÄÖ", &long] {
        let body = json!({"code": code, "detail": "no"}).to_string();
        let error = Refusal::new(StatusCode::CONFLICT, body.as_bytes()).into_error();
        assert_eq!(
            (error.status(), error.code()),
            (StatusCode::CONFLICT, "files_refused")
        );
    }
    let error = Refusal::new(StatusCode::CONFLICT, b"<html>").into_error();
    assert_eq!((error.code(), error.detail()), ("files_refused", ""));
}

#[test]
fn a_failure_says_nothing_of_what_it_was() {
    for status in [500, 502, 503, 302] {
        let _host = answering(status, r#"{"code":"secret_code","detail":"secret words"}"#);
        let error = changed(None, 1).unwrap_err();
        assert_eq!(
            (error.status().as_u16(), error.code()),
            (502, "upstream_failed")
        );
        assert!(!error.detail().contains("secret"));
    }
}

#[test]
fn without_files_the_answer_is_503() {
    let _host = TestHost::new("asking");
    let error = file::<File>("1").unwrap_err();
    assert_eq!(
        (error.status().as_u16(), error.code()),
        (503, "files_unavailable")
    );
}

#[test]
fn what_is_not_there_is_none() {
    let _host = answering(404, "{}");
    assert!(file::<File>("1").unwrap().is_none());
    assert!(shared(None, 1).unwrap().items.is_empty());
    let error = ask::<File>(http::get("http://files.internal/files/1")).unwrap_err();
    assert_eq!((error.status().as_u16(), error.code()), (404, "not_found"));
}

#[test]
fn ids_and_cursors_are_encoded() {
    let asked: Rc<RefCell<Vec<String>>> = Rc::default();
    let noting = Rc::clone(&asked);
    let _host = TestHost::new("asking").with_service(FILES, move |request| {
        noting.borrow_mut().push(request.target().to_owned());
        Response::new(StatusCode::NOT_FOUND)
    });
    assert!(file::<File>("../a?b").unwrap().is_none());
    assert!(shared(Some("x&y=z"), 3).unwrap().items.is_empty());
    assert!(shared_inside(None, 3).unwrap().items.is_empty());
    assert_eq!(
        *asked.borrow(),
        [
            "/files/%2E%2E%2Fa%3Fb",
            "/files/shared-with-me?limit=3&cursor=x%26y%3Dz",
            "/files/shared-with-me?inside=true&limit=3"
        ]
    );
}

#[test]
fn keys_work_with_everything_and_users_with_their_own() {
    let as_caller = |kind, id: &str| {
        let caller = Caller::new(kind, id);
        let _host = TestHost::new("asking")
            .with_caller(caller.clone())
            .with_permissions(["files:read"]);
        (
            Scope::to_read(&caller).map_err(|error| error.status().as_u16()),
            Scope::to_write(&caller).map_err(|error| error.status().as_u16()),
        )
    };
    let own = Scope::Owner("u1".into());
    assert_eq!(own.name(), "u1");
    assert_eq!(Scope::All.name(), "*");
    assert_eq!(as_caller(CallerKind::User, "u1"), (Ok(own), Err(403)));
    assert_eq!(
        as_caller(CallerKind::SecretKey, "k1"),
        (Ok(Scope::All), Ok(Scope::All))
    );
    assert_eq!(
        Scope::to_read(&Caller::default()).unwrap_err().status(),
        StatusCode::UNAUTHORIZED
    );
}

/// Files that `files` has, the times of their changes in seconds, newest
/// first; and how many pages it was asked for.
struct Listed {
    _host: TestHost,
    times: Rc<RefCell<Vec<usize>>>,
    pages: Rc<RefCell<usize>>,
}

fn listed(times: impl IntoIterator<Item = usize>) -> Listed {
    let times = Rc::new(RefCell::new(times.into_iter().collect::<Vec<_>>()));
    let pages = Rc::new(RefCell::new(0));
    let (answering, counting) = (Rc::clone(&times), Rc::clone(&pages));
    let host = TestHost::new("asking").with_service(FILES, move |request| {
        *counting.borrow_mut() += 1;
        let query = request.target().split_once('?').unwrap().1.to_owned();
        let wish = |name: &str| {
            let found = query.split('&').find_map(|part| part.strip_prefix(name));
            found.map_or(0, |value| value.parse::<usize>().unwrap())
        };
        let (start, limit) = (wish("cursor="), wish("limit="));
        let times = answering.borrow();
        let items: Vec<Value> = times[start.min(times.len())..]
            .iter()
            .take(limit)
            .map(|second| {
                let at = moment::rfc3339(i64::try_from(*second).unwrap() * 1000);
                json!({"id": second.to_string(), "filename": "a", "mime_type": "text/plain",
                           "created_at": at, "updated_at": at})
            })
            .collect();
        let end = start + items.len();
        let next = (end < times.len()).then(|| end.to_string());
        Json(json!({"items": items, "next_cursor": next})).into_response()
    });
    sql::execute(
        "CREATE TABLE asking.marks (scope TEXT PRIMARY KEY, updated_at BIGINT NOT NULL, \
         next_mark BIGINT NOT NULL, resume TEXT)",
        params![],
    )
    .unwrap();
    Listed {
        _host: host,
        times,
        pages,
    }
}

impl Listed {
    /// What a call finds, and whether that was all.
    fn follow(&self, pages: usize) -> (Vec<usize>, bool) {
        let mut found = Vec::new();
        let done = catch_up("asking.marks", &Scope::All, pages, |files| {
            found.extend(files.iter().map(|file| file.id.parse::<usize>().unwrap()));
            Ok(())
        });
        (found, done.unwrap())
    }
}

#[test]
fn following_goes_on_where_it_was_cut_off() {
    let listed = listed((0..250).rev());
    let (first, done) = listed.follow(2);
    assert_eq!((first.len(), done), (110, false));
    // What is new meanwhile comes after the rest.
    listed.times.borrow_mut().insert(0, 250);
    let (second, done) = listed.follow(9);
    assert!(done);
    let mut all: Vec<usize> = first.into_iter().chain(second).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all, (0..250).collect::<Vec<_>>());
    let (third, done) = listed.follow(9);
    assert!(done);
    assert_eq!(third[0], 250);
}

#[test]
fn what_was_seen_costs_one_page() {
    let listed = listed((0..30).rev());
    assert!(listed.follow(9).1);
    *listed.pages.borrow_mut() = 0;
    let (found, done) = listed.follow(9);
    // The last one again: another may have been changed in the same moment.
    assert_eq!((found, done), (vec![29], true));
    assert_eq!(*listed.pages.borrow(), 1);
}

#[test]
fn what_could_not_be_taken_comes_again() {
    let listed = listed([2, 1]);
    let refused = catch_up("asking.marks", &Scope::All, 9, |_| {
        Err(Error::internal("no room"))
    });
    assert!(refused.is_err());
    assert_eq!(listed.follow(9), (vec![2, 1], true));
}
