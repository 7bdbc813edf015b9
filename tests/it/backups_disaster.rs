//! The disaster drill of `docs/OPERATIONS.md`: a backup is made while writes
//! go on, the host is lost, and an empty one is restored from the command line.

use crate::backups::{PATIENCE, World, backups, ended, seen, world};
use atlashub_tests::{Admin, Engine, Project, Reply, Setup, TestServer, noise, until};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// Writes that there are before the backup begins, and while it is made.
const ENOUGH: usize = 10;

/// Writes and deletes until it is told to stop: each file's name says what is
/// in it, and a row is written for each.
async fn write_on(project: Project, stop: Arc<AtomicBool>, count: Arc<AtomicUsize>) {
    let mut last: Option<String> = None;
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let bytes = noise(30_000, number);
        let file = project.upload(&format!("load/{number}.bin"), bytes).await;
        let file = file.expect_success().json();
        let row = json!({"rows": [{"title": format!("load {number}")}]});
        let _ = project.post("/v1/db/notes", row).await.expect_success();
        // What was deleted before the backup's moment is not in it; what is
        // deleted after it is.
        if let Some(last) = last.replace(file["id"].as_str().unwrap().to_owned())
            && number % 3 == 0
        {
            let path = format!("/files/{last}?permanent=1");
            let _ = project.delete(&path).await.expect_success();
        }
        count.fetch_add(1, Ordering::Relaxed);
    }
}

async fn more_than(count: &AtomicUsize, than: usize) {
    until("more writes", PATIENCE, || async {
        (count.load(Ordering::Relaxed) > than).then_some(())
    })
    .await;
}

async fn fetch(admin: &Admin, path: &str, file: &Path) {
    let link = admin.get(path).await.expect(200).json();
    let archive = reqwest::get(link["url"].as_str().unwrap()).await.unwrap();
    assert_eq!(archive.status(), 200);
    std::fs::write(file, archive.bytes().await.unwrap()).unwrap();
}

#[tokio::test]
async fn a_backup_under_load_brings_an_empty_host_back() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let World { project, users } = world(&admin).await;
    let (stop, count) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let writers: Vec<_> = (0..1)
        .map(|_| {
            tokio::spawn(write_on(
                project.clone(),
                Arc::clone(&stop),
                Arc::clone(&count),
            ))
        })
        .collect();
    more_than(&count, ENOUGH).await;
    let backup = ended(&admin, &project).await;
    more_than(&count, count.load(Ordering::Relaxed) + ENOUGH).await;
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(backup["state"], "ready", "{backup}");
    let id = backup["id"].as_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("project.ahb");
    fetch(
        &admin,
        &backups(&project, &format!("/{id}/download")),
        &archive,
    )
    .await;
    // The state of that moment, as a copy beside the original shows it.
    let copy =
        crate::backups::restored(&admin, &project, id, &atlashub_tests::unique("moment")).await;
    let then = seen(&admin, &copy).await;
    let loaded = then["rows"].as_array().unwrap().len();
    assert!(loaded > ENOUGH, "{then}");
    let platform = admin
        .post("/admin/v1/backups", json!({}))
        .await
        .expect(202)
        .json();
    let platform_path = format!("/admin/v1/backups/{}", platform["id"].as_str().unwrap());
    until("the platform's backup", PATIENCE, || async {
        let backup = admin.get(&platform_path).await.expect(200).json();
        (backup["state"] == "ready").then_some(())
    })
    .await;
    let platform_archive = folder.path().join("platform.ahb");
    fetch(
        &admin,
        &format!("{platform_path}/download"),
        &platform_archive,
    )
    .await;

    // The host is lost, with its databases.
    drop(server);
    if Engine::of_this_run() == Engine::Postgres {
        let url = std::env::var("ATLASHUB_TEST_POSTGRES_URL").unwrap();
        let mut cluster = sqlx::PgConnection::connect(&url).await.unwrap();
        let name = format!("proj_{}", project.id.replace('-', ""));
        let statement = format!("DROP DATABASE {name} WITH (FORCE)");
        let _ = cluster
            .execute(sqlx::AssertSqlSafe(statement))
            .await
            .unwrap();
    }
    let host = Setup::make().await;
    let (code, said) = host
        .run(&["restore", platform_archive.to_str().unwrap()], &[])
        .await;
    assert_eq!(code, 0, "{said}");
    let (code, said) = host.run(&["restore", archive.to_str().unwrap()], &[]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains(&project.id), "{said}");
    // Twice is refused or another project: never over what is there.
    let (code, said) = host
        .run(
            &["restore", archive.to_str().unwrap(), "--confirm", "wrong"],
            &[],
        )
        .await;
    assert_ne!(code, 0, "{said}");
    let server = host.start().await;
    let admin = server.admin();
    let project = project.on(&server);
    let now = seen(&admin, &project).await;
    assert_eq!(now, then);
    // Every object that a row speaks of is there, with the bytes that the row
    // says, which `seen` compares; and nothing is there without a row.
    let found = crate::fsck::fsck(&server, &project, &[]).await;
    let wrong: Vec<&Value> = found
        .findings
        .iter()
        .filter(|finding| finding["code"] != "orphaned_object")
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let again = crate::backups::signed_in(&project, &users[0].email).await;
    assert_eq!(again.id, users[0].id);
    let listed = Reply::to(project.request(Method::GET, "/files")).await;
    let _ = listed.expect(200);
}

#[tokio::test]
async fn the_command_line_makes_backups_and_restores_them_over() {
    let mut server = TestServer::start().await;
    let admin = server.admin();
    let World { project, .. } = world(&admin).await;
    let first = seen(&admin, &project).await;
    server.stop().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.ahb");
    let args = [
        "backup",
        "--project",
        &project.slug,
        "--output",
        file.to_str().unwrap(),
    ];
    let (code, said) = server.run_with_its_settings(&args, &[]).await;
    assert_eq!(code, 0, "{said}");
    let id = said.lines().next().unwrap().trim().to_owned();
    server.start_again().await;
    let _ = project.upload("later.txt", "later").await.expect_success();
    let second = seen(&admin, &project).await;
    let known = admin
        .get(&backups(&project, &format!("/{id}")))
        .await
        .expect(200)
        .json();
    assert_eq!(known["state"], "ready", "{known}");
    server.stop().await;
    // Another key cannot even look.
    let other = [(
        "ATLASHUB_BACKUP_KEY",
        "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    )];
    let args = [
        "restore",
        file.to_str().unwrap(),
        "--confirm",
        &project.slug,
    ];
    let (code, said) = server.run_with_its_settings(&args, &other).await;
    assert_ne!(code, 0, "{said}");
    assert!(said.contains("key"), "{said}");
    let (code, said) = server.run_with_its_settings(&args, &[]).await;
    assert_eq!(code, 0, "{said}");
    let before = said.split_whitespace().last().unwrap().to_owned();
    server.start_again().await;
    assert_eq!(seen(&admin, &project).await, first);
    server.stop().await;
    // Back again, by the id of what was kept.
    let args = ["restore", before.as_str(), "--confirm", &project.slug];
    let (code, said) = server.run_with_its_settings(&args, &[]).await;
    assert_eq!(code, 0, "{said}");
    server.start_again().await;
    assert_eq!(seen(&admin, &project).await, second);
}
