//! Backups by policy when something goes wrong: the node is killed, the store
//! takes nothing, an archive was damaged where it lies. Nothing is skipped in
//! silence.

use crate::backups::{PATIENCE, World, backups, made, run_ended, world};
use atlashub_tests::{Admin, Project, Setup, TestServer, noise, until};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

fn policy_of(project: &Project) -> String {
    format!("/admin/v1/projects/{}/backup-policy", project.slug)
}

async fn policy(admin: &Admin, project: &Project) -> Value {
    admin.get(&policy_of(project)).await.expect(200).json()
}

async fn listed(admin: &Admin, project: &Project) -> Vec<Value> {
    let list = admin.get(&backups(project, "")).await.expect(200).json();
    list["items"].as_array().unwrap().clone()
}

/// Waits until a scheduled backup was made and tested.
async fn until_tested(admin: &Admin, project: &Project) -> Value {
    until("a tested backup by policy", PATIENCE, || async {
        let all = listed(admin, project).await;
        all.into_iter().find(|backup| {
            backup["reason"] == "scheduled"
                && backup["verified_at"].is_string()
                && backup["verify_error"].is_null()
        })
    })
    .await
}

/// Where the archive of a backup lies in a local folder.
fn archive_in(folder: &Path, id: &str) -> PathBuf {
    let name = format!("{id}.ahb");
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|found| *found == *name) {
                return path;
            }
        }
    }
    panic!("there is no {name}");
}

fn damage(archive: &Path) {
    let mut bytes = fs::read(archive).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(archive, bytes).unwrap();
}

fn set(clock: &Path, offset: &str) {
    // At once, so that no half of it is read.
    let new = clock.with_extension("new");
    fs::write(&new, format!("{offset}\n")).unwrap();
    fs::rename(&new, clock).unwrap();
}

/// What the audit says of a project's backups that were given up.
async fn given_up(admin: &Admin, project: &Project) -> Vec<Value> {
    let path = format!("/admin/v1/audit?project={}&limit=200", project.id);
    let audit = admin.get(&path).await.expect(200).json();
    let entries = audit["items"].as_array().unwrap().iter();
    entries
        .filter(|entry| entry["action"] == "backup.failed")
        .cloned()
        .collect()
}

#[tokio::test]
async fn a_kill_in_the_middle_of_a_backup_by_policy_skips_none() {
    let mut server = TestServer::start().await;
    let admin = server.admin();
    let World { project, .. } = world(&admin).await;
    for number in 0..6 {
        let bytes = noise(2_000_000, number);
        let large = project.upload(&format!("large/{number}.bin"), bytes).await;
        let _ = large.expect_success();
    }
    let mut cut_short = false;
    for _ in 0..5 {
        let _ = admin
            .put(&policy_of(&project), json!({"enabled": false}))
            .await
            .expect(200);
        for backup in listed(&admin, &project).await {
            let id = backup["id"].as_str().unwrap();
            let _ = admin.delete(&backups(&project, &format!("/{id}"))).await;
        }
        // The next after it would come in a day.
        let _ = admin
            .put(&policy_of(&project), json!({"enabled": true}))
            .await
            .expect(200);
        until("a backup that was begun", PATIENCE, || async {
            (!listed(&admin, &project).await.is_empty()).then_some(())
        })
        .await;
        server.kill();
        server.start_again().await;
        cut_short |= listed(&admin, &project)
            .await
            .iter()
            .all(|backup| backup["verified_at"].is_null());
        let tested = until_tested(&admin, &project).await;
        assert_eq!(tested["state"], "ready", "{tested}");
        let next = until("the policy's next time", PATIENCE, || async {
            let policy = policy(&admin, &project).await;
            assert_eq!(policy["failure"], Value::Null, "{policy}");
            let next = policy["next_at"].as_str().unwrap().to_owned();
            (next > tested["finished_at"].as_str().unwrap().to_owned()).then_some(next)
        })
        .await;
        assert!(!next.is_empty());
        if cut_short {
            break;
        }
    }
    assert!(cut_short, "every backup had ended before the kill");
    assert!(given_up(&admin, &project).await.is_empty());
}

#[tokio::test]
async fn a_backup_that_cannot_be_made_is_told_and_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::builder()
        .env(
            "ATLASHUB_BACKUP_URL",
            format!("fs:{}", folder.path().display()),
        )
        .start()
        .await;
    let admin = server.admin();
    let project = admin.project().await;
    // Nothing can be put below a file.
    let blocked = folder.path().join("backups");
    if blocked.exists() {
        fs::remove_dir_all(&blocked).unwrap();
    }
    fs::write(&blocked, "in the way").unwrap();
    let on = json!({"enabled": true});
    let _ = admin.put(&policy_of(&project), on).await.expect(200);
    let told = until("the failure", PATIENCE, || async {
        let policy = policy(&admin, &project).await;
        policy["failure"].is_object().then_some(policy)
    })
    .await;
    assert!(told["failure"]["attempt"].as_u64().unwrap() >= 1, "{told}");
    assert_ne!(told["failure"]["error"], "", "{told}");
    assert!(told["next_at"].is_string(), "{told}");
    fs::remove_file(&blocked).unwrap();
    let _ = until_tested(&admin, &project).await;
    until("no failure", PATIENCE, || async {
        let policy = policy(&admin, &project).await;
        policy["failure"].is_null().then_some(())
    })
    .await;
    assert!(given_up(&admin, &project).await.is_empty());
}

