//! `/rest/v1` against a host in memory: rows summed up.

use crate::routes;
use atlashub_sdk::{prelude::*, testing::TestHost};
use serde_json::{Value, json};

const TABLES: &str = "
CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY, person_id INTEGER REFERENCES people (id), city TEXT NOT NULL,
  amount INTEGER, paid BOOLEAN NOT NULL DEFAULT 0, data JSON);
INSERT INTO people VALUES (1, 'Ada'), (2, 'Grace'), (3, 'Joan');
INSERT INTO orders VALUES
  (1, 1, 'Kisumu', 10, 1, '{\"n\":\"2\",\"k\":\"a\"}'),
  (2, 1, 'Nairobi', 20, 0, '{\"n\":\"3\",\"k\":\"b\"}'),
  (3, 2, 'Nairobi', NULL, 1, NULL),
  (4, NULL, 'Kisumu', 5, 1, '{\"n\":\"4\",\"k\":\"a\"}');
";

fn host() -> TestHost {
    TestHost::new("db")
        .with_config("aggregates", true)
        .with_tables(TABLES)
        .unwrap()
}

fn ask(request: Request) -> (u16, Value) {
    let response = routes().call(request);
    let status = response.status().as_u16();
    (status, response.into_json().unwrap())
}

fn get(path: &str) -> (u16, Value) {
    ask(Request::get(format!(
        "/rest/v1/{}",
        path.replace('>', "%3E")
    )))
}

#[test]
fn rows_are_summed_up() {
    let _host = host();
    for (path, expected) in [
        ("orders?select=count()", json!([{"count": 4}])),
        (
            "orders?select=amount.count(),amount.sum(),amount.min(),max:amount.max()",
            json!([{"count": 3, "sum": 35, "min": 5, "max": 20}]),
        ),
        (
            "orders?select=mean:amount.avg()::int,text:amount.sum()::text",
            json!([{"mean": 12, "text": "35"}]),
        ),
        ("orders?select=city.max()", json!([{"max": "Nairobi"}])),
        ("orders?select=data->>n::int.sum()", json!([{"sum": 9}])),
        (
            "orders?select=amount.sum()&paid=is.true",
            json!([{"sum": 15}]),
        ),
        ("orders?select=amount.sum()&id=eq.9", json!([{"sum": null}])),
    ] {
        assert_eq!(get(path), (200, expected), "{path}");
    }
}

#[test]
fn the_other_values_make_groups() {
    let _host = host();
    for (path, expected) in [
        (
            "orders?select=city,amount.sum()&order=city.desc",
            json!([{"city": "Nairobi", "sum": 20}, {"city": "Kisumu", "sum": 15}]),
        ),
        (
            "orders?select=paid,city,count()&order=city,paid",
            json!([{"paid": true, "city": "Kisumu", "count": 2},
                   {"paid": false, "city": "Nairobi", "count": 1},
                   {"paid": true, "city": "Nairobi", "count": 1}]),
        ),
        (
            "orders?select=data->>k,total:amount.sum()&order=data->>k.nullsfirst",
            json!([{"k": null, "total": null}, {"k": "a", "total": 15}, {"k": "b", "total": 20}]),
        ),
        (
            "orders?select=city,amount.sum()&order=city&limit=1&offset=1",
            json!([{"city": "Nairobi", "sum": 20}]),
        ),
        (
            "orders?select=people(name),count()&person_id=eq.1",
            json!([{"people": {"name": "Ada"}, "count": 2}]),
        ),
        (
            "orders?select=...people(name),amount.sum()&person_id=lt.3&amount=gt.0",
            json!([{"name": "Ada", "sum": 30}]),
        ),
    ] {
        assert_eq!(get(path), (200, expected), "{path}");
    }
}

#[test]
fn embedded_rows_are_summed_up() {
    let _host = host();
    assert_eq!(
        get("people?select=name,orders(count(),amount.sum())&order=id"),
        (
            200,
            json!([
                {"name": "Ada", "orders": [{"count": 2, "sum": 30}]},
                {"name": "Grace", "orders": [{"count": 1, "sum": null}]},
                {"name": "Joan", "orders": [{"count": 0, "sum": null}]},
            ])
        )
    );
    assert_eq!(
        get("people?select=orders(city,amount.sum())&orders.order=city&id=eq.1"),
        (
            200,
            json!([{"orders": [{"city": "Kisumu", "sum": 10}, {"city": "Nairobi", "sum": 20}]}])
        )
    );
}

#[test]
fn groups_are_counted() {
    let _host = host();
    let path = "/rest/v1/orders?select=city,data-%3E%3En::int.sum()&limit=1";
    let response = routes().call(Request::get(path).with_header("prefer", "count=exact"));
    assert_eq!(response.header("content-range"), Some("0-0/2"));
}

#[test]
fn what_cannot_be_summed_up_is_named() {
    let _host = host();
    for (path, code) in [
        ("orders?select=city.sum()", "42883"),
        ("orders?select=paid.max()", "42883"),
        ("orders?select=data->n.sum()", "42883"),
        ("orders?select=amount.median()", "PGRST100"),
        ("orders?select=amount.sum", "PGRST100"),
        ("orders?select=nothing.sum()", "42703"),
        ("orders?select=amount.sum()&order=city", "42803"),
        ("orders?select=city,amount.sum()&order=amount", "42803"),
    ] {
        let (status, problem) = get(path);
        assert_eq!(
            (status, &problem["code"]),
            (400, &json!(code)),
            "{path}: {problem}"
        );
    }
    let body = json!({"city": "x"});
    let insert = Request::new(Method::POST, "/rest/v1/orders?select=amount.sum()");
    let (status, problem) = ask(insert.with_json(&body).unwrap());
    assert_eq!((status, &problem["code"]), (400, &json!("0A000")));
}

#[test]
fn nothing_is_summed_up_unless_the_admin_allows_it() {
    let _host = TestHost::new("db").with_tables(TABLES).unwrap();
    for path in [
        "orders?select=count()",
        "people?select=orders(amount.sum())",
    ] {
        let (status, problem) = get(path);
        assert_eq!((status, &problem["code"]), (400, &json!("PGRST123")));
    }
}
