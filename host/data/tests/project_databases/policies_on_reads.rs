//! Attempts to read rows that policies hide: none may lead anywhere,
//! whatever the statement says.

use crate::{
    harness::World,
    on_both_engines,
    public::{ANA, BEN, Tables, own_rows, todos},
};
use atlashub_core::capability::{
    database::{Access, Database as _},
    sql::SqlValue,
};

on_both_engines!(
    no_statement_reads_what_is_hidden,
    who_calls_cannot_be_changed,
    a_table_that_has_nothing_but_its_key_is_read_by_its_policies,
);

/// Ben's row has a title that nobody else may learn.
pub(crate) async fn with_secret(tables: &Tables<'_>) {
    todos(tables, own_rows()).await;
    let service = tables.service();
    tables
        .run(
            &service,
            "UPDATE public.todos SET title = 'SECRET' WHERE id = 3",
        )
        .await
        .unwrap();
    tables
        .change(&[
            "CREATE TABLE hidden (id INTEGER PRIMARY KEY, title TEXT)",
            "CREATE TABLE \"_rowid_\" (id INTEGER PRIMARY KEY, title TEXT)",
            "CREATE TABLE notes (id INTEGER PRIMARY KEY, note TEXT, owner UUID)",
            "CREATE VIEW all_todos AS SELECT * FROM public.todos",
        ])
        .await
        .unwrap();
    tables.policies("notes", own_rows()).await.unwrap();
    tables
        .run(&service, "INSERT INTO public.hidden VALUES (1, 'SECRET')")
        .await
        .unwrap();
    tables
        .run(
            &service,
            "INSERT INTO public.\"_rowid_\" VALUES (1, 'SECRET')",
        )
        .await
        .unwrap();
    let note = format!("INSERT INTO public.notes VALUES (1, 'x', '{ANA}')");
    tables.run(&service, &note).await.unwrap();
}

/// Every text that Ana can read in her own notes and in the answer.
pub(crate) async fn learns(tables: &Tables<'_>, access: &Access, sql: &str) -> String {
    let answer = match tables.query(access, sql, Vec::new()).await {
        Ok(rows) => format!("{rows:?}"),
        Err(error) => error.message().to_owned(),
    };
    let notes = "SELECT note FROM notes UNION ALL SELECT title FROM todos";
    answer + &tables.list(access, notes).await.join(" ")
}

