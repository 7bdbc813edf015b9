//! Announced uploads: by links of this host and straight to the store.

use super::{Place, Source, Then};
use atlashub_core::{
    Digest, Result,
    capability::blob::{Announced, Blobs as _},
};
use atlashub_data::platform::DirectUploads;
use atlashub_storage::PathPrefix;
use http::Method;
use std::{sync::atomic::Ordering, time::Duration};

impl Place {
    async fn announce(&self, key: &str, size: u64) -> Result<String> {
        let upload = Announced {
            content_type: Some("text/plain".into()),
            size: Some(size),
            max_size: size,
            valid_for: Duration::from_secs(900),
        };
        let key = key.parse().unwrap();
        self.blobs
            .announce(&self.scope, &self.bucket, &key, upload)
            .await
    }

    /// Sends bytes as a client with the link does; what it is refused with.
    async fn send(&self, url: &str, size: usize) -> std::result::Result<(), String> {
        if let Some(token) = url.strip_prefix("https://hub.test/_/blob/") {
            let link = self.blobs.verify_link(token, &Method::PUT);
            let link = link.map_err(|error| error.code().to_owned())?;
            let mut source = Source {
                left: size,
                then: Then::End,
            };
            let sent = self
                .blobs
                .write_link(&link, Some("text/plain"), None, &mut source);
            return match sent.await {
                Ok(_) => Ok(()),
                Err(error) => Err(error.code().to_owned()),
            };
        }
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.put(url).header("content-type", "text/plain");
        let answer = request.body(vec![7; size]).send().await.unwrap();
        match answer.status().as_u16() {
            200 => Ok(()),
            status => Err(status.to_string()),
        }
    }

    async fn settle(&self, key: &str) -> Result<(u64, Option<Digest>)> {
        let key = key.parse().unwrap();
        let settled = self
            .blobs
            .settle(&self.scope, &self.bucket, &key, true)
            .await?;
        Ok((settled.info.size, settled.sha256))
    }

    /// How many uploads lie in the store and are no objects.
    async fn incoming(&self) -> usize {
        let prefix = PathPrefix::incoming(self.scope.project);
        let page = self.storage.walk(&prefix, None, 100).await.unwrap();
        page.entries.len()
    }

    /// Time goes by, and the sweep is made.
    async fn later(&self, by: Duration) -> u64 {
        let seconds = by.as_secs() as i64;
        self.clock.0.fetch_add(seconds, Ordering::Relaxed);
        self.blobs.sweep_announced().await.unwrap()
    }
}

const LATE: Duration = DirectUploads::LATE;

#[tokio::test(flavor = "multi_thread")]
async fn an_announced_upload_is_an_object_when_it_is_settled() {
    for place in Place::everywhere(Some(100)).await {
        let url = place.announce("a", 60).await.unwrap();
        let counted = if place.presigns { 60 } else { 0 };
        assert_eq!(place.used().await, counted);
        if place.presigns {
            let refused = place.announce("b", 60).await.unwrap_err();
            assert_eq!(refused.code(), "quota_exceeded");
            for other in [59, 61] {
                assert_eq!(place.send(&url, other).await.unwrap_err(), "403");
            }
        }
        let nothing = place.settle("a").await.unwrap_err();
        assert_eq!(nothing.code(), "object_not_found");
        place.send(&url, 60).await.unwrap();
        let sum = Digest::of(&[7; 60]);
        assert_eq!(place.settle("a").await.unwrap(), (60, Some(sum)));
        assert_eq!(place.settle("a").await.unwrap(), (60, Some(sum)));
        assert_eq!((place.used().await, place.incoming().await), (60, 0));
        // What comes by the link now is nobody's.
        match place.send(&url, 60).await {
            Err(code) => assert_eq!(code, "link_used"),
            Ok(()) => assert_eq!(place.incoming().await, 1),
        }
        assert!(place.delete("a").await);
        assert_eq!((place.used().await, place.count().await), (0, 0));
        let nothing = place.settle("a").await.unwrap_err();
        assert_eq!(nothing.code(), "object_not_found");
        assert_eq!(place.later(LATE + Duration::from_secs(900)).await, 1);
        assert_eq!(place.incoming().await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_settle_an_upload_make_one_object() {
    for place in Place::everywhere(Some(100)).await {
        let url = place.announce("a", 60).await.unwrap();
        place.send(&url, 60).await.unwrap();
        let settled = (0..8).map(|_| place.settle("a"));
        let mut there = 0;
        for outcome in futures::future::join_all(settled).await {
            match outcome {
                Ok((60, Some(_))) => there += 1,
                Ok(other) => panic!("{other:?}"),
                Err(error) => assert_eq!(error.code(), "upload_busy"),
            }
        }
        assert!(there > 0);
        assert_eq!((place.used().await, place.count().await), (60, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_announced_and_never_settled_is_swept() {
    for place in Place::everywhere(Some(100)).await {
        let _ = place.announce("never", 10).await.unwrap();
        let url = place.announce("came", 20).await.unwrap();
        place.send(&url, 20).await.unwrap();
        let _ = place.later(Duration::from_secs(900) + LATE).await;
        // What came still counts, what did not no longer.
        assert_eq!(place.used().await, 20);
        if place.presigns {
            assert_eq!(place.incoming().await, 1);
        }
        let _ = place.later(DirectUploads::KEPT).await;
        if place.presigns {
            assert_eq!((place.used().await, place.incoming().await), (0, 0));
            let error = place.settle("came").await.unwrap_err();
            assert_eq!(error.code(), "object_not_found");
        } else {
            // An object of its plugin, which sweeps it.
            assert_eq!((place.used().await, place.count().await), (20, 1));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_is_settled_long_after_its_link_is_dead() {
    for place in Place::everywhere(Some(100)).await {
        let url = place.announce("a", 20).await.unwrap();
        place.send(&url, 20).await.unwrap();
        let _ = place.later(Duration::from_secs(900) + LATE * 2).await;
        assert_eq!(place.settle("a").await.unwrap().0, 20);
        let _ = place.later(DirectUploads::KEPT).await;
        assert_eq!((place.used().await, place.count().await), (20, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_leaves_nothing_that_was_on_its_way() {
    for place in Place::everywhere(Some(100)).await {
        let url = place.announce("a", 20).await.unwrap();
        place.send(&url, 20).await.unwrap();
        place
            .blobs
            .delete_project(place.scope.project)
            .await
            .unwrap();
        assert_eq!((place.incoming().await, place.count().await), (0, 0));
    }
}
