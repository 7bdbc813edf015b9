//! What the server's settings say to the use cases, already checked.

use crate::{
    channels::StreamLimits, cloudflare_access::AccessSettings, limits::CallerRates,
    queue::QueueSettings,
};
use atlashub_core::{Digest, Slug};
use std::time::Duration;

/// What the server's settings say to the use cases.
#[derive(Clone, Debug)]
pub struct AppSettings {
    /// What links start with, without a slash at the end.
    pub public_url: String,
    /// Who issues access tokens: the same on every node.
    pub issuer: String,
    /// Projects answer at `<slug>.<base domain>`; lower case.
    pub base_domain: Option<String>,
    /// The project of requests that name none.
    pub default_project: Option<Slug>,
    /// Requests a second of a project that has no limit of its own.
    pub requests_per_second: u32,
    /// Requests a second of one caller, where a project sets no others.
    pub caller_rates: CallerRates,
    /// How many streams this node holds.
    pub streams: StreamLimits,
    /// How this node works on the queue.
    pub queue: QueueSettings,
    /// How often it is written down what projects did: a minute, or less.
    pub series_every: Duration,
    /// How Cloudflare Access vouches for admins, where it does.
    pub cloudflare_access: Option<AccessSettings>,
    /// Whether this is a developer's machine, where identity providers may lie
    /// in private networks and speak plain HTTP.
    pub in_development: bool,
    /// How long a session of a platform admin lasts without use.
    pub admin_session: time::Duration,
    /// SHA-256 of the development token, where one is accepted.
    pub dev_admin_token: Option<Digest>,
}
