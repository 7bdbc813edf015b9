//! What outlives a restart, a killed server, and clients that go away.

use atlashub_core::Digest;
use atlashub_tests::{Project, RawConnection, TestServer, noise, until};
use serde_json::json;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

#[tokio::test]
async fn everything_is_there_again_after_a_restart() {
    let mut server = TestServer::start().await;
    let admin = server.admin();
    let project = admin.project_with(&["hello", "files"]).await;
    let file = project
        .upload("a/b.txt", "still here")
        .await
        .expect_success()
        .json();
    let config = json!({"config": {"max_file_bytes": 1234}});
    let _ = admin.install(&project, "files", config).await.expect(200);
    server.restart().await;
    let _ = project.get("/hello").await.expect(200);
    let path = format!("/files/{}/download", file["id"].as_str().unwrap());
    assert_eq!(project.get(&path).await.expect(200).text(), "still here");
    let installed = admin.installed(&project, "files").await;
    assert_eq!(installed["config"]["max_file_bytes"], 1234, "{installed}");
    let ids = |list: serde_json::Value| list["items"].as_array().unwrap().len();
    assert_eq!(
        ids(admin.get("/admin/v1/projects").await.expect(200).json()),
        1
    );
}

#[tokio::test]
async fn a_running_request_is_finished_before_the_server_ends() {
    let mut server = TestServer::start().await;
    let admin = server.admin();
    let _ = admin
        .upload(atlashub_tests::fixture("misbehave"), None)
        .await
        .expect_success();
    let project = admin.project_with(&["misbehave"]).await;
    let slow = tokio::spawn({
        let project = project.clone();
        async move { project.get("/misbehave/sleep/1500").await }
    });
    let metrics = format!(
        "/admin/v1/projects/{}/plugins/misbehave/metrics",
        project.slug
    );
    until("the running request", atlashub_tests::DEADLINE, || async {
        (admin.get(&metrics).await.json()["running"] == 1).then_some(())
    })
    .await;
    server.stop().await;
    assert_eq!(slow.await.unwrap().expect(200).text(), "slept");
}

/// A file that the server has acknowledged.
struct Acknowledged {
    id: String,
    sum: Digest,
}

async fn upload_until_refused(project: Project, seed: u64, done: Arc<Mutex<Vec<Acknowledged>>>) {
    for (number, step) in (0_u64..).zip(0_usize..) {
        let bytes = noise(200_000 + (step * 7919) % 400_000, seed * 1000 + number);
        let sum = Digest::of(&bytes);
        let request = project
            .request(reqwest::Method::POST, "/files/upload")
            .header("file-path", format!("{seed}-{number}.bin"))
            .body(bytes);
        let Ok(reply) = atlashub_tests::Reply::try_to(request).await else {
            return;
        };
        if reply.status == 503 {
            continue;
        }
        let id = reply.expect_success().json()["id"]
            .as_str()
            .unwrap()
            .to_owned();
        done.lock().unwrap().push(Acknowledged { id, sum });
    }
}

