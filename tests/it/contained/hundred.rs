//! Each wrong a hundred times, while a neighbour is asked all along. Every one
//! of them really runs: between them the plugin answers well, which is what
//! keeps it from being cut off, or is installed anew.

use super::{Seen, look};
use atlashub_tests::{Admin, DEADLINE, Project, TestServer, fixture, unique, until, wat};
use futures::future::join_all;
use reqwest::Method;
use serde_json::json;

/// How often each wrong is done.
const TIMES: usize = 100;
/// Wrongs at once: fewer than faults that cut a plugin off.
const AT_ONCE: usize = 5;
/// Good answers after them: who fails in less than half of its requests is not
/// cut off.
const WELL: usize = 2 * AT_ONCE + 2;
/// At once of those that only wait, which cuts off nobody.
const WAITING_AT_ONCE: usize = 50;

/// Wrongs that are answered by the host: with 502 or 504.
const FAULTS: &[&str] = &[
    "/misbehave/loop",
    "/misbehave/loop-after-error",
    "/misbehave/trap",
    "/misbehave/stack",
    "/misbehave/silent",
    "/misbehave/keep",
    "/misbehave/memory",
    "/misbehave/fields",
    "/misbehave/random",
    "/misbehave/resources/fields",
    "/misbehave/resources/pollables",
];

/// Wrongs whose answer breaks off, or goes on until it is cut.
const BODIES: &[&str] = &[
    "/misbehave/trap-in-body",
    "/misbehave/short",
    "/misbehave/endless",
];

/// Wrongs that wait until their time is over.
const WAITING: &[&str] = &["/misbehave/hang", "/misbehave/slow"];

/// Wrongs that the plugin may go on from: a capability refuses, or takes less.
const REFUSED: &[&str] = &[
    "/misbehave/recurse",
    "/misbehave/log?n=1000",
    "/misbehave/print?n=1000",
    "/misbehave/string/log",
    "/misbehave/string/sql",
    "/misbehave/string/parameter",
    "/misbehave/string/kv",
    "/misbehave/string/value",
    "/misbehave/memory-caught",
    "/misbehave/sql?statement=SELECT%20*%20FROM%20files.objects",
    "/misbehave/sql?statement=ATTACH%20DATABASE%20%27x.db%27%20AS%20x",
    "/misbehave/object?key=..%2F..%2Fprivate%2Fmine",
    "/misbehave/call?url=http%3A%2F%2F127.0.0.1%2F",
];

/// Components that fail at every request, made of text.
const COMPONENTS: &[&str] = &["huge-table", "many-memories", "many-memory-instances"];

struct Hundred {
    admin: Admin,
    guilty: Project,
    neighbour: Project,
}

impl Hundred {
    /// Does a wrong a few times at once, and asks the neighbour meanwhile.
    async fn round(&self, path: &str, at_once: usize) -> Vec<Seen> {
        let wrongs = join_all((0..at_once).map(|_| look(&self.guilty, Method::GET, path)));
        tokio::join!(wrongs, self.ask_neighbour(path)).0
    }

    async fn ask_neighbour(&self, meanwhile: &str) {
        for answer in join_all((0..2).map(|_| self.neighbour.get("/hello"))).await {
            let told = answer.expect(200).json();
            assert_eq!(told, json!({"message": "hello"}), "during {meanwhile}");
        }
    }

    /// Requests that the plugin was let run.
    async fn ran(&self) -> usize {
        let path = format!(
            "/admin/v1/projects/{}/plugins/misbehave/metrics",
            self.guilty.slug
        );
        let metrics = self.admin.get(&path).await.expect(200).json();
        usize::try_from(metrics["requests"].as_u64().unwrap()).unwrap()
    }

    /// Does a wrong of the fixture `misbehave` [`TIMES`] times.
    async fn hundred_times(&self, path: &str, at_once: usize, is_right: impl Fn(&Seen) -> bool) {
        let before = self.ran().await;
        let mut well = 0;
        for _ in 0..TIMES / at_once {
            for seen in self.round(path, at_once).await {
                assert!(is_right(&seen), "{path}: {seen:?}");
            }
            // Its time is short: on a machine that is busy it may need another.
            for _ in 0..WELL {
                until("an answer", DEADLINE, || async {
                    let seen = look(&self.guilty, Method::GET, "/misbehave/ok").await;
                    (seen.whole && seen.status == 200).then_some(())
                })
                .await;
                well += 1;
            }
        }
        let ran = self.ran().await - before;
        assert!(ran >= TIMES + well, "{path} ran {ran} times, {well} well");
    }
}

fn is_fault(seen: &Seen) -> bool {
    matches!(seen.status, 502 | 504)
}

#[tokio::test]
async fn a_neighbour_is_answered_rightly_while_a_plugin_does_each_wrong_a_hundred_times() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let _ = admin
        .upload(fixture("misbehave"), None)
        .await
        .expect_success();
    let all = Hundred {
        guilty: admin.project_with(&["hello", "misbehave"]).await,
        neighbour: admin.project_with(&["hello"]).await,
        admin,
    };
    // Little of everything, so that a hundred times take a few seconds.
    let limits = json!({"limits": {"cpu_ms": 40, "wall_ms": 300, "memory_mib": 24}});
    let _ = all
        .admin
        .install(&all.guilty, "misbehave", limits)
        .await
        .expect(200);
    for path in FAULTS {
        all.hundred_times(path, AT_ONCE, is_fault).await;
    }
    let is_broken = |seen: &Seen| !seen.whole || is_fault(seen);
    for path in BODIES {
        all.hundred_times(path, AT_ONCE, is_broken).await;
    }
    for path in WAITING {
        all.hundred_times(path, WAITING_AT_ONCE, is_broken).await;
    }
    for path in REFUSED {
        let is_answer = |seen: &Seen| !matches!(seen.status, 0 | 500 | 503);
        all.hundred_times(path, AT_ONCE, is_answer).await;
    }
}

#[tokio::test]
async fn a_neighbour_is_answered_rightly_while_a_component_fails_a_hundred_times() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let all = Hundred {
        guilty: admin.project().await,
        neighbour: admin.project_with(&["hello"]).await,
        admin,
    };
    for name in COMPONENTS {
        let plugin = unique("w");
        let uploaded = all.admin.upload_named(wat(name), &plugin).await;
        let _ = uploaded.expect(201);
        let path = format!("/{plugin}");
        for turn in 0..TIMES / AT_ONCE {
            // A change of the installation begins with a clean slate.
            let limits = json!({"cpu_ms": 1000, "wall_ms": 5000 + turn});
            let body = json!({"enabled": true, "limits": limits});
            let changed = all.admin.install(&all.guilty, &plugin, body).await;
            let _ = changed.expect_success();
            for seen in all.round(&path, AT_ONCE).await {
                assert_eq!(seen.status, 502, "{name}: {seen:?}");
            }
        }
    }

    // One that spins as it starts does not get so far.
    let plugin = unique("w");
    let uploaded = all.admin.upload_named(wat("start-loop"), &plugin).await;
    let _ = uploaded.expect(201);
    for _ in 0..TIMES {
        let body = json!({"enabled": true, "limits": {"cpu_ms": 50, "wall_ms": 5000}});
        let installing = all.admin.install(&all.guilty, &plugin, body);
        let (refused, ()) = tokio::join!(installing, all.ask_neighbour("start-loop"));
        assert_eq!(refused.expect_problem(422), "activation_failed");
    }
}
