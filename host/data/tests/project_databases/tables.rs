//! The project's own tables: who reaches what, and how row policies bind.

use crate::{
    harness::{World, text},
    on_both_engines,
    public::{ANA, BEN, Tables, own_rows, shown, todos},
};
use atlashub_core::{
    ProjectId,
    capability::{
        database::{Access, Database as _},
        sql::SqlValue,
    },
};
use atlashub_data::project::public::{PolicyChange, RowPolicy};
use uuid::Uuid;

on_both_engines!(
    servers_read_and_write_every_row,
    without_a_policy_there_are_no_rows,
    a_user_reaches_own_rows_alone,
    roles_decide_which_policies_hold,
    a_policy_that_makes_no_sense_is_named,
    policies_are_listed_and_replaced,
    policies_put_at_the_same_time_are_all_kept,
    who_may_only_read_cannot_write,
    two_projects_share_nothing,
    transactions_keep_their_caller,
    views_show_what_their_caller_may_see,
);

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