#[tokio::test]
async fn a_killed_server_loses_no_acknowledged_file_and_shows_no_half_one() {
    let mut server = TestServer::start().await;
    let admin = server.admin();
    let project = admin.project_with(&["files"]).await;
    let done = Arc::new(Mutex::new(Vec::new()));
    let mut goal = 0;
    for round in 0..3 {
        let clients: Vec<_> = (0..4)
            .map(|client| {
                tokio::spawn(upload_until_refused(
                    project.clone(),
                    round * 10 + client,
                    Arc::clone(&done),
                ))
            })
            .collect();
        goal += 25;
        until("enough uploads", atlashub_tests::DEADLINE, || {
            std::future::ready((done.lock().unwrap().len() >= goal).then_some(()))
        })
        .await;
        server.kill();
        for client in clients {
            client.await.unwrap();
        }
        server.start_again().await;
        goal = done.lock().unwrap().len();
    }
    let acknowledged = std::mem::take(&mut *done.lock().unwrap());
    for file in &acknowledged {
        let reply = project
            .get(&format!("/files/{}/download", file.id))
            .await
            .expect(200);
        assert_eq!(Digest::of(&reply.body), file.sum, "{} has changed", file.id);
    }
    let (mut listed, mut bytes, mut cursor) = (0, 0, String::new());
    loop {
        let page = project
            .get(&format!("/files?limit=100{cursor}"))
            .await
            .expect(200)
            .json();
        for item in page["items"].as_array().unwrap() {
            let path = format!("/files/{}/download", item["id"].as_str().unwrap());
            let reply = project.get(&path).await.expect(200);
            assert_eq!(
                Digest::of(&reply.body).to_hex(),
                item["sha256"].as_str().unwrap()
            );
            listed += 1;
            bytes += reply.body.len() as u64;
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!(
        listed >= acknowledged.len(),
        "{listed} files are listed, {} were acknowledged",
        acknowledged.len()
    );
    let usage = admin
        .get(&format!("/admin/v1/projects/{}/usage", project.slug))
        .await
        .expect(200)
        .json();
    assert!(
        usage["storage"]["used_bytes"].as_u64().unwrap() >= bytes,
        "{usage} counts less than {bytes}"
    );
}

#[tokio::test]
async fn a_thousand_clients_that_go_away_leave_nothing_behind() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let project = admin.project_with(&["files", "hello"]).await;
    let file = project
        .upload("large.bin", noise(8 * 1024 * 1024, 3))
        .await
        .expect_success()
        .json();
    let download = format!("/files/{}/download", file["id"].as_str().unwrap());
    let usage_path = format!("/admin/v1/projects/{}/usage", project.slug);
    let before = admin.get(&usage_path).await.expect(200).json();

    let go_away = |number: usize| {
        let (server, project, download) = (&server, &project, &download);
        async move {
            let mut connection = RawConnection::to(server).await;
            let head = |method: &str, path: &str, more: &str| {
                format!(
                    "{method} {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n{more}\r\n",
                    project.secret
                )
            };
            match number % 4 {
                0 => {
                    connection.send(&head("GET", download, "")).await;
                    assert!(!connection.read_some().await.is_empty());
                }
                1 => {
                    let more = format!("file-path: gone-{number}\r\ncontent-length: 1000000\r\n");
                    connection.send(&head("POST", "/files/upload", &more)).await;
                    connection.try_send(&noise(300_000, 9)).await.unwrap();
                }
                2 => connection.send(&head("GET", download, "")).await,
                _ => {
                    connection
                        .send("GET /hello HTTP/1.1\r\nhost: x\r\nx-api")
                        .await
                }
            }
            connection.abort();
        }
    };
    // The first hundred bring instances and pools up.
    futures::future::join_all((0..100).map(&go_away)).await;
    until(
        "rest after the first clients",
        atlashub_tests::DEADLINE,
        || at_rest(&server, 400),
    )
    .await;
    let (files, memory) = (server.open_files(), server.own_bytes());
    for start in (100..1_000).step_by(50) {
        futures::future::join_all((start..start + 50).map(&go_away)).await;
    }
    until(
        "the end of all connections",
        atlashub_tests::DEADLINE,
        || at_rest(&server, files + 20),
    )
    .await;
    let grown = server.own_bytes().saturating_sub(memory);
    assert!(grown < 64 * 1024 * 1024, "the server grew by {grown} bytes");
    let list = project.get("/files").await.expect(200).json();
    assert_eq!(
        list["items"].as_array().unwrap().len(),
        1,
        "half uploads are visible: {list}"
    );
    until(
        "the reserved room to be given back",
        atlashub_tests::DEADLINE,
        || async {
            let now = admin.get(&usage_path).await.expect(200).json();
            (now["storage"] == before["storage"]).then_some(())
        },
    )
    .await;
    let _ = project.get("/hello").await.expect(200);
    assert_eq!(
        project.get(&download).await.expect(200).body,
        noise(8 * 1024 * 1024, 3)
    );
}

async fn at_rest(server: &TestServer, files: usize) -> Option<()> {
    (server.open_files() <= files).then_some(())
}

#[tokio::test]
async fn a_large_upload_does_not_grow_the_server() {
    const PIECE: usize = 1024 * 1024;
    let server = TestServer::start().await;
    let project = server.admin().project_with(&["files"]).await;
    let _ = project
        .upload("warm", noise(4 * PIECE, 1))
        .await
        .expect_success();
    let before = server.own_bytes();
    let piece = bytes::Bytes::from(noise(PIECE, 2));
    let pieces =
        futures::stream::iter((0..256).map(move |_| Ok::<_, std::io::Error>(piece.clone())));
    let upload = project.upload("large", reqwest::Body::wrap_stream(pieces));
    let watch = async {
        let mut most = 0;
        for _ in 0..20 {
            most = most.max(server.own_bytes());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        most
    };
    let (reply, most) = tokio::join!(upload, watch);
    assert_eq!(reply.expect_success().json()["size"], 256 * PIECE);
    let grown = most.max(server.own_bytes()).saturating_sub(before);
    assert!(grown < 64 * 1024 * 1024, "the server grew by {grown} bytes");
}
