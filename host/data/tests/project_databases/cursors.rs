//! Results that are read page by page.

use crate::{harness::World, on_both_engines};
use atlashub_core::capability::sql::{MAX_RESULT_BYTES, Sql as _, SqlValue};

on_both_engines!(
    a_large_result_comes_in_bounded_pages,
    large_rows_make_small_pages,
    a_cursor_cannot_write,
    cursors_that_are_dropped_leave_their_connections,
);

const NUMBERS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT i FROM n";

async fn a_large_result_comes_in_bounded_pages(world: World) {
    let mut cursor = world
        .databases
        .cursor(&world.scope, NUMBERS, Vec::new())
        .await
        .unwrap();
    let mut seen = 0;
    loop {
        let page = cursor.next(777).await.unwrap();
        assert_eq!(page.columns, ["i"]);
        assert!(page.rows.len() <= 777);
        if page.rows.is_empty() {
            break;
        }
        for row in page.rows {
            seen += 1;
            assert_eq!(row, [SqlValue::Integer(seen)]);
        }
    }
    assert_eq!(seen, 100_000);
    assert!(cursor.next(10).await.unwrap().rows.is_empty());
}

async fn large_rows_make_small_pages(world: World) {
    let blob = if world.is_sqlite() {
        "zeroblob(i * 1000000)"
    } else {
        "decode(repeat('00', i::int * 1000000), 'hex')"
    };
    let sql = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) SELECT {blob} AS b FROM n"
    );
    let limit = if world.is_sqlite() {
        "CAST($1 AS BIGINT)"
    } else {
        "$1::int"
    };
    let sql = sql.replace("$1", limit);
    let mut cursor = world
        .databases
        .cursor(&world.scope, &sql, vec![SqlValue::Integer(4)])
        .await
        .unwrap();
    let mut sizes = Vec::new();
    loop {
        let page = cursor.next(100).await.unwrap();
        if page.rows.is_empty() {
            break;
        }
        let bytes = |row: &Vec<SqlValue>| match &row[0] {
            SqlValue::Blob(blob) => blob.len(),
            other => panic!("{other:?}"),
        };
        let page: Vec<usize> = page.rows.iter().map(bytes).collect();
        assert!(page.iter().sum::<usize>() <= MAX_RESULT_BYTES);
        sizes.extend(page);
    }
    assert_eq!(sizes, [1_000_000, 2_000_000, 3_000_000, 4_000_000]);
}

async fn a_cursor_cannot_write(world: World) {
    let world = world.with_items(2).await;
    for sql in [
        "DELETE FROM files.items RETURNING id",
        "DELETE FROM files.items",
        "WITH gone AS (SELECT 1 AS id) DELETE FROM items WHERE id IN (SELECT id FROM gone)",
    ] {
        let opened = world.databases.cursor(&world.scope, sql, Vec::new()).await;
        assert!(opened.is_err(), "{sql}");
    }
    assert_eq!(world.count().await, 2);
}

async fn cursors_that_are_dropped_leave_their_connections(world: World) {
    // More than the plugin has connections.
    for _ in 0..30 {
        let mut cursor = world
            .databases
            .cursor(&world.scope, NUMBERS, Vec::new())
            .await
            .unwrap();
        assert_eq!(cursor.next(5).await.unwrap().rows.len(), 5);
    }
    let world = world.with_items(1).await;
    assert_eq!(world.count().await, 1);
}
