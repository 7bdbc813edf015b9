//! Sessions of platform admins: opaque tokens of which only the hash is kept,
//! as long as the settings say since last use, 30 days at most. Found sessions are cached for
//! half a minute and forgotten at once when the changes feed says so.

mod authenticate;
pub(crate) mod refusals;
pub(crate) mod sign_in;
mod sign_out;

pub use authenticate::AdminIdentity;
pub use sign_in::{SignIn, SignedIn};

use crate::changes::{ChangeBatch, ChangeListener};
use async_trait::async_trait;
use atlashub_core::{Digest, Result};
use atlashub_data::platform::ChangeKind;
use moka::sync::Cache;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// A session ends after this time in any case.
pub(crate) const LONGEST: time::Duration = time::Duration::days(30);
/// How a session's token starts.
pub(crate) const TOKEN_PREFIX: &str = "aht_";

/// Sessions found lately.
pub(crate) type SessionCache = Remembered<AdminIdentity>;

/// Admins whose credentials were checked lately, by digest: for half a
/// minute, and until an admin is changed.
pub(crate) struct Remembered<T> {
    found: Cache<Digest, T>,
    /// Grows when something is forgotten: what was read before is not
    /// remembered.
    epoch: AtomicU64,
}

impl<T: Clone + Send + Sync + 'static> Remembered<T> {
    pub(crate) fn new() -> Self {
        Self {
            found: Cache::builder()
                .max_capacity(1_000)
                .time_to_live(Duration::from_secs(30))
                .build(),
            epoch: AtomicU64::new(0),
        }
    }

    pub(crate) fn get(&self, token: &Digest) -> Option<T> {
        self.found.get(token)
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Remembers what was read in `epoch`.
    pub(crate) fn insert(&self, epoch: u64, token: Digest, who: T) {
        self.found.insert(token, who);
        // Forgotten meanwhile: perhaps before it was inserted.
        if self.epoch() != epoch {
            self.found.invalidate(&token);
        }
    }

    fn forget(&self, token: &Digest) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.found.invalidate(token);
    }

    /// Forgets all, when an admin was changed.
    pub(crate) fn clear(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.found.invalidate_all();
    }
}

#[async_trait]
impl<T: Clone + Send + Sync + 'static> ChangeListener for Remembered<T> {
    async fn take(&self, batch: &ChangeBatch) -> Result<()> {
        let touches_admins = batch.changes.iter().any(|change| {
            matches!(
                change.kind,
                ChangeKind::AdminChanged | ChangeKind::SessionsRevoked | ChangeKind::Other(_)
            )
        });
        if batch.lost || touches_admins {
            self.clear();
        }
        Ok(())
    }
}
