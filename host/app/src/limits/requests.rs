//! How many requests may be made: of a project, and of one caller by class of
//! route. Counted in memory, each node against its share of the budget (the
//! nodes that are up divide it evenly), so that a request asks no database.
//!
//! Callers are counted in a fixed table of numbers for each class, found by a
//! keyed hash: nothing grows with strangers, nothing is locked, and nobody
//! can aim at another's place. Two callers that meet in one place share a
//! rate; with ten thousand at work that happens to one in seven, and is felt
//! only by those near their limit.

use super::rate::{Left, Rate, Ticks, seconds};
use atlashub_core::{Caller, Error, ErrorKind, KeyKind, ProjectId, Result};
use http::HeaderValue;
use std::{
    fmt::Write as _,
    hash::{BuildHasher as _, RandomState},
    net::IpAddr,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

/// Places in the table of one class; a power of two.
const PLACES: usize = 1 << 16;

/// What a route does, as far as limits care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RouteClass {
    /// Reads.
    Read,
    /// Changes something.
    Write,
    /// Signs in, signs up and the like.
    Auth,
    /// The admin interface.
    Admin,
}

impl RouteClass {
    const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Auth, Self::Admin];

    /// The class's name in headers and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "reads",
            Self::Write => "writes",
            Self::Auth => "auth",
            Self::Admin => "admin",
        }
    }

    /// The class's own of four things, as [`ALL`](Self::ALL) orders them.
    fn pick<T>(self, [read, write, auth, admin]: &[T; 4]) -> &T {
        match self {
            Self::Read => read,
            Self::Write => write,
            Self::Auth => auth,
            Self::Admin => admin,
        }
    }
}

/// Requests a second that one caller may make, by class of route; twice as
/// many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallerRates {
    /// Of routes that read.
    pub reads: u32,
    /// Of routes that change something.
    pub writes: u32,
    /// Of routes below `/v1/auth`.
    pub auth: u32,
    /// Of the admin interface.
    pub admin: u32,
}

impl CallerRates {
    fn of(&self, class: RouteClass) -> u32 {
        *class.pick(&[self.reads, self.writes, self.auth, self.admin])
    }
}

/// Whether a request may go on, and what its headers say of it.
#[derive(Clone, Debug)]
pub struct Admission {
    /// Every limit that was looked at (`RateLimit-Policy` of the IETF draft
    /// "RateLimit header fields for HTTP").
    pub policy: HeaderValue,
    name: &'static str,
    quota: u32,
    left: Left,
}

impl Admission {
    /// The limit that is nearest to its end (`RateLimit` of the same draft).
    #[must_use]
    pub fn standing(&self) -> HeaderValue {
        let mut text = String::with_capacity(40);
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\"{}\";r={};t={}",
            self.name,
            self.left.remaining,
            seconds(self.left.reset)
        );
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
    }

    /// Lets the request go on.
    ///
    /// # Errors
    /// 429 `rate_limited` with the time to wait.
    pub fn check(&self) -> Result<()> {
        let Some(wait) = self.left.wait else {
            return Ok(());
        };
        Err(Error::new(
            ErrorKind::RateLimited,
            "rate_limited",
            format!(
                "too many requests: the limit `{}` allows {} at once, wait before the next",
                self.name, self.quota
            ),
        )
        .with_retry_after(seconds(wait)))
    }
}

/// What an admin set for a project; absent values mean the platform's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProjectLimits {
    pub(crate) per_second: u32,
    pub(crate) burst: Option<u32>,
    pub(crate) caller_reads: Option<u32>,
    pub(crate) caller_writes: Option<u32>,
}

/// The limits of a project, and what it has used of its own on this node.
#[derive(Debug)]
pub(crate) struct ProjectRate {
    rate: Rate,
    spent: AtomicU64,
    /// Of one caller, by class.
    callers: [(Rate, HeaderValue); 4],
}

