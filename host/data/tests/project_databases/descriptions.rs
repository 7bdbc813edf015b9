//! What the project's own tables look like, who is told of them, and how they
//! change.

use crate::{
    harness::World,
    on_both_engines,
    public::{ANA, Tables},
};
use atlashub_core::capability::database::{Access, ColumnKind, Database as _, TableKind};
use serde_json::json;
use std::sync::Arc;

on_both_engines!(
    tables_are_described,
    tables_are_described_as_of_one_moment,
    tables_are_told_to_those_whom_policies_are_for,
    tables_are_changed_all_or_none,
    a_failure_has_the_number_that_postgres_gives,
);

async fn tables_are_described(world: World) {
    let tables = Tables(&world);
    let databases = &world.databases;
    let before = databases.schema_version(tables.project());
    assert!(
        databases
            .describe(tables.project())
            .await
            .unwrap()
            .is_empty()
    );
    tables
        .change(&[
            "CREATE TABLE lists (id BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE, price NUMERIC(9,2))",
            "CREATE TABLE items (list BIGINT NOT NULL REFERENCES lists, number INTEGER NOT NULL, \
             at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, twice BIGINT GENERATED ALWAYS AS (number * 2) STORED, \
             flag BOOLEAN, key UUID, data JSON, real REAL, PRIMARY KEY (list, number))",
            "CREATE VIEW names AS SELECT name FROM lists",
        ])
        .await
        .unwrap();
    assert_ne!(databases.schema_version(tables.project()), before);
    let found = databases.describe(tables.project()).await.unwrap();
    let names: Vec<_> = found.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["items", "lists", "names"]);
    let (items, lists) = (&found[0], &found[1]);
    assert_eq!(items.primary_key, ["list", "number"]);
    let kinds: Vec<_> = items.columns.iter().map(|column| column.kind).collect();
    assert_eq!(
        kinds,
        [
            ColumnKind::Integer,
            ColumnKind::Integer,
            ColumnKind::Timestamp,
            ColumnKind::Integer,
            ColumnKind::Boolean,
            ColumnKind::Uuid,
            ColumnKind::Json,
            ColumnKind::Real,
        ]
    );
    assert!(items.columns[3].generated && items.columns[3].default.is_none());
    assert!(items.columns[2].default.is_some() && items.columns[2].nullable);
    assert!(!items.columns[0].nullable);
    assert_eq!(items.foreign_keys.len(), 1);
    assert_eq!(items.foreign_keys[0].name, "items_list_fkey");
    assert_eq!(items.foreign_keys[0].table, "lists");
    assert_eq!(items.foreign_keys[0].references, ["id"]);
    assert_eq!(lists.unique, [["name"]]);
    assert_eq!(lists.columns[2].kind, ColumnKind::Numeric);
    assert_eq!(found[2].kind, TableKind::View);
    assert!(Arc::ptr_eq(
        &found,
        &databases.describe(tables.project()).await.unwrap()
    ));
}

