//! The same behaviour on every store: a folder always, an S3 server when
//! `ATLASHUB_TEST_S3_URL` names one (with its keys in the AWS variables).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs,
    reason = "tests"
)]

use atlashub_core::{
    BucketName, Digest, Error, PluginName, ProjectId, Result,
    capability::blob::{ByteSource, ObjectKey},
};
use atlashub_storage::{
    Credentials, ObjectPath, PathPrefix, Storage, StorageUrl, WriteMode, WriteOptions, Written,
};
use bytes::Bytes;
use futures::TryStreamExt as _;
use std::{path::Path, time::Duration};

struct Place {
    storage: Storage,
    project: ProjectId,
    bucket: BucketName,
    plugin: PluginName,
    dir: Option<tempfile::TempDir>,
}

impl Place {
    fn new(storage: Storage, dir: Option<tempfile::TempDir>) -> Self {
        Self {
            storage,
            project: ProjectId::new(),
            bucket: "private".parse().unwrap(),
            plugin: "files".parse().unwrap(),
            dir,
        }
    }

    fn path(&self, key: &str) -> ObjectPath {
        let key: ObjectKey = key.parse().unwrap();
        ObjectPath::object(self.project, &self.bucket, &self.plugin, &key).unwrap()
    }

    fn prefix(&self) -> PathPrefix {
        PathPrefix::plugin(self.project, &self.bucket, &self.plugin)
    }

    async fn put(&self, key: &str, bytes: &[u8]) {
        let bytes = Bytes::copy_from_slice(bytes);
        self.storage
            .write_bytes(&self.path(key), bytes, WriteMode::Replace)
            .await
            .unwrap();
    }

    async fn get(&self, key: &str) -> Result<Bytes> {
        self.storage.read_bytes(&self.path(key), u64::MAX).await
    }

    async fn copy(&self, from: &str, to: &str, mode: WriteMode) -> Result<Written> {
        self.storage
            .copy(&self.path(from), &self.path(to), mode)
            .await
    }

    async fn incoming_is_empty(&self) {
        let Some(dir) = &self.dir else { return };
        let incoming = dir.path().join("objects/incoming");
        until(|| std::fs::read_dir(&incoming).unwrap().next().is_none()).await;
    }
}

async fn until(mut done: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited
        .await
        .expect("the condition did not come true in time");
}

fn open_fs(dir: &Path) -> Storage {
    let url = StorageUrl::Fs(dir.join("objects"));
    Storage::open(&url, None).unwrap()
}

fn places() -> Vec<Place> {
    let dir = tempfile::tempdir().unwrap();
    let mut places = vec![Place::new(open_fs(dir.path()), Some(dir))];
    if let Ok(url) = std::env::var("ATLASHUB_TEST_S3_URL") {
        let keys = Credentials::from_env();
        let storage = Storage::open(&url.parse().unwrap(), keys.as_ref()).unwrap();
        places.push(Place::new(storage, None));
    }
    places
}

fn pattern(size: usize) -> Bytes {
    (0..size)
        .map(|at| (at * 31 % 251) as u8)
        .collect::<Vec<u8>>()
        .into()
}

/// Chunks of one size, then an error, if one is asked for.
struct Source {
    bytes: Bytes,
    chunk: usize,
    fail: bool,
}

