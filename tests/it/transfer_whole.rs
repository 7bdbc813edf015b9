//! The `transfer` plugin making tables: of a source that has none yet, and
//! whole projects that move to the other engine with all that their tables
//! are.

use crate::{
    sql_editor::write,
    transfer::{archive, done, ended, fetched, imported, insert, rows_of, sent},
};
use atlashub_tests::{Admin, Engine, PASSWORD, Project, Reply, TestServer, User, shared};
use serde_json::{Value, json};
use std::process::Command;

const PLUGINS: &[&str] = &["db", "transfer"];

fn tables_of(project: &Project) -> String {
    format!("/admin/v1/projects/{}/tables", project.slug)
}

/// Tables with every kind of column and of key, which refer to each other in
/// every way, and whose names are in the wrong order.
async fn make_tables(admin: &Admin, project: &Project) {
    let tables = tables_of(project);
    let things = json!({"name": "things", "columns": [
        {"name": "id", "type": "bigint", "primary_key": true, "default": {"function": "autoincrement"}},
        {"name": "owner", "type": "uuid"},
        {"name": "title", "type": "text", "nullable": false, "default": {"value": "it's"}},
        {"name": "done", "type": "boolean", "nullable": false, "default": {"value": false}},
        {"name": "stars", "type": "real", "default": {"value": 1.5}},
        {"name": "price", "type": "numeric", "default": {"value": "10.50"}},
        {"name": "data", "type": "json", "default": {"value": {"a": [1, "x'y"]}}},
        {"name": "due", "type": "date", "default": {"function": "now"}},
        {"name": "at", "type": "timestamp", "nullable": false, "default": {"function": "now"}},
        {"name": "clock", "type": "time"},
        {"name": "key", "type": "uuid", "unique": true, "default": {"function": "uuid"}},
        {"name": "file", "type": "bytes", "default": {"value": "AP8="}},
        {"name": "state", "type": "text", "check": "state IN ('open', 'shut')"},
        {"name": "parent", "type": "bigint"},
    ], "unique": [["title", "due"]],
       "checks": [{"name": "some_title", "expression": "length(title) > 0"}],
       "foreign_keys": [{"columns": ["parent"], "table": "things", "references": ["id"], "on_delete": "set_null"}],
       "indexes": [{"columns": ["due", "title"]}, {"name": "things_once", "columns": ["owner", "at"], "unique": true}]});
    let _ = admin.post(&tables, things).await.expect(201);
    let parts = json!({"name": "a_part", "columns": [
        {"name": "thing", "type": "bigint", "references": {"table": "things", "column": "id", "on_delete": "cascade"}},
        {"name": "n", "type": "bigint"},
        {"name": "note", "type": "text"},
    ], "primary_key": ["thing", "n"]});
    let _ = admin.post(&tables, parts).await.expect(201);
    let words = json!({"name": "a_word", "columns": [
        {"name": "word", "type": "text", "primary_key": true},
        {"name": "thing", "type": "bigint"}, {"name": "n", "type": "bigint"},
    ], "foreign_keys": [{"name": "word_of_part", "columns": ["thing", "n"], "table": "a_part", "references": ["thing", "n"], "on_delete": "restrict"}]});
    let _ = admin.post(&tables, words).await.expect(201);
    // Two that refer to each other.
    for name in ["left", "right"] {
        let table = json!({"name": name, "columns": [
            {"name": "id", "type": "text", "primary_key": true}, {"name": "other", "type": "text"}]});
        let _ = admin.post(&tables, table).await.expect(201);
    }
    for (name, other) in [("left", "right"), ("right", "left")] {
        let key = json!({"columns": ["other"], "table": other, "references": ["id"]});
        let changes = json!({"changes": [{"op": "add_foreign_key", "foreign_key": key}]});
        let changed = admin.patch(&format!("{tables}/{name}"), changes).await;
        let _ = changed.expect_success();
    }
    for (table, name, policy) in [
        (
            "things",
            "own",
            json!({"roles": ["authenticated"], "actions": ["select", "update"], "using": {"owner": "owner"}}),
        ),
        (
            "things",
            "shut",
            json!({"roles": ["anon"], "actions": ["select"], "using": "state = 'shut'"}),
        ),
        (
            "a_part",
            "all",
            json!({"roles": ["*"], "actions": ["select"], "using": true}),
        ),
        (
            "a_part",
            "add",
            json!({"roles": ["editor"], "actions": ["insert"], "check": "n > 0"}),
        ),
    ] {
        let path = format!("{tables}/{table}/policies/{name}");
        let _ = admin.put(&path, policy).await.expect_success();
    }
}

