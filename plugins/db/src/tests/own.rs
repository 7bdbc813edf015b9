//! `/v1/db` against a host in memory.

use crate::routes;
use atlashub_sdk::{identity::CallerKind, prelude::*, testing::TestHost};
use serde_json::{Value, json};

const TABLES: &str = "
CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL, born DATE);
CREATE TABLE todos (
  id INTEGER PRIMARY KEY,
  title TEXT NOT NULL,
  done BOOLEAN NOT NULL DEFAULT 0 CHECK (done IN (0, 1)),
  stars REAL,
  tags JSON,
  made_at TIMESTAMP,
  file BYTEA,
  person_id INTEGER REFERENCES people (id)
);
CREATE VIEW open_todos AS SELECT id, title FROM todos WHERE NOT done;
INSERT INTO people (id, name) VALUES (1, 'Ada'), (2, 'Grace');
INSERT INTO todos (id, title, done, stars, tags, made_at, file, person_id) VALUES
  (1, 'water', 0, 1.5, '{\"a\":[1,2]}', '2026-01-01T00:00:00.000Z', x'00ff', 1),
  (2, 'Weed', 1, NULL, NULL, NULL, NULL, 2),
  (3, '50% off', 0, 3, '[]', '2026-01-02T00:00:00.000Z', NULL, NULL);
";

fn host() -> TestHost {
    TestHost::new("db")
        .with_caller(Caller::new(CallerKind::SecretKey, "k"))
        .with_tables(TABLES)
        .unwrap()
}

fn call(request: Request) -> (u16, Value) {
    let response = routes().call(request);
    let status = response.status().as_u16();
    (status, response.into_json().unwrap())
}

fn get(target: &str) -> (u16, Value) {
    call(Request::get(target))
}

fn send(method: Method, target: &str, body: &Value) -> (u16, Value) {
    call(Request::new(method, target).with_json(body).unwrap())
}

