//! Roles: the built-in ones, and those that a project makes out of
//! permissions. A permission is `<plugin>:<action>`, as a plugin's manifest
//! declares it, or `<plugin>:*` for all of a plugin.

use super::permissions;
use crate::{Actor, App, directory::RouteTable};
use atlashub_core::{
    BuiltInRole, Error, Precondition, ProjectId, Result, permission::is_action,
    precondition::tag_of,
};
use atlashub_data::platform::{Platform, Role};
use serde_json::json;
use std::collections::BTreeSet;

/// The role of a user unless an admin says otherwise.
pub(super) const DEFAULT: &str = BuiltInRole::Editor.as_str();
/// Most roles that a project makes.
const MAX_ROLES: u64 = 100;
/// Most roles of a user.
const MAX_HELD: usize = 20;
/// Longest name of a role, bytes.
const MAX_WORD: usize = 64;

/// A role, built in or made by the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleView {
    /// Its name.
    pub name: String,
    /// Whether every project has it.
    pub built_in: bool,
    /// What its holders may do; `*` is everything.
    pub permissions: BTreeSet<String>,
    /// Those of them that no installed plugin declares.
    pub undeclared: BTreeSet<String>,
    /// Another with each change; `None` of a built-in one.
    pub tag: Option<String>,
}

/// The role that stands for a user where there is room for one.
#[must_use]
pub fn foremost(roles: &[String]) -> &str {
    BuiltInRole::ALL
        .into_iter()
        .map(BuiltInRole::as_str)
        .find(|name| roles.iter().any(|role| role == name))
        .or_else(|| roles.first().map(String::as_str))
        .unwrap_or("none")
}

impl App {
    /// The roles of a project, the built-in ones first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn user_roles(&self, project: ProjectId) -> Result<Vec<RoleView>> {
        let routes = self.route_table(project).await?;
        let own = self.platform().roles().list(project).await?;
        let declared = self.permissions(project).await?;
        let built_in = BuiltInRole::ALL.into_iter().map(|role| RoleView {
            name: role.as_str().to_owned(),
            built_in: true,
            permissions: match role {
                BuiltInRole::Admin => BTreeSet::from(["*".to_owned()]),
                _ => declared
                    .iter()
                    .filter(|declared| declared.roles.contains(&role))
                    .map(|declared| declared.permission.clone())
                    .collect(),
            },
            undeclared: BTreeSet::new(),
            tag: None,
        });
        let own = own.into_iter().map(|role| view(role, &routes));
        built_in.map(Ok).chain(own).collect()
    }

    /// Makes a role.
    ///
    /// # Errors
    /// `invalid_role`, `invalid_permission`, `unknown_permission`,
    /// `role_taken`, `too_many_roles`.
    pub async fn create_role(
        &self,
        actor: &Actor,
        project: ProjectId,
        name: &str,
        permissions: &BTreeSet<String>,
    ) -> Result<RoleView> {
        check_name(name)?;
        let routes = self.route_table(project).await?;
        permissions::check(permissions, &BTreeSet::new(), &routes)?;
        let unit = self.platform().begin().await?;
        let role = unit
            .roles()
            .create(project, name, permissions, MAX_ROLES)
            .await?;
        unit.audit()
            .append(actor.did(
                "role.create",
                Some(project),
                name.to_owned(),
                json!({ "permissions": permissions }),
            ))
            .await?;
        unit.commit().await?;
        view(role, &routes)
    }

    /// Gives a role other permissions, where `condition` holds of it; its
    /// holders have them within a second.
    ///
    /// # Errors
    /// `not_found`, `invalid_permission`, `unknown_permission`;
    /// `built_in_role`; `precondition_failed`.
    pub async fn update_role(
        &self,
        actor: &Actor,
        project: ProjectId,
        name: &str,
        permissions: &BTreeSet<String>,
        condition: &Precondition,
    ) -> Result<RoleView> {
        own(name)?;
        let routes = self.route_table(project).await?;
        let unit = self.platform().begin().await?;
        // Who changes it at the same time waits here, and is seen below.
        unit.projects().lock(project).await?;
        let before = unit.roles().find(project, name).await?;
        let before = before.ok_or_else(|| Error::not_found("role"))?;
        condition.check_with(&format!("the role `{name}`"), || tag(&before).map(Some))?;
        permissions::check(permissions, &before.permissions, &routes)?;
        let role = unit.roles().update(project, name, permissions).await?;
        unit.audit()
            .append(actor.did(
                "role.update",
                Some(project),
                name.to_owned(),
                json!({ "permissions": permissions }),
            ))
            .await?;
        unit.commit().await?;
        self.access().forget_users_of(project);
        view(role, &routes)
    }

    /// Removes a role, and takes it from all who hold it.
    ///
    /// # Errors
    /// `not_found`; `built_in_role`.
    pub async fn delete_role(&self, actor: &Actor, project: ProjectId, name: &str) -> Result<()> {
        own(name)?;
        let unit = self.platform().begin().await?;
        if !unit.roles().delete(project, name).await? {
            return Err(Error::not_found("role"));
        }
        unit.audit()
            .append(actor.did("role.delete", Some(project), name.to_owned(), json!({})))
            .await?;
        unit.commit().await?;
        self.access().forget_users_of(project);
        Ok(())
    }

    /// As [`check`].
    pub(super) async fn check_roles(&self, project: ProjectId, roles: &[String]) -> Result<()> {
        check(self.platform(), project, roles).await
    }
}

