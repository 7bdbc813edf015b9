//! Places: what waits without end, or comes drop by drop, keeps nobody else
//! from being served; what runs is let run to its end.

use atlashub_tests::{Admin, Project, RawConnection, Reply, TestServer, fixture, shared, until};
use futures::{
    StreamExt as _,
    channel::oneshot,
    future::{self, join_all},
    stream,
};
use reqwest::Method;
use serde_json::json;

/// Places of the server in these tests, and of one project.
const PLACES: usize = 8;
const SHARE: usize = 4;
/// The body of a request that comes in two parts.
const FIRST: &str = "before the change, ";
const REST: &str = "and after it";

/// A server with few places.
async fn narrow() -> (TestServer, Admin) {
    let server = TestServer::builder()
        .env("ATLASHUB_CONCURRENCY", PLACES.to_string())
        .start()
        .await;
    let admin = server.admin();
    let _ = admin
        .upload(fixture("misbehave"), None)
        .await
        .expect_success();
    (server, admin)
}

/// The same plugin with many places of its own, whose requests wait for long.
async fn patient(admin: &Admin, project: &Project, concurrency: u32) {
    let limits = json!({"limits": {"wall_ms": 120_000, "concurrency": concurrency}});
    let _ = admin
        .install(project, "misbehave", limits)
        .await
        .expect(200);
}

/// Waits until `count` requests are in the project's plugin.
async fn until_running(admin: &Admin, project: &Project, count: usize) {
    let path = format!(
        "/admin/v1/projects/{}/plugins/misbehave/metrics",
        project.slug
    );
    until("the running requests", atlashub_tests::DEADLINE, || async {
        (admin.get(&path).await.expect(200).json()["running"] == count).then_some(())
    })
    .await;
}

/// Requests that wait until they are dropped.
fn hang(project: &Project, count: usize) -> tokio::task::JoinSet<()> {
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..count {
        let project = project.clone();
        drop(waiting.spawn(async move {
            let _ = Reply::try_to(project.request(Method::GET, "/misbehave/hang")).await;
        }));
    }
    waiting
}

fn expect_saturated(reply: &Reply) {
    assert_eq!(reply.expect_problem(503), "saturated");
    let seconds: u32 = reply.header("retry-after").parse().unwrap();
    assert!(seconds > 0);
}

