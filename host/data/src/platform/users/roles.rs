//! Roles that projects made: a name and a set of permissions. The built-in
//! ones have no row.

use super::super::{
    changes::{ChangeKind, NewChange, uuid},
    entity::{
        role::{ActiveModel, Column, Entity, Model},
        user, user_role,
    },
    failure::{failed, is_duplicate, orphaned},
    instant,
    unit::Db,
};
use atlashub_core::{Error, ProjectId, Result};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, QueryTrait as _,
};
use std::collections::BTreeSet;
use time::OffsetDateTime;

/// A role that a project made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name, unique in the project.
    pub name: String,
    /// What its holders may do.
    pub permissions: BTreeSet<String>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
}

/// The roles that projects made.
pub struct Roles<'a> {
    db: Db<'a>,
}

impl<'a> Roles<'a> {
    pub(in crate::platform) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Makes a role; a project has `most` at most.
    ///
    /// # Errors
    /// `role_taken`, `too_many_roles`; `not_found` when there is no such
    /// project.
    pub async fn create(
        &self,
        project: ProjectId,
        name: &str,
        permissions: &BTreeSet<String>,
        most: u64,
    ) -> Result<Role> {
        let unit = self.db.begin().await?;
        let count = Entity::find()
            .filter(Column::ProjectId.eq(uuid(project)))
            .count(&unit.executor())
            .await
            .map_err(failed("count roles"))?;
        if count >= most {
            return Err(Error::conflict(
                "too_many_roles",
                format!("a project may have {most} roles of its own, delete one first"),
            ));
        }
        let row = Model {
            project_id: uuid(project),
            name: name.to_owned(),
            permissions: instant::to_json(permissions)?,
            created_at: unit.now(),
            updated_at: unit.now(),
        };
        Entity::insert(ActiveModel::from(row.clone()))
            .exec_without_returning(&unit.executor())
            .await
            .map_err(|error| {
                if is_duplicate(&error) {
                    Error::conflict("role_taken", "the project has a role of this name")
                        .with_source(error)
                } else {
                    orphaned("project", "make a role")(error)
                }
            })?;
        unit.announce(NewChange::project(project, ChangeKind::RolesChanged));
        unit.commit().await?;
        record(row)
    }

    /// Gives a role other permissions.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn update(
        &self,
        project: ProjectId,
        name: &str,
        permissions: &BTreeSet<String>,
    ) -> Result<Role> {
        let unit = self.db.begin().await?;
        let result = Entity::update_many()
            .set(ActiveModel {
                permissions: Set(instant::to_json(permissions)?),
                updated_at: Set(unit.now()),
                ..ActiveModel::default()
            })
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::Name.eq(name))
            .exec(&unit.executor())
            .await
            .map_err(failed("change a role"))?;
        if result.rows_affected == 0 {
            return Err(Error::not_found("role"));
        }
        let role = unit.roles().find(project, name).await?;
        unit.announce(NewChange::project(project, ChangeKind::RolesChanged));
        unit.commit().await?;
        role.ok_or_else(|| Error::not_found("role"))
    }

    /// Removes a role and takes it from all who hold it; whether it was there.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn delete(&self, project: ProjectId, name: &str) -> Result<bool> {
        let unit = self.db.begin().await?;
        let context = failed("delete a role");
        let result = Entity::delete_by_id((uuid(project), name.to_owned()))
            .exec(&unit.executor())
            .await
            .map_err(&context)?;
        if result.rows_affected == 0 {
            return Ok(false);
        }
        let users = user::Entity::find()
            .select_only()
            .column(user::Column::Id)
            .filter(user::Column::ProjectId.eq(uuid(project)))
            .into_query();
        user_role::Entity::delete_many()
            .filter(user_role::Column::Role.eq(name))
            .filter(user_role::Column::UserId.in_subquery(users))
            .exec(&unit.executor())
            .await
            .map_err(&context)?;
        unit.announce(NewChange::project(project, ChangeKind::RolesChanged));
        unit.commit().await?;
        Ok(true)
    }

    /// The role of this name.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find(&self, project: ProjectId, name: &str) -> Result<Option<Role>> {
        Entity::find_by_id((uuid(project), name.to_owned()))
            .one(&self.db.read())
            .await
            .map_err(failed("find a role"))?
            .map(record)
            .transpose()
    }

    /// All roles that a project made, by name.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list(&self, project: ProjectId) -> Result<Vec<Role>> {
        Entity::find()
            .filter(Column::ProjectId.eq(uuid(project)))
            .order_by(Column::Name, sea_orm::Order::Asc)
            .all(&self.db.read())
            .await
            .map_err(failed("list roles"))?
            .into_iter()
            .map(record)
            .collect()
    }

    /// Those of `names` that are no roles of the project.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn missing(&self, project: ProjectId, names: &[String]) -> Result<Vec<String>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let there: Vec<String> = Entity::find()
            .select_only()
            .column(Column::Name)
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::Name.is_in(names.to_vec()))
            .into_tuple()
            .all(&self.db.read())
            .await
            .map_err(failed("look roles up"))?;
        let missing = names.iter().filter(|name| !there.contains(name));
        Ok(missing.cloned().collect())
    }
}

fn record(row: Model) -> Result<Role> {
    Ok(Role {
        permissions: instant::from_json("role", &row.permissions)?,
        name: row.name,
        created_at: instant::from_micros(row.created_at)?,
        updated_at: instant::from_micros(row.updated_at)?,
    })
}

/// What roles of those names allow, as far as the project made them.
pub(super) async fn permissions(
    db: Db<'_>,
    project: ProjectId,
    names: &[String],
) -> Result<BTreeSet<String>> {
    let mut permissions = BTreeSet::new();
    if names.is_empty() {
        return Ok(permissions);
    }
    let roles = Entity::find()
        .filter(Column::ProjectId.eq(uuid(project)))
        .filter(Column::Name.is_in(names))
        .all(&db.read())
        .await
        .map_err(failed("read a user's permissions"))?;
    for role in roles {
        let held: Vec<String> = instant::from_json("role", &role.permissions)?;
        permissions.extend(held);
    }
    Ok(permissions)
}