/// Checks the roles that a user shall hold.
///
/// # Errors
/// `too_many_roles`, `unknown_role`.
pub(crate) async fn check(platform: &Platform, project: ProjectId, roles: &[String]) -> Result<()> {
    if roles.len() > MAX_HELD {
        return Err(Error::invalid(
            "too_many_roles",
            format!("a user may hold {MAX_HELD} roles"),
        ));
    }
    let own: Vec<String> = roles
        .iter()
        .filter(|role| BuiltInRole::named(role).is_none())
        .cloned()
        .collect();
    match platform.roles().missing(project, &own).await?.first() {
        None => Ok(()),
        Some(missing) => Err(Error::invalid(
            "unknown_role",
            format!(
                "the project has no role `{}`",
                missing.chars().take(MAX_WORD).collect::<String>()
            ),
        )),
    }
}

fn tag(role: &Role) -> Result<String> {
    let changed = role.updated_at.unix_timestamp_nanos().to_string();
    tag_of(&(&role.permissions, changed))
}

fn view(role: Role, routes: &RouteTable) -> Result<RoleView> {
    Ok(RoleView {
        tag: Some(tag(&role)?),
        undeclared: permissions::undeclared(&role.permissions, routes),
        name: role.name,
        built_in: false,
        permissions: role.permissions,
    })
}

fn check_name(name: &str) -> Result<()> {
    // These would be taken for what row policies call callers.
    let reserved = ["anon", "authenticated", "none", "owner", "service_role"];
    if is_action(name) && !reserved.contains(&name) && BuiltInRole::named(name).is_none() {
        return Ok(());
    }
    Err(Error::invalid(
        "invalid_role",
        format!(
            "a role's name has 1 to {MAX_WORD} lower-case letters, digits, `_` and `-`, and is not reserved"
        ),
    ))
}

fn own(name: &str) -> Result<()> {
    if BuiltInRole::named(name).is_some() {
        return Err(Error::conflict(
            "built_in_role",
            "the roles `admin`, `editor` and `viewer` stay as they are",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_role_stands_for_several() {
        let held = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(foremost(&held(&["clerk", "viewer", "editor"])), "editor");
        assert_eq!(foremost(&held(&["clerk"])), "clerk");
        assert_eq!(foremost(&[]), "none");
    }

    #[test]
    fn names_are_plain() {
        assert!(check_name("night-clerk_2").is_ok());
        for name in [
            "",
            "Clerk",
            "a b",
            "admin",
            "authenticated",
            &"x".repeat(65),
        ] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
