//! Notifications against a host in memory.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test may panic"
)]

use crate::{routes, subscriptions, work};
use atlashub_sdk::{identity::CallerKind, jobs, prelude::*, testing::TestHost, users::User};
use serde_json::{Value, json};

fn host() -> TestHost {
    TestHost::new("notifications")
        .with_migrations(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .unwrap()
        .with_caller(Caller::new(CallerKind::User, "u1"))
}

/// The event number `number` that tells these users.
fn notice(number: u32, users: &[&str]) -> Event {
    let payload = json!({
        "kind": "file_shared", "user_ids": users, "title": format!("Ada shared <{number}>"),
        "subject": {"type": "file", "id": "f1"}, "actor_id": "u9",
    });
    Event {
        id: format!("e{number}"),
        ..Event::new("files.notice", &payload).unwrap()
    }
}

fn tell(host: &TestHost, number: u32, users: &[&str]) {
    host.deliver(&subscriptions(), notice(number, users))
        .unwrap();
}

fn get(host: &TestHost, target: &str) -> Value {
    let response = host.call(&routes(), Request::get(target));
    assert_eq!(response.status(), StatusCode::OK, "{target}");
    response.into_json().unwrap()
}

fn send(host: &TestHost, method: Method, target: &str, body: &Value) -> (u16, Value) {
    let request = Request::new(method, target)
        .with_header("content-type", "application/json")
        .with_body(body.to_string());
    let response = host.call(&routes(), request);
    let status = response.status().as_u16();
    (status, response.into_json().unwrap())
}

fn titles(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().unwrap().iter();
    items.map(|item| item["title"].as_str().unwrap()).collect()
}

#[test]
fn an_event_that_comes_twice_notifies_once_and_each_sees_only_their_own() {
    let host = host();
    tell(&host, 1, &["u1", "u2"]);
    tell(&host, 1, &["u1", "u2"]);
    tell(&host, 2, &["u2"]);
    let mine = get(&host, "/notifications");
    assert_eq!(titles(&mine), ["Ada shared <1>"]);
    assert_eq!(
        (&mine["unread"], &mine["items"][0]["subject"]["id"]),
        (&json!(1), &json!("f1"))
    );
    let channels: Vec<String> = host
        .messages()
        .into_iter()
        .map(|told| told.channel)
        .collect();
    assert_eq!(channels, ["u1", "u2", "u2"]);
    host.set_caller(Caller::new(CallerKind::User, "u2"));
    assert_eq!(get(&host, "/notifications")["unread"], 2);
    assert!(host.mails().is_empty());
}

#[test]
fn a_notice_to_many_reaches_each_of_them_once() {
    let host = host();
    host.set_caller(Caller::new(CallerKind::User, "u7"));
    let silent = json!({"kinds": {"file_shared": {"in_app": false, "email": "off"}}});
    let put = send(&host, Method::PUT, "/notifications/preferences", &silent);
    assert_eq!(put.0, 200);
    let names: Vec<String> = (0..450).map(|number| format!("u{number}")).collect();
    let mut users: Vec<&str> = names.iter().map(String::as_str).collect();
    users.push("u1");
    tell(&host, 1, &users);
    tell(&host, 1, &users);
    let told: Vec<String> = host
        .messages()
        .into_iter()
        .map(|told| told.channel)
        .collect();
    let wanted: Vec<&str> = users[..450]
        .iter()
        .copied()
        .filter(|user| *user != "u7")
        .collect();
    assert_eq!(told, wanted);
    assert!(
        host.messages()
            .iter()
            .all(|told| told.data.contains("\"unread\":1"))
    );
    for (user, count) in [("u1", 1), ("u7", 0), ("u449", 1)] {
        host.set_caller(Caller::new(CallerKind::User, user));
        assert_eq!(get(&host, "/notifications")["unread"], count, "{user}");
    }
}

#[test]
fn what_was_read_is_read_for_its_reader_alone() {
    let host = host();
    (1..=3).for_each(|number| tell(&host, number, &["u1", "u2"]));
    let page = get(&host, "/notifications?limit=2");
    assert_eq!(titles(&page), ["Ada shared <3>", "Ada shared <2>"]);
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = get(&host, &format!("/notifications?cursor={cursor}"));
    assert_eq!(titles(&rest), ["Ada shared <1>"]);
    let first = page["items"][0]["id"].clone();
    let mark = |body: Value| send(&host, Method::POST, "/notifications/mark-read", &body);
    assert_eq!(mark(json!({"ids": [first]})), (200, json!({"unread": 2})));
    let unread = get(&host, "/notifications?unread=1");
    assert_eq!(titles(&unread), ["Ada shared <2>", "Ada shared <1>"]);
    host.set_caller(Caller::new(CallerKind::User, "u2"));
    assert_eq!(mark(json!({"ids": [first]})), (200, json!({"unread": 3})));
    assert_eq!(mark(json!({"all": true})), (200, json!({"unread": 0})));
    assert_eq!(mark(json!({})).0, 422);
    assert_eq!(host.messages().last().unwrap().data, "{\"unread\":0}");
}

#[test]
fn wishes_decide_what_is_kept_and_what_is_mailed() {
    let host = host();
    let wish = |in_app: bool, email: &str| {
        let wishes = json!({"kinds": {"file_shared": {"in_app": in_app, "email": email}}});
        let (status, body) = send(&host, Method::PUT, "/notifications/preferences", &wishes);
        assert_eq!(status, 200, "{body}");
        assert_eq!(body, get(&host, "/notifications/preferences"));
    };
    assert_eq!(
        get(&host, "/notifications/preferences")["kinds"]["link_used"],
        json!({"in_app": true, "email": "off"})
    );
    wish(false, "off");
    tell(&host, 1, &["u1"]);
    wish(false, "immediately");
    tell(&host, 2, &["u1"]);
    tell(&host, 2, &["u1"]);
    assert_eq!(get(&host, "/notifications")["unread"], 0);
    assert!(host.messages().is_empty());
    let mails = host.mails();
    assert_eq!((mails.len(), mails[0].to.as_str()), (1, "u1"));
    wish(true, "daily");
    tell(&host, 3, &["u1"]);
    tell(&host, 4, &["u1"]);
    assert_eq!(
        titles(&get(&host, "/notifications")),
        ["Ada shared <4>", "Ada shared <3>"]
    );
    // One digest is on its way, and is about both.
    let due: Vec<Event> = host.events();
    assert_eq!(due.len(), 1);
    host.deliver(&subscriptions(), due[0].clone()).unwrap();
    host.deliver(&subscriptions(), due[0].clone()).unwrap();
    let mails = host.mails();
    assert_eq!(mails.len(), 2);
    let values = format!("{:?}", mails[1].mail);
    assert!(
        values.contains("Ada shared <3>") && values.contains("Ada shared <4>"),
        "{values}"
    );
    let bad = json!({"kinds": {"No kind": {"in_app": true, "email": "off"}}});
    assert_eq!(
        send(&host, Method::PUT, "/notifications/preferences", &bad).0,
        422
    );
}

#[test]
fn a_stream_is_of_the_callers_own_channel() {
    let host = host();
    let request = Request::get("/notifications/stream").with_header("last-event-id", "7");
    let response = host.call(&routes(), request);
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.header("content-type"), Some("text/event-stream"));
    let held = response.held().unwrap();
    assert_eq!((held.channel(), held.last_id()), ("u1", Some("7")));
    for (kind, status) in [
        (CallerKind::Nobody, 401),
        (CallerKind::SecretKey, 403),
        (CallerKind::Admin, 403),
    ] {
        host.set_caller(Caller::new(kind, "k1"));
        let response = host.call(&routes(), Request::get("/notifications/stream"));
        assert_eq!(response.status().as_u16(), status, "{kind:?}");
    }
}

