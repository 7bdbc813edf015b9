//! Replacing a key.

use super::CreatedKey;
use crate::{Actor, App};
use atlashub_core::{Error, KeyId, ProjectId, Result, token};
use atlashub_data::platform::NewKey;
use serde_json::json;

impl App {
    /// Puts a new key of the same kind and name in place of an old one, which
    /// ends at once, everywhere within a second.
    ///
    /// # Errors
    /// `not_found`, `key_revoked`.
    pub async fn rotate_key(
        &self,
        actor: &Actor,
        project: ProjectId,
        id: KeyId,
    ) -> Result<CreatedKey> {
        let unit = self.platform().begin().await?;
        let old = unit
            .keys()
            .find(project, id)
            .await?
            .ok_or_else(|| Error::not_found("key"))?;
        let token = token::generate(old.kind.prefix())?;
        let new = NewKey::of_token(old.kind, old.name, &token, old.expires_at);
        let key = unit.keys().rotate(project, id, new, None).await?;
        unit.audit()
            .append(actor.did(
                "key.rotate",
                Some(project),
                id.to_string(),
                json!({ "new": key.id }),
            ))
            .await?;
        unit.commit().await?;
        self.take_up_keys(project).await;
        Ok(CreatedKey { key, token })
    }
}
