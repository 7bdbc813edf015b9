//! `migrate-engine`: an installation on SQLite and local files becomes one on
//! Postgres and S3, although it is killed on the way; everybody gets in with
//! what they had, and everything is there. Needs both engines, and so runs
//! with those that run on Postgres.

use crate::{
    backups::{World, seen, signed_in, world},
    mpesa_world::account,
    sql_editor::write,
};
use atlashub_daraja_sim::Simulator;
use atlashub_tests::{
    Admin, DEADLINE, Engine, PASSWORD, Project, Reply, ServerBuilder, Setup, TestServer, User,
    free_address, noise, totp_code, until,
};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection};
use std::time::Duration;

/// The longest that one run of the command may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// An installation on SQLite that has a bit of everything.
struct Before {
    server: TestServer,
    project: Project,
    users: Vec<User>,
    totp: String,
    recovery: String,
    job: String,
    /// A payment by M-Pesa, and one that is still open.
    paid: Value,
    open: Value,
    tagged: String,
    _stand_in: Simulator,
}

/// A table with every kind of column, another that refers to it, and what an
/// admin makes by hand.
async fn make_tables(admin: &Admin, project: &Project) {
    let tables = format!("/admin/v1/projects/{}/tables", project.slug);
    let things = json!({"name": "things", "columns": [
        {"name": "id", "type": "bigint", "primary_key": true, "default": {"function": "autoincrement"}},
        {"name": "title", "type": "text", "nullable": false, "default": {"value": "it's"}},
        {"name": "done", "type": "boolean", "default": {"value": false}},
        {"name": "stars", "type": "real"},
        {"name": "price", "type": "numeric", "check": "price IS NULL OR length(price) < 30"},
        {"name": "data", "type": "json", "default": {"value": {"a": 1}}},
        {"name": "due", "type": "date"},
        {"name": "at", "type": "timestamp", "default": {"function": "now"}},
        {"name": "clock", "type": "time"},
        {"name": "key", "type": "uuid", "unique": true, "default": {"function": "uuid"}},
        {"name": "file", "type": "bytes"},
    ], "checks": [{"name": "some_title", "expression": "length(title) > 0"}],
       "indexes": [{"columns": ["due", "title"]}]});
    let _ = admin.post(&tables, things).await.expect(201);
    let parts = json!({"name": "parts", "columns": [
        {"name": "thing", "type": "bigint", "references": {"table": "things", "column": "id", "on_delete": "cascade"}},
        {"name": "n", "type": "integer"},
        {"name": "note", "type": "text"},
    ], "primary_key": ["thing", "n"]});
    let _ = admin.post(&tables, parts).await.expect(201);
    for sql in [
        "CREATE TABLE \"Loose ones\" (n INTEGER PRIMARY KEY, \"a word\" VARCHAR(20) DEFAULT 'x', \
         twice INTEGER GENERATED ALWAYS AS (n * 2) STORED, made DATETIME DEFAULT CURRENT_TIMESTAMP)",
        "CREATE INDEX \"by word\" ON \"Loose ones\" (\"a word\" DESC) WHERE n > 1",
        "INSERT INTO \"Loose ones\" (n, \"a word\") VALUES (1, 'tab\there'), (7, '\\N back\\slash')",
        "CREATE VIEW open_things AS SELECT id, title FROM things WHERE length(title) > 2",
    ] {
        write(admin, project, sql).await;
    }
}

fn rows() -> Value {
    json!([
        {"id": 1, "title": "plain", "done": true, "stars": 1.5, "price": "10.50",
         "data": {"a": [1, "x\"y"], "n": null}, "due": "2026-03-01",
         "at": "2026-03-01T12:00:00.25+00:00", "clock": "08:15:00",
         "key": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "file": "\\x00ff"},
        {"id": 40, "title": "a \"quoted\";\ttab|bar\r\nline \\N \\", "done": false, "stars": -0.1,
         "price": "-7", "data": [], "due": "1999-12-31", "at": "1999-12-31T23:59:59+00:00",
         "clock": "23:59:59", "key": "00000000-0000-0000-0000-000000000000", "file": "\\x"},
        {"id": -7, "title": "ünï日本 😀", "done": null, "stars": 1e300, "price": null,
         "data": "=text", "due": null, "at": null, "clock": null, "key": null, "file": null},
    ])
}

