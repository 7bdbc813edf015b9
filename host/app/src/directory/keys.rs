//! API keys that were seen: by the SHA-256 of their text, until a change of
//! their project or their expiry.

use crate::{
    Actor,
    uses::{Noted, Uses},
};
use atlashub_core::{Digest, KeyId, KeyKind, ProjectId, Result, token};
use atlashub_data::platform::Platform;
use moka::sync::Cache;
use parking_lot::{Mutex, RwLock};
use serde_json::json;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use time::OffsetDateTime;

/// How long it is remembered that a key is not valid.
const BAD_FOR: Duration = Duration::from_millis(500);
/// How many bad keys are remembered.
const BAD_KEYS: u64 = 10_000;

/// A valid key.
#[derive(Debug)]
pub struct KnownKey {
    /// Its id.
    pub id: KeyId,
    /// Its project.
    pub project: ProjectId,
    /// Publishable or secret.
    pub kind: KeyKind,
    hash: Digest,
    ends_at: Option<OffsetDateTime>,
    noted: Noted,
}

pub(super) struct KeyRing {
    known: RwLock<HashMap<Digest, Arc<KnownKey>>>,
    bad: Cache<Digest, ()>,
    uses: Uses<KeyId>,
    /// Grows when keys are forgotten: what was read before is not remembered.
    epoch: AtomicU64,
    forgetting: Mutex<()>,
}

impl KeyRing {
    pub(super) fn new() -> Self {
        Self {
            known: RwLock::default(),
            bad: Cache::builder()
                .max_capacity(BAD_KEYS)
                .time_to_live(BAD_FOR)
                .build(),
            uses: Uses::new(),
            epoch: AtomicU64::new(0),
            forgetting: Mutex::new(()),
        }
    }

    pub(super) async fn find(
        &self,
        platform: &Platform,
        text: &str,
    ) -> Result<Option<Arc<KnownKey>>> {
        let hash = token::hash(text);
        let known = self.known.read().get(&hash).cloned();
        if let Some(known) = known {
            let valid = token::matches(&known.hash, &hash)
                && known.ends_at.is_none_or(|at| at > platform.now());
            if valid {
                self.uses.note(known.id, &known.noted);
                return Ok(Some(known));
            }
            return Ok(None);
        }
        if self.bad.contains_key(&hash) {
            return Ok(None);
        }
        let epoch = self.epoch.load(Ordering::Acquire);
        let found = platform.keys().find_by_hash(&hash).await?;
        let Some(key) = found.filter(|key| key.is_valid_at(platform.now())) else {
            self.bad.insert(hash, ());
            return Ok(None);
        };
        let ends_at = match (key.expires_at, key.revoked_at) {
            (Some(left), Some(right)) => Some(left.min(right)),
            (left, right) => left.or(right),
        };
        let known = Arc::new(KnownKey {
            id: key.id,
            project: key.project,
            kind: key.kind,
            hash,
            ends_at,
            noted: Noted::default(),
        });
        self.uses.note(known.id, &known.noted);
        let _turn = self.forgetting.lock();
        if self.epoch.load(Ordering::Acquire) == epoch {
            self.known.write().insert(hash, Arc::clone(&known));
        }
        Ok(Some(known))
    }

    /// Forgets the keys of a project, and all bad ones.
    pub(super) fn forget(&self, project: ProjectId) {
        let _turn = self.forgetting.lock();
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.known.write().retain(|_, key| key.project != project);
        self.bad.invalidate_all();
    }

    pub(super) fn clear(&self) {
        let _turn = self.forgetting.lock();
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.known.write().clear();
        self.bad.invalidate_all();
    }
}

impl super::Directory {
    /// Writes down when keys were last used, and that one was used for the
    /// first time; called every few seconds.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn flush_key_use(&self) -> Result<()> {
        self.keys
            .uses
            .flush(async |used| self.write_key_use(used).await)
            .await
    }

    async fn write_key_use(&self, used: &[KeyId]) -> Result<()> {
        let now = self.platform.now();
        let uses: Vec<_> = used.iter().map(|id| (*id, now)).collect();
        let unit = self.platform.begin().await?;
        for (project, key) in unit.keys().touch_last_used(&uses).await? {
            let target = key.to_string();
            unit.audit()
                .append(Actor::host().did("key.first_use", Some(project), target, json!({})))
                .await?;
        }
        unit.commit().await
    }
}
