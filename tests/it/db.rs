//! The `db` plugin: the project's tables over HTTP, the same on both
//! engines, with the rights of the caller.

use crate::sql_editor;
use atlashub_tests::{Engine, Project, Reply, shared};
use reqwest::Method;
use serde_json::{Value, json};

/// A project with people, their todos, tags on these, and notes that a
/// publishable key reaches in part.
pub(crate) async fn project() -> Project {
    let admin = shared().await.admin();
    let project = admin.project_with(&["db"]).await;
    let tables = format!("/admin/v1/projects/{}/tables", project.slug);
    let id = json!({"name": "id", "type": "bigint", "primary_key": true});
    let made = [
        json!({"name": "people", "columns": [
            id, {"name": "name", "type": "text", "nullable": false, "unique": true},
            {"name": "boss_id", "type": "bigint", "references": {"table": "people", "column": "id"}},
        ]}),
        json!({"name": "todos", "columns": [
            {"name": "id", "type": "bigint", "primary_key": true, "default": {"function": "autoincrement"}},
            {"name": "title", "type": "text", "nullable": false},
            {"name": "done", "type": "boolean", "nullable": false, "default": {"value": false}},
            {"name": "stars", "type": "real"},
            {"name": "price", "type": "numeric"},
            {"name": "data", "type": "json"},
            {"name": "due", "type": "date"},
            {"name": "at", "type": "timestamp"},
            {"name": "key", "type": "uuid"},
            {"name": "file", "type": "bytes"},
            {"name": "person_id", "type": "bigint", "references": {"table": "people", "column": "id"}},
        ]}),
        json!({"name": "tags", "columns": [id, {"name": "name", "type": "text"}]}),
        json!({"name": "todo_tags", "primary_key": ["todo_id", "tag_id"], "columns": [
            {"name": "todo_id", "type": "bigint", "references": {"table": "todos", "column": "id"}},
            {"name": "tag_id", "type": "bigint", "references": {"table": "tags", "column": "id"}},
        ]}),
        json!({"name": "notes", "columns": [
            id, {"name": "note", "type": "text", "nullable": false, "unique": true},
            {"name": "shared", "type": "boolean", "nullable": false, "default": {"value": false}},
        ]}),
    ];
    for table in made {
        // The first connections to a new database take long on a busy machine.
        let make = admin.request(Method::POST, &tables).json(&table);
        let _ = Reply::try_patiently(make).await.unwrap().expect(201);
    }
    for (name, rules) in [
        (
            "see",
            json!({"actions": ["select"], "roles": ["anon"], "using": "shared"}),
        ),
        (
            "add",
            json!({"actions": ["insert"], "roles": ["anon"], "check": "note <> 'forbidden'"}),
        ),
        (
            "change",
            json!({"actions": ["update"], "roles": ["anon"], "using": "id < 100", "check": "note <> 'forbidden'"}),
        ),
        (
            "remove",
            json!({"actions": ["delete"], "roles": ["anon"], "using": "id < 50"}),
        ),
    ] {
        let path = format!("{tables}/notes/policies/{name}");
        let _ = admin.put(&path, rules).await.expect(201);
    }
    for (table, rows) in [
        (
            "people",
            json!([{"id": 1, "name": "Ada"}, {"id": 2, "name": "Grace", "boss_id": 1}]),
        ),
        (
            "todos",
            json!([
                {"title": "water", "stars": 1.5, "price": "10.50", "data": {"a": [1, {"b": "x"}], "t": true},
                 "due": "2026-03-01", "at": "2026-03-01T12:00:00.25+02:00",
                 "key": "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "file": "\\x00ff", "person_id": 1},
                {"title": "Weed", "done": true, "person_id": 2},
                {"title": "50% off", "stars": 3, "data": "text"},
            ]),
        ),
        (
            "tags",
            json!([{"id": 1, "name": "garden"}, {"id": 2, "name": "home"}]),
        ),
        (
            "todo_tags",
            json!([{"todo_id": 1, "tag_id": 1}, {"todo_id": 1, "tag_id": 2}, {"todo_id": 3, "tag_id": 2}]),
        ),
        (
            "notes",
            json!([{"id": 1, "note": "seen", "shared": true}, {"id": 2, "note": "hidden"},
                         {"id": 60, "note": "stays", "shared": true}, {"id": 200, "note": "fixed", "shared": true}]),
        ),
    ] {
        let path = format!("/v1/db/{table}?returning=false");
        let _ = project
            .post(&path, json!({ "rows": rows }))
            .await
            .expect(201);
    }
    project
}

/// A call in the dialect of PostgREST's clients.
async fn rest(
    project: &Project,
    method: Method,
    path: &str,
    prefer: &str,
    body: Option<Value>,
) -> Reply {
    let request = project
        .request(method, &format!("/rest/v1/{path}"))
        .header("prefer", prefer);
    Reply::to(match body {
        Some(body) => request.json(&body),
        None => request,
    })
    .await
}

async fn rows(project: &Project, path: &str) -> Value {
    rest(project, Method::GET, path, "", None)
        .await
        .expect(200)
        .json()
}

async fn ids(project: &Project, path: &str) -> Vec<i64> {
    let rows = rows(project, path).await;
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row["id"].as_i64().unwrap()).collect()
}

