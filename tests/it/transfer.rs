//! The `transfer` plugin: tables out of a project and into it.

use crate::sql_editor::write;
use atlashub_tests::{DEADLINE, Engine, PASSWORD, Project, Reply, TestServer, shared, until};
use reqwest::Method;
use serde_json::{Value, json};

/// How long a job may take on a busy machine.
const PATIENCE: std::time::Duration = DEADLINE.saturating_mul(4);

pub(crate) async fn project() -> Project {
    let admin = shared().await.admin();
    let project = admin.project_with(&["db", "transfer"]).await;
    make_tables(shared().await, &project).await;
    project
}

/// A table with every kind of column, and one without a key.
async fn make_tables(server: &TestServer, project: &Project) {
    let admin = server.admin();
    let tables = format!("/admin/v1/projects/{}/tables", project.slug);
    for name in ["things", "copies"] {
        let table = json!({"name": name, "columns": [
            {"name": "id", "type": "bigint", "primary_key": true},
            {"name": "title", "type": "text"},
            {"name": "done", "type": "boolean"},
            {"name": "stars", "type": "real"},
            {"name": "price", "type": "numeric"},
            {"name": "data", "type": "json"},
            {"name": "due", "type": "date"},
            {"name": "at", "type": "timestamp"},
            {"name": "key", "type": "uuid"},
            {"name": "file", "type": "bytes"},
        ]});
        let make = admin.request(Method::POST, &tables).json(&table);
        let _ = Reply::try_patiently(make).await.unwrap().expect(201);
    }
    let loose = json!({"name": "loose", "columns": [{"name": "n", "type": "bigint"}, {"name": "word", "type": "text"}]});
    let _ = admin.post(&tables, loose).await.expect(201);
}

/// Rows with all that is hard to write.
pub(crate) fn hard_rows() -> Value {
    json!([
        {"id": 1, "title": "plain", "done": true, "stars": 1.5, "price": "10.50", "data": {"a": [1, "x\"y"]},
         "due": "2026-03-01", "at": "2026-03-01T12:00:00.25+00:00",
         "key": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "file": "\\x00ff"},
        {"id": 2, "title": null, "done": null, "stars": null, "price": null, "data": null,
         "due": null, "at": null, "key": null, "file": null},
        {"id": 3, "title": "", "done": false, "stars": -0.1, "price": "-7", "data": [],
         "due": "1999-12-31", "at": "1999-12-31T23:59:59+00:00",
         "key": "00000000-0000-0000-0000-000000000000", "file": "\\x"},
        {"id": 4, "title": "a \"quoted\", comma;\ttab|bar\r\nline\nline", "done": true, "stars": 1e300,
         "price": "0.1", "data": "=text", "due": null, "at": null, "key": null, "file": null},
        {"id": 5, "title": "=1+1", "done": null, "stars": 0.30000000000000004, "price": null,
         "data": {"f": "=1"}, "due": null, "at": null, "key": null, "file": null},
        {"id": 6, "title": "'=1+1", "done": null, "stars": null, "price": null, "data": 12.5,
         "due": null, "at": null, "key": null, "file": null},
        {"id": -7, "title": "ünï日本 😀 'tis -5", "done": null, "stars": null, "price": null, "data": true,
         "due": null, "at": null, "key": null, "file": null},
    ])
}

pub(crate) async fn insert(project: &Project, table: &str, rows: Value) {
    let path = format!("/v1/db/{table}?returning=false");
    let _ = project.post(&path, json!({"rows": rows})).await.expect(201);
}

pub(crate) async fn rows_of(project: &Project, table: &str, order: &str) -> Vec<Value> {
    let path = format!("/v1/db/{table}?limit=1000&order={order}.asc");
    let page = project.get(&path).await.expect(200).json();
    page["rows"].as_array().expect("rows").clone()
}

/// Rows without the last digits of a number, which `db` does not show on
/// SQLite.
fn as_db_shows(mut rows: Vec<Value>) -> Vec<Value> {
    for row in &mut rows {
        if row["stars"]
            .as_f64()
            .is_some_and(|stars| (0.3..0.301).contains(&stars))
        {
            row["stars"] = json!(0.3);
        }
    }
    rows
}

/// Waits until a job has ended.
pub(crate) async fn ended(project: &Project, job: &Value) -> Value {
    let path = format!("/transfer/jobs/{}", job["id"].as_str().expect("an id"));
    until("the job's end", PATIENCE, || async {
        let job = project.get(&path).await.expect(200).json();
        let over = !["queued", "running"].contains(&job["status"].as_str().expect("a status"));
        over.then_some(job)
    })
    .await
}

pub(crate) async fn done(project: &Project, job: &Value) -> Value {
    let job = ended(project, job).await;
    assert_eq!(job["status"], "done", "{job}");
    assert_eq!(job["progress"]["percent"], 100);
    job
}

