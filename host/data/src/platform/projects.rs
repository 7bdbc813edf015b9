//! Projects: made with their buckets and their storage account, found by id
//! or slug, deleted in two steps.
//!
//! [`delete`](Projects::delete) hides a project at once and frees its slug and
//! host names; [`purge`](Projects::purge) removes its rows when its databases
//! and objects are gone.

use super::{
    BucketSettings, DEFAULT_BUCKETS, Engine,
    changes::{ChangeKind, NewChange, uuid},
    domains::remove_all,
    entity::{
        bucket, plugin_log,
        project::{ActiveModel, Column, Entity, Model},
        storage_usage,
    },
    failure::{failed, is_duplicate},
    instant, journal,
    page::{Page, fetch_limit},
    unit::{Db, statement},
};
use atlashub_core::{Error, ProjectId, Result, Slug};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, ConnectionTrait as _, DbErr, EntityTrait as _,
    PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, sea_query::Expr,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// A project.
#[derive(Clone, Debug, PartialEq)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Its name in addresses; unique among projects that are not deleted.
    pub slug: Slug,
    /// Its display name.
    pub name: String,
    /// What an admin set.
    pub settings: ProjectSettings,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
    /// When it was deleted, if it is only waiting to be purged.
    pub deleted_at: Option<OffsetDateTime>,
}

/// A project's settings, stored as JSON. Absent values mean the platform's
/// default. Members that this version does not know are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProjectSettings {
    /// Requests that the project may make in a second, sustained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<u32>,
    /// Requests that it may make at once above that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// Requests that read, of one caller, in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller_reads_per_second: Option<u32>,
    /// Requests that change something, of one caller, in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller_writes_per_second: Option<u32>,
    /// Bytes that one end user may store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_storage_bytes: Option<u64>,
    /// Members of other versions and parts.
    #[serde(flatten)]
    pub other: serde_json::Map<String, serde_json::Value>,
}

/// Where the data of a project lies that was restored.
const DATA_IN: &str = "data_in";
/// The project whose secrets those of a copy were sealed as.
const SEALED_AS: &str = "sealed_as";
/// The run that is restoring the project.
const RESTORING: &str = "restoring";
/// Of which project a hidden one holds the data.
const HOME_OF: &str = "home_of";
/// Whether what lies under the id of the project whose data a hidden one
/// holds is still to be removed.
const LEFTOVER: &str = "leftover";

impl ProjectSettings {
    /// Where the data lies: under the project's own id for `None`.
    #[must_use]
    pub fn location(&self) -> Option<ProjectId> {
        self.id(DATA_IN)
    }

    /// Says where the data lies.
    pub fn set_location(&mut self, location: Option<ProjectId>) {
        self.set(DATA_IN, location.map(|id| id.to_string()));
    }

    /// The project as which plugins' secrets are sealed: itself for `None`.
    #[must_use]
    pub fn sealed_as(&self) -> Option<ProjectId> {
        self.id(SEALED_AS)
    }

    /// Says as which project plugins' secrets are sealed.
    pub fn set_sealed_as(&mut self, project: Option<ProjectId>) {
        self.set(SEALED_AS, project.map(|id| id.to_string()));
    }

    /// The run that is restoring the project, while nobody may change it.
    #[must_use]
    pub fn restoring(&self) -> Option<uuid::Uuid> {
        self.other.get(RESTORING)?.as_str()?.parse().ok()
    }

    /// Says that a run is restoring the project, or that none is.
    pub fn set_restoring(&mut self, run: Option<uuid::Uuid>) {
        self.set(RESTORING, run.map(|id| id.to_string()));
    }

    /// Of a hidden project: whose data it holds.
    #[must_use]
    pub fn home_of(&self) -> Option<ProjectId> {
        self.id(HOME_OF)
    }

    /// Says whose data a hidden project holds.
    pub fn set_home_of(&mut self, project: Option<ProjectId>) {
        self.set(HOME_OF, project.map(|id| id.to_string()));
    }

    /// Of a hidden project: whether the data under the id of the project
    /// whose data it holds is still to be removed.
    #[must_use]
    pub fn has_leftover(&self) -> bool {
        self.other.contains_key(LEFTOVER)
    }

    /// Says whether that is so.
    pub fn set_leftover(&mut self, there: bool) {
        self.set(LEFTOVER, there.then(|| "data".to_owned()));
    }

    fn id(&self, name: &str) -> Option<ProjectId> {
        self.other.get(name)?.as_str()?.parse().ok()
    }