const BACK: &str = "return=representation";

#[tokio::test]
async fn tables_are_listed_and_rows_come_alike_on_both_engines() {
    let project = project().await;
    let tables = project.get("/v1/db/tables").await.expect(200).json();
    let names: Vec<&str> = tables["tables"]
        .as_array()
        .unwrap()
        .iter()
        .map(|table| table["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["notes", "people", "tags", "todo_tags", "todos"]);
    let columns = project
        .get("/v1/db/tables/people/columns")
        .await
        .expect(200)
        .json();
    assert_eq!(columns["columns"][1]["kind"], "text", "{columns}");
    let page = project
        .get("/v1/db/todos?eq.id=1&count=exact")
        .await
        .expect(200)
        .json();
    assert_eq!(
        page,
        json!({
            "rows": [{
                "id": 1, "title": "water", "done": false, "stars": 1.5, "price": 10.5,
                "data": {"a": [1, {"b": "x"}], "t": true}, "due": "2026-03-01",
                "at": "2026-03-01T10:00:00.25+00:00", "key": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
                "file": "\\x00ff", "person_id": 1,
            }],
            "limit": 100, "offset": 0, "count": 1,
        })
    );
    let empty = project.get("/v1/db/todos?eq.id=2").await.expect(200).json();
    assert_eq!(
        empty["rows"][0],
        json!({"id": 2, "title": "Weed", "done": true, "stars": null, "price": null, "data": null,
               "due": null, "at": null, "key": null, "file": null, "person_id": 2})
    );
}

#[tokio::test]
async fn a_publishable_key_is_told_of_tables_that_have_policies_for_it() {
    let project = project().await;
    let public = project.with_key(&project.publishable);
    let names = |reply: Reply| -> Vec<String> {
        let body = reply.expect(200).json();
        let tables = body["tables"].as_array().unwrap().iter();
        tables
            .map(|table| table["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(public.get("/v1/db/tables").await), ["notes"]);
    let columns = public.get("/v1/db/tables/people/columns").await;
    assert_eq!(columns.expect(404).json()["code"], "unknown_table");
    // A policy for others does not tell; one for all does, at once.
    let admin = shared().await.admin();
    let path = format!(
        "/admin/v1/projects/{}/tables/tags/policies/some",
        project.slug
    );
    for (roles, told) in [
        (json!(["authenticated"]), vec!["notes"]),
        (json!(["*"]), vec!["notes", "tags"]),
    ] {
        let policy = json!({"actions": ["select"], "roles": roles, "using": false});
        let reply = admin.put(&path, policy).await;
        assert!([200, 201].contains(&reply.status), "{}", reply.text());
        assert_eq!(names(public.get("/v1/db/tables").await), told);
    }
    // What it knows by name it may ask for; without policies there are no rows.
    let rows = public.get("/v1/db/people").await.expect(200).json();
    assert_eq!(rows["rows"], json!([]));
}

#[tokio::test]
async fn rows_are_chosen_alike_on_both_engines() {
    let project = project().await;
    for (query, expected) in [
        ("done=is.true", vec![2]),
        ("stars=gte.1.5", vec![1, 3]),
        ("price=lt.9.75", vec![]),
        ("price=gt.9.75", vec![1]),
        ("title=like.w*", vec![1]),
        ("title=ilike.w*", vec![1, 2]),
        ("title=like(any).{50\\%25*,W*}", vec![2, 3]),
        ("id=in.(1,\"3\")", vec![1, 3]),
        ("stars=is.null", vec![2]),
        ("stars=isdistinct.3", vec![1, 2]),
        ("due=eq.2026-03-01", vec![1]),
        ("at=gte.2026-03-01T10:00:00.25Z", vec![1]),
        ("at=gt.2026-03-01T10:00:00.25Z", vec![]),
        ("key=eq.a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", vec![1]),
        ("file=eq.\\x00ff", vec![1]),
        ("data->a->1->>b=eq.x", vec![1]),
        ("data->>t=eq.true", vec![1]),
        ("or=(id.eq.1,and(done.is.true,title.eq.Weed))", vec![1, 2]),
        ("not.or=(id.eq.1,id.eq.2)", vec![3]),
        ("select=id,tags!inner(id)&tags.name=eq.garden", vec![1]),
        ("select=id,tags()&tags=is.null", vec![2]),
        ("title=eq.x' OR '1'='1", vec![]),
    ] {
        let path = format!("todos?order=id&{query}")
            .replace('"', "%22")
            .replace('>', "%3E")
            .replace(' ', "%20");
        assert_eq!(ids(&project, &path).await, expected, "{query}");
    }
    assert_eq!(ids(&project, "todos?order=stars").await, [1, 3, 2]);
    assert_eq!(
        ids(&project, "todos?order=stars.desc.nullslast").await,
        [3, 1, 2]
    );
    assert_eq!(
        ids(
            &project,
            "todos?select=id,people(name)&order=people(name).desc.nullslast"
        )
        .await,
        [2, 1, 3]
    );
}

/// What Postgres alone can: patterns, words, containment, ranges.
const OF_POSTGRES: &[(&str, &[i64])] = &[
    ("todos?title=fts(english).weeds", &[2]),
    ("todos?data=cs.{\"t\":true}", &[1]),
    ("spans?tags=cs.{a}", &[1]),
    ("spans?tags=cd.{b,c,d}", &[2]),
    ("spans?tags=ov.{a,c}", &[1, 2]),
    ("spans?span=cs.[2,3)", &[1]),
    ("spans?span=cd.[0,5)", &[1]),
    ("spans?span=ov.[4,11)", &[1, 2]),
    ("spans?span=sl.[8,9)", &[1]),
    ("spans?span=sr.[6,7)", &[2]),
    ("spans?span=nxr.[0,5)", &[1]),
    ("spans?span=nxl.[10,12)", &[2]),
    ("spans?span=adj.[5,10)", &[1, 2]),
];

/// A path with what a URL cannot have, coded.
fn escaped(path: &str) -> String {
    let mut path = path.replace('%', "%25");
    for (plain, coded) in [
        ("\"", "%22"),
        (" ", "%20"),
        ("|", "%7C"),
        ("{", "%7B"),
        ("}", "%7D"),
        ("^", "%5E"),
        ("[", "%5B"),
        ("\\", "%5C"),
        ("+", "%2B"),
    ] {
        path = path.replace(plain, coded);
    }
    path
}

#[tokio::test]
async fn texts_are_searched_alike_on_both_engines() {
    let project = project().await;
    for (query, expected) in [
        ("title=match.^w", &[1][..]),
        ("title=imatch.^w", &[1, 2]),
        ("title=not.imatch.^w", &[3]),
        ("title=imatch(any).{^w,OFF$}", &[1, 2, 3]),
        ("title=match.\\d+% ", &[3]),
        ("title=imatch.\\mweed\\M", &[2]),
        ("title=match.[[:digit:]]{2}", &[3]),
        ("title=fts.water|weed", &[1, 2]),
        ("title=fts(simple).wat:*", &[1]),
        ("title=fts.!weed", &[1, 3]),
        ("title=plfts.off 50", &[3]),
        ("title=phfts.50 off", &[3]),
        ("title=phfts(simple).off 50", &[]),
        ("title=wfts.water or weed", &[1, 2]),
        ("title=wfts.-weed", &[1, 3]),
        ("or=(title.wfts.weed,title.match.^wat)", &[1, 2]),
        ("title=wfts(simple).the", &[]),
    ] {
        let path = escaped(&format!("todos?{query}&order=id"));
        assert_eq!(ids(&project, &path).await, expected, "{query}");
    }
    for (query, code) in [
        ("title=match.(", "2201B"),
        ("title=match.a{2,1}", "2201B"),
        ("title=fts.water & ", "42601"),
        ("title=fts.(water", "42601"),
    ] {
        let path = escaped(&format!("todos?{query}"));
        let path = path.replace("&%20", "%26%20");
        let refused = rest(&project, Method::GET, &path, "", None).await;
        let refused = refused.expect(400).json();
        assert_eq!(refused["code"], code, "{query}: {refused}");
    }
}

#[tokio::test]
async fn what_postgres_alone_can_is_refused_elsewhere_by_its_name() {
    let project = project().await;
    let is_postgres = Engine::of_this_run() == Engine::Postgres;
    let (span, tags) = match is_postgres {
        true => ("int4range", "text[]"),
        false => ("text", "text"),
    };
    let admin = shared().await.admin();
    let sql = format!("CREATE TABLE spans (id integer PRIMARY KEY, span {span}, tags {tags})");
    sql_editor::write(&admin, &project, &sql).await;
    let sql = "INSERT INTO spans VALUES (1, '[1,5)', '{a,b}'), (2, '[10,20)', '{b,c}')";
    sql_editor::write(&admin, &project, sql).await;
    for (query, expected) in OF_POSTGRES {
        let path = escaped(&format!("{query}&order=id"));
        if is_postgres {
            assert_eq!(ids(&project, &path).await, *expected, "{query}");
        } else {
            let refused = rest(&project, Method::GET, &path, "", None).await;
            let refused = refused.expect(400).json();
            assert_eq!(refused["code"], "0A000", "{query}: {refused}");
        }
    }
}

#[tokio::test]
async fn what_belongs_together_comes_together() {
    let project = project().await;
    assert_eq!(
        rows(
            &project,
            "todos?select=id,person:people(name),tags(name)&tags.order=name.desc&order=id"
        )
        .await,
        json!([
            {"id": 1, "person": {"name": "Ada"}, "tags": [{"name": "home"}, {"name": "garden"}]},
            {"id": 2, "person": {"name": "Grace"}, "tags": []},
            {"id": 3, "person": null, "tags": [{"name": "home"}]},
        ])
    );
    assert_eq!(
        rows(
            &project,
            "people?select=name,boss:boss_id(name),people(id),todos(title,done,data)&order=id"
        )
        .await,
        json!([
            {"name": "Ada", "boss": null, "people": [{"id": 2}],
             "todos": [{"title": "water", "done": false, "data": {"a": [1, {"b": "x"}], "t": true}}]},
            {"name": "Grace", "boss": {"name": "Ada"}, "people": [],
             "todos": [{"title": "Weed", "done": true, "data": null}]},
        ])
    );
    assert_eq!(
        rows(
            &project,
            "todos?id=eq.1&select=n:id::text,data->a,data->>t,...people(owner:name)"
        )
        .await,
        json!([{"n": "1", "a": [1, {"b": "x"}], "t": "true", "owner": "Ada"}])
    );
}

#[tokio::test]
async fn rows_are_made_changed_merged_and_deleted() {
    let project = project().await;
    let made = rest(
        &project,
        Method::POST,
        "todos?select=id,title,people(name)",
        BACK,
        Some(json!([
            {"title": "a", "person_id": 1}, {"title": "b", "person_id": null},
        ])),
    )
    .await
    .expect(201)
    .json();
    assert_eq!(
        made,
        json!([{"id": 4, "title": "a", "people": {"name": "Ada"}}, {"id": 5, "title": "b", "people": null}])
    );
    let merge = "resolution=merge-duplicates, return=representation";
    let merged = rest(
        &project,
        Method::POST,
        "people",
        merge,
        Some(json!([
            {"id": 3, "name": "Joan", "boss_id": 2}, {"id": 1, "name": "Ada L.", "boss_id": null},
        ])),
    )
    .await
    .expect(201)
    .json();
    assert_eq!(
        merged,
        json!([{"id": 3, "name": "Joan", "boss_id": 2}, {"id": 1, "name": "Ada L.", "boss_id": null}])
    );
    let merged = rest(
        &project,
        Method::POST,
        "people?on_conflict=name&select=id",
        merge,
        Some(json!({"id": 2, "name": "Grace", "boss_id": 3})),
    )
    .await;
    assert_eq!(merged.expect(201).json(), json!([{"id": 2}]));
    let ignore = "resolution=ignore-duplicates, return=representation";
    let left = rest(
        &project,
        Method::POST,
        "people?select=id",
        ignore,
        Some(json!([{"id": 1, "name": "x"}, {"id": 9, "name": "y"}])),
    )
    .await;
    assert_eq!(left.expect(201).json(), json!([{"id": 9}]));
    let changed = rest(
        &project,
        Method::PATCH,
        "todos?id=gte.4&select=id,done,at&order=id",
        BACK,
        Some(json!({"done": true, "at": "2026-01-01"})),
    )
    .await;
    let at = "2026-01-01T00:00:00+00:00";
    assert_eq!(
        changed.expect(200).json(),
        json!([{"id": 4, "done": true, "at": at}, {"id": 5, "done": true, "at": at}])
    );
    let undone = rest(
        &project,
        Method::DELETE,
        "todos?id=gte.4&select=id&order=id",
        "tx=rollback, return=representation",
        None,
    )
    .await;
    assert_eq!(undone.expect(200).json(), json!([{"id": 4}, {"id": 5}]));
    let gone = rest(
        &project,
        Method::DELETE,
        "todos?id=gte.4",
        "count=exact",
        None,
    )
    .await;
    assert_eq!(gone.status, 204);
    assert_eq!(gone.header("content-range"), "0-1/2");
    assert_eq!(ids(&project, "todos?select=id&order=id").await, [1, 2, 3]);
    let own = project
        .patch(
            "/v1/db/todos?eq.id=3&select=id,price",
            json!({"values": {"price": 2.25}}),
        )
        .await;
    assert_eq!(
        own.expect(200).json(),
        json!({"rows": [{"id": 3, "price": 2.25}], "count": 1})
    );
}

#[tokio::test]
async fn a_refusal_has_one_code_on_both_engines() {
    let project = project().await;
    for (method, path, body, status, code) in [
        (
            Method::POST,
            "people",
            Some(json!({"id": 1, "name": "x"})),
            409,
            "23505",
        ),
        (
            Method::POST,
            "todos",
            Some(json!({"title": "x", "person_id": 99})),
            409,
            "23503",
        ),
        (Method::POST, "people", Some(json!({"id": 7})), 400, "23502"),
        (
            Method::POST,
            "todos",
            Some(json!({"title": "x", "stars": "many"})),
            400,
            "22P02",
        ),
        (
            Method::POST,
            "people",
            Some(json!({"nothing": 1})),
            400,
            "PGRST204",
        ),
        (Method::GET, "todos?stars=eq.many", None, 400, "22P02"),
        (Method::GET, "todos?done=eq.perhaps", None, 400, "22P02"),
        (Method::GET, "todos?nothing=eq.1", None, 400, "42703"),
        (Method::GET, "nothing", None, 404, "PGRST205"),
        (
            Method::GET,
            "todos?select=nothing(id)",
            None,
            400,
            "PGRST200",
        ),
        (
            Method::PATCH,
            "todos",
            Some(json!({"done": true})),
            400,
            "21000",
        ),
        (Method::DELETE, "todos", None, 400, "21000"),
        (Method::GET, "rpc/nothing", None, 404, "PGRST202"),
        (
            Method::POST,
            "rpc/nothing",
            Some(json!({})),
            404,
            "PGRST202",
        ),
    ] {
        let reply = rest(&project, method.clone(), path, "", body).await;
        let found = reply.status;
        let problem = reply.json();
        assert_eq!(
            (found, problem["code"].as_str()),
            (status, Some(code)),
            "{method} {path}: {problem}"
        );
    }
    assert_eq!(
        project.get("/v1/db/nothing").await.expect_problem(404),
        "unknown_table"
    );
    assert_eq!(
        project
            .get("/v1/db/todos?eq.nothing=1")
            .await
            .expect_problem(400),
        "unknown_column"
    );
    assert_eq!(
        project.delete("/v1/db/todos").await.expect_problem(400),
        "filter_required"
    );
}

#[tokio::test]
async fn a_publishable_key_reaches_what_policies_give() {
    let server = project().await;
    let anonymous = server.with_key(&server.publishable);
    assert_eq!(rows(&anonymous, "todos").await, json!([]));
    assert_eq!(ids(&anonymous, "notes?order=id").await, [1, 60, 200]);
    let total = rest(&anonymous, Method::HEAD, "notes", "count=exact", None).await;
    assert_eq!(total.header("content-range"), "0-2/3");
    let made = rest(
        &anonymous,
        Method::POST,
        "notes?select=note",
        BACK,
        Some(json!({"id": 3, "note": "new", "shared": true})),
    )
    .await;
    assert_eq!(made.expect(201).json(), json!([{"note": "new"}]));
    let merge = "resolution=merge-duplicates, return=representation";
    let merged = rest(
        &anonymous,
        Method::POST,
        "notes",
        merge,
        Some(json!([
            {"id": 3, "note": "newer", "shared": true}, {"id": 4, "note": "other", "shared": true},
        ])),
    )
    .await;
    assert_eq!(
        merged.expect(201).json(),
        json!([{"id": 3, "note": "newer", "shared": true}, {"id": 4, "note": "other", "shared": true}])
    );
    let ignore = "resolution=ignore-duplicates";
    let _ = rest(
        &anonymous,
        Method::POST,
        "notes",
        ignore,
        Some(json!({"id": 4, "note": "x", "shared": true})),
    )
    .await
    .expect(201);
    let changed = rest(
        &anonymous,
        Method::PATCH,
        "notes?id=gte.2&select=id&order=id",
        BACK,
        Some(json!({"shared": true})),
    )
    .await;
    assert_eq!(
        changed.expect(200).json(),
        json!([{"id": 3}, {"id": 4}, {"id": 60}])
    );
    let gone = rest(
        &anonymous,
        Method::DELETE,
        "notes?id=gte.1&select=id&order=id",
        BACK,
        None,
    )
    .await;
    assert_eq!(
        gone.expect(200).json(),
        json!([{"id": 1}, {"id": 3}, {"id": 4}])
    );
    assert_eq!(ids(&server, "notes?order=id").await, [2, 60, 200]);
    for (path, body) in [
        (
            "notes",
            json!({"id": 5, "note": "forbidden", "shared": true}),
        ),
        ("todos", json!({"title": "x"})),
    ] {
        let refused = rest(&anonymous, Method::POST, path, "", Some(body)).await;
        assert_eq!(refused.status, 401);
        assert_eq!(refused.json()["code"], "42501");
    }
    // What is made must be there to be seen where it is to be given back.
    let unseen = rest(
        &anonymous,
        Method::POST,
        "notes",
        BACK,
        Some(json!({"id": 6, "note": "unseen"})),
    )
    .await;
    assert_eq!(unseen.status, 401);
    let refused = anonymous
        .patch(
            "/v1/db/notes?eq.id=60",
            json!({"values": {"note": "forbidden"}}),
        )
        .await;
    assert_eq!(refused.expect_problem(403), "sql_policy");
    assert_eq!(ids(&server, "notes?order=id").await, [2, 60, 200]);
}
