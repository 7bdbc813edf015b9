//! Which nodes are up. A node says so by [`beat`](Nodes::beat); one that has
//! not for [`LIVE_FOR`](Nodes::LIVE_FOR) counts as gone, and its row is
//! removed by the next beat of another.

use super::{
    entity::node::{ActiveModel, Column, Entity},
    failure::failed,
    instant,
    unit::Db,
};
use atlashub_core::Result;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    sea_query::OnConflict,
};
use std::time::Duration;
use uuid::Uuid;

/// The nodes that are up.
pub struct Nodes<'a> {
    db: Db<'a>,
}

impl<'a> Nodes<'a> {
    /// How long a node counts as up after it last said so.
    pub const LIVE_FOR: Duration = Duration::from_secs(15);

    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Says that the node is up; how many are, this one included.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn beat(&self, node: Uuid) -> Result<u64> {
        let now = self.db.now();
        let unit = self.db.begin().await?;
        Entity::insert(ActiveModel {
            id: Set(node),
            started_at: Set(now),
            seen_at: Set(now),
        })
        .on_conflict(
            OnConflict::column(Column::Id)
                .update_column(Column::SeenAt)
                .to_owned(),
        )
        .exec_without_returning(&unit.executor())
        .await
        .map_err(failed("note that a node is up"))?;
        Entity::delete_many()
            .filter(Column::SeenAt.lte(instant::earlier(now, Self::LIVE_FOR)))
            .exec(&unit.executor())
            .await
            .map_err(failed("forget nodes that are gone"))?;
        let live = Entity::find()
            .count(&unit.executor())
            .await
            .map_err(failed("count the nodes that are up"))?;
        unit.commit().await?;
        Ok(live)
    }

    /// Says that the node ends.
    ///
    /// # Errors
    /// When the database cannot; the node is forgotten by itself then.
    pub async fn leave(&self, node: Uuid) -> Result<()> {
        Entity::delete_by_id(node)
            .exec(&self.db.write())
            .await
            .map_err(failed("forget a node"))?;
        Ok(())
    }
}
