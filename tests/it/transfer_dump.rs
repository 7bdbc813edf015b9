//! Dumps of the plugin `transfer`, taken by databases that know nothing of
//! AtlasHub.

use crate::transfer::{done, hard_rows, insert, project, text_of};
use atlashub_tests::{Engine, Project, shared, unique};
use serde_json::json;
use sqlx::{Connection as _, PgConnection, Row as _, SqliteConnection};

/// A database without AtlasHub.
enum Elsewhere {
    Sqlite(SqliteConnection),
    Postgres(PgConnection, String),
}

fn postgres_url() -> String {
    std::env::var("ATLASHUB_TEST_POSTGRES_URL")
        .expect("ATLASHUB_TEST_POSTGRES_URL is not set: `cargo xtask test` sets it")
}

/// A statement as it stands, on the server that tests have.
async fn outside(sql: String) {
    let mut own = PgConnection::connect(&postgres_url())
        .await
        .expect("Postgres");
    let run = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut own);
    let _ = run.await.expect("a statement of the test's own");
    own.close().await.expect("an end");
}

impl Elsewhere {
    async fn open() -> Self {
        match Engine::of_this_run() {
            Engine::Sqlite => {
                let own = SqliteConnection::connect("sqlite::memory:").await;
                Self::Sqlite(own.expect("SQLite"))
            }
            Engine::Postgres => {
                let name = unique("dump").replace('-', "_");
                outside(format!("CREATE DATABASE {name}")).await;
                let url = postgres_url();
                let (server, _) = url.rsplit_once('/').expect("a URL that names a database");
                let own = PgConnection::connect(&format!("{server}/{name}")).await;
                Self::Postgres(own.expect("Postgres"), name)
            }
        }
    }

    async fn run(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(own) => sqlx::raw_sql(sql).execute(own).await.map(drop),
            Self::Postgres(own, _) => sqlx::raw_sql(sql).execute(own).await.map(drop),
        }
    }

    /// The one value that a question has, a text.
    async fn text(&mut self, sql: &str) -> String {
        let asked = sqlx::AssertSqlSafe(sql.to_owned());
        let found = match self {
            Self::Sqlite(own) => {
                let row = sqlx::raw_sql(asked).fetch_one(own).await;
                row.and_then(|row| row.try_get(0))
            }
            Self::Postgres(own, _) => {
                let row = sqlx::raw_sql(asked).fetch_one(own).await;
                row.and_then(|row| row.try_get(0))
            }
        };
        found.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    async fn close(self) {
        match self {
            Self::Sqlite(own) => own.close().await.expect("an end"),
            Self::Postgres(own, name) => {
                own.close().await.expect("an end");
                outside(format!("DROP DATABASE {name} WITH (FORCE)")).await;
            }
        }
    }
}

/// What a dump has to bring along beside rows: children that go with their
/// parent, a condition, indexes of either kind, a calculated column, and a view
/// that comes by its name before the one that it reads.
async fn with_everything(project: &Project) {
    let admin = shared().await.admin();
    let counted = json!({"name": "counted", "columns": [
        {"name": "id", "type": "bigint", "primary_key": true, "default": {"function": "autoincrement"}},
        {"name": "thing", "type": "bigint", "references":
            {"table": "things", "column": "id", "on_delete": "cascade"}},
    ], "checks": [{"name": "near", "expression": "thing < 1000"}],
        "indexes": [{"name": "by_thing", "columns": ["thing"], "unique": true}]});
    let path = format!("/admin/v1/projects/{}", project.slug);
    let _ = admin
        .post(&format!("{path}/tables"), counted)
        .await
        .expect(201);
    let twice = match Engine::of_this_run() {
        Engine::Sqlite => {
            "ALTER TABLE counted ADD COLUMN twice INTEGER GENERATED ALWAYS AS (thing * 2) VIRTUAL"
        }
        Engine::Postgres => {
            "ALTER TABLE counted ADD COLUMN twice bigint GENERATED ALWAYS AS (thing * 2) STORED"
        }
    };
    for sql in [
        twice,
        "CREATE UNIQUE INDEX one_far ON loose (word) WHERE n > 10",
        "CREATE VIEW words AS SELECT n, word FROM loose",
        "CREATE VIEW far_words AS SELECT word FROM words WHERE n > 10",
    ] {
        let body = json!({"sql": sql, "mode": "write"});
        let _ = admin.post(&format!("{path}/sql"), body).await.expect(200);
    }
    insert(project, "counted", json!([{"thing": 1}, {"thing": -7}])).await;
    insert(project, "loose", json!([{"n": 11, "word": "far"}])).await;
}

#[tokio::test]
async fn a_dump_brings_all_that_tables_have() {
    let project = project().await;
    insert(&project, "things", hard_rows()).await;
    with_everything(&project).await;
    let body = json!({"what": "database", "format": "sql"});
    let job = project.post("/transfer/export", body).await.expect(202);
    let dump = text_of(&done(&project, &job.json()).await).await;

    let mut there = Elsewhere::open().await;
    there.run(&dump).await.expect("the dump");
    if let Engine::Sqlite = Engine::of_this_run() {
        there.run("PRAGMA foreign_keys = ON").await.expect("keys");
    }
    let count = "SELECT CAST(count(*) AS text) FROM things";
    assert_eq!(there.text(count).await, "7");
    let title = "SELECT title FROM things WHERE id = 4";
    assert_eq!(there.text(title).await, hard_rows()[3]["title"]);
    // It counts on.
    let row = there.run("INSERT INTO counted (thing) VALUES (2)").await;
    row.expect("a row");
    let twice = "SELECT CAST(sum(twice) AS text) || ' of ' || CAST(max(id) AS text) FROM counted";
    assert_eq!(there.text(twice).await, "-8 of 3");
    assert_eq!(there.text("SELECT word FROM far_words").await, "far");
    for refused in [
        "INSERT INTO counted (thing) VALUES (1000)",
        "INSERT INTO counted (thing) VALUES (2)",
        "INSERT INTO counted (thing) VALUES (999)",
        "INSERT INTO loose (n, word) VALUES (12, 'far')",
    ] {
        assert!(there.run(refused).await.is_err(), "{refused}");
    }
    let near = "INSERT INTO loose (n, word) VALUES (9, 'far')";
    there
        .run(near)
        .await
        .expect("a row of no concern to the index");
    let gone = there.run("DELETE FROM things WHERE id = 1").await;
    gone.expect("a parent to go");
    let left = "SELECT CAST(count(*) AS text) FROM counted";
    assert_eq!(there.text(left).await, "2");
    there.close().await;
}
