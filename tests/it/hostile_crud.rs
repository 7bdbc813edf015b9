//! The hostile texts of the SQL editor's tests where only values and names
//! are taken: as values, operands, columns, selections, orders and tables of
//! both dialects. They are data or they are refused; never are they run.

use crate::hostile::Victim;
use atlashub_tests::{Admin, Project, Reply, shared};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What no answer may tell: a plugin's file.
const CANARY: &str = "canary-of-the-files";
/// Texts that are tried at the same time.
const AT_ONCE: usize = 8;
/// Rows that are sent together.
const ROWS: usize = 50;

/// A text as one segment of a path.
fn segment(text: &str) -> String {
    text.bytes().fold(String::new(), |mut path, byte| {
        write!(path, "%{byte:02X}").unwrap();
        path
    })
}

async fn table(admin: &Admin, project: &Project, name: &str) {
    let tables = format!("/admin/v1/projects/{}/tables", project.slug);
    let table = json!({"name": name, "columns": [
        {"name": "id", "type": "bigint", "primary_key": true},
        {"name": "name", "type": "text"},
    ]});
    let _ = admin.post(&tables, table).await.expect(201);
}

async fn rows(project: &Project, table: &str) -> Value {
    let path = format!("/rest/v1/{table}?select=id,name&order=id");
    project.get(&path).await.expect(200).json()
}

async fn tables(admin: &Admin, project: &Project) -> Value {
    let path = format!("/admin/v1/projects/{}/tables", project.slug);
    admin.get(&path).await.expect(200).json()
}

/// Every place in which a text is sent, but as a value.
fn requests(own: &Project, text: &str) -> Vec<(String, RequestBuilder)> {
    let get = |path: &str| own.request(Method::GET, path);
    let quoted = format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut all = Vec::new();
    for (name, value) in [
        ("name", format!("eq.{text}")),
        ("name", format!("like.{text}")),
        ("id", format!("eq.{text}")),
        ("id", format!("in.({text})")),
        ("name", format!("in.({quoted})")),
        ("or", format!("(name.eq.{quoted},id.eq.{text})")),
        ("select", text.to_owned()),
        ("order", text.to_owned()),
        ("limit", text.to_owned()),
        (text, "eq.1".to_owned()),
    ] {
        let what = format!("{name}={value} in /rest/v1");
        all.push((what, get("/rest/v1/own").query(&[(name, value)])));
    }
    let names = [
        ("eq.name".to_owned(), text),
        ("eq.id".to_owned(), text),
        ("select".to_owned(), text),
        ("order".to_owned(), text),
        (format!("eq.{text}"), "1"),
    ];
    for (name, value) in names {
        let what = format!("{name}={value} in /v1/db");
        all.push((what, get("/v1/db/own").query(&[(name, value)])));
    }
    let name = segment(text);
    for path in [
        format!("/rest/v1/{name}"),
        format!("/v1/db/{name}"),
        format!("/v1/db/tables/{name}/columns"),
    ] {
        all.push((format!("the table {text}"), get(&path)));
    }
    // As a column of what is written; and as the condition of a change.
    let row = json!({"rows": [{"id": -1, text: "x"}]});
    let insert = own.request(Method::POST, "/v1/db/own").json(&row);
    all.push((format!("the column {text}"), insert));
    let change = own.request(Method::PATCH, "/rest/v1/own");
    let change = change.query(&[("id", format!("eq.{text}"))]);
    let change = change.json(&json!({"name": "changed"}));
    all.push((format!("a change where id is {text}"), change));
    let remove = own.request(Method::DELETE, "/rest/v1/own");
    let remove = remove.query(&[("name", format!("eq.no such name; {text}"))]);
    all.push((format!("a removal where name is {text}"), remove));
    all
}

async fn attack(own: &Project, victim: &Victim, text: &str) {
    for (what, request) in requests(own, text) {
        let reply = Reply::to(request).await;
        let known = matches!(reply.status, 200..=299 | 400..=428 | 431);
        assert!(known, "{what}: {} {}", reply.status, reply.text());
        victim.expect_untold(&what, &reply);
        assert!(!reply.text().contains(CANARY), "{what}: {}", reply.text());
    }
}

#[tokio::test]
async fn hostile_texts_are_data_to_the_tables_interface() {
    let admin = shared().await.admin();
    let victim = Victim::make(shared().await).await;
    let own = admin.project_with(&["db", "files"]).await;
    let quota = format!("/admin/v1/projects/{}/quota", own.slug);
    let much = json!({
        "requests_per_second": 10_000,
        "caller_reads_per_second": 10_000,
        "caller_writes_per_second": 10_000,
    });
    let _ = admin.put(&quota, much).await.expect(200);
    let _ = own.upload(CANARY, "content").await.expect_success();
    table(&admin, &own, "own").await;

    let texts = victim.texts();
    let sent: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(place, text)| json!({"id": place, "name": text}))
        .collect();
    for some in sent.chunks(ROWS) {
        let _ = own
            .post("/v1/db/own", json!({ "rows": some }))
            .await
            .expect(201);
    }
    assert_eq!(rows(&own, "own").await, json!(sent), "as values");
    let before = tables(&admin, &own).await;
    for some in texts.chunks(AT_ONCE) {
        let tried = some.iter().map(|text| attack(&own, &victim, text));
        let _: Vec<()> = futures::future::join_all(tried).await;
    }
    // All as it was, here and elsewhere.
    assert_eq!(rows(&own, "own").await, json!(sent), "after all of them");
    assert_eq!(tables(&admin, &own).await, before);
    victim.expect_unharmed().await;
    let files = own.get("/files").await.expect(200).text();
    assert!(files.contains(CANARY), "{files}");
    for left in ["/tmp/atlashub-hostile", "/tmp/atlashub-hostile.db"] {
        assert!(!std::path::Path::new(left).exists(), "{left} was made");
    }
}
