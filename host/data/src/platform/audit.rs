//! The audit: who did what to which thing, and when. Rows are only added; the
//! database refuses to change or remove them.
//!
//! Append within the unit that does the thing, so that neither is there
//! without the other.

use super::{
    changes::uuid,
    entity::audit::{ActiveModel, Column, Entity, Model},
    failure::failed,
    instant,
    page::{Page, fetch_limit},
    unit::Db,
};
use atlashub_core::{Caller, ProjectId, RequestId, Result};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use time::OffsetDateTime;

/// What is to be noted.
#[derive(Clone, Debug, Default)]
pub struct NewAuditEvent {
    /// The project it happened in; `None` for the platform.
    pub project: Option<ProjectId>,
    /// Who did it.
    pub actor: Caller,
    /// What was done: `<thing>.<verb>`, as in `project.create`.
    pub action: String,
    /// To which thing.
    pub target: Option<String>,
    /// During which request.
    pub request: Option<RequestId>,
    /// What else is worth knowing; never a secret.
    pub details: serde_json::Value,
}

/// What was noted.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEvent {
    /// Its number; grows with each event.
    pub seq: i64,
    /// When.
    pub at: OffsetDateTime,
    /// The project it happened in.
    pub project: Option<ProjectId>,
    /// The kind of caller who did it, as plugins see it.
    pub actor_kind: String,
    /// The caller's id; `None` for kinds that have none.
    pub actor_id: Option<String>,
    /// What was done.
    pub action: String,
    /// To which thing.
    pub target: Option<String>,
    /// During which request.
    pub request: Option<RequestId>,
    /// What else is worth knowing.
    pub details: serde_json::Value,
}

/// Which events to read; `None` for any.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Those of this project.
    pub project: Option<ProjectId>,
    /// Those of the caller with this id.
    pub actor: Option<String>,
    /// Those of this action, or with a final `.*` of all actions of a thing.
    pub action: Option<String>,
    /// Those done to this thing.
    pub target: Option<String>,
    /// Those at this time or later.
    pub from: Option<OffsetDateTime>,
    /// Those before this time.
    pub until: Option<OffsetDateTime>,
    /// Those with a smaller number: the previous page's `next`.
    pub before: Option<i64>,
}

/// The audit.
pub struct Audit<'a> {
    db: Db<'a>,
}

impl<'a> Audit<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Adds an event.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn append(&self, event: NewAuditEvent) -> Result<()> {
        Entity::insert(ActiveModel {
            seq: NotSet,
            at: Set(self.db.now()),
            project_id: Set(event.project.map(uuid)),
            actor_kind: Set(event.actor.kind().to_owned()),
            actor_id: Set(event.actor.id()),
            action: Set(event.action),
            target: Set(event.target),
            request_id: Set(event.request.map(|id| *id.as_uuid())),
            details: Set(instant::to_json(&event.details)?),
        })
        .exec_without_returning(&self.db.write())
        .await
        .map(drop)
        .map_err(failed("append to the audit"))
    }

    /// A page of events, newest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list(&self, filter: &AuditFilter, limit: u64) -> Result<Page<AuditEvent, i64>> {
        let mut query = Entity::find();
        if let Some(project) = filter.project {
            query = query.filter(Column::ProjectId.eq(uuid(project)));
        }
        if let Some(actor) = &filter.actor {
            query = query.filter(Column::ActorId.eq(actor.as_str()));
        }
        if let Some(action) = &filter.action {
            query = match action.strip_suffix(".*") {
                // All that start with `<thing>.`: `/` comes after the dot.
                Some(thing) => query
                    .filter(Column::Action.gte(format!("{thing}.")))
                    .filter(Column::Action.lt(format!("{thing}/"))),
                None => query.filter(Column::Action.eq(action.as_str())),
            };
        }
        if let Some(target) = &filter.target {
            query = query.filter(Column::Target.eq(target.as_str()));
        }
        if let Some(from) = filter.from {
            query = query.filter(Column::At.gte(instant::to_micros(from)));
        }
        if let Some(until) = filter.until {
            query = query.filter(Column::At.lt(instant::to_micros(until)));
        }
        if let Some(before) = filter.before {
            query = query.filter(Column::Seq.lt(before));
        }
        let rows = query
            .order_by_desc(Column::Seq)
            .limit(fetch_limit(limit))
            .all(&self.db.read())
            .await
            .map_err(failed("read the audit"))?;
        let events = rows.into_iter().map(record).collect::<Result<_>>()?;
        Ok(Page::cut(events, limit, |event: &AuditEvent| event.seq))
    }
}

fn record(row: Model) -> Result<AuditEvent> {
    Ok(AuditEvent {
        seq: row.seq,
        at: instant::from_micros(row.at)?,
        project: row.project_id.map(ProjectId::from_uuid),
        actor_kind: row.actor_kind,
        actor_id: row.actor_id,
        action: row.action,
        target: row.target,
        request: row.request_id.map(RequestId::from_uuid),
        details: instant::from_json("audit event", &row.details)?,
    })
}
