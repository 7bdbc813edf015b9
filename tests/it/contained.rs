//! Plugins that misbehave: each hurts only itself. Every route of the fixture
//! `misbehave`, and every fixture written as text, is named here.

use atlashub_tests::{
    Admin, Project, Reply, TestServer, fixture, fixture_names, misbehave_routes, shared, unique,
    until, wat, wat_names,
};
use futures::StreamExt as _;
use reqwest::Method;
use serde_json::json;
use std::time::{Duration, Instant};

/// What a client saw of an answer: its status, unless none came, the bytes
/// that came, and whether the answer came to its end.
#[derive(Debug)]
struct Seen {
    status: u16,
    bytes: usize,
    whole: bool,
}

/// Asks, and reads at most 4 MiB.
async fn look(project: &Project, method: Method, path: &str) -> Seen {
    let Ok(response) = project.request(method, path).send().await else {
        return Seen {
            status: 0,
            bytes: 0,
            whole: false,
        };
    };
    let status = response.status().as_u16();
    let mut stream = response.bytes_stream();
    let mut bytes = 0;
    while let Some(piece) = stream.next().await {
        match piece {
            Ok(piece) => bytes += piece.len(),
            Err(_) => {
                return Seen {
                    status,
                    bytes,
                    whole: false,
                };
            }
        }
        if bytes > 4 * 1024 * 1024 {
            return Seen {
                status,
                bytes,
                whole: false,
            };
        }
    }
    Seen {
        status,
        bytes,
        whole: true,
    }
}

/// A project with the fixture, and a neighbour that must not notice.
struct Pair {
    admin: Admin,
    guilty: Project,
    neighbour: Project,
}

impl Pair {
    async fn in_shared() -> Self {
        Self::on(shared().await).await
    }

    async fn on(server: &TestServer) -> Self {
        let admin = server.admin();
        let _ = admin
            .upload(fixture("misbehave"), None)
            .await
            .expect_success();
        let guilty = admin.project_with(&["hello", "misbehave"]).await;
        let neighbour = admin.project_with(&["hello", "misbehave"]).await;
        Self {
            admin,
            guilty,
            neighbour,
        }
    }