/// Counts requests on this node.
pub struct RequestLimits {
    ticks: Ticks,
    hasher: RandomState,
    nodes: AtomicU32,
    rates: CallerRates,
    places: [Box<[AtomicU64]>; 4],
    admin: (Rate, HeaderValue),
}

impl RequestLimits {
    pub(crate) fn new(rates: CallerRates) -> Self {
        let admin = Rate::per_second(rates.admin);
        Self {
            ticks: Ticks::start(),
            hasher: RandomState::new(),
            nodes: AtomicU32::new(1),
            rates,
            places: RouteClass::ALL.map(|_| {
                std::iter::repeat_with(AtomicU64::default)
                    .take(PLACES)
                    .collect()
            }),
            admin: (admin, policy(&[(RouteClass::Admin.as_str(), admin)])),
        }
    }

    /// The limits of a project.
    pub(crate) fn project(&self, limits: ProjectLimits) -> ProjectRate {
        let rate = match limits.burst {
            Some(burst) => Rate::new(limits.per_second, burst),
            None => Rate::per_second(limits.per_second),
        };
        let rates = CallerRates {
            reads: limits.caller_reads.unwrap_or(self.rates.reads),
            writes: limits.caller_writes.unwrap_or(self.rates.writes),
            ..self.rates
        };
        ProjectRate {
            rate,
            spent: AtomicU64::new(0),
            callers: RouteClass::ALL.map(|class| {
                let caller = Rate::per_second(rates.of(class));
                let policy = policy(&[("project", rate), (class.as_str(), caller)]);
                (caller, policy)
            }),
        }
    }

    /// Notes how many nodes divide the budgets.
    pub(crate) fn set_nodes(&self, nodes: u64) {
        let nodes = u32::try_from(nodes).unwrap_or(u32::MAX).max(1);
        self.nodes.store(nodes, Ordering::Relaxed);
    }

    /// Counts a request in a project, of its caller first: what a caller may
    /// not do is not taken from the project.
    pub(crate) fn admit(
        &self,
        project: ProjectId,
        rate: &ProjectRate,
        class: RouteClass,
        caller: &Caller,
        address: IpAddr,
    ) -> Admission {
        let (now, nodes) = (self.ticks.now(), self.nodes.load(Ordering::Relaxed));
        let (own, policy) = class.pick(&rate.callers);
        let place = self.place(class, &(project, who(caller, address)));
        let left = own.take(place, now, nodes);
        let of_caller = Admission {
            policy: policy.clone(),
            name: class.as_str(),
            quota: own.quota(),
            left,
        };
        if left.wait.is_some() {
            return of_caller;
        }
        let all = rate.rate.take(&rate.spent, now, nodes);
        if all.wait.is_some() || all.remaining < left.remaining {
            return Admission {
                name: "project",
                quota: rate.rate.quota(),
                left: all,
                ..of_caller
            };
        }
        of_caller
    }

    /// Counts a request to the admin interface, before anybody looks at who
    /// makes it.
    #[must_use]
    pub fn admit_admin(&self, address: IpAddr) -> Admission {
        let (rate, policy) = &self.admin;
        let nodes = self.nodes.load(Ordering::Relaxed);
        let place = self.place(RouteClass::Admin, &network(address));
        Admission {
            policy: policy.clone(),
            name: RouteClass::Admin.as_str(),
            quota: rate.quota(),
            left: rate.take(place, self.ticks.now(), nodes),
        }
    }

    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "the low bits of the hash are a place of the table"
    )]
    fn place(&self, class: RouteClass, who: &impl std::hash::Hash) -> &AtomicU64 {
        &class.pick(&self.places)[self.hasher.hash_one(who) as usize & (PLACES - 1)]
    }
}

/// Whose requests are counted together.
#[derive(Hash, PartialEq, Eq, Debug)]
enum Who {
    /// A key that stays on a server, a user, an admin.
    Named(u8, [u8; 16]),
    /// Whoever has no name of its own: a publishable key is in many hands.
    At(IpAddr),
    /// The host itself, or a plugin.
    Inside,
}