async fn export(project: &Project, wishes: Value) -> Value {
    let mut body = json!({"what": "table"});
    for (name, value) in wishes.as_object().expect("wishes") {
        body[name] = value.clone();
    }
    let job = project.post("/transfer/export", body).await.expect(202);
    done(project, &job.json()).await
}

/// The bytes behind the link of a job's result.
pub(crate) async fn fetched(job: &Value) -> Vec<u8> {
    let url = job["result"]["url"].as_str().expect("a link");
    let reply = Reply::to(reqwest::Client::new().get(url)).await.expect(200);
    assert_eq!(job["result"]["size"], reply.body.len());
    reply.body.to_vec()
}

pub(crate) async fn text_of(job: &Value) -> String {
    String::from_utf8(fetched(job).await).expect("UTF-8")
}

#[tokio::test]
async fn a_table_goes_out_in_every_format() {
    let project = project().await;
    insert(&project, "things", hard_rows()).await;
    let csv = text_of(&export(&project, json!({"table": "things"})).await).await;
    let lines: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!(
        lines[0],
        r#""id","title","done","stars","price","data","due","at","key","file""#
    );
    // In the order of the key.
    assert!(
        lines[1].starts_with("-7,\"ünï日本 😀 'tis -5\",,,,"),
        "{csv}"
    );
    let plain = lines[2].replace(": ", ":").replace(", ", ",");
    assert_eq!(
        plain,
        "1,\"plain\",true,1.5,10.50,\"{\"\"a\"\":[1,\"\"x\\\"\"y\"\"]}\",2026-03-01,\
         2026-03-01T12:00:00.25+00:00,a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,\\x00ff"
    );
    assert_eq!(lines[3], "2,,,,,,,,,");
    assert!(
        lines[4].starts_with("3,\"\",false,-0.1,-7,\"[]\",1999-12-31,"),
        "{csv}"
    );
    assert!(
        csv.contains("\"a \"\"quoted\"\", comma;\ttab|bar\r\nline\nline\",true,"),
        "{csv}"
    );
    assert!(csv.contains("5,\"'=1+1\","), "{csv}");
    assert!(csv.contains("6,\"''=1+1\","), "{csv}");
    assert!(csv.ends_with("\r\n"));

    let wishes = json!({"table": "things", "columns": ["title", "id"], "delimiter": ";", "formulas": "keep"});
    let some = text_of(&export(&project, wishes).await).await;
    assert!(some.starts_with("\"title\";\"id\"\r\n"), "{some}");
    assert!(some.contains("\r\n\"=1+1\";5\r\n\"'=1+1\";6\r\n"), "{some}");

    let expected = as_db_shows(rows_of(&project, "things", "id").await);
    let json = export(&project, json!({"table": "things", "format": "json"})).await;
    assert_eq!(json["result"]["name"], "things.json");
    assert_eq!(json["progress"]["rows"], 7);
    let rows: Vec<Value> = serde_json::from_str(&text_of(&json).await).expect("JSON");
    assert_eq!(as_db_shows(rows), expected);
    let lines =
        text_of(&export(&project, json!({"table": "things", "format": "ndjson"})).await).await;
    for text in [&csv, &lines] {
        assert!(text.contains("0.30000000000000004"), "{text}");
    }
    let rows: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(as_db_shows(rows), expected);
    let none = text_of(&export(&project, json!({"table": "loose"})).await).await;
    assert_eq!(none, "\"n\",\"word\"\r\n");
    let none = text_of(&export(&project, json!({"table": "loose", "format": "json"})).await).await;
    assert_eq!(
        serde_json::from_str::<Value>(&none).expect("JSON"),
        json!([])
    );
}

/// Fills `loose` with that many rows, by the admin's editor.
async fn fill(server: &TestServer, project: &Project, rows: usize, word: &str) {
    let series = match Engine::of_this_run() {
        Engine::Sqlite => format!(
            "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows}) SELECT n, {word} FROM s"
        ),
        Engine::Postgres => {
            format!("SELECT n, {word} FROM generate_series(1, {rows}) AS s (n)")
        }
    };
    let sql = format!("INSERT INTO loose (n, word) {series}");
    let path = format!("/admin/v1/projects/{}/sql", project.slug);
    let body = json!({"sql": sql, "mode": "write"});
    let _ = server.admin().post(&path, body).await.expect(200);
}

