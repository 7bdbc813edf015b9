//! Users as those see them who look after a project: platform admins, its own
//! users with the role `admin`, and its servers.

use super::{profile, roles};
use crate::{Actor, App, admins};
use atlashub_core::{ProjectId, Result, UserId};
use atlashub_data::platform::{EndUser, Identity, NewUser, Page, UserFilter, UserPatch};
use secrecy::SecretString;
use serde_json::json;

/// A user to be added by somebody else.
pub struct AddUser {
    /// The address.
    pub email: String,
    /// The password; without one the user signs in by mail, or sets one.
    pub password: Option<SecretString>,
    /// The name that others see.
    pub name: Option<String>,
    /// The handle.
    pub handle: Option<String>,
    /// The roles; `editor` unless given.
    pub roles: Option<Vec<String>>,
    /// Whether it is known that the address is the user's.
    pub email_verified: bool,
}

/// What to change of a user; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default)]
pub struct AccountPatch {
    /// Another address.
    pub email: Option<String>,
    /// Whether it is known that the address is the user's.
    pub email_verified: Option<bool>,
    /// Another password; all sessions end.
    pub password: Option<SecretString>,
    /// Another name, or none.
    pub name: Option<Option<String>>,
    /// Another handle, or none.
    pub handle: Option<Option<String>>,
    /// Other roles, in place of all.
    pub roles: Option<Vec<String>>,
    /// Shut out, or let in again.
    pub disabled: Option<bool>,
}

impl App {
    /// A page of a project's users.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn users(
        &self,
        project: ProjectId,
        filter: &UserFilter,
        after: Option<UserId>,
        limit: u64,
    ) -> Result<Page<EndUser, UserId>> {
        self.platform()
            .users()
            .list(project, filter, after, limit)
            .await
    }

    /// Users of a project from the `offset`th on, and how many there are.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn users_by_number(
        &self,
        project: ProjectId,
        offset: u64,
        limit: u64,
    ) -> Result<(Vec<EndUser>, u64)> {
        let users = self.platform().users();
        users.slice(project, offset, limit).await
    }

    /// Who a user is elsewhere.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn identities_of(&self, project: ProjectId, user: UserId) -> Result<Vec<Identity>> {
        self.platform().identities().list(project, user).await
    }

    /// A user of a project.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn user(&self, project: ProjectId, id: UserId) -> Result<EndUser> {
        self.platform().users().get(project, id).await
    }

    /// Adds a user, whoever may sign up.
    ///
    /// # Errors
    /// `invalid_email`, `weak_password`, `invalid_handle`, `invalid_name`,
    /// `unknown_role`, `email_taken`, `handle_taken`.
    pub async fn add_user(
        &self,
        actor: &Actor,
        project: ProjectId,
        wanted: AddUser,
    ) -> Result<EndUser> {
        let auth = self.access().project(project).await?;
        let email = admins::email(&wanted.email)?;
        let held = wanted
            .roles
            .unwrap_or_else(|| vec![roles::DEFAULT.to_owned()]);
        self.check_roles(project, &held).await?;
        let name = profile::name(wanted.name)?;
        let handle = profile::handle(wanted.handle)?;
        let password_hash = match wanted.password {
            Some(password) => {
                super::password::check(&auth.settings, &password, &email)?;
                Some(self.passwords().hash(password).await?)
            }
            None => None,
        };
        let new = NewUser {
            email,
            handle,
            name,
            password_hash,
            email_verified: wanted.email_verified,
            roles: held,
        };
        let unit = self.platform().begin().await?;
        let user = unit.users().create(project, new).await?;
        unit.audit()
            .append(actor.did(
                "user.create",
                Some(project),
                user.id.to_string(),
                json!({ "roles": user.roles }),
            ))
            .await?;
        unit.commit().await?;
        Ok(user)
    }

    /// Changes a user. Other roles, and being shut out, hold on every node
    /// within a second.
    ///
    /// # Errors
    /// `not_found`, `unknown_role`, `email_taken`, `handle_taken` and what a
    /// name may not be.
    pub async fn change_user(
        &self,
        actor: &Actor,
        project: ProjectId,
        id: UserId,
        wanted: AccountPatch,
    ) -> Result<EndUser> {
        if let Some(held) = &wanted.roles {
            self.check_roles(project, held).await?;
        }
        let details = json!({
            "roles": wanted.roles,
            "disabled": wanted.disabled,
            "email": wanted.email.is_some(),
            "email_verified": wanted.email_verified,
            "password": wanted.password.is_some(),
        });
        let password_hash = match wanted.password {
            Some(password) => {
                let auth = self.access().project(project).await?;
                let user = self.platform().users().get(project, id).await?;
                super::password::check(&auth.settings, &password, &user.email)?;
                Some(Some(self.passwords().hash(password).await?))
            }
            None => None,
        };
        let patch = UserPatch {
            email: wanted
                .email
                .map(|email| admins::email(&email))
                .transpose()?,
            email_verified: wanted.email_verified,
            name: wanted.name.map(profile::name).transpose()?,
            handle: wanted.handle.map(profile::handle).transpose()?,
            roles: wanted.roles,
            disabled: wanted.disabled,
            password_hash,
            ..UserPatch::default()
        };
        let unit = self.platform().begin().await?;
        let user = unit.users().update(project, id, patch).await?;
        unit.audit()
            .append(actor.did("user.update", Some(project), id.to_string(), details))
            .await?;
        unit.commit().await?;
        self.access().forget_user(id);
        Ok(user)
    }

    /// Removes a user with all pictures, and ends all sessions.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn delete_user(&self, actor: &Actor, project: ProjectId, id: UserId) -> Result<()> {
        // First, so that a store that fails leaves a user who can be removed
        // again, and no objects that nothing leads to.
        self.delete_all_avatars(project, id).await?;
        let unit = self.platform().begin().await?;
        unit.users().delete(project, id).await?;
        unit.audit()
            .append(actor.did("user.delete", Some(project), id.to_string(), json!({})))
            .await?;
        unit.commit().await?;
        self.access().forget_user(id);
        // What came in between.
        if let Err(error) = self.delete_all_avatars(project, id).await {
            tracing::warn!(%error, %project, user = %id, "a picture was not deleted");
        }
        Ok(())
    }

    /// Takes away the second factor of a user who lost it, and ends all
    /// sessions.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn reset_second_factor(
        &self,
        actor: &Actor,
        project: ProjectId,
        id: UserId,
    ) -> Result<()> {
        let unit = self.platform().begin().await?;
        if !unit.users().remove_second_factor(project, id).await? {
            return Err(atlashub_core::Error::not_found("second factor"));
        }
        unit.user_sessions().revoke_all(project, id, None).await?;
        unit.audit()
            .append(actor.did("user.reset_totp", Some(project), id.to_string(), json!({})))
            .await?;
        unit.commit().await?;
        self.access().forget_user(id);
        Ok(())
    }
}