#[async_trait::async_trait]
impl ByteSource for Source {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.bytes.is_empty() {
            return match self.fail {
                true => Err(Error::bad_request(
                    "upload_interrupted",
                    "the upload broke off",
                )),
                false => Ok(None),
            };
        }
        Ok(Some(self.bytes.split_to(self.chunk.min(self.bytes.len()))))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_come_back_as_they_went_in() {
    for place in places() {
        for (size, chunk) in [
            (0, 1),
            (1, 1),
            (5_000, 7),
            (65_536, 65_536),
            (65_537, 1_000),
            (262_144, 262_144),
            (1_000_000, 16_384),
            (12_345_678, 100_000),
            (5 * 1024 * 1024, 1024 * 1024),
        ] {
            let bytes = pattern(size);
            let path = place.path(&format!("round/{size}"));
            let mut source = Source {
                bytes: bytes.clone(),
                chunk,
                fail: false,
            };
            let pending = place
                .storage
                .write(&path, &mut source, WriteOptions::default())
                .await
                .unwrap();
            assert_eq!(pending.size(), size as u64);
            assert_eq!(
                place.storage.stat(&path).await.unwrap(),
                None,
                "visible before its time"
            );
            let written = pending.commit().await.unwrap();
            assert_eq!(written.size, size as u64);
            assert_eq!(written.sha256, Digest::of(&bytes));
            assert_eq!(written.head, bytes.slice(..size.min(512)));
            assert_eq!(written.replaced, None);
            assert!(place.get(&format!("round/{size}")).await.unwrap() == bytes);
            let meta = place.storage.stat(&path).await.unwrap().unwrap();
            assert_eq!(meta.size, size as u64);
            assert!(meta.modified.is_some());
        }
        place.incoming_is_empty().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_exact() {
    for place in places() {
        let bytes = pattern(1_000_000);
        place.put("big", &bytes).await;
        for range in [
            0..1,
            0..1_000_000,
            999_999..1_000_000,
            1..70_000,
            5..400_005,
            300_000..1_000_000,
        ] {
            let object = place
                .storage
                .read(&place.path("big"), Some(range.clone()))
                .await
                .unwrap();
            assert_eq!(object.meta.size, 1_000_000);
            let chunks: Vec<Bytes> = object.bytes.try_collect().await.unwrap();
            assert!(
                chunks.concat() == bytes[range.start as usize..range.end as usize],
                "{range:?}"
            );
        }
        let empty = place
            .storage
            .read(&place.path("big"), Some(7..7))
            .await
            .unwrap();
        assert!(
            empty
                .bytes
                .try_collect::<Vec<_>>()
                .await
                .unwrap()
                .is_empty()
        );
        for range in [0..1_000_001, 1_000_000..1_000_001, 2_000_000..2_000_001] {
            let error = place
                .storage
                .read(&place.path("big"), Some(range))
                .await
                .err()
                .unwrap();
            assert_eq!(error.code(), "invalid_range");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_found() {
    for place in places() {
        place.put("a/b", b"x").await;
        for key in ["nothing", "a", "a/b/c", "a/c"] {
            let error = place.get(key).await.unwrap_err();
            assert_eq!(error.code(), "object_not_found", "{key}");
            assert_eq!(
                place.storage.stat(&place.path(key)).await.unwrap(),
                None,
                "{key}"
            );
            assert_eq!(
                place.storage.delete(&place.path(key)).await.unwrap(),
                None,
                "{key}"
            );
        }
        let error = place
            .copy("nothing", "x", WriteMode::Replace)
            .await
            .unwrap_err();
        assert_eq!(error.code(), "object_not_found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replacing_says_how_much_was_there() {
    for place in places() {
        place.put("key", b"12345").await;
        let written = place
            .storage
            .write_bytes(
                &place.path("key"),
                Bytes::from_static(b"678"),
                WriteMode::Replace,
            )
            .await
            .unwrap();
        assert_eq!(written.replaced, Some(5));
        assert_eq!(place.get("key").await.unwrap(), "678");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_reader_keeps_what_it_opened() {
    let place = places().remove(0);
    let bytes = pattern(600_000);
    place.put("key", &bytes).await;
    let object = place.storage.read(&place.path("key"), None).await.unwrap();
    place.put("key", b"new").await;
    place.storage.delete(&place.path("key")).await.unwrap();
    let chunks: Vec<Bytes> = object.bytes.try_collect().await.unwrap();
    assert!(chunks.concat() == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_creators_one_wins() {
    for place in places() {
        let tries = (0..16_u8).map(|byte| {
            let (storage, path) = (place.storage.clone(), place.path("once"));
            tokio::spawn(async move {
                let bytes = Bytes::from(vec![byte; 1000]);
                storage
                    .write_bytes(&path, bytes, WriteMode::CreateOnly)
                    .await
                    .map(|_| byte)
            })
        });
        let results: Vec<_> = futures::future::join_all(tries)
            .await
            .into_iter()
            .map(|joined| joined.unwrap())
            .collect();
        let winners: Vec<u8> = results
            .iter()
            .filter_map(|result| result.as_ref().ok().copied())
            .collect();
        assert_eq!(winners.len(), 1);
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            assert_eq!(error.code(), "object_exists", "{error:?}");
        }
        assert_eq!(place.get("once").await.unwrap()[0], winners[0]);
        place.incoming_is_empty().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_deleters_one_gets_the_size() {
    for place in places() {
        place.put("gone", b"12345").await;
        let tries = (0..16).map(|_| {
            let (storage, path) = (place.storage.clone(), place.path("gone"));
            tokio::spawn(async move { storage.delete(&path).await.unwrap() })
        });
        let sizes: Vec<_> = futures::future::join_all(tries)
            .await
            .into_iter()
            .filter_map(|joined| joined.unwrap())
            .collect();
        assert_eq!(sizes, [5]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_replacements_add_up() {
    for place in places() {
        let tries = (1..=12_usize).map(|size| {
            let (storage, path) = (place.storage.clone(), place.path("shared"));
            tokio::spawn(async move {
                let written = storage
                    .write_bytes(&path, pattern(size), WriteMode::Replace)
                    .await
                    .unwrap();
                (written.size, written.replaced.unwrap_or(0))
            })
        });
        let (mut added, mut given_back) = (0, 0);
        for joined in futures::future::join_all(tries).await {
            let (size, replaced) = joined.unwrap();
            added += size;
            given_back += replaced;
        }
        let left = place
            .storage
            .stat(&place.path("shared"))
            .await
            .unwrap()
            .unwrap()
            .size;
        assert_eq!(added - given_back, left);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_and_broken_off_leave_nothing() {
    for place in places() {
        for (size, fail, max, code) in [
            (20_000_000, true, None, "upload_interrupted"),
            (10, true, None, "upload_interrupted"),
            (20_000_000, false, Some(19_999_999), "object_too_large"),
            (11, false, Some(10), "object_too_large"),
        ] {
            let mut source = Source {
                bytes: pattern(size),
                chunk: 65_536,
                fail,
            };
            let options = WriteOptions {
                max_size: max,
                ..WriteOptions::default()
            };
            let result = place
                .storage
                .write(&place.path("key"), &mut source, options)
                .await;
            assert_eq!(result.err().unwrap().code(), code);
            assert_eq!(place.storage.stat(&place.path("key")).await.unwrap(), None);
        }
        let options = WriteOptions {
            max_size: Some(10),
            expected_size: Some(11),
            ..WriteOptions::default()
        };
        let mut source = Source {
            bytes: pattern(1),
            chunk: 1,
            fail: false,
        };
        let result = place
            .storage
            .write(&place.path("key"), &mut source, options)
            .await;
        assert_eq!(result.err().unwrap().code(), "object_too_large");
        place.incoming_is_empty().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_transfer_leaves_nothing() {
    struct Stuck(Bytes);

    #[async_trait::async_trait]
    impl ByteSource for Stuck {
        async fn next(&mut self) -> Result<Option<Bytes>> {
            if self.0.is_empty() {
                std::future::pending::<()>().await;
            }
            Ok(Some(self.0.split_to(65_536.min(self.0.len()))))
        }
    }

    for place in places() {
        for size in [10, 3_000_000, 13_000_000] {
            let (storage, path) = (place.storage.clone(), place.path("dropped"));
            let write = async move {
                let mut source = Stuck(pattern(size));
                storage
                    .write(&path, &mut source, WriteOptions::default())
                    .await
                    .map(|_| ())
            };
            assert!(
                tokio::time::timeout(Duration::from_millis(300), write)
                    .await
                    .is_err()
            );
            assert_eq!(
                place.storage.stat(&place.path("dropped")).await.unwrap(),
                None
            );
        }
        // A finished transfer that nobody commits is none either.
        let mut source = Source {
            bytes: pattern(100),
            chunk: 10,
            fail: false,
        };
        drop(
            place
                .storage
                .write(&place.path("dropped"), &mut source, WriteOptions::default())
                .await
                .unwrap(),
        );
        place.incoming_is_empty().await;
        assert_eq!(
            place.storage.stat(&place.path("dropped")).await.unwrap(),
            None
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_come_in_order_and_pages() {
    for place in places() {
        let mut keys = vec!["a", "a-b", "a.txt", "b/1", "b/2", "b/c/d", "b0", "z y"];
        for key in &keys {
            place.put(key, key.as_bytes()).await;
        }
        keys.sort_unstable();
        let prefix = place.prefix();
        for limit in [1, 2, 3, 8, 100] {
            let (mut seen, mut after) = (Vec::new(), None::<String>);
            loop {
                let page = place
                    .storage
                    .list(&prefix, "", after.as_deref(), limit)
                    .await
                    .unwrap();
                assert!(page.entries.len() <= limit);
                seen.extend(page.entries.into_iter().map(|entry| {
                    assert_eq!(entry.meta.size, entry.key.len() as u64);
                    entry.key
                }));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(seen, keys, "limit {limit}");
        }
        for (start, expected) in [
            ("b", vec!["b/1", "b/2", "b/c/d", "b0"]),
            ("b/", vec!["b/1", "b/2", "b/c/d"]),
            ("b/c", vec!["b/c/d"]),
            ("a.", vec!["a.txt"]),
            ("none/", vec![]),
        ] {
            let page = place.storage.list(&prefix, start, None, 100).await.unwrap();
            let keys: Vec<_> = page
                .entries
                .iter()
                .map(|entry| entry.key.as_str())
                .collect();
            assert_eq!(keys, expected, "start {start}");
        }
        for start in ["../", "/", "a//", "b/../"] {
            assert!(
                place.storage.list(&prefix, start, None, 10).await.is_err(),
                "{start}"
            );
        }
        assert!(
            place
                .storage
                .list(&prefix, "", Some("../x"), 10)
                .await
                .is_err()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clearing_a_prefix_spares_its_neighbours() {
    for place in places() {
        let mut neighbour = Place::new(place.storage.clone(), None);
        neighbour.project = place.project;
        neighbour.plugin = "files2".parse().unwrap();
        let stranger = Place::new(place.storage.clone(), None);
        for place in [&place, &neighbour, &stranger] {
            place.put("a/b", b"1").await;
            place.put("c", b"2").await;
        }
        place.storage.delete_all(&place.prefix()).await.unwrap();
        assert!(place.get("c").await.is_err() && place.get("a/b").await.is_err());
        assert!(neighbour.get("c").await.is_ok());
        place
            .storage
            .delete_all(&PathPrefix::project(place.project))
            .await
            .unwrap();
        assert!(neighbour.get("c").await.is_err());
        assert!(stranger.get("c").await.is_ok() && stranger.get("a/b").await.is_ok());
        place
            .storage
            .delete_all(&PathPrefix::project(ProjectId::new()))
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_are_whole() {
    for place in places() {
        let bytes = pattern(700_000);
        place.put("from", &bytes).await;
        let written = place
            .copy("from", "to/here", WriteMode::CreateOnly)
            .await
            .unwrap();
        assert_eq!(written.sha256, Digest::of(&bytes));
        assert!(place.get("to/here").await.unwrap() == bytes);
        let error = place
            .copy("from", "to/here", WriteMode::CreateOnly)
            .await
            .unwrap_err();
        assert_eq!(error.code(), "object_exists");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn component_bytes_have_a_place_of_their_own() {
    for place in places() {
        let bytes = pattern(50_000);
        let path = ObjectPath::revision(&Digest::of(&bytes)).unwrap();
        place
            .storage
            .write_bytes(&path, bytes.clone(), WriteMode::Replace)
            .await
            .unwrap();
        assert!(place.storage.read_bytes(&path, 50_000).await.unwrap() == bytes);
        let error = place.storage.read_bytes(&path, 49_999).await.unwrap_err();
        assert_eq!(error.code(), "object_too_large");
        place.storage.check().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_cannot_presign() {
    let place = places().remove(0);
    assert!(!place.storage.capabilities().presign);
    let (path, hour) = (place.path("a"), Duration::from_secs(3600));
    assert_eq!(
        place
            .storage
            .presign_read(&path, hour, None, None)
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        place
            .storage
            .presign_upload(&path, 5, None, hour)
            .await
            .unwrap(),
        None
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_presigns() {
    let Some(place) = places()
        .into_iter()
        .find(|place| place.storage.capabilities().presign)
    else {
        return;
    };
    let (path, hour) = (place.path("signed link"), Duration::from_secs(3600));
    let url = place
        .storage
        .presign_read(
            &path,
            hour,
            Some("attachment; filename=\"x\""),
            Some("text/plain"),
        )
        .await
        .unwrap()
        .unwrap();
    assert!(
        url.contains("X-Amz-Signature=") && url.contains("response-content-disposition"),
        "{url}"
    );
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let upload = place
        .storage
        .presign_upload(&path, 5, Some("text/plain"), hour)
        .await
        .unwrap()
        .unwrap();
    let send = |url: &str, content_type: &str, bytes: &'static str| {
        client
            .put(url)
            .header("content-type", content_type)
            .body(bytes)
            .send()
    };
    let put = |url: &str, content_type: &str| send(url, content_type, "hello");
    for other in ["hell", "hello!", ""] {
        let answer = send(&upload, "text/plain", other).await.unwrap();
        assert_eq!(answer.status(), 403, "{other:?}");
    }
    assert_eq!(put(&upload, "image/png").await.unwrap().status(), 403);
    assert_eq!(
        put(&upload.replace("signed", "other"), "text/plain")
            .await
            .unwrap()
            .status(),
        403
    );
    assert_eq!(put(&upload, "text/plain").await.unwrap().status(), 200);

    let answer = client.get(&url).send().await.unwrap();
    assert_eq!(
        answer.headers()["content-disposition"],
        "attachment; filename=\"x\""
    );
    assert_eq!(answer.headers()["content-type"], "text/plain");
    assert_eq!(answer.text().await.unwrap(), "hello");
    let other = client
        .get(url.replace("signed", "other"))
        .send()
        .await
        .unwrap();
    assert_eq!(other.status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_duplicated_within_the_store() {
    for place in places() {
        let (from, to) = (place.path("one"), place.path("other"));
        for bytes in [pattern(1_000), pattern(2_000)] {
            place
                .storage
                .write_bytes(&from, bytes.clone(), WriteMode::Replace)
                .await
                .unwrap();
            place.storage.duplicate(&from, &to).await.unwrap();
            assert!(place.storage.read_bytes(&to, 9_000).await.unwrap() == bytes);
        }
        let missing = place.path("missing");
        let error = place.storage.duplicate(&missing, &to).await.unwrap_err();
        assert_eq!(error.code(), "object_not_found");
    }
}

#[test]
fn a_store_that_clients_cannot_reach_signs_no_links() {
    let url: StorageUrl = "s3://hub?endpoint=http://127.0.0.1:1".parse().unwrap();
    let keys = Credentials {
        access_key_id: "key".into(),
        secret_access_key: "secret".to_owned().into(),
        session_token: None,
    };
    let can = |url: &StorageUrl, keys| Storage::open(url, keys).unwrap().capabilities();
    let with_keys = can(&url, Some(&keys));
    assert!(with_keys.presign && with_keys.straight_uploads);
    let without = can(&url.without_links(), Some(&keys));
    assert!(!without.presign && !without.straight_uploads);
}
