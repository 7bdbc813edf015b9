//! Plugin revisions: what the catalogue knows of each upload. Never changed;
//! the bytes lie in object storage, addressed by their digest.

use super::{
    changes::NewChange,
    entity::{
        plugin_description as description,
        plugin_revision::{ActiveModel, Column, Entity, Model},
    },
    failure::{failed, is_dangling, is_duplicate},
    instant,
    keys::digest,
    page::{Page, fetch_limit},
    unit::Db,
};
use atlashub_core::{Digest, Error, Manifest, PluginName, Result, RevisionId, openapi::Document};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, sea_query::Expr,
};
use std::collections::{HashMap, HashSet};
use time::OffsetDateTime;

/// A revision of a plugin.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    /// Its id.
    pub id: RevisionId,
    /// The plugin.
    pub plugin: PluginName,
    /// SHA-256 of the component.
    pub digest: Digest,
    /// Size of the component, bytes.
    pub size_bytes: u64,
    /// What it says of itself, its version included.
    pub manifest: Manifest,
    /// Interfaces that it imports.
    pub imports: Vec<String>,
    /// Interfaces that it exports.
    pub exports: Vec<String>,
    /// Whether it came with the host.
    pub builtin: bool,
    /// When it was added.
    pub created_at: OffsetDateTime,
}

/// A revision to be added.
#[derive(Clone, Debug)]
pub struct NewRevision {
    /// SHA-256 of the component.
    pub digest: Digest,
    /// Size of the component, bytes.
    pub size_bytes: u64,
    /// What it says of itself; names the plugin.
    pub manifest: Manifest,
    /// What it says of its routes.
    pub openapi: Option<Document>,
    /// Interfaces that it imports.
    pub imports: Vec<String>,
    /// Interfaces that it exports.
    pub exports: Vec<String>,
    /// Whether it came with the host.
    pub builtin: bool,
}

/// The plugin revisions.
pub struct Revisions<'a> {
    db: Db<'a>,
}

