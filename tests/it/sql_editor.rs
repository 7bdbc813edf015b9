//! The SQL editor: what it answers, what it notes, what stops it, and a pack
//! of hostile texts against it.

use crate::hostile::Victim;
use atlashub_tests::{Admin, Engine, Project, Reply, TestServer, shared};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn path(project: &Project, rest: &str) -> String {
    format!("/admin/v1/projects/{}/sql{rest}", project.slug)
}

async fn run(admin: &Admin, project: &Project, body: Value) -> Reply {
    admin.post(&path(project, ""), body).await
}

async fn read(admin: &Admin, project: &Project, sql: &str) -> Value {
    run(admin, project, json!({"sql": sql}))
        .await
        .expect(200)
        .json()
}

pub(crate) async fn write(admin: &Admin, project: &Project, sql: &str) -> Value {
    let body = json!({"sql": sql, "mode": "write"});
    run(admin, project, body).await.expect(200).json()
}

/// A project with a table `own` of three rows.
async fn with_rows(admin: &Admin) -> Project {
    let project = admin.project().await;
    make_rows(admin, &project).await;
    project
}

async fn make_rows(admin: &Admin, project: &Project) {
    let table = json!({"name": "own", "columns": [
        {"name": "id", "type": "bigint", "primary_key": true, "default": {"function": "autoincrement"}},
        {"name": "name", "type": "text"},
    ]});
    let tables = format!("/admin/v1/projects/{}/tables", project.slug);
    let _ = admin.post(&tables, table).await.expect(201);
    write(
        admin,
        project,
        "INSERT INTO own (name) VALUES ('a'), ('b'), ('c')",
    )
    .await;
}

async fn names(admin: &Admin, project: &Project) -> Value {
    read(admin, project, "SELECT id, name FROM own ORDER BY id").await["rows"].clone()
}

/// What runs long, and would change rows at its end.
fn endless() -> &'static str {
    match Engine::of_this_run() {
        Engine::Sqlite => {
            "INSERT INTO own (name) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
             SELECT max(i) FROM n"
        }
        Engine::Postgres => "INSERT INTO own (name) SELECT pg_sleep(1000)::text",
    }
}

#[tokio::test]
async fn a_refusal_says_what_to_change() {
    let admin = shared().await.admin();
    let project = with_rows(&admin).await;
    for (sql, hint) in [
        ("SELEC 1", "did you mean `SELECT` instead of `SELEC`?"),
        ("SELECT id FRM own WHERE id = 1", "`own` stands where"),
        ("SELECT name FROM own WHERE", "it ends where"),
        ("SELECT 1; SELECT 2", "one statement is run at a time"),
    ] {
        let reply = run(&admin, &project, json!({ "sql": sql })).await;
        assert_eq!(reply.expect_problem(422), "sql_syntax");
        let said = reply.json()["hint"].clone();
        let said = said.as_str().unwrap_or_default();
        assert!(said.contains(hint), "{sql}: {}", reply.text());
    }
}

#[tokio::test]
async fn a_value_that_is_too_large_is_cut_before_it_is_in_memory() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let project = admin.project().await;
    // More than half a gigabyte in one value, of either engine.
    let large = match Engine::of_this_run() {
        Engine::Sqlite => {
            "SELECT 1 AS id, 'small' AS t UNION ALL SELECT 2, hex(zeroblob(300000000))"
        }
        Engine::Postgres => {
            "SELECT 1 AS id, 'small' AS t UNION ALL SELECT 2, repeat('x', 600000000)"
        }
    };
    let before = server.own_bytes();
    for mode in ["read", "write"] {
        let body = json!({"sql": large, "mode": mode, "timeout_ms": 60_000});
        let answer = run(&admin, &project, body).await;
        if Engine::of_this_run() == Engine::Sqlite && answer.status != 200 {
            // It does not take a value of that size at all.
            assert_eq!(answer.expect_problem(413), "sql_failed");
            continue;
        }
        let answer = answer.expect(200).json();
        assert_eq!(answer["rows"], json!([[1, "small"]]), "{answer}");
        assert_eq!(answer["truncated"], true);
    }
    let grown = server.own_bytes().saturating_sub(before);
    assert!(grown < 200 * 1024 * 1024, "{grown} bytes more");
}

