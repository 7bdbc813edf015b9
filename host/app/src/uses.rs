//! What was used since that was last written down. It stands apart from what is
//! remembered of keys and passwords: who forgets those loses no use.

use atlashub_core::Result;
use parking_lot::Mutex;
use std::{
    collections::HashSet,
    hash::Hash,
    sync::atomic::{AtomicU64, Ordering},
};

/// Ids of what was used. Only what is valid gets here, which bounds them.
pub(crate) struct Uses<Id> {
    ids: Mutex<HashSet<Id>>,
    /// Grows when they are taken to be written down.
    round: AtomicU64,
}

/// In which round a use of one thing was noted last.
#[derive(Debug, Default)]
pub(crate) struct Noted(AtomicU64);

impl<Id: Copy + Eq + Hash> Uses<Id> {
    pub(crate) fn new() -> Self {
        Self {
            ids: Mutex::default(),
            round: AtomicU64::new(1),
        }
    }

    /// Notes a use; cheap after the first in a round.
    pub(crate) fn note(&self, id: Id, noted: &Noted) {
        let round = self.round.load(Ordering::Relaxed);
        if noted.0.load(Ordering::Relaxed) != round {
            self.ids.lock().insert(id);
            noted.0.store(round, Ordering::Relaxed);
        }
    }

    /// Has what was used since the last call written down, if it is anything;
    /// what was not is there the next time.
    ///
    /// # Errors
    /// Those of `write`.
    pub(crate) async fn flush(&self, write: impl AsyncFnOnce(&[Id]) -> Result<()>) -> Result<()> {
        let used = self.take();
        if used.is_empty() {
            return Ok(());
        }
        let outcome = write(&used).await;
        if outcome.is_err() {
            self.ids.lock().extend(used);
        }
        outcome
    }

    fn take(&self) -> Vec<Id> {
        let mut ids = self.ids.lock();
        self.round.fetch_add(1, Ordering::Relaxed);
        std::mem::take(&mut *ids).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use atlashub_core::Error;

    #[test]
    fn a_use_is_noted_once_a_round_and_outlives_what_is_remembered() {
        let uses = Uses::new();
        {
            let noted = Noted::default();
            for _ in 0..3 {
                uses.note(7, &noted);
            }
        }
        assert_eq!(uses.take(), [7]);
        assert!(uses.take().is_empty());
        let anew = Noted::default();
        uses.note(7, &anew);
        assert_eq!(uses.take(), [7]);
        uses.note(7, &anew);
        assert_eq!(uses.take(), [7]);
    }

    #[tokio::test]
    async fn what_was_not_written_down_comes_again() {
        let uses = Uses::new();
        uses.note(7, &Noted::default());
        let failed = uses.flush(async |used| {
            assert_eq!(used, [7]);
            Err(Error::not_found("the table"))
        });
        assert!(failed.await.is_err());
        let mut written = Vec::new();
        let wrote = uses.flush(async |used| {
            written.extend_from_slice(used);
            Ok(())
        });
        wrote.await.unwrap();
        assert_eq!(written, [7]);
        let nothing = uses.flush(async |_| panic!("there is nothing to write"));
        nothing.await.unwrap();
    }
}