fn who(caller: &Caller, address: IpAddr) -> Who {
    match caller {
        Caller::Key {
            id,
            kind: KeyKind::Secret,
        } => Who::Named(0, *id.as_uuid().as_bytes()),
        Caller::User(user) => Who::Named(1, *user.id.as_bytes()),
        Caller::Admin { id: Some(id), .. } => Who::Named(2, *id.as_uuid().as_bytes()),
        Caller::Admin { id: None, .. } | Caller::Nobody | Caller::Key { .. } => {
            Who::At(network(address))
        }
        Caller::Scheduler | Caller::Plugin(_) => Who::Inside,
    }
}

/// The address that one subscriber's requests come from, usually: of IPv6 a
/// whole /64.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

fn policy(limits: &[(&str, Rate)]) -> HeaderValue {
    let items: Vec<String> = limits
        .iter()
        .map(|(name, rate)| format!("\"{name}\";q={};w={}", rate.quota(), rate.window_seconds()))
        .collect();
    // Names and numbers are always fit for a header.
    HeaderValue::try_from(items.join(", ")).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use atlashub_core::KeyId;

    fn text(admission: &Admission) -> String {
        admission.standing().to_str().unwrap().to_owned()
    }

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn project(limits: &RequestLimits, per_second: u32, burst: Option<u32>) -> ProjectRate {
        limits.project(ProjectLimits {
            per_second,
            burst,
            caller_reads: None,
            caller_writes: None,
        })
    }

    fn limits() -> RequestLimits {
        RequestLimits::new(CallerRates {
            reads: 10,
            writes: 5,
            auth: 1,
            admin: 3,
        })
    }

    #[test]
    fn a_callers_classes_are_counted_apart() {
        let limits = limits();
        let (id, rate) = (ProjectId::new(), project(&limits, 1_000, None));
        let passes = |class, address| {
            (0..100)
                .filter(|_| {
                    let admission = limits.admit(id, &rate, class, &Caller::Nobody, address);
                    admission.check().is_ok()
                })
                .count()
        };
        // A little more when time passes meanwhile.
        assert!((20..30).contains(&passes(RouteClass::Read, HERE)));
        assert!((10..15).contains(&passes(RouteClass::Write, HERE)));
        assert!((2..4).contains(&passes(RouteClass::Auth, HERE)));
        assert!((20..30).contains(&passes(RouteClass::Read, THERE)));
    }

    #[test]
    fn a_refused_caller_takes_nothing_from_its_project() {
        let limits = limits();
        let (id, rate) = (ProjectId::new(), project(&limits, 1, Some(60)));
        let admit = |address| limits.admit(id, &rate, RouteClass::Read, &Caller::Nobody, address);
        for _ in 0..1_000 {
            let _ = admit(HERE);
        }
        let refused = admit(HERE);
        assert_eq!(refused.check().unwrap_err().code(), "rate_limited");
        assert!(text(&refused).starts_with("\"reads\";r=0;t="));
        assert!(admit(THERE).check().is_ok());
        assert_eq!(refused.policy, "\"project\";q=60;w=60, \"reads\";q=20;w=2");
    }

    #[test]
    fn a_project_is_limited_whoever_calls() {
        let limits = limits();
        let (id, rate) = (ProjectId::new(), project(&limits, 1, Some(5)));
        let refused = (0..=20).find_map(|last| {
            let address = [192, 0, 2, last].into();
            let admission = limits.admit(id, &rate, RouteClass::Read, &Caller::Nobody, address);
            admission.check().err().map(|_| admission)
        });
        assert!(text(&refused.unwrap()).starts_with("\"project\";r=0"));
    }

    #[test]
    fn a_publishable_key_is_in_many_hands() {
        let id = KeyId::new();
        let key = |kind| Caller::Key { id, kind };
        assert_ne!(
            who(&key(KeyKind::Publishable), HERE),
            who(&key(KeyKind::Publishable), THERE)
        );
        assert_eq!(
            who(&key(KeyKind::Secret), HERE),
            who(&key(KeyKind::Secret), THERE)
        );
    }
}
