//! The project's own tables: who reaches what, what they look like, and how
//! row policies bind.

use crate::{
    harness::{World, text},
    on_both_engines,
};
use atlashub_core::{
    Error, ProjectId, Result,
    capability::{
        database::{Access, BoundCaller, ColumnKind, Database as _, Reach, TableKind},
        sql::{SqlRows, SqlValue},
    },
};
use atlashub_data::project::public::{PolicyChange, RowPolicy};
use std::sync::Arc;
use uuid::Uuid;

on_both_engines!(
    servers_read_and_write_every_row,
    without_a_policy_there_are_no_rows,
    a_user_reaches_own_rows_alone,
    roles_decide_which_policies_hold,
    a_policy_that_makes_no_sense_is_named,
    policies_are_listed_and_replaced,
    policies_put_at_the_same_time_are_all_kept,
    tables_are_described,
    tables_are_described_as_of_one_moment,
    tables_are_changed_all_or_none,
    a_failure_has_the_number_that_postgres_gives,
    who_may_only_read_cannot_write,
    two_projects_share_nothing,
    transactions_keep_their_caller,
    views_show_what_their_caller_may_see,
);

/// The project's own tables in a test.
pub(crate) struct Tables<'a>(pub(crate) &'a World);

impl Tables<'_> {
    pub(crate) fn project(&self) -> ProjectId {
        self.0.scope.project
    }

    pub(crate) async fn change(&self, statements: &[&str]) -> Result<()> {
        let statements: Vec<String> = statements.iter().map(|sql| (*sql).to_owned()).collect();
        self.0
            .databases
            .change_tables(self.project(), &statements)
            .await
    }

    pub(crate) async fn policies(&self, table: &str, json: serde_json::Value) -> Result<()> {
        let policies: Vec<RowPolicy> = serde_json::from_value(json).unwrap();
        self.0
            .databases
            .change_row_policies(self.project(), table, PolicyChange::All(policies))
            .await
            .map(drop)
    }

    pub(crate) fn service(&self) -> Access {
        Access {
            project: self.project(),
            reach: Reach::Everything,
            write: true,
        }
    }

    pub(crate) fn anonymous(&self) -> Access {
        Access {
            reach: Reach::Policies(BoundCaller::anonymous()),
            ..self.service()
        }
    }

    pub(crate) fn user(&self, id: Uuid) -> Access {
        self.user_with(id, &[])
    }

    pub(crate) fn user_with(&self, id: Uuid, roles: &[&str]) -> Access {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        Access {
            reach: Reach::Policies(Arc::new(BoundCaller::user(id, roles))),
            ..self.service()
        }
    }

    pub(crate) async fn query(
        &self,
        access: &Access,
        sql: &str,
        values: Vec<SqlValue>,
    ) -> Result<SqlRows> {
        self.0.databases.query(access, sql, values).await
    }

    pub(crate) async fn execute(
        &self,
        access: &Access,
        sql: &str,
        values: Vec<SqlValue>,
    ) -> Result<u64> {
        self.0.databases.execute(access, sql, values).await
    }

    /// The texts or numbers of the first column.
    pub(crate) async fn list(&self, access: &Access, sql: &str) -> Vec<String> {
        let rows = self.query(access, sql, Vec::new()).await;
        let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        rows.rows.into_iter().map(|row| shown(&row[0])).collect()
    }

    pub(crate) async fn run(&self, access: &Access, sql: &str) -> Result<u64> {
        self.execute(access, sql, Vec::new()).await
    }

    pub(crate) async fn refused(&self, access: &Access, sql: &str) -> Error {
        match self.execute(access, sql, Vec::new()).await {
            Ok(_) => panic!("was not refused: {sql}"),
            Err(error) => error,
        }
    }

    /// Updates or deletes the rows for which `condition` holds, as each
    /// engine has it.
    pub(crate) fn rows_where(&self, table: &str, condition: &str) -> String {
        if self.0.is_sqlite() {
            format!("WHERE rowid IN (SELECT _rowid_ FROM {table} WHERE {condition})")
        } else {
            format!("WHERE {condition}")
        }
    }
}

