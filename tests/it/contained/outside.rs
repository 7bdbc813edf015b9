//! What lies outside: an address that was granted is reached only when it is
//! public too, or the operator has named it; redirects lead nowhere by
//! themselves; connections, sizes and depth end at the host's limits.

use atlashub_tests::{Admin, Project, Reply, TestServer, fixture, unique, until};
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use futures::StreamExt as _;
use serde_json::json;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Loopback in every spelling that some resolver or parser takes.
const LOOPBACK: &[&str] = &[
    "localhost",
    "127.0.0.1",
    "0.0.0.0",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
];

/// Other addresses that are not public.
const PRIVATE: &[&str] = &[
    "[64:ff9b::7f00:1]",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "[fe80::1]",
    "[fd00::1]",
];

/// The spelling of loopback that the operator names in these tests.
const NAMED: &str = "127.1";

/// What the servers allow of one answer's body, bytes.
const MOST: usize = 1024 * 1024;

/// A service on loopback, and how many requests have reached it.
struct Outside {
    port: u16,
    asked: Arc<AtomicUsize>,
}

impl Outside {
    async fn start() -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let app = Router::new()
            .route("/secret", get(async || "secret"))
            .route(
                "/away",
                get(async move || redirect(&format!("http://127.0.0.1:{port}/secret"))),
            )
            .route("/bytes/{count}", get(bytes))
            .route("/held", get(held))
            .layer(axum::middleware::from_fn_with_state(
                Arc::clone(&asked),
                count,
            ));
        drop(tokio::spawn(
            async move { axum::serve(listener, app).await },
        ));
        Self { port, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// A server whose operator lets plugins reach this at [`NAMED`] alone, and
    /// a project whose plugin was granted all spellings.
    async fn server(&self) -> (TestServer, Admin, Project, String) {
        let port = self.port;
        let server = TestServer::builder()
            .env("ATLASHUB_EGRESS_ALLOW", format!("{NAMED}:{port}"))
            .env("ATLASHUB_EGRESS_RESPONSE_BYTES", MOST.to_string())
            .start()
            .await;
        let admin = server.admin();
        let plugin = unique("caller");
        let hosts: String = LOOPBACK
            .iter()
            .chain(PRIVATE)
            .chain(&[NAMED])
            .map(|host| format!("\"http:{host}:{port}\", \"http:{host}\", "))
            .collect();
        let manifest = format!(
            "name = \"{plugin}\"\nversion = \"1.0.0\"\n\
             grants = [\"sql\", \"kv\", \"users\", \"blob:private\", {hosts}]\n\
             [[routes]]\npath = \"/misbehave\"\n"
        );
        let _ = admin
            .upload(fixture("misbehave"), Some(&manifest))
            .await
            .expect_success();
        let project = admin.project_with(&[&plugin]).await;
        (server, admin, project, plugin)
    }
}

async fn count(
    State(asked): State<Arc<AtomicUsize>>,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> Response {
    asked.fetch_add(1, Ordering::Relaxed);
    next.run(request).await
}

fn redirect(to: &str) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, to)]).into_response()
}

async fn bytes(axum::extract::Path(count): axum::extract::Path<usize>) -> Vec<u8> {
    vec![b'x'; count]
}

/// A body whose end does not come.
async fn held() -> Response {
    let first = futures::stream::once(async { Ok::<_, std::io::Error>(Bytes::from("first")) });
    axum::body::Body::from_stream(first.chain(futures::stream::pending())).into_response()
}

async fn ask(project: &Project, route: &str, url: &str) -> Reply {
    let encoded: String = url.bytes().map(|byte| format!("%{byte:02X}")).collect();
    project
        .get(&format!("/misbehave/{route}?url={encoded}"))
        .await
}

#[tokio::test]
async fn a_granted_address_that_is_private_is_refused_for_its_address_in_every_spelling() {
    let outside = Outside::start().await;
    let (_server, admin, project, plugin) = outside.server().await;
    let port = outside.port;

    // Somebody listens there, and the grant is enough where the operator agrees.
    let url = format!("http://{NAMED}:{port}/secret");
    let reached = ask(&project, "call", &url).await.expect(200).json();
    assert_eq!(reached["text"], "secret", "{reached}");
    let before = outside.asked();

    let mut refused = Vec::new();
    for host in LOOPBACK.iter().chain(PRIVATE) {
        refused.push((
            format!("{host}:{port}"),
            format!("http://{host}:{port}/secret"),
        ));
        refused.push((format!("{host}:80"), format!("http://{host}/")));
    }
    // The operator named one port of it.
    refused.push((format!("{NAMED}:80"), format!("http://{NAMED}/")));
    for (_, url) in &refused {
        let reply = ask(&project, "call", url).await;
        assert_eq!(reply.expect_problem(502), "upstream_denied", "{url}");
    }
    assert_eq!(outside.asked(), before, "somebody was reached");

    let path = format!(
        "/admin/v1/projects/{}/plugins/{plugin}/logs?limit=200",
        project.slug
    );
    let said = until("the plugin's log", atlashub_tests::DEADLINE, || async {
        let lines = admin.get(&path).await.expect(200).json();
        let lines: Vec<String> = lines["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line["message"].as_str().unwrap_or_default().to_owned())
            .collect();
        (lines.len() >= refused.len()).then_some(lines)
    })
    .await;
    for (authority, _) in &refused {
        let begin = format!("a call to {authority} was refused: ");
        assert!(
            said.iter()
                .any(|line| line.starts_with(&begin) && line.ends_with(" is not a public address")),
            "{authority} was not refused for its address: {said:#?}"
        );
    }
}

#[tokio::test]
async fn a_redirect_to_a_private_address_is_not_followed() {
    let outside = Outside::start().await;
    let (_server, _, project, _) = outside.server().await;
    let url = format!("http://{NAMED}:{}/away", outside.port);
    let answer = ask(&project, "call", &url).await.expect(200).json();
    let there = format!("http://127.0.0.1:{}/secret", outside.port);
    assert_eq!(
        (&answer["status"], &answer["location"], &answer["text"]),
        (&json!(302), &json!(there), &json!("")),
        "{answer}"
    );
    assert_eq!(outside.asked(), 1, "the host went where it was led");
    // Nor may the plugin go there itself.
    let reply = ask(&project, "call", &there).await;
    assert_eq!(reply.expect_problem(502), "upstream_denied");
    assert_eq!(outside.asked(), 1);
}

#[tokio::test]
async fn answers_from_outside_are_bounded_in_number_and_size() {
    let outside = Outside::start().await;
    let (_server, _, project, _) = outside.server().await;
    let at = |path: String| format!("http://{NAMED}:{}{path}", outside.port);

    let held = ask(&project, "connections", &at("/held".to_owned())).await;
    assert_eq!(held.expect(200).text(), "16");

    let whole = ask(&project, "fetch", &at(format!("/bytes/{MOST}"))).await;
    assert_eq!(
        whole.expect(200).json(),
        json!({"bytes": MOST, "whole": true})
    );
    let cut = ask(&project, "fetch", &at(format!("/bytes/{}", MOST + 1))).await;
    let cut = cut.expect(200).json();
    assert_eq!(cut["whole"], false, "{cut}");
    assert!(cut["bytes"].as_u64().unwrap() <= MOST as u64, "{cut}");
}
