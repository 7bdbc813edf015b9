//! Reads the history of messages for the streams of this node: at once when
//! this node publishes, on a hint when another does, else every half second.
//! Reads nothing while nobody listens.

use super::HeldChannels;
use crate::changes::chain;
use atlashub_core::Result;
use atlashub_data::platform::ChangeHints;
use futures::StreamExt as _;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often it looks without a hint.
const POLL: Duration = Duration::from_millis(500);
/// Messages read at once.
const BATCH: u64 = 500;
/// Wait before listening is tried again.
const RELISTEN: Duration = Duration::from_secs(10);

/// Follows the history until `stop`, and ends the streams then.
pub(crate) async fn follow(channels: Arc<HeldChannels>, stop: CancellationToken) {
    let mut hints = listen(&channels).await;
    let mut relisten = Instant::now() + RELISTEN;
    let mut ticks = interval(POLL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = channels.wake.notified() => {}
            () = next(&mut hints) => {}
            _ = ticks.tick() => {
                if hints.is_none() && Instant::now() >= relisten {
                    hints = listen(&channels).await;
                    relisten = Instant::now() + RELISTEN;
                }
            }
        }
        if let Err(error) = read(&channels).await {
            tracing::warn!(error = %chain(&error), "messages to held streams were not read");
        }
    }
    channels.end_all();
}

async fn read(channels: &HeldChannels) -> Result<()> {
    while let Some(seq) = channels.read_from() {
        let messages = channels
            .platform
            .channel_messages()
            .since(seq, BATCH)
            .await?;
        if messages.is_empty() {
            break;
        }
        channels.hand_out(&messages);
    }
    Ok(())
}

async fn listen(channels: &HeldChannels) -> Option<ChangeHints> {
    match channels.platform.listen_for_messages().await {
        Ok(hints) => Some(hints),
        Err(error) => {
            tracing::warn!(error = %chain(&error), "no notifications of messages, looking twice a second");
            None
        }
    }
}

async fn next(hints: &mut Option<ChangeHints>) {
    match hints {
        Some(stream) => {
            if stream.next().await.is_none() {
                *hints = None;
            }
        }
        None => std::future::pending().await,
    }
}
