//! Tables made, altered and removed as admins ask, alike on both engines.

use crate::{
    harness::{World, text},
    on_both_engines,
    public::Tables,
};
use atlashub_core::{
    Result,
    capability::{
        database::{ColumnKind, Database as _, Table},
        sql::SqlValue,
    },
};
use atlashub_data::project::{
    public::{RowFilter, RowOrder, RowsQuery, script},
    schema::{NewTable, TableChange},
};
use serde_json::{Value, json};

on_both_engines!(
    a_table_is_made_of_every_kind_of_column,
    what_makes_no_sense_is_refused,
    rows_and_parts_survive_every_change,
    a_parent_that_is_built_anew_keeps_its_children,
    values_that_do_not_fit_stop_a_change,
    policies_follow_a_table_and_hold_columns,
    a_table_that_others_need_stays,
    views_are_not_broken,
    rows_are_shown_page_by_page,
    a_change_that_was_made_is_told_from_one_that_was_not,
);

/// A mark that no other change has.
fn mark() -> String {
    uuid::Uuid::now_v7().to_string()
}

async fn create(world: &World, table: Value) -> Result<Vec<String>> {
    let table: NewTable = serde_json::from_value(table).unwrap();
    world
        .databases
        .create_table(world.scope.project, &table, &mark())
        .await
}

async fn alter(world: &World, table: &str, changes: Value) -> Result<Vec<String>> {
    let changes: Vec<TableChange> = serde_json::from_value(changes).unwrap();
    world
        .databases
        .alter_table(world.scope.project, table, &changes, &mark())
        .await
}

async fn described(world: &World, name: &str) -> Table {
    let tables = world.databases.describe(world.scope.project).await.unwrap();
    let found = tables.iter().find(|table| table.name == name);
    found
        .unwrap_or_else(|| panic!("no {name} in {tables:?}"))
        .clone()
}

async fn run(world: &World, sql: &str) {
    let tables = Tables(world);
    if let Err(error) = tables.run(&tables.service(), sql).await {
        panic!("{sql}: {error:?}");
    }
}

async fn list(world: &World, sql: &str) -> Vec<String> {
    let tables = Tables(world);
    tables.list(&tables.service(), sql).await
}

fn people() -> Value {
    json!({
        "name": "people",
        "columns": [
            {"name": "id", "type": "bigint", "primary_key": true, "default": {"function": "autoincrement"}},
            {"name": "name", "type": "text", "nullable": false, "unique": true},
        ],
    })
}

fn tasks() -> Value {
    json!({
        "name": "tasks",
        "columns": [
            {"name": "id", "type": "uuid", "primary_key": true, "default": {"function": "uuid"}},
            {"name": "owner", "type": "bigint", "references": {"table": "people", "column": "id", "on_delete": "cascade"}},
            {"name": "title", "type": "text", "nullable": false, "check": "title <> ''"},
            {"name": "points", "type": "integer", "default": {"value": 3}},
        ],
        "unique": [["owner", "title"]],
        "checks": [{"name": "few_points", "expression": "points < 100"}],
        "indexes": [{"columns": ["title", "points"]}, {"name": "by_points", "columns": ["points"]}],
    })
}

