//! Uploads that were announced and come by a signed link: whose they are,
//! what is set aside for them, and whether they were settled.
//!
//! What goes straight to the store is set aside in full when it is announced,
//! bound to no node, and counts once it is settled. One caller settles: it
//! holds a claim meanwhile, that runs out should it be gone. A project has
//! [`MAX_OPEN`](DirectUploads::MAX_OPEN) at most that are not settled; each
//! is looked at [`LATE`](DirectUploads::LATE) after its link has expired, and
//! forgotten [`KEPT`](DirectUploads::KEPT) after that at the latest.

use super::{
    ReservationId,
    changes::uuid,
    entity::direct_upload::{Column, Entity, Model},
    failure::{corrupt, failed, is_duplicate, orphaned},
    instant,
    unit::{Db, returning, statement},
};
use atlashub_core::{
    BucketName, Digest, Error, ErrorKind, ProjectId, Result,
    capability::{PluginScope, blob::ObjectKey},
};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, ExprTrait as _, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, sea_query::Expr,
};
use std::time::Duration;
use uuid::Uuid;

/// An upload that is announced.
#[derive(Clone, Debug)]
pub struct NewDirectUpload {
    /// Whose it is.
    pub scope: PluginScope,
    /// The bucket it goes into.
    pub bucket: BucketName,
    /// The key it gets there.
    pub key: ObjectKey,
    /// Its size when it goes straight to the store, the most it may have
    /// otherwise.
    pub max_bytes: u64,
    /// Whether it goes straight to the store.
    pub is_straight: bool,
    /// How long its link is good.
    pub valid_for: Duration,
}

/// An upload that was announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectUpload {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub scope: PluginScope,
    /// The bucket it goes into.
    pub bucket: BucketName,
    /// The key it gets there.
    pub key: ObjectKey,
    /// Its size, or the most it may have.
    pub max_bytes: u64,
    /// Whether it goes straight to the store.
    pub is_straight: bool,
    /// What is set aside for it.
    pub reservation: Option<ReservationId>,
    /// SHA-256 of its bytes, where it is known.
    pub sha256: Option<Digest>,
    /// Whether somebody began to settle it.
    pub was_claimed: bool,
    /// Whether it is an object.
    pub is_settled: bool,
    /// Whether it is to be forgotten now.
    pub is_over: bool,
}

/// The uploads that were announced.
pub struct DirectUploads<'a> {
    db: Db<'a>,
}