#[tokio::test]
async fn what_a_with_returns_that_writes_is_bounded_like_any_other() {
    if Engine::of_this_run() == Engine::Sqlite {
        // There nothing within `WITH` writes, and no row is that large.
        return;
    }
    let server = TestServer::start().await;
    let admin = server.admin();
    let project = admin.project().await;
    let _ = write(&admin, &project, "CREATE TABLE q (id INT, t TEXT)").await;
    let run = async |sql: &str| {
        let body = json!({"sql": sql, "mode": "write", "timeout_ms": 60_000});
        run(&admin, &project, body).await
    };
    let rows = "INSERT INTO q VALUES (1, 'small'), (2, repeat('x', 400000000))";
    let _ = run(rows).await.expect(200);
    let before = server.own_bytes();
    for sql in [
        "WITH a AS (UPDATE q SET id = id RETURNING *) \
         SELECT id, t FROM a ORDER BY id -- it ends so",
        "WITH RECURSIVE a AS (SELECT 1 AS id) \
         UPDATE q SET t = q.t FROM a WHERE q.id >= a.id RETURNING q.id, q.t;",
        "WITH a AS (SELECT 0 AS id) DELETE FROM q USING a WHERE q.id > a.id RETURNING q.id, q.t",
    ] {
        let answer = run(sql).await.expect(200).json();
        assert_eq!(answer["rows"], json!([[1, "small"]]), "{sql}: {answer}");
        assert_eq!(answer["truncated"], true, "{sql}");
        assert_eq!(answer["columns"], json!(["id", "t"]), "{sql}");
    }
    let left = read(&admin, &project, "SELECT count(*) AS n FROM q").await;
    assert_eq!(left["rows"], json!([[0]]), "all of it was done");
    let hidden = "(WITH a AS (INSERT INTO q VALUES (1, 'x') RETURNING t) SELECT t FROM a)";
    let refused = run(hidden).await;
    assert_eq!(refused.expect_problem(413), "sql_too_many_rows");
    let left = read(&admin, &project, "SELECT count(*) AS n FROM q").await;
    assert_eq!(left["rows"], json!([[0]]), "nothing of it was done");
    let grown = server.own_bytes().saturating_sub(before);
    assert!(grown < 200 * 1024 * 1024, "{grown} bytes more");
}

#[tokio::test]
async fn what_grows_without_end_is_stopped_before_it_is_in_memory() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let project = admin.project().await;
    // Rows of a thousand bytes, without end: sorted, kept, gathered.
    let rows = match Engine::of_this_run() {
        Engine::Sqlite => {
            "WITH RECURSIVE n(i, t) AS (SELECT 1, hex(randomblob(500)) \
             UNION ALL SELECT i + 1, hex(randomblob(500)) FROM n)"
        }
        Engine::Postgres => {
            "WITH RECURSIVE n(i, t) AS (SELECT 1, repeat(md5('1'), 32) \
             UNION ALL SELECT i + 1, repeat(md5(i::text), 32) FROM n)"
        }
    };
    let before = server.own_bytes();
    let mut most = 0;
    for rest in [
        "SELECT i FROM n ORDER BY t",
        "SELECT count(*) FROM n AS a, n AS b WHERE a.t = b.t",
        "SELECT count(DISTINCT t) FROM n",
    ] {
        for mode in ["read", "write"] {
            let sql = format!("{rows} {rest}");
            let body = json!({"sql": sql, "mode": mode, "timeout_ms": 60_000});
            let answer = run(&admin, &project, body).await;
            assert!(
                matches!(answer.status, 413 | 422 | 504),
                "{rest}: {} {}",
                answer.status,
                answer.text()
            );
            most = most.max(server.own_bytes());
        }
    }
    // What a statement gave back may stay with the allocator of its thread; what
    // is not stopped takes all there is.
    let grown = most.saturating_sub(before);
    assert!(grown < 6 * 300 * 1024 * 1024, "{grown} bytes more");
    // And others go on.
    let body = json!({"sql": "SELECT 1 AS one"});
    let answer = run(&admin, &project, body).await.expect(200).json();
    assert_eq!(answer["rows"], json!([[1]]));
}