async fn a_table_is_made_of_every_kind_of_column(world: World) {
    let kinds = [
        ("text", ColumnKind::Text, json!("it's")),
        ("integer", ColumnKind::Integer, json!(7)),
        (
            "bigint",
            ColumnKind::Integer,
            json!(9_007_199_254_740_993_i64),
        ),
        ("real", ColumnKind::Real, json!(1.5)),
        ("numeric", ColumnKind::Numeric, json!("12.50")),
        ("boolean", ColumnKind::Boolean, json!(true)),
        ("json", ColumnKind::Json, json!({"a": [1, "'"]})),
        (
            "timestamp",
            ColumnKind::Timestamp,
            json!("2026-01-02T03:04:05Z"),
        ),
        ("date", ColumnKind::Date, json!("2026-01-02")),
        ("time", ColumnKind::Time, json!("03:04:05")),
        (
            "uuid",
            ColumnKind::Uuid,
            json!("0190a8a0-0000-7000-8000-000000000001"),
        ),
        ("bytes", ColumnKind::Bytes, json!("AAH/")),
    ];
    let mut columns = vec![json!({"name": "id", "type": "integer", "primary_key": true})];
    for (name, _, default) in &kinds {
        columns.push(
            json!({"name": format!("a_{name}"), "type": name, "default": {"value": default}}),
        );
    }
    for name in ["timestamp", "date", "time"] {
        columns.push(json!({"name": format!("now_{name}"), "type": name, "nullable": false, "default": {"function": "now"}}));
    }
    create(&world, json!({"name": "kinds", "columns": columns}))
        .await
        .unwrap();
    let table = described(&world, "kinds").await;
    for (column, (_, kind, _)) in table.columns[1..].iter().zip(&kinds) {
        assert_eq!(column.kind, *kind, "{column:?}");
        assert!(column.nullable && column.default.is_some(), "{column:?}");
    }
    run(&world, "INSERT INTO kinds (id) VALUES (1)").await;
    let tables = Tables(&world);
    let rows = tables
        .query(&tables.service(), "SELECT * FROM kinds", Vec::new())
        .await
        .unwrap();
    let row = &rows.rows[0];
    assert_eq!(row[1], text("it's"));
    assert_eq!(row[3], SqlValue::Integer(9_007_199_254_740_993));
    assert_eq!(row[5], text("12.50"));
    assert_eq!(row[12], SqlValue::Blob(vec![0, 1, 255]));
    assert!(
        row[13..]
            .iter()
            .all(|value| matches!(value, SqlValue::Text(_))),
        "{row:?}"
    );
    // What the types and checks keep out.
    for sql in [
        "INSERT INTO kinds (id, a_boolean) VALUES (2, 7)",
        "INSERT INTO kinds (id, a_json) VALUES (2, '{')",
        "INSERT INTO kinds (id, a_integer) VALUES (2, 'x')",
    ] {
        let tables = Tables(&world);
        tables.refused(&tables.service(), sql).await;
    }
    create(&world, json!({"name": "uuids", "columns": [{"name": "id", "type": "uuid", "primary_key": true, "default": {"function": "uuid"}}, {"name": "n", "type": "integer"}]})).await.unwrap();
    run(&world, "INSERT INTO uuids (n) VALUES (1), (2)").await;
    for id in list(&world, "SELECT id FROM uuids").await {
        assert_eq!(
            uuid::Uuid::parse_str(&id).unwrap().get_version_num(),
            4,
            "{id}"
        );
    }
}

async fn what_makes_no_sense_is_refused(world: World) {
    let column = json!([{"name": "id", "type": "integer"}]);
    for table in [
        json!({"name": "", "columns": column}),
        json!({"name": "1a", "columns": column}),
        json!({"name": "a\"b", "columns": column}),
        json!({"name": "_atlashub_x", "columns": column}),
        json!({"name": "sqlite_x", "columns": column}),
        json!({"name": "a", "columns": []}),
        json!({"name": "a", "columns": [{"name": "x", "type": "text"}, {"name": "X", "type": "text"}]}),
        json!({"name": "a", "columns": column, "primary_key": ["nothing"]}),
        json!({"name": "a", "columns": [{"name": "x", "type": "integer", "default": {"value": "seven"}}]}),
        json!({"name": "a", "columns": [{"name": "x", "type": "integer", "default": {"function": "uuid"}}]}),
        json!({"name": "a", "columns": [{"name": "x", "type": "text", "default": {"function": "autoincrement"}}]}),
        json!({"name": "a", "columns": [{"name": "x", "type": "integer", "check": "x > 0); DROP TABLE y; --"}]}),
        json!({"name": "a", "columns": column, "checks": [{"expression": "1 = 1) OR (1 = 1"}]}),
        json!({"name": "a", "columns": column, "foreign_keys": [{"columns": ["id"], "table": "b", "references": ["x", "y"]}]}),
    ] {
        let error = create(&world, table.clone()).await.unwrap_err();
        assert_eq!(error.code(), "invalid_schema", "{table}: {error}");
    }
    create(&world, people()).await.unwrap();
    let again = create(&world, people()).await.unwrap_err();
    assert_eq!(again.code(), "table_exists");
    let nowhere = alter(&world, "nowhere", json!([{"op": "rename", "to": "x"}])).await;
    assert_eq!(nowhere.unwrap_err().code(), "not_found");
    for (change, code) in [
        (json!({"op": "drop_index", "name": "nothing"}), "not_found"),
        (
            json!({"op": "drop_check", "name": "people_pkey"}),
            "not_found",
        ),
        (
            json!({"op": "drop_foreign_key", "name": "nothing"}),
            "not_found",
        ),
        (json!({"op": "rename", "to": "a b"}), "invalid_schema"),
        (
            json!({"op": "add_column", "column": {"name": "x", "type": "text", "primary_key": true}}),
            "invalid_schema",
        ),
    ] {
        let error = alter(&world, "people", json!([change.clone()]))
            .await
            .unwrap_err();
        assert_eq!(error.code(), code, "{change}: {error}");
    }
    // Nothing of a list is made when one of it is refused.
    let changes = json!([{"op": "add_column", "column": {"name": "age", "type": "integer"}}, {"op": "drop_index", "name": "nothing"}]);
    alter(&world, "people", changes).await.unwrap_err();
    assert_eq!(described(&world, "people").await.columns.len(), 2);
}

