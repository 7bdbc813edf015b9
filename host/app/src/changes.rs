//! Follows the changes feed, so that what one node changed is taken up by all
//! within a second: on a hint at once, else every half second. A listener
//! that fails gets the same changes again.

use async_trait::async_trait;
use atlashub_core::Result;
use atlashub_data::platform::{Change, ChangeHints, Platform};
use futures::StreamExt as _;
use std::{sync::Arc, time::Duration};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// How often the feed is read without a hint.
const POLL: Duration = Duration::from_millis(500);
/// Changes read at once.
const BATCH: u64 = 500;
/// Wait after a listener or the database failed.
const RETRY: Duration = Duration::from_millis(500);
/// Wait before listening for hints is tried again.
const RELISTEN: Duration = Duration::from_secs(10);

/// Changes in their order.
#[derive(Clone, Debug)]
pub struct ChangeBatch {
    /// The changes.
    pub changes: Vec<Change>,
    /// Whether some before these were pruned unseen: take everything up anew.
    pub lost: bool,
}

/// Something that must take changes up.
#[async_trait]
pub trait ChangeListener: Send + Sync {
    /// Takes a batch up. May see the same batch again.
    ///
    /// # Errors
    /// When it could not; the batch comes again.
    async fn take(&self, batch: &ChangeBatch) -> Result<()>;
}

/// Follows the feed from the number `seq` until `stop`.
pub(crate) async fn follow(
    platform: Platform,
    mut seq: i64,
    listeners: Vec<Arc<dyn ChangeListener>>,
    stop: CancellationToken,
) {
    let mut hints = listen(&platform).await;
    let mut relisten = tokio::time::Instant::now() + RELISTEN;
    let mut ticks = tokio::time::interval(POLL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
            _ = next_hint(&mut hints) => {}
        }
        if hints.is_none() && tokio::time::Instant::now() >= relisten {
            hints = listen(&platform).await;
            relisten = tokio::time::Instant::now() + RELISTEN;
        }
        loop {
            match read_once(&platform, seq, &listeners).await {
                Ok(Some(newest)) => seq = newest,
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "changes were not taken up, trying again");
                    if stop
                        .run_until_cancelled(tokio::time::sleep(RETRY))
                        .await
                        .is_none()
                    {
                        return;
                    }
                }
            }
        }
    }
}

/// Reads one batch and hands it on; the number it ended with, or `None` when
/// there was nothing.
async fn read_once(
    platform: &Platform,
    seq: i64,
    listeners: &[Arc<dyn ChangeListener>],
) -> Result<Option<i64>> {
    let page = platform.changes().since(seq, BATCH).await?;
    let newest = page.items.last().map(|change| change.seq);
    if newest.is_none() && !page.lost {
        return Ok(None);
    }
    let batch = ChangeBatch {
        changes: page.items,
        lost: page.lost,
    };
    for listener in listeners {
        listener.take(&batch).await?;
    }
    match newest {
        Some(newest) => Ok(Some(newest)),
        None => platform.changes().latest_seq().await.map(Some),
    }
}

async fn listen(platform: &Platform) -> Option<ChangeHints> {
    match platform.listen().await {
        Ok(hints) => Some(hints),
        Err(error) => {
            tracing::warn!(error = %chain(&error), "no notifications of changes, reading the feed every half second");
            None
        }
    }
}

async fn next_hint(hints: &mut Option<ChangeHints>) {
    match hints {
        Some(stream) => {
            if stream.next().await.is_none() {
                *hints = None;
            }
        }
        None => std::future::pending().await,
    }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
