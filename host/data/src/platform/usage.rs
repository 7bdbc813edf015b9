//! Storage accounts: what a project uses, the most it may use, and what is
//! set aside for uploads under way.
//!
//! Bytes are reserved before they are written, by one guarded statement, and
//! settled to what was really written afterwards, so that no number of
//! uploads at once exceeds the limit. A reservation whose owner is gone runs
//! out, or ends with its node, and is given back by
//! [`sweep_expired`](Usage::sweep_expired); whether its object came to be
//! nobody knows then, so that the project is to be counted anew. A unit
//! that touches both locks the reservation first, then the account.

use super::{
    Nodes, Unit,
    changes::{ChangeKind, NewChange, uuid},
    entity::{node, storage_reservation, storage_usage},
    failure::{failed, orphaned},
    instant,
    unit::{Db, returning, statement},
};
use atlashub_core::{Error, ErrorKind, ProjectId, Result};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, QueryTrait as _, sea_query::Expr,
};
use std::{fmt, time::Duration};
use uuid::Uuid;

/// The most bytes that a project may store unless an admin says otherwise:
/// 10 GiB.
pub const DEFAULT_STORAGE_BYTES: u64 = 10 * 1024 * 1024 * 1024;

/// The most that can be reserved, and be in use without a limit, bytes: far
/// from where a sum could overflow.
const MAX_BYTES: i64 = 1 << 61;

/// Bytes set aside for one upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReservationId(Uuid);

impl ReservationId {
    /// The reservation with this id.
    #[must_use]
    pub const fn from_uuid(id: Uuid) -> Self {
        Self(id)
    }

    /// The UUID itself.
    #[must_use]
    pub const fn as_uuid(&self) -> &Uuid {
        &self.0
    }
}

impl fmt::Display for ReservationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A project's storage account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageUsage {
    /// Bytes in use, those set aside included.
    pub used_bytes: u64,
    /// Bytes set aside for uploads under way.
    pub reserved_bytes: u64,
    /// Of those, what is set aside for announced uploads that go straight to
    /// the store and that nobody has begun to settle.
    pub announced_bytes: u64,
    /// The most it may use; `None` for no limit.
    pub limit_bytes: Option<u64>,
}

/// The storage accounts.
pub struct Usage<'a> {
    db: Db<'a>,
}