pub(crate) fn shown(value: &SqlValue) -> String {
    match value {
        SqlValue::Null => "null".to_owned(),
        SqlValue::Boolean(value) => value.to_string(),
        SqlValue::Integer(value) => value.to_string(),
        SqlValue::Real(value) => value.to_string(),
        SqlValue::Text(value) => value.clone(),
        SqlValue::Blob(value) => format!("{value:?}"),
    }
}

pub(crate) const ANA: Uuid = Uuid::from_u128(0xa);
pub(crate) const BEN: Uuid = Uuid::from_u128(0xb);

/// Todos 1 and 2 of Ana, 3 of Ben; with `policies`.
pub(crate) async fn todos(tables: &Tables<'_>, policies: serde_json::Value) {
    tables
        .change(&[
            "CREATE TABLE todos (id INTEGER PRIMARY KEY, title TEXT NOT NULL DEFAULT 'new', \
             owner UUID, done BOOLEAN NOT NULL DEFAULT FALSE)",
        ])
        .await
        .unwrap();
    for (id, owner) in [(1, ANA), (2, ANA), (3, BEN)] {
        tables
            .execute(
                &tables.service(),
                "INSERT INTO public.todos (id, title, owner) VALUES ($1, $2, $3)",
                vec![
                    SqlValue::Integer(id),
                    text(&format!("todo {id}")),
                    text(&owner.to_string()),
                ],
            )
            .await
            .unwrap();
    }
    tables.policies("todos", policies).await.unwrap();
}

pub(crate) fn own_rows() -> serde_json::Value {
    serde_json::json!([{
        "name": "own", "roles": ["authenticated"],
        "actions": ["select", "insert", "update", "delete"],
        "using": {"owner": "owner"},
    }])
}

const IDS: &str = "SELECT id FROM todos ORDER BY id";

async fn servers_read_and_write_every_row(world: World) {
    let tables = Tables(&world);
    todos(&tables, serde_json::json!([])).await;
    let service = tables.service();
    assert_eq!(tables.list(&service, IDS).await, ["1", "2", "3"]);
    let update = format!(
        "UPDATE public.todos SET title = 'x' {}",
        tables.rows_where("todos", "id > 1")
    );
    assert_eq!(tables.run(&service, &update).await.unwrap(), 2);
    assert_eq!(
        tables.list(&service, "SELECT caller_role()").await,
        ["service"]
    );
    let rows = tables
        .query(
            &service,
            "INSERT INTO public.todos (id) VALUES (9) RETURNING id, title",
            Vec::new(),
        )
        .await
        .unwrap();
    assert_eq!(rows.rows, [[SqlValue::Integer(9), text("new")]]);
}

async fn without_a_policy_there_are_no_rows(world: World) {
    let tables = Tables(&world);
    todos(&tables, serde_json::json!([])).await;
    for access in [tables.anonymous(), tables.user(ANA)] {
        assert!(tables.list(&access, IDS).await.is_empty());
        assert_eq!(
            tables.list(&access, "SELECT count(*) FROM todos").await,
            ["0"]
        );
        let refused = tables
            .refused(&access, "INSERT INTO public.todos (id) VALUES (9)")
            .await;
        assert_eq!(refused.code(), "sql_policy", "{refused:?}");
        let update = "UPDATE public.todos SET title = 'mine'";
        assert_eq!(tables.run(&access, update).await.unwrap(), 0);
        assert_eq!(
            tables
                .run(&access, "DELETE FROM public.todos")
                .await
                .unwrap(),
            0
        );
    }
    assert_eq!(tables.list(&tables.service(), IDS).await, ["1", "2", "3"]);
}

