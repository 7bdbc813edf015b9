//! Pictures of users. What somebody sent is cut into squares by
//! [`crate::images`] and forgotten; the squares are one object of the
//! project, so that they come and go together and count against its quota.
//!
//! The object is written before the user's row names it, and deleted after
//! the row names another. What is left of a host that died in between goes
//! with the user's next change.

use super::SignedInUser;
use crate::{Actor, App, images::Picture};
use async_trait::async_trait;
use atlashub_core::{
    BucketName, Error, ErrorKind, PluginName, ProjectId, RequestId, Result, UserId,
    capability::{
        PluginScope,
        blob::{Blobs as _, ByteSource, ByteStream, MAX_LIST, ObjectKey, PutOptions},
    },
};
use atlashub_data::platform::EndUser;
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// Largest image that is taken, bytes.
pub const MAX_AVATAR_BYTES: usize = 10 * 1_024 * 1_024;
/// Sides of the squares, pixels; the largest first.
pub const AVATAR_SIZES: [u32; 4] = [512, 256, 128, 64];
/// The square that is shown when none is asked for.
const DEFAULT_SIZE: u32 = 256;
/// The project's bucket that pictures are in.
pub(crate) const BUCKET: &str = "private";
/// As whom the host keeps objects; no plugin can have this name.
pub(crate) const HOST: &str = "host";
/// After this time an object that no row names was left behind.
const LEFT_BEHIND: Duration = Duration::from_secs(3_600);
/// How often a picture is put into a row that others change, too.
const MAX_TRIES: u32 = 10;

/// What a user's row says of the picture, as JSON.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    version: Uuid,
    squares: Vec<Square>,
}

/// A part of the object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Square {
    size: u32,
    #[serde(rename = "type")]
    content_type: String,
    offset: u64,
    length: u64,
}

/// A square of a user's picture.
pub struct Avatar {
    /// Names this picture; another one has another.
    pub version: Uuid,
    /// Its side, pixels.
    pub size: u32,
    /// `image/jpeg` or `image/png`.
    pub content_type: String,
    /// Bytes.
    pub length: u64,
    user: UserId,
    project: ProjectId,
    offset: u64,
}

impl App {
    /// Gives the user behind an access token another picture.
    ///
    /// # Errors
    /// `unsupported_image` (415), `image_too_large`, `quota_exceeded` (413),
    /// `broken_image` (422), `saturated` (503).
    pub async fn set_avatar(
        &self,
        me: &SignedInUser,
        request: RequestId,
        image: Bytes,
    ) -> Result<EndUser> {
        if image.len() > MAX_AVATAR_BYTES {
            return Err(too_large());
        }
        let entry = self.entry(me.project).await?;
        let squares = self
            .images()
            .squares(&entry, request, image, &AVATAR_SIZES)
            .await?;
        let (record, bytes) = packed(Uuid::now_v7(), squares);
        let app = self.clone();
        let (project, user) = (me.project, me.id());
        // Goes on to its end when the client goes away: nothing is left over.
        self.spawn(async move { app.store_avatar(project, user, record, bytes).await })
            .await
            .map_err(|error| Error::internal("store a picture", error))?
    }

    async fn store_avatar(
        &self,
        project: ProjectId,
        user: UserId,
        record: Record,
        bytes: Bytes,
    ) -> Result<EndUser> {
        let scope = scope(project)?;
        let key = key(user, record.version)?;
        let options = PutOptions {
            key: Some(key.clone()),
            create_only: true,
            expected_size: Some(bytes.len() as u64),
            max_size: None,
        };
        let bucket = bucket()?;
        let mut source = Whole(Some(bytes));
        self.blobs()
            .put(&scope, &bucket, &mut source, options)
            .await?;
        let text = serde_json::to_string(&record)
            .map_err(|error| Error::internal("write down a picture", error))?;
        match self.swap_avatar(project, user, Some(text)).await {
            Ok(user) => Ok(user),
            Err(error) => {
                self.blobs().delete(&scope, &bucket, &key).await?;
                Err(error)
            }
        }
    }

