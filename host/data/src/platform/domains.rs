//! Host names that lead to a project. A name belongs to one project.
//!
//! Names are kept in lower case without a dot at the end; whether the project
//! may use a name is for others to check.

use super::{
    Unit,
    changes::{ChangeKind, NewChange, uuid},
    entity::{
        domain::{ActiveModel, Column, Entity, Model},
        project,
    },
    failure::{failed, is_duplicate, orphaned},
    instant,
    projects::{self, Project},
    unit::Db,
};
use atlashub_core::{Error, ProjectId, Result};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
};
use time::OffsetDateTime;

/// Longest host name, bytes (RFC 1035).
const MAX_HOST_BYTES: usize = 253;

/// A host name of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// The name, in lower case.
    pub host: String,
    /// Its project.
    pub project: ProjectId,
    /// When it was added.
    pub created_at: OffsetDateTime,
}

/// The host names.
pub struct Domains<'a> {
    db: Db<'a>,
}

impl<'a> Domains<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Gives `host` to a project; again is fine.
    ///
    /// # Errors
    /// `invalid_host`, `domain_taken` when another project has it, `not_found`
    /// when there is no such project.
    pub async fn add(&self, project: ProjectId, host: &str) -> Result<Domain> {
        let host = normalize(host)?;
        let unit = self.db.begin().await?;
        if let Some(own) = unit.domains().find(&host).await? {
            return if own.project == project {
                Ok(own)
            } else {
                Err(taken(&host))
            };
        }
        if unit.projects().find(project).await?.is_none() {
            return Err(Error::not_found("project"));
        }
        let now = unit.now();
        Entity::insert(ActiveModel {
            host: Set(host.clone()),
            project_id: Set(uuid(project)),
            created_at: Set(now),
        })
        .exec_without_returning(&unit.executor())
        .await
        .map_err(|error| {
            if is_duplicate(&error) {
                taken(&host).with_source(error)
            } else {
                orphaned("project", "add a domain")(error)
            }
        })?;
        unit.announce(NewChange::project(project, ChangeKind::ProjectChanged));
        unit.commit().await?;
        Ok(Domain {
            host,
            project,
            created_at: instant::from_micros(now)?,
        })
    }

    /// Takes `host` from a project; whether it had it.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn remove(&self, project: ProjectId, host: &str) -> Result<bool> {
        let host = normalize(host)?;
        let unit = self.db.begin().await?;
        let result = Entity::delete_many()
            .filter(Column::Host.eq(host))
            .filter(Column::ProjectId.eq(uuid(project)))
            .exec(&unit.executor())
            .await
            .map_err(failed("remove a domain"))?;
        if result.rows_affected == 0 {
            return Ok(false);
        }
        unit.announce(NewChange::project(project, ChangeKind::ProjectChanged));
        unit.commit().await?;
        Ok(true)
    }

    /// The domain with this host name.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find(&self, host: &str) -> Result<Option<Domain>> {
        let Ok(host) = normalize(host) else {
            return Ok(None);
        };
        Entity::find_by_id(host)
            .one(&self.db.read())
            .await
            .map_err(failed("find a domain"))?
            .map(record)
            .transpose()
    }

    /// The project that `host` leads to, unless deleted.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn project(&self, host: &str) -> Result<Option<Project>> {
        let Some(domain) = self.find(host).await? else {
            return Ok(None);
        };
        project::Entity::find_by_id(uuid(domain.project))
            .filter(project::Column::DeletedAt.is_null())
            .one(&self.db.read())
            .await
            .map_err(failed("find a project by its domain"))?
            .map(projects::record)
            .transpose()
    }

    /// Host names of a project, in order.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list(&self, project: ProjectId) -> Result<Vec<Domain>> {
        let rows = Entity::find()
            .filter(Column::ProjectId.eq(uuid(project)))
            .order_by_asc(Column::Host)
            .all(&self.db.read())
            .await
            .map_err(failed("list domains"))?;
        rows.into_iter().map(record).collect()
    }

    /// All host names: for the start.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn load_all(&self) -> Result<Vec<Domain>> {
        let rows = Entity::find()
            .all(&self.db.read())
            .await
            .map_err(failed("load all domains"))?;
        rows.into_iter().map(record).collect()
    }
}

/// Takes all host names from a project.
pub(super) async fn remove_all(unit: &Unit, project: ProjectId) -> Result<()> {
    Entity::delete_many()
        .filter(Column::ProjectId.eq(uuid(project)))
        .exec(&unit.executor())
        .await
        .map(drop)
        .map_err(failed("remove a project's domains"))
}

fn record(row: Model) -> Result<Domain> {
    Ok(Domain {
        host: row.host,
        project: ProjectId::from_uuid(row.project_id),
        created_at: instant::from_micros(row.created_at)?,
    })
}

fn taken(host: &str) -> Error {
    Error::conflict(
        "domain_taken",
        format!("the domain `{host}` belongs to another project"),
    )
}

fn normalize(host: &str) -> Result<String> {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let label_ok = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.len() > MAX_HOST_BYTES || !host.split('.').all(label_ok) {
        return Err(Error::invalid(
            "invalid_host",
            "a domain is a host name such as `shop.example.com`, without scheme, port or path",
        ));
    }
    Ok(host)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_host_name_has_one_spelling() {
        assert_eq!(normalize("Shop.Example.COM.").unwrap(), "shop.example.com");
        for host in [
            "",
            ".",
            "a..b",
            "a b",
            "https://a",
            "a:80",
            "-a.b",
            "a/b",
            "ä.b",
        ] {
            assert!(normalize(host).is_err(), "{host:?} was accepted");
        }
    }
}
