//! `/rest/v1` against a host in memory: reads.

use crate::routes;
use atlashub_sdk::{prelude::*, testing::TestHost};
use serde_json::{Value, json};

const TABLES: &str = "
CREATE TABLE people (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, boss_id INTEGER REFERENCES people (id));
CREATE TABLE todos (
  id INTEGER PRIMARY KEY, title TEXT NOT NULL, done BOOLEAN NOT NULL DEFAULT 0, stars INTEGER,
  data JSON, person_id INTEGER REFERENCES people (id), helper_id INTEGER REFERENCES people (id));
CREATE TABLE tags (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE todo_tags (
  todo_id INTEGER REFERENCES todos (id), tag_id INTEGER REFERENCES tags (id),
  PRIMARY KEY (todo_id, tag_id));
CREATE TABLE details (todo_id INTEGER PRIMARY KEY REFERENCES todos (id), note TEXT);
INSERT INTO people VALUES (1, 'Ada', NULL), (2, 'Grace', 1), (3, 'Joan, of \"Arc\"', 1);
INSERT INTO todos VALUES
  (1, 'water', 0, 3, '{\"a\":{\"b\":1},\"l\":[10,20],\"t\":\"x\",\"f\":true}', 1, 2),
  (2, 'Weed', 1, NULL, NULL, 1, NULL),
  (3, '50% off', 0, 1, '{\"t\":\"y\"}', 2, NULL),
  (4, 'plant', 0, 2, NULL, NULL, NULL);
INSERT INTO tags VALUES (1, 'garden'), (2, 'home');
INSERT INTO todo_tags VALUES (1, 1), (1, 2), (3, 2);
INSERT INTO details VALUES (1, 'twice a day');
";

fn host() -> TestHost {
    TestHost::new("db").with_tables(TABLES).unwrap()
}

/// The target with the characters that a client would encode.
fn target(path: &str) -> String {
    path.replace('"', "%22")
        .replace(' ', "%20")
        .replace('>', "%3E")
}

fn call(request: Request) -> (u16, Value) {
    let response = routes().call(request);
    let status = response.status().as_u16();
    let text = response.into_text().unwrap();
    (
        status,
        serde_json::from_str(&text).unwrap_or(Value::String(text)),
    )
}

fn get(path: &str) -> (u16, Value) {
    call(Request::get(target(&format!("/rest/v1/{path}"))))
}

fn rows(path: &str) -> Value {
    let (status, body) = get(path);
    assert_eq!(status, 200, "{path}: {body}");
    body
}

fn ids(path: &str) -> Vec<i64> {
    let body = rows(path);
    let rows = body.as_array().unwrap();
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

#[test]
fn operators_choose_rows() {
    let _host = host();
    for (query, expected) in [
        ("id=eq.1", vec![1]),
        ("id=not.eq.1", vec![2, 3, 4]),
        ("stars=gte.2", vec![1, 4]),
        ("title=like.w*", vec![1]),
        ("title=ilike.w*", vec![1, 2]),
        ("title=like(any).{w*,p*}", vec![1, 4]),
        ("title=ilike(all).{w*,*d}", vec![2]),
        ("id=eq(any).{1,3}", vec![1, 3]),
        ("id=in.(1,\"2\",9)", vec![1, 2]),
        ("id=not.in.(1,2)", vec![3, 4]),
        ("id=in.()", vec![]),
        ("done=is.true", vec![2]),
        ("stars=is.null", vec![2]),
        ("stars=not.is.null", vec![1, 3, 4]),
        ("stars=is.not_null", vec![1, 3, 4]),
        ("stars=isdistinct.3", vec![2, 3, 4]),
        ("or=(id.eq.1,and(stars.gt.0,stars.lt.2))", vec![1, 3]),
        ("or=(title.eq.\"50% off\",id.in.(1,2))&id=lt.3", vec![1, 2]),
        ("and=(id.gte.2,not.or(id.eq.3,stars.is.null))", vec![4]),
        ("not.or=(id.eq.1,id.eq.2)", vec![3, 4]),
        ("data->>t=eq.x", vec![1]),
        ("data->a->>b=eq.1", vec![1]),
        ("data->l->>-1=eq.20", vec![1]),
        ("data->>f=eq.true", vec![1]),
        ("data->l=eq.[10, 20]", vec![1]),
        ("title=eq.x' OR '1'='1", vec![]),
    ] {
        assert_eq!(ids(&format!("todos?order=id&{query}")), expected, "{query}");
    }
    assert_eq!(ids("people?name=eq.Joan, of \"Arc\""), [3]);
    assert_eq!(ids("people?or=(name.eq.\"Joan, of \\\"Arc\\\"\")"), [3]);
}

#[test]
fn orders_and_pages() {
    let _host = host();
    assert_eq!(ids("todos?order=stars"), [3, 4, 1, 2]);
    assert_eq!(ids("todos?order=stars.nullsfirst"), [2, 3, 4, 1]);
    assert_eq!(ids("todos?order=stars.desc.nullslast"), [1, 4, 3, 2]);
    assert_eq!(ids("todos?order=done.desc,id.desc"), [2, 4, 3, 1]);
    assert_eq!(ids("todos?order=data->>t.desc.nullslast,id"), [3, 1, 2, 4]);
    assert_eq!(
        ids("todos?select=id,person:person_id(name)&order=person(name).desc.nullslast,id"),
        [3, 1, 2, 4]
    );
    assert_eq!(ids("todos?order=id&limit=2&offset=1"), [2, 3]);
    let ranged = Request::get("/rest/v1/todos?order=id&select=id").with_header("range", "1-2");
    assert_eq!(call(ranged).1, json!([{"id": 2}, {"id": 3}]));
}

#[test]
fn values_are_shown_under_names_and_types() {
    let _host = host();
    assert_eq!(
        rows(
            "todos?id=eq.1&select=number:id::text,data->a,in:data->l->0,data->>t,data->>f,done::int,stars"
        ),
        json!([{"number": "1", "a": {"b": 1}, "in": 10, "t": "x", "f": "true", "done": 0, "stars": 3}])
    );
}

#[test]
fn tables_are_embedded_along_foreign_keys() {
    let _host = host();
    assert_eq!(
        rows(
            "todos?select=id,person:people!person_id(name),tags(name),details(note)&order=id&tags.order=name.desc&id=lt.4"
        ),
        json!([
            {"id": 1, "person": {"name": "Ada"}, "tags": [{"name": "home"}, {"name": "garden"}], "details": {"note": "twice a day"}},
            {"id": 2, "person": {"name": "Ada"}, "tags": [], "details": null},
            {"id": 3, "person": {"name": "Grace"}, "tags": [{"name": "home"}], "details": null},
        ])
    );
    assert_eq!(
        rows(
            "people?select=name,todos!person_id(id,tags(name))&id=eq.1&todos.order=id.desc&todos.limit=1"
        ),
        json!([{"name": "Ada", "todos": [{"id": 2, "tags": []}]}])
    );
    assert_eq!(
        rows("people?select=id,boss:boss_id(name),people(id)&order=id&people.order=id"),
        json!([
            {"id": 1, "boss": null, "people": [{"id": 2}, {"id": 3}]},
            {"id": 2, "boss": {"name": "Ada"}, "people": []},
            {"id": 3, "boss": {"name": "Ada"}, "people": []},
        ])
    );
    assert_eq!(
        rows("todos?id=eq.3&select=id,...people!person_id(owner:name,boss:boss_id(id))"),
        json!([{"id": 3, "owner": "Grace", "boss": {"id": 1}}])
    );
}

#[test]
fn embedded_tables_choose_rows() {
    let _host = host();
    assert_eq!(
        ids("todos?select=id,tags!inner(name)&tags.name=eq.garden"),
        [1]
    );
    assert_eq!(ids("todos?select=id,tags()&tags=is.null&order=id"), [2, 4]);
    assert_eq!(
        ids("todos?select=id,tags()&tags=not.is.null&order=id"),
        [1, 3]
    );
    assert_eq!(
        ids("todos?select=id,tags(),details()&or=(details.not.is.null,id.eq.4)&order=id"),
        [1, 4]
    );
    assert_eq!(
        rows("todos?select=id,tags(name)&tags.or=(name.eq.home,name.eq.x)&id=eq.1"),
        json!([{"id": 1, "tags": [{"name": "home"}]}])
    );
    assert_eq!(
        rows("people?select=id,todos!person_id!inner(tags!inner(id))&todos.tags.name=eq.garden"),
        json!([{"id": 1, "todos": [{"tags": [{"id": 1}]}]}])
    );
}

#[test]
fn what_cannot_be_read_is_refused_with_its_code() {
    let _host = host();
    let deep = format!("todos?or={}id.eq.1{}", "(and".repeat(20), ")".repeat(20));
    for (path, status, code) in [
        ("nothing", 404, "PGRST205"),
        ("todos?select=nothing", 400, "42703"),
        ("todos?nothing=eq.1", 400, "42703"),
        ("todos?order=nothing", 400, "42703"),
        ("todos?id=1", 400, "PGRST100"),
        ("todos?id=equals.1", 400, "PGRST100"),
        ("todos?or=id.eq.1", 400, "PGRST100"),
        ("todos?select=id,", 400, "PGRST100"),
        ("todos?select=id,tags(", 400, "PGRST100"),
        ("todos?id=eq.x", 400, "22P02"),
        ("todos?done=eq.perhaps", 400, "22P02"),
        ("todos?title=fts(english).w", 400, "0A000"),
        ("todos?data=cs.{}", 400, "0A000"),
        ("todos?select=people(name)", 300, "PGRST201"),
        ("todos?select=nothing(id)", 400, "PGRST200"),
        ("todos?select=id.sum()", 400, "PGRST123"),
        ("todos?select=id,...tags(name)", 400, "PGRST119"),
        ("todos?tags.id=eq.1", 400, "PGRST108"),
        ("rpc/work", 404, "PGRST202"),
        (deep.as_str(), 400, "PGRST100"),
    ] {
        let (found, body) = get(path);
        assert_eq!(
            (found, body["code"].as_str()),
            (status, Some(code)),
            "{path}: {body}"
        );
        assert!(
            body["message"].is_string()
                && body.get("details").is_some()
                && body.get("hint").is_some()
        );
    }
    let elsewhere = Request::get("/rest/v1/todos").with_header("accept-profile", "private");
    assert_eq!(call(elsewhere).1["code"], "PGRST106");
}

#[test]
fn an_answer_has_the_form_that_was_asked_for() {
    let _host = host();
    let ask = |path: &str, name: &str, value: &str| {
        routes().call(Request::get(target(&format!("/rest/v1/{path}"))).with_header(name, value))
    };
    let object = "application/vnd.pgrst.object+json";
    let one = ask("todos?id=eq.4&select=id,stars,data", "accept", object);
    assert_eq!(
        one.header("content-type"),
        Some("application/vnd.pgrst.object+json; charset=utf-8")
    );
    assert_eq!(
        one.into_json::<Value>().unwrap(),
        json!({"id": 4, "stars": 2, "data": null})
    );
    let stripped = ask(
        "todos?id=eq.4&select=id,data",
        "accept",
        "application/vnd.pgrst.object+json;nulls=stripped",
    );
    assert_eq!(stripped.into_json::<Value>().unwrap(), json!({"id": 4}));
    let many = ask("todos", "accept", object);
    assert_eq!(many.status().as_u16(), 406);
    let problem: Value = many.into_json().unwrap();
    assert_eq!(problem["code"], "PGRST116");
    assert_eq!(problem["details"], "The result contains 4 rows");
    let csv = ask(
        "people?select=id,name,boss_id&order=id",
        "accept",
        "text/csv",
    );
    assert_eq!(
        csv.into_text().unwrap(),
        "id,name,boss_id\n1,Ada,\n2,Grace,1\n3,\"Joan, of \"\"Arc\"\"\",1"
    );
    assert_eq!(ask("todos", "accept", "image/png").status().as_u16(), 406);
}

#[test]
fn rows_are_counted_when_asked() {
    let _host = host();
    let ask = |path: &str, prefer: &str| {
        let response =
            routes().call(Request::get(format!("/rest/v1/{path}")).with_header("prefer", prefer));
        let range = response.header("content-range").map(str::to_owned);
        (response.status().as_u16(), range)
    };
    let range = |text: &str| Some(text.to_owned());
    assert_eq!(ask("todos?limit=2", ""), (200, range("0-1/*")));
    assert_eq!(
        ask("todos?limit=2&offset=1", "count=exact"),
        (206, range("1-2/4"))
    );
    assert_eq!(ask("todos", "count=planned"), (200, range("0-3/4")));
    assert_eq!(ask("todos?id=eq.9", "count=estimated"), (200, range("*/0")));
    assert_eq!(ask("todos?offset=9", "count=exact").0, 416);
    let head = Request::new(Method::HEAD, "/rest/v1/todos").with_header("prefer", "count=exact");
    let head = routes().call(head);
    assert_eq!(head.header("content-range"), Some("0-3/4"));
    assert_eq!(head.into_bytes().unwrap(), b"");
}