async fn fill(project: &Project) {
    let things = json!([
        {"id": 1, "owner": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "title": "plain", "done": true, "stars": 1.5,
         "price": "10.50", "data": {"a": [1, "x\"y"]}, "due": "2026-03-01", "at": "2026-03-01T12:00:00.25+00:00",
         "clock": "08:15:00", "key": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "file": "\\x00ff", "state": "open"},
        {"id": 2, "title": "a \"quoted\";\ttab|bar\r\nline \\N \\", "done": false, "stars": -0.1, "price": "-7", "data": [],
         "due": "1999-12-31", "at": "1999-12-31T23:59:59+00:00", "clock": "23:59:59",
         "key": "00000000-0000-0000-0000-000000000000", "file": "\\x", "state": "shut"},
        {"id": 40, "title": "ünï日本 😀", "stars": 1e300, "price": null, "data": "=text", "due": null,
         "at": "2020-01-01T00:00:00+00:00", "clock": null, "key": null, "file": null, "state": "shut"},
    ]);
    for (table, rows) in [
        ("things", things),
        (
            "a_part",
            json!([{"thing": 1, "n": 1, "note": "of one"}, {"thing": 40, "n": -2, "note": null}]),
        ),
        (
            "a_word",
            json!([{"word": "w", "thing": 1, "n": 1}, {"word": "x", "thing": null, "n": null}]),
        ),
        ("left", json!([{"id": "l"}])),
        ("right", json!([{"id": "r", "other": "l"}])),
    ] {
        let path = format!("/v1/db/{table}?returning=false");
        let _ = project
            .post(&path, json!({ "rows": rows }))
            .await
            .expect(201);
    }
}

/// What a whole archive says of its tables, and some of it left out.
fn manifest(bytes: &[u8]) -> Value {
    let said = python(
        "import sys, zipfile\nprint(zipfile.ZipFile(sys.argv[1]).read('manifest.json').decode())",
        bytes,
    );
    serde_json::from_slice(&said).expect("JSON")
}

/// What a script of Python's makes of an archive.
fn python(script: &str, archive: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive.zip");
    std::fs::write(&path, archive).expect("write the archive");
    let ran = Command::new("python3")
        .args(["-c", script])
        .arg(&path)
        .output();
    let ran = ran.expect("run Python");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    ran.stdout
}

/// The definitions in an archive.
fn definitions(bytes: &[u8]) -> Vec<Value> {
    let manifest = manifest(bytes);
    assert_eq!(manifest["version"], 2);
    let tables = manifest["tables"].as_array().expect("tables").iter();
    tables
        .map(|table| {
            json!({"table": table["definition"], "policies": table["policies"],
                   "left_out": table["left_out"], "rows": table["rows"]})
        })
        .collect()
}

async fn restore(project: &Project, bytes: Vec<u8>, more: Value) -> Reply {
    let mut body = json!({"what": "database", "format": "zip", "create": true,
                          "source": sent(project, bytes).await});
    for (name, value) in more.as_object().expect("wishes") {
        body[name] = value.clone();
    }
    project.post("/transfer/import", body).await
}

