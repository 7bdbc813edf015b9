//! How often one may try what guards an account: by account and by address,
//! whichever ends first, counted in the platform database and so for all
//! nodes together.
//!
//! Count before the account is looked up, so that an unknown one counts
//! alike, and before anything costly:
//!
//! ```ignore
//! app.strict_limits().count(Attempt::SignIn, Some(project), email, address).await?;
//! ```
//!
//! Accounts and addresses are kept as slots, [`SLOTS`] of each kind, found by
//! a keyed digest: the table is bounded, says nothing about who tried, and
//! nobody can aim at a stranger's slot. What was refused is remembered here
//! until it may be tried again, so that a flood of tries costs the database
//! one row an address.

use super::requests::network;
use atlashub_core::{Digest, Error, ErrorKind, ProjectId, Result};
use atlashub_data::platform::{Platform, TryAllowance, TryVerdict};
use moka::sync::Cache;
use std::{net::IpAddr, time::Duration};
use time::OffsetDateTime;

/// Slots of one kind of attempt, for accounts and for addresses each.
const SLOTS: u64 = 1 << 20;
/// Refusals remembered.
const REMEMBERED: u64 = 16_384;
/// Longest that a refusal is remembered; after it the database is asked again.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// What is tried. Each kind is counted by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// Making the first owner of the host.
    SetUp,
    /// Signing in with a password.
    SignIn,
    /// Giving a second factor: a one-time or a recovery code.
    SecondFactor,
    /// Making an account.
    SignUp,
    /// Asking for, and using, a link that sets a new password.
    Reset,
    /// Asking for, and using, a link that signs in.
    MagicLink,
    /// Accepting an invitation.
    Invitation,
    /// Beginning and ending a sign-in with somebody else.
    OAuth,
    /// Sending a plugin's mail; an address is a whole project here.
    Mail,
    /// Sending an app password that fits nobody.
    AppPassword,
}

/// Whose tries are counted.
#[derive(Clone, Copy)]
enum Of {
    Account,
    Address,
}

impl Attempt {
    /// A number that stays the same, for it is part of what is stored.
    fn number(self) -> i64 {
        match self {
            Self::SetUp => 0,
            Self::SignIn => 1,
            Self::SecondFactor => 2,
            Self::SignUp => 3,
            Self::Reset => 4,
            Self::MagicLink => 5,
            Self::Invitation => 6,
            Self::OAuth => 7,
            Self::Mail => 8,
            Self::AppPassword => 9,
        }
    }

    fn allowance(self, of: Of) -> TryAllowance {
        let (burst, seconds) = match (self, of) {
            (
                Self::SignIn | Self::SetUp | Self::Invitation | Self::OAuth | Self::AppPassword,
                Of::Account,
            ) => (20, 10),
            // Whoever gets here knows the password. Of a million codes three
            // fit at a time: a hundred guesses a day come to little.
            (Self::SecondFactor, Of::Account) => (10, 15 * 60),
            // These send a message to somebody.
            (Self::SignUp | Self::Reset | Self::MagicLink, Of::Account) => (5, 10 * 60),
            // Sixty an hour to one person, nine hundred of one project.
            (Self::Mail, Of::Account) => (60, 60),
            (Self::Mail, Of::Address) => (500, 4),
            (_, Of::Address) => (60, 2),
        };
        TryAllowance {
            burst,
            period: Duration::from_secs(seconds),
        }
    }
}

/// Counts tries.
pub struct StrictLimits {
    platform: Platform,
    key: [u8; 32],
    refused: Cache<i64, OffsetDateTime>,
}

impl StrictLimits {
    pub(crate) fn new(platform: Platform, key: [u8; 32]) -> Self {
        Self {
            platform,
            key,
            refused: Cache::builder()
                .max_capacity(REMEMBERED)
                .time_to_live(REMEMBERED_FOR)
                .build(),
        }
    }

    /// Counts a try at `account` (an email address or an id, known or not) of
    /// a project, `None` for the platform's admins, from `address`. A try
    /// that the address may not make is not counted against the account.
    ///
    /// # Errors
    /// 429 `rate_limited` with the time to wait; when the database cannot
    /// count.
    pub async fn count(
        &self,
        attempt: Attempt,
        project: Option<ProjectId>,
        account: &str,
        address: IpAddr,
    ) -> Result<()> {
        self.count_address(attempt, project, address).await?;
        let account = account.trim().to_lowercase();
        let slot = self.slot(attempt, Of::Account, project, account.as_bytes());
        self.take(slot, attempt.allowance(Of::Account)).await
    }

    /// As [`count`](Self::count), where no account is named.
    ///
    /// # Errors
    /// As [`count`](Self::count).
    pub async fn count_address(
        &self,
        attempt: Attempt,
        project: Option<ProjectId>,
        address: IpAddr,
    ) -> Result<()> {
        let network = network(address).to_string();
        let slot = self.slot(attempt, Of::Address, project, network.as_bytes());
        self.take(slot, attempt.allowance(Of::Address)).await
    }