#[tokio::test]
async fn rows_without_a_key_and_rows_of_any_size_come_out_whole() {
    let server = shared().await;
    let project = project().await;
    fill(server, &project, 30_000, "'row ' || n").await;
    // What one answer of the database may hold, or is more than that.
    let (times, long) = match Engine::of_this_run() {
        Engine::Sqlite => (900_000, "replace(hex(zeroblob(900000)), '00', 'ä\"')"),
        Engine::Postgres => (1_200_000, "repeat('ä\"', 1200000)"),
    };
    fill(server, &project, 1, long).await;
    fill(server, &project, 3, "'last'").await;
    let job = export(&project, json!({"table": "loose"})).await;
    assert_eq!(job["progress"]["rows"], 30_004);
    let csv = text_of(&job).await;
    let mut lines = csv.split("\r\n");
    assert_eq!(lines.next(), Some("\"n\",\"word\""));
    for n in 1..=30_000 {
        assert_eq!(lines.next(), Some(format!("{n},\"row {n}\"").as_str()));
    }
    let large = lines.next().expect("the large row");
    assert!(
        large == format!("1,\"{}\"", "ä\"\"".repeat(times)),
        "it is another"
    );
    let rest: Vec<&str> = lines.collect();
    assert_eq!(rest, ["1,\"last\"", "2,\"last\"", "3,\"last\"", ""]);
}

#[tokio::test]
async fn what_cannot_be_exported_is_said_at_once() {
    let project = project().await;
    let ask = async |body: Value| project.post("/transfer/export", body).await;
    let refused = ask(json!({"what": "table", "table": "nothing"})).await;
    assert_eq!(refused.expect_problem(404), "unknown_table");
    let refused = ask(json!({"what": "table", "table": "things", "columns": ["nothing"]})).await;
    assert_eq!(refused.expect_problem(422), "unknown_column");
    let refused = ask(json!({"what": "table"})).await;
    assert_eq!(refused.expect_problem(422), "invalid_body");
    let refused = project.get("/transfer/jobs/nothing").await;
    assert_eq!(refused.expect_problem(404), "not_found");
}

#[tokio::test]
async fn a_job_is_listed_cancelled_and_deleted_with_its_result() {
    let project = project().await;
    insert(&project, "things", hard_rows()).await;
    let job = export(&project, json!({"table": "things"})).await;
    let list = project
        .get("/transfer/jobs?limit=1")
        .await
        .expect(200)
        .json();
    assert_eq!(list["items"][0]["id"], job["id"]);
    assert_eq!(list["items"][0]["status"], "done");
    let path = format!("/transfer/jobs/{}", job["id"].as_str().unwrap());
    let refused = project.post(&format!("{path}/cancel"), json!({})).await;
    assert_eq!(refused.expect_problem(409), "job_ended");
    let _ = project.delete(&path).await.expect(204);
    assert_eq!(project.get(&path).await.status, 404);
    let url = job["result"]["url"].as_str().unwrap();
    assert_eq!(Reply::to(reqwest::Client::new().get(url)).await.status, 404);
    let body = json!({"what": "table", "table": "things"});
    let job = project
        .post("/transfer/export", body)
        .await
        .expect(202)
        .json();
    let path = format!("/transfer/jobs/{}", job["id"].as_str().unwrap());
    let cancelled = project.post(&format!("{path}/cancel"), json!({})).await;
    // It may have been faster.
    assert!(
        [200, 409].contains(&cancelled.status),
        "{}",
        cancelled.text()
    );
    let job = ended(&project, &job).await;
    assert!(["cancelled", "done"].contains(&job["status"].as_str().unwrap()));
}

#[tokio::test]
async fn an_export_goes_on_where_a_killed_server_left_it() {
    let mut server = TestServer::start().await;
    let project = server.admin().project_with(&["db", "transfer"]).await;
    make_tables(&server, &project).await;
    for _ in 0..4 {
        fill(
            &server,
            &project,
            100_000,
            "'a row of some length, as rows are, ' || n",
        )
        .await;
    }
    let body = json!({"what": "table", "table": "loose"});
    let job = project
        .post("/transfer/export", body)
        .await
        .expect(202)
        .json();
    let path = format!("/transfer/jobs/{}", job["id"].as_str().unwrap());
    let before = until("the first part", PATIENCE, || async {
        let job = project.get(&path).await.expect(200).json();
        (job["progress"]["bytes"] != 0).then_some(job)
    })
    .await;
    server.kill();
    server.start_again().await;
    let project = project.on(&server);
    let job = done(&project, &job).await;
    assert_eq!(job["progress"]["rows"], 400_000, "{before}");
    let csv = text_of(&job).await;
    assert_eq!(csv.matches("\r\n").count(), 400_001);
    for n in [1, 77, 50_000, 100_000] {
        let line = format!("\r\n{n},\"a row of some length, as rows are, {n}\"\r\n");
        assert_eq!(csv.matches(&line).count(), 4, "{line}");
    }
}