impl<'a> DirectUploads<'a> {
    /// The most that a project has at a time and that are not settled.
    pub const MAX_OPEN: u64 = 20_000;
    /// How long after its link has expired an upload may still be under way.
    pub const LATE: Duration = Duration::from_secs(3_600);
    /// How long after that it is known, so that what comes very late is
    /// found.
    pub const KEPT: Duration = Duration::from_secs(7 * 24 * 3_600);

    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Notes an upload, and sets its bytes aside if it goes straight to the
    /// store. Answers its id.
    ///
    /// # Errors
    /// `quota_exceeded`; 429 `too_many_uploads`; 409 `object_exists` when one
    /// was announced under that key; `not_found` when there is no such
    /// project.
    pub async fn announce(&self, new: &NewDirectUpload) -> Result<Uuid> {
        let unit = self.db.begin().await?;
        let project = new.scope.project;
        let reservation = if new.is_straight {
            let ttl = new.valid_for + Self::LATE + Self::KEPT * 2;
            let usage = unit.usage();
            Some(usage.reserve_apart(project, new.max_bytes, ttl).await?)
        } else {
            None
        };
        let open = Entity::find()
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::SettledAt.is_null())
            .count(&unit.executor())
            .await
            .map_err(failed("count announced uploads"))?;
        if open >= Self::MAX_OPEN {
            return Err(Error::new(
                ErrorKind::RateLimited,
                "too_many_uploads",
                format!(
                    "the project has announced {} uploads that have not come, wait until they are forgotten",
                    Self::MAX_OPEN
                ),
            )
            .with_retry_after(60));
        }
        let id = Uuid::now_v7();
        let until = instant::later(unit.now(), new.valid_for);
        let row = Model {
            id,
            project_id: uuid(project),
            plugin: new.scope.plugin.to_string(),
            bucket: new.bucket.to_string(),
            object_key: new.key.to_string(),
            max_bytes: instant::to_bytes(new.max_bytes)?,
            is_straight: new.is_straight,
            reservation_id: reservation.map(|id| *id.as_uuid()),
            sha256: None,
            claimed_until: None,
            settled_at: None,
            expires_at: until,
            check_at: instant::later(until, Self::LATE),
        };
        Entity::insert(super::entity::direct_upload::ActiveModel::from(row))
            .exec_without_returning(&unit.executor())
            .await
            .map_err(|error| match is_duplicate(&error) {
                true => {
                    Error::conflict("object_exists", "an upload has that key").with_source(error)
                }
                false => orphaned("project", "announce an upload")(error),
            })?;
        unit.commit().await?;
        Ok(id)
    }

    /// The upload that was announced under a key.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find(
        &self,
        scope: &PluginScope,
        bucket: &BucketName,
        key: &ObjectKey,
    ) -> Result<Option<DirectUpload>> {
        Entity::find()
            .filter(Column::ProjectId.eq(uuid(scope.project)))
            .filter(Column::Plugin.eq(scope.plugin.as_str()))
            .filter(Column::Bucket.eq(bucket.as_str()))
            .filter(Column::ObjectKey.eq(key.as_str()))
            .one(&self.db.read())
            .await
            .map_err(failed("look up an announced upload"))?
            .map(|row| upload(row, self.db.now()))
            .transpose()
    }

    /// Makes the caller the one who settles an upload, for as long as
    /// `lease`; whether nobody else is. An upload whose time is over is
    /// nobody's.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn claim(&self, id: Uuid, lease: Duration) -> Result<bool> {
        let now = self.db.now();
        let claimed = returning(
            &self.db.write(),
            statement(
                self.db.engine(),
                "UPDATE direct_uploads SET claimed_until = $2 WHERE id = $1 \
                 AND settled_at IS NULL AND reservation_id IS NOT NULL AND expires_at > $4 \
                 AND (claimed_until IS NULL OR claimed_until < $3) RETURNING id",
                [
                    id.into(),
                    instant::later(now, lease).into(),
                    now.into(),
                    // The lease ends before it is forgotten.
                    instant::earlier(now, Self::KEPT - lease).into(),
                ],
            ),
        )
        .await
        .map_err(failed("claim an announced upload"))?;
        Ok(claimed.is_some())
    }

    /// Puts off the end of the caller's claim.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn renew(&self, id: Uuid, lease: Duration) -> Result<()> {
        let until = instant::later(self.db.now(), lease);
        self.claim_until(id, until).await
    }

    /// Gives a claim up.
    ///
    /// # Errors
    /// When the database cannot; it runs out then.
    pub async fn give_up(&self, id: Uuid) -> Result<()> {
        self.claim_until(id, 0).await
    }

    async fn claim_until(&self, id: Uuid, until: i64) -> Result<()> {
        Entity::update_many()
            .col_expr(Column::ClaimedUntil, Expr::value(until))
            .filter(Column::Id.eq(id))
            .filter(Column::SettledAt.is_null())
            .exec(&self.db.write())
            .await
            .map(drop)
            .map_err(failed("claim an announced upload"))
    }

    /// Notes what came by a link of this host.
    ///
    /// # Errors
    /// When the database cannot; its bytes are read again then.
    pub async fn came(&self, id: Uuid, sha256: Digest) -> Result<()> {
        Entity::update_many()
            .col_expr(Column::Sha256, Expr::value(sha256.to_hex()))
            .filter(Column::Id.eq(id))
            .exec(&self.db.write())
            .await
            .map(drop)
            .map_err(failed("note an upload"))
    }

    /// Ends an upload: from now on its link is good for nothing, and `size`
    /// bytes of one that went straight to the store are in use.
    ///
    /// # Errors
    /// `not_found` when it was forgotten meanwhile.
    pub async fn settle(
        &self,
        upload: &DirectUpload,
        size: u64,
        sha256: Option<Digest>,
    ) -> Result<()> {
        let unit = self.db.begin().await?;
        let mut settling = Entity::update_many()
            .col_expr(Column::SettledAt, Expr::value(unit.now()))
            .col_expr(Column::ReservationId, Expr::value(Option::<Uuid>::None));
        if let Some(sum) = sha256 {
            settling = settling.col_expr(Column::Sha256, Expr::value(sum.to_hex()));
        }
        let settled = settling
            .filter(Column::Id.eq(upload.id))
            .filter(Column::SettledAt.is_null())
            .exec(&unit.executor())
            .await
            .map_err(failed("settle an announced upload"))?;
        if settled.rows_affected == 0 {
            return Err(Error::not_found("upload"));
        }
        if let Some(reservation) = upload.reservation {
            unit.usage().settle(reservation, size).await?;
        }
        unit.commit().await
    }

    /// Gives back what is set aside for an upload that did not come or may
    /// not stay; nobody settles it any more.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn cancel(&self, upload: &DirectUpload) -> Result<()> {
        let unit = self.db.begin().await?;
        Entity::update_many()
            .col_expr(Column::ReservationId, Expr::value(Option::<Uuid>::None))
            .filter(Column::Id.eq(upload.id))
            .exec(&unit.executor())
            .await
            .map_err(failed("cancel an announced upload"))?;
        if let Some(reservation) = upload.reservation {
            unit.usage().release(reservation).await?;
        }
        unit.commit().await
    }

    /// Uploads that are to be looked at, the longest waiting first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn due(&self, most: u64) -> Result<Vec<DirectUpload>> {
        let now = self.db.now();
        Entity::find()
            .filter(Column::CheckAt.lte(now))
            .order_by_asc(Column::CheckAt)
            .limit(most)
            .all(&self.db.read())
            .await
            .map_err(failed("find uploads to look at"))?
            .into_iter()
            .map(|row| upload(row, now))
            .collect()
    }

    /// Leaves an upload alone until it is to be forgotten.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn look_later(&self, id: Uuid) -> Result<()> {
        let kept = i64::try_from((Self::LATE + Self::KEPT).as_micros()).unwrap_or(i64::MAX);
        Entity::update_many()
            .col_expr(Column::CheckAt, Expr::col(Column::ExpiresAt).add(kept))
            .filter(Column::Id.eq(id))
            .exec(&self.db.write())
            .await
            .map(drop)
            .map_err(failed("put off a look at an upload"))
    }

    /// Forgets an upload and gives back what is still set aside for it.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn forget(&self, upload: &DirectUpload) -> Result<()> {
        let unit = self.db.begin().await?;
        let gone = Entity::delete_by_id(upload.id)
            .exec(&unit.executor())
            .await
            .map_err(failed("forget an upload"))?;
        if let (1.., Some(reservation)) = (gone.rows_affected, upload.reservation) {
            unit.usage().release(reservation).await?;
        }
        unit.commit().await
    }
}

fn upload(row: Model, now: i64) -> Result<DirectUpload> {
    let unreadable = corrupt("announced upload");
    Ok(DirectUpload {
        id: row.id,
        scope: PluginScope {
            project: ProjectId::from_uuid(row.project_id),
            plugin: row
                .plugin
                .parse()
                .map_err(|error: Error| unreadable(error.into()))?,
        },
        bucket: row
            .bucket
            .parse()
            .map_err(|error: Error| unreadable(error.into()))?,
        key: row
            .object_key
            .parse()
            .map_err(|error: Error| unreadable(error.into()))?,
        max_bytes: instant::from_bytes(row.max_bytes),
        is_straight: row.is_straight,
        reservation: row.reservation_id.map(ReservationId::from_uuid),
        sha256: row
            .sha256
            .map(|text| text.parse())
            .transpose()
            .map_err(|error: Error| unreadable(error.into()))?,
        was_claimed: row.claimed_until.is_some(),
        is_settled: row.settled_at.is_some(),
        is_over: now >= instant::later(row.expires_at, DirectUploads::LATE + DirectUploads::KEPT),
    })
}
