//! What plugins publish to held streams: a short history that every node
//! follows, in commit order, as the [changes feed](super::changes) is.
//!
//! Writers take an advisory lock on Postgres, so that numbers become visible
//! in their order. Who publishes how much is for others to limit; the table is
//! bounded by [`prune`](ChannelMessages::prune), which keeps the newest row.

use super::{
    entity::channel_message::{ActiveModel, Column, Entity, Model},
    failure::{failed, orphaned},
    instant,
    page::fetch_limit,
    unit::Db,
};
use atlashub_core::{
    ProjectId, Result,
    capability::{PluginScope, channel::NewMessage},
};
use sea_orm::{
    ActiveModelTrait as _,
    ActiveValue::{NotSet, Set},
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use std::time::Duration;

/// The channel on which Postgres tells nodes to read the messages.
pub(super) const CHANNEL: &str = "atlashub_messages";

const LOCK: &str = "SELECT pg_advisory_xact_lock(4711046015)";
const NOTIFY: &str = "NOTIFY atlashub_messages";

/// A message that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelMessage {
    /// Its number; grows in commit order, over all channels, with gaps.
    pub seq: i64,
    /// The project.
    pub project: ProjectId,
    /// The plugin that published it.
    pub plugin: String,
    /// The channel.
    pub channel: String,
    /// The event's type.
    pub event: String,
    /// What it says.
    pub data: String,
}

/// The messages of one channel after some number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// The messages, in order.
    pub messages: Vec<ChannelMessage>,
    /// Whether there may have been more: they were pruned, or are too many.
    pub lost: bool,
}

/// Messages to held streams.
pub struct ChannelMessages<'a> {
    db: Db<'a>,
}

impl<'a> ChannelMessages<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Adds a message, and tells the nodes. Answers its number.
    ///
    /// # Errors
    /// `not_found` when the project is not there; when the database cannot.
    pub async fn publish(&self, scope: &PluginScope, message: NewMessage) -> Result<i64> {
        let context = failed("publish to a channel");
        let unit = self.db.begin().await?;
        unit.on_postgres(LOCK).await.map_err(&context)?;
        let row = ActiveModel {
            seq: NotSet,
            project_id: Set(Some(*scope.project.as_uuid())),
            plugin: Set(scope.plugin.to_string()),
            channel: Set(message.channel),
            event: Set(message.event),
            data: Set(message.data),
            at: Set(unit.now()),
        };
        let added = row
            .insert(&unit.executor())
            .await
            .map_err(orphaned("project", "publish to a channel"))?;
        unit.on_postgres(NOTIFY).await.map_err(&context)?;
        unit.commit().await?;
        Ok(added.seq)
    }

    /// The number of the newest message.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn latest_seq(&self) -> Result<i64> {
        let newest: Option<i64> = Entity::find()
            .select_only()
            .column_as(Column::Seq.max(), "seq")
            .into_tuple::<Option<i64>>()
            .one(&self.db.read())
            .await
            .map_err(failed("read messages of channels"))?
            .flatten();
        Ok(newest.unwrap_or(0))
    }

    /// Up to `limit` messages of all channels after the number `seq`, oldest
    /// first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn since(&self, seq: i64, limit: u64) -> Result<Vec<ChannelMessage>> {
        let rows = Entity::find()
            .filter(Column::Seq.gt(seq))
            .order_by_asc(Column::Seq)
            .limit(fetch_limit(limit) - 1)
            .all(&self.db.read())
            .await
            .map_err(failed("read messages of channels"))?;
        Ok(rows.into_iter().filter_map(record).collect())
    }

    /// What was published on a channel after the number `after`, up to the
    /// number `until`: the newest `limit` of it.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn missed(
        &self,
        scope: &PluginScope,
        channel: &str,
        after: i64,
        until: i64,
        limit: u64,
    ) -> Result<Missed> {
        let context = failed("read messages of a channel");
        let mut rows = Entity::find()
            .filter(Column::ProjectId.eq(*scope.project.as_uuid()))
            .filter(Column::Plugin.eq(scope.plugin.as_str()))
            .filter(Column::Channel.eq(channel))
            .filter(Column::Seq.gt(after))
            .filter(Column::Seq.lte(until))
            .order_by_desc(Column::Seq)
            .limit(fetch_limit(limit))
            .all(&self.db.read())
            .await
            .map_err(&context)?;
        // Read after the rows: what is pruned in between counts as lost.
        let oldest: Option<i64> = Entity::find()
            .select_only()
            .column_as(Column::Seq.min(), "seq")
            .into_tuple::<Option<i64>>()
            .one(&self.db.read())
            .await
            .map_err(&context)?
            .flatten();
        let kept = usize::try_from(limit).unwrap_or(usize::MAX);
        let surplus = rows.len() > kept;
        rows.truncate(kept);
        Ok(Missed {
            messages: rows.into_iter().rev().filter_map(record).collect(),
            lost: surplus || oldest.is_some_and(|oldest| oldest > after),
        })
    }

    /// Removes messages older than `age`, but never the newest. Answers how
    /// many went.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn prune(&self, age: Duration) -> Result<u64> {
        let before = instant::earlier(self.db.now(), age);
        let newest = self.latest_seq().await?;
        let result = Entity::delete_many()
            .filter(Column::At.lt(before))
            .filter(Column::Seq.lt(newest))
            .exec(&self.db.write())
            .await
            .map_err(failed("prune the messages of channels"))?;
        Ok(result.rows_affected)
    }
}

/// The first row is no message.
fn record(row: Model) -> Option<ChannelMessage> {
    Some(ChannelMessage {
        seq: row.seq,
        project: ProjectId::from_uuid(row.project_id?),
        plugin: row.plugin,
        channel: row.channel,
        event: row.event,
        data: row.data,
    })
}