async fn restored(project: &Project, bytes: Vec<u8>, more: Value) -> Value {
    let asked = restore(project, bytes, more).await;
    done(project, &asked.expect(202).json()).await
}

async fn table_names(admin: &Admin, project: &Project) -> Vec<String> {
    let tables = admin.get(&tables_of(project)).await.expect(200).json();
    let tables = tables["items"].as_array().or(tables["tables"].as_array());
    let names = tables.expect("tables").iter();
    names
        .map(|table| table["name"].as_str().expect("a name").to_owned())
        .collect()
}

/// Titles of the changes that the tables have been through.
async fn changes(admin: &Admin, project: &Project) -> Vec<String> {
    let path = format!("/admin/v1/projects/{}/migrations", project.slug);
    let page = admin.get(&path).await.expect(200).json();
    let items = page["items"].as_array().expect("migrations").iter();
    items
        .map(|own| own["title"].as_str().expect("a title").to_owned())
        .collect()
}

#[tokio::test]
async fn a_whole_project_moves_to_the_other_engine_and_back_equal() {
    let (here, there) = (shared().await, TestServer::builder().start_embedded().await);
    let first = there.admin().project_with(PLUGINS).await;
    make_tables(&there.admin(), &first).await;
    fill(&first).await;
    let bytes = archive(&first).await;
    let expected = definitions(&bytes);
    assert!(
        expected.iter().all(|own| own["left_out"] == json!([])),
        "{expected:?}"
    );
    let mut moved = vec![first];
    // To the engine of this run, back to SQLite, and there once more.
    let mut bytes = bytes;
    for server in [here, &there, here] {
        let project = server.admin().project_with(PLUGINS).await;
        let job = restored(&project, bytes, json!({"in": "transaction"})).await;
        assert_eq!(job["progress"]["rows"], 9, "{job}");
        let made = ["a_part", "a_word", "left", "right", "things"];
        for name in made {
            let told = job["report"]["tables_made"].as_array().expect("names");
            assert!(told.contains(&json!(name)), "{job}");
        }
        bytes = archive(&project).await;
        let got = definitions(&bytes);
        for (got, expected) in got.iter().zip(&expected) {
            assert_eq!(got, expected);
        }
        assert_eq!(got.len(), expected.len());
        for (table, order) in [
            ("things", "id"),
            ("a_part", "thing"),
            ("a_word", "word"),
            ("left", "id"),
            ("right", "id"),
        ] {
            let expected = rows_of(&moved[0], table, order).await;
            assert_eq!(rows_of(&project, table, order).await, expected, "{table}");
        }
        assert!(
            changes(&server.admin(), &project).await[0].contains("(plugin transfer)"),
            "the plugin is named"
        );
        moved.push(project);
    }
    for (server, project) in [(here, &moved[1]), (&there, &moved[2])] {
        everything_holds(&server.admin(), project).await;
    }
}