/// Sends what is to be imported; its id.
pub(crate) async fn sent(project: &Project, bytes: impl Into<reqwest::Body>) -> String {
    let request = project
        .request(Method::POST, "/transfer/uploads")
        .body(bytes);
    let upload = Reply::to(request).await.expect(201).json();
    upload["id"].as_str().expect("an id").to_owned()
}

/// Asks for an import.
async fn import(project: &Project, source: &Value, wishes: Value) -> Reply {
    let mut body = json!({"source": source});
    for (name, value) in wishes.as_object().expect("wishes") {
        body[name] = value.clone();
    }
    project.post("/transfer/import", body).await
}

/// Imports a text; the job at its end.
pub(crate) async fn imported(project: &Project, text: impl Into<Vec<u8>>, wishes: Value) -> Value {
    let source = json!(sent(project, text.into()).await);
    let job = import(project, &source, wishes).await.expect(202).json();
    ended(project, &job).await
}

#[tokio::test]
async fn what_went_out_comes_in_again_equal_in_every_format() {
    let project = project().await;
    insert(&project, "things", hard_rows()).await;
    let expected = rows_of(&project, "things", "id").await;
    for format in ["csv", "json", "ndjson"] {
        let job = export(&project, json!({"table": "things", "format": format})).await;
        let wishes = json!({"table": "copies", "format": format});
        let job = import(&project, &job["id"], wishes)
            .await
            .expect(202)
            .json();
        let job = done(&project, &job).await;
        assert_eq!(job["progress"]["rows"], 7, "{job}");
        assert_eq!(
            rows_of(&project, "copies", "id").await,
            expected,
            "{format}"
        );
        let _ = project
            .delete("/v1/db/copies?gte.id=-100")
            .await
            .expect(200);
    }
}

#[tokio::test]
async fn a_file_of_people_is_looked_at_mapped_and_imported() {
    let project = project().await;
    let file =
        b"Nr;Name;Fertig am;Preis\r\n1;M\xFCller \x80;2026-01-02;1.50\r\n2;\"Meier; Co\";;\r\n";
    let source = sent(&project, file.to_vec()).await;
    let body = json!({"source": source, "table": "things"});
    let refused = project.post("/transfer/preview", body).await;
    assert_eq!(refused.expect_problem(422), "wrong_encoding");
    assert_eq!(refused.json()["offset"], 28);
    let body = json!({"source": source, "encoding": "windows-1252", "table": "things"});
    let seen = project
        .post("/transfer/preview", body)
        .await
        .expect(200)
        .json();
    assert_eq!(seen["delimiter"], ";");
    let kinds: Vec<&str> = seen["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| column["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["integer", "text", "date", "numeric"]);
    assert_eq!(
        seen["rows"],
        json!([
            ["1", "Müller €", "2026-01-02", "1.50"],
            ["2", "Meier; Co", null, null]
        ])
    );
    assert_eq!(seen["mapping"]["Name"], json!(null));
    let mut wishes = json!({"table": "things", "encoding": "windows-1252"});
    let refused = import(&project, &json!(source), wishes.clone()).await;
    assert_eq!(refused.expect_problem(422), "unmapped_column");
    wishes["mapping"] = json!({"Nr": "id", "Name": "title", "Fertig am": "due", "Preis": null});
    let job = import(&project, &json!(source), wishes)
        .await
        .expect(202)
        .json();
    let _ = done(&project, &job).await;
    let rows = rows_of(&project, "things", "id").await;
    assert_eq!(rows[0]["title"], "Müller €");
    assert_eq!(rows[0]["due"], "2026-01-02");
    assert_eq!(rows[0]["price"], json!(null));
    assert_eq!(
        (&rows[1]["title"], &rows[1]["due"]),
        (&json!("Meier; Co"), &json!(null))
    );
}