    /// Takes the picture of the user behind an access token away.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn remove_own_avatar(&self, me: &SignedInUser) -> Result<()> {
        self.swap_avatar(me.project, me.id(), None).await.map(drop)
    }

    /// Takes a user's picture away.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn remove_avatar(&self, actor: &Actor, project: ProjectId, id: UserId) -> Result<()> {
        self.swap_avatar(project, id, None).await?;
        self.platform()
            .audit()
            .append(actor.did(
                "user.avatar.remove",
                Some(project),
                id.to_string(),
                json!({}),
            ))
            .await
    }

    /// Puts another picture into a user's row, and deletes the one before.
    async fn swap_avatar(
        &self,
        project: ProjectId,
        id: UserId,
        new: Option<String>,
    ) -> Result<EndUser> {
        for _ in 0..MAX_TRIES {
            let before = self.platform().users().get(project, id).await?.avatar;
            let swapped = self
                .platform()
                .users()
                .swap_avatar(project, id, before.as_deref(), new.as_deref())
                .await?;
            let Some(user) = swapped else { continue };
            // It has been done: what cannot be deleted now goes next time.
            if let Err(error) = self.tidy_avatars(&user, before.as_deref()).await {
                tracing::warn!(%error, %project, user = %id, "an old picture was not deleted");
            }
            return Ok(user);
        }
        Err(Error::conflict(
            "avatar_changed",
            "the picture is being changed by others, too, try again",
        ))
    }

    /// Deletes the picture that was shown before, and what was left behind.
    async fn tidy_avatars(&self, user: &EndUser, before: Option<&str>) -> Result<()> {
        let gone = before.and_then(read).map(|record| record.version);
        let shown = user.avatar.as_deref().and_then(read);
        let shown = shown.map(|record| record.version);
        let limit = self.clock().now() - LEFT_BEHIND;
        self.delete_avatars(user.project, user.id, |version, modified| {
            Some(version) != shown
                && (Some(version) == gone || modified.is_some_and(|at| at < limit))
        })
        .await
    }

    /// Deletes all pictures of a user who is removed.
    pub(super) async fn delete_all_avatars(&self, project: ProjectId, id: UserId) -> Result<()> {
        self.delete_avatars(project, id, |_, _| true).await
    }

    async fn delete_avatars(
        &self,
        project: ProjectId,
        id: UserId,
        which: impl Fn(Uuid, Option<time::OffsetDateTime>) -> bool,
    ) -> Result<()> {
        let (scope, bucket) = (scope(project)?, bucket()?);
        let folder = format!("avatars/{id}/");
        let mut cursor = None;
        loop {
            let page = self
                .blobs()
                .list(&scope, &bucket, &folder, cursor.as_deref(), MAX_LIST)
                .await;
            let page = match page {
                Err(error) if error.code() == "bucket_not_found" => return Ok(()),
                other => other?,
            };
            for object in page.objects {
                let name = object.key.as_str().strip_prefix(&folder);
                if let Some(Ok(version)) = name.map(str::parse)
                    && which(version, object.modified)
                {
                    self.blobs().delete(&scope, &bucket, &object.key).await?;
                }
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// A square of a user's picture, for everybody to see.
    ///
    /// # Errors
    /// `not_found`, also for a user who is shut out; `invalid_size`.
    pub async fn avatar(
        &self,
        project: ProjectId,
        id: UserId,
        size: Option<u32>,
    ) -> Result<Avatar> {
        let size = size.unwrap_or(DEFAULT_SIZE);
        if !AVATAR_SIZES.contains(&size) {
            return Err(Error::bad_request(
                "invalid_size",
                format!("pictures have {AVATAR_SIZES:?} pixels a side"),
            ));
        }
        let user = self.public_profile(project, id).await?;
        let record = user.avatar.as_deref().and_then(read);
        record
            .and_then(|record| {
                let mut squares = record.squares.into_iter();
                let square = squares.find(|square| square.size == size)?;
                Some(Avatar {
                    version: record.version,
                    size,
                    content_type: square.content_type,
                    length: square.length,
                    user: id,
                    project,
                    offset: square.offset,
                })
            })
            .ok_or_else(none)
    }

    /// The bytes of a square.
    ///
    /// # Errors
    /// `not_found` when it was replaced meanwhile.
    pub async fn read_avatar(&self, avatar: &Avatar) -> Result<ByteStream> {
        let range = avatar.offset..avatar.offset.saturating_add(avatar.length);
        let key = key(avatar.user, avatar.version)?;
        let body = self
            .blobs()
            .read(&scope(avatar.project)?, &bucket()?, &key, Some(range))
            .await;
        match body {
            Ok(body) => Ok(body.bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(none()),
            Err(error) => Err(error),
        }
    }

    /// Where a user's picture is found; it may be kept for good, for another
    /// picture has another address.
    #[must_use]
    pub fn avatar_url(&self, user: &EndUser) -> Option<String> {
        let record = read(user.avatar.as_deref()?)?;
        let entry = self.directory().by_id(user.project)?;
        let base = self.directory().public_url(&entry.slug);
        let (id, version) = (user.id, record.version);
        Some(format!("{base}/users/{id}/avatar?v={version}"))
    }
}

/// The user whose picture an object is, by its key.
pub(crate) fn user_of(key: &ObjectKey) -> Option<UserId> {
    let rest = key.as_str().strip_prefix("avatars/")?;
    rest.split_once('/')?.0.parse().ok()
}

/// The object that is a user's present picture, and its size.
pub(crate) fn object_of(user: &EndUser) -> Option<(ObjectKey, u64)> {
    let record = read(user.avatar.as_deref()?)?;
    let size = record.squares.iter().map(|square| square.length).sum();
    Some((key(user.id, record.version).ok()?, size))
}

/// Bytes that are there already.
struct Whole(Option<Bytes>);

#[async_trait]
impl ByteSource for Whole {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        Ok(self.0.take())
    }
}

/// The squares one after another, and where each is.
fn packed(version: Uuid, pictures: Vec<Picture>) -> (Record, Bytes) {
    let mut bytes = BytesMut::new();
    let mut squares = Vec::with_capacity(pictures.len());
    for (size, picture) in AVATAR_SIZES.into_iter().zip(pictures) {
        squares.push(Square {
            size,
            content_type: picture.content_type,
            offset: bytes.len() as u64,
            length: picture.bytes.len() as u64,
        });
        bytes.extend_from_slice(&picture.bytes);
    }
    (Record { version, squares }, bytes.freeze())
}

fn read(text: &str) -> Option<Record> {
    serde_json::from_str(text).ok()
}

fn scope(project: ProjectId) -> Result<PluginScope> {
    let plugin: PluginName = HOST.parse()?;
    Ok(PluginScope { project, plugin })
}

fn bucket() -> Result<BucketName> {
    BUCKET.parse()
}

fn key(user: UserId, version: Uuid) -> Result<ObjectKey> {
    format!("avatars/{user}/{version}").parse()
}

fn none() -> Error {
    Error::not_found("picture")
}

fn too_large() -> Error {
    Error::new(
        ErrorKind::TooLarge,
        "image_too_large",
        format!("the image has more than {MAX_AVATAR_BYTES} bytes"),
    )
    .with_field("limit_bytes", MAX_AVATAR_BYTES)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn squares_lie_in_one_object_and_are_found_again() {
        let picture = |text: &'static str| Picture {
            bytes: Bytes::from_static(text.as_bytes()),
            content_type: "image/png".to_owned(),
        };
        let pictures = ["largest", "large", "small", "s"].map(picture).to_vec();
        let (record, bytes) = packed(Uuid::nil(), pictures);
        assert_eq!(bytes, "largestlargesmalls");
        let again = read(&serde_json::to_string(&record).unwrap()).unwrap();
        assert_eq!(again.squares, record.squares);
        let square = &again.squares[2];
        let (start, end) = (square.offset, square.offset + square.length);
        assert_eq!((square.size, start, end), (128, 12, 17));
        assert!(read("https://elsewhere.example/a.png").is_none());
    }
}
