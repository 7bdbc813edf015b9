//! Transactions and writers side by side.

use crate::{
    harness::{World, text, until},
    on_both_engines,
};
use atlashub_core::{
    ErrorKind,
    capability::sql::{Sql as _, SqlValue},
};
use atlashub_data::project::Options;
use std::time::Duration;

on_both_engines!(
    a_committed_transaction_lasts,
    a_dropped_transaction_rolls_back,
    a_transaction_given_up_within_a_statement_rolls_back,
    after_a_failure_a_transaction_is_over,
    parallel_writers_all_succeed,
    parallel_transactions_wait_for_each_other,
    a_plugin_cannot_end_a_transaction_in_sql,
);

const INSERT: &str = "INSERT INTO files.items (id, name) VALUES ($1, $2)";

fn row(id: i64) -> Vec<SqlValue> {
    vec![SqlValue::Integer(id), text(&format!("item {id}"))]
}

async fn a_committed_transaction_lasts(world: World) {
    let world = world.with_items(0).await;
    let mut transaction = world.databases.begin(&world.scope).await.unwrap();
    assert_eq!(transaction.execute(INSERT, row(1)).await.unwrap(), 1);
    let within = transaction
        .query("SELECT count(*) FROM items", Vec::new())
        .await
        .unwrap();
    assert_eq!(within.rows, [[SqlValue::Integer(1)]]);
    assert_eq!(world.count().await, 0);
    transaction.commit().await.unwrap();
    assert_eq!(world.count().await, 1);
    let mut transaction = world.databases.begin(&world.scope).await.unwrap();
    transaction.execute(INSERT, row(2)).await.unwrap();
    transaction.rollback().await.unwrap();
    assert_eq!(world.count().await, 1);
}

async fn a_dropped_transaction_rolls_back(world: World) {
    let world = world.with_items(0).await;
    for _ in 0..20 {
        let mut transaction = world.databases.begin(&world.scope).await.unwrap();
        transaction.execute(INSERT, row(1)).await.unwrap();
        drop(transaction);
    }
    // The next writer waits for the rollback and sees it.
    world.execute(INSERT, row(1)).await.unwrap();
    assert_eq!(world.count().await, 1);
}

async fn a_transaction_given_up_within_a_statement_rolls_back(world: World) {
    let world = world.with_items(0).await;
    let mut transaction = world.databases.begin(&world.scope).await.unwrap();
    transaction.execute(INSERT, row(1)).await.unwrap();
    let endless = transaction.execute(
        "INSERT INTO files.items (id) WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n) \
         SELECT i FROM n",
        Vec::new(),
    );
    assert!(
        tokio::time::timeout(Duration::from_millis(200), endless)
            .await
            .is_err()
    );
    assert!(transaction.execute(INSERT, row(2)).await.is_err());
    drop(transaction);
    world.execute(INSERT, row(1)).await.unwrap();
    assert_eq!(world.count().await, 1);
}

async fn after_a_failure_a_transaction_is_over(world: World) {
    let world = world.with_items(1).await;
    let mut transaction = world.databases.begin(&world.scope).await.unwrap();
    transaction.execute(INSERT, row(2)).await.unwrap();
    let error = transaction.execute(INSERT, row(1)).await.unwrap_err();
    assert_eq!(error.code(), "sql_constraint_unique");
    let error = transaction.execute(INSERT, row(3)).await.unwrap_err();
    assert_eq!(error.code(), "sql_failed");
    assert!(transaction.query("SELECT 1", Vec::new()).await.is_err());
    assert_eq!(transaction.commit().await.unwrap_err().code(), "sql_failed");
    world.execute(INSERT, row(2)).await.unwrap();
    assert_eq!(world.count().await, 2);
}

async fn parallel_writers_all_succeed(world: World) {
    let world = world.with_items(0).await;
    let writers: Vec<_> = (0..400)
        .map(|id| {
            let (databases, scope) = (world.databases.clone(), world.scope.clone());
            tokio::spawn(async move { databases.execute(&scope, INSERT, row(id)).await })
        })
        .collect();
    for writer in writers {
        assert_eq!(writer.await.unwrap().unwrap(), 1);
    }
    assert_eq!(world.count().await, 400);
}

async fn parallel_transactions_wait_for_each_other(world: World) {
    let world = world.with_items(0).await;
    world
        .execute(INSERT, vec![SqlValue::Integer(0), text("0")])
        .await
        .unwrap();
    let writers: Vec<_> = (0..50)
        .map(|_| {
            let (databases, scope) = (world.databases.clone(), world.scope.clone());
            tokio::spawn(async move {
                let mut transaction = databases.begin(&scope).await?;
                // Takes the row's lock where it is not the file's.
                transaction
                    .execute("UPDATE items SET name = name WHERE id = 0", Vec::new())
                    .await?;
                let rows = transaction
                    .query("SELECT name FROM items WHERE id = 0", Vec::new())
                    .await?;
                let SqlValue::Text(name) = &rows.rows[0][0] else {
                    panic!()
                };
                let next = text(&(name.parse::<u32>().unwrap() + 1).to_string());
                transaction
                    .execute("UPDATE items SET name = $1 WHERE id = 0", vec![next])
                    .await?;
                transaction.commit().await
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    assert_eq!(world.value("SELECT name FROM items").await, text("50"));
}

async fn a_plugin_cannot_end_a_transaction_in_sql(world: World) {
    let world = world.with_items(0).await;
    for sql in [
        "COMMIT",
        "END",
        "/* x */ commit",
        "ROLLBACK",
        "SAVEPOINT a",
        "RELEASE a",
    ] {
        let mut transaction = world.databases.begin(&world.scope).await.unwrap();
        transaction.execute(INSERT, row(1)).await.unwrap();
        let error = transaction.execute(sql, Vec::new()).await.unwrap_err();
        assert_eq!(error.code(), "sql_denied", "{sql}");
        drop(transaction);
    }
    until("the rollback", async || world.count().await == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_too_long_for_others_is_told_so() {
    let options = Options {
        queue_time: Duration::from_millis(500),
        statement_time: Duration::from_millis(500),
        ..Options::default()
    };
    for world in World::both_with(options).await {
        let world = world.with_items(1).await;
        let update = "UPDATE files.items SET name = 'x' WHERE id = 1";
        let mut first = world.databases.begin(&world.scope).await.unwrap();
        first.execute(update, Vec::new()).await.unwrap();
        // Several in line: they wait for the row and then for who has it.
        let others = (0..3).map(|_| world.execute(update, Vec::new()));
        for other in futures::future::join_all(others).await {
            let error = other.unwrap_err();
            assert_eq!(error.code(), "sql_busy");
            assert_eq!(error.kind(), ErrorKind::Unavailable);
        }
        first.commit().await.unwrap();
    }
}
