//! Plugins installed in projects.
//!
//! Each change names the generation it was made from, so that two admins who
//! change an installation at the same time cannot overwrite each other
//! unseen, and leaves an entry in the history. What a configuration, a route
//! or a limit means is for others.

use super::{
    HistoryEntry, InstallationChange,
    changes::{NewChange, uuid},
    entity::{
        installation::{ActiveModel, Column, Entity, Model},
        project,
    },
    failure::{failed, is_dangling, is_duplicate},
    history, instant,
    page::Page,
    unit::Db,
};
use atlashub_core::{
    Error, GrantSet, InstallationId, Limits, PluginName, ProjectId, Result, RevisionId,
    manifest::Route,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, sea_query::Query,
};
use time::OffsetDateTime;
use uuid::Uuid;

/// A plugin installed in a project.
#[derive(Clone, Debug, PartialEq)]
pub struct Installation {
    /// Its id.
    pub id: InstallationId,
    /// The project.
    pub project: ProjectId,
    /// The plugin, installed once in a project.
    pub plugin: PluginName,
    /// The state it is in.
    pub state: InstallationState,
    /// The revision it was on before the present one.
    pub previous_revision: Option<RevisionId>,
    /// Grows with each change; starts at 1.
    pub generation: i64,
    /// When it was installed.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
}

/// What an admin decides about an installation.
#[derive(Clone, Debug, PartialEq)]
pub struct InstallationState {
    /// The revision that serves.
    pub revision: RevisionId,
    /// Whether it serves.
    pub enabled: bool,
    /// The configuration as text; the caller seals what is secret in it.
    pub config: String,
    /// What it may touch.
    pub grants: GrantSet,
    /// Where it is mounted, in place of the manifest's routes.
    pub routes: Option<Vec<Route>>,
    /// What it may use, in place of the manifest's limits.
    pub limits: Option<Limits>,
}

/// The installations.
pub struct Installations<'a> {
    db: Db<'a>,
}

impl<'a> Installations<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Installs a plugin (`expected` is `None`) or changes the installation
    /// that has the generation `expected`. `actor` says who does it.
    ///
    /// # Errors
    /// `installation_changed` when somebody else changed, installed or
    /// removed it meanwhile: read it again; `not_found` when there is no such
    /// project or revision.
    pub async fn put(
        &self,
        project: ProjectId,
        plugin: &PluginName,
        state: InstallationState,
        expected: Option<i64>,
        actor: &str,
    ) -> Result<Installation> {
        let unit = self.db.begin().await?;
        let now = unit.now();
        let old = unit.installations().find(project, plugin).await?;
        if old.as_ref().map(|old| old.generation) != expected {
            return Err(changed(plugin));
        }
        let change = InstallationChange::between(old.as_ref().map(|old| &old.state), &state);
        let at = instant::from_micros(now)?;
        let new = match &old {
            Some(old) => Installation {
                previous_revision: if old.state.revision == state.revision {
                    old.previous_revision
                } else {
                    Some(old.state.revision)
                },
                generation: old.generation + 1,
                updated_at: at,
                state,
                ..old.clone()
            },
            None => Installation {
                id: InstallationId::new(),
                project,
                plugin: plugin.clone(),
                state,
                previous_revision: None,
                generation: history::next_generation(&unit, project, plugin).await?,
                created_at: at,
                updated_at: at,
            },
        };
        let row = row(&new)?;
        let result = match old {
            Some(_) => Entity::update_many()
                .set(row)
                .filter(Column::Id.eq(*new.id.as_uuid()))
                .filter(Column::Generation.eq(expected))
                .exec(&unit.executor())
                .await
                .map(|result| result.rows_affected),
            None => {
                Entity::insert(row)
                    .exec_without_returning(&unit.executor())
                    .await
            }
        };
        match result {
            Ok(0) => return Err(changed(plugin)),
            Ok(_) => {}
            Err(error) if is_duplicate(&error) => return Err(changed(plugin).with_source(error)),
            Err(error) if is_dangling(&error) => {
                return Err(Error::not_found("project or revision").with_source(error));
            }
            Err(error) => return Err(failed("change an installation")(error)),
        }
        history::append(&unit, &new, change, actor).await?;
        unit.announce(NewChange::installation(project, plugin));
        unit.commit().await?;
        Ok(new)
    }

    /// Removes the installation that has the generation `expected`, or any
    /// when `None`. Whether it was there. Its history stays.
    ///
    /// # Errors
    /// `installation_changed` when it has another generation.
    pub async fn delete(
        &self,
        project: ProjectId,
        plugin: &PluginName,
        expected: Option<i64>,
        actor: &str,
    ) -> Result<bool> {
        let unit = self.db.begin().await?;
        let Some(old) = unit.installations().find(project, plugin).await? else {
            return Ok(false);
        };
        if expected.is_some_and(|expected| expected != old.generation) {
            return Err(changed(plugin));
        }
        let result = Entity::delete_many()
            .filter(Column::Id.eq(*old.id.as_uuid()))
            .filter(Column::Generation.eq(old.generation))
            .exec(&unit.executor())
            .await
            .map_err(failed("remove an installation"))?;
        if result.rows_affected == 0 {
            return Err(changed(plugin));
        }
        let last = Installation {
            generation: old.generation + 1,
            updated_at: instant::from_micros(unit.now())?,
            ..old
        };
        history::append(&unit, &last, InstallationChange::Removed, actor).await?;
        unit.announce(NewChange::installation(project, plugin));
        unit.commit().await?;
        Ok(true)
    }

    /// The installation of a plugin.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find(
        &self,
        project: ProjectId,
        plugin: &PluginName,
    ) -> Result<Option<Installation>> {
        Entity::find()
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::Plugin.eq(plugin.as_str()))
            .one(&self.db.read())
            .await
            .map_err(failed("find an installation"))?
            .map(record)
            .transpose()
    }

    /// All installations of a project, by the plugin's name.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list(&self, project: ProjectId) -> Result<Vec<Installation>> {
        let rows = Entity::find()
            .filter(Column::ProjectId.eq(uuid(project)))
            .order_by_asc(Column::Plugin)
            .all(&self.db.read())
            .await
            .map_err(failed("list installations"))?;
        rows.into_iter().map(record).collect()
    }

    /// All that are enabled in projects that are not deleted, project by
    /// project: for the start.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn load_enabled(&self) -> Result<Vec<Installation>> {
        let live = Query::select()
            .column(project::Column::Id)
            .from(project::Entity)
            .and_where(project::Column::DeletedAt.is_null())
            .to_owned();
        let rows = Entity::find()
            .filter(Column::Enabled.eq(true))
            .filter(Column::ProjectId.in_subquery(live))
            .order_by_asc(Column::ProjectId)
            .order_by_asc(Column::Plugin)
            .all(&self.db.read())
            .await
            .map_err(failed("load the installations"))?;
        rows.into_iter().map(record).collect()
    }

    /// The projects that have this revision installed.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn projects_on(&self, revision: RevisionId) -> Result<Vec<ProjectId>> {
        let projects: Vec<Uuid> = Entity::find()
            .select_only()
            .column(Column::ProjectId)
            .filter(Column::RevisionId.eq(*revision.as_uuid()))
            .order_by_asc(Column::ProjectId)
            .into_tuple()
            .all(&self.db.read())
            .await
            .map_err(failed("list the projects on a revision"))?;
        Ok(projects.into_iter().map(ProjectId::from_uuid).collect())
    }

    /// A page of what was done with a plugin in a project, newest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn history(
        &self,
        project: ProjectId,
        plugin: &PluginName,
        before: Option<Uuid>,
        limit: u64,
    ) -> Result<Page<HistoryEntry, Uuid>> {
        history::list(self.db, project, plugin, before, limit).await
    }
}

