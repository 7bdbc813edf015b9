//! Signing out.

use super::AdminIdentity;
use crate::{Actor, App};
use atlashub_core::Result;
use serde_json::json;

impl App {
    /// Ends a session, on this node at once and on the others within a
    /// second.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn sign_out(&self, actor: &Actor, identity: &AdminIdentity) -> Result<()> {
        let unit = self.platform().begin().await?;
        if unit.sessions().revoke(identity.session).await? {
            unit.audit()
                .append(actor.did(
                    "session.delete",
                    None,
                    identity.session.to_string(),
                    json!({}),
                ))
                .await?;
        }
        unit.commit().await?;
        self.session_cache().forget(&identity.token_hash);
        Ok(())
    }
}
