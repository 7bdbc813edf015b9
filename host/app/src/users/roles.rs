//! Roles: the built-in ones, and those that a project makes out of
//! permissions. A permission is `<plugin>:<action>`, as a plugin's manifest
//! declares it, or `<plugin>:*` for all of a plugin.

use crate::{Actor, App};
use atlashub_core::{Error, PluginName, ProjectId, Result};
use atlashub_data::platform::Role;
use serde_json::json;
use std::collections::BTreeSet;

/// The role of a user unless an admin says otherwise.
pub(super) const DEFAULT: &str = "editor";
/// Roles that every project has, the one that may most first. An `admin`
/// holds every permission; what the others may do, plugins declare.
pub const BUILT_IN_ROLES: [&str; 3] = ["admin", "editor", "viewer"];
/// Most roles that a project makes.
const MAX_ROLES: u64 = 100;
/// Most roles of a user.
const MAX_HELD: usize = 20;
/// Most permissions of a role.
const MAX_PERMISSIONS: usize = 500;
/// Longest name of a role, and longest action of a permission, bytes.
const MAX_WORD: usize = 64;

/// A role, built in or made by the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleView {
    /// One that every project has.
    BuiltIn(&'static str),
    /// One that the project made.
    Custom(Role),
}

/// The role that stands for a user where there is room for one.
#[must_use]
pub fn foremost(roles: &[String]) -> &str {
    BUILT_IN_ROLES
        .into_iter()
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
        let own = self.platform().roles().list(project).await?;
        let built_in = BUILT_IN_ROLES.into_iter().map(RoleView::BuiltIn);
        Ok(built_in
            .chain(own.into_iter().map(RoleView::Custom))
            .collect())
    }

    /// Makes a role.
    ///
    /// # Errors
    /// `invalid_role`, `invalid_permission`, `role_taken`, `too_many_roles`.
    pub async fn create_role(
        &self,
        actor: &Actor,
        project: ProjectId,
        name: &str,
        permissions: &BTreeSet<String>,
    ) -> Result<Role> {
        check_name(name)?;
        check_permissions(permissions)?;
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
        Ok(role)
    }

    /// Gives a role other permissions; its holders have them within a second.
    ///
    /// # Errors
    /// `not_found`, `invalid_permission`; `built_in_role`.
    pub async fn update_role(
        &self,
        actor: &Actor,
        project: ProjectId,
        name: &str,
        permissions: &BTreeSet<String>,
    ) -> Result<Role> {
        own(name)?;
        check_permissions(permissions)?;
        let unit = self.platform().begin().await?;
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
        Ok(role)
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

    /// Checks the roles that a user shall hold.
    pub(super) async fn check_roles(&self, project: ProjectId, roles: &[String]) -> Result<()> {
        if roles.len() > MAX_HELD {
            return Err(Error::invalid(
                "too_many_roles",
                format!("a user may hold {MAX_HELD} roles"),
            ));
        }
        let own: Vec<String> = roles
            .iter()
            .filter(|role| !BUILT_IN_ROLES.contains(&role.as_str()))
            .cloned()
            .collect();
        match self
            .platform()
            .roles()
            .missing(project, &own)
            .await?
            .first()
        {
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
}

fn check_name(name: &str) -> Result<()> {
    // These would be taken for what row policies call callers.
    let reserved = ["anon", "authenticated", "none", "owner", "service_role"];
    if is_word(name) && !reserved.contains(&name) && !BUILT_IN_ROLES.contains(&name) {
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
    if BUILT_IN_ROLES.contains(&name) {
        return Err(Error::conflict(
            "built_in_role",
            "the roles `admin`, `editor` and `viewer` stay as they are",
        ));
    }
    Ok(())
}

fn check_permissions(permissions: &BTreeSet<String>) -> Result<()> {
    let sound = |text: &String| {
        text.split_once(':').is_some_and(|(plugin, action)| {
            plugin.parse::<PluginName>().is_ok() && (action == "*" || is_word(action))
        })
    };
    if permissions.len() <= MAX_PERMISSIONS && permissions.iter().all(sound) {
        return Ok(());
    }
    Err(Error::invalid(
        "invalid_permission",
        format!(
            "a role has at most {MAX_PERMISSIONS} permissions, each `<plugin>:<action>` or `<plugin>:*`"
        ),
    ))
}

fn is_word(text: &str) -> bool {
    (1..=MAX_WORD).contains(&text.len())
        && text.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
        })
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
    fn names_and_permissions_are_plain() {
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
        let set = |text: &str| BTreeSet::from([text.to_owned()]);
        for text in ["files:share", "files:*", "mpesa:pay_out"] {
            assert!(check_permissions(&set(text)).is_ok(), "{text}");
        }
        for text in [
            "files",
            "files:",
            ":share",
            "*",
            "*:*",
            "files:Share",
            "files:a:b",
        ] {
            assert!(check_permissions(&set(text)).is_err(), "{text}");
        }
    }
}
