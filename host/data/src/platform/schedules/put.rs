//! Makes and changes schedules.

use super::{
    super::{
        entity::schedule::{ActiveModel, Column, Entity, Model},
        failure::{failed, orphaned},
        instant,
        unit::Unit,
    },
    Schedules, record,
};
use atlashub_core::{
    Error, Result, ScheduleId,
    capability::{
        PluginScope,
        jobs::{MAX_SCHEDULES, Schedule, ScheduleTerms},
    },
    schedule::Timetable,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, IntoActiveModel as _,
    PaginatorTrait as _, QueryFilter as _,
};

/// A schedule to be made or changed.
#[derive(Clone, Copy, Debug)]
pub struct NewSchedule<'a> {
    /// Its name within the plugin.
    pub name: &'a str,
    /// When it is due, and what it adds then.
    pub terms: &'a ScheduleTerms,
    /// When that is.
    pub times: &'a Timetable,
}

/// A schedule of a manifest.
#[derive(Clone, Debug)]
pub struct FixedSchedule {
    /// Its name within the plugin.
    pub name: String,
    /// When it is due, and what it adds then.
    pub terms: ScheduleTerms,
    /// When that is.
    pub times: Timetable,
}

impl Schedules<'_> {
    /// Makes a schedule, or changes the one of that name. Its next time stays
    /// when its times stay.
    ///
    /// # Errors
    /// `too_many_schedules`; `invalid_schedule` for one of the manifest.
    pub async fn put(&self, scope: &PluginScope, new: NewSchedule<'_>) -> Result<Schedule> {
        let unit = self.db.begin().await?;
        let put = unit.schedules().put_in(&unit, scope, new, false).await?;
        unit.commit().await?;
        Ok(put)
    }

    /// Removes one; false when there was none.
    ///
    /// # Errors
    /// `invalid_schedule` for one of the manifest.
    pub async fn remove(&self, scope: &PluginScope, name: &str) -> Result<bool> {
        let unit = self.db.begin().await?;
        let Some(row) = unit.schedules().lock(scope, name).await? else {
            return Ok(false);
        };
        if row.fixed {
            return Err(stands_in_the_manifest(name));
        }
        Entity::delete_by_id(row.id)
            .exec(&unit.executor())
            .await
            .map_err(failed("remove a schedule"))?;
        unit.commit().await?;
        Ok(true)
    }

    pub(super) async fn put_in(
        &self,
        unit: &Unit,
        scope: &PluginScope,
        new: NewSchedule<'_>,
        fixed: bool,
    ) -> Result<Schedule> {
        let row = match self.lock(scope, new.name).await? {
            Some(old) if old.fixed && !fixed => return Err(stands_in_the_manifest(new.name)),
            Some(old) => self.change(unit, old, new, fixed).await?,
            None => self.add(unit, scope, new, fixed).await?,
        };
        record(row)
    }

    async fn add(
        &self,
        unit: &Unit,
        scope: &PluginScope,
        new: NewSchedule<'_>,
        fixed: bool,
    ) -> Result<Model> {
        let there = Entity::find()
            .filter(Column::ProjectId.eq(*scope.project.as_uuid()))
            .filter(Column::Plugin.eq(scope.plugin.as_str()))
            .count(&unit.executor())
            .await
            .map_err(failed("count schedules"))?;
        if there >= MAX_SCHEDULES && !fixed {
            return Err(Error::conflict(
                "too_many_schedules",
                format!("a plugin has at most {MAX_SCHEDULES} schedules in a project"),
            ));
        }
        let now = unit.now();
        let terms = new.terms;
        let next = new.times.next_after(instant::from_micros(now)?);
        let row = Model {
            id: *ScheduleId::new().as_uuid(),
            project_id: *scope.project.as_uuid(),
            plugin: scope.plugin.to_string(),
            name: new.name.to_owned(),
            fixed,
            target: terms.target.to_string(),
            expression: terms.expression.clone(),
            zone: terms.zone.clone(),
            catch_up: terms.catch_up.as_str().to_owned(),
            overlap: terms.overlap,
            payload: terms.payload.clone(),
            enabled: terms.enabled,
            paused: false,
            suspended: false,
            rearm: false,
            next_at: next.filter(|_| terms.enabled).map(instant::to_micros),
            last_due_at: None,
            last_item: None,
            missed: 0,
            last_missed_at: None,
            created_at: now,
            updated_at: now,
        };
        Entity::insert(row.clone().into_active_model())
            .exec_without_returning(&unit.executor())
            .await
            .map_err(orphaned("project", "add a schedule"))?;
        Ok(row)
    }

    async fn change(
        &self,
        unit: &Unit,
        old: Model,
        new: NewSchedule<'_>,
        fixed: bool,
    ) -> Result<Model> {
        let now = unit.now();
        let terms = new.terms;
        let is_on = terms.enabled && !old.paused && !old.suspended;
        let same_times = old.expression == terms.expression && old.zone == terms.zone;
        let (next_at, rearm) = if !is_on {
            (None, false)
        } else if same_times && old.next_at.is_some() {
            (old.next_at, old.rearm)
        } else {
            let from = old.last_due_at.map_or(now, |last| last.max(now));
            let next = new.times.next_after(instant::from_micros(from)?);
            (next.map(instant::to_micros), false)
        };
        let row = Model {
            fixed,
            target: terms.target.to_string(),
            expression: terms.expression.clone(),
            zone: terms.zone.clone(),
            catch_up: terms.catch_up.as_str().to_owned(),
            overlap: terms.overlap,
            payload: terms.payload.clone(),
            enabled: terms.enabled,
            rearm,
            next_at,
            updated_at: now,
            ..old
        };
        let changed = ActiveModel {
            fixed: Set(row.fixed),
            target: Set(row.target.clone()),
            expression: Set(row.expression.clone()),
            zone: Set(row.zone.clone()),
            catch_up: Set(row.catch_up.clone()),
            overlap: Set(row.overlap),
            payload: Set(row.payload.clone()),
            enabled: Set(row.enabled),
            rearm: Set(row.rearm),
            next_at: Set(row.next_at),
            updated_at: Set(row.updated_at),
            ..ActiveModel::default()
        };
        Entity::update_many()
            .set(changed)
            .filter(Column::Id.eq(row.id))
            .exec(&unit.executor())
            .await
            .map_err(failed("change a schedule"))?;
        Ok(row)
    }
}

fn stands_in_the_manifest(name: &str) -> Error {
    Error::invalid(
        "invalid_schedule",
        format!("the schedule `{name}` stands in the manifest and cannot be changed"),
    )
}
