//! The `transfer` plugin: tables out of a project and into it.

use atlashub_tests::{DEADLINE, Project, Reply, TestServer, shared, until};
use reqwest::Method;
use serde_json::{Value, json};

/// How long a job may take on a busy machine.
const PATIENCE: std::time::Duration = DEADLINE.saturating_mul(4);

async fn project() -> Project {
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
fn hard_rows() -> Value {
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

async fn insert(project: &Project, table: &str, rows: Value) {
    let path = format!("/v1/db/{table}?returning=false");
    let _ = project.post(&path, json!({"rows": rows})).await.expect(201);
}

async fn rows_of(project: &Project, table: &str, order: &str) -> Vec<Value> {
    let path = format!("/v1/db/{table}?limit=1000&order={order}.asc");
    let page = project.get(&path).await.expect(200).json();
    page["rows"].as_array().expect("rows").clone()
}

/// Waits until a job has ended.
async fn ended(project: &Project, job: &Value) -> Value {
    let path = format!("/transfer/jobs/{}", job["id"].as_str().expect("an id"));
    until("the job's end", PATIENCE, || async {
        let job = project.get(&path).await.expect(200).json();
        let over = !["queued", "running"].contains(&job["status"].as_str().expect("a status"));
        over.then_some(job)
    })
    .await
}

async fn done(project: &Project, job: &Value) -> Value {
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
async fn fetched(job: &Value) -> Vec<u8> {
    let url = job["result"]["url"].as_str().expect("a link");
    let reply = Reply::to(reqwest::Client::new().get(url)).await.expect(200);
    assert_eq!(job["result"]["size"], reply.body.len());
    reply.body.to_vec()
}

async fn text_of(job: &Value) -> String {
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

    let mut expected = rows_of(&project, "things", "id").await;
    let json = export(&project, json!({"table": "things", "format": "json"})).await;
    assert_eq!(json["result"]["name"], "things.json");
    assert_eq!(json["progress"]["rows"], 7);
    let rows: Vec<Value> = serde_json::from_str(&text_of(&json).await).expect("JSON");
    assert_eq!(rows, expected);
    let lines =
        text_of(&export(&project, json!({"table": "things", "format": "ndjson"})).await).await;
    let rows: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(rows, expected);
    expected.clear();
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
    let series = match atlashub_tests::Engine::of_this_run() {
        atlashub_tests::Engine::Sqlite => format!(
            "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows}) SELECT n, {word} FROM s"
        ),
        atlashub_tests::Engine::Postgres => {
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
    let long = match atlashub_tests::Engine::of_this_run() {
        atlashub_tests::Engine::Sqlite => "replace(hex(zeroblob(3000000)), '00', 'ä\"')",
        atlashub_tests::Engine::Postgres => "repeat('ä\"', 3000000)",
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
        large == format!("1,\"{}\"", "ä\"\"".repeat(3_000_000)),
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