async fn no_statement_reads_what_is_hidden(world: World) {
    let tables = Tables(&world);
    with_secret(&tables).await;
    let ana = tables.user(ANA);
    let common = [
        "SELECT title FROM public.todos",
        "SELECT t.title FROM public.todos AS t",
        "SELECT * FROM todos",
        "SELECT * FROM \"todos\"",
        "SELECT (SELECT max(title) FROM public.todos)",
        "SELECT title FROM todos UNION SELECT title FROM public.todos",
        "SELECT title FROM todos WHERE id IN (SELECT id FROM public.todos)",
        "SELECT a.title, b.title FROM todos a JOIN public.todos b ON a.id < b.id",
        "SELECT a.title, b.title FROM todos a LEFT JOIN todos b ON b.id = 3",
        "WITH todos AS (SELECT * FROM public.todos) SELECT * FROM todos",
        "WITH todos AS (SELECT id, title FROM public.todos) SELECT title FROM todos",
        "WITH own AS (SELECT * FROM todos) SELECT * FROM own",
        "WITH t AS (SELECT title FROM public.todos) SELECT * FROM t",
        "WITH RECURSIVE t(x) AS (SELECT title FROM public.todos UNION SELECT x FROM t) SELECT * FROM t",
        "SELECT * FROM (SELECT * FROM public.todos) AS todos",
        "SELECT * FROM (SELECT * FROM public.todos) todos, todos x",
        "SELECT title FROM all_todos",
        "SELECT title FROM public.all_todos",
        "SELECT * FROM hidden",
        "SELECT * FROM public.hidden",
        "SELECT title FROM public.\"_rowid_\"",
        "SELECT title FROM todos ORDER BY (SELECT max(title) FROM public.todos)",
        "SELECT title FROM todos GROUP BY title HAVING max(title) < (SELECT max(title) FROM public.todos)",
        "INSERT INTO public.notes (id, note, owner) SELECT 5, title, caller_id() FROM public.todos WHERE id = 3",
        "INSERT INTO public.notes (id, note, owner) SELECT 5, title, caller_id() FROM all_todos WHERE id = 3",
        "INSERT INTO public.notes (id, note, owner) VALUES (5, (SELECT max(title) FROM public.todos), caller_id())",
        "UPDATE public.notes SET note = (SELECT max(title) FROM public.todos)",
        "UPDATE public.notes SET note = t.title FROM public.todos t WHERE t.id = 3",
        "UPDATE public.notes SET note = todos.title FROM public.todos WHERE todos.id = 3",
        "UPDATE public.todos SET owner = caller_id()",
        "UPDATE public.todos SET owner = caller_id() WHERE id = 3",
        "UPDATE public.todos SET title = title RETURNING title",
        "UPDATE public.todos SET id = id RETURNING *",
        "DELETE FROM public.todos WHERE id = 3 RETURNING title",
        "DELETE FROM public.todos WHERE id = 3 RETURNING *",
        "DELETE FROM public.notes RETURNING (SELECT max(title) FROM public.todos)",
        "INSERT INTO public.todos (id, owner) VALUES (3, caller_id()) ON CONFLICT (id) DO UPDATE SET owner = caller_id()",
        "INSERT INTO public.todos (id, owner) VALUES (3, caller_id()) ON CONFLICT (id) DO UPDATE SET owner = caller_id() RETURNING title",
        "INSERT INTO public.todos (id, owner) VALUES (3, caller_id()) ON CONFLICT (id) DO UPDATE SET title = excluded.title || todos.title",
        "INSERT INTO public.notes (id, note, owner) VALUES (1, 'x', caller_id()) ON CONFLICT (id) DO UPDATE SET note = (SELECT max(title) FROM public.todos)",
        "SELECT count(*) + max(length(title)) FROM public.todos",
        "VALUES ((SELECT max(title) FROM public.todos))",
        "SELECT max(title) OVER () FROM public.todos",
        "SELECT json_group_array(title) FROM public.todos",
    ];
    let sqlite = [
        "SELECT title FROM main.todos",
        "SELECT title FROM temp.todos, public.todos t2",
        "SELECT title FROM public.todos NOT INDEXED",
        "SELECT sql FROM sqlite_schema",
        "SELECT sql FROM public.sqlite_master",
        "SELECT name, sql FROM sqlite_temp_schema",
        "SELECT * FROM temp.sqlite_master",
        "SELECT * FROM pragma_table_list",
        "SELECT * FROM pragma_table_info('todos')",
        "SELECT * FROM dbstat",
        "SELECT * FROM sqlite_dbpage",
        "SELECT * FROM sqlite_stmt",
        "PRAGMA table_info(todos)",
        "EXPLAIN SELECT * FROM todos",
        "EXPLAIN QUERY PLAN SELECT * FROM todos",
        "SELECT policy FROM _atlashub_policies",
        "SELECT policy FROM public._atlashub_policies",
        "SELECT title FROM todos WHERE title MATCH (SELECT title FROM public.todos)",
        "UPDATE OR REPLACE public.todos SET id = 3",
        "INSERT OR REPLACE INTO public.todos (id, owner) VALUES (3, caller_id())",
        "REPLACE INTO public.todos (id, owner) VALUES (3, caller_id())",
        "REPLACE/**/INTO public.todos (id, owner) VALUES (3, caller_id())",
        "UPDATE public.notes SET note = (SELECT title FROM public.todos WHERE rowid = 3)",
        "SELECT rowid FROM public.todos",
        "SELECT id FROM public.todos",
        "SELECT count(*) FROM public.todos",
        "SELECT count(*) FROM main.todos",
        "SELECT count(*) FROM hidden",
        "WITH \"_atlashub_x\" AS (SELECT title FROM public.todos) SELECT * FROM \"_atlashub_x\"",
        "WITH [_ATLASHUB_x] AS (SELECT title FROM public.todos) SELECT * FROM [_ATLASHUB_x]",
        "WITH all_todos AS (SELECT title FROM public.todos) SELECT * FROM all_todos",
        "INSERT INTO public.notes (id, note, owner) SELECT rowid, rowid, caller_id() FROM public.todos",
        "UPDATE public.notes SET note = rowid WHERE EXISTS (SELECT 1 FROM public.todos WHERE rowid = 3)",
        "ATTACH 'file:/tmp/x' AS x",
        "SELECT load_extension('x')",
        "SELECT writefile('/tmp/x', title) FROM todos",
        "CREATE TEMP TRIGGER t AFTER INSERT ON public.notes BEGIN SELECT 1; END",
        "CREATE TEMP VIEW v AS SELECT * FROM public.todos",
        "CREATE TEMP TABLE v AS SELECT * FROM public.todos",
        "DROP VIEW todos",
        "DROP VIEW temp.todos",
        "DROP TRIGGER temp._atlashub_x",
    ];
    let postgres = [
        "TABLE public.todos",
        "COPY public.todos TO STDOUT",
        "EXPLAIN ANALYZE SELECT * FROM todos",
        "SELECT query_to_xml('SELECT * FROM public.todos', true, true, '')",
        "SELECT table_to_xml('public.todos', true, true, '')",
        "SELECT database_to_xml(true, true, '')",
        "SELECT * FROM pg_stats WHERE tablename = 'todos'",
        "SELECT * FROM pg_statistic",
        "DECLARE c CURSOR FOR SELECT * FROM todos",
        "SELECT * FROM todos FOR UPDATE",
        "SELECT title FROM ONLY public.todos",
        "SELECT ctid, * FROM public.todos",
        "SELECT * FROM public.todos TABLESAMPLE SYSTEM (100)",
        "MERGE INTO public.notes n USING public.todos t ON t.id = 3 WHEN MATCHED THEN UPDATE SET note = t.title",
        "WITH x AS (UPDATE public.todos SET owner = caller_id() RETURNING title) SELECT * FROM x",
        "WITH x AS (DELETE FROM public.todos RETURNING title) INSERT INTO public.notes (id, note, owner) SELECT 7, title, caller_id() FROM x",
        "SELECT pg_read_file('PG_VERSION')",
        "SELECT * FROM pg_policy",
        "SELECT CAST((SELECT max(title) FROM public.todos) AS integer)",
        "SELECT 1 / (SELECT count(*) FROM todos WHERE title = 'SECRET')",
    ];
    let own: &[&str] = if world.is_sqlite() {
        &sqlite
    } else {
        &postgres
    };
    for sql in common.iter().chain(own) {
        // Some are fine and show her own rows; she gets them back after.
        let learned = learns(&tables, &ana, sql).await;
        assert!(!learned.contains("SECRET"), "{sql}: {learned}");
        assert!(!learned.contains("_atlashub_0"), "{sql}: {learned}");
        let kept = tables
            .list(&tables.service(), "SELECT title FROM todos WHERE id = 3")
            .await;
        assert_eq!(kept, ["SECRET"], "{sql}");
        let owner = format!("SELECT id FROM todos WHERE owner = '{BEN}'");
        let owner = tables.list(&tables.service(), &owner).await;
        assert_eq!(owner, ["3"], "{sql}");
    }
    if world.is_sqlite() {
        // Not even how many there are.
        for sql in sqlite.iter().filter(|sql| sql.contains("public.todos")) {
            let counted = tables.query(&ana, sql, Vec::new()).await;
            if let Ok(rows) = counted {
                let shown = format!("{rows:?}");
                assert!(!shown.contains("Integer(3)"), "{sql}: {shown}");
            }
        }
    }
}

