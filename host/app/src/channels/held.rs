//! A held connection's bytes: what it missed, then what is published, a
//! heartbeat when that is silent, and at the end why it ends.

use super::{
    encode,
    streams::{Ending, Numbered, Place},
};
use bytes::Bytes;
use futures::Stream;
use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, Sleep, sleep_until},
};

/// Silence after which a heartbeat is written: well below what proxies wait.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A held stream. Its place among the others ends with it.
pub(super) struct Held {
    place: Place,
    receiver: mpsc::Receiver<Numbered>,
    first: VecDeque<Bytes>,
    /// Messages up to this number were in `first`, if they were wanted.
    from: i64,
    until: Option<Instant>,
    wake: Pin<Box<Sleep>>,
    ended: bool,
}

impl Held {
    /// A stream of at most the time that is `left` of the caller's token.
    pub(super) fn new(
        place: Place,
        receiver: mpsc::Receiver<Numbered>,
        first: VecDeque<Bytes>,
        from: i64,
        left: Option<Duration>,
    ) -> Self {
        let now = Instant::now();
        let until = left.and_then(|left| now.checked_add(left));
        Self {
            place,
            receiver,
            first,
            from,
            until,
            wake: Box::pin(sleep_until(next_wake(now, until))),
            ended: false,
        }
    }

    fn rest(&mut self) {
        let next = next_wake(Instant::now(), self.until);
        self.wake.as_mut().reset(next);
    }

    fn end(&mut self, why: Ending) -> Bytes {
        self.ended = true;
        self.receiver.close();
        encode::ending(why)
    }
}

fn next_wake(now: Instant, until: Option<Instant>) -> Instant {
    let beat = now + HEARTBEAT;
    until.map_or(beat, |until| beat.min(until))
}

impl Stream for Held {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        if let Some(bytes) = this.first.pop_front() {
            return Poll::Ready(Some(bytes));
        }
        loop {
            match this.receiver.poll_recv(context) {
                Poll::Ready(Some((seq, _))) if seq <= this.from => {}
                Poll::Ready(Some((_, bytes))) => {
                    this.rest();
                    return Poll::Ready(Some(bytes));
                }
                Poll::Ready(None) => {
                    let why = this.place.ending.get().copied();
                    return Poll::Ready(Some(this.end(why.unwrap_or(Ending::ShuttingDown))));
                }
                Poll::Pending => break,
            }
        }
        if this.wake.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        if this.until.is_some_and(|until| until <= Instant::now()) {
            return Poll::Ready(Some(this.end(Ending::Expired)));
        }
        this.rest();
        Poll::Ready(Some(encode::heartbeat()))
    }
}
