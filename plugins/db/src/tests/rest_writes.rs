//! `/rest/v1` against a host in memory: writes.

use crate::routes;
use atlashub_sdk::{prelude::*, testing::TestHost};
use serde_json::{Value, json};

const TABLES: &str = "
CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, age INTEGER DEFAULT 18);
CREATE TABLE pairs (a TEXT, b INTEGER, note TEXT, PRIMARY KEY (a, b));
CREATE TABLE pets (id INTEGER PRIMARY KEY, name TEXT, owner_id INTEGER REFERENCES people (id));
INSERT INTO people VALUES (1, 'Ada', 36), (2, 'Grace', 85);
INSERT INTO pairs VALUES ('x', 1, 'old');
";

fn host() -> TestHost {
    TestHost::new("db").with_tables(TABLES).unwrap()
}

fn send(method: Method, path: &str, prefer: &str, body: &Value) -> Response {
    let request = Request::new(method, format!("/rest/v1/{path}"))
        .with_json(body)
        .unwrap()
        .with_header("prefer", prefer);
    routes().call(request)
}

/// Status and body, nothing where that is empty.
fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.into_text().unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

fn rows(path: &str) -> Value {
    routes()
        .call(Request::get(format!("/rest/v1/{path}")))
        .into_json()
        .unwrap()
}

const BACK: &str = "return=representation";

#[test]
fn rows_are_inserted() {
    let _host = host();
    let made = send(Method::POST, "people", "", &json!({"name": "Joan"}));
    assert_eq!(made.header("content-range"), Some("*/*"));
    assert_eq!(read(made), (201, Value::Null));
    assert_eq!(
        read(send(
            Method::POST,
            "people?select=id,name,pets(name)",
            BACK,
            &json!([{"id": 9, "name": "a"}, {"id": 8, "name": "b"}])
        )),
        (
            201,
            json!([{"id": 9, "name": "a", "pets": []}, {"id": 8, "name": "b", "pets": []}])
        )
    );
    let columns = "people?columns=name,age&select=name,age";
    assert_eq!(
        read(send(
            Method::POST,
            columns,
            BACK,
            &json!([{"name": "c", "id": 77}, {"name": "d", "age": 1}])
        )),
        (
            201,
            json!([{"name": "c", "age": null}, {"name": "d", "age": 1}])
        )
    );
    assert_eq!(
        read(send(
            Method::POST,
            columns,
            "return=representation, missing=default",
            &json!([{"name": "e"}, {"name": "f", "age": 1}])
        )),
        (
            201,
            json!([{"name": "e", "age": 18}, {"name": "f", "age": 1}])
        )
    );
    let made = send(
        Method::POST,
        "pairs",
        "return=headers-only, count=exact",
        &json!({"a": "y z", "b": 2}),
    );
    assert_eq!(made.header("location"), Some("/pairs?a=eq.y+z&b=eq.2"));
    assert_eq!(made.header("content-range"), Some("*/1"));
    assert_eq!(
        made.header("preference-applied"),
        Some("return=headers-only, count=exact")
    );
    assert_eq!(
        read(send(Method::POST, "people", BACK, &json!([]))),
        (201, json!([]))
    );
}

#[test]
fn csv_is_taken() {
    let _host = host();
    let request = Request::post(
        "/rest/v1/people?select=name,age",
        "name,age\n\"Ann, B.\",40\nCy,NULL\n",
    )
    .with_header("content-type", "text/csv")
    .with_header("prefer", BACK);
    assert_eq!(
        read(routes().call(request)),
        (
            201,
            json!([{"name": "Ann, B.", "age": 40}, {"name": "Cy", "age": null}])
        )
    );
}

