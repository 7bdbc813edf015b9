//! Waiting for conditions instead of for time.

use crate::TestServer;
use std::{
    future::Future,
    time::{Duration, Instant},
};

/// The longest that anything is waited for. Only what never comes waits so long:
/// tests run beside others on a machine that may be slow.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// The longest for what nodes tell one another where their machine is kept busy
/// on purpose, and for what a clock brings about; [`until_told`] is for the rest.
pub const AT_ONCE: Duration = Duration::from_secs(15);

/// What is promised: an acknowledged change holds on every node this soon.
const PROMISED: Duration = Duration::from_secs(1);

/// Answers of before the change that a node may give where a second does not
/// suffice for them: the second holds fewer on a machine with room.
const OLD_ANSWERS: u32 = 50;

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

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
        tokio::time::sleep(PAUSE).await;
    }
}

/// As [`until`], for what `node` is promised to have learned within a second
/// from the node that has just acknowledged it. On the node that acknowledged
/// it there is nothing to wait for.
///
/// How slow the machine is, is measured by what else the node does meanwhile:
/// before each look it reads the platform's database for another call, as it
/// does to take a change up. Too late is what has not come when the second is
/// over and the node has answered from before the change fifty times.
///
/// # Panics
/// When it comes too late, saying `what` was awaited.
pub async fn until_told<T, F>(what: &str, node: &TestServer, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let acknowledged = Instant::now();
    let admin = node.admin();
    let mut old = 0;
    loop {
        let _ = admin.get("/admin/v1/projects?limit=1").await.expect(200);
        if let Some(found) = look().await {
            return found;
        }
        old += 1;
        let late = acknowledged.elapsed();
        assert!(
            late < PROMISED || old < OLD_ANSWERS,
            "{what} did not come about within {late:?} and {old} answers"
        );
        tokio::time::sleep(PAUSE).await;
    }
}