#[tokio::test]
async fn a_statement_answers_columns_rows_and_what_it_took() {
    let admin = shared().await.admin();
    let project = with_rows(&admin).await;
    let body = json!({"sql": "SELECT name, id FROM own WHERE id > $1 ORDER BY id", "params": [1]});
    let answer = run(&admin, &project, body).await.expect(200).json();
    assert_eq!(answer["columns"], json!(["name", "id"]));
    assert_eq!(answer["rows"], json!([["b", 2], ["c", 3]]));
    assert_eq!(
        (&answer["row_count"], &answer["truncated"]),
        (&json!(2), &json!(false))
    );
    assert!(answer["duration_ms"].as_f64().unwrap() > 0.0);
    let few = json!({"sql": "SELECT id FROM own ORDER BY id", "max_rows": 2});
    let few = run(&admin, &project, few).await.expect(200).json();
    assert_eq!(
        (&few["rows"], &few["truncated"]),
        (&json!([[1], [2]]), &json!(true))
    );
    let changed = write(&admin, &project, "UPDATE own SET name = 'x' WHERE id < 3").await;
    assert_eq!(
        (&changed["row_count"], &changed["migration"]),
        (&json!(2), &json!(null))
    );
    let plan = json!({"sql": "DELETE FROM own WHERE id = 1", "explain": true});
    let plan = run(&admin, &project, plan).await.expect(200).json();
    assert!(!plan["rows"].as_array().unwrap().is_empty(), "{plan}");
    assert_eq!(names(&admin, &project).await.as_array().unwrap().len(), 3);
    for (body, code) in [
        (json!({"sql": "SELEC 1"}), "sql_syntax"),
        (json!({"sql": ""}), "sql_syntax"),
        (json!({"sql": "SELECT 1; SELECT 2"}), "sql_syntax"),
        (json!({"sql": "SELECT $1"}), "sql_syntax"),
        (
            json!({"sql": "SELECT 1", "explain": true, "mode": "write"}),
            "invalid_statement",
        ),
    ] {
        let reply = run(&admin, &project, body.clone()).await;
        assert_eq!(reply.expect_problem(422), code, "{body}");
    }
}

#[tokio::test]
async fn a_statement_that_changes_tables_is_a_migration() {
    let admin = shared().await.admin();
    let project = admin.project().await;
    let made = write(
        &admin,
        &project,
        "CREATE TABLE things (id integer PRIMARY KEY, name text);",
    )
    .await;
    assert_eq!(made["migration"], 1, "{made}");
    let kept = write(&admin, &project, "INSERT INTO things VALUES (1, 'x')").await;
    assert_eq!(kept["migration"], json!(null));
    let refused = run(
        &admin,
        &project,
        json!({"sql": "CREATE TABLE things (id integer)", "mode": "write"}),
    )
    .await;
    assert_eq!(refused.status, 422, "{}", refused.text());
    let list = admin
        .get(&format!("/admin/v1/projects/{}/migrations", project.slug))
        .await
        .expect(200)
        .json();
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{list}");
    assert_eq!(
        items[0]["sql"],
        "CREATE TABLE things (id integer PRIMARY KEY, name text);\n"
    );
    let table = admin
        .get(&format!(
            "/admin/v1/projects/{}/tables/things",
            project.slug
        ))
        .await
        .expect(200)
        .json();
    assert_eq!(table["row_estimate"], 1);
}

