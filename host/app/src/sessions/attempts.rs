//! How often one may try to sign in: by account and by address, whichever
//! ends first. Counted on each node.

use atlashub_core::{Error, ErrorKind, Result, token};
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};
use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

/// Tries of one account at once, and the time after which one comes back.
const ACCOUNT: (NonZeroU32, Duration) = (NonZeroU32::new(20).unwrap(), Duration::from_secs(10));
/// Tries of one address at once, and the time after which one comes back.
const ADDRESS: (NonZeroU32, Duration) = (NonZeroU32::new(60).unwrap(), Duration::from_secs(2));

/// Counts tries.
pub(crate) struct Attempts {
    accounts: DefaultKeyedRateLimiter<[u8; 16]>,
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    clock: DefaultClock,
}

impl Attempts {
    pub(crate) fn new() -> Self {
        Self {
            accounts: RateLimiter::keyed(quota(ACCOUNT)),
            addresses: RateLimiter::keyed(quota(ADDRESS)),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a try.
    ///
    /// # Errors
    /// `rate_limited` with the time to wait.
    pub(crate) fn count(&self, account: &str, address: IpAddr) -> Result<()> {
        self.addresses
            .check_key(&network(address))
            .and_then(|()| self.accounts.check_key(&key(account)))
            .map_err(|refusal| {
                let wait = refusal
                    .wait_time_from(self.clock.now())
                    .as_secs()
                    .saturating_add(1);
                Error::new(
                    ErrorKind::RateLimited,
                    "rate_limited",
                    "too many tries, wait before the next",
                )
                .with_retry_after(u32::try_from(wait).unwrap_or(u32::MAX))
            })
    }

    /// Forgets who has not tried for a while.
    pub(crate) fn forget_old(&self) {
        self.accounts.retain_recent();
        self.addresses.retain_recent();
        self.accounts.shrink_to_fit();
        self.addresses.shrink_to_fit();
    }
}

fn quota((burst, period): (NonZeroU32, Duration)) -> Quota {
    Quota::with_period(period)
        .unwrap_or(Quota::per_second(NonZeroU32::MIN))
        .allow_burst(burst)
}

/// An account's key: of fixed size, whatever the client sent.
fn key(account: &str) -> [u8; 16] {
    let digest = token::hash(&account.to_lowercase());
    let mut key = [0; 16];
    for (to, from) in key.iter_mut().zip(digest.as_bytes()) {
        *to = *from;
    }
    key
}

/// One subscriber usually has a whole /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_limited_from_wherever_it_is_tried() {
        let attempts = Attempts::new();
        let refused = (0..=255u8).find_map(|last| {
            attempts
                .count("A@example.com", [10, 0, 0, last].into())
                .err()
        });
        let error = refused.unwrap();
        assert_eq!(error.kind(), ErrorKind::RateLimited);
        assert!(
            error
                .retry_after_seconds()
                .is_some_and(|seconds| seconds > 0)
        );
        assert!(
            attempts
                .count("a@EXAMPLE.com", [10, 1, 0, 1].into())
                .is_err()
        );
        assert!(
            attempts
                .count("b@example.com", [10, 1, 0, 1].into())
                .is_ok()
        );
    }

    #[test]
    fn an_address_is_limited_whatever_accounts_it_tries() {
        let attempts = Attempts::new();
        let one: IpAddr = "2001:db8::1".parse().unwrap();
        let other: IpAddr = "2001:db8::2".parse().unwrap();
        let refused = (0..200).any(|number| {
            attempts
                .count(&format!("{number}@example.com"), one)
                .is_err()
        });
        assert!(refused);
        assert!(attempts.count("new@example.com", other).is_err());
    }
}
