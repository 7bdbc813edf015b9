//! Waiting for conditions instead of for time.

use std::{
    future::Future,
    time::{Duration, Instant},
};

/// The longest that anything is waited for. Only what never comes waits so long:
/// tests run beside others on a machine that may be slow.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// The longest for what nodes tell one another: a second is what they promise
/// on a machine with room, and what they would learn without being told takes
/// minutes.
pub const AT_ONCE: Duration = Duration::from_secs(15);

/// Looks again and again until `look` finds something, and answers it.
///
/// # Panics
/// When it has not after `deadline`, saying `what` was awaited.
pub async fn until<T, F>(what: &str, deadline: Duration, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(
            Instant::now() < end,
            "{what} did not come about within {deadline:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
