//! Errors: one shape everywhere, and nothing of the inside.

use crate::backups::{backups, made, run_ended};
use atlashub_tests::{RawConnection, Reply, shared};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn every_answer_carries_a_request_id_of_its_own() {
    let admin = shared().await.admin();
    let project = admin.project_with(&["hello"]).await;
    let mut ids = Vec::new();
    for reply in [
        project.get("/hello").await,
        project.get("/hello").await,
        project.get("/nothing").await,
        admin.get("/admin/v1/projects").await,
        admin.anonymous().get("/admin/v1/projects").await,
        admin.get("/healthz").await,
    ] {
        let id = reply.header("x-request-id").to_owned();
        assert!(id.len() >= 16, "`{id}` is no request id");
        assert!(!ids.contains(&id), "the request id {id} came twice");
        ids.push(id);
    }
}

#[tokio::test]
async fn an_admin_call_without_credentials_is_401() {
    let admin = shared().await.admin().anonymous();
    for path in ["/admin/v1/projects", "/admin/v1/plugins", "/admin/v1/audit"] {
        admin.get(path).await.expect_problem(401);
    }
}

#[tokio::test]
async fn a_wrong_development_token_is_401() {
    let admin = shared().await.admin().anonymous();
    let request = admin
        .request(Method::GET, "/admin/v1/projects")
        .header("x-dev-admin-token", "wrong");
    Reply::to(request).await.expect_problem(401);
}

#[tokio::test]
async fn a_body_that_is_not_json_is_400() {
    let admin = shared().await.admin();
    let request = admin
        .request(Method::POST, "/admin/v1/projects")
        .header("content-type", "application/json")
        .body("{\"name\":");
    Reply::to(request).await.expect_problem(400);
}

#[tokio::test]
async fn a_name_that_cannot_be_is_422_and_says_what_to_change() {
    let admin = shared().await.admin();
    for slug in ["", "A", "a b", "-a", "a--b", "admin", "x/y", "ä"] {
        let reply = admin
            .post("/admin/v1/projects", json!({"name": "N", "slug": slug}))
            .await;
        reply.expect_problem(422);
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(
            detail.len() > 15,
            "`{detail}` says too little about `{slug}`"
        );
    }
}

#[tokio::test]
async fn a_slug_that_is_taken_is_409() {
    let admin = shared().await.admin();
    let project = admin.project().await;
    let body = json!({"name": "Again", "slug": project.slug});
    admin
        .post("/admin/v1/projects", body)
        .await
        .expect_problem(409);
}

