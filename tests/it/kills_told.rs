//! A server that is killed between a change of a file and telling of it: those
//! who follow are told nevertheless, and nobody has to call for it.

use atlashub_tests::{DEADLINE, Project, Reply, TestServer, fixture, until};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// How often the server is killed.
const KILLS: usize = 3;
/// Clients at once.
const CLIENTS: usize = 8;
/// What was not told is told half a minute later, by an event that a killed
/// server may have held.
const TOLD: Duration = Duration::from_secs(180);

/// Uploads files and throws every other away, until the server is gone.
async fn change(project: &Project, client: usize, round: usize, done: &AtomicUsize) {
    for number in 0.. {
        let upload = project.request(Method::POST, "/files/upload");
        let upload = upload
            .header("file-path", format!("{round}/{client}/{number}.txt"))
            .body(format!("{round} {client} {number}"));
        let Ok(reply) = Reply::try_to(upload).await else {
            return;
        };
        // Many at once on a slow machine: whether it is there is seen in the end.
        if reply.status == 503 {
            continue;
        }
        let file = reply.expect_success().json();
        done.fetch_add(1, Ordering::Relaxed);
        if number % 2 == 0 {
            continue;
        }
        let path = format!("/files/{}", file["id"].as_str().unwrap());
        let gone = project.request(Method::DELETE, &path);
        if Reply::try_to(gone).await.is_err() {
            return;
        }
    }
}

/// All ids of a list.
async fn ids(project: &Project, list: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let path = format!("{list}?limit=200&cursor={cursor}");
        let page = project.get(path.trim_end_matches("&cursor=")).await;
        let page = page.expect(200).json();
        let items = page["items"].as_array().unwrap().iter();
        all.extend(items.map(|item| item["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => return all,
        }
    }
}

/// The files of which the listener was told that they came, and of which that
/// they went; one that was told of again is both.
async fn told(project: &Project) -> (BTreeSet<String>, BTreeSet<String>) {
    let taken = project.get("/listener/taken").await.expect(200).json();
    let (mut came, mut went) = (BTreeSet::new(), BTreeSet::new());
    for event in taken["items"].as_array().unwrap() {
        let payload: Value = serde_json::from_str(event["payload"].as_str().unwrap()).unwrap();
        let id = |value: &Value| value.as_str().unwrap().to_owned();
        match event["name"].as_str().unwrap() {
            "files.uploaded" => drop(came.insert(id(&payload["id"]))),
            "files.trashed" => drop(went.insert(id(&payload["id"]))),
            _ => {
                for file in payload["ids"].as_array().unwrap() {
                    came.insert(id(file));
                    went.insert(id(file));
                }
            }
        }
    }
    (came, went)
}

#[tokio::test]
async fn what_a_kill_left_untold_is_told() {
    let mut server = TestServer::start().await;
    let admin = server.admin();
    let _ = admin
        .upload(fixture("listener"), None)
        .await
        .expect_success();
    let project = admin.project_with(&["files", "listener"]).await;
    // The listener would read 10,000 rows at most.
    let done = AtomicUsize::new(0);
    for round in 0..KILLS {
        let goal = done.load(Ordering::Relaxed) + 60 + 13 * round;
        let work = futures::future::join_all(
            (0..CLIENTS).map(|client| change(&project, client, round, &done)),
        );
        let kill = async {
            until("enough changes", DEADLINE, || {
                std::future::ready((done.load(Ordering::Relaxed) >= goal).then_some(()))
            })
            .await;
            server.kill();
        };
        tokio::join!(work, kill);
        server.start_again().await;
    }
    let trashed = ids(&project, "/files/trash").await;
    let mut all = ids(&project, "/files").await;
    all.extend(trashed.iter().cloned());
    assert!(all.len() >= 180 && !trashed.is_empty());
    until("all that happened to be told", TOLD, || async {
        let (came, went) = told(&project).await;
        (all.is_subset(&came) && trashed.is_subset(&went)).then_some(())
    })
    .await;
    let queue = format!("/admin/v1/projects/{}/queue?state=dead", project.slug);
    let dead = server.admin().get(&queue).await.expect(200).json();
    assert_eq!(dead["items"], json!([]));
}
