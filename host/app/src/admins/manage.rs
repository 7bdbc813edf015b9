//! Listing admins, changing what they may do, shutting them out, removing
//! them. The last owner who can sign in stays.

use crate::{Actor, App};
use atlashub_core::{AdminId, AdminRole, Error, Result};
use atlashub_data::platform::{Admin, AdminPatch, Page};
use serde_json::json;

/// What to change of an admin; `None` leaves a thing as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct UpdateAdmin {
    /// Another role.
    pub role: Option<AdminRole>,
    /// Shut out, or let in again.
    pub disabled: Option<bool>,
}

impl App {
    /// A page of the admins, oldest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn admins(&self, after: Option<AdminId>, limit: u64) -> Result<Page<Admin, AdminId>> {
        self.platform().admins().list(after, limit).await
    }

    /// One admin.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn admin(&self, id: AdminId) -> Result<Admin> {
        let found = self.platform().admins().find(id).await?;
        found.ok_or_else(|| Error::not_found("admin"))
    }

    /// Changes an admin, here at once and on other nodes within a second.
    /// Whoever is shut out has no session any more.
    ///
    /// # Errors
    /// `not_found`, `last_owner`.
    pub async fn update_admin(
        &self,
        actor: &Actor,
        id: AdminId,
        wanted: UpdateAdmin,
    ) -> Result<Admin> {
        let unit = self.platform().begin().await?;
        let patch = AdminPatch {
            role: wanted.role,
            disabled: wanted.disabled,
            ..AdminPatch::default()
        };
        let admin = unit.admins().update(id, patch).await?;
        let details = json!({ "role": wanted.role, "disabled": wanted.disabled });
        unit.audit()
            .append(actor.did("admin.update", None, id.to_string(), details))
            .await?;
        unit.commit().await?;
        self.forget_admins();
        Ok(admin)
    }

    /// Removes an admin.
    ///
    /// # Errors
    /// `not_found`, `last_owner`.
    pub async fn remove_admin(&self, actor: &Actor, id: AdminId) -> Result<()> {
        let unit = self.platform().begin().await?;
        let admin = unit.admins().find(id).await?;
        let admin = admin.ok_or_else(|| Error::not_found("admin"))?;
        if !unit.admins().remove(id).await? {
            return Err(Error::not_found("admin"));
        }
        let details = json!({ "email": admin.email });
        unit.audit()
            .append(actor.did("admin.remove", None, id.to_string(), details))
            .await?;
        unit.commit().await?;
        self.forget_admins();
        Ok(())
    }
}
