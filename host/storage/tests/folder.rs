//! What only a folder can do wrong: links, left-overs, odd files.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use atlashub_core::ProjectId;
use atlashub_storage::{ObjectPath, PathPrefix, Storage, StorageUrl, WriteMode};
use bytes::Bytes;
use std::{os::unix::fs::symlink, path::Path};

fn open(dir: &Path) -> Storage {
    Storage::open(&StorageUrl::Fs(dir.to_owned()), None).unwrap()
}

fn path(project: ProjectId, key: &str) -> ObjectPath {
    let (bucket, plugin) = ("private".parse().unwrap(), "files".parse().unwrap());
    ObjectPath::object(project, &bucket, &plugin, &key.parse().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn symbolic_links_are_not_followed() {
    let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let storage = open(dir.path());
    let project = ProjectId::new();
    let write = async |key| {
        let (path, bytes) = (path(project, key), Bytes::from_static(b"x"));
        storage.write_bytes(&path, bytes, WriteMode::Replace).await
    };
    write("real").await.unwrap();
    let folder = dir.path().join(format!("t/{project}/private/files"));
    std::fs::write(outside.path().join("secret"), b"secret").unwrap();
    symlink(outside.path(), folder.join("folder")).unwrap();
    symlink(outside.path().join("secret"), folder.join("file")).unwrap();

    for key in ["folder/secret", "file"] {
        assert!(
            storage.read(&path(project, key), None).await.is_err(),
            "read {key}"
        );
        assert!(
            storage.stat(&path(project, key)).await.is_err(),
            "stat {key}"
        );
        assert!(
            storage.delete(&path(project, key)).await.is_err(),
            "delete {key}"
        );
    }
    assert!(write("folder/new").await.is_err());
    assert!(!outside.path().join("new").exists());
    assert_eq!(
        std::fs::read(outside.path().join("secret")).unwrap(),
        b"secret"
    );
    let (bucket, plugin) = ("private".parse().unwrap(), "files".parse().unwrap());
    let page = storage
        .list(&PathPrefix::plugin(project, &bucket, &plugin), "", None, 10)
        .await
        .unwrap();
    assert_eq!(page.entries.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_left_is_swept_and_what_lives_is_not() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let incoming = dir.path().join("incoming");
    std::fs::write(incoming.join("left-over"), b"half").unwrap();
    let living = std::fs::File::create(incoming.join("living")).unwrap();
    rustix::fs::flock(
        &living,
        rustix::fs::FlockOperation::NonBlockingLockExclusive,
    )
    .unwrap();
    drop(open(dir.path()));
    assert!(!incoming.join("left-over").exists());
    assert!(incoming.join("living").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_leaves_no_empty_folders_but_the_plugins_own() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path());
    let project = ProjectId::new();
    for key in ["a/b/c", "a/d"] {
        storage
            .write_bytes(
                &path(project, key),
                Bytes::from_static(b"x"),
                WriteMode::Fresh,
            )
            .await
            .unwrap();
    }
    let folder = dir.path().join(format!("t/{project}/private/files"));
    assert_eq!(
        storage.delete(&path(project, "a/b/c")).await.unwrap(),
        Some(1)
    );
    assert!(!folder.join("a/b").exists() && folder.join("a").exists());
    assert_eq!(
        storage.delete(&path(project, "a/d")).await.unwrap(),
        Some(1)
    );
    assert!(!folder.join("a").exists() && folder.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_within_another_is_a_conflict() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path());
    let project = ProjectId::new();
    let write = async |key| {
        let (path, bytes) = (path(project, key), Bytes::from_static(b"x"));
        storage.write_bytes(&path, bytes, WriteMode::Replace).await
    };
    write("a").await.unwrap();
    assert_eq!(
        write("a/b").await.unwrap_err().code(),
        "object_key_conflict"
    );
    write("c/d").await.unwrap();
    assert_eq!(write("c").await.unwrap_err().code(), "object_key_conflict");
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_files_in_the_folder_stall_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path());
    let project = ProjectId::new();
    storage
        .write_bytes(
            &path(project, "a"),
            Bytes::from_static(b"x"),
            WriteMode::Fresh,
        )
        .await
        .unwrap();
    let fifo = dir.path().join(format!("t/{project}/private/files/pipe"));
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    assert!(storage.read(&path(project, "pipe"), None).await.is_err());
}