/// Defaults fill, keys, checks and uniqueness hold, children go with their
/// parents, and row policies let in whom they are for.
async fn everything_holds(admin: &Admin, project: &Project) {
    let stranger = project.with_key(&project.publishable);
    let seen = rows_of(&stranger, "things", "id").await;
    let ids: Vec<&Value> = seen.iter().map(|row| &row["id"]).collect();
    assert_eq!(
        ids,
        [&json!(2), &json!(40)],
        "a publishable key sees what is shut"
    );
    assert_eq!(rows_of(&stranger, "a_part", "thing").await.len(), 2);
    // No policy is for it there.
    let none = stranger.get("/v1/db/left").await;
    assert!(
        none.status != 200 || none.json()["rows"] == json!([]),
        "{}",
        none.text()
    );
    let refused = stranger
        .post(
            "/v1/db/things",
            json!({"rows": [{"title": "mine", "state": "shut"}]}),
        )
        .await;
    assert!((400..500).contains(&refused.status), "{}", refused.text());
    let user: User = project.sign_up().await;
    assert_eq!(
        user.get("/v1/db/things").await.expect(200).json()["rows"],
        json!([])
    );
    write(
        admin,
        project,
        &format!("UPDATE things SET owner = '{}' WHERE id = 1", user.id),
    )
    .await;
    let own = user.get("/v1/db/things").await.expect(200).json();
    assert_eq!(own["rows"][0]["id"], 1, "{own}");

    let made = project
        .post(
            "/v1/db/things",
            json!({"rows": [{"state": "open", "parent": 2}]}),
        )
        .await
        .expect_success()
        .json();
    let row = &made["rows"][0];
    assert!(row["id"].as_i64().expect("a number") > 40, "{made}");
    assert_eq!(row["title"], "it's", "{made}");
    assert_eq!(row["data"], json!({"a": [1, "x'y"]}), "{made}");
    assert_eq!(
        (&row["done"], &row["file"]),
        (&json!(false), &json!("\\x00ff")),
        "{made}"
    );
    assert!(
        row["key"].is_string() && row["at"].is_string() && row["due"].is_string(),
        "{made}"
    );
    for (table, bad) in [
        ("things", json!({"title": ""})),
        ("things", json!({"state": "ajar"})),
        ("things", json!({"title": "plain", "due": "2026-03-01"})),
        (
            "things",
            json!({"key": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}),
        ),
        ("things", json!({"parent": 12345})),
        ("a_part", json!({"thing": 12345, "n": 1})),
        ("a_word", json!({"word": "y", "thing": 1, "n": 2})),
        ("left", json!({"id": "m", "other": "nobody"})),
    ] {
        let path = format!("/v1/db/{table}");
        let refused = project.post(&path, json!({"rows": [bad]})).await;
        assert!(
            (400..500).contains(&refused.status),
            "{table}: {}",
            refused.text()
        );
    }
    write(admin, project, "DELETE FROM things WHERE id = 40").await;
    assert_eq!(rows_of(project, "a_part", "thing").await.len(), 1);
    let details = admin.get(&format!("{}/things", tables_of(project))).await;
    let details = details.expect(200).text();
    for index in ["things_due_title_idx", "things_once"] {
        assert!(details.contains(index), "{details}");
    }
}

#[tokio::test]
async fn what_cannot_be_made_is_refused_before_anything_is_and_can_be_left_out() {
    let (here, there) = (shared().await, TestServer::builder().start_embedded().await);
    let first = there.admin().project_with(PLUGINS).await;
    let table = json!({"name": "things", "columns": [
        {"name": "id", "type": "bigint", "primary_key": true},
        {"name": "price", "type": "numeric"},
    ], "checks": [{"name": "short", "expression": "typeof(price) = 'text'"}]});
    let _ = there
        .admin()
        .post(&tables_of(&first), table)
        .await
        .expect(201);
    for sql in [
        "CREATE INDEX dear ON things (price) WHERE price > '5'",
        "CREATE VIEW prices AS SELECT price FROM things",
    ] {
        write(&there.admin(), &first, sql).await;
    }
    let rows = json!({"rows": [{"id": 1, "price": "7"}]});
    let _ = first.post("/v1/db/things", rows).await.expect_success();
    let bytes = archive(&first).await;
    let admin = here.admin();
    let second = admin.project_with(PLUGINS).await;
    let asked = restore(&second, bytes.clone(), json!({})).await;
    assert_eq!(asked.expect_problem(422), "cannot_be_made");
    let parts = asked.json()["parts"].as_array().expect("parts").clone();
    let mut objects: Vec<&str> = parts
        .iter()
        .map(|part| part["object"].as_str().expect("an object"))
        .collect();
    objects.sort_unstable();
    let on_both = ["index:dear", "view:prices"];
    match Engine::of_this_run() {
        Engine::Sqlite => assert_eq!(objects, on_both),
        // Which has no such function.
        Engine::Postgres => {
            assert_eq!(objects, ["check:things.short", "index:dear", "view:prices"])
        }
    }
    assert!(asked.text().contains("leave_out"), "{}", asked.text());
    assert!(table_names(&admin, &second).await.is_empty());
    assert!(changes(&admin, &second).await.is_empty());
    let tried = restore(
        &second,
        bytes.clone(),
        json!({"leave_out": objects, "dry_run": true}),
    )
    .await;
    let _ = done(&second, &tried.expect(202).json()).await;
    assert!(table_names(&admin, &second).await.is_empty());
    let job = restored(&second, bytes, json!({"leave_out": objects})).await;
    assert_eq!(job["report"]["tables_made"], json!(["things"]), "{job}");
    assert_eq!(rows_of(&second, "things", "id").await.len(), 1);
}