async fn fill() -> Before {
    let address = free_address();
    let server = ServerBuilder::default()
        .env("ATLASHUB_EGRESS_ALLOW", address.to_string())
        .start_embedded()
        .await;
    let admin = server.admin();
    let World { project, users } = world(&admin).await;
    for plugin in ["search", "storage"] {
        let _ = admin.enable(&project, plugin).await;
    }
    let config = json!({"allowed_targets": ["example.com"]});
    let body = json!({"enabled": true, "grants": "requested", "config": config});
    let _ = admin.install(&project, "cron", body).await.expect_success();
    let stand_in = Simulator::start(address, vec![account()], 7).await.unwrap();
    let (paid, open) = payments(&admin, &project, &stand_in).await;
    make_tables(&admin, &project).await;
    let _ = project
        .post("/v1/db/things?returning=false", json!({ "rows": rows() }))
        .await
        .expect(201);
    let _ = project
        .post(
            "/v1/db/parts",
            json!({"rows": [{"thing": 1, "n": 1, "note": "of one"}, {"thing": 40, "n": 2}]}),
        )
        .await
        .expect_success();
    // A second factor.
    let made = users[1].post("/v1/auth/totp/enroll", json!({})).await;
    let made = made.expect_success().json();
    let totp = made["secret"].as_str().unwrap().to_owned();
    let recovery = made["recovery_codes"][0].as_str().unwrap().to_owned();
    let body = json!({"code": totp_code(&totp, 0)});
    let _ = users[1]
        .post("/v1/auth/totp/verify", body)
        .await
        .expect(204);
    // Another version of a file, a larger one, and one with tags that is found.
    let text = project
        .upload("found.txt", "a bicycle for the moved")
        .await
        .expect_success()
        .json();
    let again = project.upload("found.txt", "another bicycle").await;
    let _ = again.expect_success();
    let tagged = text["id"].as_str().unwrap().to_owned();
    let tags = project
        .patch(
            &format!("/files/{tagged}"),
            json!({"tags": ["moved", "ünï"]}),
        )
        .await;
    assert_eq!(tags.expect(200).json()["tags"], json!(["moved", "ünï"]));
    let _ = project
        .upload("large.bin", noise(6_000_000, 7))
        .await
        .expect_success();
    let found = project
        .get("/files/search?q=found")
        .await
        .expect(200)
        .json();
    assert_ne!(found["items"], json!([]), "{found}");
    let body = json!({
        "name": "nightly", "type": "http", "schedule": "0 3 * * *", "timezone": "Africa/Nairobi",
        "http": {"url": "https://example.com/", "method": "POST",
                 "headers": {"authorization": "secret words"}},
        "enabled": false,
    });
    let job = project.post("/cron/jobs", body).await.expect(201).json();
    let job = job["id"].as_str().unwrap().to_owned();
    Before {
        server,
        project,
        users,
        totp,
        recovery,
        job,
        paid,
        open,
        tagged,
        _stand_in: stand_in,
    }
}

/// A payment that was made, and one of which nothing is heard.
async fn payments(admin: &Admin, project: &Project, stand_in: &Simulator) -> (Value, Value) {
    let account = account();
    let body = json!({"enabled": true, "grants": "requested", "config": {
        "environment": "custom", "base_url": stand_in.url(),
        "consumer_key": account.consumer_key, "consumer_secret": account.consumer_secret,
        "shortcode": account.shortcode, "passkey": account.passkey,
        "allowed_origins": ["127.0.0.1"], "query_after_seconds": 1,
    }});
    let _ = admin.install(project, "mpesa", body).await.expect_success();
    let pushed = async |phone: &str, amount: u64| {
        let body = json!({"phone": phone, "amount": amount, "account_reference": "MOVE"});
        let begun = project.post("/mpesa/stkpush", body).await;
        let id = begun.expect_success().json()["transaction_id"].clone();
        format!("/mpesa/transactions/{}", id.as_str().unwrap())
    };
    let path = pushed("0712345678", 1_234).await;
    let paid = until("the payment", DEADLINE, || async {
        let row = project.get(&path).await.expect(200).json();
        (row["status"] == "succeeded").then_some(row)
    })
    .await;
    stand_in.faults(|faults| {
        faults.callback_lost = true;
        faults.query_late = u32::MAX;
    });
    let path = pushed("0712345679", 77).await;
    let open = project.get(&path).await.expect(200).json();
    assert_eq!(open["status"], "pending", "{open}");
    (paid, open)
}

