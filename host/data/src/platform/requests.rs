//! Requests that projects were asked: written in batches, read backwards,
//! pruned by age and by number. How many of them are kept, and what of a path,
//! is decided before they arrive here.

use super::{
    changes::uuid,
    entity::request::{ActiveModel, Column, Entity, Model},
    failure::failed,
    instant, journal,
    page::{Page, fetch_limit},
    unit::Db,
};
use atlashub_core::{PluginName, ProjectId, RequestId, Result};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait as _, Condition, EntityTrait as _, ExprTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};
use std::{ops::RangeInclusive, time::Duration};
use time::OffsetDateTime;
use uuid::Uuid;

/// Rows that one statement inserts.
const BATCH: usize = 200;

/// What failed when pruning does.
const PRUNE: &str = "prune requests";

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptRequest {
    /// The project that was asked.
    pub project: ProjectId,
    /// When the head of the answer was there.
    pub at: OffsetDateTime,
    /// The plugin that answered, if one did.
    pub plugin: Option<String>,
    /// The method.
    pub method: String,
    /// The path within the project, without what may be a secret.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
    /// Time until the head of the answer was there.
    pub latency: Duration,
    /// Length of the answer's body, where its head told it.
    pub bytes: u64,
    /// The kind of caller, where that is known.
    pub caller: Option<String>,
    /// The request's id.
    pub request: Option<RequestId>,
    /// Requests before it that were not kept.
    pub missed: u64,
}

/// A request as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRequest {
    /// Its number; grows with each.
    pub seq: i64,
    /// The request.
    pub request: KeptRequest,
}

/// Which requests to read.
#[derive(Clone, Debug, Default)]
pub struct RequestFilter {
    /// Those that this plugin answered.
    pub plugin: Option<PluginName>,
    /// Those of this method.
    pub method: Option<String>,
    /// Those answered with one of these.
    pub status: Option<RangeInclusive<u16>>,
    /// Those whose path contains this text, in any case (of ASCII letters).
    pub path: Option<String>,
    /// The one with this id.
    pub request: Option<RequestId>,
    /// Those that took at least so long.
    pub slower: Option<Duration>,
    /// Those with a smaller number: the previous page's `next`.
    pub before: Option<i64>,
}

/// The requests of projects.
pub struct Requests<'a> {
    db: Db<'a>,
}

impl<'a> Requests<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Stores requests in the order given, all or none.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn insert(&self, requests: &[KeptRequest]) -> Result<()> {
        let unit = self.db.begin().await?;
        for some in requests.chunks(BATCH) {
            Entity::insert_many(some.iter().map(row))
                .exec_without_returning(&unit.executor())
                .await
                .map_err(failed("store requests"))?;
        }
        unit.commit().await
    }

    /// A page of a project's requests, newest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list(
        &self,
        project: ProjectId,
        filter: &RequestFilter,
        limit: u64,
    ) -> Result<Page<StoredRequest, i64>> {
        let mut query = Entity::find().filter(Column::ProjectId.eq(uuid(project)));
        if let Some(plugin) = &filter.plugin {
            query = query.filter(Column::Plugin.eq(plugin.as_str()));
        }
        if let Some(method) = &filter.method {
            query = query.filter(Column::Method.eq(method.to_ascii_uppercase()));
        }
        if let Some(status) = &filter.status {
            let (from, to) = (i64::from(*status.start()), i64::from(*status.end()));
            query = query.filter(Column::Status.between(from, to));
        }
        if let Some(text) = &filter.path {
            query = query.filter(journal::mentions(Column::Path, text));
        }
        if let Some(request) = filter.request {
            query = query.filter(Column::RequestId.eq(*request.as_uuid()));
        }
        if let Some(slower) = filter.slower {
            query = query.filter(Column::Micros.gte(micros(slower)));
        }
        if let Some(before) = filter.before {
            query = query.filter(Column::Seq.lt(before));
        }
        let rows = query
            .order_by_desc(Column::Seq)
            .limit(fetch_limit(limit))
            .all(&self.db.read())
            .await
            .map_err(failed("read requests"))?;
        let requests = rows.into_iter().map(record).collect::<Result<_>>()?;
        Ok(Page::cut(requests, limit, |one: &StoredRequest| one.seq))
    }

    /// Removes requests older than `age`; how many there were.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn prune_older(&self, age: Duration) -> Result<u64> {
        journal::prune_older::<Entity>(self.db, Column::At, age, PRUNE).await
    }

    /// Keeps the newest `keep` requests of each project; how many went.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn prune_to(&self, keep: u64) -> Result<u64> {
        let most = i64::try_from(keep).unwrap_or(i64::MAX);
        let crowded: Vec<Uuid> = Entity::find()
            .select_only()
            .column(Column::ProjectId)
            .group_by(Column::ProjectId)
            .having(Column::Seq.count().gt(most))
            .into_tuple()
            .all(&self.db.read())
            .await
            .map_err(failed(PRUNE))?;
        let groups = crowded
            .into_iter()
            .map(|project| Condition::all().add(Column::ProjectId.eq(project)));
        journal::prune_to::<Entity>(self.db, Column::Seq, groups, keep, PRUNE).await
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

fn row(request: &KeptRequest) -> ActiveModel {
    ActiveModel {
        seq: NotSet,
        project_id: Set(uuid(request.project)),
        at: Set(instant::to_micros(request.at)),
        plugin: Set(request.plugin.clone()),
        method: Set(request.method.clone()),
        path: Set(request.path.clone()),
        status: Set(request.status.into()),
        micros: Set(micros(request.latency)),
        bytes: Set(i64::try_from(request.bytes).unwrap_or(i64::MAX)),
        caller: Set(request.caller.clone()),
        request_id: Set(request.request.map(|id| *id.as_uuid())),
        missed: Set(i64::try_from(request.missed).unwrap_or(i64::MAX)),
    }
}

fn record(row: Model) -> Result<StoredRequest> {
    let positive = |number: i64| u64::try_from(number).unwrap_or_default();
    Ok(StoredRequest {
        seq: row.seq,
        request: KeptRequest {
            project: ProjectId::from_uuid(row.project_id),
            at: instant::from_micros(row.at)?,
            plugin: row.plugin,
            method: row.method,
            path: row.path,
            status: u16::try_from(row.status).unwrap_or_default(),
            latency: Duration::from_micros(positive(row.micros)),
            bytes: positive(row.bytes),
            caller: row.caller,
            request: row.request_id.map(RequestId::from_uuid),
            missed: positive(row.missed),
        },
    })
}