#[tokio::test]
async fn an_import_that_is_all_or_nothing_takes_its_tables_back() {
    let (here, there) = (shared().await, TestServer::builder().start_embedded().await);
    let first = there.admin().project_with(PLUGINS).await;
    for table in [
        json!({"name": "times", "columns": [
            {"name": "id", "type": "bigint", "primary_key": true}, {"name": "key", "type": "uuid"}]}),
        json!({"name": "z_of_time", "columns": [
            {"name": "id", "type": "bigint", "primary_key": true},
            {"name": "time", "type": "bigint", "references": {"table": "times", "column": "id"}}]}),
    ] {
        let _ = there
            .admin()
            .post(&tables_of(&first), table)
            .await
            .expect(201);
    }
    // SQLite keeps what it is given.
    write(
        &there.admin(),
        &first,
        "INSERT INTO times VALUES (1, 'no key')",
    )
    .await;
    let bytes = archive(&first).await;
    let admin = here.admin();
    let second = admin.project_with(PLUGINS).await;
    let wishes = json!({"in": "transaction"});
    let asked = restore(&second, bytes.clone(), wishes).await.expect(202);
    let job = ended(&second, &asked.json()).await;
    assert_eq!(job["status"], "failed", "{job}");
    assert_eq!(job["report"]["errors"][0]["column"], "key", "{job}");
    assert_eq!(job["report"]["tables_made"], Value::Null, "{job}");
    assert!(table_names(&admin, &second).await.is_empty());
    let titles = changes(&admin, &second).await;
    assert_eq!(titles.len(), 3, "{titles:?}");
    // In batches they stay, and are named.
    let asked = restore(&second, bytes, json!({})).await.expect(202);
    let job = ended(&second, &asked.json()).await;
    assert_eq!(job["status"], "failed", "{job}");
    assert_eq!(
        job["report"]["tables_made"],
        json!(["times", "z_of_time"]),
        "{job}"
    );
    assert_eq!(table_names(&admin, &second).await.len(), 2);
}