/// What has to be the same of a payment.
fn of_payment(row: &Value) -> Vec<&Value> {
    let names = [
        "id",
        "kind",
        "status",
        "amount",
        "phone_number",
        "receipt_number",
        "account_reference",
        "checkout_request_id",
        "merchant_request_id",
        "result_code",
        "created_at",
    ];
    names.iter().map(|name| &row[*name]).collect()
}

/// What there is to see of the tables.
async fn tables(project: &Project) -> Value {
    let mut all = Vec::new();
    for (table, order) in [("things", "id"), ("parts", "thing"), ("notes", "title")] {
        let path = format!("/v1/db/{table}?limit=1000&order={order}.asc");
        all.push(project.get(&path).await.expect(200).json()["rows"].clone());
    }
    json!(all)
}

/// The settings of where it goes, and the command's flags.
struct Target {
    setup: Setup,
    database: String,
    storage: String,
}

impl Target {
    async fn make() -> Self {
        let setup = Setup::make().await;
        let setting = |name: &str| setup.setting(name).unwrap().to_owned();
        Self {
            database: setting("ATLASHUB_DATABASE_URL"),
            storage: setting("ATLASHUB_STORAGE_URL"),
            setup,
        }
    }

    fn args(&self) -> Vec<&str> {
        vec![
            "migrate-engine",
            "--to-database",
            &self.database,
            "--to-storage",
            &self.storage,
        ]
    }

    fn keys(&self) -> Vec<(&str, &str)> {
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
            .map(|name| (name, self.setup.setting(name).unwrap()))
            .to_vec()
    }

    async fn run(&self, server: &TestServer, more: &[&str]) -> (i32, String) {
        let args = [&self.args(), more].concat();
        let keys = self.keys();
        let running = server.run_with_its_settings(&args, &keys);
        tokio::time::timeout(PATIENCE, running)
            .await
            .expect("the command ends")
    }
}

