//! What became of a transaction on the project's tables, asked by its name.

use crate::{
    harness::{World, until},
    on_both_engines,
    public::Tables,
};
use atlashub_core::capability::database::Database as _;

on_both_engines! {
    a_name_tells_whether_its_transaction_was_committed,
    what_names_no_transaction_is_refused,
}

async fn a_name_tells_whether_its_transaction_was_committed(world: World) {
    let tables = Tables(&world);
    let made = ["CREATE TABLE notes (id BIGINT PRIMARY KEY)"];
    tables.change(&made).await.unwrap();
    for (number, access) in [(1, tables.service()), (2, tables.anonymous())] {
        let databases = &world.databases;
        let mut committed = databases.begin(&access).await.unwrap();
        let name = committed.identify().await.unwrap();
        committed.commit().await.unwrap();
        assert_eq!(
            databases.was_committed(&access, &name).await.unwrap(),
            Some(true)
        );
        let mut undone = databases.begin(&access).await.unwrap();
        let other = undone.identify().await.unwrap();
        undone.rollback().await.unwrap();
        assert_eq!(
            databases.was_committed(&access, &other).await.unwrap(),
            Some(false)
        );
        let mut dropped = databases.begin(&access).await.unwrap();
        let third = dropped.identify().await.unwrap();
        drop(dropped);
        // What is dropped is undone in a moment, and not decided before.
        until("the end of what was dropped", || async {
            match databases.was_committed(&access, &third).await {
                Err(error) if error.code() == "sql_busy" => false,
                other => {
                    assert_eq!(other.unwrap(), Some(false));
                    true
                }
            }
        })
        .await;
        assert_ne!(name, other, "{number}");
    }
    // Nobody sees what that is kept in.
    let described = world.databases.describe(tables.project()).await.unwrap();
    let names: Vec<&str> = described.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["notes"]);
    let access = tables.service();
    let sql = "SELECT * FROM _atlashub_ended";
    let refused = world.databases.query(&access, sql, Vec::new()).await;
    assert!(refused.is_err());
}

async fn what_names_no_transaction_is_refused(world: World) {
    let tables = Tables(&world);
    let access = tables.service();
    for name in ["", "nothing", "1; SELECT 1", "99999999999999999999999"] {
        let refused = world.databases.was_committed(&access, name).await;
        assert_eq!(refused.unwrap_err().code(), "invalid_transaction", "{name}");
    }
    let mut own = world.databases.begin(&access).await.unwrap();
    assert!(own.identify().await.is_ok());
    own.rollback().await.unwrap();
}