impl<'a> Usage<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Sets `bytes` aside for an upload that ends within `ttl`, or renews the
    /// reservation before. Zero bytes are always granted.
    ///
    /// # Errors
    /// `quota_exceeded` (with `limit_bytes`, `used_bytes`, `requested_bytes`)
    /// when they do not fit, `not_found` when there is no such project.
    pub async fn reserve(
        &self,
        project: ProjectId,
        bytes: u64,
        ttl: Duration,
    ) -> Result<ReservationId> {
        let node = self.db.platform().node();
        self.reserve_within(project, bytes, ttl, 0, node).await
    }

    /// As [`reserve`](Self::reserve), for what no node carries: it does not
    /// end with one.
    ///
    /// # Errors
    /// As `reserve`.
    pub async fn reserve_apart(
        &self,
        project: ProjectId,
        bytes: u64,
        ttl: Duration,
    ) -> Result<ReservationId> {
        self.reserve_within(project, bytes, ttl, 0, None).await
    }

    /// As [`reserve`](Self::reserve), up to twice the limit: for bytes that
    /// the project has already and that go once their copy is there.
    ///
    /// # Errors
    /// As `reserve`.
    pub async fn reserve_twice(
        &self,
        project: ProjectId,
        bytes: u64,
        ttl: Duration,
    ) -> Result<ReservationId> {
        let node = self.db.platform().node();
        self.reserve_within(project, bytes, ttl, 1, node).await
    }

    async fn reserve_within(
        &self,
        project: ProjectId,
        bytes: u64,
        ttl: Duration,
        beyond: i64,
        node: Option<Uuid>,
    ) -> Result<ReservationId> {
        let unit = self.db.begin().await?;
        let id = ReservationId(Uuid::now_v7());
        let now = unit.now();
        storage_reservation::Entity::insert(storage_reservation::ActiveModel {
            id: Set(id.0),
            project_id: Set(uuid(project)),
            bytes: Set(instant::to_bytes(bytes.min(MAX_BYTES.unsigned_abs()))?),
            created_at: Set(now),
            expires_at: Set(instant::later(now, ttl)),
            node_id: Set(node),
        })
        .exec_without_returning(&unit.executor())
        .await
        .map_err(orphaned("project", "reserve storage"))?;
        // The account last: all who reserve wait for whoever holds it.
        take_within(&unit, project, bytes, beyond).await?;
        unit.commit().await?;
        Ok(id)
    }

    /// Sets `more` bytes aside for the same upload and renews it to end
    /// within `ttl`; with zero bytes it only renews.
    ///
    /// # Errors
    /// `quota_exceeded` when they do not fit (what was set aside before stays),
    /// `reservation_expired` when the reservation is gone.
    pub async fn extend(&self, id: ReservationId, more: u64, ttl: Duration) -> Result<()> {
        let unit = self.db.begin().await?;
        let until = instant::later(unit.now(), ttl);
        let more_bytes = instant::to_bytes(more.min(MAX_BYTES.unsigned_abs()))?;
        let row = returning(
            &unit.executor(),
            statement(
                unit.engine(),
                "UPDATE storage_reservations SET bytes = bytes + $2, expires_at = $3 \
                 WHERE id = $1 RETURNING project_id",
                [id.0.into(), more_bytes.into(), until.into()],
            ),
        )
        .await
        .map_err(failed("extend a storage reservation"))?
        .ok_or_else(expired)?;
        let project: Uuid = row
            .try_get("", "project_id")
            .map_err(failed("extend a storage reservation"))?;
        take(&unit, ProjectId::from_uuid(project), more).await?;
        unit.commit().await
    }

    /// Ends a reservation: `actual` bytes were written and stay in use. More
    /// than were set aside must fit, too.
    ///
    /// # Errors
    /// `quota_exceeded` when they do not (the reservation stays),
    /// `reservation_expired` when the reservation is gone.
    pub async fn settle(&self, id: ReservationId, actual: u64) -> Result<()> {
        let unit = self.db.begin().await?;
        let (project, reserved) = remove(&unit, id, None).await?.ok_or_else(expired)?;
        if actual >= reserved {
            take(&unit, project, actual - reserved).await?;
        } else {
            put_back(&unit, project, reserved - actual).await?;
        }
        unit.commit().await
    }

    /// Ends a reservation of which nothing was written; whether it was there.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn release(&self, id: ReservationId) -> Result<bool> {
        let unit = self.db.begin().await?;
        let Some((project, reserved)) = remove(&unit, id, None).await? else {
            return Ok(false);
        };
        put_back(&unit, project, reserved).await?;
        unit.commit().await?;
        Ok(true)
    }

    /// Gives back bytes that were in use: an object was deleted.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn give_back(&self, project: ProjectId, bytes: u64) -> Result<()> {
        let unit = self.db.begin().await?;
        put_back(&unit, project, bytes).await?;
        unit.commit().await
    }

    /// Gives back reservations that ran out or whose node is gone, at most
    /// 1,000 at once, and notes that their projects are to be counted anew.
    /// Answers how many.
    ///
    /// # Errors
    /// When the database cannot; what was swept before stays so.
    pub async fn sweep_expired(&self) -> Result<u64> {
        use storage_reservation::{Column, Entity};
        let now = self.db.now();
        let live = node::Entity::find()
            .select_only()
            .column(node::Column::Id)
            .filter(node::Column::SeenAt.gt(instant::earlier(now, Nodes::LIVE_FOR)));
        let ended = Condition::any().add(Column::ExpiresAt.lte(now)).add(
            Condition::all()
                .add(Column::NodeId.is_not_null())
                .add(Column::NodeId.not_in_subquery(live.into_query())),
        );
        let found: Vec<(Uuid, i64)> = Entity::find()
            .select_only()
            .columns([Column::Id, Column::ExpiresAt])
            .filter(ended)
            .order_by_asc(Column::ExpiresAt)
            .limit(1_000)
            .into_tuple()
            .all(&self.db.read())
            .await
            .map_err(failed("find expired storage reservations"))?;
        let mut swept = 0;
        for (id, until) in found {
            let unit = self.db.begin().await?;
            // It may have been renewed or settled meanwhile.
            if let Some((project, reserved)) = remove(&unit, ReservationId(id), Some(until)).await?
            {
                put_back(&unit, project, reserved).await?;
                want_recount(&unit, project).await?;
                swept += 1;
            }
            unit.commit().await?;
        }
        Ok(swept)
    }

    /// Makes a restored project's account what its objects take, with the
    /// limit that was archived; nothing is set aside any more.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn replace(&self, project: ProjectId, used: u64, limit: Option<u64>) -> Result<()> {
        use storage_usage::{Column, Entity};
        Entity::update_many()
            .filter(Column::ProjectId.eq(uuid(project)))
            .col_expr(Column::UsedBytes, Expr::value(instant::to_bytes(used)?))
            .col_expr(
                Column::LimitBytes,
                Expr::value(limit.map(instant::to_bytes).transpose()?),
            )
            .exec(&self.db.write())
            .await
            .map(drop)
            .map_err(failed("replace a storage account"))
    }

    /// Projects that are to be counted anew, the longest waiting first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn wanting_recount(&self, most: u64) -> Result<Vec<ProjectId>> {
        use storage_usage::{Column, Entity};
        let projects: Vec<Uuid> = Entity::find()
            .select_only()
            .column(Column::ProjectId)
            .filter(Column::RecountSince.is_not_null())
            .order_by_asc(Column::RecountSince)
            .limit(most)
            .into_tuple()
            .all(&self.db.read())
            .await
            .map_err(failed("find storage accounts to count"))?;
        Ok(projects.into_iter().map(ProjectId::from_uuid).collect())
    }

    /// Writes down what a project really uses, once all its objects were
    /// counted, if its account still says `seen` and nothing is set aside but
    /// for announced uploads; whether that was so.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn correct(&self, project: ProjectId, seen: u64, counted: u64) -> Result<bool> {
        let unit = self.db.begin().await?;
        let changed = returning(
            &unit.executor(),
            statement(
                unit.engine(),
                "UPDATE storage_usage SET used_bytes = $3, recount_since = NULL \
                 WHERE project_id = $1 AND used_bytes = $2 AND NOT EXISTS \
                 (SELECT 1 FROM storage_reservations r WHERE r.project_id = $1 AND NOT EXISTS \
                 (SELECT 1 FROM direct_uploads d WHERE d.reservation_id = r.id \
                 AND d.claimed_until IS NULL)) RETURNING project_id",
                [
                    uuid(project).into(),
                    instant::to_bytes(seen)?.into(),
                    instant::to_bytes(counted)?.into(),
                ],
            ),
        )
        .await
        .map_err(failed("correct a storage account"))?;
        unit.commit().await?;
        Ok(changed.is_some())
    }

    /// A project's account.
    ///
    /// # Errors
    /// `not_found` when there is no such project.
    pub async fn get(&self, project: ProjectId) -> Result<StorageUsage> {
        let row = returning(
            &self.db.read(),
            statement(
                self.db.engine(),
                "SELECT used_bytes, limit_bytes, CAST(COALESCE((SELECT SUM(bytes) \
                 FROM storage_reservations WHERE project_id = $1), 0) AS BIGINT) AS reserved_bytes, \
                 CAST(COALESCE((SELECT SUM(r.bytes) FROM storage_reservations r \
                 JOIN direct_uploads d ON d.reservation_id = r.id \
                 WHERE d.project_id = $1 AND d.claimed_until IS NULL), 0) AS BIGINT) \
                 AS announced_bytes \
                 FROM storage_usage WHERE project_id = $1",
                [uuid(project).into()],
            ),
        )
        .await
        .map_err(failed("read a storage account"))?
        .ok_or_else(|| Error::not_found("project"))?;
        let context = failed("read a storage account");
        let limit: Option<i64> = row.try_get("", "limit_bytes").map_err(&context)?;
        Ok(StorageUsage {
            used_bytes: instant::from_bytes(row.try_get("", "used_bytes").map_err(&context)?),
            reserved_bytes: instant::from_bytes(
                row.try_get("", "reserved_bytes").map_err(&context)?,
            ),
            announced_bytes: instant::from_bytes(
                row.try_get("", "announced_bytes").map_err(&context)?,
            ),
            limit_bytes: limit.map(instant::from_bytes),
        })
    }

    /// Sets the most bytes that a project may use; `None` for no limit. What
    /// is in use above it stays.
    ///
    /// # Errors
    /// `not_found` when there is no such project.
    pub async fn set_limit(&self, project: ProjectId, limit_bytes: Option<u64>) -> Result<()> {
        use storage_usage::{Column, Entity};
        let unit = self.db.begin().await?;
        let limit = limit_bytes.map(instant::to_bytes).transpose()?;
        let result = Entity::update_many()
            .filter(Column::ProjectId.eq(uuid(project)))
            .col_expr(Column::LimitBytes, Expr::value(limit))
            .exec(&unit.executor())
            .await
            .map_err(failed("set a storage limit"))?;
        if result.rows_affected == 0 {
            return Err(Error::not_found("project"));
        }
        unit.announce(NewChange::project(project, ChangeKind::QuotaChanged));
        unit.commit().await
    }
}

