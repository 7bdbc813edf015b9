//! The `files` plugin: renaming, the trash, and deleting for good.

use atlashub_tests::{Admin, Project, shared};
use serde_json::{Value, json};

async fn file() -> (Admin, Project, String) {
    let admin = shared().await.admin();
    let project = admin.project_with(&["files"]).await;
    let metadata = project
        .upload("old.txt", "content")
        .await
        .expect_success()
        .json();
    let path = format!("/files/{}", metadata["id"].as_str().unwrap());
    (admin, project, path)
}

async fn names(project: &Project, path: &str) -> Vec<Value> {
    let list = project.get(path).await.expect(200).json();
    list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["filename"].clone())
        .collect()
}

#[tokio::test]
async fn a_file_is_renamed() {
    let (_admin, project, path) = file().await;
    let renamed = project
        .patch(&path, json!({"filename": "new.txt"}))
        .await
        .expect(200)
        .json();
    assert_eq!(renamed["filename"], "new.txt", "{renamed}");
    assert_eq!(names(&project, "/files").await, ["new.txt"]);
    for name in ["", "..", "a/b", "a\u{0}b"] {
        let reply = project.patch(&path, json!({"filename": name})).await;
        assert!(
            matches!(reply.status, 400 | 422),
            "`{name}`: {} {}",
            reply.status,
            reply.text()
        );
    }
    assert_eq!(
        project
            .get(&format!("{path}/download"))
            .await
            .expect(200)
            .text(),
        "content"
    );
}

#[tokio::test]
async fn a_deleted_file_lies_in_the_trash_until_it_is_restored() {
    let (_admin, project, path) = file().await;
    let _ = project.delete(&path).await.expect_success();
    project
        .get(&format!("{path}/download"))
        .await
        .expect_problem(404);
    assert!(names(&project, "/files").await.is_empty());
    assert_eq!(names(&project, "/files/trash").await, ["old.txt"]);
    let _ = project
        .post(&format!("{path}/restore"), json!({}))
        .await
        .expect_success();
    assert_eq!(
        project
            .get(&format!("{path}/download"))
            .await
            .expect(200)
            .text(),
        "content"
    );
    assert!(names(&project, "/files/trash").await.is_empty());
}

#[tokio::test]
async fn a_file_deleted_for_good_gives_its_room_back() {
    let (admin, project, path) = file().await;
    let usage = format!("/admin/v1/projects/{}/usage", project.slug);
    let used = |usage: Value| usage["storage"]["used_bytes"].as_u64().unwrap();
    assert_eq!(used(admin.get(&usage).await.expect(200).json()), 7);
    let _ = project
        .delete(&format!("{path}?permanent=1"))
        .await
        .expect_success();
    project.get(&path).await.expect_problem(404);
    assert!(names(&project, "/files/trash").await.is_empty());
    assert_eq!(used(admin.get(&usage).await.expect(200).json()), 0);
    project.delete(&path).await.expect_problem(404);
}

#[tokio::test]
async fn an_id_that_cannot_be_is_not_found() {
    let (_admin, project, _path) = file().await;
    for id in ["nothing", "0", "%00", "..%2F..%2Fetc", "'%20OR%201=1"] {
        let reply = project.get(&format!("/files/{id}")).await;
        assert!(
            matches!(reply.status, 400 | 404),
            "`{id}`: {} {}",
            reply.status,
            reply.text()
        );
        reply.expect_problem(reply.status);
    }
}
