//! Who a user is elsewhere: listed, and unlinked.

use crate::{
    App,
    users::{Client, SignedInUser, deeds::who},
};
use atlashub_core::{IdentityId, Result};
use atlashub_data::platform::Identity;
use serde_json::json;

impl App {
    /// The identities of the user behind an access token, oldest first.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn user_identities(&self, me: &SignedInUser) -> Result<Vec<Identity>> {
        let identities = self.platform().identities();
        identities.list(me.project, me.id()).await
    }

    /// Unlinks an identity of the user behind an access token.
    ///
    /// # Errors
    /// `not_found`, `last_way_in`.
    pub async fn unlink_identity(
        &self,
        me: &SignedInUser,
        id: IdentityId,
        client: &Client,
    ) -> Result<()> {
        let unit = self.platform().begin().await?;
        unit.identities().unlink(me.project, me.id(), id).await?;
        unit.audit()
            .append(who(me, client).did(
                "user.unlink_identity",
                Some(me.project),
                me.id().to_string(),
                json!({ "identity_id": id }),
            ))
            .await?;
        unit.commit().await
    }
}
