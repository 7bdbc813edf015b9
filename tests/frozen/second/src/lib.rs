//! Calls every function of the interfaces that stand beside those of 0.1.0, and
//! answers with what came of it. Built once and kept as it is: see ../README.md.

use atlashub_sdk::{check, prelude::*};
use serde_json::{Value, json};
use std::time::Duration;

const BUCKET: blob::Bucket<'_> = blob::bucket("private");

fn routes() -> Router {
    Router::new()
        .get("/frozensecond/stream", || channel::hold("all", None))
        .post("/frozensecond/told", || {
            channel::publish("all", "told", &json!({"n": 1})).map(|_| "told")
        })
        .post("/frozensecond/audited", audited)
        .get("/frozensecond/tables", tables)
        .post("/frozensecond/said", said)
        .get("/frozensecond/heard", || {
            kv::get::<Vec<String>>("heard").map(|heard| Json(heard.unwrap_or_default()))
        })
        .post("/frozensecond/mails/{user}", mails)
        .get("/frozensecond/secrets", secrets)
        .get("/frozensecond/sign-in", sign_in)
        .post("/frozensecond/part", part)
        .post("/frozensecond/joined", joined)
        .get("/frozensecond/people/{user}", people)
}

/// What of a call that may be refused somebody could tell apart.
fn outcome<T>(result: Result<T>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.code().to_owned(),
    }
}

fn audited() -> Result<&'static str> {
    audit::append("look", Some("something"), &json!({"n": 1})).map(|()| "audited")
}

fn tables() -> Result<Json<Value>> {
    let version = database::schema_version()?;
    let names: Vec<String> = database::describe()?.into_iter().map(|table| table.name).collect();
    let told = database::told()?.len();
    let count = |rows: Vec<Value>| rows.len();
    let inserted = database::execute("INSERT INTO things (id, label) VALUES ($1, $2)", params![1, "a"])?;
    let found = count(database::query("SELECT label FROM things ORDER BY label", params![])?);
    let changed = database::execute("UPDATE things SET label = $1 WHERE label = $2", params!["b", "a"])?;
    let begun = database::Transaction::begin()?;
    let within = begun.execute("UPDATE things SET label = $1 WHERE label = $2", params!["c", "b"])?;
    let seen = count(begun.query("SELECT label FROM things WHERE label = $1", params!["c"])?);
    begun.rollback()?;
    let kept = database::transaction(|transaction| {
        transaction.execute("UPDATE things SET label = $1 WHERE label = $2", params!["a", "b"])
    })?;
    Ok(Json(json!({
        "dialect": format!("{:?}", database::dialect()),
        "version": version > 0,
        "names": names,
        "told": told,
        "found": found,
        "changed": [inserted, changed, within, seen, kept],
    })))
}

fn said() -> Result<Json<Value>> {
    let now = events::publish("said", &json!({"word": "now"}), Some("key"))?;
    let later = events::publish_later("said", &json!({"word": "later"}), None, Duration::from_secs(3_600))?;
    Ok(Json(json!([now, later])))
}

#[derive(Deserialize)]
struct Said {
    word: String,
}

fn subscriptions() -> Subscriptions {
    Subscriptions::new().on("frozensecond.said", |Payload(said): Payload<Said>| {
        let mut heard: Vec<String> = kv::get("heard")?.unwrap_or_default();
        heard.push(said.word);
        kv::set("heard", &heard, None).map(drop)
    })
}

fn mails(Path(user): Path<String>) -> Json<Value> {
    let mail = mail::Mail::new("Hello {{who}}", "Hello {{who}}").value("who", "you");
    Json(json!([
        outcome(mail.send_to_user(&user)),
        outcome(mail.send_to_address("ops@example.com")),
        outcome(mail.send_to_address("others@example.com")),
    ]))
}

fn secrets() -> Result<Json<Value>> {
    let plain = secret::plain("token")?;
    let base64 = secret::base64("user:", "token", "")?;
    let sealed = secret::seal("row", b"confided")?;
    let opened = secret::open("row", &sealed)?;
    let elsewhere = secret::open("other", &sealed).is_err();
    Ok(Json(json!({
        "stand_ins": [!plain.is_empty(), !base64.is_empty(), plain != "the-token"],
        "opened": String::from_utf8_lossy(&opened),
        "elsewhere": elsewhere,
        "renewed": secret::renew("row", &sealed)?.is_some(),
    })))
}

fn sign_in(Query(who): Query<Who>) -> Json<Value> {
    let tokens = sign_in::with_password(who.email, who.password)
        .with_user_agent("frozen")
        .send();
    Json(json!(outcome(tokens)))
}

#[derive(Deserialize)]
struct Who {
    email: String,
    password: String,
}

fn part(body: Body) -> Result<Json<Value>> {
    let part = BUCKET.put_part("part", body, &blob::PartOptions::default())?;
    Ok(Json(json!({
        "size": part.size,
        "sha256": part.sha256,
        "complete": part.complete,
    })))
}

fn joined() -> Result<Json<Value>> {
    let parts = ["part".to_owned(), "part".to_owned()];
    let joined = BUCKET.join(&parts, "joined")?;
    sql::execute(
        "INSERT INTO frozensecond.kept (object_key, size) VALUES ('joined', $1)",
        params![joined.object.size as i64 + 1],
    )?;
    BUCKET.delete("part")?;
    Ok(Json(json!({"size": joined.object.size, "sha256": joined.sha256})))
}

fn people(Path(user): Path<String>) -> Result<Json<Value>> {
    let known = users::get(&user)?;
    let email = known.as_ref().and_then(|user| user.email.clone());
    Ok(Json(json!({
        "may": users::has_permission("frozensecond:look"),
        "known": known.is_some(),
        "found": users::find(email.as_deref().unwrap_or("nobody"))?.is_some(),
        "listed": users::list(10, None)?.users.len(),
    })))
}

struct Records;

#[derive(Deserialize)]
struct Kept {
    object_key: String,
    size: i64,
}

fn references() -> Result<Vec<check::Reference>> {
    let kept: Vec<Kept> = sql::query("SELECT object_key, size FROM frozensecond.kept", params![])?;
    let refer = |kept: Kept| {
        check::Reference::to(kept.object_key, "what was kept").of_size(kept.size.unsigned_abs())
    };
    Ok(kept.into_iter().map(refer).collect())
}

impl check::Records for Records {
    fn known(_: &str, keys: &[String]) -> Result<Vec<check::Reference>> {
        let mut all = references()?;
        all.retain(|reference| keys.contains(&reference.key));
        Ok(all)
    }

    fn references(_: &str, _: Option<&str>) -> Result<check::ReferencePage> {
        Ok(check::ReferencePage {
            references: references()?,
            next: None,
        })
    }

    fn mend(_: &str, lost: &[check::Lost]) -> Result<()> {
        for lost in lost {
            sql::execute(
                "DELETE FROM frozensecond.kept WHERE object_key = $1",
                params![lost.key.clone()],
            )?;
        }
        Ok(())
    }

    fn inspect(inspection: &check::Inspection) -> Result<check::FindingPage> {
        let finding = check::Finding::new("of_the_plugin", "all of it", "it says so");
        Ok(check::FindingPage {
            findings: vec![finding.mended(inspection.repair)],
            next: None,
        })
    }
}

atlashub_sdk::plugin!(routes, check = Records, events = subscriptions);
