//! Switches schedules on and off: with their plugin, and by admins.

use super::{
    super::{
        entity::schedule::{Column, Entity, Model},
        failure::failed,
        unit::{returning, statement},
    },
    FixedSchedule, NewSchedule, Schedules, record,
};
use atlashub_core::{
    ProjectId, Result, ScheduleId,
    capability::{PluginScope, jobs::Schedule},
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, EntityTrait as _, FromQueryResult as _,
    QueryFilter as _, Value,
};

impl Schedules<'_> {
    /// The plugin is on, with these schedules in its manifest: they are there,
    /// others of a manifest are not, and those of its own go on.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn plugin_is_on(&self, scope: &PluginScope, fixed: &[FixedSchedule]) -> Result<()> {
        let unit = self.db.begin().await?;
        for schedule in fixed {
            let new = NewSchedule {
                name: &schedule.name,
                terms: &schedule.terms,
                times: &schedule.times,
            };
            unit.schedules().put_in(&unit, scope, new, true).await?;
        }
        Entity::delete_many()
            .filter(Column::ProjectId.eq(*scope.project.as_uuid()))
            .filter(Column::Plugin.eq(scope.plugin.as_str()))
            .filter(Column::Fixed.eq(true))
            .filter(Column::Name.is_not_in(fixed.iter().map(|schedule| schedule.name.as_str())))
            .exec(&unit.executor())
            .await
            .map_err(failed("remove schedules of a manifest"))?;
        let values = [
            Value::from(*scope.project.as_uuid()),
            scope.plugin.as_str().into(),
            unit.now().into(),
        ];
        unit.executor()
            .execute_raw(statement(
                unit.engine(),
                "UPDATE schedules SET suspended = FALSE, rearm = (enabled AND NOT paused), \
                 next_at = CASE WHEN enabled AND NOT paused THEN $3 ELSE NULL END \
                 WHERE project_id = $1 AND plugin = $2 AND suspended",
                values,
            ))
            .await
            .map_err(failed("go on with schedules"))?;
        unit.commit().await
    }

    /// The plugin is off: what stands in its manifest goes, and the others
    /// rest.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn plugin_is_off(&self, scope: &PluginScope) -> Result<()> {
        let unit = self.db.begin().await?;
        Entity::delete_many()
            .filter(Column::ProjectId.eq(*scope.project.as_uuid()))
            .filter(Column::Plugin.eq(scope.plugin.as_str()))
            .filter(Column::Fixed.eq(true))
            .exec(&unit.executor())
            .await
            .map_err(failed("remove schedules of a manifest"))?;
        unit.executor()
            .execute_raw(statement(
                unit.engine(),
                "UPDATE schedules SET suspended = TRUE, rearm = FALSE, next_at = NULL \
                 WHERE project_id = $1 AND plugin = $2 AND NOT suspended",
                [
                    Value::from(*scope.project.as_uuid()),
                    scope.plugin.as_str().into(),
                ],
            ))
            .await
            .map_err(failed("have schedules rest"))?;
        unit.commit().await
    }

    /// Forgets all schedules of a plugin.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn remove_all(&self, scope: &PluginScope) -> Result<()> {
        Entity::delete_many()
            .filter(Column::ProjectId.eq(*scope.project.as_uuid()))
            .filter(Column::Plugin.eq(scope.plugin.as_str()))
            .exec(&self.db.write())
            .await
            .map_err(failed("remove schedules"))
            .map(drop)
    }

    /// Puts a schedule on hold, or lets it go on: from now, whatever went by.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn pause(
        &self,
        project: ProjectId,
        id: ScheduleId,
        paused: bool,
    ) -> Result<Option<Schedule>> {
        let sql = if paused {
            "UPDATE schedules SET paused = TRUE, rearm = FALSE, next_at = NULL, updated_at = $3 \
             WHERE id = $1 AND project_id = $2 RETURNING *"
        } else {
            "UPDATE schedules SET paused = FALSE, updated_at = $3, \
             rearm = CASE WHEN paused THEN (enabled AND NOT suspended) ELSE rearm END, \
             next_at = CASE WHEN NOT paused THEN next_at \
             WHEN enabled AND NOT suspended THEN $3 ELSE NULL END \
             WHERE id = $1 AND project_id = $2 RETURNING *"
        };
        let values = [
            Value::from(*id.as_uuid()),
            (*project.as_uuid()).into(),
            self.db.now().into(),
        ];
        let row = returning(&self.db.write(), statement(self.db.engine(), sql, values))
            .await
            .map_err(failed("put a schedule on hold"))?;
        row.map(|row| {
            Model::from_query_result(&row, "")
                .map_err(failed("read a schedule"))
                .and_then(record)
        })
        .transpose()
    }
}
