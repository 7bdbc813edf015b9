//! Objects of plugins with their quota and links, over a folder and SQLite,
//! and over S3 when `ATLASHUB_TEST_S3_URL` names a server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs,
    reason = "tests"
)]

mod announced;

use atlashub_app::blobs::{BlobStore, BlobStoreParts};
use atlashub_core::{
    BucketName, Clock, Digest, Error, ProjectId, Result, SystemClock,
    capability::{
        PluginScope,
        blob::{
            Blobs as _, ByteSource, Checksum, ObjectKey, PartOptions, PutOptions, SignedAccess,
        },
    },
};
use atlashub_data::platform::{NewProject, Platform, PlatformOptions, ProjectSettings};
use atlashub_storage::{Credentials, Storage, StorageUrl, links::LinkKey};
use bytes::Bytes;
use futures::TryStreamExt as _;
use http::Method;
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

/// The machine's clock, ahead by some seconds.
#[derive(Default)]
struct Ahead(AtomicI64);

impl Clock for Ahead {
    fn now(&self) -> time::OffsetDateTime {
        let ahead = time::Duration::seconds(self.0.load(Ordering::Relaxed));
        SystemClock.now() + ahead
    }
}

struct Place {
    blobs: Arc<BlobStore>,
    storage: Storage,
    clock: Arc<Ahead>,
    platform: Platform,
    scope: PluginScope,
    bucket: BucketName,
    presigns: bool,
    _dir: tempfile::TempDir,
}

impl Place {
    async fn new(limit: Option<u64>, s3: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", dir.path().join("platform.db").display());
        let clock = Arc::new(Ahead::default());
        let options = PlatformOptions {
            clock: Arc::clone(&clock) as _,
            ..PlatformOptions::default()
        };
        let platform = Platform::connect(&url.into(), options).await.unwrap();
        platform.migrate().await.unwrap();
        let url = match s3 {
            true => std::env::var("ATLASHUB_TEST_S3_URL")
                .unwrap()
                .parse()
                .unwrap(),
            false => StorageUrl::Fs(dir.path().join("objects")),
        };
        let storage = Storage::open(&url, Credentials::from_env().as_ref()).unwrap();
        let blobs = BlobStore::new(BlobStoreParts {
            platform: platform.clone(),
            storage: storage.clone(),
            link_keys: vec![LinkKey::new([2; 32]), LinkKey::new([1; 32])],
            public_url: "https://hub.test".into(),
            clock: Arc::clone(&clock) as _,
        });
        let place = Self {
            blobs: Arc::new(blobs),
            storage,
            clock,
            platform,
            scope: PluginScope {
                project: ProjectId::new(),
                plugin: "files".parse().unwrap(),
            },
            bucket: "private".parse().unwrap(),
            presigns: s3,
            _dir: dir,
        };
        place.make_project(place.scope.project, limit).await;
        place
    }

    async fn everywhere(limit: Option<u64>) -> Vec<Self> {
        let mut places = vec![Self::new(limit, false).await];
        if std::env::var("ATLASHUB_TEST_S3_URL").is_ok() {
            places.push(Self::new(limit, true).await);
        }
        places
    }

    async fn make_project(&self, id: ProjectId, limit: Option<u64>) {
        let slug = format!("p{}", id.as_uuid().simple())
            .get(..30)
            .unwrap()
            .parse()
            .unwrap();
        let new = NewProject {
            id,
            slug,
            name: "Test".into(),
            settings: ProjectSettings::default(),
            storage_limit_bytes: limit,
        };
        self.platform.projects().create(new).await.unwrap();
    }

    async fn used(&self) -> u64 {
        self.platform
            .usage()
            .get(self.scope.project)
            .await
            .unwrap()
            .used_bytes
    }

