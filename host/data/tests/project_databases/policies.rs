//! Attempts to reach rows that policies hide: none may lead anywhere,
//! whatever the statement says.

use crate::{
    harness::World,
    on_both_engines,
    tables::{ANA, BEN, Tables, own_rows, todos},
};
use atlashub_core::capability::database::{Access, Database as _};

on_both_engines!(
    no_statement_reads_what_is_hidden,
    no_statement_writes_what_is_hidden,
    nothing_but_rows_can_be_touched,
    who_calls_cannot_be_changed,
    the_admins_triggers_run_and_are_no_hole,
    foreign_keys_carry_changes_on,
    changed_tables_and_policies_hold_at_once,
);

/// Ben's row has a title that nobody else may learn.
async fn with_secret(tables: &Tables<'_>) {
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
async fn learns(tables: &Tables<'_>, access: &Access, sql: &str) -> String {
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

async fn no_statement_writes_what_is_hidden(world: World) {
    let tables = Tables(&world);
    with_secret(&tables).await;
    let ana = tables.user(ANA);
    let common = [
        "DELETE FROM public.todos WHERE id = 3",
        "DELETE FROM public.hidden",
        "DELETE FROM public.all_todos WHERE id = 3",
        "UPDATE public.all_todos SET title = 'x' WHERE id = 3",
        "UPDATE public.todos SET title = 'x' WHERE id = 3",
        "UPDATE public.hidden SET title = 'x'",
        "INSERT INTO public.hidden VALUES (2, 'x')",
        "INSERT INTO public.todos (id, owner) VALUES (9, NULL)",
        "INSERT INTO public.todos (id) SELECT 9",
        "INSERT INTO public.todos (id, owner) VALUES (3, caller_id())",
        "INSERT INTO public.todos (id, owner) VALUES (3, caller_id()) ON CONFLICT DO NOTHING",
        "INSERT INTO public.todos (id, owner) VALUES (3, caller_id()) ON CONFLICT (id) DO UPDATE SET title = 'x'",
        "INSERT INTO public.todos DEFAULT VALUES",
    ];
    let sqlite = [
        "DELETE FROM public.todos WHERE rowid = 3",
        "UPDATE public.todos SET title = 'x' WHERE rowid = 3",
        "UPDATE OR IGNORE public.todos SET id = 3 WHERE rowid = 1",
        "UPDATE OR REPLACE public.todos SET id = 3 WHERE rowid = 1",
        "INSERT OR REPLACE INTO public.todos (id, owner) VALUES (3, caller_id())",
        "INSERT OR IGNORE INTO public.todos (id, owner) VALUES (9, NULL)",
        "INSERT OR FAIL INTO public.todos (id, owner) VALUES (9, NULL)",
        "INSERT OR ROLLBACK INTO public.todos (id, owner) VALUES (9, NULL)",
        "INSERT INTO main.todos (id, owner) VALUES (9, NULL)",
        "INSERT INTO todos (id, title, owner) VALUES (9, 'x', caller_id())",
        "DELETE FROM todos",
        "UPDATE todos SET title = 'x'",
        "DELETE FROM sqlite_schema",
        "DELETE FROM public._atlashub_policies",
        "UPDATE temp.sqlite_schema SET sql = ''",
        "INSERT INTO sqlite_sequence VALUES ('todos', 99)",
        "DELETE FROM public.todos ORDER BY rowid LIMIT 1",
    ];
    let postgres = [
        "TRUNCATE public.todos",
        "LOCK TABLE public.todos",
        "DELETE FROM public.todos USING public.notes WHERE todos.id = 3",
        "UPDATE public.todos SET title = 'x' FROM public.notes WHERE todos.id = 3",
        "WITH x AS (DELETE FROM public.todos WHERE id = 3 RETURNING 1) SELECT * FROM x",
        "SELECT setval('pg_class_oid_index', 1)",
    ];
    let before = everything(&tables).await;
    let own: &[&str] = if world.is_sqlite() {
        &sqlite
    } else {
        &postgres
    };
    for sql in common.iter().chain(own) {
        let _ = tables.execute(&ana, sql, Vec::new()).await;
        let _ = tables.query(&ana, sql, Vec::new()).await;
        assert_eq!(everything(&tables).await, before, "{sql}");
    }
    let anonymous = tables.anonymous();
    for sql in common {
        let _ = tables.execute(&anonymous, sql, Vec::new()).await;
        assert_eq!(everything(&tables).await, before, "{sql}");
    }
}

async fn everything(tables: &Tables<'_>) -> Vec<Vec<String>> {
    let service = tables.service();
    let mut found = Vec::new();
    for sql in [
        "SELECT id || title || CAST(owner AS TEXT) FROM todos ORDER BY id",
        "SELECT id || title FROM hidden ORDER BY id",
        "SELECT id || note || CAST(owner AS TEXT) FROM notes ORDER BY id",
    ] {
        found.push(tables.list(&service, sql).await);
    }
    found
}

async fn nothing_but_rows_can_be_touched(world: World) {
    let tables = Tables(&world);
    with_secret(&tables).await;
    let found = world.databases.describe(tables.project()).await.unwrap();
    for access in [tables.user(ANA), tables.anonymous(), tables.service()] {
        for sql in [
            "CREATE TABLE more (id BIGINT)",
            "CREATE TABLE public.more AS SELECT 1",
            "CREATE TEMP TABLE more (id BIGINT)",
            "CREATE VIEW more AS SELECT 1",
            "CREATE INDEX more ON todos (title)",
            "ALTER TABLE public.todos ADD COLUMN more TEXT",
            "ALTER TABLE public.todos RENAME TO more",
            "DROP TABLE public.todos",
            "DROP TABLE todos",
            "BEGIN",
            "COMMIT",
            "SAVEPOINT a",
            "VACUUM",
            "ANALYZE",
            "REINDEX",
            "SELECT 1; DELETE FROM public.todos",
            "DELETE FROM public.todos WHERE id = 99; DELETE FROM public.todos",
            ";DELETE FROM public.todos; SELECT 1",
            "GRANT ALL ON public.todos TO PUBLIC",
            "CREATE POLICY more ON public.todos USING (true)",
            "DROP POLICY \"ah/own/select\" ON public.todos",
            "ALTER TABLE public.todos DISABLE ROW LEVEL SECURITY",
            "SELECT * INTO public.more FROM todos",
            "CREATE FUNCTION more() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE TRIGGER more AFTER INSERT ON public.todos BEGIN SELECT 1; END",
            "",
            "-- nothing",
        ] {
            let error = tables.refused(&access, sql).await;
            assert!(
                ["sql_denied", "sql_syntax", "sql_failed"].contains(&error.code()),
                "{sql}: {error:?}"
            );
        }
    }
    assert_eq!(
        found,
        world.databases.describe(tables.project()).await.unwrap()
    );
    assert_eq!(
        tables
            .list(&tables.service(), "SELECT count(*) FROM todos")
            .await,
        ["3"]
    );
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
                let shown: Vec<String> = rows.rows[0].iter().map(crate::tables::shown).collect();
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

async fn the_admins_triggers_run_and_are_no_hole(world: World) {
    let tables = Tables(&world);
    with_secret(&tables).await;
    let triggers: &[&str] = if world.is_sqlite() {
        &[
            "CREATE TRIGGER touch AFTER UPDATE OF title ON todos BEGIN \
             UPDATE todos SET done = TRUE WHERE id = NEW.id; END",
            "CREATE TRIGGER noting AFTER INSERT ON todos BEGIN \
             INSERT INTO notes (note, owner) VALUES ('made ' || NEW.title, NEW.owner); END",
            "CREATE TRIGGER spread AFTER INSERT ON notes BEGIN \
             UPDATE todos SET title = NEW.note WHERE NEW.note = 'spread'; END",
        ]
    } else {
        &[
            "CREATE SEQUENCE note_ids START 100",
            "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.done = TRUE; RETURN NEW; END $$",
            "CREATE TRIGGER touch BEFORE UPDATE OF title ON todos FOR EACH ROW EXECUTE FUNCTION touch()",
            "CREATE FUNCTION noting() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             INSERT INTO notes (id, note, owner) VALUES (nextval('note_ids'), 'made ' || NEW.title, NEW.owner); RETURN NULL; END $$",
            "CREATE TRIGGER noting AFTER INSERT ON todos FOR EACH ROW EXECUTE FUNCTION noting()",
            "CREATE FUNCTION spread() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             UPDATE todos SET title = NEW.note WHERE NEW.note = 'spread'; RETURN NULL; END $$",
            "CREATE TRIGGER spread AFTER INSERT ON notes FOR EACH ROW EXECUTE FUNCTION spread()",
        ]
    };
    tables.change(triggers).await.unwrap();
    let ana = tables.user(ANA);
    let update = format!(
        "UPDATE public.todos SET title = 'touched' {}",
        tables.rows_where("todos", "id = 1")
    );
    assert_eq!(tables.run(&ana, &update).await.unwrap(), 1);
    let touched = "SELECT id FROM todos WHERE done = TRUE";
    assert_eq!(tables.list(&tables.service(), touched).await, ["1"]);
    tables
        .run(
            &ana,
            "INSERT INTO public.todos (id, title, owner) VALUES (8, 'eight', caller_id())",
        )
        .await
        .unwrap();
    let notes = "SELECT note FROM notes WHERE note LIKE 'made%'";
    assert_eq!(tables.list(&ana, notes).await, ["made eight"]);
    // What a trigger writes is bound like its caller.
    tables
        .run(
            &ana,
            "INSERT INTO public.notes (id, note, owner) VALUES (50, 'spread', caller_id())",
        )
        .await
        .unwrap();
    let spread = "SELECT id FROM todos WHERE title = 'spread' ORDER BY id";
    assert_eq!(
        tables.list(&tables.service(), spread).await,
        ["1", "2", "8"]
    );
    for sql in [
        "WITH touch AS (SELECT title FROM public.todos) SELECT * FROM touch",
        "WITH noting AS (SELECT title FROM public.todos) INSERT INTO public.notes (id, note, owner) \
         SELECT 60, max(title), caller_id() FROM noting",
    ] {
        let learned = learns(&tables, &ana, sql).await;
        assert!(!learned.contains("SECRET"), "{sql}: {learned}");
    }
}

async fn foreign_keys_carry_changes_on(world: World) {
    let tables = Tables(&world);
    tables
        .change(&[
            "CREATE TABLE lists (id INTEGER PRIMARY KEY, owner UUID)",
            "CREATE TABLE items (id INTEGER PRIMARY KEY, \
             list INTEGER NOT NULL REFERENCES lists ON DELETE CASCADE ON UPDATE CASCADE, owner UUID)",
            "CREATE TABLE marks (id INTEGER PRIMARY KEY, \
             list INTEGER REFERENCES lists ON DELETE SET NULL, owner UUID)",
            "CREATE TABLE holds (id INTEGER PRIMARY KEY, list INTEGER REFERENCES lists)",
        ])
        .await
        .unwrap();
    for table in ["lists", "items", "marks"] {
        tables.policies(table, own_rows()).await.unwrap();
    }
    let service = tables.service();
    for sql in [
        format!(
            "INSERT INTO public.lists VALUES (1, '{ANA}'), (2, '{ANA}'), (3, '{BEN}'), (4, '{ANA}')"
        ),
        format!(
            "INSERT INTO public.items VALUES (10, 1, '{ANA}'), (11, 1, '{BEN}'), (12, 2, '{BEN}')"
        ),
        format!("INSERT INTO public.marks VALUES (20, 1, '{BEN}'), (21, 2, '{ANA}')"),
        "INSERT INTO public.holds VALUES (30, 4)".to_owned(),
    ] {
        tables.run(&service, &sql).await.unwrap();
    }
    let ana = tables.user(ANA);
    // She cannot remove Ben's rows, but the key does with her list.
    assert_eq!(
        tables
            .run(&ana, "DELETE FROM public.items WHERE TRUE")
            .await
            .unwrap(),
        1
    );
    let gone = format!(
        "DELETE FROM public.lists {}",
        tables.rows_where("lists", "id = 1")
    );
    assert_eq!(tables.run(&ana, &gone).await.unwrap(), 1);
    let moved = format!(
        "UPDATE public.lists SET id = 9 {}",
        tables.rows_where("lists", "id = 2")
    );
    let moves = tables.run(&ana, &moved).await;
    // Mark 21 refers to it, and its key does not follow.
    assert_eq!(moves.unwrap_err().code(), "sql_constraint");
    tables
        .run(&service, "DELETE FROM public.marks WHERE id = 21")
        .await
        .unwrap();
    assert_eq!(tables.run(&ana, &moved).await.unwrap(), 1);
    let items = "SELECT id || ' ' || list FROM items";
    assert_eq!(tables.list(&service, items).await, ["12 9"]);
    let marks = "SELECT id FROM marks WHERE list IS NULL";
    assert_eq!(tables.list(&service, marks).await, ["20"]);
    // A key to a list that she cannot see holds all the same.
    let insert = |list: i64| {
        format!(
            "INSERT INTO public.items (id, list, owner) VALUES (40 + {list}, {list}, caller_id())"
        )
    };
    assert_eq!(tables.run(&ana, &insert(3)).await.unwrap(), 1);
    assert_eq!(
        tables.refused(&ana, &insert(77)).await.code(),
        "sql_constraint"
    );
    let held = format!(
        "DELETE FROM public.lists {}",
        tables.rows_where("lists", "id = 4")
    );
    assert_eq!(tables.refused(&ana, &held).await.code(), "sql_constraint");
}

async fn changed_tables_and_policies_hold_at_once(world: World) {
    let tables = Tables(&world);
    with_secret(&tables).await;
    let ana = tables.user(ANA);
    let select = "SELECT * FROM todos ORDER BY 1";
    let count = "SELECT count(*) FROM todos";
    assert_eq!(tables.list(&ana, count).await, ["2"]);
    let closed = serde_json::json!([]);
    let open = serde_json::json!([
        {"name": "all", "roles": ["*"], "actions": ["select", "insert", "update", "delete"], "using": true},
    ]);
    for _ in 0..3 {
        tables.policies("todos", open.clone()).await.unwrap();
        assert_eq!(tables.list(&ana, count).await, ["3"]);
        assert_eq!(
            tables
                .run(&ana, "UPDATE public.todos SET done = FALSE")
                .await
                .unwrap(),
            3
        );
        tables.policies("todos", closed.clone()).await.unwrap();
        assert_eq!(tables.list(&ana, count).await, ["0"]);
        assert_eq!(
            tables
                .run(&ana, "UPDATE public.todos SET done = FALSE")
                .await
                .unwrap(),
            0
        );
    }
    tables.policies("todos", own_rows()).await.unwrap();
    let before = tables.query(&ana, select, Vec::new()).await.unwrap();
    tables
        .change(&[
            "ALTER TABLE todos ADD COLUMN more TEXT DEFAULT 'm'",
            "CREATE TABLE later (id INTEGER PRIMARY KEY, title TEXT)",
        ])
        .await
        .unwrap();
    tables
        .run(
            &tables.service(),
            "INSERT INTO public.later VALUES (1, 'SECRET')",
        )
        .await
        .unwrap();
    let after = tables.query(&ana, select, Vec::new()).await.unwrap();
    assert_eq!(after.columns.len(), before.columns.len() + 1);
    assert_eq!(after.rows.len(), 2);
    assert!(
        tables
            .list(&ana, "SELECT title FROM later")
            .await
            .is_empty()
    );
    tables.change(&["DROP TABLE later"]).await.unwrap();
    let gone = tables
        .query(&ana, "SELECT title FROM later", Vec::new())
        .await
        .unwrap_err();
    assert_eq!(gone.code(), "sql_syntax", "{gone:?}");
}