/// Notes that a project is to be counted anew.
async fn want_recount(unit: &Unit, project: ProjectId) -> Result<()> {
    use storage_usage::{Column, Entity};
    Entity::update_many()
        .filter(Column::ProjectId.eq(uuid(project)))
        .filter(Column::RecountSince.is_null())
        .col_expr(Column::RecountSince, Expr::value(unit.now()))
        .exec(&unit.executor())
        .await
        .map(drop)
        .map_err(failed("want a storage account counted"))
}

/// Adds `bytes` to what a project uses, if they fit.
async fn take(unit: &Unit, project: ProjectId, bytes: u64) -> Result<()> {
    take_within(unit, project, bytes, 0).await
}

/// As [`take`], beyond the limit by so many times the limit: none or one.
async fn take_within(unit: &Unit, project: ProjectId, bytes: u64, beyond: i64) -> Result<()> {
    use storage_usage::Entity;
    let context = failed("reserve storage");
    let fits = match i64::try_from(bytes) {
        Ok(0) => true,
        Ok(amount) if amount <= MAX_BYTES => {
            let changed = returning(
                &unit.executor(),
                statement(
                    unit.engine(),
                    "UPDATE storage_usage SET used_bytes = used_bytes + $2 WHERE project_id = $1 \
                     AND used_bytes + $2 - COALESCE(limit_bytes, $3) * $4 \
                     <= COALESCE(limit_bytes, $3) RETURNING project_id",
                    [
                        uuid(project).into(),
                        amount.into(),
                        MAX_BYTES.into(),
                        beyond.into(),
                    ],
                ),
            )
            .await
            .map_err(&context)?;
            changed.is_some()
        }
        _ => false,
    };
    if fits && bytes > 0 {
        return Ok(());
    }
    let account = Entity::find_by_id(uuid(project))
        .one(&unit.executor())
        .await
        .map_err(&context)?
        .ok_or_else(|| Error::not_found("project"))?;
    if fits {
        return Ok(());
    }
    let limit = instant::from_bytes(account.limit_bytes.unwrap_or(MAX_BYTES));
    let used = instant::from_bytes(account.used_bytes);
    Err(Error::new(
        ErrorKind::TooLarge,
        "quota_exceeded",
        format!("the project's storage is full: {used} of {limit} bytes are in use, {bytes} more were asked for"),
    )
    .with_field("limit_bytes", limit)
    .with_field("used_bytes", used)
    .with_field("requested_bytes", bytes))
}