fn changed(plugin: &PluginName) -> Error {
    Error::conflict(
        "installation_changed",
        format!("the plugin `{plugin}` was changed meanwhile, read it again and retry"),
    )
}

fn row(installation: &Installation) -> Result<ActiveModel> {
    let state = &installation.state;
    Ok(ActiveModel {
        id: Set(*installation.id.as_uuid()),
        project_id: Set(uuid(installation.project)),
        plugin: Set(installation.plugin.to_string()),
        revision_id: Set(*state.revision.as_uuid()),
        previous_revision_id: Set(installation.previous_revision.map(|id| *id.as_uuid())),
        enabled: Set(state.enabled),
        config: Set(state.config.clone()),
        grants: Set(instant::to_json(&state.grants)?),
        routes: Set(state.routes.as_ref().map(instant::to_json).transpose()?),
        limits: Set(state.limits.as_ref().map(instant::to_json).transpose()?),
        generation: Set(installation.generation),
        created_at: Set(instant::to_micros(installation.created_at)),
        updated_at: Set(instant::to_micros(installation.updated_at)),
    })
}

fn record(row: Model) -> Result<Installation> {
    Ok(Installation {
        id: InstallationId::from_uuid(row.id),
        project: ProjectId::from_uuid(row.project_id),
        plugin: row.plugin.parse()?,
        state: InstallationState {
            revision: RevisionId::from_uuid(row.revision_id),
            enabled: row.enabled,
            config: row.config,
            grants: instant::from_json("installation's grants", &row.grants)?,
            routes: parse_opt("installation's routes", row.routes.as_deref())?,
            limits: parse_opt("installation's limits", row.limits.as_deref())?,
        },
        previous_revision: row.previous_revision_id.map(RevisionId::from_uuid),
        generation: row.generation,
        created_at: instant::from_micros(row.created_at)?,
        updated_at: instant::from_micros(row.updated_at)?,
    })
}

/// Stored JSON that may be absent.
pub(super) fn parse_opt<T: serde::de::DeserializeOwned>(
    what: &'static str,
    text: Option<&str>,
) -> Result<Option<T>> {
    text.map(|text| instant::from_json(what, text)).transpose()
}