#[tokio::test]
async fn a_statement_is_stopped_by_its_time_and_from_outside() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let project = with_rows(&admin).await;
    let before = names(&admin, &project).await;
    let start = Instant::now();
    let body = json!({"sql": endless(), "mode": "write", "timeout_ms": 200});
    assert_eq!(
        run(&admin, &project, body).await.expect_problem(504),
        "sql_timeout"
    );
    assert!(
        start.elapsed() < Duration::from_secs(8),
        "{:?}",
        start.elapsed()
    );
    let id = "0190a8a0-0000-7000-8000-000000000007";
    let body = json!({"sql": endless(), "mode": "write", "timeout_ms": 60_000, "id": id});
    let other = match Engine::of_this_run().serves_many_nodes() {
        true => Some(server.second_node().await),
        false => None,
    };
    let stopper = other.as_ref().map_or(&server, |node| node).admin();
    let cancel = path(&project, &format!("/{id}/cancel"));
    let mut running = std::pin::pin!(run(&admin, &project, body));
    let stopped = loop {
        tokio::select! {
            reply = &mut running => break reply,
            // Before it runs there is nothing to stop: asked again.
            () = tokio::time::sleep(Duration::from_millis(50)) => {
                let _ = stopper.post(&cancel, json!({})).await.expect(202);
            }
        }
    };
    assert_eq!(stopped.expect_problem(409), "sql_cancelled");
    assert!(
        start.elapsed() < Duration::from_secs(40),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(names(&admin, &project).await, before);
    // The writer's place is free again.
    write(&admin, &project, "INSERT INTO own (name) VALUES ('d')").await;
    let history = admin
        .get(&path(&project, "/history?limit=20"))
        .await
        .expect(200)
        .json();
    let outcomes: Vec<&str> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["outcome"].as_str().unwrap())
        .collect();
    for outcome in ["ok", "sql_timeout", "sql_cancelled"] {
        assert!(outcomes.contains(&outcome), "{outcomes:?}");
    }
}

#[tokio::test]
async fn what_was_run_is_noted_in_the_history_and_the_audit() {
    let admin = shared().await.admin();
    let project = with_rows(&admin).await;
    read(&admin, &project, "SELECT 1 AS one").await;
    run(&admin, &project, json!({"sql": "nonsense"}))
        .await
        .expect_problem(422);
    let page = admin
        .get(&path(&project, "/history?limit=2"))
        .await
        .expect(200)
        .json();
    let items = page["items"].as_array().unwrap();
    assert_eq!(
        (&items[0]["sql"], &items[0]["outcome"]),
        (&json!("nonsense"), &json!("sql_syntax"))
    );
    assert_eq!(
        (&items[1]["sql"], &items[1]["row_count"]),
        (&json!("SELECT 1 AS one"), &json!(1))
    );
    let next = format!(
        "/history?limit=2&cursor={}",
        page["next_cursor"].as_str().unwrap()
    );
    let rest = admin.get(&path(&project, &next)).await.expect(200).json();
    assert_eq!(rest["items"][0]["mode"], "write");
    let audit = admin
        .get(&format!(
            "/admin/v1/audit?project={}&action=sql.run",
            project.slug
        ))
        .await
        .expect(200)
        .json();
    assert_eq!(audit["items"][0]["details"]["sql"], "nonsense");
}

#[tokio::test]
async fn statements_are_kept_changed_and_forgotten() {
    let admin = shared().await.admin();
    let project = admin.project().await;
    let saved = path(&project, "/saved");
    let query = json!({"name": "all", "sql": "SELECT 1"});
    let made = admin.post(&saved, query.clone()).await.expect(201).json();
    assert_eq!(
        admin.post(&saved, query).await.expect_problem(409),
        "query_exists"
    );
    let nameless = json!({"name": " ", "sql": "SELECT 1"});
    assert_eq!(
        admin.post(&saved, nameless).await.expect_problem(422),
        "invalid_query"
    );
    let one = format!("{saved}/{}", made["id"].as_str().unwrap());
    let _ = admin
        .put(&one, json!({"name": "two", "sql": "SELECT 2"}))
        .await
        .expect(204);
    let list = admin.get(&saved).await.expect(200).json();
    assert_eq!(
        (&list["items"][0]["name"], &list["items"][0]["sql"]),
        (&json!("two"), &json!("SELECT 2"))
    );
    let elsewhere = admin.project().await;
    let foreign = one.replace(&project.slug, &elsewhere.slug);
    admin.delete(&foreign).await.expect_problem(404);
    let _ = admin.delete(&one).await.expect(204);
    admin.delete(&one).await.expect_problem(404);
}

