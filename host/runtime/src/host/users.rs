//! `atlashub:users`: the project's end users, what the caller may do, and
//! adding users.

use super::not_granted;
use crate::{
    bindings::users::{
        accounts::{self, NewUser},
        directory::{Error, Host, Page, User},
    },
    state::{PluginShared, State, for_guest},
};
use atlashub_core::{
    Grant, Result,
    capability::users::{MAX_PAGE, UserAdder, UserRecord, UserToAdd, Users},
};
use std::sync::Arc;
use time::format_description::well_known::Rfc3339;

impl PluginShared {
    fn may_look_users_up(&self) -> Result<()> {
        if self.grants.contains(&Grant::Users) {
            Ok(())
        } else {
            Err(not_granted("users"))
        }
    }

    async fn get_user(&self, id: &str) -> Result<Option<User>> {
        self.may_look_users_up()?;
        let found = self.services.users.get(self.scope.project, id).await?;
        found.map(user).transpose()
    }

    async fn find_user(&self, name: &str) -> Result<Option<User>> {
        self.may_look_users_up()?;
        let found = self.services.users.find(self.scope.project, name).await?;
        found.map(user).transpose()
    }

    async fn existing_users(&self, ids: &[String]) -> Result<Vec<String>> {
        self.may_look_users_up()?;
        let most = MAX_PAGE as usize;
        let (asked, beyond) = ids.split_at(ids.len().min(most));
        let users = &self.services.users;
        let mut there = users.existing(self.scope.project, asked).await?;
        // Nobody takes for gone what was not looked at.
        there.extend_from_slice(beyond);
        Ok(there)
    }

    async fn list_users(&self, limit: u32, cursor: Option<&str>) -> Result<Page> {
        self.may_look_users_up()?;
        let limit = limit.clamp(1, MAX_PAGE);
        let users = &self.services.users;
        let page = users.list(self.scope.project, limit, cursor).await?;
        Ok(Page {
            users: page.users.into_iter().map(user).collect::<Result<_>>()?,
            next_cursor: page.next_cursor,
        })
    }
}

impl State {
    fn may_add_users(&self) -> Result<(Arc<dyn Users>, UserAdder)> {
        let plugin = self.plugin();
        if !plugin.grants.contains(&Grant::UsersAdd) {
            return Err(not_granted("users:add"));
        }
        let request = &self.hooks.request;
        let adder = UserAdder {
            scope: plugin.scope.clone(),
            caller: request.caller.clone(),
            request: request.request_id,
        };
        Ok((Arc::clone(&plugin.services.users), adder))
    }
}

fn user(record: UserRecord) -> Result<User> {
    Ok(User {
        id: record.id.to_string(),
        email: record.email,
        handle: record.handle,
        name: record.name,
        roles: record.roles,
        created_at: record
            .created_at
            .format(&Rfc3339)
            .map_err(|error| atlashub_core::Error::internal("write a time", error))?,
    })
}

fn told<T>(outcome: Result<T>) -> std::result::Result<T, Error> {
    outcome.map_err(|error| {
        let (code, message) = for_guest(&error);
        Error { code, message }
    })
}

impl Host for State {
    fn has_permission(&mut self, permission: String) -> wasmtime::Result<bool> {
        let plugin = self.plugin();
        let own = permission
            .strip_prefix(plugin.scope.plugin.as_str())
            .and_then(|rest| rest.strip_prefix(':'));
        let by_role = |role| match own {
            Some(action) => plugin
                .permissions
                .iter()
                .any(|declared| declared.action == action && declared.is_held_by(role)),
            None => {
                let users = &plugin.services.users;
                users.role_holds(plugin.scope.project, role, &permission)
            }
        };
        Ok(self.hooks.request.caller.holds(&permission, by_role))
    }

    async fn get_user(
        &mut self,
        id: String,
    ) -> wasmtime::Result<std::result::Result<Option<User>, Error>> {
        let plugin = Arc::clone(&self.hooks.plugin);
        Ok(told(plugin.get_user(&id).await))
    }

    async fn find_user(
        &mut self,
        name: String,
    ) -> wasmtime::Result<std::result::Result<Option<User>, Error>> {
        let plugin = Arc::clone(&self.hooks.plugin);
        Ok(told(plugin.find_user(&name).await))
    }

    async fn existing_users(
        &mut self,
        ids: Vec<String>,
    ) -> wasmtime::Result<std::result::Result<Vec<String>, Error>> {
        let plugin = Arc::clone(&self.hooks.plugin);
        Ok(told(plugin.existing_users(&ids).await))
    }

    async fn list_users(
        &mut self,
        limit: u32,
        cursor: Option<String>,
    ) -> wasmtime::Result<std::result::Result<Page, Error>> {
        let plugin = Arc::clone(&self.hooks.plugin);
        Ok(told(plugin.list_users(limit, cursor.as_deref()).await))
    }
}

fn told_of_accounts<T>(outcome: Result<T>) -> std::result::Result<T, accounts::Error> {
    told(outcome).map_err(|Error { code, message }| accounts::Error { code, message })
}

impl accounts::Host for State {
    async fn free_ids(
        &mut self,
        ids: Vec<String>,
    ) -> wasmtime::Result<std::result::Result<Vec<String>, accounts::Error>> {
        let asked = ids.get(..ids.len().min(MAX_PAGE as usize));
        Ok(told_of_accounts(match self.may_add_users() {
            Ok((users, _)) => users.free_ids(asked.unwrap_or_default()).await,
            Err(error) => Err(error),
        }))
    }

    async fn add_user(
        &mut self,
        user: NewUser,
    ) -> wasmtime::Result<std::result::Result<(), accounts::Error>> {
        let user = UserToAdd {
            id: user.id,
            email: user.email,
            handle: user.handle,
            name: user.name,
            roles: user.roles,
        };
        Ok(told_of_accounts(match self.may_add_users() {
            Ok((users, adder)) => users.add(adder, user).await,
            Err(error) => Err(error),
        }))
    }
}
