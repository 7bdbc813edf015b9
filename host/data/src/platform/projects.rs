//! Projects: made with their buckets and their storage account, found by id
//! or slug, deleted in two steps.
//!
//! [`delete`](Projects::delete) hides a project at once and frees its slug and
//! host names; [`purge`](Projects::purge) removes its rows when its databases
//! and objects are gone.

use super::{
    BucketSettings, DEFAULT_BUCKETS,
    changes::{ChangeKind, NewChange, uuid},
    domains::remove_all,
    entity::{
        bucket, plugin_log,
        project::{ActiveModel, Column, Entity, Model},
        storage_usage,
    },
    failure::{failed, is_duplicate},
    instant,
    logs::contains,
    page::{Page, fetch_limit},
    unit::Db,
};
use atlashub_core::{Error, ProjectId, Result, Slug};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, DbErr, EntityTrait as _, ExprTrait as _, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, Func, LikeExpr},
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
                let pattern = LikeExpr::new(contains(form)).escape('\\');
                any = any.add(Expr::expr(Func::lower(Expr::col(column))).like(pattern));
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