#[test]
fn a_server_notifies_and_a_user_cannot() {
    let host = host();
    let body =
        json!({"kind": "job_failed", "user_ids": ["u1"], "title": "The export failed", "id": "7"});
    assert_eq!(send(&host, Method::POST, "/notifications", &body).0, 403);
    host.set_caller(Caller::new(CallerKind::SecretKey, "k1"));
    for _ in 0..2 {
        assert_eq!(
            send(&host, Method::POST, "/notifications", &body),
            (202, json!({"id": "7"}))
        );
    }
    let wrong = json!({"kind": "Job failed", "user_ids": [], "title": "x"});
    assert_eq!(send(&host, Method::POST, "/notifications", &wrong).0, 422);
    host.set_caller(Caller::new(CallerKind::User, "u1"));
    assert_eq!(titles(&get(&host, "/notifications")), ["The export failed"]);
}

#[test]
fn the_oldest_of_a_user_are_forgotten() {
    let host = host();
    sql::execute(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1100) \
         INSERT INTO notifications.items (id, user_id, cause, kind, title, created_at, listed, email, told) \
         SELECT '00' || n, 'u1', 'c' || n, 'k', 't', 9000000000000, 1, 'off', 1 FROM n",
        params![],
    )
    .unwrap();
    tell(&host, 1, &["u1"]);
    let kept: i64 = sql::query_one("SELECT count(*) FROM notifications.items", params![]).unwrap();
    assert_eq!(kept, 1_000);
    assert_eq!(
        titles(&get(&host, "/notifications?limit=1")),
        ["Ada shared <1>"]
    );
}

#[test]
fn what_is_kept_for_users_who_were_deleted_goes_with_them() {
    let there = User {
        id: "u1".to_owned(),
        ..User::default()
    };
    let host = host().with_user(there);
    tell(&host, 1, &["u1", "u2"]);
    // More than are asked for at once.
    let gone: Vec<String> = (0..150).map(|number| format!("gone-{number}")).collect();
    let gone: Vec<&str> = gone.iter().map(String::as_str).collect();
    for (number, some) in (2..).zip(gone.chunks(50)) {
        tell(&host, number, some);
    }
    let wishes = json!({"kinds": {"file_shared": {"in_app": true, "email": "daily"}}});
    for whose in ["u1", "u2"] {
        host.set_caller(Caller::new(CallerKind::User, whose));
        let put = send(&host, Method::PUT, "/notifications/preferences", &wishes);
        assert_eq!(put.0, 200, "{}", put.1);
        tell(&host, 9, &[whose]);
    }
    jobs::enqueue("sweep", &Value::Null).unwrap();
    assert_eq!(host.run_jobs(&work()), 1);
    for (table, kept) in [("items", 2), ("preferences", 1), ("digests", 1)] {
        let left: Vec<String> = sql::query(
            &format!("SELECT user_id FROM notifications.{table}"),
            params![],
        )
        .unwrap();
        assert_eq!(left, vec!["u1"; kept], "{table}");
    }
}

#[test]
fn the_description_names_the_routes() {
    atlashub_sdk::testing::assert_described(&routes(), env!("CARGO_MANIFEST_DIR"));
}