async fn rows_and_parts_survive_every_change(world: World) {
    create(&world, people()).await.unwrap();
    create(&world, tasks()).await.unwrap();
    run(&world, "INSERT INTO people (name) VALUES ('ada'), ('bob')").await;
    run(
        &world,
        "INSERT INTO tasks (owner, title) VALUES (1, 'one'), (2, 'two')",
    )
    .await;
    let changes = json!([
        {"op": "add_column", "column": {"name": "note", "type": "text"}},
        {"op": "add_column", "column": {"name": "made", "type": "timestamp", "nullable": false, "default": {"function": "now"}}},
        {"op": "rename_column", "column": "points", "to": "score"},
        {"op": "add_check", "check": {"name": "said", "expression": "note <> 'x'"}},
        // It compares numbers: it has to go before the type changes.
        {"op": "drop_check", "name": "few_points"},
        {"op": "alter_column", "column": "score", "type": "text", "nullable": false, "default": {"value": "none"}},
        {"op": "add_index", "index": {"name": "by_note", "columns": ["note"], "unique": true}},
        {"op": "drop_index", "name": "by_points"},
        {"op": "rename", "to": "jobs"},
    ]);
    alter(&world, "tasks", changes).await.unwrap();
    let table = described(&world, "jobs").await;
    let score = table
        .columns
        .iter()
        .find(|column| column.name == "score")
        .unwrap();
    assert_eq!((score.kind, score.nullable), (ColumnKind::Text, false));
    assert!(table.unique.iter().any(|set| set == &["owner", "title"]));
    assert_eq!(table.foreign_keys[0].table, "people");
    assert_eq!(
        list(&world, "SELECT title || score FROM jobs ORDER BY title").await,
        ["one3", "two3"]
    );
    let details = world
        .databases
        .table_details(world.scope.project, "jobs")
        .await
        .unwrap();
    let names: Vec<&str> = details
        .indexes
        .iter()
        .map(|index| index.name.as_str())
        .collect();
    assert!(
        names.contains(&"by_note") && names.contains(&"tasks_title_points_idx"),
        "{names:?}"
    );
    assert!(!names.contains(&"by_points"), "{names:?}");
    assert_eq!(details.row_estimate, 2);
    assert_eq!(details.on_delete[0].1, "CASCADE");
    assert!(
        details
            .checks
            .iter()
            .any(|check| check.name.as_deref() == Some("said"))
    );
    let tables = Tables(&world);
    for sql in [
        "INSERT INTO jobs (title) VALUES ('')",
        "INSERT INTO jobs (title, note) VALUES ('y', 'x')",
        "INSERT INTO jobs (title, owner) VALUES ('y', 99)",
        "UPDATE jobs SET score = NULL",
    ] {
        let error = tables.refused(&tables.service(), sql).await;
        assert!(error.code().starts_with("sql_constraint"), "{sql}: {error}");
    }
    alter(
        &world,
        "jobs",
        json!([{"op": "drop_column", "column": "owner"}]),
    )
    .await
    .unwrap();
    let table = described(&world, "jobs").await;
    assert!(
        table.foreign_keys.is_empty() && table.unique.len() == 1,
        "{table:?}"
    );
    assert_eq!(
        list(&world, "SELECT title FROM jobs ORDER BY title").await,
        ["one", "two"]
    );
    let error = alter(
        &world,
        "jobs",
        json!([{"op": "drop_column", "column": "nothing"}]),
    )
    .await
    .unwrap_err();
    assert!(
        ["not_found", "sql_syntax"].contains(&error.code()),
        "{error:?}"
    );
}