#[tokio::test]
async fn what_was_damaged_where_it_lies_is_found_by_the_policys_next_test() {
    let folder = tempfile::tempdir().unwrap();
    let clock = folder.path().join("clock");
    set(&clock, "+0");
    let store = folder.path().join("store");
    fs::create_dir(&store).unwrap();
    let server = TestServer::builder()
        .env("ATLASHUB_BACKUP_URL", format!("fs:{}", store.display()))
        .by_the_clock_in(&clock)
        .start_embedded()
        .await;
    let admin = server.admin();
    let project = admin.project().await;
    let rare = json!({
        "enabled": true, "interval_seconds": 300 * 86_400, "keep_last": 1, "verify_every_days": 3,
    });
    let set_to = admin.put(&policy_of(&project), rare).await.expect(200);
    assert_eq!(set_to.json()["verify_every_days"], 3);
    let tested = until_tested(&admin, &project).await;
    let id = tested["id"].as_str().unwrap();
    until("the end of the turn", PATIENCE, || async {
        let policy = policy(&admin, &project).await;
        (policy["next_at"].as_str() > tested["finished_at"].as_str()).then_some(())
    })
    .await;
    let next = policy(&admin, &project).await["next_test_at"].clone();
    assert!(next.is_string(), "{next}");
    // As good as new in three days.
    set(&clock, "+73h");
    let again = until("the next test", PATIENCE, || async {
        let backup = listed(&admin, &project).await.remove(0);
        (backup["verified_at"] != tested["verified_at"]).then_some(backup)
    })
    .await;
    assert_eq!(
        (&again["id"], &again["verify_error"]),
        (&json!(id), &Value::Null)
    );
    until("the time of the next test", PATIENCE, || async {
        let now = policy(&admin, &project).await["next_test_at"].clone();
        (now.as_str() > next.as_str()).then_some(())
    })
    .await;

    damage(&archive_in(&store, id));
    set(&clock, "+150h");
    let told = until("the failure", PATIENCE, || async {
        let policy = policy(&admin, &project).await;
        policy["failure"].is_object().then_some(policy)
    })
    .await;
    let error = told["failure"]["error"].as_str().unwrap();
    assert!(error.contains("damaged"), "{told}");
    assert_eq!(told["failure"]["attempt"], 0, "{told}");
    let known = listed(&admin, &project).await.remove(0);
    assert!(
        known["verify_error"].as_str().unwrap().contains("damaged"),
        "{known}"
    );
    let entries = given_up(&admin, &project).await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0]["details"]["task"], "verify", "{entries:?}");
    // One that cannot be restored takes no sound one's place.
    let sound = made(&admin, &project).await;
    let kept = listed(&admin, &project).await;
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert_eq!(kept[0]["id"], sound.as_str());
}

#[tokio::test]
async fn a_link_to_a_backup_ends_with_its_hour() {
    let folder = tempfile::tempdir().unwrap();
    let clock = folder.path().join("clock");
    set(&clock, "+0");
    let server = TestServer::builder()
        .by_the_clock_in(&clock)
        .start_embedded()
        .await;
    let admin = server.admin();
    let project = admin.project().await;
    let backup = made(&admin, &project).await;
    let path = backups(&project, &format!("/{backup}/download"));
    let link = admin.get(&path).await.expect(200).json();
    let url = link["url"].as_str().unwrap();
    let fetched = reqwest::get(url).await.unwrap();
    assert_eq!(fetched.status(), 200);
    set(&clock, "+61m");
    let expired = reqwest::get(url).await.unwrap();
    assert_eq!(expired.status(), 403);
    let problem: Value = expired.json().await.unwrap();
    assert_eq!(problem["code"], "expired_link", "{problem}");
    let anew = admin.get(&path).await.expect(200).json();
    let fetched = reqwest::get(anew["url"].as_str().unwrap()).await.unwrap();
    assert_eq!(fetched.status(), 200);
}

