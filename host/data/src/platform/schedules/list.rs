//! Lists schedules.

use super::{
    super::{
        entity::schedule::{Column, Entity},
        failure::failed,
        page::{Page, fetch_limit},
        unit::statement,
    },
    Schedules, record,
};
use atlashub_core::{
    PluginName, ProjectId, Result, ScheduleId,
    capability::{
        PluginScope,
        jobs::{Schedule, SchedulePage},
    },
};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    QueryTrait as _, Value,
};

/// Which schedules to list; `None` leaves it open.
#[derive(Clone, Debug, Default)]
pub struct ScheduleFilter {
    /// Of this plugin.
    pub plugin: Option<PluginName>,
}

impl Schedules<'_> {
    /// Schedules of a plugin whose names begin with `prefix`, in the order of
    /// their names, after the name `after`.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list_of_plugin(
        &self,
        scope: &PluginScope,
        prefix: &str,
        limit: u64,
        after: Option<String>,
    ) -> Result<SchedulePage> {
        let rows = Entity::find()
            .from_raw_sql(statement(
                self.db.engine(),
                "SELECT * FROM schedules WHERE project_id = $1 AND plugin = $2 \
                 AND substr(name, 1, length($3)) = $3 AND ($4 = '' OR name > $4) \
                 ORDER BY name LIMIT $5",
                [
                    Value::from(*scope.project.as_uuid()),
                    scope.plugin.as_str().into(),
                    prefix.into(),
                    after.unwrap_or_default().into(),
                    i64::try_from(fetch_limit(limit)).unwrap_or(i64::MAX).into(),
                ],
            ))
            .all(&self.db.read())
            .await
            .map_err(failed("list schedules"))?;
        let schedules = rows.into_iter().map(record).collect::<Result<Vec<_>>>()?;
        let page = Page::cut(schedules, limit, |schedule| schedule.name.clone());
        Ok(SchedulePage {
            schedules: page.items,
            next: page.next,
        })
    }

    /// A page of a project's schedules, in the order in which they were made.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list(
        &self,
        project: ProjectId,
        filter: &ScheduleFilter,
        after: Option<ScheduleId>,
        limit: u64,
    ) -> Result<Page<Schedule, ScheduleId>> {
        let rows = Entity::find()
            .filter(Column::ProjectId.eq(*project.as_uuid()))
            .apply_if(filter.plugin.as_ref(), |query, plugin| {
                query.filter(Column::Plugin.eq(plugin.as_str()))
            })
            .apply_if(after, |query, after| {
                query.filter(Column::Id.gt(*after.as_uuid()))
            })
            .order_by_asc(Column::Id)
            .limit(fetch_limit(limit))
            .all(&self.db.read())
            .await
            .map_err(failed("list schedules"))?;
        let schedules = rows.into_iter().map(record).collect::<Result<Vec<_>>>()?;
        Ok(Page::cut(schedules, limit, |schedule| schedule.id))
    }
}