fn ids(target: &str) -> Vec<i64> {
    let (status, body) = get(target);
    assert_eq!(status, 200, "{target}: {body}");
    let rows = body["rows"].as_array().unwrap();
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

#[test]
fn rows_come_as_json_of_their_columns_kinds() {
    let _host = host();
    assert_eq!(
        get("/v1/db/todos?eq.id=1&count=exact"),
        (
            200,
            json!({
                "rows": [{
                    "id": 1, "title": "water", "done": false, "stars": 1.5,
                    "tags": {"a": [1, 2]}, "made_at": "2026-01-01T00:00:00+00:00",
                    "file": "\\x00ff", "person_id": 1,
                }],
                "limit": 100, "offset": 0, "count": 1,
            })
        )
    );
    assert_eq!(
        get("/v1/db/todos?select=title,done&order=id.desc&limit=1&offset=1"),
        (
            200,
            json!({"rows": [{"title": "Weed", "done": true}], "limit": 1, "offset": 1})
        )
    );
    assert_eq!(get("/v1/db/open_todos?eq.id=2").1["rows"], json!([]));
}

#[test]
fn conditions_choose_rows() {
    let _host = host();
    for (query, expected) in [
        ("eq.done=true", vec![2]),
        ("neq.id=1", vec![2, 3]),
        ("gt.stars=1&lte.stars=3", vec![1, 3]),
        ("like.title=w%25", vec![1]),
        ("ilike.title=w%25", vec![1, 2]),
        ("like.title=50\\%25_off", vec![3]),
        ("in.id=1,3", vec![1, 3]),
        ("is.stars=null", vec![2]),
        ("gte.made_at=2026-01-02", vec![3]),
        ("eq.made_at=2026-01-01T02:00:00%2B02:00", vec![1]),
        ("eq.file=\\x00FF", vec![1]),
        ("eq.title=' OR 1=1 --", vec![]),
    ] {
        assert_eq!(
            ids(&format!("/v1/db/todos?order=id&{query}")),
            expected,
            "{query}"
        );
    }
    assert_eq!(ids("/v1/db/todos?order=stars"), [1, 3, 2]);
    assert_eq!(ids("/v1/db/todos?order=stars.desc"), [2, 3, 1]);
}

#[test]
fn what_is_not_there_is_named() {
    let _host = host();
    for (target, status, code, named) in [
        ("/v1/db/nothing", 404, "unknown_table", "`nothing`"),
        (
            "/v1/db/todos?select=id,nothing",
            400,
            "unknown_column",
            "todos.nothing",
        ),
        (
            "/v1/db/todos?eq.nothing=1",
            400,
            "unknown_column",
            "todos.nothing",
        ),
        (
            "/v1/db/todos?order=nothing.asc",
            400,
            "unknown_column",
            "todos.nothing",
        ),
        ("/v1/db/todos?wrong=1", 400, "invalid_query", "`wrong`"),
        ("/v1/db/todos?limit=-1", 400, "invalid_query", "`limit`"),
        ("/v1/db/todos?eq.id=one", 400, "invalid_value", "\"one\""),
        (
            "/v1/db/sqlite_schema",
            404,
            "unknown_table",
            "`sqlite_schema`",
        ),
        (
            "/v1/db/tables/nothing/columns",
            404,
            "unknown_table",
            "`nothing`",
        ),
    ] {
        let (found, body) = get(target);
        assert_eq!(
            (found, body["code"].as_str().unwrap()),
            (status, code),
            "{target}: {body}"
        );
        assert!(
            body["detail"].as_str().unwrap().contains(named),
            "{target}: {body}"
        );
    }
}

#[test]
fn a_page_has_a_thousand_rows_at_most() {
    let many = "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) \
                INSERT INTO people (id, name) SELECT i, 'x' FROM n";
    let _host = TestHost::new("db")
        .with_tables(&format!("{TABLES}{many}"))
        .unwrap();
    assert_eq!(ids("/v1/db/people").len(), 100);
    assert_eq!(ids("/v1/db/people?limit=5000").len(), 1000);
    assert_eq!(get("/v1/db/people?limit=5000").1["limit"], 1000);
    let (status, body) = send(
        Method::PATCH,
        "/v1/db/people?gt.id=0",
        &json!({"values": {"name": "y"}}),
    );
    assert_eq!((status, &body["code"]), (400, &json!("too_many_rows")));
    assert_eq!(get("/v1/db/people?eq.name=y&count=exact").1["count"], 0);
    let (status, body) = send(
        Method::PATCH,
        "/v1/db/people?gt.id=0&returning=false",
        &json!({"values": {"name": "y"}}),
    );
    assert_eq!((status, body), (200, json!({"count": 1493})));
}

#[test]
fn rows_are_made_changed_and_deleted() {
    let _host = host();
    let (status, body) = send(
        Method::POST,
        "/v1/db/todos?select=id,title,done,tags,made_at,file",
        &json!({"rows": [
            {"title": "a", "done": true, "tags": {"x": null}, "made_at": "2026-03-01 12:00:00.25+02", "file": "\\x01"},
            {"title": "b"},
            {"id": 100, "title": "c", "tags": "text"},
        ]}),
    );
    assert_eq!(
        (status, body),
        (
            201,
            json!({"rows": [
                {"id": 4, "title": "a", "done": true, "tags": {"x": null},
                 "made_at": "2026-03-01T10:00:00.25+00:00", "file": "\\x01"},
                {"id": 5, "title": "b", "done": false, "tags": null, "made_at": null, "file": null},
                {"id": 100, "title": "c", "done": false, "tags": "text", "made_at": null, "file": null},
            ], "count": 3})
        )
    );
    assert_eq!(
        send(
            Method::PATCH,
            "/v1/db/todos?in.id=4,5&select=id,title,done",
            &json!({"values": {"done": false, "title": "d"}})
        ),
        (
            200,
            json!({"rows": [
                {"id": 4, "title": "d", "done": false},
                {"id": 5, "title": "d", "done": false},
            ], "count": 2})
        )
    );
    assert_eq!(
        call(Request::new(
            Method::DELETE,
            "/v1/db/todos?gte.id=5&select=id"
        )),
        (200, json!({"rows": [{"id": 5}, {"id": 100}], "count": 2}))
    );
    assert_eq!(
        call(Request::new(
            Method::DELETE,
            "/v1/db/todos?eq.id=4&returning=false"
        )),
        (200, json!({"count": 1}))
    );
    assert_eq!(ids("/v1/db/todos?order=id"), [1, 2, 3]);
}

#[test]
fn a_write_that_cannot_be_is_refused_whole() {
    let _host = host();
    for (method, target, body, status, code) in [
        (
            Method::PATCH,
            "todos",
            json!({"values": {"done": true}}),
            400,
            "filter_required",
        ),
        (
            Method::PATCH,
            "todos?eq.id=1",
            json!({"values": {"nothing": 1}}),
            400,
            "unknown_column",
        ),
        (
            Method::PATCH,
            "todos?eq.id=1",
            json!({"done": true}),
            400,
            "invalid_body",
        ),
        (
            Method::DELETE,
            "todos?returning=false",
            json!({}),
            400,
            "filter_required",
        ),
        (
            Method::POST,
            "todos",
            json!({"rows": [{"title": "x"}, {"id": 1, "title": "y"}]}),
            409,
            "sql_constraint_unique",
        ),
        (
            Method::POST,
            "todos",
            json!({"rows": [{"title": "x", "person_id": 9}]}),
            409,
            "sql_constraint_foreign_key",
        ),
        (
            Method::POST,
            "todos",
            json!({"rows": [{"id": 9}]}),
            400,
            "sql_constraint",
        ),
        (
            Method::POST,
            "todos",
            json!({"rows": [{"title": "x", "done": "perhaps"}]}),
            400,
            "invalid_value",
        ),
        (
            Method::POST,
            "open_todos",
            json!({"rows": [{"id": 9}]}),
            405,
            "not_writable",
        ),
        (
            Method::POST,
            "nothing",
            json!({"rows": []}),
            404,
            "unknown_table",
        ),
    ] {
        let (found, answer) = send(method.clone(), &format!("/v1/db/{target}"), &body);
        assert_eq!(
            (found, answer["code"].as_str().unwrap()),
            (status, code),
            "{method} {target}: {answer}"
        );
    }
    assert_eq!(ids("/v1/db/todos?order=id"), [1, 2, 3]);
    assert_eq!(ids("/v1/db/todos?eq.done=true"), [2]);
}

#[test]
fn tables_are_described() {
    let _host = host();
    let (status, body) = get("/v1/db/tables");
    assert_eq!(status, 200);
    let tables = body["tables"].as_array().unwrap();
    let names: Vec<_> = tables
        .iter()
        .map(|table| table["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["open_todos", "people", "todos"]);
    assert_eq!(tables[2]["foreign_keys"][0]["table"], "people");
    assert_eq!(
        get("/v1/db/tables/people/columns").1["columns"][1],
        json!({"name": "name", "kind": "text", "data_type": "TEXT", "nullable": false,
               "default": null, "generated": false, "primary_key": false})
    );
}

#[test]
fn who_is_bound_by_policies_is_told_of_tables_that_have_some() {
    let host = host().without_policies(["people"]);
    let names = |body: &Value| -> Vec<String> {
        let tables = body["tables"].as_array().unwrap().iter();
        tables
            .map(|table| table["name"].as_str().unwrap().to_owned())
            .collect()
    };
    host.set_caller(Caller::new(CallerKind::PublishableKey, "k"));
    let (_, body) = get("/v1/db/tables");
    assert_eq!(names(&body), ["open_todos", "todos"]);
    assert_eq!(
        body["tables"][1]["foreign_keys"],
        json!([]),
        "a key names a table that is not told of"
    );
    assert_eq!(get("/v1/db/tables/todos/columns").0, 200);
    for table in ["people", "nothing"] {
        let (status, body) = get(&format!("/v1/db/tables/{table}/columns"));
        assert_eq!((status, &body["code"]), (404, &json!("unknown_table")));
    }
    host.set_caller(Caller::new(CallerKind::SecretKey, "k"));
    let (_, body) = get("/v1/db/tables");
    assert_eq!(names(&body), ["open_todos", "people", "todos"]);
    host.set_caller(Caller::default());
    assert_eq!(get("/v1/db/tables").0, 401);
    assert_eq!(get("/v1/db/tables/todos/columns").0, 401);
}

#[test]
fn a_table_of_many_columns_comes_whole() {
    let columns: Vec<String> = (0..150)
        .map(|n| format!("c{n} INTEGER DEFAULT {n}"))
        .collect();
    let sql = format!(
        "CREATE TABLE wide ({}); INSERT INTO wide DEFAULT VALUES",
        columns.join(", ")
    );
    let _host = TestHost::new("db").with_tables(&sql).unwrap();
    let (_, body) = get("/v1/db/wide");
    let row = body["rows"][0].as_object().unwrap();
    assert_eq!(row.len(), 150);
    assert!((0..150).all(|n| row[&format!("c{n}")] == json!(n)));
}

#[test]
fn an_insert_that_is_sent_again_is_done_once() {
    let _host = host();
    let insert = |title: &str| {
        let body = json!({"rows": [{"title": title}]});
        let request = Request::post("/v1/db/todos?select=id,title", "")
            .with_json(&body)
            .unwrap()
            .with_header("idempotency-key", "k1");
        call(request)
    };
    let first = insert("once");
    assert_eq!(
        first,
        (
            201,
            json!({"rows": [{"id": 4, "title": "once"}], "count": 1})
        )
    );
    assert_eq!(insert("once"), first);
    let (status, body) = insert("another");
    assert_eq!(
        (status, &body["code"]),
        (422, &json!("idempotency_key_reused"))
    );
    assert_eq!(ids("/v1/db/todos?order=id"), [1, 2, 3, 4]);
}

#[test]
fn users_read_and_write_as_their_roles_allow_in_both_dialects() {
    let host = host().with_caller(Caller::new(CallerKind::User, "u1"));
    let insert = json!({"rows": [{"title": "new"}]});
    host.set_permissions(["db:read"]);
    assert_eq!(get("/v1/db/todos?limit=1").0, 200);
    assert_eq!(get("/rest/v1/todos?limit=1").0, 200);
    let (status, problem) = send(Method::POST, "/v1/db/todos", &insert);
    assert_eq!(
        (status, &problem["code"], &problem["permission"]),
        (403, &json!("permission_needed"), &json!("db:write"))
    );
    for (method, target) in [
        (Method::POST, "/rest/v1/todos"),
        (Method::PATCH, "/rest/v1/todos?id=eq.1"),
        (Method::DELETE, "/rest/v1/todos?id=eq.1"),
    ] {
        let (status, answer) = send(method, target, &json!({"title": "new"}));
        assert_eq!((status, &answer["code"]), (403, &json!("42501")));
    }
    host.set_permissions(["db:write"]);
    assert_eq!(send(Method::POST, "/v1/db/todos", &insert).0, 201);
    for target in [
        "/v1/db/todos",
        "/v1/db/tables",
        "/v1/db/tables/todos/columns",
        "/rest/v1/todos",
    ] {
        assert_eq!(get(target).0, 403, "{target}");
    }
    // Policies alone decide about who is no user.
    host.set_caller(Caller::new(CallerKind::PublishableKey, "k"));
    assert_eq!(get("/v1/db/todos").0, 200);
}

#[test]
fn the_description_names_the_routes() {
    atlashub_sdk::testing::assert_described(&routes(), env!("CARGO_MANIFEST_DIR"));
}
