//! Values go in and come out; errors have stable codes.

use crate::{
    harness::{World, text},
    on_both_engines,
};
use SqlValue::{Blob, Boolean, Integer, Null, Real};
use atlashub_core::capability::sql::SqlValue;

on_both_engines!(
    values_come_back_as_they_went,
    parameters_are_bound_by_their_number,
    changed_rows_are_counted,
    a_returning_statement_answers_rows,
    failures_have_stable_codes,
    columns_are_named_also_without_rows,
    a_changed_table_shows_its_new_columns,
);

async fn values_come_back_as_they_went(world: World) {
    world
        .migrate(&[(
            "all",
            "CREATE TABLE kinds (i BIGINT, r DOUBLE PRECISION, t TEXT, b BLOBTYPE, f BOOLEAN)"
                .replace("BLOBTYPE", if world.is_sqlite() { "BLOB" } else { "bytea" })
                .as_str(),
        )])
        .await
        .unwrap();
    let long = "ü".repeat(100_000);
    for row in [
        vec![
            Integer(i64::MAX),
            Real(0.1),
            text("päth 'quoted' \u{1f600}"),
            Blob(vec![0, 255, 39]),
            Boolean(true),
        ],
        vec![
            Integer(i64::MIN),
            Real(-1e300),
            text(""),
            Blob(Vec::new()),
            Boolean(false),
        ],
        vec![Null, Null, Null, Null, Null],
        vec![
            Integer(0),
            Real(0.0),
            text(&long),
            Blob(vec![7; 1_000_000]),
            Null,
        ],
    ] {
        world
            .execute(
                "INSERT INTO files.kinds VALUES ($1, $2, $3, $4, $5)",
                row.clone(),
            )
            .await
            .unwrap();
        let found = world
            .query("SELECT i, r, t, b, f FROM kinds", Vec::new())
            .await
            .unwrap();
        let expected: Vec<SqlValue> = row
            .into_iter()
            .map(|value| match value {
                Boolean(value) if world.is_sqlite() => Integer(i64::from(value)),
                other => other,
            })
            .collect();
        assert_eq!(found.columns, ["i", "r", "t", "b", "f"]);
        assert_eq!(found.rows, [expected]);
        assert_eq!(
            world
                .execute("DELETE FROM kinds", Vec::new())
                .await
                .unwrap(),
            1
        );
    }
}

async fn parameters_are_bound_by_their_number(world: World) {
    let rows = world
        .query(
            "SELECT CAST($2 AS TEXT) AS a, CAST($1 AS TEXT) AS b, CAST($2 AS TEXT) AS c",
            vec![text("one"), text("two")],
        )
        .await
        .unwrap();
    assert_eq!(rows.rows, [[text("two"), text("one"), text("two")]]);
    for values in [Vec::new(), vec![text("a")], vec![text("a"); 3]] {
        let error = world
            .query("SELECT CAST($1 AS TEXT), CAST($2 AS TEXT)", values)
            .await
            .unwrap_err();
        assert_eq!(error.code(), "sql_syntax");
        assert!(error.message().contains("takes 2 parameters"), "{error}");
    }
}

async fn changed_rows_are_counted(world: World) {
    let world = world.with_items(5).await;
    let run = async |sql: &str| world.execute(sql, Vec::new()).await.unwrap();
    assert_eq!(
        run("UPDATE items SET name = name || '!' WHERE id > 2").await,
        3
    );
    assert_eq!(run("UPDATE items SET name = '' WHERE id > 9").await, 0);
    assert_eq!(run("SELECT * FROM items").await, 0);
    assert_eq!(run("CREATE TABLE other (id BIGINT)").await, 0);
    assert_eq!(run("INSERT INTO other SELECT id FROM items").await, 5);
    assert_eq!(run("DELETE FROM files.items").await, 5);
    assert_eq!(run("DROP TABLE other").await, 0);
}

async fn a_returning_statement_answers_rows(world: World) {
    let world = world.with_items(0).await;
    let sql = "INSERT INTO files.items (id, name) VALUES ($1, $2) RETURNING id, name";
    let rows = world
        .query(sql, vec![Integer(7), text("seven")])
        .await
        .unwrap();
    assert_eq!(rows.columns, ["id", "name"]);
    assert_eq!(rows.rows, [[Integer(7), text("seven")]]);
    assert_eq!(world.count().await, 1);
    let rows = world
        .query(
            "WITH kept AS (SELECT 8 AS id) INSERT INTO items (id) SELECT id FROM kept RETURNING id",
            Vec::new(),
        )
        .await
        .unwrap();
    assert_eq!(rows.rows, [[Integer(8)]]);
    assert_eq!(world.count().await, 2);
}

