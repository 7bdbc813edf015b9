//! Sessions of platform admins: opaque tokens of which only the hash is kept,
//! 12 hours since last use, 30 days at most. Found sessions are cached for
//! half a minute and forgotten at once when the changes feed says so.

mod authenticate;
mod sign_in;
mod sign_out;

pub use authenticate::AdminIdentity;
pub use sign_in::SignedIn;

use crate::changes::{ChangeBatch, ChangeListener};
use async_trait::async_trait;
use atlashub_core::{Digest, Result};
use atlashub_data::platform::ChangeKind;
use moka::sync::Cache;
use std::time::Duration;

/// A session ends after this time without use.
pub(crate) const IDLE: time::Duration = time::Duration::hours(12);
/// A session ends after this time in any case.
pub(crate) const LONGEST: time::Duration = time::Duration::days(30);
/// How a session's token starts.
pub(crate) const TOKEN_PREFIX: &str = "aht_";

/// Sessions found lately.
pub(crate) struct SessionCache(Cache<Digest, AdminIdentity>);

impl SessionCache {
    pub(crate) fn new() -> Self {
        Self(
            Cache::builder()
                .max_capacity(1_000)
                .time_to_live(Duration::from_secs(30))
                .build(),
        )
    }
}

#[async_trait]
impl ChangeListener for SessionCache {
    async fn take(&self, batch: &ChangeBatch) -> Result<()> {
        let touches_admins = batch.changes.iter().any(|change| {
            matches!(
                change.kind,
                ChangeKind::AdminChanged | ChangeKind::SessionsRevoked | ChangeKind::Other(_)
            )
        });
        if batch.lost || touches_admins {
            self.0.invalidate_all();
        }
        Ok(())
    }
}