/// Subtracts `bytes` from what a project uses, never below zero.
async fn put_back(unit: &Unit, project: ProjectId, bytes: u64) -> Result<()> {
    if bytes == 0 {
        return Ok(());
    }
    returning(
        &unit.executor(),
        statement(
            unit.engine(),
            "UPDATE storage_usage SET used_bytes = CASE WHEN used_bytes > $2 \
             THEN used_bytes - $2 ELSE 0 END WHERE project_id = $1 RETURNING project_id",
            [uuid(project).into(), instant::to_bytes(bytes)?.into()],
        ),
    )
    .await
    .map(drop)
    .map_err(failed("give storage back"))
}

/// Removes a reservation, only if it ran out by `expired_by` where given.
/// Answers its project and bytes.
async fn remove(
    unit: &Unit,
    id: ReservationId,
    expired_by: Option<i64>,
) -> Result<Option<(ProjectId, u64)>> {
    let context = failed("end a storage reservation");
    let row = returning(
        &unit.executor(),
        statement(
            unit.engine(),
            "DELETE FROM storage_reservations WHERE id = $1 AND expires_at <= $2 \
             RETURNING project_id, bytes",
            [id.0.into(), expired_by.unwrap_or(i64::MAX).into()],
        ),
    )
    .await
    .map_err(&context)?;
    row.map(|row| {
        let project: Uuid = row.try_get("", "project_id")?;
        let bytes: i64 = row.try_get("", "bytes")?;
        Ok((ProjectId::from_uuid(project), instant::from_bytes(bytes)))
    })
    .transpose()
    .map_err(context)
}

fn expired() -> Error {
    Error::conflict(
        "reservation_expired",
        "the upload took too long and its storage was given back, start it again",
    )
}
