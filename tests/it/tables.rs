//! A project's tables through the admin interface: made, altered, looked into,
//! put under policies, and written down as migrations.

use atlashub_tests::{Admin, Engine, Project, TestServer, shared};
use serde_json::{Value, json};

/// The address of a project's tables.
fn tables(project: &Project, rest: &str) -> String {
    format!("/admin/v1/projects/{}/tables{rest}", project.slug)
}

async fn todos(admin: &Admin) -> Project {
    let project = admin.project().await;
    let table = json!({
        "name": "todos",
        "columns": [
            {"name": "id", "type": "uuid", "primary_key": true, "default": {"function": "uuid"}},
            {"name": "owner", "type": "uuid"},
            {"name": "title", "type": "text", "nullable": false},
            {"name": "done", "type": "boolean", "nullable": false, "default": {"value": false}},
            {"name": "made_at", "type": "timestamp", "nullable": false, "default": {"function": "now"}},
        ],
        "indexes": [{"columns": ["title"]}],
    });
    let made = admin
        .post(&tables(&project, ""), table)
        .await
        .expect(201)
        .json();
    assert_eq!(made["row_estimate"], 0, "{made}");
    assert_eq!(made["policies"], json!([]), "{made}");
    project
}

async fn migrations(admin: &Admin, project: &Project) -> Vec<Value> {
    let path = format!("/admin/v1/projects/{}/migrations", project.slug);
    let list = admin.get(&path).await.expect(200).json();
    list["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_table_is_made_looked_at_and_altered() {
    let admin = shared().await.admin();
    let project = todos(&admin).await;
    let table = admin
        .get(&tables(&project, "/todos"))
        .await
        .expect(200)
        .json();
    let kinds: Vec<&str> = table["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| column["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["uuid", "uuid", "text", "boolean", "timestamp"]);
    assert_eq!(table["primary_key"], json!(["id"]));
    let changes = json!({"changes": [
        {"op": "add_column", "column": {"name": "points", "type": "integer", "nullable": false, "default": {"value": 1}, "unique": false}},
        {"op": "alter_column", "column": "title", "nullable": true},
        {"op": "rename", "to": "tasks"},
    ]});
    let altered = admin
        .patch(&tables(&project, "/todos"), changes)
        .await
        .expect(200)
        .json();
    assert_eq!(altered["name"], "tasks");
    assert_eq!(altered["columns"][2]["nullable"], true);
    assert_eq!(altered["columns"][5]["name"], "points");
    admin
        .get(&tables(&project, "/todos"))
        .await
        .expect_problem(404);
    let list = admin.get(&tables(&project, "")).await.expect(200).json();
    assert_eq!(list["items"][0]["name"], "tasks");
    let twice = json!({"name": "tasks", "columns": [{"name": "id", "type": "integer"}]});
    let code = admin
        .post(&tables(&project, ""), twice)
        .await
        .expect_problem(409);
    assert_eq!(code, "table_exists");
}

#[tokio::test]
async fn keys_are_changed_alike_on_both_engines() {
    let admin = shared().await.admin();
    let project = admin.project().await;
    for table in [
        json!({"name": "people", "unique": [["name", "team"]], "columns": [
            {"name": "id", "type": "bigint", "primary_key": true},
            {"name": "email", "type": "text", "unique": true},
            {"name": "name", "type": "text"},
            {"name": "team", "type": "text"},
        ]}),
        json!({"name": "notes", "columns": [
            {"name": "id", "type": "bigint", "primary_key": true},
            {"name": "email", "type": "text", "references": {"table": "people", "column": "email"}},
        ]}),
    ] {
        let _ = admin.post(&tables(&project, ""), table).await.expect(201);
    }
    let insert = "INSERT INTO people VALUES (1, 'a@example.com', 'Ada', 'red'), \
                  (2, 'b@example.com', 'Bob', 'red')";
    crate::sql_editor::write(&admin, &project, insert).await;
    let alter = async |table: &str, change: Value| {
        let path = tables(&project, &format!("/{table}"));
        admin.patch(&path, json!({"changes": [change]})).await
    };
    // A foreign key needs the column to be unique.
    let drop_email = json!({"op": "drop_unique", "columns": ["email"]});
    let refused = alter("people", drop_email.clone()).await;
    assert_eq!(refused.expect_problem(409), "key_in_use");
    let key = json!({"op": "drop_foreign_key", "name": "notes_email_fkey"});
    let _ = alter("notes", key).await.expect(200);
    let _ = alter("people", drop_email.clone()).await.expect(200);
    assert_eq!(
        alter("people", drop_email).await.expect_problem(404),
        "not_found"
    );
    // In any order.
    let pair = json!({"op": "drop_unique", "columns": ["team", "name"]});
    let _ = alter("people", pair).await.expect(200);
    let twice = "INSERT INTO people VALUES (3, 'b@example.com', 'Bob', 'red')";
    crate::sql_editor::write(&admin, &project, twice).await;
    // Rows that are there decide.
    let unique = json!({"op": "add_unique", "columns": ["email"]});
    let refused = alter("people", unique.clone()).await;
    assert_eq!(refused.expect_problem(409), "sql_constraint_unique");
    let taken = json!({"op": "set_primary_key", "columns": ["email"]});
    let refused = alter("people", taken.clone()).await;
    assert_eq!(refused.expect_problem(409), "sql_constraint_unique");
    crate::sql_editor::write(&admin, &project, "DELETE FROM people WHERE id = 3").await;
    let _ = alter("people", unique).await.expect(200);
    let altered = alter("people", taken).await.expect(200).json();
    assert_eq!(altered["primary_key"], json!(["email"]));
    for column in altered["columns"].as_array().unwrap() {
        let expected = ["name", "team"].contains(&column["name"].as_str().unwrap());
        assert_eq!(column["nullable"], expected, "{column}");
    }
    let both = json!({"op": "set_primary_key", "columns": ["team", "id"]});
    let altered = alter("people", both).await.expect(200).json();
    assert_eq!(altered["primary_key"], json!(["team", "id"]));
    let rows = admin
        .get(&tables(&project, "/people/rows"))
        .await
        .expect(200)
        .json();
    assert_eq!(rows["rows"].as_array().unwrap().len(), 2, "{rows}");
    let unknown = json!({"op": "set_primary_key", "columns": ["nothing"]});
    let refused = alter("people", unknown).await;
    assert!([404, 422].contains(&refused.status), "{}", refused.text());
}

#[tokio::test]
async fn a_table_goes_only_when_its_name_is_said_again() {
    let admin = shared().await.admin();
    let project = todos(&admin).await;
    for wrong in ["/todos", "/todos?confirm=other"] {
        let code = admin
            .delete(&tables(&project, wrong))
            .await
            .expect_problem(422);
        assert_eq!(code, "confirmation_needed");
    }
    let _ = admin
        .delete(&tables(&project, "/todos?confirm=todos"))
        .await
        .expect(204);
    let again = admin
        .delete(&tables(&project, "/todos?confirm=todos"))
        .await;
    again.expect_problem(404);
}

#[tokio::test]
async fn every_change_is_a_numbered_migration_with_its_author() {
    let admin = shared().await.admin();
    let project = todos(&admin).await;
    let change = json!({"changes": [{"op": "add_column", "column": {"name": "note", "type": "text", "unique": true}}]});
    let _ = admin
        .patch(&tables(&project, "/todos"), change)
        .await
        .expect(200);
    // What is refused leaves none.
    let bad = json!({"changes": [{"op": "drop_index", "name": "nothing"}]});
    admin
        .patch(&tables(&project, "/todos"), bad)
        .await
        .expect_problem(404);
    let all = migrations(&admin, &project).await;
    assert_eq!(all.len(), 2, "{all:?}");
    for (number, migration) in (1..).zip(&all) {
        assert_eq!(migration["number"], number);
        assert_eq!(migration["digest"].as_str().unwrap().len(), 64);
        assert!(!migration["applied_at"].is_null() && !migration["actor"].is_null());
    }
    assert!(
        all[0]["sql"].as_str().unwrap().starts_with("CREATE TABLE"),
        "{}",
        all[0]
    );
    let path = format!("/admin/v1/projects/{}/migrations.sql", project.slug);
    let file = admin.get(&path).await.expect(200);
    assert!(file.header("content-type").starts_with("application/sql"));
    let text = file.text();
    assert!(
        text.contains("-- 2: alter table todos") && text.ends_with('\n'),
        "{text}"
    );
    let path = format!("/admin/v1/audit?project={}&action=table.*", project.slug);
    let audit = admin.get(&path).await.expect(200).json();
    let actions: Vec<&str> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["table.alter", "table.create"]);
}