#[tokio::test]
async fn a_damaged_archive_of_the_platform_leaves_an_empty_host_empty() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let owner = json!({"email": "owner@example.com", "password": "correct horse battery staple"});
    let anonymous = admin.anonymous();
    let _ = anonymous.post("/admin/v1/setup", owner).await.expect(201);
    let project = admin.project().await;
    let begun = admin.post("/admin/v1/backups", json!({})).await;
    let begun = begun.expect(202).json();
    let path = format!("/admin/v1/backups/{}", begun["id"].as_str().unwrap());
    until("the platform's backup", PATIENCE, || async {
        let backup = admin.get(&path).await.expect(200).json();
        (backup["state"] == "ready").then_some(())
    })
    .await;
    let link = admin.get(&format!("{path}/download")).await.expect(200);
    let archive = reqwest::get(link.json()["url"].as_str().unwrap()).await;
    let archive = archive.unwrap().bytes().await.unwrap();
    drop((server, project));

    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.ahb");
    fs::write(&whole, &archive).unwrap();
    let host = Setup::make().await;
    let length = archive.len();
    for (what, at) in [
        ("the head", 20),
        ("the middle", length / 2),
        ("the end", length - 5),
    ] {
        let broken = folder.path().join("broken.ahb");
        let mut bytes = archive.to_vec();
        bytes[at] ^= 0x10;
        fs::write(&broken, &bytes).unwrap();
        let (code, said) = host.run(&["restore", broken.to_str().unwrap()], &[]).await;
        assert_ne!(code, 0, "{what}: {said}");
        bytes[at] ^= 0x10;
        bytes.truncate(length - 1);
        fs::write(&broken, &bytes).unwrap();
        let (code, said) = host.run(&["restore", broken.to_str().unwrap()], &[]).await;
        assert_ne!(code, 0, "cut short: {said}");
    }
    // Nothing of it was left behind: the whole one is taken, once.
    let (code, said) = host.run(&["restore", whole.to_str().unwrap()], &[]).await;
    assert_eq!(code, 0, "{said}");
    let (code, said) = host.run(&["restore", whole.to_str().unwrap()], &[]).await;
    assert_ne!(code, 0, "{said}");
    assert!(said.contains("has admins already"), "{said}");
}

#[tokio::test]
async fn a_test_of_a_damaged_archive_fails_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::builder()
        .env(
            "ATLASHUB_BACKUP_URL",
            format!("fs:{}", folder.path().display()),
        )
        .start()
        .await;
    let admin = server.admin();
    let project = admin.project().await;
    let backup = made(&admin, &project).await;
    damage(&archive_in(folder.path(), &backup));
    let path = backups(&project, &format!("/{backup}/verify"));
    let begun = admin.post(&path, json!({})).await.expect(202).json();
    let run = run_ended(&admin, begun).await;
    assert_eq!(run["state"], "failed", "{run}");
    assert!(run["error"].as_str().unwrap().contains("damaged"), "{run}");
    let known = admin.get(&backups(&project, &format!("/{backup}"))).await;
    let known = known.expect(200).json();
    assert!(
        known["verify_error"].as_str().unwrap().contains("damaged"),
        "{known}"
    );
}

#[tokio::test]
async fn what_has_no_policy_gets_the_usual_one() {
    let server = TestServer::builder()
        .env("ATLASHUB_BACKUP_SCHEDULE", "* * * * * *")
        .start()
        .await;
    let admin = server.admin();
    let project = admin.project().await;
    let own = admin.project().await;
    let never = json!({"enabled": true, "schedule": "0 0 29 2 *"});
    let _ = admin.put(&policy_of(&own), never).await.expect(200);
    let tested = until_tested(&admin, &project).await;
    assert_eq!(tested["state"], "ready", "{tested}");
    assert_eq!(policy(&admin, &project).await["schedule"], "* * * * * *");
    until("a backup of the platform", PATIENCE, || async {
        let all = admin.get("/admin/v1/backups").await.expect(200).json();
        let mut all = all["items"].as_array().unwrap().clone().into_iter();
        all.find(|backup| backup["project"].is_null() && backup["state"] == "ready")
    })
    .await;
    // Whoever said otherwise is asked no more.
    assert_eq!(policy(&admin, &own).await["schedule"], "0 0 29 2 *");
    let off = json!({"enabled": false});
    let _ = admin.put(&policy_of(&project), off).await.expect(200);
    let before = policy(&admin, &project).await;
    until("another backup of the platform", PATIENCE, || async {
        let all = admin
            .get("/admin/v1/backups?limit=100")
            .await
            .expect(200)
            .json();
        let all = all["items"].as_array().unwrap().clone();
        let of_platform = all.iter().filter(|backup| backup["project"].is_null());
        (of_platform.count() > 1).then_some(())
    })
    .await;
    assert_eq!(policy(&admin, &project).await, before);
    assert!(
        listed(&admin, &own)
            .await
            .iter()
            .all(|backup| backup["reason"] != "scheduled")
    );
    // It is read before the node starts.
    for (schedule, zone) in [("every night", "UTC"), ("0 3 * * *", "Kenya/Nowhere")] {
        let said = TestServer::refused(&[
            ("ATLASHUB_BACKUP_SCHEDULE", schedule),
            ("ATLASHUB_BACKUP_TIMEZONE", zone),
        ])
        .await;
        assert!(said.contains("ATLASHUB_BACKUP_SCHEDULE"), "{said}");
    }
}