async fn who_calls_cannot_be_changed(world: World) {
    let tables = Tables(&world);
    with_secret(&tables).await;
    let ana = tables.user(ANA);
    let id = format!("{BEN}");
    for sql in [
        format!("SET atlashub.caller_id = '{id}'"),
        format!("; SET atlashub.caller_id = '{id}'"),
        format!("/**/ SET SESSION atlashub.caller_id TO '{id}'"),
        format!("(SET atlashub.caller_id = '{id}')"),
        format!("SELECT set_config('atlashub.caller_id', '{id}', false)"),
        format!("SELECT pg_catalog.set_config('atlashub.caller_id', '{id}', false)"),
        format!("SELECT U&\"s\\0065t_config\"('atlashub.caller_id', '{id}', false)"),
        format!(
            "WITH x AS (SELECT set_config('atlashub.caller_id', '{id}', false)) SELECT * FROM x"
        ),
        format!(
            "SELECT query_to_xml('SELECT set_config(''atlashub.caller_id'', ''{id}'', false)', true, true, '')"
        ),
        format!("SELECT query_to_xml('SET atlashub.caller_id = ''{id}''', true, true, '')"),
        format!("DO $$ BEGIN SET atlashub.caller_id = '{id}'; END $$"),
        format!("UPDATE pg_settings SET setting = '{id}' WHERE name = 'atlashub.caller_id'"),
        format!("ALTER ROLE CURRENT_USER SET atlashub.caller_id = '{id}'"),
        "RESET ALL".to_owned(),
        "DISCARD ALL".to_owned(),
        "SET ROLE NONE".to_owned(),
        "SET row_security = off".to_owned(),
        "RESET SESSION AUTHORIZATION".to_owned(),
        "PREPARE x AS SELECT 1".to_owned(),
        "SELECT caller_id(1)".to_owned(),
        "CREATE FUNCTION caller_id() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'".to_owned(),
        "SELECT pg_terminate_backend(pg_backend_pid())".to_owned(),
    ] {
        for _ in 0..2 {
            assert!(tables.query(&ana, &sql, Vec::new()).await.is_err(), "{sql}");
            assert!(
                tables.execute(&ana, &sql, Vec::new()).await.is_err(),
                "{sql}"
            );
        }
        assert_eq!(
            tables.list(&ana, "SELECT caller_id()").await,
            [ANA.to_string()],
            "{sql}"
        );
        let titles = tables.list(&ana, "SELECT title FROM todos").await;
        assert_eq!(titles.len(), 2, "{sql}");
    }
    // Many callers at once, over few connections.
    let mut asked = tokio::task::JoinSet::new();
    for number in 0..64 {
        let databases = world.databases.clone();
        let (access, expected) = match number % 3 {
            0 => (tables.user(ANA), ANA.to_string()),
            1 => (tables.user(BEN), BEN.to_string()),
            _ => (tables.anonymous(), "null".to_owned()),
        };
        asked.spawn(async move {
            for _ in 0..20 {
                let sql = "SELECT caller_id(), (SELECT count(*) FROM todos)";
                let rows = databases.query(&access, sql, Vec::new()).await.unwrap();
                let shown: Vec<String> = rows.rows[0].iter().map(crate::public::shown).collect();
                let count = match expected.as_str() {
                    "null" => "0",
                    id if id == ANA.to_string() => "2",
                    _ => "1",
                };
                assert_eq!(shown, [expected.as_str(), count]);
            }
        });
    }
    while let Some(done) = asked.join_next().await {
        done.unwrap();
    }
}