async fn a_user_reaches_own_rows_alone(world: World) {
    let tables = Tables(&world);
    todos(&tables, own_rows()).await;
    let (ana, ben) = (tables.user(ANA), tables.user(BEN));
    assert_eq!(tables.list(&ana, IDS).await, ["1", "2"]);
    assert_eq!(tables.list(&ben, IDS).await, ["3"]);
    assert_eq!(tables.list(&ana, IDS).await, ["1", "2"]);
    assert!(tables.list(&tables.anonymous(), IDS).await.is_empty());
    let insert = |id: i64, owner: Uuid| {
        format!("INSERT INTO public.todos (id, owner) VALUES ({id}, '{owner}')")
    };
    assert_eq!(tables.run(&ana, &insert(4, ANA)).await.unwrap(), 1);
    let refused = tables.refused(&ana, &insert(5, BEN)).await;
    assert_eq!(refused.code(), "sql_policy");
    assert_eq!(refused.kind().status(), 403);
    assert!(refused.message().contains("`todos`"), "{refused:?}");
    // Giving a row away is refused, another's is passed over.
    let give = format!(
        "UPDATE public.todos SET owner = '{BEN}' {}",
        tables.rows_where("todos", "id = 1")
    );
    assert_eq!(tables.refused(&ana, &give).await.code(), "sql_policy");
    assert_eq!(
        tables
            .run(&ben, "UPDATE public.todos SET title = 'b'")
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        tables.run(&ben, "DELETE FROM public.todos").await.unwrap(),
        1
    );
    assert_eq!(tables.list(&tables.service(), IDS).await, ["1", "2", "4"]);
    let titles = "SELECT title FROM todos WHERE title = 'b'";
    assert!(tables.list(&tables.service(), titles).await.is_empty());
    // A parameter is a value, and nothing else.
    let rows = tables
        .query(
            &ana,
            "SELECT id FROM todos WHERE title = $1",
            vec![text("' OR 1 = 1 --")],
        )
        .await
        .unwrap();
    assert!(rows.rows.is_empty());
    for (sql, expected) in [
        ("SELECT caller_id()", ANA.to_string()),
        ("SELECT caller_role()", "authenticated".to_owned()),
    ] {
        assert_eq!(tables.list(&ana, sql).await, [expected]);
    }
}

async fn roles_decide_which_policies_hold(world: World) {
    let tables = Tables(&world);
    todos(
        &tables,
        serde_json::json!([
            {"name": "first", "roles": ["anon"], "actions": ["select"], "using": "id = 1"},
            {"name": "own", "roles": ["authenticated"], "actions": ["select"], "using": {"owner": "owner"}},
            {"name": "all", "roles": ["editor", "chief"], "actions": ["select", "update"], "using": true},
            {"name": "add", "roles": ["*"], "actions": ["insert"], "check": "done = FALSE AND owner IS NULL"},
        ]),
    )
    .await;
    assert_eq!(tables.list(&tables.anonymous(), IDS).await, ["1"]);
    assert_eq!(tables.list(&tables.user(BEN), IDS).await, ["3"]);
    let editor = tables.user_with(BEN, &["editor"]);
    assert_eq!(tables.list(&editor, IDS).await, ["1", "2", "3"]);
    let stranger = tables.user_with(BEN, &["editors", "it's"]);
    assert_eq!(tables.list(&stranger, IDS).await, ["3"]);
    let update = "UPDATE public.todos SET title = 'x'";
    assert_eq!(tables.run(&editor, update).await.unwrap(), 3);
    assert_eq!(tables.run(&stranger, update).await.unwrap(), 0);
    let anonymous = tables.anonymous();
    tables
        .run(&anonymous, "INSERT INTO public.todos (id) VALUES (7)")
        .await
        .unwrap();
    let done = "INSERT INTO public.todos (id, done) VALUES (8, TRUE)";
    assert_eq!(tables.refused(&anonymous, done).await.code(), "sql_policy");
    let claims = "SELECT caller_has_role('editor'), caller_has_role('anon')";
    let rows = tables.query(&editor, claims, Vec::new()).await.unwrap();
    let truths: Vec<String> = rows.rows[0].iter().map(shown).collect();
    assert!(
        truths == ["true", "false"] || truths == ["1", "0"],
        "{truths:?}"
    );
}

async fn a_policy_that_makes_no_sense_is_named(world: World) {
    let tables = Tables(&world);
    todos(&tables, own_rows()).await;
    for using in [
        serde_json::json!("nothing = 1"),
        serde_json::json!("id ="),
        serde_json::json!("id IN (SELECT id FROM nowhere)"),
        serde_json::json!({"owner": "nobody"}),
    ] {
        let error = tables
            .policies(
                "todos",
                serde_json::json!([
                    {"name": "good", "roles": ["*"], "actions": ["select"], "using": true},
                    {"name": "bad one", "roles": ["*"], "actions": ["select", "insert"], "using": using},
                ]),
            )
            .await
            .unwrap_err();
        assert_eq!(error.code(), "invalid_policy", "{error:?}");
        assert!(error.message().contains("`bad one`"), "{error:?}");
    }
    // The ones before still hold.
    assert_eq!(tables.list(&tables.user(BEN), IDS).await, ["3"]);
    let nowhere = tables.policies("nowhere", own_rows()).await.unwrap_err();
    assert_eq!(nowhere.code(), "not_found");
}