#[tokio::test]
async fn rows_that_do_not_fit_are_reported_with_their_places() {
    let project = project().await;
    insert(&project, "things", json!([{"id": 3, "title": "there"}])).await;
    let text = "id,title,done\n1,a,true\nx,b,false\n2,c\n3,d,true\n4,e,perhaps\n5,f,no\n5,g,no\n";
    let job = imported(
        &project,
        text,
        json!({"table": "things", "on_error": "skip"}),
    )
    .await;
    assert_eq!(job["status"], "done", "{job}");
    assert_eq!(job["progress"]["rows"], 2, "{job}");
    assert_eq!(job["report"]["rows_failed"], 5, "{job}");
    let told: Vec<(u64, &str, &Value)> = job["report"]["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            (
                error["row"].as_u64().unwrap(),
                error["code"].as_str().unwrap(),
                &error["column"],
            )
        })
        .collect();
    let none = json!(null);
    assert_eq!(
        told,
        [
            (2, "invalid_value", &json!("id")),
            (3, "ragged_row", &none),
            (4, "sql_constraint_unique", &none),
            (5, "invalid_value", &json!("done")),
            (7, "sql_constraint_unique", &none),
        ]
    );
    let ids: Vec<i64> = rows_of(&project, "things", "id")
        .await
        .iter()
        .map(|row| row["id"].as_i64().unwrap())
        .collect();
    assert_eq!(ids, [1, 3, 5]);

    let text = "id,title\n10,a\n3,b\n";
    let job = imported(
        &project,
        text,
        json!({"table": "things", "in": "transaction"}),
    )
    .await;
    assert_eq!(job["status"], "failed", "{job}");
    assert_eq!(job["error"]["code"], "row_refused", "{job}");
    assert_eq!(job["report"]["errors"][0]["row"], 2, "{job}");
    assert_eq!(rows_of(&project, "things", "id").await.len(), 3);
    let job = imported(
        &project,
        text,
        json!({"table": "things", "dry_run": true, "on_error": "skip"}),
    )
    .await;
    assert_eq!(
        (&job["status"], &job["progress"]["rows"]),
        (&json!("done"), &json!(1)),
        "{job}"
    );
    assert_eq!(rows_of(&project, "things", "id").await.len(), 3);
    let job = imported(&project, text, json!({"table": "things", "mode": "upsert"})).await;
    assert_eq!(
        (&job["status"], &job["progress"]["rows"]),
        (&json!("done"), &json!(2)),
        "{job}"
    );
    let rows = rows_of(&project, "things", "id").await;
    assert_eq!((rows.len(), &rows[1]["title"]), (4, &json!("b")));
}

#[tokio::test]
async fn a_text_is_not_taken_for_the_bytes_that_it_is_written_in() {
    let project = project().await;
    let text = "id,file\n1,\\x00ff\n2,hello\n3,\n";
    let job = imported(
        &project,
        text,
        json!({"table": "things", "on_error": "skip"}),
    )
    .await;
    assert_eq!(job["status"], "done", "{job}");
    let errors = &job["report"]["errors"];
    assert_eq!(
        (&errors[0]["row"], &errors[0]["column"], &errors[0]["code"]),
        (&json!(2), &json!("file"), &json!("invalid_value")),
        "{job}"
    );
    let rows = rows_of(&project, "things", "id").await;
    let files: Vec<&Value> = rows.iter().map(|row| &row["file"]).collect();
    assert_eq!(files, [&json!("\\x00ff"), &Value::Null]);
}

#[tokio::test]
async fn of_rows_with_the_same_key_the_last_one_counts() {
    let project = project().await;
    let text = "id,title\n1,\"a\"\n2,\"b\"\n1,\"c\"\n02,\"d\"\n3,\"e\"\n1,\"f\"\n";
    for within in ["batches", "transaction"] {
        let wishes = json!({"table": "things", "mode": "upsert", "in": within});
        let job = imported(&project, text, wishes).await;
        assert_eq!(job["status"], "done", "{job}");
        assert_eq!(job["progress"]["rows"], 6, "{job}");
        let rows = rows_of(&project, "things", "id").await;
        let titles: Vec<&Value> = rows.iter().map(|row| &row["title"]).collect();
        assert_eq!(titles, ["f", "d", "e"]);
    }
}

#[tokio::test]
async fn a_source_that_makes_no_sense_is_refused_before_anything_is_done() {
    let project = project().await;
    let code = async |text: &[u8], wishes: Value| {
        let source = json!(sent(&project, text.to_vec()).await);
        import(&project, &source, wishes).await.expect_problem(422)
    };
    let things = || json!({"table": "things"});
    assert_eq!(code(b"", things()).await, "empty_source");
    assert_eq!(code(b"id,id\n", things()).await, "invalid_header");
    assert_eq!(code(b"id,,x\n", things()).await, "invalid_header");
    let wide = format!("id{}\n", ",x".repeat(5_000));
    assert_eq!(code(wide.as_bytes(), things()).await, "invalid_header");
    let open = format!("id,title\n1,\"{}", "x".repeat(9_000_000));
    let job = imported(&project, open, things()).await;
    assert_eq!(job["error"]["code"], "record_too_large", "{job}");
    let upsert = json!({"table": "things", "mode": "upsert"});
    assert_eq!(code(b"title\nx\n", upsert).await, "no_unique_key");
    let twice = json!({"table": "things", "mapping": {"a": "title", "title": "title"}});
    assert_eq!(code(b"a,title\nx,y\n", twice).await, "column_mapped_twice");
    let json = json!({"table": "things", "format": "json"});
    assert_eq!(code(b"[1, 2]", json.clone()).await, "invalid_json");
    let skip = json!({"table": "things", "in": "transaction", "on_error": "skip"});
    assert_eq!(code(b"id\n1\n", skip).await, "invalid_body");
    let missing = import(&project, &json!("nothing"), things()).await;
    assert_eq!(missing.expect_problem(404), "source_not_found");
    let nothing = imported(&project, "id,title\r\n", things()).await;
    assert_eq!(
        (&nothing["status"], &nothing["progress"]["rows"]),
        (&json!("done"), &json!(0))
    );
}