#[test]
fn rows_that_are_there_are_merged_or_left() {
    let _host = host();
    let merge = "resolution=merge-duplicates, return=representation";
    assert_eq!(
        read(send(
            Method::POST,
            "people",
            merge,
            &json!([{"id": 3, "name": "Joan", "age": 1}, {"id": 1, "name": "Ada L.", "age": 37}])
        )),
        (
            201,
            json!([{"id": 3, "name": "Joan", "age": 1}, {"id": 1, "name": "Ada L.", "age": 37}])
        )
    );
    assert_eq!(
        read(send(
            Method::POST,
            "people?on_conflict=name&select=id,age",
            merge,
            &json!({"name": "Grace", "age": 86})
        )),
        (201, json!([{"id": 2, "age": 86}]))
    );
    assert_eq!(
        read(send(
            Method::POST,
            "pairs",
            merge,
            &json!([{"a": "x", "b": 1, "note": "new"}, {"a": "x", "b": 2, "note": "first"}])
        )),
        (
            201,
            json!([{"a": "x", "b": 1, "note": "new"}, {"a": "x", "b": 2, "note": "first"}])
        )
    );
    let ignore = "resolution=ignore-duplicates, return=representation";
    assert_eq!(
        read(send(
            Method::POST,
            "people",
            ignore,
            &json!([{"id": 1, "name": "nobody"}, {"id": 5, "name": "new"}])
        )),
        (201, json!([{"id": 5, "name": "new", "age": 18}]))
    );
    let (status, body) = read(send(
        Method::POST,
        "people",
        merge,
        &json!([{"id": 1, "name": "p"}, {"id": 1, "name": "q"}]),
    ));
    assert_eq!((status, &body["code"]), (400, &json!("21000")));
    assert_eq!(
        rows("people?id=eq.1&select=name"),
        json!([{"name": "Ada L."}])
    );
}

#[test]
fn rows_are_changed_and_deleted() {
    let _host = host();
    let changed = send(
        Method::PATCH,
        "people?id=gte.1",
        "count=exact",
        &json!({"age": 50}),
    );
    assert_eq!(changed.header("content-range"), Some("0-1/2"));
    assert_eq!(read(changed), (204, Value::Null));
    assert_eq!(
        read(send(
            Method::PATCH,
            "people?age=eq.50&select=id,age&order=id.desc",
            BACK,
            &json!({"age": 51})
        )),
        (200, json!([{"id": 2, "age": 51}, {"id": 1, "age": 51}]))
    );
    assert_eq!(
        read(send(
            Method::PATCH,
            "people?id=eq.1&columns=age&select=name,age",
            BACK,
            &json!({"age": 52, "name": "x"})
        )),
        (200, json!([{"name": "Ada", "age": 52}]))
    );
    let none = send(Method::PATCH, "people?id=eq.99", BACK, &json!({"age": 1}));
    assert_eq!(none.header("content-range"), Some("*/*"));
    assert_eq!(read(none), (200, json!([])));
    assert_eq!(
        read(send(
            Method::DELETE,
            "people?name=eq.Grace&select=id",
            BACK,
            &Value::Null
        )),
        (200, json!([{"id": 2}]))
    );
    assert_eq!(
        read(send(Method::DELETE, "people?id=eq.1", "", &Value::Null)),
        (204, Value::Null)
    );
    assert_eq!(rows("people"), json!([]));
}

#[test]
fn what_a_client_limits_is_not_exceeded() {
    let _host = host();
    let strict = "handling=strict, max-affected=1";
    let (status, body) = read(send(
        Method::PATCH,
        "people?id=gt.0",
        strict,
        &json!({"age": 1}),
    ));
    assert_eq!((status, &body["code"]), (400, &json!("PGRST124")));
    let (status, body) = read(send(
        Method::PATCH,
        "people?id=eq.1",
        "handling=strict, nonsense=1",
        &json!({"age": 1}),
    ));
    assert_eq!((status, &body["code"]), (400, &json!("PGRST122")));
    let undone = send(
        Method::DELETE,
        "people?id=gt.0&select=id",
        "tx=rollback, return=representation",
        &Value::Null,
    );
    assert_eq!(
        undone.header("preference-applied"),
        Some("tx=rollback, return=representation")
    );
    assert_eq!(read(undone), (200, json!([{"id": 1}, {"id": 2}])));
    let single = Request::new(Method::PATCH, "/rest/v1/people?id=gt.0")
        .with_json(&json!({"age": 1}))
        .unwrap()
        .with_header("prefer", BACK)
        .with_header("accept", "application/vnd.pgrst.object+json");
    let (status, body) = read(routes().call(single));
    assert_eq!((status, &body["code"]), (406, &json!("PGRST116")));
    assert_eq!(
        rows("people?select=age&order=id"),
        json!([{"age": 36}, {"age": 85}])
    );
}

