//! What a point read of a plugin costs on SQLite, with everything warm:
//! `cargo run --release -p atlashub-data --example sqlite_point_read`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement that cannot be made may end with a panic"
)]

use atlashub_core::{
    ProjectId,
    capability::{
        PluginScope,
        sql::{Sql as _, SqlValue},
    },
    manifest::Migration,
};
use atlashub_data::project::{Options, ProjectDatabases};
use std::time::Instant;

const ROWS: i64 = 10_000;
const READS: u32 = 100_000;
const WRITES: u32 = 2_000;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let databases = ProjectDatabases::sqlite(folder.path().to_owned(), Options::default());
    let scope = PluginScope {
        project: ProjectId::new(),
        plugin: "files".parse().unwrap(),
    };
    databases.provision(scope.project).await.unwrap();
    databases.provision_plugin(&scope).await.unwrap();
    let migration = Migration {
        name: "objects".to_owned(),
        sql: Some(
            "CREATE TABLE objects (id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, \
             size BIGINT NOT NULL, type TEXT NOT NULL, owner TEXT)"
                .to_owned(),
        ),
        sqlite: None,
        postgres: None,
    };
    databases
        .migrate_plugin(&scope, &[migration])
        .await
        .unwrap();
    let id = |number: i64| SqlValue::Text(format!("0190a1b2-0000-7000-8000-{number:012}"));
    let mut transaction = databases.begin(&scope).await.unwrap();
    for number in 0..ROWS {
        let values = vec![
            id(number),
            SqlValue::Text(format!("photo {number}.jpeg")),
            SqlValue::Integer(number),
            SqlValue::Text("image/jpeg".to_owned()),
        ];
        transaction
            .execute(
                "INSERT INTO files.objects (id, name, size, type) VALUES ($1, $2, $3, $4)",
                values,
            )
            .await
            .unwrap();
    }
    transaction.commit().await.unwrap();

    let select = "SELECT id, name, size, type, owner FROM files.objects WHERE id = $1";
    for round in 0..3 {
        let started = Instant::now();
        for number in 0..READS {
            let rows = databases
                .query(&scope, select, vec![id(i64::from(number * 7919) % ROWS)])
                .await
                .unwrap();
            assert_eq!(rows.rows.len(), 1);
        }
        println!("read {round}: {:?} each", started.elapsed() / READS);
    }
    let started = Instant::now();
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (databases, scope) = (databases.clone(), scope.clone());
            tokio::spawn(async move {
                for number in 0..READS {
                    let rows = databases
                        .query(&scope, select, vec![id(i64::from(number * 7919) % ROWS)])
                        .await
                        .unwrap();
                    assert_eq!(rows.rows.len(), 1);
                }
            })
        })
        .collect();
    for reader in readers {
        reader.await.unwrap();
    }
    println!(
        "read, two tasks: {:?} each",
        started.elapsed() / (2 * READS)
    );
    let started = Instant::now();
    for number in 0..WRITES {
        let values = vec![id(i64::from(number)), SqlValue::Text("owner".to_owned())];
        databases
            .execute(
                &scope,
                "UPDATE files.objects SET owner = $2 WHERE id = $1",
                values,
            )
            .await
            .unwrap();
    }
    println!("write: {:?} each", started.elapsed() / WRITES);
}
