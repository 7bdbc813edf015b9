//! A plugin reaches its own schema and nothing else.

use crate::{
    harness::{World, scope},
    on_both_engines,
};
use atlashub_core::capability::{
    PluginScope,
    sql::{Sql as _, SqlValue},
};

on_both_engines!(
    another_plugin_is_out_of_reach,
    another_project_is_out_of_reach,
    what_belongs_to_the_host_is_refused,
    only_one_statement_runs,
    a_removed_plugin_leaves_nothing,
    a_removed_project_leaves_nothing,
    provisioning_again_keeps_what_is_there,
);

async fn another_plugin_is_out_of_reach(world: World) {
    let world = world.with_items(3).await;
    let other = PluginScope {
        project: world.scope.project,
        plugin: "notes".parse().unwrap(),
    };
    world.databases.provision_plugin(&other).await.unwrap();
    world
        .databases
        .execute(&other, "CREATE TABLE notes.items (id BIGINT)", Vec::new())
        .await
        .unwrap();
    for sql in [
        "SELECT * FROM files.items",
        "DELETE FROM files.items",
        "DROP TABLE files.items",
        "CREATE TABLE files.mine (id BIGINT)",
        "INSERT INTO files.items VALUES (9, 'nine')",
    ] {
        let error = world
            .databases
            .query(&other, sql, Vec::new())
            .await
            .unwrap_err();
        assert!(
            ["sql_denied", "sql_syntax"].contains(&error.code()),
            "{sql}: {error:?}"
        );
    }
    let own = world
        .databases
        .query(&other, "SELECT * FROM items", Vec::new())
        .await
        .unwrap();
    assert!(own.rows.is_empty());
    assert_eq!(world.count().await, 3);
}

async fn another_project_is_out_of_reach(world: World) {
    let world = world.with_items(3).await;
    let other = scope("files");
    world.databases.provision(other.project).await.unwrap();
    world.databases.provision_plugin(&other).await.unwrap();
    let error = world
        .databases
        .query(&other, "SELECT * FROM files.items", Vec::new())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "sql_syntax");
    if !world.is_sqlite() {
        let database = format!("proj_{}", world.scope.project.as_uuid().simple());
        for sql in [
            format!("SELECT * FROM {database}.files.items"),
            "SELECT datname FROM pg_database".to_owned(),
            "SELECT rolname FROM pg_roles".to_owned(),
            "SELECT * FROM pg_stat_activity".to_owned(),
            "SELECT * FROM pg_stat_get_activity(NULL)".to_owned(),
        ] {
            let error = world
                .databases
                .query(&other, &sql, Vec::new())
                .await
                .unwrap_err();
            assert!(
                ["sql_denied", "sql_failed"].contains(&error.code()),
                "{sql}: {error:?}"
            );
        }
    }
}

async fn what_belongs_to_the_host_is_refused(world: World) {
    let world = world.with_items(1).await;
    let common = [
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT a",
        "VACUUM",
        "CREATE TEMP TABLE t (id BIGINT)",
    ];
    let sqlite = [
        "ATTACH DATABASE '/tmp/stolen.db' AS stolen",
        "ATTACH ':memory:' AS more",
        "DETACH files",
        "VACUUM INTO '/tmp/stolen.db'",
        "SELECT load_extension('x')",
        "PRAGMA writable_schema = 1",
        "PRAGMA query_only = 0",
        "PRAGMA journal_mode = delete",
        "PRAGMA trusted_schema = 1",
        "PRAGMA synchronous = off",
        "PRAGMA temp_store_directory = '/tmp'",
        "UPDATE sqlite_master SET sql = ''",
        "INSERT INTO sqlite_master VALUES ('table', 'a', 'a', 2, '')",
        "DELETE FROM sqlite_schema",
        "CREATE VIRTUAL TABLE stat USING dbstat",
        "CREATE VIRTUAL TABLE old USING fts3 (a)",
        "CREATE TABLE temp.t (id BIGINT)",
        "SELECT fts3_tokenizer('simple')",
    ];
    let postgres = [
        "SELECT * FROM pg_authid",
        "SELECT * FROM pg_shadow",
        "SELECT * FROM pg_catalog.pg_roles",
        "SELECT * FROM pg_settings",
        "CREATE TABLE public.mine (id BIGINT)",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "CREATE DATABASE mine",
        "CREATE EXTENSION dblink",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
        "RESET ALL",
        "ALTER SYSTEM SET fsync = off",
        "ALTER ROLE postgres PASSWORD 'x'",
        "SELECT set_config('role', 'postgres', false)",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_ls_dir('/')",
        "SELECT pg_reload_conf()",
        "SELECT lo_import('/etc/passwd')",
        "SELECT lo_create(0)",
        "SELECT pg_notify('a', 'b')",
        "COPY items TO PROGRAM 'cat'",
        "COPY items FROM '/etc/passwd'",
        "DO $$ BEGIN EXECUTE 'COPY files.items TO PROGRAM ''cat'''; END $$",
        "DO $$ BEGIN EXECUTE 'SET ROLE postgres'; END $$",
        "GRANT ALL ON SCHEMA files TO PUBLIC",
        "LISTEN a",
    ];
    let own: &[&str] = if world.is_sqlite() {
        &sqlite
    } else {
        &postgres
    };
    for sql in common.iter().chain(own) {
        let error = world.refused(sql).await;
        assert!(
            ["sql_denied", "sql_syntax", "sql_failed"].contains(&error.code()),
            "{sql}: {error:?}"
        );
    }
    assert_eq!(world.count().await, 1);
    if world.is_sqlite() {
        assert!(!std::path::Path::new("/tmp/stolen.db").exists());
        for sql in [
            "CREATE TABLE main.more (id BIGINT)",
            "CREATE INDEX by_name ON items (name)",
        ] {
            world.execute(sql, Vec::new()).await.unwrap();
        }
        let info = world
            .query("PRAGMA table_info(more)", Vec::new())
            .await
            .unwrap();
        assert_eq!(info.rows.len(), 1);
    }
}