#[tokio::test]
async fn a_definition_that_makes_no_sense_is_refused_in_words() {
    let admin = shared().await.admin();
    let project = admin.project().await;
    for (table, status) in [
        (json!({"name": "x"}), 422),
        (json!({"name": "x", "columns": []}), 422),
        (
            json!({"name": "x", "columns": [{"name": "a", "type": "colour"}]}),
            422,
        ),
        (
            json!({"name": "x\"; DROP TABLE y; --", "columns": [{"name": "a", "type": "text"}]}),
            422,
        ),
        (
            json!({"name": "x", "columns": [{"name": "a", "type": "text", "check": "1); DROP TABLE y; --"}]}),
            422,
        ),
    ] {
        admin
            .post(&tables(&project, ""), table)
            .await
            .expect_problem(status);
    }
    assert!(migrations(&admin, &project).await.is_empty());
    admin
        .get("/admin/v1/projects/nowhere/tables")
        .await
        .expect_problem(404);
}

#[tokio::test]
async fn rows_are_shown_with_filters_order_and_pages() {
    let admin = shared().await.admin();
    let project = todos(&admin).await;
    let sql = format!("/admin/v1/projects/{}/sql", project.slug);
    for title in ["a", "b", "c,d"] {
        let body = json!({"sql": "INSERT INTO todos (title) VALUES ($1)", "params": [title], "mode": "write"});
        let _ = admin.post(&sql, body).await.expect(200);
    }
    let page = admin
        .get(&tables(&project, "/todos/rows?order=title.desc&limit=2"))
        .await
        .expect(200)
        .json();
    let title = |page: &Value, row: usize| page["rows"][row][2].clone();
    assert_eq!(
        (title(&page, 0), title(&page, 1)),
        (json!("c,d"), json!("b"))
    );
    assert_eq!(page["rows"][0][3], false, "{page}");
    assert_eq!(page["next_offset"], 2);
    let rest = admin
        .get(&tables(
            &project,
            "/todos/rows?order=title.desc&limit=2&offset=2",
        ))
        .await
        .expect(200)
        .json();
    assert_eq!(title(&rest, 0), "a");
    assert!(rest["next_offset"].is_null());
    let found = admin
        .get(&tables(
            &project,
            "/todos/rows?filter=title.eq.c%5C,d,owner.is.null",
        ))
        .await
        .expect(200)
        .json();
    assert_eq!(found["rows"].as_array().unwrap().len(), 1, "{found}");
    let code = admin
        .get(&tables(&project, "/todos/rows?filter=nothing.eq.1"))
        .await
        .expect_problem(422);
    assert_eq!(code, "invalid_filter");
}