#[tokio::test]
async fn an_installation_moves_up_although_the_move_is_killed_on_the_way() {
    if Engine::of_this_run() != Engine::Postgres {
        return;
    }
    let mut before = fill().await;
    let target = Target::make().await;
    // A node that runs is not moved away from under itself.
    let (code, said) = target.run(&before.server, &[]).await;
    assert_ne!(code, 0, "{said}");
    assert!(said.contains("another node"), "{said}");
    let admin = before.server.admin();
    let (there, rows) = (
        seen(&admin, &before.project).await,
        tables(&before.project).await,
    );
    before.server.stop().await;

    // What Postgres has no word for is named before anything is touched.
    let (code, said) = target.run(&before.server, &["--dry-run"]).await;
    assert_eq!(code, 1, "{said}");
    let check = format!("{}:check:things.", before.project.slug);
    let left: Vec<String> = said
        .lines()
        .filter(|line| line.starts_with(&check))
        .filter_map(|line| line.split('\'').nth(1).map(str::to_owned))
        .collect();
    assert_eq!(left.len(), 1, "{said}");
    assert_eq!(said.matches("--leave-out").count(), 1, "{said}");
    let (code, said) = target.run(&before.server, &[]).await;
    assert_ne!(code, 0, "{said}");
    assert!(said.contains("nothing was moved"), "{said}");
    let more = ["--leave-out", left[0].as_str()];
    let (code, said) = target
        .run(&before.server, &[&more[..], &["--dry-run"]].concat())
        .await;
    assert_eq!(code, 0, "{said}");

    // Killed among the platform's rows, and among the project's.
    for place in ["platform: user", ": files.", "objects: t/"] {
        let args = [&target.args()[..], &more].concat();
        let mut running = before.server.start_with_its_settings(&args, &target.keys());
        let _ = running.line_with(place).await;
        running.kill().await;
        let refused = target.setup.run(&["backup"], &[]).await;
        assert_ne!(refused.0, 0, "{}", refused.1);
        assert!(refused.1.contains("migrate-engine"), "{}", refused.1);
    }
    let said = target.setup.refused_to_serve().await;
    assert!(said.contains("not verified yet"), "{said}");
    let (code, said) = target.run(&before.server, &more).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("going on"), "{said}");
    assert!(said.contains("moved and verified"), "{said}");
    let (code, said) = target.run(&before.server, &more).await;
    assert_ne!(code, 0, "{said}");
    assert!(said.contains("moved to this database already"), "{said}");

    let server = target.setup.start().await;
    let admin = server.admin();
    let project = before.project.on(&server);
    assert_eq!(tables(&project).await, rows);
    let now = seen(&admin, &project).await;
    for part in ["users", "rows", "files", "plugins", "used"] {
        assert_eq!(now[part], there[part], "{part}");
    }
    everybody_gets_in(&before, &project).await;
    tables_go_on(&admin, &project).await;
    let found = until("the index of words", PATIENCE, || async {
        let page = project
            .get("/files/search?q=found")
            .await
            .expect(200)
            .json();
        (page["items"] != json!([])).then_some(page)
    })
    .await;
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");
    let job = project.get(&format!("/cron/jobs/{}", before.job)).await;
    let job = job.expect(200).json();
    assert_eq!(
        (
            &job["name"],
            &job["schedule"],
            &job["timezone"],
            &job["enabled"]
        ),
        (
            &json!("nightly"),
            &json!("0 3 * * *"),
            &json!("Africa/Nairobi"),
            &json!(false)
        ),
        "{job}"
    );
    assert_eq!(job["http"]["headers"], json!({"authorization": "[sealed]"}));
    let tagged = project.get(&format!("/files/{}", before.tagged)).await;
    assert_eq!(tagged.expect(200).json()["tags"], json!(["moved", "ünï"]));
    for payment in [&before.paid, &before.open] {
        let path = format!("/mpesa/transactions/{}", payment["id"].as_str().unwrap());
        let row = project.get(&path).await.expect(200).json();
        assert_eq!(of_payment(&row), of_payment(payment), "{row}");
    }
    assert!(before.paid["receipt_number"].is_string(), "{}", before.paid);
    let checked = crate::fsck::fsck(&server, &project, &[]).await;
    assert!(checked.findings.is_empty(), "{:?}", checked.findings);

    // The source was only read: it serves as before.
    before.server.start_again().await;
    assert_eq!(seen(&before.server.admin(), &before.project).await, there);
}