async fn only_one_statement_runs(world: World) {
    let world = world.with_items(3).await;
    for sql in [
        "SELECT 1; DELETE FROM files.items",
        "DELETE FROM files.items WHERE id = 99; DELETE FROM files.items",
        "SELECT 1; /* ; */ SELEC",
    ] {
        assert_eq!(world.refused(sql).await.code(), "sql_syntax", "{sql}");
    }
    assert_eq!(world.count().await, 3);
    for sql in ["SELECT 1 ;", "SELECT 1; -- done", "SELECT 1 /* ; */ ;\n"] {
        assert_eq!(world.value(sql).await, SqlValue::Integer(1), "{sql}");
    }
}

async fn a_removed_plugin_leaves_nothing(world: World) {
    let world = world.with_items(3).await;
    assert!(world.databases.open_connections() > 0);
    for _ in 0..2 {
        world.databases.drop_plugin(&world.scope).await.unwrap();
        let error = world.query("SELECT 1", Vec::new()).await.unwrap_err();
        assert!(error.message().contains("no schema"), "{error:?}");
    }
    world
        .databases
        .provision_plugin(&world.scope)
        .await
        .unwrap();
    let error = world
        .query("SELECT * FROM items", Vec::new())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "sql_syntax");
    assert_eq!(world.with_items(1).await.count().await, 1);
}

async fn a_removed_project_leaves_nothing(world: World) {
    let world = world.with_items(3).await;
    for _ in 0..2 {
        world.databases.drop(world.scope.project).await.unwrap();
    }
    assert!(world.query("SELECT 1", Vec::new()).await.is_err());
    if world.is_sqlite() {
        assert_eq!(std::fs::read_dir(world.folder()).unwrap().count(), 0);
    } else {
        use atlashub_data::project::CredentialStore as _;
        let role = format!("proj_{}_owner", world.scope.project.as_uuid().simple());
        let kept = world
            .credentials
            .get(world.scope.project, &role)
            .await
            .unwrap();
        assert!(kept.is_none());
    }
}

#[tokio::test]
async fn a_project_goes_although_another_names_its_roles() {
    use sqlx::Connection as _;
    let Some(world) = World::postgres().await else {
        return;
    };
    let gone = scope("files");
    let databases = &world.databases;
    databases.provision(gone.project).await.unwrap();
    databases.provision_plugin(&gone).await.unwrap();
    let url = std::env::var(crate::harness::POSTGRES).unwrap();
    let mut outside = sqlx::PgConnection::connect(&url).await.unwrap();
    let prefix = format!("proj_{}", gone.project.as_uuid().simple());
    let own = "SELECT rolname::text FROM pg_roles WHERE starts_with(rolname, $1)";
    let roles: Vec<String> = sqlx::query_scalar(own)
        .bind(&prefix)
        .fetch_all(&mut outside)
        .await
        .unwrap();
    assert_eq!(roles.len(), 4, "{roles:?}");
    let mut statements = vec!["CREATE TABLE notes (id BIGINT PRIMARY KEY)".to_owned()];
    for role in &roles {
        statements.push(format!(
            "CREATE POLICY \"{role}\" ON notes TO {role} USING (true)"
        ));
    }
    let project = world.scope.project;
    databases.change_tables(project, &statements).await.unwrap();
    databases.drop_plugin(&gone).await.unwrap();
    databases.drop(gone.project).await.unwrap();
    let left: Vec<String> = sqlx::query_scalar(own)
        .bind(&prefix)
        .fetch_all(&mut outside)
        .await
        .unwrap();
    assert!(left.is_empty(), "{left:?}");
    // The table of the other project stays.
    let described = atlashub_core::capability::database::Database::describe(databases, project)
        .await
        .unwrap();
    assert_eq!(described.len(), 1);
}

async fn provisioning_again_keeps_what_is_there(world: World) {
    let world = world.with_items(3).await;
    world
        .databases
        .provision(world.scope.project)
        .await
        .unwrap();
    world
        .databases
        .provision_plugin(&world.scope)
        .await
        .unwrap();
    assert_eq!(world.count().await, 3);
}

#[tokio::test]
async fn a_role_that_changes_its_password_gets_the_kept_one_back() {
    let Some(world) = World::postgres().await else {
        return;
    };
    let world = world.with_items(2).await;
    world
        .execute(
            "DO $$ BEGIN EXECUTE format('ALTER ROLE %I PASSWORD ''other''', current_user); END $$",
            Vec::new(),
        )
        .await
        .unwrap();
    world.databases.close_idle(std::time::Duration::ZERO);
    assert_eq!(world.databases.open_connections(), 0);
    assert_eq!(world.count().await, 2);
}