#[tokio::test]
async fn policies_are_set_one_by_one_and_refused_with_a_reason() {
    let admin = shared().await.admin();
    let project = todos(&admin).await;
    let path = |name: &str| tables(&project, &format!("/todos/policies{name}"));
    let own = json!({"actions": ["select", "update"], "roles": ["authenticated"], "using": {"owner": "owner"}});
    let _ = admin.put(&path("/own"), own.clone()).await.expect(201);
    let _ = admin.put(&path("/own"), own.clone()).await.expect(200);
    let all = json!({"actions": ["select"], "roles": ["*"], "using": "done = true"});
    let all = if Engine::of_this_run().serves_many_nodes() {
        all
    } else {
        json!({"actions": ["select"], "roles": ["*"], "using": "done = 1"})
    };
    let _ = admin.put(&path("/done"), all).await.expect(201);
    for bad in [
        json!({"actions": ["select"], "roles": ["*"], "using": "nothing = 1"}),
        json!({"actions": ["select"], "roles": ["*"], "using": "true) OR (true"}),
        json!({"actions": ["read"], "roles": ["*"], "using": true}),
        json!({"actions": ["select"], "roles": [], "using": true}),
        json!({"actions": ["select"], "roles": ["*"], "using": {"column": "owner"}}),
    ] {
        let reply = admin.put(&path("/done"), bad.clone()).await;
        assert_eq!(reply.expect_problem(422), "invalid_policy", "{bad}");
    }
    let list = admin.get(&path("")).await.expect(200).json();
    let names: Vec<&str> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|policy| policy["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["done", "own"]);
    assert_eq!(list["items"][1]["using"], json!({"owner": "owner"}));
    let _ = admin.delete(&path("/done")).await.expect(204);
    admin.delete(&path("/done")).await.expect_problem(404);
    let nowhere = tables(&project, "/nowhere/policies");
    admin.get(&nowhere).await.expect_problem(404);
}

#[tokio::test]
async fn tables_are_for_admins_alone() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let project = todos(&admin).await;
    let nobody = admin.anonymous();
    nobody.get(&tables(&project, "")).await.expect_problem(401);
    nobody
        .delete(&tables(&project, "/todos?confirm=todos"))
        .await
        .expect_problem(401);
    let sql = format!("/admin/v1/projects/{}/sql", project.slug);
    nobody
        .post(&sql, json!({"sql": "SELECT 1"}))
        .await
        .expect_problem(401);
    // A project's own keys are no admin's.
    let keyed = project.get(&tables(&project, "")).await;
    keyed.expect_problem(401);
}