/// Old passwords, the second factor, and recovery codes; keys were used
/// already.
async fn everybody_gets_in(before: &Before, project: &Project) {
    let user = signed_in(project, &before.users[0].email).await;
    assert_eq!(user.id, before.users[0].id);
    let login = async |code: &str| {
        let body = json!({"email": before.users[1].email, "password": PASSWORD, "totp_code": code});
        project.auth("/login", body).await
    };
    let bare = project.sign_in(&before.users[1].email).await;
    assert_ne!(bare.status, 200);
    let _ = login(&totp_code(&before.totp, 1)).await.expect(200);
    let _ = login(&before.recovery).await.expect(200);
    // A session that was open goes on.
    let me = before.users[0].at(project).get("/v1/auth/me").await;
    assert_eq!(me.expect(200).json()["id"], before.users[0].id);
    // Policies hold: everybody sees their own.
    let own = user.get("/v1/db/notes").await.expect(200).json();
    let owners: Vec<&Value> = own["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["owner"])
        .collect();
    assert_eq!(owners, [&json!(user.id)]);
}

/// Numbers count on, defaults and checks hold, and parents take children.
async fn tables_go_on(admin: &Admin, project: &Project) {
    let made = project
        .post("/v1/db/things", json!({"rows": [{"price": "1"}]}))
        .await
        .expect_success()
        .json();
    let row = &made["rows"][0];
    assert_eq!(row["id"], 41, "{made}");
    assert_eq!(row["title"], "it's", "{made}");
    assert_eq!(row["data"], json!({"a": 1}), "{made}");
    assert_eq!(row["done"], false, "{made}");
    assert!(row["key"].is_string() && row["at"].is_string(), "{made}");
    let empty = json!({"rows": [{"title": ""}]});
    let refused = project.post("/v1/db/things", empty).await;
    assert!((400..500).contains(&refused.status), "{}", refused.text());
    let orphan = json!({"rows": [{"thing": 12345, "n": 1}]});
    let refused = project.post("/v1/db/parts", orphan).await;
    assert!((400..500).contains(&refused.status), "{}", refused.text());
    let path = format!("/admin/v1/projects/{}/sql", project.slug);
    let read = async |sql: &str| {
        let answer = admin.post(&path, json!({"sql": sql})).await;
        answer.expect(200).json()["rows"].clone()
    };
    let loose = read("SELECT n, \"a word\", twice FROM \"Loose ones\" ORDER BY n").await;
    assert_eq!(
        loose,
        json!([[1, "tab\there", 2], [7, "\\N back\\slash", 14]])
    );
    assert_eq!(read("SELECT count(*) FROM open_things").await, json!([[4]]));
    write(admin, project, "DELETE FROM things WHERE id = 40").await;
    assert_eq!(read("SELECT thing FROM parts").await, json!([[1]]));
    write(
        admin,
        project,
        "INSERT INTO \"Loose ones\" (\"a word\") VALUES ('y')",
    )
    .await;
    assert_eq!(
        read("SELECT max(n) FROM \"Loose ones\"").await,
        json!([[8]])
    );
}

#[tokio::test]
async fn what_is_damaged_on_the_way_is_found_and_mended_by_another_run() {
    if Engine::of_this_run() != Engine::Postgres {
        return;
    }
    let mut server = ServerBuilder::default().start_embedded().await;
    let World { project, .. } = world(&server.admin()).await;
    server.stop().await;
    let target = Target::make().await;
    let (code, said) = target.run(&server, &[]).await;
    assert_eq!(code, 0, "{said}");
    // As if it had been killed before the end, and somebody was at the target
    // meanwhile: at rows of a project, and at those of the platform.
    let database = format!("proj_{}", project.id.replace('-', ""));
    let (base, _) = target.database.rsplit_once('/').unwrap();
    for (url, sql) in [
        (
            format!("{base}/{database}"),
            "UPDATE public.notes SET title = title || '!'",
        ),
        (target.database.clone(), "UPDATE users SET updated_at = 1"),
        (
            target.database.clone(),
            "UPDATE engine_moves SET verified_at = NULL",
        ),
    ] {
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let done = connection.execute(sql).await.unwrap();
        assert!(done.rows_affected() > 0);
    }
    let (code, said) = target.run(&server, &[]).await;
    assert_ne!(code, 0, "{said}");
    for table in ["`public.notes`", "`users`"] {
        assert!(said.contains(table), "{said}");
    }
    let said = target.setup.refused_to_serve().await;
    assert!(said.contains("not verified yet"), "{said}");
    let (code, said) = target.run(&server, &[]).await;
    assert_eq!(code, 0, "{said}");
    // Another installation does not go there, too.
    let mut other = ServerBuilder::default().start_embedded().await;
    other.stop().await;
    let (code, said) = target.run(&other, &[]).await;
    assert_ne!(code, 0, "{said}");
    let running = target.setup.start().await;
    let notes = project.on(&running).get("/v1/db/notes").await;
    assert!(!notes.expect(200).text().contains('!'));
    let request = project.on(&running).request(Method::GET, "/files");
    let _ = Reply::to(request).await.expect(200);
}