#[tokio::test]
async fn a_project_whose_plugin_waits_leaves_places_to_its_neighbours() {
    let (_server, admin) = narrow().await;
    let guilty = admin.project_with(&["hello", "misbehave"]).await;
    let neighbour = admin.project_with(&["hello"]).await;
    patient(&admin, &guilty, 1_024).await;
    // More than the server has places, and than the project's queue.
    let waiting = hang(&guilty, PLACES * 2);
    until_running(&admin, &guilty, SHARE).await;
    for _ in 0..20 {
        let answers = join_all((0..4).map(|_| neighbour.get("/hello"))).await;
        for answer in answers {
            let _ = answer.expect(200);
        }
    }
    // The project's own other plugin shares its places.
    expect_saturated(&guilty.get("/hello").await);
    drop(waiting);
    until("the places back", atlashub_tests::DEADLINE, || async {
        (guilty.get("/hello").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_plugin_without_places_says_when_to_come_again_and_others_are_served() {
    let (_server, admin) = narrow().await;
    let project = admin.project_with(&["hello", "misbehave"]).await;
    patient(&admin, &project, 1).await;
    let waiting = hang(&project, 1);
    until_running(&admin, &project, 1).await;
    let refused = join_all((0..4).map(|_| project.get("/misbehave/ok"))).await;
    for reply in &refused {
        expect_saturated(reply);
    }
    let _ = project.get("/hello").await.expect(200);
    drop(waiting);
    until("the place back", atlashub_tests::DEADLINE, || async {
        (project.get("/misbehave/ok").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_upload_that_dribbles_is_ended_and_a_slow_one_is_not() {
    let server = TestServer::builder()
        .env("ATLASHUB_UPLOAD_BYTES_PER_SECOND", "1000")
        .env("ATLASHUB_UPLOAD_WINDOW_SECONDS", "5")
        .start()
        .await;
    let admin = server.admin();
    let project = admin.project_with(&["files"]).await;
    let head = |length: usize, more: &str| {
        format!(
            "POST /files/upload HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n\
             connection: close\r\ncontent-length: {length}\r\n{more}\r\n",
            project.secret
        )
    };
    let boundary = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n";
    for (more, begin) in [
        ("file-path: dribble.bin\r\n", ""),
        (
            "content-type: multipart/form-data; boundary=b\r\n",
            boundary,
        ),
    ] {
        let mut connection = RawConnection::to(&server).await;
        connection.send(&head(1_000_000, more)).await;
        connection.send(begin).await;
        let mut pieces = tokio::time::interval(std::time::Duration::from_millis(100));
        let said = loop {
            tokio::select! {
                said = connection.read_some() => break String::from_utf8(said).unwrap(),
                _ = pieces.tick() => {}
            }
            if connection.try_send(b"x").await.is_err() {
                break String::from_utf8(connection.read_some().await).unwrap();
            }
        };
        assert!(said.starts_with("HTTP/1.1 400"), "{said}");
        assert!(said.contains("upload_interrupted"), "{said}");
    }
    // Ten times as fast as it must be, for longer than a window.
    let mut connection = RawConnection::to(&server).await;
    connection
        .send(&head(60_000, "file-path: slow.bin\r\n"))
        .await;
    let mut pieces = tokio::time::interval(std::time::Duration::from_millis(100));
    for _ in 0..60 {
        let _ = pieces.tick().await;
        connection.try_send(&[b'x'; 1_000]).await.unwrap();
    }
    let said = String::from_utf8(connection.read_all().await).unwrap();
    assert!(said.starts_with("HTTP/1.1 201"), "{said}");
    let list = project.get("/files").await.expect(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
}

/// A way to change an installation, and what stands in its place after.
enum Change {
    Configure,
    Disable,
    Remove,
}

#[tokio::test]
async fn a_change_of_an_installation_lets_running_requests_end_well() {
    let admin = shared().await.admin();
    let _ = admin
        .upload(fixture("misbehave"), None)
        .await
        .expect_success();
    for change in [Change::Configure, Change::Disable, Change::Remove] {
        let project = admin.project_with(&["misbehave"]).await;
        patient(&admin, &project, 16).await;
        // One that has answered nothing before the change, and one that is in
        // the middle of its answer: both get the end of their body after it.
        let (rest_of_text, request) = in_two(&project, "/misbehave/length");
        let silent = tokio::spawn(Reply::to(request));
        let (rest_of_echo, request) = in_two(&project, "/misbehave/echo");
        let mut echo = request.send().await.unwrap().bytes_stream();
        assert_eq!(echo.next().await.unwrap().unwrap(), FIRST);
        until_running(&admin, &project, 2).await;

        let path = format!("/admin/v1/projects/{}/plugins/misbehave", project.slug);
        match change {
            Change::Configure => {
                let limits = json!({"limits": {"memory_mib": 32}});
                let _ = admin
                    .install(&project, "misbehave", limits)
                    .await
                    .expect(200);
                assert_eq!(
                    project.get("/misbehave/served").await.expect(200).text(),
                    "1"
                );
            }
            Change::Disable => {
                let off = json!({"enabled": false});
                let _ = admin.install(&project, "misbehave", off).await.expect(200);
                project.get("/misbehave/ok").await.expect_problem(404);
            }
            Change::Remove => {
                let _ = admin.delete(&path).await.expect_success();
                project.get("/misbehave/ok").await.expect_problem(404);
            }
        }

        rest_of_echo.send(()).unwrap();
        rest_of_text.send(()).unwrap();
        let mut echoed = Vec::new();
        while let Some(piece) = echo.next().await {
            echoed.extend_from_slice(&piece.expect("the whole body"));
        }
        assert_eq!(echoed, REST.as_bytes());
        let length = (FIRST.len() + REST.len()).to_string();
        assert_eq!(silent.await.unwrap().expect(200).text(), length);
    }
}

/// A request whose body waits in the middle, and what lets it go on.
fn in_two(project: &Project, path: &str) -> (oneshot::Sender<()>, reqwest::RequestBuilder) {
    let (go_on, wait) = oneshot::channel();
    let rest = async move { wait.await.map(|()| REST).map_err(std::io::Error::other) };
    let pieces = stream::once(future::ready(Ok(FIRST))).chain(stream::once(rest));
    let body = reqwest::Body::wrap_stream(pieces);
    (go_on, project.request(Method::POST, path).body(body))
}