async fn a_parent_that_is_built_anew_keeps_its_children(world: World) {
    create(&world, people()).await.unwrap();
    create(&world, tasks()).await.unwrap();
    run(&world, "INSERT INTO people (name) VALUES ('ada')").await;
    run(&world, "INSERT INTO tasks (owner, title) VALUES (1, 'one')").await;
    let changes = json!([
        {"op": "add_check", "check": {"expression": "name <> 'nobody'"}},
        {"op": "alter_column", "column": "name", "nullable": true},
    ]);
    alter(&world, "people", changes).await.unwrap();
    assert_eq!(list(&world, "SELECT title FROM tasks").await, ["one"]);
    // The key still goes there, and still holds.
    run(&world, "INSERT INTO people (name) VALUES ('bob')").await;
    assert_eq!(
        list(&world, "SELECT id FROM people ORDER BY id").await,
        ["1", "2"]
    );
    run(&world, "DELETE FROM people WHERE id = 1").await;
    assert!(list(&world, "SELECT title FROM tasks").await.is_empty());
    let dangling = Tables(&world);
    dangling
        .refused(
            &dangling.service(),
            "INSERT INTO tasks (owner, title) VALUES (77, 'x')",
        )
        .await;
    run(
        &world,
        "INSERT INTO tasks (owner, title) VALUES (NULL, 'free')",
    )
    .await;
    let back = json!([{"op": "add_foreign_key", "foreign_key": {"name": "self", "columns": ["id"], "table": "tasks", "references": ["id"]}}]);
    alter(&world, "tasks", back).await.unwrap();
    alter(
        &world,
        "tasks",
        json!([{"op": "drop_foreign_key", "name": "self"}]),
    )
    .await
    .unwrap();
    assert_eq!(described(&world, "tasks").await.foreign_keys.len(), 1);
}

async fn values_that_do_not_fit_stop_a_change(world: World) {
    create(&world, people()).await.unwrap();
    run(&world, "INSERT INTO people (name) VALUES ('ada')").await;
    for change in [
        json!({"op": "alter_column", "column": "name", "type": "integer"}),
        json!({"op": "add_column", "column": {"name": "must", "type": "text", "nullable": false}}),
        json!({"op": "add_check", "check": {"expression": "name = 'bob'"}}),
        json!({"op": "add_foreign_key", "foreign_key": {"columns": ["id"], "table": "nowhere", "references": ["id"]}}),
    ] {
        let error = alter(&world, "people", json!([change.clone()]))
            .await
            .unwrap_err();
        assert!(error.code().starts_with("sql_"), "{change}: {error:?}");
        assert_eq!(list(&world, "SELECT name FROM people").await, ["ada"]);
        assert_eq!(described(&world, "people").await.columns.len(), 2);
    }
}

async fn policies_follow_a_table_and_hold_columns(world: World) {
    create(&world, people()).await.unwrap();
    run(&world, "INSERT INTO people (name) VALUES ('ada')").await;
    let tables = Tables(&world);
    let policy =
        json!([{"name": "named", "roles": ["*"], "actions": ["select"], "using": "name = 'ada'"}]);
    tables.policies("people", policy).await.unwrap();
    for change in [
        json!({"op": "drop_column", "column": "name"}),
        json!({"op": "rename_column", "column": "name", "to": "called"}),
        json!({"op": "alter_column", "column": "name", "type": "json"}),
    ] {
        let error = alter(&world, "people", json!([change])).await.unwrap_err();
        assert_eq!(error.code(), "column_in_use", "{error}");
    }
    let changes = json!([{"op": "add_column", "column": {"name": "x", "type": "text", "unique": true}}, {"op": "rename", "to": "persons"}]);
    alter(&world, "people", changes).await.unwrap();
    assert_eq!(
        tables
            .list(&tables.anonymous(), "SELECT name FROM persons")
            .await,
        ["ada"]
    );
    let kept = world
        .databases
        .row_policies(world.scope.project, "persons")
        .await
        .unwrap();
    assert_eq!(kept.len(), 1);
    // A new table of the old name has none of them.
    create(&world, people()).await.unwrap();
    run(&world, "INSERT INTO people (name) VALUES ('ada')").await;
    assert!(
        tables
            .list(&tables.anonymous(), "SELECT name FROM people")
            .await
            .is_empty()
    );
}

async fn a_table_that_others_need_stays(world: World) {
    create(&world, people()).await.unwrap();
    create(&world, tasks()).await.unwrap();
    let project = world.scope.project;
    let error = world
        .databases
        .drop_table(project, "people", &mark())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "table_in_use", "{error}");
    world
        .databases
        .drop_table(project, "tasks", &mark())
        .await
        .unwrap();
    world
        .databases
        .drop_table(project, "people", &mark())
        .await
        .unwrap();
    let gone = world
        .databases
        .drop_table(project, "people", &mark())
        .await
        .unwrap_err();
    assert_eq!(gone.code(), "not_found");
}