async fn tables_are_described_as_of_one_moment(world: World) {
    let tables = Tables(&world);
    tables
        .change(&["CREATE TABLE swings (a INTEGER, z TEXT, UNIQUE (a, z))"])
        .await
        .unwrap();
    let ended = std::sync::atomic::AtomicBool::new(false);
    let change = async {
        for (from, to) in [("a", "b"), ("b", "a")].into_iter().cycle().take(60) {
            let rename = format!("ALTER TABLE swings RENAME COLUMN {from} TO {to}");
            tables.change(&[&rename]).await.unwrap();
        }
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    let look = async {
        while !ended.load(std::sync::atomic::Ordering::Relaxed) {
            world.databases.tables_changed(tables.project());
            let found = world.databases.describe(tables.project()).await.unwrap();
            let columns: Vec<&str> = found[0]
                .columns
                .iter()
                .map(|column| column.name.as_str())
                .collect();
            assert_eq!(found[0].unique, [columns], "{found:?}");
        }
    };
    tokio::join!(change, look);
}

async fn tables_are_changed_all_or_none(world: World) {
    let tables = Tables(&world);
    let failed = tables
        .change(&["CREATE TABLE a (id BIGINT)", "CREATE TABLE a (id BIGINT)"])
        .await;
    assert!(failed.is_err());
    let found = world.databases.describe(tables.project()).await.unwrap();
    assert!(found.is_empty(), "{found:?}");
    for sql in [
        "CREATE TABLE _atlashub_policies (id BIGINT)",
        "CREATE TABLE a (id BIGINT); DROP TABLE a",
        "COMMIT",
        "",
    ] {
        // On Postgres the host's names are in schemas of their own.
        if !world.is_sqlite() && sql.contains("_atlashub") {
            continue;
        }
        assert!(tables.change(&[sql]).await.is_err(), "{sql}");
    }
    let found = world.databases.describe(tables.project()).await.unwrap();
    assert!(found.is_empty(), "{found:?}");
}

async fn a_failure_has_the_number_that_postgres_gives(world: World) {
    let tables = Tables(&world);
    tables
        .change(&[
            "CREATE TABLE people (id integer PRIMARY KEY, name text NOT NULL, age integer CHECK (age > 0))",
            "CREATE TABLE pets (id integer PRIMARY KEY, owner integer REFERENCES people (id))",
        ])
        .await
        .unwrap();
    let databases = &world.databases;
    let insert = "INSERT INTO public.people (id, name, age) VALUES (1, 'Ada', 36)";
    databases
        .execute(&tables.service(), insert, Vec::new())
        .await
        .unwrap();
    for (sql, state) in [
        (insert, "23505"),
        ("INSERT INTO public.people (id) VALUES (2)", "23502"),
        ("INSERT INTO public.people VALUES (2, 'Joan', 0)", "23514"),
        ("INSERT INTO public.pets VALUES (1, 9)", "23503"),
        ("SELECT absent FROM people", "42703"),
        ("SELECT 1 FROM absent", "42P01"),
        ("SELECT FROM WHERE", "42601"),
    ] {
        let error = databases
            .execute(&tables.service(), sql, Vec::new())
            .await
            .unwrap_err();
        let found = error
            .fields()
            .get("sqlstate")
            .and_then(|state| state.as_str());
        assert_eq!(found, Some(state), "{sql}: {error}");
    }
    let refused = databases
        .execute(
            &tables.anonymous(),
            "INSERT INTO public.people VALUES (3, 'Eve', 1)",
            Vec::new(),
        )
        .await
        .unwrap_err();
    assert_eq!(
        refused
            .fields()
            .get("sqlstate")
            .and_then(|state| state.as_str()),
        Some("42501")
    );
}

/// The names of what a caller is told of.
async fn told(tables: &Tables<'_>, access: &Access) -> Vec<String> {
    let all = tables.0.databases.describe(tables.project()).await.unwrap();
    let told = all
        .iter()
        .filter(|own| own.audience.includes(&access.reach));
    told.map(|own| own.name.clone()).collect()
}

async fn tables_are_told_to_those_whom_policies_are_for(world: World) {
    let tables = Tables(&world);
    tables
        .change(&[
            "CREATE TABLE \"Open\" (id INTEGER PRIMARY KEY, note TEXT)",
            "CREATE TABLE own (id INTEGER PRIMARY KEY, note TEXT)",
            "CREATE TABLE hidden (id INTEGER PRIMARY KEY, note TEXT)",
            "CREATE VIEW v_open AS SELECT id FROM \"Open\"",
            "CREATE VIEW v_again AS SELECT id FROM v_open",
            "CREATE VIEW v_hidden AS SELECT id FROM \"Open\" WHERE id IN (SELECT id FROM hidden)",
            "CREATE VIEW v_counts AS SELECT (SELECT count(*) FROM hidden) AS n",
            "CREATE VIEW v_both AS SELECT own.id FROM own JOIN v_open ON own.id = v_open.id",
            "CREATE VIEW v_one AS SELECT 1 AS one",
        ])
        .await
        .unwrap();
    let all = [
        "Open", "hidden", "own", "v_again", "v_both", "v_counts", "v_hidden", "v_one", "v_open",
    ];
    let (anonymous, user) = (tables.anonymous(), tables.user(ANA));
    let clerk = tables.user_with(ANA, &["clerk"]);
    assert_eq!(told(&tables, &anonymous).await, ["v_one"]);

    let policy = |roles: &str, action: &str| json!([{"name": "some", "roles": [roles], "actions": [action], "using": true, "check": true}]);
    tables
        .policies("Open", policy("*", "select"))
        .await
        .unwrap();
    tables
        .policies("own", policy("clerk", "insert"))
        .await
        .unwrap();
    let open = ["Open", "v_again", "v_one", "v_open"];
    assert_eq!(told(&tables, &anonymous).await, open);
    assert_eq!(told(&tables, &user).await, open);
    assert_eq!(
        told(&tables, &clerk).await,
        ["Open", "own", "v_again", "v_both", "v_one", "v_open"]
    );
    assert_eq!(told(&tables, &tables.service()).await, all);

    tables.policies("Open", json!([])).await.unwrap();
    assert_eq!(told(&tables, &anonymous).await, ["v_one"]);
}
