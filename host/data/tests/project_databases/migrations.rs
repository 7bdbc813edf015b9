//! A plugin's migrations run once, whole, and as they were.

use crate::{
    harness::{World, text},
    on_both_engines,
};
use atlashub_core::{capability::sql::SqlValue, manifest::Migration};

on_both_engines!(
    each_runs_once,
    a_changed_text_is_refused,
    a_failing_one_changes_nothing,
    it_reaches_nothing_else,
    the_text_of_the_engine_is_taken,
);

const FIRST: &str = "-- the tables; all of them\n\
    CREATE TABLE files.objects (id TEXT PRIMARY KEY, name TEXT NOT NULL DEFAULT 'a;b');\n\
    CREATE INDEX objects_by_name ON objects (name);\n\
    INSERT INTO objects (id) VALUES ('first');; /* end; */";

async fn each_runs_once(world: World) {
    let first = [("001", FIRST)];
    assert_eq!(world.migrate(&first).await.unwrap(), ["001"]);
    assert!(world.migrate(&first).await.unwrap().is_empty());
    let both = [
        ("001", FIRST),
        ("002", "ALTER TABLE objects ADD COLUMN size BIGINT"),
    ];
    assert_eq!(world.migrate(&both).await.unwrap(), ["002"]);
    // An older revision that knows less goes on with what is there.
    assert!(world.migrate(&first).await.unwrap().is_empty());
    let rows = world
        .query("SELECT * FROM files.objects", Vec::new())
        .await
        .unwrap();
    assert_eq!(rows.rows, [[text("first"), text("a;b"), SqlValue::Null]]);
    let records = world
        .query("SELECT name FROM _migrations ORDER BY name", Vec::new())
        .await
        .unwrap();
    assert_eq!(records.rows, [[text("001")], [text("002")]]);
}

async fn a_changed_text_is_refused(world: World) {
    world.migrate(&[("001", FIRST)]).await.unwrap();
    let error = world
        .migrate(&[
            ("001", "CREATE TABLE other (id BIGINT)"),
            ("002", "CREATE TABLE more (id BIGINT)"),
        ])
        .await
        .unwrap_err();
    assert_eq!(error.code(), "migration_changed");
    assert!(error.message().contains("`001`"), "{error}");
    assert!(world.query("SELECT * FROM more", Vec::new()).await.is_err());
}

async fn a_failing_one_changes_nothing(world: World) {
    let steps = [
        ("001", FIRST),
        (
            "002",
            "CREATE TABLE more (id BIGINT); INSERT INTO more VALUES (1); INSERT INTO nowhere VALUES (1)",
        ),
        ("003", "CREATE TABLE never (id BIGINT)"),
    ];
    let error = world.migrate(&steps).await.unwrap_err();
    assert_eq!(error.code(), "migration_failed");
    assert!(error.message().contains("`002`, statement 3"), "{error}");
    assert!(error.message().contains("INSERT INTO nowhere"), "{error}");
    assert_eq!(error.fields()["statement"], 3);
    for table in ["more", "never"] {
        assert!(
            world
                .query(&format!("SELECT * FROM {table}"), Vec::new())
                .await
                .is_err()
        );
    }
    assert_eq!(
        world.value("SELECT count(*) FROM objects").await,
        SqlValue::Integer(1)
    );
    let mended = [("001", FIRST), ("002", "CREATE TABLE more (id BIGINT)")];
    assert_eq!(world.migrate(&mended).await.unwrap(), ["002"]);
}

async fn it_reaches_nothing_else(world: World) {
    for sql in [
        "CREATE TABLE a (id BIGINT); COMMIT; CREATE TABLE b (id BIGINT)",
        "CREATE TABLE public.a (id BIGINT)",
        "ATTACH ':memory:' AS other",
        "SET ROLE postgres",
    ] {
        let error = world.migrate(&[("bad", sql)]).await.unwrap_err();
        assert_eq!(error.code(), "migration_failed", "{sql}");
        assert!(world.query("SELECT * FROM a", Vec::new()).await.is_err());
    }
}

async fn the_text_of_the_engine_is_taken(world: World) {
    let migration = Migration {
        name: "001".to_owned(),
        sql: Some("CREATE TABLE neither (id BIGINT)".to_owned()),
        sqlite: Some("CREATE TABLE engine AS SELECT 'sqlite' AS name".to_owned()),
        postgres: Some("CREATE TABLE engine AS SELECT 'postgres' AS name".to_owned()),
    };
    world
        .databases
        .migrate_plugin(&world.scope, &[migration])
        .await
        .unwrap();
    let expected = if world.is_sqlite() {
        "sqlite"
    } else {
        "postgres"
    };
    assert_eq!(
        world.value("SELECT name FROM files.engine").await,
        text(expected)
    );
}
