//! Permissions: what the users of a project may do in a plugin. A manifest
//! declares them, roles hold them, plugins ask for them.
//!
//! A permission is written `<plugin>:<action>`. The role `admin` holds every
//! one; `editor` and `viewer` hold those that declare it; roles that a project
//! makes hold what they list, where `<plugin>:*` stands for all of a plugin.

use crate::{Error, KeyKind, PluginName, Result, identity::Caller};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Most permissions of one plugin.
pub const MAX_DECLARED: usize = 100;
/// Longest action, bytes.
pub const MAX_ACTION_BYTES: usize = 64;
/// Longest title, characters.
const MAX_TITLE: usize = 100;

/// A role that every project has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuiltInRole {
    /// Holds every permission.
    Admin,
    /// What a user is unless an admin says otherwise.
    Editor,
    /// Reads.
    Viewer,
}

impl BuiltInRole {
    /// All of them, the one that may most first.
    pub const ALL: [Self; 3] = [Self::Admin, Self::Editor, Self::Viewer];

    /// The role's name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Editor => "editor",
            Self::Viewer => "viewer",
        }
    }

    /// The built-in role of this name, if it is one.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

impl fmt::Display for BuiltInRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A permission as a manifest declares it.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Declaration {
    /// What is done, the part after the plugin's name.
    pub action: String,
    /// What it allows, in a few words for those who make roles.
    pub title: String,
    /// Built-in roles that hold it, beside `admin`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<BuiltInRole>,
}

impl Declaration {
    /// Whether a built-in role holds it.
    #[must_use]
    pub fn is_held_by(&self, role: BuiltInRole) -> bool {
        role == BuiltInRole::Admin || self.roles.contains(&role)
    }

    /// Checks what a manifest declares.
    ///
    /// # Errors
    /// `invalid_manifest` that names the permission and what to change.
    pub(crate) fn check_all(declared: &[Self]) -> Result<()> {
        let invalid = |message: String| Err(Error::invalid("invalid_manifest", message));
        if declared.len() > MAX_DECLARED {
            return invalid(format!(
                "a plugin declares at most {MAX_DECLARED} permissions"
            ));
        }
        let mut actions = std::collections::BTreeSet::new();
        for Self { action, title, .. } in declared {
            if !is_action(action) {
                let shown: String = action.chars().take(MAX_ACTION_BYTES).collect();
                return invalid(format!(
                    "the action of the permission `{shown}` has 1 to {MAX_ACTION_BYTES} lower-case \
                     letters, digits, `_` and `-`; the plugin's name is put before it"
                ));
            }
            if !actions.insert(action) {
                return invalid(format!("the permission `{action}` is declared twice"));
            }
            let length = title.chars().count();
            if title.trim().is_empty() || length > MAX_TITLE || title.contains(char::is_control) {
                return invalid(format!(
                    "the permission `{action}` needs a title of at most {MAX_TITLE} characters, on one line"
                ));
            }
        }
        Ok(())
    }
}

/// Whether `text` is the part of a permission after the plugin's name.
#[must_use]
pub fn is_action(text: &str) -> bool {
    (1..=MAX_ACTION_BYTES).contains(&text.len())
        && text.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
        })
}

/// The two parts of a permission, or of `<plugin>:*`.
#[must_use]
pub fn parse(text: &str) -> Option<(PluginName, &str)> {
    let (plugin, action) = text.split_once(':')?;
    let plugin = plugin.parse().ok()?;
    (action == "*" || is_action(action)).then_some((plugin, action))
}

impl Caller {
    /// Whether the caller holds a permission. `by_role` says whether a
    /// built-in role other than `admin` does; it is asked only when that
    /// matters.
    #[must_use]
    pub fn holds(&self, permission: &str, by_role: impl Fn(BuiltInRole) -> bool) -> bool {
        match self {
            Self::Key { kind, .. } => *kind == KeyKind::Secret,
            Self::Scheduler => true,
            Self::Admin { role, .. } => {
                *role != crate::AdminRole::Viewer || by_role(BuiltInRole::Viewer)
            }
            Self::User(user) => {
                let covers = |held: &String| {
                    held == permission
                        || held.strip_suffix('*').is_some_and(|plugin| {
                            plugin.ends_with(':') && permission.starts_with(plugin)
                        })
                };
                let mut built_in = user
                    .roles
                    .iter()
                    .filter_map(|name| BuiltInRole::named(name));
                user.permissions.iter().any(covers)
                    || built_in.any(|role| role == BuiltInRole::Admin || by_role(role))
            }
            Self::Nobody | Self::Plugin(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AdminRole, KeyId, identity::User};
    use std::{collections::BTreeSet, sync::Arc};

    fn user(roles: &[&str], permissions: &[&str]) -> Caller {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        Caller::User(Arc::new(User {
            id: uuid::Uuid::nil(),
            roles: texts(roles),
            permissions: permissions
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<BTreeSet<_>>(),
        }))
    }

    #[test]
    fn roles_hold_what_is_said_of_them() {
        let editors = |role| role == BuiltInRole::Editor;
        for (caller, held) in [
            (user(&["admin"], &[]), true),
            (user(&["viewer", "editor"], &[]), true),
            (user(&["viewer"], &[]), false),
            (user(&[], &[]), false),
            (user(&["clerk"], &["files:share"]), true),
            (user(&["clerk"], &["files:*"]), true),
            (
                user(&["clerk"], &["files:read", "file:*", "*", "db:share"]),
                false,
            ),
            (Caller::Nobody, false),
            (Caller::Scheduler, true),
            (Caller::Plugin("files".parse().unwrap()), false),
            (key(KeyKind::Secret), true),
            (key(KeyKind::Publishable), false),
            (admin(AdminRole::Admin), true),
            (admin(AdminRole::Viewer), false),
        ] {
            assert_eq!(caller.holds("files:share", editors), held, "{caller:?}");
        }
        assert!(admin(AdminRole::Viewer).holds("files:read", |_| true));
    }

    fn key(kind: KeyKind) -> Caller {
        let id = KeyId::new();
        Caller::Key { id, kind }
    }

    fn admin(role: AdminRole) -> Caller {
        Caller::Admin { id: None, role }
    }

    #[test]
    fn permissions_have_a_plugin_and_an_action() {
        let (plugin, action) = parse("my-files:share_all").unwrap();
        assert_eq!((plugin.as_str(), action), ("my-files", "share_all"));
        assert!(parse("files:*").is_some());
        for text in [
            "files",
            "files:",
            ":share",
            "*",
            "*:*",
            "files:Share",
            "files:a:b",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
