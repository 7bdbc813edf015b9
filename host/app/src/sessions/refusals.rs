//! Sign-ins that failed, of admins and of projects' users, noted in the audit.
//! What strangers can make the audit remember is bounded: so many at once,
//! then one every so often; the next that is noted says how many were not.
//! Admins and each project are counted apart, so that a flood at one hides
//! nothing of the others.

use crate::{
    Actor, App,
    changes::chain,
    limits::rate::{Rate, Ticks},
    users::Client,
};
use atlashub_core::{AdminId, Caller, ProjectId, RequestId, UserId};
use moka::sync::Cache;
use serde_json::json;
use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Refusals noted at once.
const BURST: u32 = 100;
/// The time in which as many may be noted again.
const WINDOW: Duration = Duration::from_secs(1_000);
/// Projects that are counted; one that is forgotten starts anew.
const PROJECTS: u64 = 10_000;

/// How many refusals this node has noted lately.
pub(crate) struct Refusals {
    rate: Rate,
    ticks: Ticks,
    admins: Count,
    projects: Cache<ProjectId, Arc<Count>>,
}

/// The refusals at one door.
#[derive(Default)]
struct Count {
    spent: AtomicU64,
    unnoted: AtomicU64,
}

/// Why a sign-in failed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal {
    /// The address or the password is wrong, or the account is shut out.
    Password,
    /// The password fits, the second factor does not.
    SecondFactor,
    /// The address is not proven yet, where the project asks for it.
    Unverified,
    /// An app password fits nobody.
    AppPassword,
    /// A link or a code is void.
    Link,
}

impl Refusal {
    fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::SecondFactor => "second_factor",
            Self::Unverified => "email_not_verified",
            Self::AppPassword => "app_password",
            Self::Link => "link",
        }
    }
}

impl Refusals {
    pub(crate) fn new() -> Self {
        Self {
            rate: Rate::over(BURST, WINDOW),
            ticks: Ticks::start(),
            admins: Count::default(),
            projects: Cache::builder()
                .max_capacity(PROJECTS)
                .time_to_idle(2 * WINDOW)
                .build(),
        }
    }

    /// Whether to note one more, of admins or in a project: with how many
    /// that were not.
    fn admit(&self, project: Option<ProjectId>) -> Option<u64> {
        match project {
            None => self.count(&self.admins),
            Some(project) => self.count(&self.projects.get_with(project, Arc::default)),
        }
    }

    fn count(&self, door: &Count) -> Option<u64> {
        if self
            .rate
            .take(&door.spent, self.ticks.now(), 1)
            .wait
            .is_some()
        {
            door.unnoted.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(door.unnoted.swap(0, Ordering::Relaxed))
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
        let account = admin.map(|id| id.to_string());
        self.note_refused(refusal, None, account, (from, request))
            .await;
    }

    /// As [`note_refusal`](Self::note_refusal), of a user of a project.
    pub(crate) async fn note_user_refusal(
        &self,
        refusal: Refusal,
        project: ProjectId,
        user: Option<UserId>,
        client: &Client,
    ) {
        let account = user.map(|id| id.to_string());
        let from = (client.address, client.request);
        self.note_refused(refusal, Some(project), account, from)
            .await;
    }

    async fn note_refused(
        &self,
        refusal: Refusal,
        project: Option<ProjectId>,
        account: Option<String>,
        (address, request): (IpAddr, Option<RequestId>),
    ) {
        let Some(unnoted) = self.refusals().admit(project) else {
            return;
        };
        let actor = Actor {
            caller: Caller::Nobody,
            request,
        };
        let event = actor.did(
            "session.refused",
            project,
            account,
            json!({ "reason": refusal.as_str(), "address": address, "unnoted": unnoted }),
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
        let refusals = &Refusals::new();
        let noted = |door| (0..1_000).filter(move |_| refusals.admit(door).is_some());
        assert_eq!(noted(None).count(), 100);
        assert_eq!(refusals.admins.unnoted.load(Ordering::Relaxed), 900);
    }

    #[test]
    fn a_flood_at_one_project_hides_nothing_of_others() {
        let refusals = Refusals::new();
        let [one, other] = [ProjectId::new(), ProjectId::new()].map(Some);
        assert!((0..1_000).any(|_| refusals.admit(one).is_none()));
        assert_eq!(refusals.admit(other), Some(0));
        assert_eq!(refusals.admit(None), Some(0));
    }
}
