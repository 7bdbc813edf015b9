//! Making a key.

use super::name;
use crate::{Actor, App};
use atlashub_core::{Error, KeyKind, ProjectId, Result, token};
use atlashub_data::platform::{Key, NewKey};
use serde_json::json;
use time::OffsetDateTime;

/// A key to be made.
#[derive(Clone, Debug)]
pub struct CreateKey {
    /// Publishable or secret.
    pub kind: KeyKind,
    /// What people call it.
    pub name: Option<String>,
    /// When it stops working by itself.
    pub expires_at: Option<OffsetDateTime>,
}

/// A key that was made.
#[derive(Clone)]
pub struct CreatedKey {
    /// What is kept of it.
    pub key: Key,
    /// The key itself, shown once.
    pub token: String,
}

impl App {
    /// Makes a key of a project.
    ///
    /// # Errors
    /// `not_found`, `invalid_name`, `invalid_expiry`.
    pub async fn create_key(
        &self,
        actor: &Actor,
        project: ProjectId,
        wanted: CreateKey,
    ) -> Result<CreatedKey> {
        if wanted.expires_at.is_some_and(|at| at <= self.clock().now()) {
            return Err(Error::invalid(
                "invalid_expiry",
                "`expires_at` lies in the past",
            ));
        }
        let token = token::generate(wanted.kind.prefix())?;
        let new = NewKey::of_token(wanted.kind, name(wanted.name)?, &token, wanted.expires_at);
        let unit = self.platform().begin().await?;
        let key = unit.keys().create(project, new).await?;
        unit.audit()
            .append(actor.did(
                "key.create",
                Some(project),
                key.id.to_string(),
                json!({ "kind": key.kind, "name": key.name }),
            ))
            .await?;
        unit.commit().await?;
        Ok(CreatedKey { key, token })
    }
}
