//! What a request holds of the project's and the host's places, and how a call
//! that its plugin makes to another rides on it: the caller waits meanwhile,
//! so that both together are one piece of work. One call rides at a time; a
//! plugin that makes several at once needs places for the others.

use atlashub_core::Result;
use std::{
    fmt,
    sync::{Arc, OnceLock, Weak},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Leads a call to the places of the request that it comes from, for as long
/// as that is at work; nowhere for what comes from outside. Holds nothing
/// itself: whoever remembers a request keeps no place.
#[derive(Clone, Default)]
pub struct Seat(Weak<Held>);

/// The places of one request; given back when it and all that rides on it
/// have ended.
pub(crate) struct Held {
    _hold: Hold,
    /// Taken by the call that rides; made for the first.
    rider: OnceLock<Arc<Semaphore>>,
}

/// Where the places come from. What is told of last is given back last.
enum Hold {
    Own {
        _share: OwnedSemaphorePermit,
        _running: OwnedSemaphorePermit,
    },
    Callers {
        _ride: OwnedSemaphorePermit,
        _caller: Arc<Held>,
    },
}

impl Held {
    fn new(hold: Hold) -> Arc<Self> {
        Arc::new(Self {
            _hold: hold,
            rider: OnceLock::new(),
        })
    }

    /// For the calls of the plugin that works on these places.
    pub(crate) fn seat(self: &Arc<Self>) -> Seat {
        Seat(Arc::downgrade(self))
    }
}

impl Seat {
    /// Rides on the caller's places, or takes what `own` gives: the project's
    /// share and the host's place, in this order. While another call rides,
    /// whatever is free first.
    ///
    /// # Errors
    /// Those of `own`, when the caller's place is not free in that time.
    pub(crate) async fn take<F>(&self, own: F) -> Result<Arc<Held>>
    where
        F: Future<Output = Result<(OwnedSemaphorePermit, OwnedSemaphorePermit)>>,
    {
        let own = async {
            let (share, running) = own.await?;
            Ok(Held::new(Hold::Own {
                _share: share,
                _running: running,
            }))
        };
        let Some(caller) = self.0.upgrade() else {
            return own.await;
        };
        let rider = caller.rider.get_or_init(|| Arc::new(Semaphore::new(1)));
        let ride = Arc::clone(rider).acquire_owned();
        tokio::select! {
            biased;
            Ok(ride) = ride => Ok(Held::new(Hold::Callers {
                _ride: ride,
                _caller: Arc::clone(&caller),
            })),
            own = own => own,
        }
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Seat")
            .field(&(self.0.strong_count() > 0))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::Places;

    /// A project with one place, and a host with many.
    struct Project {
        share: Places,
        host: Places,
    }

    impl Project {
        fn new(share: usize) -> Self {
            Self {
                share: Places::impatient(share),
                host: Places::impatient(8),
            }
        }

        async fn take(&self, seat: &Seat) -> Result<Arc<Held>> {
            let own = async { Ok((self.share.take().await?, self.host.take().await?)) };
            seat.take(own).await
        }
    }

    #[tokio::test]
    async fn a_chain_of_calls_needs_one_place() {
        let project = Project::new(1);
        let mut chain = vec![project.take(&Seat::default()).await.unwrap()];
        for _ in 0..8 {
            let seat = chain.last().unwrap().seat();
            chain.push(project.take(&seat).await.unwrap());
        }
        // Whoever comes from outside has to wait for all of them.
        let outsider = project.take(&Seat::default()).await;
        assert_eq!(outsider.err().unwrap().code(), "saturated");
        drop(chain);
        assert!(project.take(&Seat::default()).await.is_ok());
    }

    #[tokio::test]
    async fn one_call_rides_at_a_time_and_others_take_places() {
        let project = Project::new(2);
        let caller = project.take(&Seat::default()).await.unwrap();
        let first = project.take(&caller.seat()).await.unwrap();
        let second = project.take(&caller.seat()).await.unwrap();
        let third = project.take(&caller.seat()).await;
        assert_eq!(third.err().unwrap().code(), "saturated");
        let seat = caller.seat();
        let (third, ()) = tokio::join!(project.take(&seat), async { drop(first) });
        assert!(third.is_ok(), "the seat was free again");
        drop((second, third));
        assert!(project.take(&Seat::default()).await.is_ok());
    }

    #[tokio::test]
    async fn a_place_is_held_until_the_last_that_rides_on_it_has_ended() {
        let project = Project::new(1);
        let caller = project.take(&Seat::default()).await.unwrap();
        let seat = caller.seat();
        let call = project.take(&seat).await.unwrap();
        drop(caller);
        assert!(project.take(&Seat::default()).await.is_err());
        drop(call);
        let next = project.take(&Seat::default()).await.unwrap();
        // The seat of a request that has ended leads nowhere.
        assert!(project.take(&seat).await.is_err());
        drop(next);
        assert!(project.take(&seat).await.is_ok());
    }
}