#[tokio::test]
async fn a_table_is_made_of_a_source_as_proposed_or_corrected() {
    let admin = shared().await.admin();
    let project = admin.project_with(PLUGINS).await;
    let text = "ID,Full name,Born,Phone,Score\n1,Ada,1815-12-10,0700,1.5\n2,\"B, C\",,0701,2\n";
    let source = sent(&project, text).await;
    let body = json!({"source": source, "table": "people", "create": true});
    let preview = project.post("/transfer/preview", body).await;
    let preview = preview.expect(200).json();
    let types: Vec<&str> = preview["definition"]["columns"]
        .as_array()
        .expect("columns")
        .iter()
        .map(|column| column["type"].as_str().expect("a type"))
        .collect();
    assert_eq!(
        types,
        ["bigint", "text", "date", "text", "numeric"],
        "{preview}"
    );
    assert_eq!(preview["mapping"]["Full name"], "full_name", "{preview}");
    let import = async |more: Value| {
        let mut body = json!({"source": source, "table": "people", "create": true});
        for (name, value) in more.as_object().expect("wishes") {
            body[name] = value.clone();
        }
        project.post("/transfer/import", body).await
    };
    let tried = import(json!({"dry_run": true})).await.expect(202).json();
    let _ = done(&project, &tried).await;
    assert!(table_names(&admin, &project).await.is_empty());
    // Corrected: another name, another type, and an index.
    let mut definition = preview["definition"].clone();
    definition["columns"][1]["name"] = json!("name");
    definition["columns"][1]["nullable"] = json!(false);
    definition["columns"][4]["type"] = json!("real");
    definition["indexes"] = json!([{"columns": ["name"]}]);
    let mut mapping = preview["mapping"].clone();
    mapping["Full name"] = json!("name");
    let wishes = json!({"definition": definition, "mapping": mapping, "in": "transaction"});
    let job = import(wishes).await.expect(202).json();
    let job = done(&project, &job).await;
    assert_eq!(job["progress"]["rows"], 2, "{job}");
    assert_eq!(job["report"]["tables_made"], json!(["people"]), "{job}");
    let rows = rows_of(&project, "people", "id").await;
    assert_eq!(
        (
            &rows[0]["phone"],
            &rows[0]["score"],
            &rows[1]["name"],
            &rows[1]["born"]
        ),
        (&json!("0700"), &json!(1.5), &json!("B, C"), &Value::Null)
    );
    assert_eq!(import(json!({})).await.expect_problem(409), "table_exists");
    // A row that does not fit: the table goes again, or is named.
    let source = sent(&project, "id,word\n1,a\n1,b\n").await;
    for (within, left) in [("transaction", 1), ("batches", 2)] {
        let body = json!({"source": source, "table": "twice", "create": true, "in": within,
            "definition": {"columns": [{"name": "id", "type": "bigint", "primary_key": true},
                                       {"name": "word", "type": "text"}]}});
        let job = project
            .post("/transfer/import", body)
            .await
            .expect(202)
            .json();
        let job = ended(&project, &job).await;
        assert_eq!(job["status"], "failed", "{job}");
        assert_eq!(table_names(&admin, &project).await.len(), left, "{job}");
    }
    let nonsense = json!({"source": source, "table": "other", "create": true,
        "definition": {"columns": [{"name": "id", "type": "integral"}, {"name": "word", "type": "text"}]}});
    let refused = project.post("/transfer/import", nonsense).await;
    assert_eq!(refused.expect_problem(422), "invalid_schema");
}

#[tokio::test]
async fn without_the_grant_a_plugin_makes_no_tables() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["db"]).await;
    let grants = json!(["sql", "audit", "database", "blob:private", "jobs"]);
    let body = json!({"enabled": true, "grants": grants});
    let _ = admin
        .install(&project, "transfer", body)
        .await
        .expect_success();
    let body = json!({"name": "things", "columns": [{"name": "id", "type": "bigint", "primary_key": true}]});
    let _ = admin.post(&tables_of(&project), body).await.expect(201);
    // Who may read the tables may read how they are made.
    assert_eq!(definitions(&archive(&project).await).len(), 1);
    let body = json!({"source": sent(&project, "a\n1\n").await, "table": "made", "create": true});
    let refused = project.post("/transfer/import", body).await;
    assert_eq!(refused.expect_problem(403), "not_granted");
    // Whom policies bind gets in nowhere near.
    let stranger = project.with_key(&project.publishable);
    let refused = stranger.post(
        "/transfer/import",
        json!({"source": "x", "table": "made", "create": true}),
    );
    assert!([401, 403].contains(&refused.await.status));
}