#[tokio::test]
async fn bytes_come_by_a_link_straight_into_the_store() {
    let project = project().await;
    let text = "id,title\n1,by link\n";
    let body = json!({"size": text.len(), "content_type": "text/csv"});
    let upload = project
        .post("/transfer/uploads/link", body)
        .await
        .expect(201)
        .json();
    let wishes = json!({"table": "things"});
    let early = import(&project, &upload["id"], wishes.clone()).await;
    assert_eq!(early.expect_problem(409), "source_not_ready");
    let put = reqwest::Client::new().put(upload["url"].as_str().unwrap());
    let _ = Reply::to(put.header("content-type", "text/csv").body(text))
        .await
        .expect_success();
    let job = import(&project, &upload["id"], wishes)
        .await
        .expect(202)
        .json();
    let _ = done(&project, &job).await;
    assert_eq!(
        rows_of(&project, "things", "id").await[0]["title"],
        "by link"
    );
}

#[tokio::test]
async fn an_import_goes_on_where_a_killed_server_left_it_and_no_row_comes_twice() {
    let mut server = TestServer::start().await;
    let project = server.admin().project_with(&["db", "transfer"]).await;
    make_tables(&server, &project).await;
    let rows = 200_000;
    let mut text = "n,word\n".to_owned();
    for n in 1..=rows {
        text.push_str(&format!("{n},\"the word of {n}\"\n"));
    }
    let source = json!(sent(&project, text).await);
    let job = import(&project, &source, json!({"table": "loose"}))
        .await
        .expect(202)
        .json();
    let path = format!("/transfer/jobs/{}", job["id"].as_str().unwrap());
    let mut project = project;
    for part in [1, 3] {
        until("some batches", PATIENCE, || async {
            let job = project.get(&path).await.expect(200).json();
            (job["progress"]["rows"].as_u64().unwrap() > rows * part / 5).then_some(())
        })
        .await;
        server.kill();
        server.start_again().await;
        project = project.on(&server);
    }
    let job = done(&project, &job).await;
    assert_eq!(job["progress"]["rows"], rows);
    let body = json!({"sql": "SELECT count(*) AS c, count(DISTINCT n) AS d, sum(n) AS s FROM loose", "mode": "read"});
    let path = format!("/admin/v1/projects/{}/sql", project.slug);
    let seen = server.admin().post(&path, body).await.expect(200).json();
    let numbers: Vec<String> = seen["rows"][0]
        .as_array()
        .unwrap()
        .iter()
        .map(|value| value.to_string().replace('"', ""))
        .collect();
    assert_eq!(
        numbers,
        [
            rows.to_string(),
            rows.to_string(),
            (rows * (rows + 1) / 2).to_string()
        ]
    );
}

/// What another program finds in an archive: the size of each entry and what
/// it begins with. It compares their checksums.
fn unzipped(bytes: &[u8]) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive.zip");
    std::fs::write(&path, bytes).expect("write the archive");
    let script = "import json, sys, zipfile\n\
         archive = zipfile.ZipFile(sys.argv[1])\n\
         assert archive.testzip() is None\n\
         read = {name: archive.read(name) for name in archive.namelist()}\n\
         print(json.dumps({name: [len(data), data[:20].decode('latin-1')] for name, data in read.items()}))";
    let ran = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(&path)
        .output()
        .expect("run Python");
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    serde_json::from_slice(&ran.stdout).expect("JSON")
}

/// A project's tables as an archive.
pub(crate) async fn archive(project: &Project) -> Vec<u8> {
    let body = json!({"what": "database", "format": "zip"});
    let job = project.post("/transfer/export", body).await.expect(202);
    fetched(&done(project, &job.json()).await).await
}

/// Imports an archive into a project; tables that are not there are made as
/// the archive defines them.
async fn restore(server: &TestServer, project: &Project, bytes: Vec<u8>) -> Value {
    let source = sent(project, bytes).await;
    let body = json!({"what": "database", "format": "zip", "source": source});
    let asked = project.post("/transfer/import", body.clone()).await;
    assert_eq!(asked.expect_problem(422), "tables_missing");
    let tables = format!("/admin/v1/projects/{}/tables", project.slug);
    for table in asked.json()["tables"].as_array().expect("tables") {
        let _ = server
            .admin()
            .post(&tables, table.clone())
            .await
            .expect(201);
    }
    let job = project
        .post("/transfer/import", body)
        .await
        .expect(202)
        .json();
    done(project, &job).await
}

