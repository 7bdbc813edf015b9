//! The header fields that tell a client what it may still ask (IETF draft
//! "RateLimit header fields for HTTP"), beside what a plugin says of its own.

use atlashub_app::limits::Admission;
use http::{HeaderMap, HeaderName};

/// Which limits there are, and how wide.
pub(crate) const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What is left of the one that is nearest to its end.
pub(crate) const STANDING: HeaderName = HeaderName::from_static("ratelimit");

/// Writes both fields.
pub(crate) fn tell(headers: &mut HeaderMap, admission: &Admission) {
    headers.append(POLICY, admission.policy.clone());
    headers.append(STANDING, admission.standing());
}