/// Makes of an archive what the version before wrote.
const AS_BEFORE: &str = "
import json, sys, zipfile, io
source = zipfile.ZipFile(sys.argv[1])
out = io.BytesIO()
with zipfile.ZipFile(out, 'w', zipfile.ZIP_STORED) as target:
    for name in source.namelist():
        data = source.read(name)
        if name == 'manifest.json':
            manifest = json.loads(data)
            manifest['version'] = 1
            del manifest['left_out']
            for table in manifest['tables']:
                for part in ('columns', 'policies', 'left_out'):
                    del table[part]
                for part in ('checks', 'indexes'):
                    table['definition'].pop(part, None)
            data = json.dumps(manifest).encode()
        target.writestr(name, data)
sys.stdout.buffer.write(out.getvalue())
";

/// Users go along to another installation, on the other engine: who is there is
/// the same by the address, who is not keeps the id, and rows stay their owners'.
#[tokio::test]
async fn users_come_along_and_their_rows_stay_theirs() {
    let (here, there) = (shared().await, TestServer::builder().start_embedded().await);
    let before = there.admin().project_with(PLUGINS).await;
    let notes = json!({"name": "notes", "columns": [
        {"name": "id", "type": "bigint", "primary_key": true},
        {"name": "owner", "type": "uuid"},
    ]});
    let tables = tables_of(&before);
    let _ = there.admin().post(&tables, notes).await.expect(201);
    let own = json!({"roles": ["authenticated"], "actions": ["select", "insert"],
        "using": {"owner": "owner"}, "check": {"owner": "owner"}});
    let path = format!("{tables}/notes/policies/own");
    let _ = there.admin().put(&path, own).await.expect_success();
    let (ada, bob) = (before.sign_up().await, before.sign_up().await);
    for (id, owner) in [(1, &ada), (2, &bob)] {
        let row = json!({"rows": [{"id": id, "owner": owner.id}]});
        let _ = owner.post("/v1/db/notes", row).await.expect(201);
    }
    let body = json!({"what": "database", "users": true});
    let job = before.post("/transfer/export", body).await.expect(202);
    let bytes = fetched(&done(&before, &job.json()).await).await;

    let project = here.admin().project_with(PLUGINS).await;
    let users = format!("/admin/v1/projects/{}/users", project.slug);
    let password = json!({"email": ada.email, "password": PASSWORD, "email_verified": true});
    let same = here.admin().post(&users, password).await.expect(201).json();
    assert_ne!(same["id"], json!(ada.id));
    let job = restored(&project, bytes, json!({"users": true, "in": "transaction"})).await;
    let told = &job["report"]["users"];
    assert_eq!(
        (&told["there"], &told["added"]),
        (&json!(1), &json!(1)),
        "{job}"
    );
    assert_eq!(
        rows_of(&project, "notes", "id").await,
        [
            json!({"id": 1, "owner": same["id"]}),
            json!({"id": 2, "owner": bob.id})
        ]
    );
    let added = here
        .admin()
        .get(&format!("{users}/{}", bob.id))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&added["email"], &added["email_verified"]),
        (&json!(bob.email), &json!(false)),
        "{added}"
    );
    // Whoever was there reads what came as theirs, and nothing else.
    let signed_in = project.sign_in(&ada.email).await.expect(200).json();
    let token = signed_in["access_token"].as_str().expect("a token");
    let request = project
        .bare_request(reqwest::Method::GET, "/v1/db/notes")
        .header("apikey", &project.publishable)
        .bearer_auth(token);
    let own = Reply::to(request).await.expect(200).json();
    assert_eq!(own["rows"], json!([{"id": 1, "owner": same["id"]}]));
    // The audit names the plugin.
    let path = format!("/admin/v1/audit?action=user.create&target={}", bob.id);
    let entries = here.admin().get(&path).await.expect(200).json();
    assert_eq!(
        entries["items"][0]["details"]["plugin"], "transfer",
        "{entries}"
    );
}