    /// Counts a mail of a project's plugins to somebody.
    ///
    /// # Errors
    /// As [`count`](Self::count).
    pub(crate) async fn count_mail(&self, project: ProjectId, recipient: &str) -> Result<()> {
        let kind = Attempt::Mail;
        let slot = self.slot(kind, Of::Address, Some(project), b"mails");
        self.take(slot, kind.allowance(Of::Address)).await?;
        let recipient = recipient.trim().to_lowercase();
        let slot = self.slot(kind, Of::Account, Some(project), recipient.as_bytes());
        self.take(slot, kind.allowance(Of::Account)).await
    }

    async fn take(&self, slot: i64, allowance: TryAllowance) -> Result<()> {
        let now = self.platform.now();
        if let Some(until) = self.refused.get(&slot).filter(|until| *until > now) {
            return Err(refusal(until, now));
        }
        match self.platform.tries().count(slot, allowance).await? {
            TryVerdict::Allowed => Ok(()),
            TryVerdict::Refused { until } => {
                self.refused.insert(slot, until);
                Err(refusal(until, now))
            }
        }
    }

    /// Which slot counts the tries of somebody: the kind's own range, and in
    /// it a place that only who has the key can foresee.
    fn slot(&self, attempt: Attempt, of: Of, project: Option<ProjectId>, who: &[u8]) -> i64 {
        let who = Digest::of(who);
        let mut text = Vec::with_capacity(32 + 16 + 32);
        text.extend_from_slice(&self.key);
        text.extend(project.iter().flat_map(|id| *id.as_uuid().as_bytes()));
        text.extend_from_slice(who.as_bytes());
        let digest = Digest::of(&text);
        let place = digest
            .as_bytes()
            .iter()
            .take(8)
            .fold(0, |sum: u64, byte| (sum << 8) | u64::from(*byte))
            % SLOTS;
        let range = attempt.number() * 2 + i64::from(matches!(of, Of::Address));
        range * SLOTS.cast_signed() + place.cast_signed()
    }
}

fn refusal(until: OffsetDateTime, now: OffsetDateTime) -> Error {
    let wait = (until - now).whole_seconds().max(0).saturating_add(1);
    Error::new(
        ErrorKind::RateLimited,
        "rate_limited",
        "too many tries, wait before the next",
    )
    .with_retry_after(u32::try_from(wait).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use atlashub_data::platform::PlatformOptions;

    async fn limits(folder: &tempfile::TempDir) -> StrictLimits {
        let url = format!("sqlite:{}", folder.path().join("platform.db").display());
        let platform = Platform::connect(&url.into(), PlatformOptions::default())
            .await
            .unwrap();
        platform.migrate().await.unwrap();
        StrictLimits::new(platform, [7; 32])
    }

    #[tokio::test]
    async fn an_account_is_limited_from_wherever_it_is_tried() {
        let folder = tempfile::tempdir().unwrap();
        let limits = limits(&folder).await;
        let mut refused = None;
        for last in 0..=255u8 {
            let address = [10, 0, 0, last].into();
            let outcome = limits
                .count(Attempt::SignIn, None, "A@example.com", address)
                .await;
            refused = outcome.err();
            if refused.is_some() {
                break;
            }
        }
        let error = refused.unwrap();
        assert_eq!(error.kind(), ErrorKind::RateLimited);
        assert!(error.retry_after_seconds().is_some_and(|wait| wait > 0));
        let there: IpAddr = [10, 1, 0, 1].into();
        let (one, other) = ("a@EXAMPLE.com ", "b@example.com");
        let project = Some(ProjectId::new());
        let count = async |attempt, project, account: &str| {
            limits.count(attempt, project, account, there).await.is_ok()
        };
        assert!(!count(Attempt::SignIn, None, one).await);
        assert!(count(Attempt::SignIn, None, other).await);
        assert!(count(Attempt::SignIn, project, one).await);
        assert!(count(Attempt::Reset, None, one).await);
    }

    #[tokio::test]
    async fn an_address_is_limited_whatever_accounts_it_tries() {
        let folder = tempfile::tempdir().unwrap();
        let limits = limits(&folder).await;
        let one: IpAddr = "2001:db8::1".parse().unwrap();
        let neighbour: IpAddr = "2001:db8::2".parse().unwrap();
        let other: IpAddr = "2001:db8:0:1::1".parse().unwrap();
        let mut refused = 0;
        for number in 0..200 {
            let account = format!("{number}@example.com");
            let outcome = limits.count(Attempt::SignIn, None, &account, one).await;
            refused += u32::from(outcome.is_err());
        }
        assert!(refused > 0);
        let count = async |address| limits.count(Attempt::SignIn, None, "new", address).await;
        assert!(count(neighbour).await.is_err());
        assert!(count(other).await.is_ok());
    }

    #[tokio::test]
    async fn slots_stay_within_the_range_of_their_kind() {
        let folder = tempfile::tempdir().unwrap();
        let limits = limits(&folder).await;
        for number in 0..1_000u32 {
            let who = number.to_string();
            let slot = limits.slot(Attempt::SignIn, Of::Address, None, who.as_bytes());
            assert_eq!(slot / SLOTS.cast_signed(), 3);
        }
    }
}