    async fn used_becomes(&self, bytes: u64) {
        let waited = tokio::time::timeout(Duration::from_secs(20), async {
            while self.used().await != bytes {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        waited
            .await
            .expect("the storage in use did not become what it should");
    }

    async fn put(&self, key: &str, size: usize) -> Result<u64> {
        let options = PutOptions {
            key: Some(key.parse()?),
            ..PutOptions::default()
        };
        self.put_with(size, options).await
    }

    async fn put_with(&self, size: usize, options: PutOptions) -> Result<u64> {
        let mut source = Source {
            left: size,
            then: Then::End,
        };
        let stored = self
            .blobs
            .put(&self.scope, &self.bucket, &mut source, options)
            .await?;
        Ok(stored.info.size)
    }

    async fn delete(&self, key: &str) -> bool {
        self.blobs
            .delete(&self.scope, &self.bucket, &key.parse().unwrap())
            .await
            .unwrap()
    }

    async fn count(&self) -> usize {
        self.blobs
            .list(&self.scope, &self.bucket, "", None, 1_000)
            .await
            .unwrap()
            .objects
            .len()
    }
}

#[derive(Clone, Copy)]
enum Then {
    End,
    Fail,
    Hang,
}

struct Source {
    left: usize,
    then: Then,
}

#[async_trait::async_trait]
impl ByteSource for Source {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.left == 0 {
            match self.then {
                Then::End => return Ok(None),
                Then::Fail => {
                    return Err(Error::bad_request(
                        "upload_interrupted",
                        "the upload broke off",
                    ));
                }
                Then::Hang => std::future::pending().await,
            }
        }
        let size = self.left.min(100_000);
        self.left -= size;
        Ok(Some(Bytes::from(vec![7; size])))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_go_in_and_out_and_are_counted() {
    for place in Place::everywhere(None).await {
        let mut source = Source {
            left: 250_000,
            then: Then::End,
        };
        let stored = place
            .blobs
            .put(
                &place.scope,
                &place.bucket,
                &mut source,
                PutOptions::default(),
            )
            .await
            .unwrap();
        assert_eq!(stored.info.size, 250_000);
        assert_eq!(stored.sha256, Digest::of(&vec![7; 250_000]));
        assert_eq!(stored.head.len(), 512);
        assert_eq!(place.used().await, 250_000);

        let key = &stored.info.key;
        let body = place
            .blobs
            .read(&place.scope, &place.bucket, key, Some(1..100_001))
            .await
            .unwrap();
        assert_eq!(body.info.size, 250_000);
        let bytes: Vec<Bytes> = body.bytes.try_collect().await.unwrap();
        assert_eq!(bytes.concat(), vec![7; 100_000]);
        assert_eq!(
            place
                .blobs
                .stat(&place.scope, &place.bucket, key)
                .await
                .unwrap()
                .size,
            250_000
        );

        assert!(place.delete(key.as_str()).await);
        assert!(!place.delete(key.as_str()).await);
        assert_eq!(place.used().await, 0);
        let error = place
            .blobs
            .stat(&place.scope, &place.bucket, key)
            .await
            .unwrap_err();
        assert_eq!(error.code(), "object_not_found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replacing_counts_the_difference() {
    for place in Place::everywhere(None).await {
        place.put("a", 1_000).await.unwrap();
        place.put("a", 300).await.unwrap();
        assert_eq!(place.used().await, 300);
        place.put("a", 0).await.unwrap();
        assert_eq!(place.used().await, 0);
        place.put("a", 700).await.unwrap();
        assert_eq!(place.used().await, 700);
        let options = PutOptions {
            key: Some("a".parse().unwrap()),
            create_only: true,
            ..PutOptions::default()
        };
        assert_eq!(
            place.put_with(5, options).await.unwrap_err().code(),
            "object_exists"
        );
        place.used_becomes(700).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_and_costs_nothing() {
    for place in Place::everywhere(Some(1_000)).await {
        place.put("fits", 600).await.unwrap();
        for expected_size in [None, Some(401), Some(1), Some(u64::MAX)] {
            let options = PutOptions {
                key: Some("more".parse().unwrap()),
                expected_size,
                ..PutOptions::default()
            };
            let error = place.put_with(401, options).await.unwrap_err();
            assert_eq!(error.code(), "quota_exceeded", "{expected_size:?}");
            assert_eq!(error.fields()["limit_bytes"], 1_000);
            assert!(
                error.fields().contains_key("used_bytes")
                    && error.fields().contains_key("requested_bytes")
            );
            place.used_becomes(600).await;
        }
        place.put("more", 400).await.unwrap();
        assert_eq!(place.used().await, 1_000);
        assert_eq!(place.count().await, 2);
        // Over a limit that was lowered, deleting still works.
        place
            .platform
            .usage()
            .set_limit(place.scope.project, Some(10))
            .await
            .unwrap();
        assert!(place.delete("more").await);
        assert_eq!(place.used().await, 600);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_never_exceed_the_limit() {
    let place = Arc::new(Place::new(Some(1_000), false).await);
    let tries = (0..20).map(|number| {
        let place = Arc::clone(&place);
        tokio::spawn(async move { place.put(&format!("k{number}"), 150).await })
    });
    let results: Vec<_> = futures::future::join_all(tries)
        .await
        .into_iter()
        .map(|joined| joined.unwrap())
        .collect();
    let stored = results.iter().filter(|result| result.is_ok()).count();
    assert!((1..=6).contains(&stored), "{stored} were stored");
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        assert_eq!(error.code(), "quota_exceeded", "{error:?}");
    }
    assert_eq!(place.count().await, stored);
    place.used_becomes(150 * stored as u64).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_end_early_leave_nothing() {
    for place in Place::everywhere(None).await {
        for size in [10, 9_000_000] {
            let mut source = Source {
                left: size,
                then: Then::Fail,
            };
            let put = place.blobs.put(
                &place.scope,
                &place.bucket,
                &mut source,
                PutOptions::default(),
            );
            assert_eq!(put.await.unwrap_err().code(), "upload_interrupted");
            let mut source = Source {
                left: size,
                then: Then::Hang,
            };
            let put = place.blobs.put(
                &place.scope,
                &place.bucket,
                &mut source,
                PutOptions::default(),
            );
            assert!(
                tokio::time::timeout(Duration::from_millis(300), put)
                    .await
                    .is_err()
            );
            place.used_becomes(0).await;
        }
        let options = PutOptions {
            max_size: Some(1_000),
            ..PutOptions::default()
        };
        assert_eq!(
            place.put_with(1_001, options).await.unwrap_err().code(),
            "object_too_large"
        );
        let options = PutOptions {
            max_size: Some(1_000),
            expected_size: Some(2_000),
            ..PutOptions::default()
        };
        assert_eq!(
            place.put_with(1, options).await.unwrap_err().code(),
            "object_too_large"
        );
        place.used_becomes(0).await;
        assert_eq!(place.count().await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_deletions_give_back_once() {
    for place in Place::everywhere(None).await {
        let place = Arc::new(place);
        place.put("stays", 1_000).await.unwrap();
        place.put("goes", 500).await.unwrap();
        let tries = (0..12).map(|_| {
            let place = Arc::clone(&place);
            tokio::spawn(async move { place.delete("goes").await })
        });
        let deleted = futures::future::join_all(tries)
            .await
            .into_iter()
            .filter(|joined| *joined.as_ref().unwrap())
            .count();
        assert_eq!(deleted, 1);
        place.used_becomes(1_000).await;
        assert_eq!(
            place
                .platform
                .usage()
                .get(place.scope.project)
                .await
                .unwrap()
                .reserved_bytes,
            0
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_and_projects_have_parts_of_their_own() {
    for place in Place::everywhere(None).await {
        place.put("mine", 10).await.unwrap();
        let key: ObjectKey = "mine".parse().unwrap();
        let stranger = ProjectId::new();
        place.make_project(stranger, None).await;
        for scope in [
            PluginScope {
                plugin: "other".parse().unwrap(),
                ..place.scope.clone()
            },
            PluginScope {
                project: stranger,
                ..place.scope.clone()
            },
        ] {
            let error = place
                .blobs
                .read(&scope, &place.bucket, &key, None)
                .await
                .err()
                .unwrap();
            assert_eq!(error.code(), "object_not_found");
            assert!(
                !place
                    .blobs
                    .delete(&scope, &place.bucket, &key)
                    .await
                    .unwrap()
            );
            assert!(
                place
                    .blobs
                    .list(&scope, &place.bucket, "", None, 10)
                    .await
                    .unwrap()
                    .objects
                    .is_empty()
            );
        }
        let bucket = "nowhere".parse().unwrap();
        let error = place
            .blobs
            .stat(&place.scope, &bucket, &key)
            .await
            .unwrap_err();
        assert_eq!(error.code(), "bucket_not_found");
        place.blobs.delete_plugin(&place.scope).await.unwrap();
        assert_eq!((place.count().await, place.used().await), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn links_write_and_read() {
    let hour = Duration::from_secs(3600);
    for place in Place::everywhere(Some(2_000)).await {
        let key: ObjectKey = "linked".parse().unwrap();
        let access = SignedAccess::Write {
            content_type: Some("image/png".into()),
            max_size: 1_000,
        };
        let url = place
            .blobs
            .sign(&place.scope, &place.bucket, &key, access, hour)
            .await
            .unwrap();
        let token = url.strip_prefix("https://hub.test/_/blob/").unwrap();
        let link = place.blobs.verify_link(token, &Method::PUT).unwrap();
        assert!(place.blobs.verify_link(token, &Method::GET).is_err());

        let write = async |size, content_type, length| {
            let mut source = Source {
                left: size,
                then: Then::End,
            };
            place
                .blobs
                .write_link(&link, content_type, length, &mut source)
                .await
                .map(|stored| stored.info.size)
        };
        assert_eq!(
            write(10, Some("text/html"), None).await.unwrap_err().code(),
            "content_type_mismatch"
        );
        assert_eq!(
            write(10, None, None).await.unwrap_err().code(),
            "content_type_mismatch"
        );
        assert_eq!(
            write(1_001, Some("image/png"), None)
                .await
                .unwrap_err()
                .code(),
            "object_too_large"
        );
        assert_eq!(
            write(1_001, Some("image/png"), Some(1_001))
                .await
                .unwrap_err()
                .code(),
            "object_too_large"
        );
        assert_eq!(
            write(1_000, Some("image/png"), Some(1_000)).await.unwrap(),
            1_000
        );
        place.used_becomes(1_000).await;
        assert!(place.blobs.read_link(&link, None).await.is_err());

        let access = SignedAccess::Read {
            disposition: None,
            content_type: Some("image/png".into()),
        };
        let url = place
            .blobs
            .sign(&place.scope, &place.bucket, &key, access, hour)
            .await
            .unwrap();
        if place.presigns {
            assert!(url.contains("X-Amz-Signature="), "{url}");
            continue;
        }
        let token = url.strip_prefix("https://hub.test/_/blob/").unwrap();
        let link = place.blobs.verify_link(token, &Method::GET).unwrap();
        assert_eq!(place.blobs.stat_link(&link).await.unwrap().size, 1_000);
        let body = place.blobs.read_link(&link, Some(0..10)).await.unwrap();
        assert_eq!(
            body.bytes.try_collect::<Vec<_>>().await.unwrap().concat(),
            vec![7; 10]
        );
        assert_eq!(
            BlobStore::link_headers(&link)["content-disposition"],
            "inline"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn links_outlive_a_rotation_of_keys() {
    let place = Place::new(None, false).await;
    let link = atlashub_storage::links::Link {
        scope: place.scope.clone(),
        bucket: place.bucket.clone(),
        key: "a".parse().unwrap(),
        access: SignedAccess::Read {
            disposition: None,
            content_type: None,
        },
    };
    let sign = |key| {
        atlashub_storage::links::sign(
            &LinkKey::new(key),
            &link,
            Duration::from_secs(60),
            &SystemClock,
        )
        .unwrap()
    };
    for key in [[1; 32], [2; 32]] {
        assert!(place.blobs.verify_link(&sign(key), &Method::GET).is_ok());
    }
    assert!(
        place
            .blobs
            .verify_link(&sign([3; 32]), &Method::GET)
            .is_err()
    );
}

impl Place {
    async fn part(&self, key: &str, size: usize, then: Then) -> Result<(u64, bool)> {
        let mut source = Source { left: size, then };
        let options = PartOptions::default();
        let key: ObjectKey = key.parse()?;
        let part = self
            .blobs
            .put_part(&self.scope, &self.bucket, &key, &mut source, options)
            .await?;
        Ok((part.object.info.size, part.complete))
    }

    async fn size_of(&self, key: &str) -> Option<u64> {
        let key: ObjectKey = key.parse().unwrap();
        let found = self.blobs.stat(&self.scope, &self.bucket, &key).await;
        found.ok().map(|info| info.size)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_keeps_what_came_and_parts_become_one() {
    for place in Place::everywhere(None).await {
        let whole = place.part("tus/a/1", 150_000, Then::End).await.unwrap();
        assert_eq!(whole, (150_000, true));
        let broken = place.part("tus/a/2", 250_000, Then::Fail).await.unwrap();
        assert_eq!(broken, (250_000, false));
        // The caller is gone in the middle: what came is found all the same.
        let left = tokio::time::timeout(
            Duration::from_millis(500),
            place.part("tus/a/3", 100_000, Then::Hang),
        );
        assert!(left.await.is_err(), "a source that hangs has ended");
        let found = tokio::time::timeout(Duration::from_secs(20), async {
            while place.size_of("tus/a/3").await.is_none() {
                tokio::task::yield_now().await;
            }
        });
        found.await.expect("the part of a caller that is gone");
        assert_eq!(place.size_of("tus/a/3").await, Some(100_000));
        place.used_becomes(500_000).await;

        let taken = place.part("tus/a/1", 1, Then::End).await.unwrap_err();
        assert_eq!(taken.code(), "object_exists");
        let keys: Vec<ObjectKey> = ["tus/a/1", "tus/a/2", "tus/a/3"]
            .map(|key| key.parse().unwrap())
            .into();
        let into = "tus/a/whole".parse().unwrap();
        let joined = place
            .blobs
            .join(&place.scope, &place.bucket, &keys, &into)
            .await;
        let joined = joined.unwrap();
        assert_eq!(joined.info.size, 500_000);
        assert_eq!(joined.sha256, Digest::of(&vec![7; 500_000]));
        place.used_becomes(1_000_000).await;
        let missing = ["tus/a/9".parse().unwrap()];
        let refused = place
            .blobs
            .join(&place.scope, &place.bucket, &missing, &into)
            .await;
        assert_eq!(refused.unwrap_err().code(), "object_not_found");
        place.used_becomes(1_000_000).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_other_bytes_than_said_leaves_nothing() {
    for place in Place::everywhere(None).await {
        let right = Digest::of(&vec![7; 1_000]).as_bytes().to_vec();
        for (checksum, then, wanted) in [
            (Checksum::Sha256(right.clone()), Then::End, Ok(1_000)),
            (
                Checksum::Sha256(vec![0; 32]),
                Then::End,
                Err("checksum_mismatch"),
            ),
            (
                Checksum::Sha1(vec![0; 20]),
                Then::End,
                Err("checksum_mismatch"),
            ),
            (
                Checksum::Sha256(right),
                Then::Fail,
                Err("upload_interrupted"),
            ),
        ] {
            let key: ObjectKey = "part".parse().unwrap();
            let mut source = Source { left: 1_000, then };
            let options = PartOptions {
                checksum: Some(checksum),
                ..PartOptions::default()
            };
            let (scope, bucket) = (&place.scope, &place.bucket);
            let part = place
                .blobs
                .put_part(scope, bucket, &key, &mut source, options)
                .await;
            let size = part.map(|part| part.object.info.size);
            assert_eq!(
                size.as_ref().map_err(|error| error.code()),
                wanted.as_ref().map_err(|code| *code)
            );
            if size.is_ok() {
                assert!(place.blobs.delete(scope, bucket, &key).await.unwrap());
            }
            assert_eq!(place.size_of("part").await, None);
        }
        place.used_becomes(0).await;
    }
}