#[tokio::test]
async fn a_projects_tables_move_to_the_other_engine_and_back_equal() {
    let here = shared().await;
    let there = TestServer::builder().start_embedded().await;
    let first = project().await;
    let mut rows = hard_rows();
    // `db` shows fewer digits of a number on SQLite than it keeps.
    rows[4]["stars"] = json!(0.25);
    insert(&first, "things", rows).await;
    fill(here, &first, 20_000, "'a word ' || n").await;
    let children = json!({"name": "a_child", "columns": [
        {"name": "id", "type": "bigint", "primary_key": true},
        {"name": "thing", "type": "bigint", "references": {"table": "things", "column": "id"}},
        {"name": "made", "type": "timestamp", "nullable": false, "default": {"function": "now"}},
    ]});
    let tables = format!("/admin/v1/projects/{}/tables", first.slug);
    let _ = here.admin().post(&tables, children).await.expect(201);
    insert(
        &first,
        "a_child",
        json!([{"id": 1, "thing": 3, "made": "2026-01-01T00:00:00.5+00:00"}]),
    )
    .await;

    let counted = json!({"name": "counted", "columns": [
        {"name": "id", "type": "bigint", "primary_key": true, "default": {"function": "autoincrement"}},
        {"name": "word", "type": "text"},
    ]});
    let _ = here.admin().post(&tables, counted).await.expect(201);
    insert(&first, "counted", json!([{"word": "a"}, {"word": "b"}])).await;

    let second = there.admin().project_with(&["db", "transfer"]).await;
    let bytes = archive(&first).await;
    // Other programs understand it, too.
    assert_eq!(unzipped(&bytes).as_object().expect("entries").len(), 6);
    let moved = restore(&there, &second, bytes).await;
    assert_eq!(moved["progress"]["rows"], 20_010, "{moved}");
    let third = here.admin().project_with(&["db", "transfer"]).await;
    let moved = restore(here, &third, archive(&second).await).await;
    assert_eq!(moved["progress"]["rows"], 20_010, "{moved}");
    for (table, order) in [
        ("counted", "id"),
        ("things", "id"),
        ("a_child", "id"),
        ("copies", "id"),
        ("loose", "n"),
    ] {
        let expected = rows_of(&first, table, order).await;
        assert_eq!(
            rows_of(&second, table, order).await,
            expected,
            "{table} there"
        );
        assert_eq!(
            rows_of(&third, table, order).await,
            expected,
            "{table} and back"
        );
    }
    // What comes next gets numbers that are free.
    for project in [&second, &third] {
        insert(project, "counted", json!([{"word": "c"}])).await;
    }
}

#[tokio::test]
async fn all_files_come_as_one_archive() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["files", "transfer"]).await;
    let large = atlashub_tests::noise(3_000_000, 7);
    let _ = project
        .upload("a/large.bin", large.clone())
        .await
        .expect(201);
    let _ = project.upload("none", "").await.expect(201);
    for n in 0..250 {
        let _ = project
            .upload(&format!("many/{n}.txt"), format!("file {n}"))
            .await
            .expect(201);
    }
    let body = json!({"what": "files", "format": "zip"});
    let job = project.post("/transfer/export", body).await.expect(202);
    let job = done(&project, &job.json()).await;
    assert_eq!(job["result"]["content_type"], "application/zip");
    let entries = unzipped(&fetched(&job).await);
    let entries = entries.as_object().expect("entries");
    assert_eq!(entries.len(), 252);
    let read = |end: &str| {
        let mut names = entries.iter();
        names
            .find(|(name, _)| name.ends_with(end))
            .expect(end)
            .1
            .clone()
    };
    assert_eq!(read("/a/large.bin")[0], large.len());
    assert_eq!(read("/none"), json!([0, ""]));
    assert_eq!(read("/many/249.txt"), json!([8, "file 249"]));
}

/// What matters of each file, by path.
async fn described(project: &Project) -> Vec<Value> {
    let files = project.get("/files?limit=200").await.expect(200).json();
    let mut files: Vec<Value> = files["items"]
        .as_array()
        .expect("files")
        .iter()
        .map(|file| {
            let parts = [
                "path",
                "sha256",
                "mime_type",
                "visibility",
                "description",
                "tags",
            ];
            parts.iter().map(|part| file[*part].clone()).collect()
        })
        .collect();
    files.sort_by_key(ToString::to_string);
    files
}

async fn imported_folder(project: &Project, bytes: Vec<u8>) -> Value {
    let source = sent(project, bytes).await;
    let body = json!({"source": source});
    let job = project.post("/transfer/folder", body).await.expect(202);
    ended(project, &job.json()).await
}