async fn policies_are_listed_and_replaced(world: World) {
    let tables = Tables(&world);
    todos(&tables, own_rows()).await;
    let listed = |name: &'static str| {
        let world = &world;
        async move {
            let policies = world
                .databases
                .row_policies(world.scope.project, name)
                .await;
            serde_json::to_value(policies.unwrap()).unwrap()
        }
    };
    let own = listed("todos").await;
    assert_eq!(own[0]["using"], serde_json::json!({"owner": "owner"}));
    let other = serde_json::json!([
        {"name": "it's \"all\"".replace(['\'', '"'], "-"), "roles": ["*"], "actions": ["select"], "using": "title <> 'it''s'"},
    ]);
    tables.policies("todos", other.clone()).await.unwrap();
    assert_eq!(listed("todos").await, other);
    assert_eq!(tables.list(&tables.anonymous(), IDS).await.len(), 3);
    tables
        .policies("todos", serde_json::json!([]))
        .await
        .unwrap();
    assert!(tables.list(&tables.anonymous(), IDS).await.is_empty());
    // A table of the same name later on does not inherit them.
    tables.policies("todos", other).await.unwrap();
    tables.change(&["DROP TABLE todos"]).await.unwrap();
    tables
        .change(&["CREATE TABLE todos (id BIGINT PRIMARY KEY, title TEXT)"])
        .await
        .unwrap();
    assert_eq!(listed("todos").await, serde_json::json!([]));
}

async fn policies_put_at_the_same_time_are_all_kept(world: World) {
    const MANY: usize = 12;
    let tables = Tables(&world);
    todos(&tables, serde_json::json!([])).await;
    let named = |name: &str, title: &str| -> RowPolicy {
        let policy = serde_json::json!({
            "name": name, "roles": ["*"], "actions": ["select", "update"],
            "using": format!("title <> '{title}'"),
        });
        serde_json::from_value(policy).unwrap()
    };
    let change = |change| {
        world
            .databases
            .change_row_policies(tables.project(), "todos", change)
    };
    let names: Vec<String> = (0..MANY).map(|number| format!("p{number:02}")).collect();
    let puts = names
        .iter()
        .map(|name| change(PolicyChange::Put(named(name, "a"))));
    for is_new in futures::future::join_all(puts).await {
        assert!(is_new.unwrap());
    }
    // Half are changed and half are removed, again at the same time.
    let again = names.iter().enumerate().map(|(number, name)| {
        change(if number % 2 == 0 {
            PolicyChange::Put(named(&name.to_uppercase(), "b"))
        } else {
            PolicyChange::Remove(name.clone())
        })
    });
    for is_new in futures::future::join_all(again).await {
        assert!(!is_new.unwrap());
    }
    let kept = world
        .databases
        .row_policies(tables.project(), "todos")
        .await;
    let kept: Vec<String> = kept.unwrap().into_iter().map(|own| own.name).collect();
    let expected: Vec<String> = names
        .iter()
        .step_by(2)
        .map(|name| name.to_uppercase())
        .collect();
    assert_eq!(kept, expected);
    let gone = change(PolicyChange::Remove("p01".to_owned())).await;
    assert_eq!(gone.unwrap_err().code(), "not_found");
}

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