#[test]
fn a_refusal_has_the_number_that_postgres_gives() {
    let _host = host();
    for (method, path, body, status, code) in [
        (Method::POST, "people", json!({"name": "Ada"}), 409, "23505"),
        (Method::POST, "pets", json!({"owner_id": 9}), 409, "23503"),
        (Method::POST, "people", json!({"id": 7}), 400, "23502"),
        (
            Method::POST,
            "people",
            json!({"name": "x", "age": "old"}),
            400,
            "22P02",
        ),
        (
            Method::POST,
            "people",
            json!({"nothing": 1}),
            400,
            "PGRST204",
        ),
        (
            Method::POST,
            "people?columns=nothing",
            json!({"name": "x"}),
            400,
            "PGRST204",
        ),
        (
            Method::POST,
            "people",
            json!([{"name": "x"}, {"name": "y", "age": 1}]),
            400,
            "PGRST102",
        ),
        (Method::POST, "people", json!("x"), 400, "PGRST102"),
        (Method::PATCH, "people?id=eq.1", json!([]), 400, "PGRST102"),
        (
            Method::PATCH,
            "people?id=eq.1",
            json!({"nothing": 1}),
            400,
            "PGRST204",
        ),
        (Method::PATCH, "people", json!({"age": 1}), 400, "21000"),
        (Method::DELETE, "people", Value::Null, 400, "21000"),
        (Method::POST, "nothing", json!({}), 404, "PGRST205"),
    ] {
        let (found, answer) = read(send(method.clone(), path, "", &body));
        assert_eq!(
            (found, answer["code"].as_str()),
            (status, Some(code)),
            "{method} {path} {body}: {answer}"
        );
    }
    let form = Request::post("/rest/v1/people", "name=x")
        .with_header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(routes().call(form).status().as_u16(), 415);
}

#[test]
fn put_makes_one_row_or_replaces_it() {
    let _host = host();
    let put = |path: &str, prefer: &str, body: Value| read(send(Method::PUT, path, prefer, &body));
    let row = json!({"id": 1, "name": "Ada L.", "age": 37});
    assert_eq!(
        put("people?id=eq.1", BACK, row.clone()),
        (200, json!([row]))
    );
    let new = json!({"id": 7, "name": "Mary", "age": 9});
    assert_eq!(
        put("people?id=eq.7", BACK, new.clone()),
        (201, json!([new]))
    );
    let minimal = put(
        "people?id=eq.7",
        "return=minimal",
        json!({"id": 7, "name": "M", "age": 1}),
    );
    assert_eq!(minimal, (204, Value::Null));
    let minimal = put(
        "people?id=eq.8",
        "",
        json!({"id": 8, "name": "N", "age": 2}),
    );
    assert_eq!(minimal, (201, Value::Null));
    let pair = json!({"a": "x", "b": 1, "note": "new"});
    assert_eq!(
        put("pairs?b=eq.1&a=eq.x", BACK, pair.clone()),
        (200, json!([pair]))
    );
    assert_eq!(rows("pairs"), json!([pair]));
    assert_eq!(
        rows("people?select=name&order=id"),
        json!([{"name": "Ada L."}, {"name": "Grace"}, {"name": "M"}, {"name": "N"}])
    );
}

#[test]
fn put_names_its_row_by_the_primary_key() {
    let _host = host();
    let row = json!({"id": 1, "name": "x", "age": 1});
    for (path, body, status, code) in [
        ("people", row.clone(), 405, "PGRST105"),
        ("people?name=eq.Ada", row.clone(), 405, "PGRST105"),
        ("people?id=gt.1", row.clone(), 405, "PGRST105"),
        ("people?id=eq.1&name=eq.Ada", row.clone(), 405, "PGRST105"),
        ("people?id=eq.1&id=eq.1", row.clone(), 405, "PGRST105"),
        ("pairs?a=eq.x", json!({"a": "x", "b": 1}), 405, "PGRST105"),
        ("people?id=eq.1&limit=1", row.clone(), 400, "PGRST114"),
        ("people?id=eq.2", row.clone(), 400, "PGRST115"),
        ("people?id=eq.2", json!({"name": "x"}), 400, "PGRST115"),
        ("people?id=eq.1", json!([row, row]), 400, "PGRST102"),
    ] {
        let (found, problem) = read(send(Method::PUT, path, "", &body));
        assert_eq!(
            (found, &problem["code"]),
            (status, &json!(code)),
            "{path}: {problem}"
        );
    }
    assert_eq!(rows("people?id=eq.1&select=name"), json!([{"name": "Ada"}]));
}
