//! Places: what waits without end, or comes drop by drop, keeps nobody else
//! from being served; what runs is let run to its end.

use atlashub_tests::{
    Admin, Engine, Project, RawConnection, Reply, TestServer, fixture, shared, unique, until,
    with_manifest,
};
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
    until_running_in(admin, project, "misbehave", count).await;
}

async fn until_running_in(admin: &Admin, project: &Project, plugin: &str, count: usize) {
    let path = format!(
        "/admin/v1/projects/{}/plugins/{plugin}/metrics",
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
    let upload = |length: usize, more: &str| {
        format!(
            "POST /files/upload HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n\
             connection: close\r\ncontent-length: {length}\r\n{more}\r\n",
            project.secret
        )
    };
    let boundary = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n";
    let mut roads = vec![
        (upload(1_000_000, "file-path: dribble.bin\r\n"), ""),
        (
            upload(
                1_000_000,
                "content-type: multipart/form-data; boundary=b\r\n",
            ),
            boundary,
        ),
    ];
    // Links that the host signs itself, for stores that sign none.
    let link = link_to_upload(&server, &project, 1_000_000).await;
    roads.extend(link.map(|link| (put(&link, 1_000_000), "")));
    for (head, begin) in roads {
        let mut connection = RawConnection::to(&server).await;
        connection.send(&head).await;
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
        // The body may come by itself.
        let mut said = said;
        while said.ends_with("\r\n\r\n") {
            let more = connection.read_some().await;
            said.push_str(std::str::from_utf8(&more).unwrap());
        }
        assert!(said.contains("upload_interrupted"), "{said}");
    }
    // Ten times as fast as it must be, for longer than a window.
    let mut roads = vec![(upload(60_000, "file-path: slow.bin\r\n"), "201")];
    let link = link_to_upload(&server, &project, 60_000).await;
    roads.extend(link.map(|link| (put(&link, 60_000), "200")));
    for (head, status) in roads {
        let mut connection = RawConnection::to(&server).await;
        connection.send(&head).await;
        let mut pieces = tokio::time::interval(std::time::Duration::from_millis(100));
        for _ in 0..60 {
            let _ = pieces.tick().await;
            connection.try_send(&[b'x'; 1_000]).await.unwrap();
        }
        let said = String::from_utf8(connection.read_all().await).unwrap();
        let right = said.starts_with(&format!("HTTP/1.1 {status}"));
        assert!(right, "{said}");
    }
    let list = project.get("/files").await.expect(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
}

#[tokio::test]
async fn plugins_that_call_each_other_need_one_place_of_the_project() {
    let server = TestServer::builder()
        .env("ATLASHUB_PROJECT_CONCURRENCY", "1")
        .start()
        .await;
    let admin = server.admin();
    let uploaded = admin.upload(fixture("misbehave"), None).await;
    let _ = uploaded.expect_success();
    let project = admin.project_with(&["hello", "misbehave"]).await;
    let call = "/misbehave/call?url=http://hello.internal/hello";
    let answer = project.get(call).await.expect(200).json();
    assert_eq!(answer["status"], 200, "{answer}");
    assert_eq!(answer["text"], "{\"message\":\"hello\"}", "{answer}");
    // As deep as calls may go.
    let depth = project.get("/misbehave/depth").await.expect(200);
    assert_eq!(depth.text(), "8");
    // Callers who come at once do not stand in each other's way: each has the
    // one place in its turn.
    let answers = join_all((0..3).map(|_| project.get(call))).await;
    for answer in answers {
        assert_eq!(answer.expect(200).json()["status"], 200);
    }
    // It is one place all the same.
    patient(&admin, &project, 8).await;
    let waiting = hang(&project, 1);
    until_running(&admin, &project, 1).await;
    expect_saturated(&project.get("/hello").await);
    drop(waiting);
    until("the place back", atlashub_tests::DEADLINE, || async {
        (project.get(call).await.status == 200).then_some(())
    })
    .await;
}

/// A link of this server for an upload, where the store signs none itself.
async fn link_to_upload(server: &TestServer, project: &Project, size: usize) -> Option<String> {
    let body = json!({
        "filename": "linked.bin",
        "size": size,
        "content_type": "application/octet-stream",
    });
    let made = project.post("/files/upload-url", body).await;
    let made = made.expect_success().json();
    let url: reqwest::Url = made["upload_url"].as_str().unwrap().parse().unwrap();
    let own = url.path().starts_with("/_/blob/");
    assert_eq!(own, !Engine::of_this_run().serves_many_nodes(), "{url}");
    own.then(|| {
        assert_eq!(url.port(), Some(server.address().port()), "{url}");
        url.path().to_owned()
    })
}

/// The head of an upload to a link.
fn put(path: &str, length: usize) -> String {
    format!(
        "PUT {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/octet-stream\r\n\
         connection: close\r\ncontent-length: {length}\r\n\r\n"
    )
}

/// Requests that run through a change: one that has answered nothing before it,
/// and one that is in the middle of its answer. Both get the end of their body
/// after it.
struct Running {
    silent: tokio::task::JoinHandle<Reply>,
    echo: reqwest::Response,
    go_on: [oneshot::Sender<()>; 2],
}

impl Running {
    async fn begin(project: &Project) -> Self {
        let (rest_of_text, request) = in_two(project, "/misbehave/length");
        let silent = tokio::spawn(Reply::to(request));
        let (rest_of_echo, request) = in_two(project, "/misbehave/echo");
        let mut echo = request.send().await.unwrap();
        assert_eq!(echo.chunk().await.unwrap().unwrap(), FIRST);
        Self {
            silent,
            echo,
            go_on: [rest_of_text, rest_of_echo],
        }
    }

    async fn end_well(mut self) {
        for rest in self.go_on {
            rest.send(()).unwrap();
        }
        let mut echoed = Vec::new();
        while let Some(piece) = self.echo.chunk().await.expect("the whole body") {
            echoed.extend_from_slice(&piece);
        }
        assert_eq!(echoed, REST.as_bytes());
        let length = (FIRST.len() + REST.len()).to_string();
        assert_eq!(self.silent.await.unwrap().expect(200).text(), length);
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
        patient(&admin, &project, 64).await;
        let running = Running::begin(&project).await;
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

        running.end_well().await;
    }
}

#[tokio::test]
async fn an_upgrade_lets_running_requests_end_well() {
    let admin = shared().await.admin();
    let name = unique("upgraded");
    for version in ["1.0.0", "2.0.0"] {
        let manifest = format!(
            "name = \"{name}\"\nversion = \"{version}\"\ngrants = [\"sql\", \"kv\", \"users\", \"blob:private\", \
             \"plugin:hello\", \"plugin:misbehave\"]\n[[routes]]\npath = \"/misbehave\"\n\
             [limits]\ncpu_ms = 1000\nwall_ms = 120000\n"
        );
        let component = with_manifest(&fixture("misbehave"), &manifest);
        let _ = admin.upload(component, None).await.expect(201);
    }
    let project = admin.project().await;
    let first = json!({"revision": "1.0.0", "enabled": true, "grants": "requested"});
    let _ = admin.install(&project, &name, first).await.expect(201);
    let running = Running::begin(&project).await;
    until_running_in(&admin, &project, &name, 2).await;

    let second = json!({"revision": "2.0.0", "grants": "requested"});
    let _ = admin.install(&project, &name, second).await.expect(200);
    assert_eq!(admin.installed(&project, &name).await["version"], "2.0.0");
    let served = project.get("/misbehave/served").await.expect(200);
    assert_eq!(served.text(), "1", "not by an instance of its own");

    running.end_well().await;
    // Nothing of the first is left.
    until_running_in(&admin, &project, &name, 0).await;
}