async fn a_table_that_has_nothing_but_its_key_is_read_by_its_policies(world: World) {
    let tables = Tables(&world);
    tables
        .change(&["CREATE TABLE numbers (id INTEGER PRIMARY KEY)"])
        .await
        .unwrap();
    let service = tables.service();
    let rows = "INSERT INTO public.numbers VALUES (1), (2), (3)";
    tables.run(&service, rows).await.unwrap();
    let ana = tables.user(ANA);
    let reads = [
        "SELECT id FROM numbers",
        "SELECT id FROM numbers ORDER BY id DESC LIMIT 1",
        "SELECT n.id FROM numbers n JOIN numbers o ON o.id = n.id",
    ];
    // Without a policy there is nothing, and no error either.
    for sql in reads {
        assert_eq!(tables.list(&ana, sql).await, Vec::<String>::new(), "{sql}");
    }
    assert_eq!(
        tables.list(&ana, "SELECT count(*) FROM numbers").await,
        ["0"]
    );
    let policy = serde_json::json!([{
        "name": "large", "roles": ["authenticated"], "actions": ["select", "delete"],
        "using": "id > 1",
    }]);
    tables.policies("numbers", policy).await.unwrap();
    assert_eq!(
        tables
            .list(&ana, "SELECT id FROM numbers ORDER BY id")
            .await,
        ["2", "3"]
    );
    assert_eq!(tables.list(&ana, reads[1]).await, ["3"]);
    assert_eq!(
        tables.list(&ana, "SELECT count(*) FROM numbers").await,
        ["2"]
    );
    // The table itself stays closed, as does what the policy hides.
    let hidden = "SELECT count(*) FROM public.numbers";
    match tables.query(&ana, hidden, Vec::new()).await {
        Ok(rows) => assert_eq!(rows.rows[0][0], SqlValue::Integer(2)),
        Err(error) => assert_eq!(error.code(), "sql_denied"),
    }
    let delete = format!(
        "DELETE FROM public.numbers {}",
        tables.rows_where("numbers", "id < 3")
    );
    assert_eq!(tables.run(&ana, &delete).await.unwrap(), 1);
    let left = tables.list(&service, "SELECT id FROM public.numbers ORDER BY id");
    assert_eq!(left.await, ["1", "3"]);
}