#[tokio::test]
async fn files_go_into_another_project_with_their_owners_and_what_is_known_of_them() {
    let admin = shared().await.admin();
    let from = admin.project_with(&["files", "transfer"]).await;
    let mary = from.sign_up().await;
    let text = |path: &str, body: &str| (path.to_owned(), body.to_owned());
    for (path, body) in [text("same.txt", "Mary's"), text("a/same.txt.json", "{}")] {
        let request = mary.request(Method::POST, "/files/upload");
        let request = request.header("file-path", path.replace('/', "%2F"));
        let _ = Reply::to(request.body(body)).await.expect(201);
    }
    let made = from.upload("same.txt", "the server's").await.expect(201);
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    let more = json!({"description": "Jambo\n\u{1F98A}", "tags": ["red"], "visibility": "public"});
    let _ = from.patch(&format!("/files/{id}"), more).await.expect(200);
    let body = json!({"what": "files", "metadata": true});
    let job = from.post("/transfer/export", body).await.expect(202);
    let archive = fetched(&done(&from, &job.json()).await).await;
    assert_eq!(unzipped(&archive).as_object().expect("entries").len(), 6);

    let into = admin.project_with(&["files", "transfer"]).await;
    let refused = imported_folder(&into, archive.clone()).await;
    assert_eq!(refused["error"]["code"], "folder_refused", "{refused}");
    let errors = refused["report"]["errors"].as_array().expect("errors");
    assert_eq!(errors.len(), 2, "{refused}");
    assert!(errors.iter().all(|error| error["code"] == "unknown_user"));
    assert!(described(&into).await.is_empty());

    let login = json!({"email": mary.email, "password": PASSWORD});
    let there = into.auth("/signup", login).await.expect(201).json();
    let job = imported_folder(&into, archive.clone()).await;
    assert_eq!(job["status"], "done", "{job}");
    assert_eq!(job["report"]["files_taken"], 3);
    assert_eq!(described(&into).await, described(&from).await);
    let owner = there["user"]["id"].as_str().expect("an id");
    let hers = into.get(&format!("/files?owner={owner}")).await.expect(200);
    assert_eq!(hers.json()["items"].as_array().expect("files").len(), 2);
    // A second time all places are taken.
    let again = imported_folder(&into, archive).await;
    assert_eq!(again["error"]["code"], "folder_refused", "{again}");
    assert_eq!(again["report"]["files_failed"], 3);
    assert_eq!(described(&into).await.len(), 3);
}

/// What Postgres alone counts keeps its numbers, and a row that comes again is
/// the same one; letters are no bytes.
#[tokio::test]
async fn numbers_that_are_always_generated_come_along() {
    if Engine::of_this_run() != Engine::Postgres {
        return;
    }
    let admin = shared().await.admin();
    let project = admin.project_with(&["db", "transfer"]).await;
    let table = "CREATE TABLE counted (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
                 word TEXT, raw BYTEA)";
    write(&admin, &project, table).await;
    let wishes = json!({"table": "counted"});
    let job = imported(
        &project,
        "id,word,raw\n7,seven,\\x07\n9,nine,\n",
        wishes.clone(),
    )
    .await;
    assert_eq!(
        (&job["status"], &job["progress"]["rows"]),
        (&json!("done"), &json!(2)),
        "{job}"
    );
    let upsert = json!({"table": "counted", "mode": "upsert"});
    let job = imported(&project, "id,word\n7,other\n11,eleven\n", upsert).await;
    assert_eq!(job["status"], "done", "{job}");
    write(
        &admin,
        &project,
        "INSERT INTO counted (word) VALUES ('own')",
    )
    .await;
    let rows = rows_of(&project, "counted", "id").await;
    let told: Vec<(&Value, &Value)> = rows.iter().map(|row| (&row["id"], &row["word"])).collect();
    let expected = [(7, "other"), (9, "nine"), (11, "eleven"), (12, "own")];
    let expected = expected.map(|(id, word)| (json!(id), json!(word)));
    assert!(
        told.iter()
            .zip(&expected)
            .all(|(own, (id, word))| *own == (id, word)),
        "{rows:?}"
    );
    assert_eq!(told.len(), 4, "{rows:?}");

    // The whole of it once more, over what is there.
    let bytes = archive(&project).await;
    let source = sent(&project, bytes).await;
    let body = json!({"what": "database", "source": source, "mode": "upsert"});
    let job = project
        .post("/transfer/import", body)
        .await
        .expect(202)
        .json();
    let _ = done(&project, &job).await;
    assert_eq!(rows_of(&project, "counted", "id").await, rows);

    let job = imported(&project, "id,raw\n20,hello\n", wishes).await;
    assert_eq!(
        (&job["status"], &job["error"]["code"]),
        (&json!("failed"), &json!("row_refused")),
        "{job}"
    );
}