/// What no answer may tell: a plugin's row.
const CANARY: &str = "canary-of-a-plugin";

struct Attacked {
    admin: Admin,
    victim: Victim,
    own: Project,
}

impl Attacked {
    async fn make() -> Self {
        let admin = shared().await.admin();
        let victim = Victim::make(shared().await).await;
        let own = admin.project_with(&["files"]).await;
        let _ = own.upload(CANARY, "content").await.expect_success();
        make_rows(&admin, &own).await;
        Self { admin, victim, own }
    }

    /// Runs a text; it is answered in order and in time, and tells nothing.
    async fn attack(&self, sql: &str, mode: &str) {
        let start = Instant::now();
        let body = json!({"sql": sql, "mode": mode, "timeout_ms": 200, "max_rows": 50});
        let reply = run(&self.admin, &self.own, body).await;
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{sql}: {:?}",
            start.elapsed()
        );
        let known = [200, 403, 409, 413, 422, 503, 504];
        assert!(
            known.contains(&reply.status),
            "{sql}: {} {}",
            reply.status,
            reply.text()
        );
        self.victim.expect_untold(sql, &reply);
        let text = reply.text();
        assert!(!text.contains(CANARY), "{sql}: {text}");
        assert!(!text.contains("root:x:0:0"), "{sql}: {text}");
    }

    /// The other project, the plugin and the host are as they were.
    async fn unharmed(&self) {
        self.victim.expect_unharmed().await;
        let files = self.own.get("/files").await.expect(200).text();
        assert!(files.contains(CANARY), "{files}");
        for left in ["/tmp/atlashub-hostile", "/tmp/atlashub-hostile.db"] {
            assert!(!std::path::Path::new(left).exists(), "{left} was made");
        }
        let neighbour = self.admin.project().await;
        read(&self.admin, &neighbour, "SELECT 1").await;
    }

    async fn rows(&self) -> Value {
        let rows = format!("/admin/v1/projects/{}/tables/own/rows", self.own.slug);
        self.admin.get(&rows).await.expect(200).json()
    }

    async fn tables(&self) -> Value {
        let list = format!("/admin/v1/projects/{}/tables", self.own.slug);
        self.admin.get(&list).await.expect(200).json()
    }
}

#[tokio::test]
async fn hostile_texts_write_nothing_where_only_reading_is_allowed() {
    let attacked = Attacked::make().await;
    let (tables, rows) = (attacked.tables().await, attacked.rows().await);
    let mut count = 0;
    for sql in &attacked.victim.texts() {
        attacked.attack(sql, "read").await;
        assert_eq!(attacked.rows().await, rows, "{sql}");
        assert_eq!(attacked.tables().await, tables, "{sql}");
        count += 1;
    }
    assert!(count >= 270, "only {count} texts were run");
    attacked.unharmed().await;
}

#[tokio::test]
async fn hostile_texts_that_may_write_stay_in_their_project() {
    let attacked = Attacked::make().await;
    for sql in &attacked.victim.texts() {
        attacked.attack(sql, "write").await;
        // A second statement never ran.
        let tables = attacked.tables().await;
        let second = tables["items"].as_array().unwrap().iter().find(|table| {
            let name = table["name"].as_str().unwrap();
            name.starts_with("second_") && name.len() == "second_a".len()
        });
        let several = sql.contains(';') && !sql.starts_with("CREATE TRIGGER");
        assert!(second.is_none() || !several, "{sql}: {second:?}");
        if !tables.to_string().contains("\"name\":\"own\"") {
            make_rows(&attacked.admin, &attacked.own).await;
        }
    }
    // Whatever became of its tables, the project can go on.
    let after = json!({"sql": "SELECT 1", "mode": "read"});
    let _ = run(&attacked.admin, &attacked.own, after).await.expect(200);
    write(
        &attacked.admin,
        &attacked.own,
        "CREATE TABLE afterwards (id integer)",
    )
    .await;
    write(
        &attacked.admin,
        &attacked.own,
        "INSERT INTO afterwards VALUES (1)",
    )
    .await;
    attacked.unharmed().await;
}
