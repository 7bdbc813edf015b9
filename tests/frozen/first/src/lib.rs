//! Calls every function of the interfaces that were released as 0.1.0, and
//! answers with what came of it. Built once and kept as it is: see ../README.md.

use atlashub_sdk::{Activation, Deactivation, identity::Project, prelude::*};
use serde_json::{Value, json};
use std::time::Duration;

const BUCKET: blob::Bucket<'_> = blob::bucket("private");
const MINUTE: Duration = Duration::from_secs(60);

fn routes() -> Router {
    Router::new()
        .get("/frozenfirst/identity", identify)
        .get("/frozenfirst/rows", rows)
        .get("/frozenfirst/values", values)
        .post("/frozenfirst/objects", objects)
        .get("/frozenfirst/served", || BUCKET.serve("whole", Some(2..5)))
        .post("/frozenfirst/form", form)
        .get("/frozenfirst/outside", outside)
}

fn identify(caller: Caller, project: Project) -> Result<Json<Value>> {
    Ok(Json(json!({
        "project": project.slug,
        "caller": format!("{:?}", caller.kind),
        "request": identity::request_id(),
        "public_url": identity::public_url(),
        "activated": kv::get::<String>("activated")?,
    })))
}

#[derive(Deserialize)]
struct Item {
    name: String,
    amount: i64,
    part: f64,
    lack: Option<String>,
}

const INSERT: &str = "INSERT INTO frozenfirst.items (name, amount, part, lack) \
                      VALUES ($1, $2, $3, NULL) ON CONFLICT (name) DO NOTHING";
const SELECT: &str =
    "SELECT name, amount, part, lack FROM frozenfirst.items ORDER BY name";

fn rows() -> Result<Json<Value>> {
    let inserted = sql::execute(INSERT, params!["a", 1, 0.5])?;
    sql::transaction(|transaction| transaction.execute(INSERT, params!["b", 2, 1.5]))?;
    let lost = sql::Transaction::begin()?;
    lost.execute(INSERT, params!["c", 3, 2.5])?;
    let seen: Vec<Item> = lost.query(SELECT, params![])?;
    lost.rollback()?;
    let items: Vec<Item> = sql::query(SELECT, params![])?;
    let mut cursor = sql::Cursor::open(SELECT, params![])?;
    let mut pages = Vec::new();
    loop {
        let page: Vec<Item> = cursor.next_page(1)?;
        if page.is_empty() {
            break;
        }
        pages.push(page.len());
    }
    let refused = sql::execute("SELECT nonsense", params![]).map_err(|error| error.code().to_owned());
    let items: Vec<Value> = items
        .into_iter()
        .map(|item| json!([item.name, item.amount, item.part, item.lack]))
        .collect();
    Ok(Json(json!({
        "dialect": format!("{:?}", sql::dialect()),
        "inserted": inserted,
        "seen": seen.len(),
        "items": items,
        "pages": pages,
        "refused": refused.is_err(),
    })))
}

fn values() -> Result<Json<Value>> {
    let version = kv::set("counter", &1, Some(MINUTE))?;
    let swapped = kv::compare_and_swap("counter", Some(version), &2, None)?;
    let late = kv::compare_and_swap("counter", Some(version), &3, None)?;
    let value: Option<u32> = kv::get("counter")?;
    let keys = kv::list("count", None, 10)?;
    Ok(Json(json!({
        "swapped": swapped.is_some(),
        "late": late.is_some(),
        "value": value,
        "keys": keys,
        "deleted": [kv::delete("counter")?, kv::delete("counter")?],
    })))
}

fn objects(body: Body) -> Result<Json<Value>> {
    let at = |key: &str| blob::PutOptions {
        key: Some(key.to_owned()),
        ..blob::PutOptions::default()
    };
    let stored = BUCKET.put(body, &at("whole"))?;
    let bytes = BUCKET.put_bytes(b"bytes", &at("bytes"))?;
    let part = BUCKET.read("whole", Some(1..4))?.text(100)?;
    let page = BUCKET.list("", None, 10)?;
    let keys: Vec<String> = page.objects.into_iter().map(|object| object.key).collect();
    let read = BUCKET.sign_read("whole", Some("text/plain"), None, MINUTE)?;
    let write = BUCKET.sign_write("written", None, 10, MINUTE)?;
    let missing = BUCKET.stat("nowhere").map_err(|error| error.code().to_owned());
    Ok(Json(json!({
        "sha256": stored.sha256,
        "head": String::from_utf8_lossy(&stored.head),
        "size": BUCKET.stat("whole")?.size,
        "bytes": bytes.object.size,
        "part": part,
        "keys": keys,
        "signed": [read, write],
        "missing": missing.err(),
        "deleted": BUCKET.delete("bytes")?,
    })))
}

fn form(mut form: multipart::Multipart) -> Result<Json<Value>> {
    let mut parts = Vec::new();
    while let Some(part) = form.next_part()? {
        let (name, filename) = (part.name.clone(), part.filename.clone());
        parts.push(json!([name, filename, part.content_type.clone(), part.text()?]));
    }
    Ok(Json(Value::from(parts)))
}

fn outside() -> Result<Json<Value>> {
    log::info!("looking outside");
    let answer = http::get("http://hello.internal/hello").send()?;
    Ok(Json(json!({
        "greeting": config::get("greeting")?,
        "neighbour": answer.text()?,
    })))
}

fn activate(now: Activation) -> Result<()> {
    kv::set("activated", &now.reason, None).map(drop)
}

fn deactivate(now: Deactivation) -> Result<()> {
    kv::set("deactivated", &now.reason, None).map(drop)
}

atlashub_sdk::plugin!(routes, activate = activate, deactivate = deactivate);