async fn who_may_only_read_cannot_write(world: World) {
    let tables = Tables(&world);
    todos(
        &tables,
        serde_json::json!([
            {"name": "all", "roles": ["*"], "actions": ["select", "insert", "update", "delete"], "using": true},
        ]),
    )
    .await;
    for mut access in [tables.service(), tables.user(ANA), tables.anonymous()] {
        // A session that could write is not to be taken for one that cannot.
        tables
            .run(&access, "UPDATE public.todos SET done = FALSE")
            .await
            .unwrap();
        access.write = false;
        assert_eq!(tables.list(&access, IDS).await, ["1", "2", "3"]);
        for sql in [
            "DELETE FROM public.todos",
            "INSERT INTO public.todos (id) VALUES (9)",
            "UPDATE public.todos SET title = 'x'",
        ] {
            assert_eq!(tables.refused(&access, sql).await.code(), "sql_denied");
            assert!(tables.query(&access, sql, Vec::new()).await.is_err());
        }
        let mut transaction = world.databases.begin(&access).await.unwrap();
        let rows = transaction.query(IDS, Vec::new()).await.unwrap();
        assert_eq!(rows.rows.len(), 3);
        assert!(
            transaction
                .execute("DELETE FROM public.todos", Vec::new())
                .await
                .is_err()
        );
    }
    assert_eq!(tables.list(&tables.service(), IDS).await, ["1", "2", "3"]);
}

async fn two_projects_share_nothing(world: World) {
    let tables = Tables(&world);
    todos(&tables, own_rows()).await;
    let other = ProjectId::new();
    world.databases.provision(other).await.unwrap();
    let there = Access {
        project: other,
        ..tables.service()
    };
    let missing = tables.query(&there, IDS, Vec::new()).await.unwrap_err();
    assert_eq!(missing.code(), "sql_syntax");
    let make = ["CREATE TABLE todos (id INTEGER PRIMARY KEY, owner UUID)".to_owned()];
    world.databases.change_tables(other, &make).await.unwrap();
    assert!(tables.list(&there, IDS).await.is_empty());
    let insert = format!("INSERT INTO public.todos VALUES (10, '{ANA}')");
    tables.run(&there, &insert).await.unwrap();
    let ana_there = Access {
        project: other,
        ..tables.user(ANA)
    };
    assert!(tables.list(&ana_there, IDS).await.is_empty());
    assert_eq!(tables.list(&there, IDS).await, ["10"]);
    assert_eq!(tables.list(&tables.user(ANA), IDS).await, ["1", "2"]);
    assert_eq!(tables.list(&tables.service(), IDS).await, ["1", "2", "3"]);
    let nowhere = Access {
        project: ProjectId::new(),
        ..tables.service()
    };
    let error = tables.query(&nowhere, IDS, Vec::new()).await.unwrap_err();
    assert_eq!(error.code(), "not_found");
}

async fn transactions_keep_their_caller(world: World) {
    let tables = Tables(&world);
    todos(&tables, own_rows()).await;
    let databases = &world.databases;
    let mut transaction = databases.begin(&tables.user(ANA)).await.unwrap();
    let insert = format!("INSERT INTO public.todos (id, owner) VALUES (4, '{ANA}')");
    assert_eq!(transaction.execute(&insert, Vec::new()).await.unwrap(), 1);
    // Others ask meanwhile.
    assert_eq!(tables.list(&tables.user(BEN), IDS).await, ["3"]);
    let rows = transaction.query(IDS, Vec::new()).await.unwrap();
    assert_eq!(rows.rows.len(), 3);
    let insert = format!("INSERT INTO public.todos (id, owner) VALUES (5, '{BEN}')");
    let refused = transaction.execute(&insert, Vec::new()).await.unwrap_err();
    assert_eq!(refused.code(), "sql_policy");
    drop(transaction);
    assert_eq!(tables.list(&tables.user(ANA), IDS).await, ["1", "2"]);
    let mut transaction = databases.begin(&tables.user(BEN)).await.unwrap();
    transaction
        .execute("DELETE FROM public.todos", Vec::new())
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(tables.list(&tables.service(), IDS).await, ["1", "2"]);
}

async fn views_show_what_their_caller_may_see(world: World) {
    let tables = Tables(&world);
    todos(&tables, own_rows()).await;
    tables
        .change(&["CREATE VIEW titles (t) AS SELECT title FROM todos"])
        .await
        .unwrap();
    let titles = "SELECT t FROM titles ORDER BY t";
    assert_eq!(tables.list(&tables.service(), titles).await.len(), 3);
    assert_eq!(tables.list(&tables.user(BEN), titles).await, ["todo 3"]);
    assert!(tables.list(&tables.anonymous(), titles).await.is_empty());
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
