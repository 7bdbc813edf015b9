//! What a plugin may not use up: time, memory, places, the log.

use super::Pair;
use atlashub_tests::{DEADLINE, shared, unique, until, wat, wat_source, wat_text};
use reqwest::Method;
use serde_json::json;
use std::time::{Duration, Instant};

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
async fn sizes_end_at_the_hosts_own_limits() {
    let pair = Pair::in_shared().await;
    // Nothing that a request leaves behind counts for the next.
    let alone = json!({"limits": {"isolation": "request"}});
    let changed = pair.admin.install(&pair.guilty, "misbehave", alone).await;
    let _ = changed.expect(200);
    for (route, most, beyond) in [
        // 32 KiB of header fields, names and what they cost included.
        ("large-field", 31_000, 33_000),
        ("random", 64 * 1024, 64 * 1024 + 1),
        // What one call carries.
        ("string/log", 7 * 1024 * 1024, 8 * 1024 * 1024 + 1),
        ("resources/fields", 900, 1_100),
        // Each has two: itself, and when it is due.
        ("resources/pollables", 450, 1_100),
    ] {
        let within = pair
            .guilty
            .get(&format!("/misbehave/{route}?n={most}"))
            .await;
        let _ = within.expect_success();
        let _ = pair
            .expect(&format!("/misbehave/{route}?n={beyond}"), &[502])
            .await;
    }
}

/// What the next request finds: the count of an instance that has served
/// before, or 1.
async fn served(pair: &Pair) -> u32 {
    let reply = pair.guilty.get("/misbehave/served").await.expect(200);
    reply.text().parse().unwrap()
}

#[tokio::test]
async fn an_instance_that_failed_is_never_asked_again() {
    let pair = Pair::in_shared().await;
    for path in [
        "/misbehave/trap",
        "/misbehave/silent",
        "/misbehave/loop",
        "/misbehave/hang",
        "/misbehave/trap-in-body",
    ] {
        // One instance serves all, unless others need its place.
        until("a warm instance", DEADLINE, || async {
            (served(&pair).await > 1).then_some(())
        })
        .await;
        let seen = pair.misbehave(Method::GET, path).await;
        assert!(!seen.whole || matches!(seen.status, 502 | 504), "{seen:?}");
        assert_eq!(served(&pair).await, 1, "after {path}");
    }
}

#[tokio::test]
async fn an_instance_whose_client_goes_away_is_never_asked_again() {
    let pair = Pair::in_shared().await;
    until("a warm instance", DEADLINE, || async {
        (served(&pair).await > 1).then_some(())
    })
    .await;
    let path = format!(
        "/admin/v1/projects/{}/plugins/misbehave/metrics",
        pair.guilty.slug
    );
    let running = |count: u32| {
        let (admin, path) = (&pair.admin, &path);
        until("the request", DEADLINE, move || async move {
            (admin.get(path).await.expect(200).json()["running"] == count).then_some(())
        })
    };
    let call = tokio::spawn(
        pair.guilty
            .request(Method::GET, "/misbehave/sleep/4000")
            .send(),
    );
    running(1).await;
    call.abort();
    running(0).await;
    assert_eq!(served(&pair).await, 1);
}

#[tokio::test]
async fn an_instance_that_has_grown_is_not_kept() {
    let pair = Pair::in_shared().await;
    let _ = served(&pair).await;
    assert_eq!(served(&pair).await, 2);
    let _ = pair.expect("/misbehave/memory-caught", &[200]).await;
    assert_eq!(served(&pair).await, 1);
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
async fn a_component_that_takes_too_much_is_refused_or_faulted() {
    let admin = shared().await.admin();
    let neighbour = admin.project_with(&["hello"]).await;
    for name in [
        "huge-table",
        "large-memory",
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
async fn instances_and_memories_end_at_their_number() {
    let admin = shared().await.admin();
    for (name, one) in [
        ("too-many-instances", "(core instance (instantiate $empty))"),
        ("too-many-memories", "(memory 1)"),
    ] {
        let within = wat_source(name).replacen(one, "", 1);
        let plugin = unique("w");
        let uploaded = admin.upload_named(wat_text(&within), &plugin).await;
        let _ = uploaded.expect(201);
        let project = admin.project().await;
        let installed = admin.install(&project, &plugin, json!({})).await;
        let _ = installed.expect_success();
        // It begins, and comes to the trap in its handler.
        let reply = project.get(&format!("/{plugin}")).await;
        assert_eq!(reply.expect_problem(502), "plugin_trapped", "{name}");
        let refused = admin.upload_named(wat(name), &unique("w")).await;
        assert_eq!(
            refused.expect_problem(422),
            "component_too_demanding",
            "{name}"
        );
    }
}

#[tokio::test]
async fn the_sum_of_all_memories_is_bounded() {
    let admin = shared().await.admin();
    for name in ["many-memories", "many-memory-instances"] {
        let plugin = unique("w");
        let _ = admin.upload_named(wat(name), &plugin).await.expect(201);
        let project = admin.project().await;
        let body = json!({"limits": {"memory_mib": 64, "cpu_ms": 2000}});
        let installed = admin.install(&project, &plugin, body).await;
        let _ = installed.expect_success();
        // Beyond the sum it would spin, which is 504.
        let reply = project.get(&format!("/{plugin}")).await;
        assert_eq!(reply.expect_problem(502), "plugin_trapped", "{name}");
    }
}
