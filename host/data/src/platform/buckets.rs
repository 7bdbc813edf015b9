//! Buckets of a project. `private` and `uploads` come with it.
//!
//! Only names and settings are kept here; objects are in the store.

use super::{
    changes::{ChangeKind, NewChange, uuid},
    entity::bucket::{ActiveModel, Column, Entity, Model},
    failure::{failed, is_duplicate, orphaned},
    instant,
    unit::Db,
};
use atlashub_core::{BucketName, Error, ProjectId, Result};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    sea_query::Expr,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// The buckets that every project starts with.
pub const DEFAULT_BUCKETS: &[&str] = &["private", "uploads"];

/// A bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    /// Its project.
    pub project: ProjectId,
    /// Its name, unique within the project.
    pub name: BucketName,
    /// What an admin set.
    pub settings: BucketSettings,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// A bucket's settings, stored as JSON. Members that this version does not
/// know are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BucketSettings {
    /// Most bytes of one object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_object_bytes: Option<u64>,
    /// Members of other versions and parts.
    #[serde(flatten)]
    pub other: serde_json::Map<String, serde_json::Value>,
}

/// The buckets.
pub struct Buckets<'a> {
    db: Db<'a>,
}

impl<'a> Buckets<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Makes a bucket.
    ///
    /// # Errors
    /// `bucket_exists`, or `not_found` when there is no such project.
    pub async fn create(
        &self,
        project: ProjectId,
        name: BucketName,
        settings: BucketSettings,
    ) -> Result<Bucket> {
        let unit = self.db.begin().await?;
        let now = unit.now();
        Entity::insert(ActiveModel {
            project_id: Set(uuid(project)),
            name: Set(name.to_string()),
            settings: Set(instant::to_json(&settings)?),
            created_at: Set(now),
        })
        .exec_without_returning(&unit.executor())
        .await
        .map_err(|error| {
            if is_duplicate(&error) {
                Error::conflict(
                    "bucket_exists",
                    format!("the bucket `{name}` exists already"),
                )
                .with_source(error)
            } else {
                orphaned("project", "create a bucket")(error)
            }
        })?;
        unit.announce(NewChange::project(project, ChangeKind::ProjectChanged));
        unit.commit().await?;
        Ok(Bucket {
            project,
            name,
            settings,
            created_at: instant::from_micros(now)?,
        })
    }

    /// The bucket of this name.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find(&self, project: ProjectId, name: &BucketName) -> Result<Option<Bucket>> {
        Entity::find_by_id((uuid(project), name.to_string()))
            .one(&self.db.read())
            .await
            .map_err(failed("find a bucket"))?
            .map(record)
            .transpose()
    }

    /// Buckets of a project by name.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list(&self, project: ProjectId) -> Result<Vec<Bucket>> {
        let rows = Entity::find()
            .filter(Column::ProjectId.eq(uuid(project)))
            .order_by_asc(Column::Name)
            .all(&self.db.read())
            .await
            .map_err(failed("list buckets"))?;
        rows.into_iter().map(record).collect()
    }

    /// Replaces a bucket's settings; whether it is there.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn set_settings(
        &self,
        project: ProjectId,
        name: &BucketName,
        settings: &BucketSettings,
    ) -> Result<bool> {
        let unit = self.db.begin().await?;
        let result = Entity::update_many()
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::Name.eq(name.as_str()))
            .col_expr(Column::Settings, Expr::value(instant::to_json(settings)?))
            .exec(&unit.executor())
            .await
            .map_err(failed("change a bucket"))?;
        if result.rows_affected == 0 {
            return Ok(false);
        }
        unit.announce(NewChange::project(project, ChangeKind::ProjectChanged));
        unit.commit().await?;
        Ok(true)
    }

    /// Forgets a bucket, whose objects the caller has deleted; whether it was
    /// there.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn delete(&self, project: ProjectId, name: &BucketName) -> Result<bool> {
        let unit = self.db.begin().await?;
        let result = Entity::delete_by_id((uuid(project), name.to_string()))
            .exec(&unit.executor())
            .await
            .map_err(failed("delete a bucket"))?;
        if result.rows_affected == 0 {
            return Ok(false);
        }
        unit.announce(NewChange::project(project, ChangeKind::ProjectChanged));
        unit.commit().await?;
        Ok(true)
    }
}

fn record(row: Model) -> Result<Bucket> {
    Ok(Bucket {
        project: ProjectId::from_uuid(row.project_id),
        name: row.name.parse()?,
        settings: instant::from_json("bucket's settings", &row.settings)?,
        created_at: instant::from_micros(row.created_at)?,
    })
}
