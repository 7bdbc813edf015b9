//! Sign-ins that failed, noted in the audit. What strangers can make the audit
//! remember is bounded: so many at once, then one every so often; the next
//! that is noted says how many were not.

use crate::{
    Actor, App,
    changes::chain,
    limits::rate::{Rate, Ticks},
};
use atlashub_core::{AdminId, Caller, RequestId};
use serde_json::json;
use std::{
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Refusals noted at once.
const BURST: u32 = 100;
/// The time in which as many may be noted again.
const WINDOW: Duration = Duration::from_secs(1_000);

/// How many refusals this node has noted lately.
pub(crate) struct Refusals {
    rate: Rate,
    ticks: Ticks,
    spent: AtomicU64,
    unnoted: AtomicU64,
}

/// Why a sign-in failed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal {
    /// The address or the password is wrong, or the admin is shut out.
    Password,
    /// The password fits, the second factor does not.
    SecondFactor,
}

impl Refusals {
    pub(crate) fn new() -> Self {
        Self {
            rate: Rate::over(BURST, WINDOW),
            ticks: Ticks::start(),
            spent: AtomicU64::new(0),
            unnoted: AtomicU64::new(0),
        }
    }

    /// Whether to note one more: with how many that were not.
    fn admit(&self) -> Option<u64> {
        if self
            .rate
            .take(&self.spent, self.ticks.now(), 1)
            .wait
            .is_some()
        {
            self.unnoted.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.unnoted.swap(0, Ordering::Relaxed))
    }
}

impl App {
    /// Notes a sign-in that failed; of an unknown account not its name, which
    /// may be a password typed into the wrong field.
    pub(crate) async fn note_refusal(
        &self,
        refusal: Refusal,
        admin: Option<AdminId>,
        from: IpAddr,
        request: Option<RequestId>,
    ) {
        let Some(unnoted) = self.refusals().admit() else {
            return;
        };
        let actor = Actor {
            caller: Caller::Nobody,
            request,
        };
        let reason = match refusal {
            Refusal::Password => "password",
            Refusal::SecondFactor => "second_factor",
        };
        let event = actor.did(
            "session.refused",
            None,
            admin.map(|id| id.to_string()),
            json!({ "reason": reason, "address": from, "unnoted": unnoted }),
        );
        if let Err(error) = self.platform().audit().append(event).await {
            tracing::warn!(error = %chain(&error), "a refused sign-in was not noted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_summed_up() {
        let refusals = Refusals::new();
        let noted = (0..1_000).filter(|_| refusals.admit().is_some()).count();
        assert_eq!(noted, 100);
        assert_eq!(refusals.unnoted.load(Ordering::Relaxed), 900);
    }
}
