//! What was done with installations: who, when, and the whole state after it,
//! so that any earlier state can be taken up again.

use super::{
    Unit,
    changes::uuid,
    entity::installation_history::{ActiveModel, Column, Entity, Model},
    failure::{corrupt, failed},
    installations::{Installation, InstallationState, parse_opt},
    instant,
    page::{Page, fetch_limit},
    unit::Db,
};
use atlashub_core::{InstallationId, PluginName, ProjectId, Result, RevisionId};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use time::OffsetDateTime;
use uuid::Uuid;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InstallationChange {
    /// It was installed.
    Installed,
    /// It was put on another revision.
    Revised,
    /// It was switched on.
    Enabled,
    /// It was switched off.
    Disabled,
    /// Its configuration, grants, routes or limits were set.
    Configured,
    /// It was removed.
    Removed,
}

impl InstallationChange {
    /// The change's name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Installed => "installed",
            Self::Revised => "revised",
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Configured => "configured",
            Self::Removed => "removed",
        }
    }

    /// The weightiest difference between two states.
    pub(super) fn between(old: Option<&InstallationState>, new: &InstallationState) -> Self {
        match old {
            None => Self::Installed,
            Some(old) if old.revision != new.revision => Self::Revised,
            Some(old) if !old.enabled && new.enabled => Self::Enabled,
            Some(old) if old.enabled && !new.enabled => Self::Disabled,
            Some(_) => Self::Configured,
        }
    }

    fn from_stored(text: &str) -> Result<Self> {
        [
            Self::Installed,
            Self::Revised,
            Self::Enabled,
            Self::Disabled,
            Self::Configured,
            Self::Removed,
        ]
        .into_iter()
        .find(|change| change.as_str() == text)
        .ok_or_else(|| corrupt("installation change")(format!("unknown change `{text}`").into()))
    }
}

/// One entry of the history.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryEntry {
    /// Its id; sorts by time.
    pub id: Uuid,
    /// The installation it is about.
    pub installation: InstallationId,
    /// What was done.
    pub change: InstallationChange,
    /// The generation that came of it.
    pub generation: i64,
    /// The state that came of it; the last one, when it was removed.
    pub state: InstallationState,
    /// Who did it, as the caller named them.
    pub actor: String,
    /// When.
    pub at: OffsetDateTime,
}

pub(super) async fn append(
    unit: &Unit,
    installation: &Installation,
    change: InstallationChange,
    actor: &str,
) -> Result<()> {
    let state = &installation.state;
    Entity::insert(ActiveModel {
        id: Set(Uuid::now_v7()),
        project_id: Set(uuid(installation.project)),
        plugin: Set(installation.plugin.to_string()),
        installation_id: Set(*installation.id.as_uuid()),
        change: Set(change.as_str().to_owned()),
        generation: Set(installation.generation),
        revision_id: Set(*state.revision.as_uuid()),
        enabled: Set(state.enabled),
        config: Set(state.config.clone()),
        grants: Set(instant::to_json(&state.grants)?),
        routes: Set(state.routes.as_ref().map(instant::to_json).transpose()?),
        limits: Set(state.limits.as_ref().map(instant::to_json).transpose()?),
        actor: Set(actor.to_owned()),
        at: Set(instant::to_micros(installation.updated_at)),
    })
    .exec_without_returning(&unit.executor())
    .await
    .map(drop)
    .map_err(failed("write the history of an installation"))
}

/// The generation that a new installation starts with: above those of an
/// installation of the same plugin that was removed, so that a node that
/// missed the removal still sees it grow.
pub(super) async fn next_generation(
    unit: &Unit,
    project: ProjectId,
    plugin: &PluginName,
) -> Result<i64> {
    let last: Option<i64> = Entity::find()
        .select_only()
        .column_as(Column::Generation.max(), "generation")
        .filter(Column::ProjectId.eq(uuid(project)))
        .filter(Column::Plugin.eq(plugin.as_str()))
        .into_tuple::<Option<i64>>()
        .one(&unit.executor())
        .await
        .map_err(failed("read the history of an installation"))?
        .flatten();
    Ok(last.unwrap_or(0) + 1)
}

pub(super) async fn list(
    db: Db<'_>,
    project: ProjectId,
    plugin: &PluginName,
    before: Option<Uuid>,
    limit: u64,
) -> Result<Page<HistoryEntry, Uuid>> {
    let mut query = Entity::find()
        .filter(Column::ProjectId.eq(uuid(project)))
        .filter(Column::Plugin.eq(plugin.as_str()));
    if let Some(before) = before {
        query = query.filter(Column::Id.lt(before));
    }
    let rows = query
        .order_by_desc(Column::Id)
        .limit(fetch_limit(limit))
        .all(&db.read())
        .await
        .map_err(failed("list the history of an installation"))?;
    let entries = rows.into_iter().map(record).collect::<Result<_>>()?;
    Ok(Page::cut(entries, limit, |entry: &HistoryEntry| entry.id))
}

fn record(row: Model) -> Result<HistoryEntry> {
    Ok(HistoryEntry {
        id: row.id,
        installation: InstallationId::from_uuid(row.installation_id),
        change: InstallationChange::from_stored(&row.change)?,
        generation: row.generation,
        state: InstallationState {
            revision: RevisionId::from_uuid(row.revision_id),
            enabled: row.enabled,
            config: row.config,
            grants: instant::from_json("installation's grants", &row.grants)?,
            routes: parse_opt("installation's routes", row.routes.as_deref())?,
            limits: parse_opt("installation's limits", row.limits.as_deref())?,
        },
        actor: row.actor,
        at: instant::from_micros(row.at)?,
    })
}