async fn failures_have_stable_codes(world: World) {
    let world = world.with_items(2).await;
    world
        .migrate(&[
            ("items", "CREATE TABLE items (id BIGINT PRIMARY KEY, name TEXT UNIQUE)"),
            (
                "parts",
                "CREATE TABLE parts (item BIGINT NOT NULL REFERENCES items (id), size BIGINT CHECK (size > 0))",
            ),
        ])
        .await
        .unwrap();
    for (sql, code) in [
        (
            "INSERT INTO items VALUES (1, 'new')",
            "sql_constraint_unique",
        ),
        (
            "INSERT INTO items VALUES (3, 'item 1')",
            "sql_constraint_unique",
        ),
        ("INSERT INTO parts VALUES (99, 1)", "sql_constraint"),
        ("INSERT INTO parts VALUES (1, 0)", "sql_constraint"),
        ("INSERT INTO parts VALUES (NULL, 1)", "sql_constraint"),
        ("SELEC 1", "sql_syntax"),
        ("SELECT * FROM nowhere", "sql_syntax"),
        ("SELECT nothing FROM items", "sql_syntax"),
        ("SELECT \"nothing\" FROM items", "sql_syntax"),
        ("", "sql_syntax"),
        ("-- only a comment", "sql_syntax"),
        ("SELECT '\0'", "sql_syntax"),
    ] {
        let error = world.refused(sql).await;
        assert_eq!(error.code(), code, "{sql}: {error:?}");
    }
    assert_eq!(world.count().await, 2);
}

async fn columns_are_named_also_without_rows(world: World) {
    let world = world.with_items(0).await;
    let rows = world
        .query("SELECT id, name AS label FROM items", Vec::new())
        .await
        .unwrap();
    assert_eq!(rows.columns, ["id", "label"]);
    assert!(rows.rows.is_empty());
}

async fn a_changed_table_shows_its_new_columns(world: World) {
    let world = world.with_items(1).await;
    let all = "SELECT * FROM files.items";
    for _ in 0..2 {
        assert_eq!(world.query(all, Vec::new()).await.unwrap().columns.len(), 2);
    }
    world
        .execute(
            "ALTER TABLE files.items ADD COLUMN size BIGINT DEFAULT 3",
            Vec::new(),
        )
        .await
        .unwrap();
    for _ in 0..2 {
        let rows = world.query(all, Vec::new()).await.unwrap();
        assert_eq!(rows.columns, ["id", "name", "size"]);
        assert_eq!(rows.rows, [[Integer(1), text("item 1"), Integer(3)]]);
    }
}

#[tokio::test]
async fn postgres_parameters_take_the_type_of_the_statement() {
    let Some(world) = World::postgres().await else {
        return;
    };
    world
        .migrate(&[(
            "types",
            "CREATE TYPE mood AS ENUM ('calm', 'wild'); CREATE DOMAIN short AS varchar(8);\
             CREATE TABLE types (a smallint, b integer, c real, d numeric(20, 4), e varchar(9), f uuid, \
             g timestamptz, h timestamp, i date, j time, k json, l jsonb, m mood, n short, o char(3))",
        )])
        .await
        .unwrap();
    let given = vec![
        Integer(-3),
        Integer(70_000),
        Real(1.5),
        text("-12345678.9000"),
        text("abc"),
        text("0190a1b2-0000-7000-8000-00000000000a"),
        text("2024-02-29T12:30:00.25+02:00"),
        text("2024-02-29 12:30:00"),
        text("2024-02-29"),
        text("12:30:00.5"),
        text("{\"b\": 1,  \"a\": [2]}"),
        text("{\"b\": 1, \"a\": [2]}"),
        text("wild"),
        text("domain"),
        text("xyz"),
    ];
    let sql = "INSERT INTO types VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) RETURNING *";
    let rows = world.query(sql, given.clone()).await.unwrap();
    let mut expected = given;
    expected[6] = text("2024-02-29T10:30:00.25Z");
    expected[7] = text("2024-02-29T12:30:00Z");
    expected[11] = text("{\"a\": [2], \"b\": 1}");
    assert_eq!(rows.rows, [expected]);
    let nulls = world.query(sql, vec![Null; 15]).await.unwrap();
    assert_eq!(nulls.rows, [vec![Null; 15]]);
    for (sql, value) in [
        ("SELECT $1::smallint", Integer(40_000)),
        ("SELECT $1::bigint", text("7")),
        ("SELECT $1::uuid", text("nothing")),
        ("SELECT $1::timestamptz", text("yesterday")),
        ("SELECT $1::int[]", text("{1}")),
        ("SELECT $1::bytea", text("a")),
        ("SELECT $1::jsonb", text("{")),
    ] {
        let error = world.query(sql, vec![value]).await.unwrap_err();
        assert_eq!(error.code(), "sql_failed", "{sql}: {error:?}");
    }
    let error = world
        .query("SELECT ARRAY[1, 2] AS numbers", Vec::new())
        .await
        .unwrap_err();
    assert!(error.message().contains("column `numbers`"), "{error}");
    let cast = world.value("SELECT CAST(ARRAY[1, 2] AS text)").await;
    assert_eq!(cast, text("{1,2}"));
}
