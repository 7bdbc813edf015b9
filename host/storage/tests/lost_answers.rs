//! A store whose answers get lost on the way: what it did is done, and is
//! taken as done.
//!
//! Runs when `ATLASHUB_TEST_S3_URL` names a server (with its keys in the AWS
//! variables).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

use atlashub_core::{BucketName, PluginName, ProjectId, capability::blob::ObjectKey};
use atlashub_storage::{Credentials, ObjectPath, Storage, StorageUrl, WriteMode};
use bytes::Bytes;
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// A relay before the store that loses the answers to what completes an
/// object, as many as it was told.
struct Relay {
    address: String,
    to_lose: Arc<AtomicU32>,
}

impl Relay {
    async fn before(store: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let to_lose = Arc::new(AtomicU32::new(0));
        let left = Arc::clone(&to_lose);
        drop(tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let store = TcpStream::connect(&store).await.unwrap();
                drop(tokio::spawn(relay(client, store, Arc::clone(&left))));
            }
        }));
        Self { address, to_lose }
    }

    fn lose(&self, answers: u32) {
        self.to_lose.store(answers, Ordering::SeqCst);
    }

    fn all_are_lost(&self) -> bool {
        self.to_lose.load(Ordering::SeqCst) == 0
    }
}

/// Hands one connection's bytes on, until an answer is to be lost.
async fn relay(mut client: TcpStream, mut store: TcpStream, to_lose: Arc<AtomicU32>) {
    let (mut asked, mut answered) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut completes = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(size @ 1..) = read else { return };
                let bytes = asked.get(..size).unwrap();
                // Requests of one connection follow each other: a new one
                // begins with what was read.
                let line = String::from_utf8_lossy(bytes);
                let line = line.lines().next().unwrap_or_default();
                if line.ends_with(" HTTP/1.1") {
                    completes = match line.split_once("uploadId=") {
                        Some(_) => line.starts_with("POST "),
                        None => line.starts_with("PUT "),
                    };
                }
                store.write_all(bytes).await.unwrap();
            }
            read = store.read(&mut answered) => {
                let Ok(size @ 1..) = read else { return };
                let bytes = answered.get(..size).unwrap();
                let is_done = bytes.starts_with(b"HTTP/1.1 200");
                let one_less = |left: u32| left.checked_sub(1);
                if completes
                    && is_done
                    && to_lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok()
                {
                    return;
                }
                client.write_all(bytes).await.unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_is_not_refused_when_it_is_asked_for_again() {
    let Ok(url) = std::env::var("ATLASHUB_TEST_S3_URL") else {
        return;
    };
    let StorageUrl::S3(mut location) = url.parse().unwrap() else {
        panic!("{url} is no S3 server");
    };
    let store = location.endpoint.unwrap();
    let relay = Relay::before(store.trim_start_matches("http://").to_owned()).await;
    location.endpoint = Some(relay.address.clone());
    let keys = Credentials::from_env();
    let storage = Storage::open(&StorageUrl::S3(location), keys.as_ref()).unwrap();

    let bucket: BucketName = "private".parse().unwrap();
    let plugin: PluginName = "files".parse().unwrap();
    let project = ProjectId::new();
    // One request holds the first, several parts the second.
    for (key, size) in [("small", 1_000), ("large", 12 * 1024 * 1024)] {
        let key: ObjectKey = key.parse().unwrap();
        let path = ObjectPath::object(project, &bucket, &plugin, &key).unwrap();
        let bytes = Bytes::from(vec![7; size]);
        relay.lose(1);
        let mode = WriteMode::CreateOnly;
        storage
            .write_bytes(&path, bytes.clone(), mode)
            .await
            .unwrap();
        assert!(relay.all_are_lost(), "no answer was lost for {key:?}");
        assert_eq!(storage.read_bytes(&path, u64::MAX).await.unwrap(), bytes);

        // What others put there is theirs.
        let other = storage.write_bytes(&path, bytes.clone(), mode).await;
        assert_eq!(other.unwrap_err().code(), "object_exists");

        relay.lose(1);
        let bytes = Bytes::from(vec![8; size]);
        let mode = WriteMode::Replace;
        storage
            .write_bytes(&path, bytes.clone(), mode)
            .await
            .unwrap();
        assert!(relay.all_are_lost(), "no answer was lost for {key:?}");
        assert_eq!(storage.read_bytes(&path, u64::MAX).await.unwrap(), bytes);
    }
}
