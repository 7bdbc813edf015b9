//! Who a user is elsewhere: listed, and unlinked.

use crate::{App, users::SignedInUser};
use atlashub_core::{IdentityId, Result};
use atlashub_data::platform::Identity;

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
    pub async fn unlink_identity(&self, me: &SignedInUser, id: IdentityId) -> Result<()> {
        let identities = self.platform().identities();
        identities.unlink(me.project, me.id(), id).await
    }
}