#[tokio::test]
async fn an_unknown_admin_address_is_404_and_a_wrong_method_405() {
    let admin = shared().await.admin();
    admin
        .get("/admin/v1/no-such-thing")
        .await
        .expect_problem(404);
    admin
        .get("/admin/v1/projects/no-such-project")
        .await
        .expect_problem(404);
    admin
        .put("/admin/v1/projects", json!({}))
        .await
        .expect_problem(405);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_and_the_server_goes_on() {
    let server = shared().await;
    let mut connection = RawConnection::to(server).await;
    let filler = "x".repeat(1024 * 1024);
    let head = format!("GET /healthz HTTP/1.1\r\nhost: a\r\nx-filler: {filler}\r\n\r\n");
    // The server may answer and close before it has read everything.
    let _ = connection.try_send(head.as_bytes()).await;
    drop(connection);
    let _ = server.admin().get("/healthz").await.expect(200);
}

#[tokio::test]
async fn whoever_is_refused_while_still_sending_reads_why() {
    let server = shared().await;
    let admin = server.admin();
    let project = admin.project_with(&["files"]).await;
    let quota = format!("/admin/v1/projects/{}/quota", project.slug);
    let small = json!({"storage_bytes": 1000});
    let _ = admin.put(&quota, small).await.expect(200);
    let body = vec![b'x'; 16 * 1024 * 1024];
    let own = format!("x-api-key: {}", project.secret);
    for (path, header, status) in [
        ("/files/upload", "x-api-key: sk_nobodys", 401),
        ("/files/upload", own.as_str(), 413),
        ("/no/such/route", own.as_str(), 404),
    ] {
        let mut connection = RawConnection::to(server).await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\n{header}\r\nfile-path: a.txt\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        connection.send(&head).await;
        // All of it is taken, though nobody wants it.
        connection.try_send(&body).await.expect("send the body");
        let answer = connection.read_all().await;
        let answer = String::from_utf8_lossy(&answer);
        let begins = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&begins), "{path} {header}: {answer}");
        assert!(answer.contains("application/problem+json"), "{answer}");
        // Or the client would send its next request into a connection that ends.
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn a_refusal_whose_body_has_come_leaves_the_connection_to_the_next_request() {
    let server = shared().await;
    let mut connection = RawConnection::to(server).await;
    connection
        .send(
            "POST /files/upload HTTP/1.1\r\nhost: a\r\nx-api-key: sk_nobodys\r\n\
             content-length: 5\r\n\r\nhello\
             GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        )
        .await;
    let answers = connection.read_all().await;
    let answers = String::from_utf8_lossy(&answers);
    let (refused, healthy) = answers
        .split_once("HTTP/1.1 200 ")
        .unwrap_or_else(|| panic!("no second answer after {answers}"));
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    assert!(!refused.contains("connection: close"), "{refused}");
    assert!(!healthy.contains("HTTP/1.1"), "{healthy}");
}

#[tokio::test]
async fn a_list_is_paged_by_cursor_without_gaps_or_repeats() {
    let admin = shared().await.admin();
    let project = admin.project().await;
    let path = format!("/admin/v1/projects/{}/keys", project.slug);
    for number in 0..5 {
        let body = json!({"kind": "secret", "name": format!("key {number}")});
        let _ = admin.post(&path, body).await.expect(201);
    }
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = admin
            .get(&format!("{path}?limit=3{cursor}"))
            .await
            .expect(200)
            .json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 3, "{page}");
        ids.extend(
            items
                .iter()
                .map(|item| item["id"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(
        (count, ids.len()),
        (7, 7),
        "two keys came with the project, five were made"
    );
}

#[tokio::test]
async fn the_same_post_with_the_same_idempotency_key_happens_once() {
    let admin = shared().await.admin();
    let slug = atlashub_tests::unique("once");
    let send = |body: serde_json::Value| {
        let request = admin.request(Method::POST, "/admin/v1/projects");
        Reply::to(request.header("idempotency-key", slug.clone()).json(&body))
    };
    let body = json!({"name": "Once", "slug": slug});
    let (first, second) = (
        send(body.clone()).await.expect(201),
        send(body).await.expect(201),
    );
    assert_eq!(first.body, second.body);
    send(json!({"name": "Twice", "slug": slug}))
        .await
        .expect_problem(422);
}

#[tokio::test]
async fn a_user_and_a_role_that_are_made_twice_with_one_key_are_made_once() {
    let admin = shared().await.admin();
    let (project, other) = (admin.project().await, admin.project().await);
    let key = atlashub_tests::unique("key");
    for (what, body, another) in [
        (
            "users",
            json!({"email": "once@example.com"}),
            json!({"email": "twice@example.com"}),
        ),
        ("roles", json!({"name": "once"}), json!({"name": "twice"})),
    ] {
        let key = format!("{key}-{what}");
        let path = format!("/admin/v1/projects/{}/{what}", project.slug);
        let send = |request: reqwest::RequestBuilder, body: &serde_json::Value| {
            Reply::to(request.header("idempotency-key", &key).json(body))
        };
        let by_admin = || admin.request(Method::POST, &path);
        let first = send(by_admin(), &body).await.expect(201);
        let again = send(by_admin(), &body).await.expect(201);
        assert_eq!(first.body, again.body);
        assert_eq!(again.header("idempotent-replayed"), "true");
        assert_eq!(
            send(by_admin(), &another).await.expect_problem(422),
            "idempotency_key_reused"
        );
        // Another project, another caller: another call.
        let there = format!("/admin/v1/projects/{}/{what}", other.slug);
        let there = admin.request(Method::POST, &there);
        let made = send(there, &body).await.expect(201);
        assert_eq!(made.header("idempotent-replayed"), "");
        let server_path = format!("/v1/auth/admin/{what}");
        let by_server = || project.request(Method::POST, &server_path);
        assert_eq!(send(by_server(), &body).await.status, 409);
        let made = send(by_server(), &another).await.expect(201);
        let again = send(by_server(), &another).await.expect(201);
        assert_eq!(made.body, again.body);
    }
}

#[tokio::test]
async fn a_post_to_any_plugin_happens_once_with_one_key() {
    let project = shared().await.admin().project_with(&["files"]).await;
    let (first, second) = (project.sign_up().await, project.sign_up().await);
    let key = atlashub_tests::unique("once");
    let send = |request: reqwest::RequestBuilder, body: serde_json::Value| {
        Reply::to(request.header("idempotency-key", &key).json(&body))
    };
    let folders = |user: &atlashub_tests::User| user.request(Method::POST, "/folders");
    let plans = || json!({"name": "plans"});
    let made = send(folders(&first), plans()).await.expect(201);
    let again = send(folders(&first), plans()).await.expect(201);
    assert_eq!(made.body, again.body);
    assert_eq!(again.header("location"), made.header("location"));
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(made.header("idempotent-replayed"), "");
    let other = send(folders(&first), json!({"name": "other"})).await;
    assert_eq!(other.expect_problem(422), "idempotency_key_reused");
    // Another caller's is another key; so is a server's.
    let theirs = send(folders(&second), plans()).await.expect(201);
    assert_ne!(theirs.json()["id"], made.json()["id"]);
    let servers = send(project.request(Method::POST, "/folders"), plans()).await;
    assert_ne!(servers.expect(201).json()["id"], made.json()["id"]);
    // What was refused may be tried again.
    let key = atlashub_tests::unique("refused");
    let send = |body: serde_json::Value| {
        let request = first.request(Method::POST, "/folders");
        Reply::to(request.header("idempotency-key", &key).json(&body))
    };
    assert_eq!(send(plans()).await.expect_problem(409), "path_taken");
    let _ = send(json!({"name": "free"})).await.expect(201);
    let bad = first.request(Method::POST, "/folders");
    let bad = bad
        .header("idempotency-key", "x".repeat(256))
        .json(&plans());
    let code = Reply::to(bad).await.expect_problem(400);
    assert_eq!(code, "invalid_idempotency_key");
}

#[tokio::test]
async fn of_many_posts_at_once_with_one_key_one_happens() {
    let project = shared().await.admin().project_with(&["files"]).await;
    let key = atlashub_tests::unique("race");
    let sent = futures::future::join_all((0..12).map(|_| {
        let request = project.request(Method::POST, "/folders");
        Reply::to(
            request
                .header("idempotency-key", &key)
                .json(&json!({"name": "one"})),
        )
    }))
    .await;
    let mut bodies = Vec::new();
    for reply in sent {
        match reply.status {
            201 => bodies.push(reply.body),
            _ => assert_eq!(reply.expect_problem(409), "request_running"),
        }
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
}

#[tokio::test]
async fn invitations_tables_queries_and_app_passwords_are_made_once_with_one_key() {
    let admin = shared().await.admin();
    let project = admin.project().await;
    let user = project.sign_up().await;
    let base = format!("/admin/v1/projects/{}", project.slug);
    let invited = format!("{}@example.com", atlashub_tests::unique("once"));
    let table = |name: &str| {
        json!({"name": name, "columns": [
            {"name": "id", "type": "bigint", "primary_key": true},
        ]})
    };
    let by_admin = |path: String| admin.request(Method::POST, &path);
    let calls: [(&str, Box<dyn Fn() -> reqwest::RequestBuilder>, _, _); 4] = [
        (
            "invitations",
            Box::new(|| by_admin("/admin/v1/invitations".to_owned())),
            json!({"email": invited, "role": "viewer"}),
            json!({"email": format!("not-{invited}"), "role": "viewer"}),
        ),
        (
            "tables",
            Box::new(|| by_admin(format!("{base}/tables"))),
            table("once"),
            table("twice"),
        ),
        (
            "sql-saved",
            Box::new(|| by_admin(format!("{base}/sql/saved"))),
            json!({"name": "once", "sql": "SELECT 1"}),
            json!({"name": "twice", "sql": "SELECT 2"}),
        ),
        (
            "app-passwords",
            Box::new(|| user.request(Method::POST, "/v1/auth/app-passwords")),
            json!({"name": "once"}),
            json!({"name": "twice"}),
        ),
    ];
    for (what, request, body, another) in calls {
        let key = atlashub_tests::unique(what);
        let send = |body: &serde_json::Value| {
            Reply::to(request().header("idempotency-key", &key).json(body))
        };
        let first = send(&body).await.expect(201);
        let again = send(&body).await.expect(201);
        assert_eq!(first.body, again.body, "{what}");
        assert_eq!(again.header("idempotent-replayed"), "true", "{what}");
        assert_eq!(
            again.header("cache-control"),
            first.header("cache-control"),
            "{what}"
        );
        let code = send(&another).await.expect_problem(422);
        assert_eq!(code, "idempotency_key_reused", "{what}");
    }
    let made = user.get("/v1/auth/app-passwords").await.expect(200).json();
    assert_eq!(made["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_test_and_a_restore_of_a_backup_begin_once_with_one_key() {
    let admin = shared().await.admin();
    let project = admin.project().await;
    let backup = made(&admin, &project).await;
    let slug = atlashub_tests::unique("once");
    for (what, body) in [
        ("verify", json!({})),
        ("restore", json!({"new": {"slug": slug}})),
    ] {
        let path = backups(&project, &format!("/{backup}/{what}"));
        let key = atlashub_tests::unique(what);
        let send = || {
            let request = admin.request(Method::POST, &path);
            Reply::to(request.header("idempotency-key", &key).json(&body))
        };
        let first = send().await.expect(202);
        let again = send().await.expect(202);
        assert_eq!(first.body, again.body, "{what}");
        assert_eq!(again.header("idempotent-replayed"), "true", "{what}");
        let run = run_ended(&admin, first.json()).await;
        assert_eq!(run["state"], "done", "{run}");
        // Also when it is over.
        assert_eq!(send().await.expect(202).body, again.body, "{what}");
    }
}