async fn views_are_not_broken(world: World) {
    create(&world, people()).await.unwrap();
    let tables = Tables(&world);
    tables
        .change(&["CREATE VIEW names AS SELECT name FROM people"])
        .await
        .unwrap();
    let error = alter(
        &world,
        "people",
        json!([{"op": "drop_column", "column": "name"}]),
    )
    .await
    .unwrap_err();
    assert!(
        ["column_in_use", "sql_failed"].contains(&error.code()),
        "{error:?}"
    );
    alter(
        &world,
        "people",
        json!([{"op": "add_column", "column": {"name": "x", "type": "text", "unique": true}}]),
    )
    .await
    .unwrap();
    run(&world, "INSERT INTO people (name) VALUES ('ada')").await;
    assert_eq!(list(&world, "SELECT name FROM names").await, ["ada"]);
}

async fn rows_are_shown_page_by_page(world: World) {
    create(&world, people()).await.unwrap();
    run(
        &world,
        "INSERT INTO people (name) VALUES ('ada'), ('bob'), ('cyd'), ('100%')",
    )
    .await;
    let project = world.scope.project;
    let filter = |column: &str, operator: &str, value: &str| RowFilter {
        column: column.to_owned(),
        operator: operator.to_owned(),
        value: value.to_owned(),
    };
    let query = RowsQuery {
        limit: 3,
        ..RowsQuery::default()
    };
    let page = world
        .databases
        .table_rows(project, "people", &query)
        .await
        .unwrap();
    assert!(page.more && page.rows.len() == 3 && page.columns.len() == 2);
    let order = Some(RowOrder {
        column: "name".to_owned(),
        descending: true,
    });
    let filters = vec![
        filter("id", "gte", "2"),
        filter("name", "neq", "cyd"),
        filter("name", "like", "b%"),
        filter("id", "is", "not_null"),
    ];
    let query = RowsQuery {
        filters,
        order,
        limit: 10,
        offset: 0,
    };
    let page = world
        .databases
        .table_rows(project, "people", &query)
        .await
        .unwrap();
    assert_eq!(page.rows, [[SqlValue::Integer(2), text("bob")]]);
    assert!(!page.more);
    for bad in [
        filter("nothing", "eq", "1"),
        filter("id", "between", "1"),
        filter("id", "is", "true"),
    ] {
        let query = RowsQuery {
            filters: vec![bad],
            ..RowsQuery::default()
        };
        let error = world
            .databases
            .table_rows(project, "people", &query)
            .await
            .unwrap_err();
        assert_eq!(error.code(), "invalid_filter");
    }
    let query = RowsQuery {
        filters: vec![filter("name", "eq", "x' OR '1'='1")],
        ..RowsQuery::default()
    };
    assert!(
        world
            .databases
            .table_rows(project, "people", &query)
            .await
            .unwrap()
            .rows
            .is_empty()
    );
}

async fn a_change_that_was_made_is_told_from_one_that_was_not(world: World) {
    let project = world.scope.project;
    let databases = &world.databases;
    let table: NewTable = serde_json::from_value(people()).unwrap();
    let (made, altered, never) = (mark(), mark(), mark());
    let statements = databases.create_table(project, &table, &made).await;
    let sql = databases.settle_change(project, &made).await.unwrap();
    assert_eq!(sql, Some(script(&statements.unwrap())));
    databases.forget_change(project, &made).await.unwrap();
    let change = json!([{"op": "add_column", "column": {"name": "nick", "type": "text"}}]);
    let changes: Vec<TableChange> = serde_json::from_value(change).unwrap();
    let statements = databases
        .alter_table(project, "people", &changes, &altered)
        .await
        .unwrap();
    let sql = databases.settle_change(project, &altered).await.unwrap();
    assert_eq!(sql, Some(script(&statements)));
    // One that was refused has left nothing, and cannot be made any more.
    let again = databases.create_table(project, &table, &never).await;
    assert_eq!(again.unwrap_err().code(), "table_exists");
    assert_eq!(
        databases.settle_change(project, &never).await.unwrap(),
        None
    );
    assert_eq!(
        databases.settle_change(project, &never).await.unwrap(),
        None
    );
    let late = databases.drop_table(project, "people", &never).await;
    assert_eq!(late.unwrap_err().code(), "schema_change_given_up");
    assert_eq!(
        described(&world, "people").await.columns.len(),
        table.columns.len() + 1
    );
}
