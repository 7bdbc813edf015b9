//! Dumps of a project while it is written to.

use crate::{
    harness::{World, until},
    on_both_engines,
};
use atlashub_core::{
    ProjectId,
    capability::{
        PluginScope,
        sql::{Sql as _, SqlValue},
    },
    manifest::Migration,
};
use atlashub_data::project::{ProjectDatabases, archive::LoadOptions};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

on_both_engines!(a_dump_shows_all_databases_as_of_one_moment);

/// Databases of plugins, in order of their names.
const PLUGINS: [&str; 3] = ["alpha", "files", "zulu"];

fn of(project: ProjectId, plugin: &str) -> PluginScope {
    PluginScope {
        project,
        plugin: plugin.parse().unwrap(),
    }
}

/// The numbers of a table: how many, and the highest.
async fn numbers(databases: &ProjectDatabases, scope: &PluginScope, table: &str) -> (i64, i64) {
    let sql = format!("SELECT count(*), coalesce(max(n), 0) FROM {table}");
    let rows = databases.query(scope, &sql, Vec::new()).await.unwrap();
    match rows.rows[0][..] {
        [SqlValue::Integer(count), SqlValue::Integer(highest)] => (count, highest),
        ref other => panic!("{other:?}"),
    }
}

/// Writes each number into one plugin's table and then the next one's.
async fn write_on(
    databases: ProjectDatabases,
    scopes: Vec<PluginScope>,
    table: &'static str,
    stop: Arc<AtomicBool>,
    written: Arc<AtomicI64>,
) {
    let sql = format!("INSERT INTO {table} (n) VALUES ($1)");
    for number in 1.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        for scope in &scopes {
            let values = vec![SqlValue::Integer(number)];
            databases.execute(scope, &sql, values).await.unwrap();
        }
        written.store(number, Ordering::Relaxed);
    }
}

/// The databases of a dump, loaded as another project.
async fn loaded(world: &World, project: ProjectId) -> ProjectId {
    let databases = &world.databases;
    let scratch = tempfile::tempdir().unwrap();
    let mut dump = databases.dump(project, scratch.path()).await.unwrap();
    let into = ProjectId::new();
    databases.provision(into).await.unwrap();
    let options = LoadOptions {
        from: project,
        ids: None,
    };
    while let Some(mut part) = dump.next().await.unwrap() {
        let name = part.name().to_owned();
        let mut load = databases.load(into, &name, &options).await.unwrap();
        while let Some(bytes) = part.read().await.unwrap() {
            load.write(bytes).await.unwrap();
        }
        load.finish().await.unwrap();
    }
    databases.finish_load(into).await.unwrap();
    into
}

async fn a_dump_shows_all_databases_as_of_one_moment(world: World) {
    let project = world.scope.project;
    let databases = &world.databases;
    for plugin in PLUGINS {
        let scope = of(project, plugin);
        databases.provision_plugin(&scope).await.unwrap();
        let migration = Migration {
            name: "numbers".to_owned(),
            sql: Some(
                "CREATE TABLE forth (n BIGINT PRIMARY KEY); CREATE TABLE back (n BIGINT PRIMARY KEY)"
                    .to_owned(),
            ),
            sqlite: None,
            postgres: None,
        };
        databases
            .migrate_plugin(&scope, &[migration])
            .await
            .unwrap();
    }
    let scopes: Vec<_> = PLUGINS.iter().map(|plugin| of(project, plugin)).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    let mut written = Vec::new();
    for (table, scopes) in [
        ("forth", scopes.clone()),
        ("back", scopes.iter().rev().cloned().collect()),
    ] {
        let count = Arc::new(AtomicI64::new(0));
        let writing = write_on(
            databases.clone(),
            scopes,
            table,
            Arc::clone(&stop),
            Arc::clone(&count),
        );
        writers.push(tokio::spawn(writing));
        written.push(count);
    }
    for round in 1..=8 {
        let before: Vec<_> = written
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .collect();
        until("more numbers", || async {
            written
                .iter()
                .zip(&before)
                .all(|(count, before)| count.load(Ordering::Relaxed) > before + 5)
        })
        .await;
        let acknowledged: Vec<_> = written
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .collect();
        let copy = loaded(&world, project).await;
        for (table, order, acknowledged) in [
            ("forth", PLUGINS.to_vec(), acknowledged[0]),
            (
                "back",
                PLUGINS.iter().rev().copied().collect(),
                acknowledged[1],
            ),
        ] {
            let mut last = i64::MAX;
            let mut all = Vec::new();
            for plugin in order {
                let (count, highest) = numbers(databases, &of(copy, plugin), table).await;
                assert_eq!(count, highest, "{table} of {plugin} in round {round}");
                assert!(count >= acknowledged, "what was written before is missing");
                assert!(
                    count <= last,
                    "{plugin} has in {table} what the one before has not, in round {round}"
                );
                last = count;
                all.push(count);
            }
            // A number is in all of them before the next begins.
            assert!(all[0] - last <= 1, "{table} in round {round}: {all:?}");
        }
        databases.drop(copy).await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
}
