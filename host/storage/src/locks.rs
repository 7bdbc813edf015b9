//! One lock a path, shared by what replaces and deletes objects: whoever
//! gives an object's bytes back to the quota must be the only one who does.
//!
//! Paths share a fixed number of locks, so nothing grows. Locks hold within
//! this process; nodes that share a store are told apart by the store itself.

use crate::path::ObjectPath;
use std::{
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
};
use tokio::sync::{Mutex, OwnedMutexGuard};

const LOCKS: usize = 256;

pub(crate) struct PathLocks {
    hasher: RandomState,
    locks: Vec<Arc<Mutex<()>>>,
}

impl PathLocks {
    pub(crate) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            locks: std::iter::repeat_with(Arc::default).take(LOCKS).collect(),
        }
    }

    /// Waits for the lock of a path.
    pub(crate) async fn lock(&self, path: &ObjectPath) -> Option<OwnedMutexGuard<()>> {
        let hash = usize::try_from(self.hasher.hash_one(path) % LOCKS as u64).unwrap_or(0);
        match self.locks.get(hash) {
            Some(lock) => Some(Arc::clone(lock).lock_owned().await),
            None => None,
        }
    }
}
