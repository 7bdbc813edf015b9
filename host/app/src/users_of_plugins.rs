//! The project's end users, as plugins with the grant `users` look them up,
//! and as those with `users:add` add them.

use crate::{
    admins,
    audit::Actor,
    directory::Directory,
    users::{profile, roles},
};
use async_trait::async_trait;
use atlashub_core::{
    BuiltInRole, Error, ProjectId, Result, UserId,
    capability::users::{UserAdder, UserPage, UserRecord, UserToAdd, Users},
};
use atlashub_data::platform::{EndUser, NewUser, Platform, UserFilter};
use serde_json::json;
use std::sync::{Arc, OnceLock, Weak};

/// Longest name that is looked up, bytes; no address or handle is longer.
const MAX_NAME_BYTES: usize = 320;

/// The users as plugins have them. Made before the directory, which needs the
/// runtime, which needs this.
pub(crate) struct UsersOfPlugins {
    platform: Platform,
    directory: OnceLock<Weak<Directory>>,
}

impl UsersOfPlugins {
    pub(crate) fn new(platform: Platform) -> Arc<Self> {
        Arc::new(Self {
            platform,
            directory: OnceLock::new(),
        })
    }

    /// Connects it to the directory; only the first call counts.
    pub(crate) fn connect(&self, directory: &Arc<Directory>) {
        let _ = self.directory.set(Arc::downgrade(directory));
    }
}

#[async_trait]
impl Users for UsersOfPlugins {
    fn role_holds(&self, project: ProjectId, role: BuiltInRole, permission: &str) -> bool {
        let directory = self.directory.get().and_then(Weak::upgrade);
        directory
            .and_then(|directory| directory.by_id(project)?.routes())
            .and_then(|routes| Some(routes.permission(permission)?.is_held_by(role)))
            .unwrap_or(false)
    }

    async fn get(&self, project: ProjectId, id: &str) -> Result<Option<UserRecord>> {
        let Ok(id) = id.parse() else {
            return Ok(None);
        };
        let found = self.platform.users().find(project, id).await?;
        Ok(found.filter(is_let_in).map(record))
    }

    async fn find(&self, project: ProjectId, name: &str) -> Result<Option<UserRecord>> {
        let name = name.trim();
        if name.len() > MAX_NAME_BYTES {
            return Ok(None);
        }
        let handle = name.strip_prefix('@').unwrap_or(name);
        let users = self.platform.users();
        let found = if handle.contains('@') {
            users.find_by_email(project, name).await?
        } else {
            users.find_by_handle(project, handle).await?
        };
        Ok(found.filter(is_let_in).map(record))
    }

    async fn existing(&self, project: ProjectId, ids: &[String]) -> Result<Vec<String>> {
        let ids: Vec<UserId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        let there = self.platform.users().existing(project, &ids).await?;
        Ok(there.iter().map(ToString::to_string).collect())
    }

    async fn list(&self, project: ProjectId, limit: u32, cursor: Option<&str>) -> Result<UserPage> {
        let after: Option<UserId> = cursor
            .map(str::parse)
            .transpose()
            .map_err(|_| Error::invalid("invalid_cursor", "the cursor is none of this list"))?;
        let filter = UserFilter {
            enabled: true,
            ..UserFilter::default()
        };
        let users = self.platform.users();
        let page = users.list(project, &filter, after, limit.into()).await?;
        Ok(UserPage {
            users: page.items.into_iter().map(record).collect(),
            next_cursor: page.next.map(|id| id.to_string()),
        })
    }

    async fn free_ids(&self, ids: &[String]) -> Result<Vec<String>> {
        let asked: Vec<UserId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        let taken = self.platform.users().taken_ids(&asked).await?;
        let free = asked.into_iter().filter(|id| !taken.contains(id));
        Ok(free.map(|id| id.to_string()).collect())
    }

    async fn add(&self, adder: UserAdder, user: UserToAdd) -> Result<()> {
        let project = adder.scope.project;
        let id: UserId = user
            .id
            .parse()
            .map_err(|_| Error::invalid("invalid_id", "a user's id is a UUID"))?;
        if user
            .roles
            .iter()
            .any(|role| role == BuiltInRole::Admin.as_str())
        {
            return Err(Error::invalid(
                "role_not_given",
                "the role `admin` is given by admins and by no plugin",
            ));
        }
        roles::check(&self.platform, project, &user.roles).await?;
        let new = NewUser {
            email: admins::email(&user.email)?,
            handle: profile::handle(user.handle)?,
            name: profile::name(user.name)?,
            password_hash: None,
            email_verified: false,
            roles: user.roles,
        };
        let unit = self.platform.begin().await?;
        if !unit.users().taken_ids(&[id]).await?.is_empty() {
            return Err(Error::conflict("id_taken", "a user has this id already"));
        }
        let user = unit.users().create_as(project, id, new).await?;
        let actor = Actor {
            caller: adder.caller,
            request: Some(adder.request),
        };
        unit.audit()
            .append(actor.did(
                "user.create",
                Some(project),
                user.id.to_string(),
                json!({ "roles": user.roles, "plugin": adder.scope.plugin.as_str() }),
            ))
            .await?;
        unit.commit().await
    }
}

fn is_let_in(user: &EndUser) -> bool {
    user.disabled_at.is_none()
}

fn record(user: EndUser) -> UserRecord {
    UserRecord {
        id: *user.id.as_uuid(),
        email: Some(user.email),
        handle: user.handle,
        name: user.name,
        roles: user.roles,
        created_at: user.created_at,
    }
}