impl<'a> Revisions<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Adds a revision, or answers the one that the plugin has of the same
    /// bytes. Says whether it is new.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn add(&self, new: NewRevision) -> Result<(Revision, bool)> {
        let plugin = new.manifest.name.clone();
        if let Some(own) = self.find_by_digest(&plugin, &new.digest).await? {
            return Ok((own, false));
        }
        let unit = self.db.begin().await?;
        let revision = Revision {
            id: RevisionId::new(),
            plugin: plugin.clone(),
            digest: new.digest,
            size_bytes: new.size_bytes,
            manifest: new.manifest,
            imports: new.imports,
            exports: new.exports,
            builtin: new.builtin,
            created_at: instant::from_micros(unit.now())?,
        };
        let insert = Entity::insert(ActiveModel {
            id: Set(*revision.id.as_uuid()),
            plugin: Set(plugin.to_string()),
            version: Set(revision.manifest.version.to_string()),
            digest: Set(revision.digest.as_bytes().to_vec()),
            size_bytes: Set(instant::to_bytes(revision.size_bytes)?),
            manifest: Set(instant::to_json(&revision.manifest)?),
            imports: Set(instant::to_json(&revision.imports)?),
            exports: Set(instant::to_json(&revision.exports)?),
            builtin: Set(revision.builtin),
            created_at: Set(instant::to_micros(revision.created_at)),
        })
        .exec_without_returning(&unit.executor())
        .await;
        match insert {
            Ok(_) => {}
            Err(error) if is_duplicate(&error) => {
                // Somebody else was faster with the same bytes.
                unit.roll_back().await?;
                return match self.find_by_digest(&plugin, &revision.digest).await? {
                    Some(own) => Ok((own, false)),
                    None => Err(failed("add a revision")(error)),
                };
            }
            Err(error) => return Err(failed("add a revision")(error)),
        }
        if let Some(document) = &new.openapi {
            description::Entity::insert(description::ActiveModel {
                revision_id: Set(*revision.id.as_uuid()),
                document: Set(instant::to_json(document)?),
            })
            .exec_without_returning(&unit.executor())
            .await
            .map_err(failed("add a revision's description"))?;
        }
        unit.announce(NewChange::revision(&plugin));
        unit.commit().await?;
        Ok((revision, true))
    }

    /// The revision with this id.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find(&self, id: RevisionId) -> Result<Option<Revision>> {
        Entity::find_by_id(*id.as_uuid())
            .one(&self.db.read())
            .await
            .map_err(failed("find a revision"))?
            .map(record)
            .transpose()
    }

    /// What those of the revisions say of their routes that say anything.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn descriptions(
        &self,
        ids: impl IntoIterator<Item = RevisionId>,
    ) -> Result<HashMap<RevisionId, Document>> {
        let ids = ids.into_iter().map(|id| *id.as_uuid());
        let rows = description::Entity::find()
            .filter(description::Column::RevisionId.is_in(ids))
            .all(&self.db.read())
            .await
            .map_err(failed("read descriptions of revisions"))?;
        rows.into_iter()
            .map(|row| {
                let document = instant::from_json("revision's description", &row.document)?;
                Ok((RevisionId::from_uuid(row.revision_id), document))
            })
            .collect()
    }

    /// The revision of a plugin with these bytes.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find_by_digest(
        &self,
        plugin: &PluginName,
        digest: &Digest,
    ) -> Result<Option<Revision>> {
        Entity::find()
            .filter(Column::Plugin.eq(plugin.as_str()))
            .filter(Column::Digest.eq(digest.as_bytes().to_vec()))
            .one(&self.db.read())
            .await
            .map_err(failed("find a revision"))?
            .map(record)
            .transpose()
    }

    /// Those of the digests that a built-in plugin has already.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn builtin_among(&self, digests: &[Digest]) -> Result<HashSet<Digest>> {
        let bytes = digests.iter().map(|digest| digest.as_bytes().to_vec());
        let rows: Vec<Vec<u8>> = Entity::find()
            .select_only()
            .column(Column::Digest)
            .filter(Column::Builtin.eq(true))
            .filter(Column::Digest.is_in(bytes))
            .into_tuple()
            .all(&self.db.read())
            .await
            .map_err(failed("look for built-in plugins"))?;
        rows.iter().map(|row| digest(row)).collect()
    }

    /// Those of the digests that a revision has.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn among(&self, digests: &[Digest]) -> Result<HashSet<Digest>> {
        let bytes = digests.iter().map(|digest| digest.as_bytes().to_vec());
        let rows: Vec<Vec<u8>> = Entity::find()
            .select_only()
            .column(Column::Digest)
            .filter(Column::Digest.is_in(bytes))
            .into_tuple()
            .all(&self.db.read())
            .await
            .map_err(failed("look for revisions"))?;
        rows.iter().map(|row| digest(row)).collect()
    }

    /// Revisions of all plugins in the order of their ids, after one.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn after(&self, id: Option<RevisionId>, most: u64) -> Result<Vec<Revision>> {
        let mut rows = Entity::find().order_by_asc(Column::Id).limit(most);
        if let Some(id) = id {
            rows = rows.filter(Column::Id.gt(*id.as_uuid()));
        }
        rows.all(&self.db.read())
            .await
            .map_err(failed("read revisions"))?
            .into_iter()
            .map(record)
            .collect()
    }

    /// The newest revision of a plugin.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn latest(&self, plugin: &PluginName) -> Result<Option<Revision>> {
        Entity::find()
            .filter(Column::Plugin.eq(plugin.as_str()))
            .order_by_desc(Column::Id)
            .one(&self.db.read())
            .await
            .map_err(failed("find a revision"))?
            .map(record)
            .transpose()
    }

    /// A page of a plugin's revisions, newest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list(
        &self,
        plugin: &PluginName,
        before: Option<RevisionId>,
        limit: u64,
    ) -> Result<Page<Revision, RevisionId>> {
        let mut query = Entity::find().filter(Column::Plugin.eq(plugin.as_str()));
        if let Some(before) = before {
            query = query.filter(Column::Id.lt(*before.as_uuid()));
        }
        let rows = query
            .order_by_desc(Column::Id)
            .limit(fetch_limit(limit))
            .all(&self.db.read())
            .await
            .map_err(failed("list revisions"))?;
        let revisions = rows.into_iter().map(record).collect::<Result<_>>()?;
        Ok(Page::cut(revisions, limit, |revision: &Revision| {
            revision.id
        }))
    }

    /// A page of the catalogue: the newest revision of each plugin, by name.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn catalogue(
        &self,
        after: Option<&PluginName>,
        limit: u64,
    ) -> Result<Page<Revision, PluginName>> {
        // Ids sort by the time they were made; uuid has no `max` on Postgres.
        let newer = "NOT EXISTS (SELECT 1 FROM plugin_revisions AS newer \
             WHERE newer.plugin = plugin_revisions.plugin AND newer.id > plugin_revisions.id)";
        let mut query = Entity::find().filter(Expr::cust(newer));
        if let Some(after) = after {
            query = query.filter(Column::Plugin.gt(after.as_str()));
        }
        let rows = query
            .order_by_asc(Column::Plugin)
            .limit(fetch_limit(limit))
            .all(&self.db.read())
            .await
            .map_err(failed("list the catalogue"))?;
        let revisions = rows.into_iter().map(record).collect::<Result<_>>()?;
        Ok(Page::cut(revisions, limit, |revision: &Revision| {
            revision.plugin.clone()
        }))
    }

    /// The revisions with these ids, in no particular order: for the start.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find_many(&self, ids: &[RevisionId]) -> Result<Vec<Revision>> {
        let mut revisions = Vec::with_capacity(ids.len());
        for ids in ids.chunks(500) {
            let rows = Entity::find()
                .filter(Column::Id.is_in(ids.iter().map(|id| *id.as_uuid())))
                .all(&self.db.read())
                .await
                .map_err(failed("load revisions"))?;
            for row in rows {
                revisions.push(record(row)?);
            }
        }
        Ok(revisions)
    }

    /// Forgets a revision that nothing uses; whether it was there. The bytes
    /// are the caller's to delete, unless another plugin has the same.
    ///
    /// # Errors
    /// `revision_in_use` when a project has it installed, or could roll back
    /// to it.
    pub async fn delete(&self, id: RevisionId) -> Result<bool> {
        let result = Entity::delete_by_id(*id.as_uuid())
            .exec(&self.db.write())
            .await
            .map_err(|error| {
                if is_dangling(&error) {
                    Error::conflict("revision_in_use", "the revision is installed in a project")
                        .with_source(error)
                } else {
                    failed("delete a revision")(error)
                }
            })?;
        Ok(result.rows_affected > 0)
    }
}

fn record(row: Model) -> Result<Revision> {
    Ok(Revision {
        id: RevisionId::from_uuid(row.id),
        plugin: row.plugin.parse()?,
        digest: digest(&row.digest)?,
        size_bytes: instant::from_bytes(row.size_bytes),
        manifest: instant::from_json("manifest", &row.manifest)?,
        imports: instant::from_json("revision's imports", &row.imports)?,
        exports: instant::from_json("revision's exports", &row.exports)?,
        builtin: row.builtin,
        created_at: instant::from_micros(row.created_at)?,
    })
}
