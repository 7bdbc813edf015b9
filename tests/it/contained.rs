//! Plugins that misbehave: each hurts only itself. Every route of the fixture
//! `misbehave`, and every fixture written as text, is named here.

pub(crate) mod compiling;
mod hundred;
mod limits;
mod outside;
mod places;
mod reach;

use atlashub_tests::{
    Admin, Project, fixture, fixture_names, misbehave_routes, shared, until, wat_names,
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
        let admin = shared().await.admin();
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
async fn the_text_fixtures_are_all_named_by_a_test() {
    // The two others are in `plugin_uploads`.
    let sources = [
        include_str!("contained/compiling.rs"),
        include_str!("contained/limits.rs"),
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
        include_str!("assets.rs"),
        include_str!("plugin_pages.rs"),
        include_str!("contained.rs"),
        include_str!("contained/limits.rs"),
        include_str!("contained/hundred.rs"),
        include_str!("contained/outside.rs"),
        include_str!("contained/places.rs"),
        include_str!("contained/reach.rs"),
        include_str!("foreign_components.rs"),
        include_str!("events.rs"),
        include_str!("jobs.rs"),
        include_str!("permissions.rs"),
        include_str!("plugin_changes.rs"),
        include_str!("plugin_logs.rs"),
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