    fn set(&mut self, name: &str, value: Option<String>) {
        match value {
            Some(value) => self.other.insert(name.to_owned(), value.into()),
            None => self.other.remove(name),
        };
    }
}

/// A project to be made.
#[derive(Clone, Debug)]
pub struct NewProject {
    /// Its id, made by the caller so that databases can be provisioned first.
    pub id: ProjectId,
    /// Its name in addresses.
    pub slug: Slug,
    /// Its display name.
    pub name: String,
    /// What an admin set.
    pub settings: ProjectSettings,
    /// The most bytes it may store; `None` for no limit.
    /// [`DEFAULT_STORAGE_BYTES`](super::DEFAULT_STORAGE_BYTES) is usual.
    pub storage_limit_bytes: Option<u64>,
}

/// What to change of a project; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default)]
pub struct ProjectPatch {
    /// Another name in addresses.
    pub slug: Option<Slug>,
    /// Another display name.
    pub name: Option<String>,
    /// Other settings, in place of all that were there.
    pub settings: Option<ProjectSettings>,
}

/// The projects.
pub struct Projects<'a> {
    db: Db<'a>,
}

impl<'a> Projects<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Makes a project with its storage account and the buckets `private` and
    /// `uploads`.
    ///
    /// # Errors
    /// `slug_taken` when another project has the slug.
    pub async fn create(&self, new: NewProject) -> Result<Project> {
        let unit = self.db.begin().await?;
        let context = failed("create a project");
        let now = unit.now();
        Entity::insert(ActiveModel {
            id: Set(uuid(new.id)),
            slug: Set(new.slug.to_string()),
            name: Set(new.name.clone()),
            settings: Set(instant::to_json(&new.settings)?),
            created_at: Set(now),
            updated_at: Set(now),
            deleted_at: Set(None),
        })
        .exec_without_returning(&unit.executor())
        .await
        .map_err(|error| slug_taken(error, &new.slug, "create a project"))?;
        storage_usage::Entity::insert(storage_usage::ActiveModel {
            project_id: Set(uuid(new.id)),
            used_bytes: Set(0),
            limit_bytes: Set(new.storage_limit_bytes.map(instant::to_bytes).transpose()?),
            recount_since: Set(None),
        })
        .exec_without_returning(&unit.executor())
        .await
        .map_err(&context)?;
        let settings = instant::to_json(&BucketSettings::default())?;
        let buckets = DEFAULT_BUCKETS.iter().map(|name| bucket::ActiveModel {
            project_id: Set(uuid(new.id)),
            name: Set((*name).to_owned()),
            settings: Set(settings.clone()),
            created_at: Set(now),
        });
        bucket::Entity::insert_many(buckets)
            .exec_without_returning(&unit.executor())
            .await
            .map_err(&context)?;
        unit.announce(NewChange::project(new.id, ChangeKind::ProjectCreated));
        unit.commit().await?;
        let created_at = instant::from_micros(now)?;
        Ok(Project {
            id: new.id,
            slug: new.slug,
            name: new.name,
            settings: new.settings,
            created_at,
            updated_at: created_at,
            deleted_at: None,
        })
    }

    /// The project with this id, unless deleted.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find(&self, id: ProjectId) -> Result<Option<Project>> {
        self.one(Column::Id.eq(uuid(id))).await
    }

    /// Whether there is anything of this project, deleted or not: until it is
    /// purged.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn is_there(&self, id: ProjectId) -> Result<bool> {
        let count = Entity::find_by_id(uuid(id))
            .count(&self.db.read())
            .await
            .map_err(failed("look up a project"))?;
        Ok(count > 0)
    }

    /// Holds a project that is not deleted until the unit ends: whoever else
    /// locks, changes or deletes it waits meanwhile. What belongs to it can
    /// be added all the same. Of use within a unit alone; on SQLite a unit
    /// has the file to itself anyway.
    ///
    /// # Errors
    /// `not_found` when there is no such project.
    pub async fn lock(&self, id: ProjectId) -> Result<()> {
        let sql = match self.db.engine() {
            Engine::Sqlite => "SELECT 1 FROM projects WHERE id = $1 AND deleted_at IS NULL",
            Engine::Postgres => {
                "SELECT 1 FROM projects WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE"
            }
        };
        self.db
            .write()
            .query_one_raw(statement(self.db.engine(), sql, [uuid(id).into()]))
            .await
            .map_err(failed("lock a project"))?
            .map(drop)
            .ok_or_else(|| Error::not_found("project"))
    }

    /// The project with this slug, unless deleted.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find_by_slug(&self, slug: &Slug) -> Result<Option<Project>> {
        self.one(Column::Slug.eq(slug.as_str())).await
    }

    /// A page of projects, oldest first: all, or those whose name or slug
    /// contains a text, whatever the case of its letters.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list(
        &self,
        containing: Option<&str>,
        after: Option<ProjectId>,
        limit: u64,
    ) -> Result<Page<Project, ProjectId>> {
        let mut query = Entity::find().filter(Column::DeletedAt.is_null());
        if let Some(text) = containing.map(str::trim).filter(|text| !text.is_empty()) {
            // SQLite lowers the letters of ASCII only.
            let forms = [text.to_ascii_lowercase(), text.to_lowercase()];
            let mut any = Condition::any();
            for (column, form) in [Column::Name, Column::Slug]
                .into_iter()
                .flat_map(|column| forms.iter().map(move |form| (column, form)))
            {
                any = any.add(journal::contains(column, form));
            }
            query = query.filter(any);
        }
        if let Some(after) = after {
            query = query.filter(Column::Id.gt(uuid(after)));
        }
        let rows = query
            .order_by_asc(Column::Id)
            .limit(fetch_limit(limit))
            .all(&self.db.read())
            .await
            .map_err(failed("list projects"))?;
        let projects = rows.into_iter().map(record).collect::<Result<_>>()?;
        Ok(Page::cut(projects, limit, |project: &Project| project.id))
    }

    /// All projects that are not deleted, oldest first: for the start.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn load_all(&self) -> Result<Vec<Project>> {
        let rows = Entity::find()
            .filter(Column::DeletedAt.is_null())
            .order_by_asc(Column::Id)
            .all(&self.db.read())
            .await
            .map_err(failed("load all projects"))?;
        rows.into_iter().map(record).collect()
    }

    /// Projects that were deleted and wait to be purged, oldest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn deleted(&self) -> Result<Vec<Project>> {
        let rows = Entity::find()
            .filter(Column::DeletedAt.is_not_null())
            .order_by_asc(Column::Id)
            .all(&self.db.read())
            .await
            .map_err(failed("list deleted projects"))?;
        rows.into_iter().map(record).collect()
    }

    /// Changes a project and answers what it is now.
    ///
    /// # Errors
    /// `not_found`, or `slug_taken` when another project has the slug.
    pub async fn update(&self, id: ProjectId, patch: ProjectPatch) -> Result<Project> {
        let unit = self.db.begin().await?;
        let mut change = Entity::update_many()
            .filter(Column::Id.eq(uuid(id)))
            .filter(Column::DeletedAt.is_null())
            .col_expr(Column::UpdatedAt, Expr::value(unit.now()));
        if let Some(slug) = &patch.slug {
            change = change.col_expr(Column::Slug, Expr::value(slug.as_str()));
        }
        if let Some(name) = patch.name {
            change = change.col_expr(Column::Name, Expr::value(name));
        }
        if let Some(settings) = &patch.settings {
            change = change.col_expr(Column::Settings, Expr::value(instant::to_json(settings)?));
        }
        let result = change.exec(&unit.executor()).await;
        let result = match (&patch.slug, result) {
            (Some(slug), Err(error)) => return Err(slug_taken(error, slug, "change a project")),
            (_, result) => result.map_err(failed("change a project"))?,
        };
        if result.rows_affected == 0 {
            return Err(Error::not_found("project"));
        }
        let project = unit
            .projects()
            .find(id)
            .await?
            .ok_or_else(|| Error::not_found("project"))?;
        unit.announce(NewChange::project(id, ChangeKind::ProjectChanged));
        unit.commit().await?;
        Ok(project)
    }

    /// Hides a project and frees its slug and host names. Whether it was
    /// there.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn delete(&self, id: ProjectId) -> Result<bool> {
        let unit = self.db.begin().await?;
        let now = unit.now();
        let result = Entity::update_many()
            .filter(Column::Id.eq(uuid(id)))
            .filter(Column::DeletedAt.is_null())
            .col_expr(Column::DeletedAt, Expr::value(now))
            .col_expr(Column::UpdatedAt, Expr::value(now))
            .exec(&unit.executor())
            .await
            .map_err(failed("delete a project"))?;
        if result.rows_affected == 0 {
            return Ok(false);
        }
        remove_all(&unit, id).await?;
        unit.announce(NewChange::project(id, ChangeKind::ProjectDeleted));
        unit.commit().await?;
        Ok(true)
    }

    /// Shows a project again that [`delete`](Self::delete) hid and that was
    /// not purged, with `settings` in place of those it had.
    ///
    /// # Errors
    /// `not_found` when no such project is hidden, `slug_taken` when another
    /// project has the slug by now.
    pub async fn restore(&self, id: ProjectId, settings: &ProjectSettings) -> Result<Project> {
        let unit = self.db.begin().await?;
        let row = Entity::find()
            .filter(Column::Id.eq(uuid(id)))
            .filter(Column::DeletedAt.is_not_null())
            .one(&unit.executor())
            .await
            .map_err(failed("find a project"))?
            .ok_or_else(|| Error::not_found("project"))?;
        let slug = row.slug.parse()?;
        Entity::update_many()
            .filter(Column::Id.eq(uuid(id)))
            .filter(Column::DeletedAt.is_not_null())
            .col_expr(Column::DeletedAt, Expr::value(None::<i64>))
            .col_expr(Column::Settings, Expr::value(instant::to_json(settings)?))
            .col_expr(Column::UpdatedAt, Expr::value(unit.now()))
            .exec(&unit.executor())
            .await
            .map_err(|error| slug_taken(error, &slug, "show a project"))?;
        let project = unit
            .projects()
            .find(id)
            .await?
            .ok_or_else(|| Error::not_found("project"))?;
        unit.announce(NewChange::project(id, ChangeKind::ProjectCreated));
        unit.commit().await?;
        Ok(project)
    }

    /// Changes the settings of a hidden project.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn set_hidden_settings(
        &self,
        id: ProjectId,
        settings: &ProjectSettings,
    ) -> Result<bool> {
        let result = Entity::update_many()
            .filter(Column::Id.eq(uuid(id)))
            .filter(Column::DeletedAt.is_not_null())
            .col_expr(Column::Settings, Expr::value(instant::to_json(settings)?))
            .exec(&self.db.write())
            .await
            .map_err(failed("change a hidden project"))?;
        Ok(result.rows_affected > 0)
    }

    /// The settings of a hidden project, if there is one.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn hidden_settings(&self, id: ProjectId) -> Result<Option<ProjectSettings>> {
        let row = Entity::find()
            .filter(Column::Id.eq(uuid(id)))
            .filter(Column::DeletedAt.is_not_null())
            .one(&self.db.read())
            .await
            .map_err(failed("find a hidden project"))?;
        row.map(|row| instant::from_json("project's settings", &row.settings))
            .transpose()
    }

    /// Tells all nodes that everything of a project may be another.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn announce_restored(&self, id: ProjectId) -> Result<()> {
        let unit = self.db.begin().await?;
        let kind = ChangeKind::Other("project_restored".to_owned());
        unit.announce(NewChange::project(id, kind));
        unit.commit().await
    }

    /// Removes all rows of a project that was deleted, but for the audit.
    /// Whether there were any.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn purge(&self, id: ProjectId) -> Result<bool> {
        let unit = self.db.begin().await?;
        let context = failed("purge a project");
        let result = Entity::delete_many()
            .filter(Column::Id.eq(uuid(id)))
            .filter(Column::DeletedAt.is_not_null())
            .exec(&unit.executor())
            .await
            .map_err(&context)?;
        if result.rows_affected > 0 {
            plugin_log::Entity::delete_many()
                .filter(plugin_log::Column::ProjectId.eq(uuid(id)))
                .exec(&unit.executor())
                .await
                .map_err(&context)?;
            unit.series().delete_all(id).await?;
        }
        unit.commit().await?;
        Ok(result.rows_affected > 0)
    }

    async fn one(&self, filter: Expr) -> Result<Option<Project>> {
        Entity::find()
            .filter(filter)
            .filter(Column::DeletedAt.is_null())
            .one(&self.db.read())
            .await
            .map_err(failed("find a project"))?
            .map(record)
            .transpose()
    }
}

pub(super) fn record(row: Model) -> Result<Project> {
    Ok(Project {
        id: ProjectId::from_uuid(row.id),
        slug: row.slug.parse()?,
        name: row.name,
        settings: instant::from_json("project's settings", &row.settings)?,
        created_at: instant::from_micros(row.created_at)?,
        updated_at: instant::from_micros(row.updated_at)?,
        deleted_at: instant::from_micros_opt(row.deleted_at)?,
    })
}

fn slug_taken(error: DbErr, slug: &Slug, context: &'static str) -> Error {
    if is_duplicate(&error) {
        Error::conflict(
            "slug_taken",
            format!("another project has the slug `{slug}`, choose another"),
        )
        .with_source(error)
    } else {
        failed(context)(error)
    }
}