#[tokio::test]
async fn an_archive_of_the_version_before_is_taken() {
    let (here, there) = (shared().await, TestServer::builder().start_embedded().await);
    let first = there.admin().project_with(PLUGINS).await;
    make_tables(&there.admin(), &first).await;
    fill(&first).await;
    let bytes = python(AS_BEFORE, &archive(&first).await);
    let second = here.admin().project_with(PLUGINS).await;
    let job = restored(&second, bytes, json!({})).await;
    assert_eq!(job["progress"]["rows"], 9, "{job}");
    let expected = rows_of(&first, "things", "id").await;
    assert_eq!(rows_of(&second, "things", "id").await, expected);
}

/// A project with parents and children whose numbers Postgres always counts.
async fn counted(admin: &Admin) -> Project {
    let project = admin.project_with(PLUGINS).await;
    for sql in [
        "CREATE TABLE parents (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
         word text UNIQUE, twice bigint GENERATED ALWAYS AS (length(word) * 2) STORED)",
        "CREATE TABLE children (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
         parent bigint REFERENCES parents)",
    ] {
        write(admin, &project, sql).await;
    }
    project
}

#[tokio::test]
async fn numbers_that_postgres_always_counts_come_along() {
    if Engine::of_this_run() != Engine::Postgres {
        return;
    }
    let admin = shared().await.admin();
    let first = counted(&admin).await;
    let words = json!([{"word": "a"}, {"word": "bb"}, {"word": "c"}]);
    insert(&first, "parents", words).await;
    insert(&first, "children", json!([{"parent": 2}, {"parent": 3}])).await;
    write(&admin, &first, "DELETE FROM parents WHERE word = 'a'").await;
    let bytes = archive(&first).await;

    // By the quick way, and by the one that changes rows that are there.
    let second = counted(&admin).await;
    for mode in ["insert", "upsert"] {
        let job = restored(&second, bytes.clone(), json!({"mode": mode})).await;
        assert_eq!(job["progress"]["rows"], 4, "{job}");
        for table in ["parents", "children"] {
            let expected = rows_of(&first, table, "id").await;
            assert_eq!(
                rows_of(&second, table, "id").await,
                expected,
                "{mode} {table}"
            );
        }
    }
    insert(&second, "parents", json!([{"word": "d"}])).await;
    let parents = rows_of(&second, "parents", "id").await;
    let next = parents[2]["id"].as_i64().expect("a number");
    assert!(parents.len() == 3 && (4..90).contains(&next), "{parents:?}");

    // Told by another key, a row keeps its number.
    let wishes = json!({"table": "parents", "mode": "upsert", "key": ["word"]});
    let job = imported(&second, "id,word,twice\n90,bb,1\n91,e,1\n", wishes).await;
    assert_eq!(job["status"], "done", "{job}");
    let parents = rows_of(&second, "parents", "id").await;
    let expected = json!([
        {"id": 2, "word": "bb", "twice": 4}, {"id": 3, "word": "c", "twice": 2},
        {"id": next, "word": "d", "twice": 2}, {"id": 91, "word": "e", "twice": 2},
    ]);
    assert_eq!(json!(parents), expected);
}

#[tokio::test]
async fn a_counter_that_is_too_far_behind_is_told_of() {
    if Engine::of_this_run() != Engine::Postgres {
        return;
    }
    let admin = shared().await.admin();
    let project = counted(&admin).await;
    let text = "id,word\n90000000000,far\n";
    let job = imported(&project, text, json!({"table": "parents"})).await;
    assert_eq!(job["status"], "done", "{job}");
    let behind = &job["report"]["counters_behind"];
    assert_eq!(
        (&behind[0]["table"], &behind[0]["column"]),
        (&json!("parents"), &json!("id")),
        "{job}"
    );
    assert_eq!(behind[0]["largest"], 90_000_000_000_i64);
    let sql = behind[0]["sql"].as_str().expect("a statement");
    write(&admin, &project, sql).await;
    insert(&project, "parents", json!([{"word": "next"}])).await;
    let parents = rows_of(&project, "parents", "id").await;
    assert_eq!(parents[1]["id"], 90_000_000_001_i64);
}
