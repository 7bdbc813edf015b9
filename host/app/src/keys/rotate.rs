//! Replacing a key.

use super::CreatedKey;
use crate::{Actor, App};
use atlashub_core::{Error, KeyId, ProjectId, Result, token};
use atlashub_data::platform::NewKey;
use serde_json::json;
use time::{Duration, OffsetDateTime};

/// Longest time that an old key stays valid beside the new one.
const MAX_OVERLAP: Duration = Duration::days(30);

/// How a key is replaced.
#[derive(Clone, Copy, Debug, Default)]
pub struct RotateKey {
    /// How long the old key stays valid, seconds.
    pub overlap_seconds: u64,
    /// When the new key stops working by itself; as the old one unless given.
    pub expires_at: Option<OffsetDateTime>,
}

impl App {
    /// Puts a new key of the same kind and name in place of an old one, which
    /// ends after the overlap, everywhere within a second.
    ///
    /// # Errors
    /// `not_found`, `key_revoked`, `invalid_overlap`, `invalid_expiry`.
    pub async fn rotate_key(
        &self,
        actor: &Actor,
        project: ProjectId,
        id: KeyId,
        wanted: RotateKey,
    ) -> Result<CreatedKey> {
        let now = self.clock().now();
        let overlap = i64::try_from(wanted.overlap_seconds)
            .map(Duration::seconds)
            .ok()
            .filter(|overlap| *overlap <= MAX_OVERLAP)
            .ok_or_else(|| {
                Error::invalid(
                    "invalid_overlap",
                    "the old key may stay for 30 days at most",
                )
            })?;
        let unit = self.platform().begin().await?;
        let old = unit
            .keys()
            .find(project, id)
            .await?
            .ok_or_else(|| Error::not_found("key"))?;
        let expires_at = wanted.expires_at.or(old.expires_at);
        if expires_at.is_some_and(|at| at <= now) {
            return Err(Error::invalid(
                "invalid_expiry",
                "the new key would have expired already: give an `expires_at` that lies ahead",
            ));
        }
        let token = token::generate(old.kind.prefix())?;
        let new = NewKey::of_token(old.kind, old.name, &token, expires_at);
        let until = overlap.is_positive().then(|| now + overlap);
        let key = unit.keys().rotate(project, id, new, until).await?;
        unit.audit()
            .append(actor.did(
                "key.rotate",
                Some(project),
                id.to_string(),
                json!({ "new": key.id, "overlap_seconds": wanted.overlap_seconds }),
            ))
            .await?;
        unit.commit().await?;
        self.take_up_keys(project).await;
        Ok(CreatedKey { key, token })
    }
}
