//! What a plugin may not reach: addresses, tables, objects, the machine, other
//! callers' and other projects' things.

use super::Pair;
use atlashub_tests::{Project, Reply};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_host_that_was_not_granted_is_out_of_reach() {
    let pair = Pair::in_shared().await;
    for host in [
        "example.com",
        "hello.internal.example.com",
        "files.internal",
    ] {
        let reply = pair
            .guilty
            .get(&format!("/misbehave/call?url=http%3A%2F%2F{host}%2F"))
            .await;
        assert_ne!(reply.status, 200, "{host} was reached: {}", reply.text());
    }
    let granted = pair
        .guilty
        .get("/misbehave/call?url=http%3A%2F%2Fhello.internal%2Fhello")
        .await;
    assert_eq!(granted.expect(200).json()["status"], 200);
}

#[tokio::test]
async fn plugins_that_call_each_other_come_to_the_deepest_call() {
    let pair = Pair::in_shared().await;
    let depth = pair.guilty.get("/misbehave/depth").await.expect(200);
    assert_eq!(depth.text(), "8");
}

#[tokio::test]
async fn sql_ends_at_the_plugins_own_schema() {
    let pair = Pair::in_shared().await;
    pair.admin.enable(&pair.guilty, "files").await;
    let _ = pair.guilty.upload("there.txt", "x").await.expect_success();
    for statement in [
        "SELECT * FROM files.objects",
        "SELECT * FROM hello.things",
        "ATTACH DATABASE 'x.db' AS x",
        "PRAGMA database_list",
        "SELECT * FROM pg_shadow",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_sleep(100)",
        "COPY (SELECT 1) TO '/tmp/x'",
        "SET ROLE postgres",
        "CREATE ROLE evil",
        "DROP SCHEMA files CASCADE",
        "SELECT load_extension('x')",
        "SELECT 1; SELECT 2",
    ] {
        let encoded: String = statement
            .bytes()
            .map(|byte| format!("%{byte:02X}"))
            .collect();
        for method in [Method::GET, Method::POST] {
            let path = format!("/misbehave/sql?statement={encoded}");
            let reply = Reply::to(pair.guilty.request(method, &path)).await;
            assert_ne!(reply.status, 200, "`{statement}` was run: {}", reply.text());
        }
    }
    let list = pair.guilty.get("/files").await.expect(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_transaction_that_is_left_open_is_rolled_back() {
    let pair = Pair::in_shared().await;
    let run = |method: Method, route: &'static str, statement: &str| {
        let encoded: String = statement
            .bytes()
            .map(|byte| format!("%{byte:02X}"))
            .collect();
        Reply::to(
            pair.guilty
                .request(method, &format!("/misbehave/{route}?statement={encoded}")),
        )
    };
    let _ = run(Method::POST, "sql", "CREATE TABLE misbehave.t (n integer)")
        .await
        .expect(200);
    let _ = run(
        Method::GET,
        "sql-transaction",
        "INSERT INTO misbehave.t VALUES (1)",
    )
    .await
    .expect(200);
    let left = run(Method::GET, "sql", "SELECT count(*) FROM misbehave.t")
        .await
        .expect(200);
    assert!(left.text().contains("(0)"), "{}", left.text());
    let _ = run(Method::POST, "sql", "INSERT INTO misbehave.t VALUES (2)")
        .await
        .expect(200);
}

#[tokio::test]
async fn objects_of_another_project_are_out_of_reach() {
    let pair = Pair::in_shared().await;
    let send = |project: &Project, method: Method, path: &str| {
        Reply::to(project.request(method, path).body("secret"))
    };
    let _ = send(&pair.neighbour, Method::POST, "/misbehave/object?key=mine")
        .await
        .expect(200);
    let _ = send(
        &pair.neighbour,
        Method::POST,
        "/misbehave/kv?key=mine&value=v",
    )
    .await
    .expect(200);
    assert_eq!(
        send(&pair.neighbour, Method::GET, "/misbehave/object?key=mine")
            .await
            .expect(200)
            .text(),
        "secret"
    );
    let foreign = format!("t/{}", pair.neighbour.id);
    for key in [
        "mine".to_owned(),
        format!("../{}/private/mine", pair.neighbour.id),
        format!("../../{foreign}/private/mine"),
        format!("{foreign}/private/mine"),
        format!("/{foreign}/private/mine"),
        format!("..%5C..%5C{foreign}%5Cmine"),
        "%2E%2E%2F%2E%2E%2Fmine".to_owned(),
        "./mine".to_owned(),
    ] {
        for path in [
            format!("/misbehave/object?key={key}"),
            format!("/misbehave/object/serve?key={key}"),
        ] {
            let reply = send(&pair.guilty, Method::GET, &path).await;
            assert!(!reply.text().contains("secret"), "{path} was read");
        }
        let _ = send(
            &pair.guilty,
            Method::DELETE,
            &format!("/misbehave/object?key={key}"),
        )
        .await;
        let path = format!("/misbehave/object/sign?key={key}");
        let signed = send(&pair.guilty, Method::GET, &path).await;
        if let Ok(link) = signed.text().parse::<reqwest::Url>() {
            let behind = Reply::to(reqwest::Client::builder().build().unwrap().get(link)).await;
            assert!(!behind.text().contains("secret"), "{path} leads to it");
        }
        let _ = send(
            &pair.guilty,
            Method::GET,
            &format!("/misbehave/objects?key={key}"),
        )
        .await;
    }
    let list = send(&pair.guilty, Method::GET, "/misbehave/objects")
        .await
        .expect(200);
    assert!(!list.text().contains("mine"), "{}", list.text());
    assert_ne!(
        send(&pair.guilty, Method::GET, "/misbehave/kv?key=mine")
            .await
            .text(),
        "v"
    );
    let other_bucket = send(
        &pair.guilty,
        Method::GET,
        "/misbehave/objects?bucket=uploads",
    )
    .await;
    assert_ne!(
        other_bucket.status, 200,
        "a bucket without a grant was listed"
    );
    assert_eq!(
        send(&pair.neighbour, Method::GET, "/misbehave/object?key=mine")
            .await
            .expect(200)
            .text(),
        "secret"
    );
}

#[tokio::test]
async fn a_plugin_finds_nothing_of_the_machine() {
    let pair = Pair::in_shared().await;
    let found = pair
        .guilty
        .get("/misbehave/machine")
        .await
        .expect(200)
        .json();
    for name in ["files", "addresses", "environment"] {
        assert_eq!(found[name], json!([]), "{found}");
    }
    assert_eq!(found["listens"], false, "{found}");
}

#[tokio::test]
async fn a_plugin_learns_who_calls_but_not_with_which_key() {
    let pair = Pair::in_shared().await;
    let told = pair
        .guilty
        .get("/misbehave/request?a=1")
        .await
        .expect(200)
        .json();
    assert_eq!(told["project"]["slug"], pair.guilty.slug, "{told}");
    assert_eq!(told["target"], "/misbehave/request?a=1", "{told}");
    assert!(
        !told.to_string().contains(&pair.guilty.secret),
        "the plugin sees the key"
    );
    assert_eq!(
        pair.guilty
            .get("/misbehave/config")
            .await
            .expect(200)
            .json(),
        json!({})
    );
    let echo = Reply::to(
        pair.guilty
            .request(Method::POST, "/misbehave/echo")
            .body("echo"),
    )
    .await;
    assert_eq!(echo.expect(200).text(), "echo");
}

#[tokio::test]
async fn instances_are_reused_in_one_project_and_never_across_two() {
    let pair = Pair::in_shared().await;
    let mut most = 0;
    for _ in 0..50 {
        let served: u32 = pair
            .guilty
            .get("/misbehave/served")
            .await
            .expect(200)
            .text()
            .parse()
            .unwrap();
        most = most.max(served);
    }
    assert!(most > 1, "no instance served twice");
    let neighbour = pair.neighbour.get("/misbehave/served").await.expect(200);
    assert_eq!(neighbour.text(), "1", "an instance served two projects");
    let alone = json!({"limits": {"isolation": "request"}});
    let _ = pair
        .admin
        .install(&pair.guilty, "misbehave", alone)
        .await
        .expect(200);
    for _ in 0..5 {
        assert_eq!(
            pair.guilty
                .get("/misbehave/served")
                .await
                .expect(200)
                .text(),
            "1"
        );
    }
}
