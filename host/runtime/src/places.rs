//! Places for requests: so many at once, so many more may wait for a while,
//! the rest is told to come again.

use atlashub_core::{Error, ErrorKind, Result};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Longest wait for a place.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    waiting: AtomicUsize,
    queue: usize,
    patience: Duration,
    full: &'static str,
}

impl Places {
    /// `count` places and a queue twice as long; `full` is the message for
    /// whom there is no room.
    pub(crate) fn new(count: usize, full: &'static str) -> Self {
        Self {
            free: Arc::new(Semaphore::new(count)),
            waiting: AtomicUsize::new(0),
            queue: count.saturating_mul(2),
            patience: PATIENCE,
            full,
        }
    }

    /// Places for whose want one waits for a moment only.
    #[cfg(test)]
    pub(crate) fn impatient(count: usize) -> Self {
        Self {
            patience: Duration::from_millis(20),
            ..Self::new(count, "full")
        }
    }

    /// Takes a place, or waits for one.
    pub(crate) async fn take(&self) -> Result<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.free).try_acquire_owned() {
            return Ok(place);
        }
        let _waiting = Waiting::join(self).ok_or_else(|| unavailable("saturated", self.full))?;
        match tokio::time::timeout(self.patience, Arc::clone(&self.free).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(unavailable("saturated", self.full)),
        }
    }
}

/// One who waits; leaves the queue when dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn join(places: &'a Places) -> Option<Self> {
        let waiting = places.waiting.fetch_add(1, Ordering::Relaxed);
        let this = Self(&places.waiting);
        (waiting < places.queue).then_some(this)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// 503, to be tried again after a second.
pub(crate) fn unavailable(code: &'static str, message: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, code, message).with_retry_after(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_queue_is_bounded_in_length_and_time() {
        let places = Arc::new(Places::impatient(1));
        let held = places.take().await.unwrap();
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let places = Arc::clone(&places);
                tokio::spawn(async move { places.take().await.map(drop) })
            })
            .collect();
        let mut refused = 0;
        for waiter in waiters {
            refused += usize::from(waiter.await.unwrap().is_err());
        }
        assert_eq!(refused, 3, "all wait in vain: the place is held");
        drop(held);
        assert!(places.take().await.is_ok());
        assert_eq!(places.waiting.load(Ordering::Relaxed), 0);
    }
}
