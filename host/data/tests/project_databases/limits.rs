//! Time, size and number are bounded.

use crate::{
    harness::{World, scope, until},
    on_both_engines,
};
use atlashub_core::{
    ProjectId,
    capability::sql::{MAX_PARAMETERS, MAX_ROWS, MAX_SQL_BYTES, Sql as _, SqlValue},
};
use atlashub_data::project::Options;
use std::time::{Duration, Instant};

on_both_engines!(
    too_many_rows_are_an_error,
    too_many_bytes_are_an_error,
    too_many_returned_rows_change_nothing,
    oversized_calls_are_refused,
);

const ENDLESS: &str =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

fn numbers(count: usize) -> String {
    format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n"
    )
}

async fn too_many_rows_are_an_error(world: World) {
    let most = world.query(&numbers(MAX_ROWS), Vec::new()).await.unwrap();
    assert_eq!(most.rows.len(), MAX_ROWS);
    let error = world
        .query(&numbers(MAX_ROWS + 1), Vec::new())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "sql_too_many_rows");
    assert_eq!(world.value("SELECT 1").await, SqlValue::Integer(1));
}

async fn too_many_bytes_are_an_error(world: World) {
    let sql = if world.is_sqlite() {
        "SELECT hex(zeroblob(1000000)) FROM (VALUES (1), (2), (3)) AS v"
    } else {
        "SELECT repeat('00', 1000000) FROM (VALUES (1), (2), (3)) AS v"
    };
    let error = world.query(sql, Vec::new()).await.unwrap_err();
    assert_eq!(error.code(), "sql_too_many_rows");
    assert_eq!(world.value("SELECT 1").await, SqlValue::Integer(1));
}

async fn too_many_returned_rows_change_nothing(world: World) {
    let world = world.with_items(0).await;
    let sql = format!(
        "INSERT INTO files.items (id) {} RETURNING id",
        numbers(MAX_ROWS + 1)
    );
    let error = world.query(&sql, Vec::new()).await.unwrap_err();
    assert_eq!(error.code(), "sql_too_many_rows");
    assert_eq!(world.count().await, 0);
}

async fn oversized_calls_are_refused(world: World) {
    let long = format!("SELECT '{}'", "x".repeat(MAX_SQL_BYTES));
    assert_eq!(world.refused(&long).await.code(), "sql_failed");
    let many = vec![SqlValue::Null; MAX_PARAMETERS + 1];
    assert_eq!(
        world.query("SELECT 1", many).await.unwrap_err().code(),
        "sql_failed"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_statement_is_stopped() {
    let options = Options {
        statement_time: Duration::from_millis(300),
        ..Options::default()
    };
    for world in World::both_with(options).await {
        let world = world.with_items(1).await;
        for _ in 0..2 {
            let started = Instant::now();
            let error = world.query(ENDLESS, Vec::new()).await.unwrap_err();
            assert_eq!(error.code(), "sql_timeout");
            assert!(started.elapsed() < Duration::from_secs(10));
        }
        let write = format!("UPDATE items SET name = ({ENDLESS})");
        let error = world.execute(&write, Vec::new()).await.unwrap_err();
        assert_eq!(error.code(), "sql_timeout");
        if !world.is_sqlite() {
            // The limit is also kept when the statement lifts the server's own.
            for sql in [
                "DO $$ BEGIN SET LOCAL statement_timeout = 0; LOOP PERFORM 1; END LOOP; END $$",
                "DO $$ BEGIN EXECUTE 'SET statement_timeout = 0'; PERFORM pg_sleep(60); END $$",
            ] {
                let error = world.query(sql, Vec::new()).await.unwrap_err();
                assert_eq!(error.code(), "sql_timeout", "{sql}");
            }
        }
        assert_eq!(world.count().await, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_databases_are_made_at_once() {
    for world in World::both_with(Options::default()).await {
        let made = (0..12).map(|_| {
            let databases = world.databases.clone();
            tokio::spawn(async move {
                let project = ProjectId::new();
                databases.provision(project).await?;
                databases.drop(project).await
            })
        });
        for made in made.collect::<Vec<_>>() {
            made.await.unwrap().unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_read_leaves_the_asynchronous_threads_alone() {
    let world = World::sqlite().await;
    world.value("SELECT 1").await;
    let reads: Vec<_> = (0..4)
        .map(|_| {
            let (databases, scope) = (world.databases.clone(), world.scope.clone());
            let sql = format!("SELECT count(*) FROM ({})", numbers(1_000_000));
            tokio::spawn(async move { databases.query(&scope, &sql, Vec::new()).await.unwrap() })
        })
        .collect();
    let mut ticks = 0;
    while !reads.iter().all(|read| read.is_finished()) {
        tokio::time::sleep(Duration::from_millis(1)).await;
        ticks += 1;
    }
    assert!(ticks > 10, "only {ticks} ticks");
    for read in reads {
        assert_eq!(read.await.unwrap().rows, [[SqlValue::Integer(1_000_000)]]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_connections_are_bounded_and_close_when_idle() {
    let options = Options {
        max_connections: 6,
        idle_time: Duration::from_millis(200),
        ..Options::default()
    };
    for world in World::both_with(options).await {
        let mut scopes = Vec::new();
        for _ in 0..10 {
            let other = scope("files");
            world.databases.provision(other.project).await.unwrap();
            world.databases.provision_plugin(&other).await.unwrap();
            scopes.push(other);
        }
        for _ in 0..2 {
            let queries: Vec<_> = scopes
                .iter()
                .map(|scope| {
                    let (databases, scope) = (world.databases.clone(), scope.clone());
                    tokio::spawn(
                        async move { databases.query(&scope, "SELECT 1", Vec::new()).await },
                    )
                })
                .collect();
            for query in queries {
                query.await.unwrap().unwrap();
            }
            assert!(world.databases.open_connections() <= 6);
        }
        until("idle connections are closed", async || {
            world.databases.open_connections() == 0
        })
        .await;
        for scope in scopes {
            world.databases.drop(scope.project).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_comes_free_goes_to_who_waits_for_one() {
    let options = Options {
        max_connections: 1,
        ..Options::default()
    };
    for world in World::both_with(options).await {
        let other = scope("files");
        world.databases.provision(other.project).await.unwrap();
        world.databases.provision_plugin(&other).await.unwrap();
        let held = world.databases.begin(&world.scope).await.unwrap();
        let (databases, there) = (world.databases.clone(), other.clone());
        let waiting =
            tokio::spawn(async move { databases.query(&there, "SELECT 1", Vec::new()).await });
        // In it, nothing is idle that could be closed for the other.
        tokio::time::sleep(Duration::from_millis(100)).await;
        held.rollback().await.unwrap();
        let rows = waiting.await.unwrap().unwrap();
        assert_eq!(rows.rows, [[SqlValue::Integer(1)]]);
        world.databases.drop(other.project).await.unwrap();
    }
}
