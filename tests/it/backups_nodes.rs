//! A restore over a project while another node serves it: what that node
//! acknowledges is in what was there before, or in what is there after.

use crate::backups::{PATIENCE, backups, made, restored, run_ended, world};
use atlashub_tests::{Admin, Engine, Project, Reply, TestServer, unique, until};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// What was acknowledged, and how often the project was said to be closed.
#[derive(Default)]
struct Written {
    titles: Vec<String>,
    closed: usize,
}

/// The status of a write; 0 when it broke off.
async fn write(project: &Project, title: &str) -> u16 {
    let row = json!({"rows": [{ "title": title }]});
    let request = project.request(Method::POST, "/v1/db/notes").json(&row);
    Reply::try_to(request).await.map_or(0, |reply| reply.status)
}

/// Writes until it is told to stop.
async fn write_on(project: Project, stop: Arc<AtomicBool>, count: Arc<AtomicUsize>) -> Written {
    let mut written = Written::default();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let title = format!("written {number}");
        match write(&project, &title).await {
            201 | 200 => {
                written.titles.push(title);
                count.fetch_add(1, Ordering::Relaxed);
            }
            503 => {
                written.closed += 1;
                tokio::task::yield_now().await;
            }
            // It broke off: the client does not know, and nobody promised.
            _ => {}
        }
    }
    written
}

async fn more_than(count: &AtomicUsize, than: usize) {
    until("more writes", PATIENCE, || async {
        (count.load(Ordering::Relaxed) > than).then_some(())
    })
    .await;
}

async fn titles(project: &Project) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let path = format!(
            "/v1/db/notes?limit=200&offset={}&order=title.asc",
            all.len()
        );
        // Whichever node restored it, the others hear of the end a moment later.
        let page = until(
            "a page of the project that is there again",
            PATIENCE,
            || async {
                let reply = project.get(&path).await;
                match reply.status {
                    503 => {
                        assert_eq!(reply.expect_problem(503), "project_restoring");
                        None
                    }
                    _ => Some(reply.expect(200).json()),
                }
            },
        )
        .await;
        let rows = page["rows"].as_array().unwrap();
        let more = rows
            .iter()
            .map(|row| row["title"].as_str().unwrap().to_owned());
        all.extend(more);
        if rows.len() < 200 {
            return all;
        }
    }
}

async fn restore_over(admin: &Admin, project: &Project, backup: &str) -> Value {
    let path = backups(project, &format!("/{backup}/restore"));
    let confirm = json!({"confirm": project.slug});
    let begun = admin.post(&path, confirm).await.expect(202).json();
    let run = run_ended(admin, begun).await;
    assert_eq!(run["state"], "done", "{run}");
    run
}

#[tokio::test]
async fn no_other_node_writes_into_a_project_that_is_being_restored() {
    if !Engine::of_this_run().serves_many_nodes() {
        return;
    }
    let first = TestServer::start().await;
    let second = first.second_node().await;
    let admin = first.admin();
    let project = world(&admin).await.project;
    let there = project.on(&second);
    until("the project on the other node", PATIENCE, || async {
        matches!(write(&there, "hello").await, 200..300).then_some(())
    })
    .await;
    let backup = made(&admin, &project).await;
    let (stop, count) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let writing = tokio::spawn(write_on(
        there.clone(),
        Arc::clone(&stop),
        Arc::clone(&count),
    ));
    more_than(&count, 10).await;
    let run = restore_over(&admin, &project, &backup).await;
    more_than(&count, count.load(Ordering::Relaxed) + 10).await;
    stop.store(true, Ordering::Relaxed);
    let written = writing.await.unwrap();
    assert!(written.closed > 0, "the other node never closed it");
    let after = titles(&project).await;
    let before = run["before"].as_str().unwrap();
    let copy = restored(&admin, &project, before, &unique("before")).await;
    let kept = titles(&copy).await;
    for title in &written.titles {
        let places = usize::from(after.contains(title)) + usize::from(kept.contains(title));
        assert_eq!(places, 1, "`{title}` is in {places} places");
    }

    // A node that sleeps through all of it wakes and cannot write into what
    // is not the project any more.
    second.freeze();
    let late = tokio::spawn({
        let there = there.clone();
        async move { write(&there, "late").await }
    });
    let backup = made(&admin, &project).await;
    let _ = restore_over(&admin, &project, &backup).await;
    second.thaw();
    let status = late.await.unwrap();
    let is_there = titles(&project).await.iter().any(|title| title == "late");
    // A node that slept for long closes what waited for it: nobody promised.
    if status != 0 {
        assert_eq!(is_there, (200..300).contains(&status), "{status}");
    }
}
