//! Attempts to change rows that policies hide, and what may change them:
//! triggers, foreign keys, and the policies themselves.

use crate::{
    harness::World,
    on_both_engines,
    policies_on_reads::{learns, with_secret},
    public::{ANA, BEN, Tables, own_rows},
};
use atlashub_core::capability::database::Database as _;

on_both_engines!(
    no_statement_writes_what_is_hidden,
    nothing_but_rows_can_be_touched,
    the_admins_triggers_run_and_are_no_hole,
    foreign_keys_carry_changes_on,
    changed_tables_and_policies_hold_at_once,
);

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