    /// Asks for `path` in the guilty project while the neighbour goes on
    /// being asked; fails unless all of the neighbour's answers are right.
    async fn misbehave(&self, method: Method, path: &str) -> Seen {
        let ended = std::sync::atomic::AtomicBool::new(false);
        let misbehave = async {
            let seen = look(&self.guilty, method, path).await;
            ended.store(true, std::sync::atomic::Ordering::Relaxed);
            seen
        };
        let watch = async {
            loop {
                let start = Instant::now();
                let reply = self.neighbour.get("/hello").await.expect(200);
                assert_eq!(reply.json(), json!({"message": "hello"}));
                assert!(
                    start.elapsed() < Duration::from_secs(5),
                    "the neighbour waited"
                );
                if ended.load(std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
            }
        };
        tokio::join!(misbehave, watch).0
    }

    /// Fails unless the status is one of `wanted` and the plugin serves on.
    async fn expect(&self, path: &str, wanted: &[u16]) -> Seen {
        let seen = self.misbehave(Method::GET, path).await;
        assert!(
            wanted.contains(&seen.status),
            "{path}: {seen:?}, wanted {wanted:?}"
        );
        self.expect_alive().await;
        seen
    }

    async fn expect_alive(&self) {
        let reply = self.guilty.get("/misbehave/ok").await.expect(200);
        assert_eq!(reply.text(), "ok");
    }
}

#[tokio::test]
async fn an_endless_loop_runs_out_of_time() {
    let pair = Pair::in_shared().await;
    let _ = pair.expect("/misbehave/loop", &[504]).await;
    let _ = pair.expect("/misbehave/loop-after-error", &[504]).await;
}

#[tokio::test]
async fn a_trap_is_a_fault_of_the_plugin() {
    let pair = Pair::in_shared().await;
    for path in ["/misbehave/trap", "/misbehave/stack", "/misbehave/silent"] {
        let _ = pair.expect(path, &[502]).await;
    }
    let metrics = format!(
        "/admin/v1/projects/{}/plugins/misbehave/metrics",
        pair.guilty.slug
    );
    let metrics = pair.admin.get(&metrics).await.expect(200).json();
    assert!(metrics["traps"].as_u64().unwrap() >= 2, "{metrics}");
}

#[tokio::test]
async fn a_plugin_that_calls_itself_comes_to_an_end() {
    let pair = Pair::in_shared().await;
    // The innermost call is refused, and each outer one passes that on.
    let reply = pair.guilty.get("/misbehave/recurse").await;
    assert!(
        reply.text().contains("\"code\":"),
        "{} {}",
        reply.status,
        reply.text()
    );
    pair.expect_alive().await;
}

#[tokio::test]
async fn a_fault_says_nothing_of_the_inside() {
    let pair = Pair::in_shared().await;
    let reply = pair.guilty.get("/misbehave/trap").await;
    reply.expect_problem(502);
    for word in ["unreachable", "wasm", "backtrace", ".rs", "/"] {
        let detail = reply.json()["detail"].to_string();
        assert!(!detail.contains(word), "{detail}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_taken_for_a_whole_one() {
    let pair = Pair::in_shared().await;
    for path in ["/misbehave/trap-in-body", "/misbehave/short"] {
        let seen = pair.misbehave(Method::GET, path).await;
        assert!(!seen.whole || seen.status == 502, "{path}: {seen:?}");
        pair.expect_alive().await;
    }
}

#[tokio::test]
async fn a_body_without_end_is_cut_off() {
    let pair = Pair::in_shared().await;
    let seen = pair.misbehave(Method::GET, "/misbehave/endless").await;
    assert!(!seen.whole, "{seen:?}");
    let start = Instant::now();
    let seen = pair.misbehave(Method::GET, "/misbehave/slow").await;
    assert!(!seen.whole && seen.bytes <= 10, "{seen:?}");
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "it went on for {:?}",
        start.elapsed()
    );
    pair.expect_alive().await;
}

#[tokio::test]
async fn waiting_for_ever_runs_out_of_time() {
    let pair = Pair::in_shared().await;
    let _ = pair.expect("/misbehave/hang", &[504]).await;
    let _ = pair.expect("/misbehave/keep", &[502, 504]).await;
    let _ = pair.expect("/misbehave/sleep/10", &[200]).await;
}

#[tokio::test]
async fn memory_ends_at_the_limit() {
    let pair = Pair::in_shared().await;
    let _ = pair.expect("/misbehave/memory", &[502]).await;
    let reply = pair
        .guilty
        .get("/misbehave/memory-caught")
        .await
        .expect(200);
    let mib: u32 = reply.text().parse().unwrap();
    assert!((8..=64).contains(&mib), "it got {mib} MiB");
    pair.expect_alive().await;
}

#[tokio::test]
async fn heads_and_texts_that_are_too_large_are_refused() {
    let pair = Pair::in_shared().await;
    for path in ["/misbehave/fields", "/misbehave/large-field"] {
        let _ = pair.expect(path, &[502, 504]).await;
    }
    for name in ["log", "sql", "parameter", "kv", "value"] {
        let path = format!("/misbehave/string/{name}");
        let seen = pair.misbehave(Method::GET, &path).await;
        let is_bounded = matches!(seen.status, 400..=599) || (name == "log" && seen.status < 300);
        assert!(is_bounded, "{path}: {seen:?}");
        pair.expect_alive().await;
    }
    let _ = pair.expect("/misbehave/random", &[502]).await;
}

#[tokio::test]
async fn resources_that_are_never_dropped_are_bounded() {
    let pair = Pair::in_shared().await;
    for path in [
        "/misbehave/resources/fields",
        "/misbehave/resources/pollables",
    ] {
        let _ = pair.expect(path, &[502]).await;
    }
}

#[tokio::test]
async fn a_log_flood_is_capped_and_cannot_forge_lines() {
    let pair = Pair::in_shared().await;
    let before = shared().await.log().len();
    for path in ["/misbehave/log", "/misbehave/print"] {
        let _ = pair.expect(path, &[200, 504]).await;
    }
    let path = format!(
        "/admin/v1/projects/{}/plugins/misbehave/logs?limit=50",
        pair.guilty.slug
    );
    let lines = until("the plugin's log", atlashub_tests::DEADLINE, || async {
        let lines = pair.admin.get(&path).await.expect(200).json();
        (!lines["items"].as_array().unwrap().is_empty()).then_some(lines)
    })
    .await;
    let text = lines.to_string();
    assert!(text.contains("forged"), "{text}");
    for sign in [
        "\u{1b}", "\\u001b", "\\n", "\\r", "\\u0000", "\u{9b}", "\u{202e}",
    ] {
        assert!(!text.contains(sign), "a raw {sign:?} is in the log");
    }
    let grown = shared().await.log().len() - before;
    assert!(
        grown < 4 * 1024 * 1024,
        "the host's own log grew by {grown} bytes"
    );
}

#[tokio::test]
async fn private_addresses_are_out_of_reach_in_every_spelling() {
    let pair = Pair::in_shared().await;
    let port = shared().await.address().port();
    for host in [
        "localhost",
        "127.0.0.1",
        "127.1",
        "0.0.0.0",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "[fe80::1]",
        "[fd00::1]",
    ] {
        for address in [
            format!("http://{host}/"),
            format!("http://{host}:{port}/healthz"),
        ] {
            let encoded: String = address.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let reply = pair
                .guilty
                .get(&format!("/misbehave/call?url={encoded}"))
                .await;
            assert_ne!(reply.status, 200, "{address} was reached: {}", reply.text());
        }
    }
}

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

#[tokio::test]
async fn a_component_that_takes_too_much_is_refused_or_faulted() {
    let admin = shared().await.admin();
    let neighbour = admin.project_with(&["hello"]).await;
    for name in [
        "huge-table",
        "large-memory",
        "many-memories",
        "many-memory-instances",
        "start-loop",
        "too-many-instances",
        "too-many-memories",
    ] {
        let plugin = unique("w");
        let uploaded = admin.upload_named(wat(name), &plugin).await;
        if uploaded.status == 201 {
            let project = admin.project().await;
            let body = json!({"limits": {"cpu_ms": 500, "wall_ms": 3000}});
            let installed = admin.install(&project, &plugin, body).await;
            if (200..300).contains(&installed.status) {
                let reply = project.get(&format!("/{plugin}")).await;
                assert!(
                    matches!(reply.status, 502..=504),
                    "{name}: {} {}",
                    reply.status,
                    reply.text()
                );
            } else {
                assert!(
                    (400..505).contains(&installed.status),
                    "{name}: {}",
                    installed.text()
                );
            }
        } else {
            uploaded.expect_problem(422);
        }
        let _ = neighbour.get("/hello").await.expect(200);
    }
}

#[tokio::test]
async fn the_text_fixtures_are_all_named_by_a_test() {
    // The two others are in `plugin_uploads`.
    let sources = [
        include_str!("contained.rs"),
        include_str!("plugin_uploads.rs"),
    ]
    .concat();
    for name in wat_names() {
        assert!(
            sources.contains(&format!("\"{name}\"")),
            "no test names {name}.wat"
        );
    }
}

#[tokio::test]
async fn every_fixture_and_each_of_its_routes_is_named_by_a_test() {
    let sources = [
        include_str!("contained.rs"),
        include_str!("foreign_components.rs"),
        include_str!("events.rs"),
        include_str!("permissions.rs"),
        include_str!("plugin_changes.rs"),
        include_str!("plugin_uploads.rs"),
    ]
    .concat();
    for name in fixture_names() {
        assert!(
            sources.contains(&format!("\"{name}\"")),
            "no test names the fixture {name}"
        );
    }
    let routes = misbehave_routes();
    assert!(routes.len() > 20, "{routes:?}");
    for route in routes {
        let below = route.strip_prefix("/misbehave/string/");
        let named = sources.contains(&route)
            || below.is_some_and(|name| sources.contains(&format!("\"{name}\"")));
        let by_name = route
            .strip_prefix("/misbehave/")
            .is_some_and(|name| sources.contains(&format!("\"{name}\"")));
        assert!(named || by_name, "no test names {route}");
    }
}

#[tokio::test]
async fn a_neighbour_is_answered_rightly_while_a_plugin_misbehaves_a_hundred_times() {
    let server = TestServer::start().await;
    let pair = Pair::on(&server).await;
    for path in [
        "/misbehave/loop",
        "/misbehave/trap",
        "/misbehave/stack",
        "/misbehave/memory",
        "/misbehave/fields",
        "/misbehave/string/sql",
        "/misbehave/resources/fields",
        "/misbehave/recurse",
        "/misbehave/log?n=1000",
    ] {
        for _ in 0..25 {
            let misbehave = || look(&pair.guilty, Method::GET, path);
            let (a, b, c, d, reply) = tokio::join!(
                misbehave(),
                misbehave(),
                misbehave(),
                misbehave(),
                pair.neighbour.get("/hello"),
            );
            for seen in [a, b, c, d] {
                assert!(seen.status != 0 && seen.status != 500, "{path}: {seen:?}");
            }
            assert_eq!(
                reply.expect(200).json(),
                json!({"message": "hello"}),
                "during {path}"
            );
        }
    }
    // Cut off for a while, it comes back by itself.
    until("the end of the cut", Duration::from_secs(90), || async {
        (pair.guilty.get("/misbehave/ok").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_plugin_that_keeps_trapping_is_cut_off_and_the_admin_is_told() {
    let pair = Pair::in_shared().await;
    let reply = until("the cut", atlashub_tests::DEADLINE, || async {
        let reply = pair.guilty.get("/misbehave/trap").await;
        (reply.status == 503).then_some(reply)
    })
    .await;
    reply.expect_problem(503);
    assert!(
        reply
            .header("retry-after")
            .parse::<u32>()
            .is_ok_and(|seconds| seconds > 0)
    );
    let listed = pair.admin.installed(&pair.guilty, "misbehave").await;
    assert_eq!(listed["health"], "cut_off", "{listed}");
    assert!(listed["last_error"].is_string(), "{listed}");
    until("the end of the cut", Duration::from_secs(90), || async {
        (pair.guilty.get("/misbehave/ok").await.status == 200).then_some(())
    })
    .await;
}
