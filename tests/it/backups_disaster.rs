//! The disaster drill of `docs/OPERATIONS.md`: a backup is made while writes
//! go on, the host is lost, and an empty one is restored from the command line.

use crate::backups::{PATIENCE, World, backups, ended, seen, world};
use atlashub_core::Digest;
use atlashub_tests::{Admin, Engine, Project, Reply, Setup, TestServer, noise, until};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

/// Writes of each writer before the backup begins, and after it.
const ENOUGH: usize = 10;

/// Writers at once.
const WRITERS: u64 = 3;

/// What was acknowledged to one writer.
#[derive(Default)]
struct Acknowledged {
    /// Titles of rows.
    rows: Vec<String>,
    /// Digests of files by their paths.
    files: BTreeMap<String, String>,
    /// Paths of those that it wanted deleted.
    deleted: BTreeSet<String>,
}

type Written = Arc<Mutex<Acknowledged>>;

/// Writes and deletes until it is told to stop: each file's name says what is
/// in it, and a row is written for each.
async fn write_on(project: Project, writer: u64, stop: Arc<AtomicBool>, written: Written) {
    let mut last: Option<(String, String)> = None;
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let bytes = noise(30_000, writer * 100_000 + number);
        let digest = Digest::of(&bytes).to_hex();
        let path = format!("load/{writer}-{number}.bin");
        let file = project.upload(&path, bytes).await.expect_success().json();
        written.lock().unwrap().files.insert(path.clone(), digest);
        let title = format!("load {writer} {number}");
        let row = json!({"rows": [{"title": title}]});
        let _ = project.post("/v1/db/notes", row).await.expect_success();
        written.lock().unwrap().rows.push(title);
        // What was deleted before the backup's moment is not in it; what is
        // deleted after it is.
        let id = file["id"].as_str().unwrap().to_owned();
        if let Some((path, id)) = last.replace((path, id))
            && number % 3 == 0
        {
            written.lock().unwrap().deleted.insert(path);
            let path = format!("/files/{id}?permanent=1");
            let _ = project.delete(&path).await.expect_success();
        }
    }
}

/// All titles of the project's rows.
async fn titles(project: &Project) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for page in 0.. {
        let path = format!("/v1/db/notes?limit=200&offset={}&order=id.asc", page * 200);
        let found = project.get(&path).await.expect(200).json();
        let rows = found["rows"].as_array().unwrap();
        let titles = rows.iter().map(|row| row["title"].as_str().unwrap());
        all.extend(titles.map(str::to_owned));
        if rows.len() < 200 {
            break;
        }
    }
    all
}

/// The digests of all files by their paths, as their bytes are.
async fn files(project: &Project) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut more = String::new();
    loop {
        let path = format!("/files?limit=200{more}");
        let page = project.get(&path).await.expect(200).json();
        for file in page["items"].as_array().unwrap() {
            let path = format!("/files/{}/download", file["id"].as_str().unwrap());
            let content = project.get(&path).await.expect(200).body;
            let path = file["path"].as_str().unwrap().trim_start_matches('/');
            all.insert(path.to_owned(), Digest::of(&content).to_hex());
        }
        match page["next_cursor"].as_str() {
            Some(cursor) => more = format!("&cursor={cursor}"),
            None => return all,
        }
    }
}

/// Waits until every writer has written so many more rows.
async fn more(written: &[Written], many: usize) {
    let count = |one: &Written| one.lock().unwrap().rows.len();
    let before: Vec<usize> = written.iter().map(count).collect();
    until("more writes", PATIENCE, || async {
        let mut both = written.iter().map(count).zip(&before);
        both.all(|(now, before)| now > before + many).then_some(())
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
    // Backups have a place of their own, which outlives the host.
    let kept = tempfile::tempdir().unwrap();
    let place = format!("fs:{}", kept.path().display());
    let server = TestServer::builder()
        .env("ATLASHUB_BACKUP_URL", place.as_str())
        .start()
        .await;
    let admin = server.admin();
    let World { project, users } = world(&admin).await;
    let stop = Arc::new(AtomicBool::new(false));
    let written: Vec<Written> = (0..WRITERS).map(|_| Written::default()).collect();
    let writers: Vec<_> = (0..WRITERS)
        .zip(&written)
        .map(|(writer, written)| {
            let written = Arc::clone(written);
            tokio::spawn(write_on(
                project.clone(),
                writer,
                Arc::clone(&stop),
                written,
            ))
        })
        .collect();
    more(&written, ENOUGH).await;
    let (mut rows_before, mut files_before) = (BTreeSet::new(), BTreeMap::new());
    for one in &written {
        let one = one.lock().unwrap();
        rows_before.extend(one.rows.clone());
        files_before.extend(one.files.clone());
    }
    let backup = ended(&admin, &project).await;
    more(&written, ENOUGH).await;
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    for one in &written {
        let deleted = one.lock().unwrap().deleted.clone();
        files_before.retain(|path, _| !deleted.contains(path));
    }
    assert!(files_before.len() > ENOUGH);
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
    // All that was acknowledged before it was asked for is in it.
    let (rows_then, files_then) = (titles(&copy).await, files(&copy).await);
    let lost: Vec<&String> = rows_before.difference(&rows_then).collect();
    assert!(lost.is_empty(), "{lost:?}");
    for (path, digest) in &files_before {
        assert_eq!(files_then.get(path), Some(digest), "{path}");
    }
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
        let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
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
    // From the store, of which this host knows nothing but where it is.
    let (code, said) = host.run(&["restore", id], &[]).await;
    assert_ne!(code, 0, "{said}");
    let settings = [("ATLASHUB_BACKUP_URL", place.as_str())];
    let (code, said) = host.run(&["restore", id], &settings).await;
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
    let (code, said) = host.run(&["doctor"], &settings).await;
    assert_eq!(code, 0, "{said}");
    let server = host.start().await;
    let admin = server.admin();
    let project = project.on(&server);
    let now = seen(&admin, &project).await;
    assert_eq!(now, then);
    assert_eq!(titles(&project).await, rows_then);
    assert_eq!(files(&project).await, files_then);
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
