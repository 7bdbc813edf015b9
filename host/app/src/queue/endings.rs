//! Items that were done are noted many at a time: those that end while one
//! statement is under way share the next. Each attempt waits for its own
//! answer, so that nothing counts as done before the database has it.
//!
//! Bounded by the places of the worker, whose attempts these are.

use atlashub_core::Result;
use atlashub_data::platform::{Lease, Outcome, Platform};
use tokio::sync::{mpsc, oneshot};

/// Most items of one statement.
const AT_ONCE: usize = 256;

/// An item that was done, and who waits for that to be noted.
struct Ending {
    lease: Lease,
    noted: oneshot::Sender<bool>,
}

/// Where attempts bring what was done.
pub(super) struct Endings {
    sender: mpsc::Sender<Ending>,
}

/// What notes it.
pub(super) struct Noting {
    platform: Platform,
    receiver: mpsc::Receiver<Ending>,
}

impl Endings {
    pub(super) fn new(platform: Platform) -> (Self, Noting) {
        let (sender, receiver) = mpsc::channel(AT_ONCE);
        (Self { sender }, Noting { platform, receiver })
    }

    /// Notes that an item without an ordering key was done. False when the
    /// lease holds no more.
    ///
    /// # Errors
    /// When the database cannot.
    pub(super) async fn done(&self, platform: &Platform, lease: Lease) -> Result<bool> {
        let (noted, answer) = oneshot::channel();
        if self.sender.send(Ending { lease, noted }).await.is_ok()
            && let Ok(held) = answer.await
        {
            return Ok(held);
        }
        // The statement for many failed: once more, alone.
        platform.queue().finish(lease, Outcome::Done).await
    }
}

impl Noting {
    /// Notes what is brought until nobody is left to bring anything.
    pub(super) async fn run(mut self) {
        let mut endings = Vec::with_capacity(AT_ONCE);
        while self.receiver.recv_many(&mut endings, AT_ONCE).await > 0 {
            let leases: Vec<Lease> = endings.iter().map(|ending| ending.lease).collect();
            match self.platform.queue().complete(&leases).await {
                Ok(held) => {
                    for Ending { lease, noted } in endings.drain(..) {
                        // Who was stopped meanwhile does not wait any more.
                        let _ = noted.send(held.contains(&lease));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, count = leases.len(), "what was done is noted one by one");
                    endings.clear();
                }
            }
        }
    }
}
