//! Who a session token belongs to.

use super::{LONGEST, TOKEN_PREFIX};
use crate::{Actor, App, changes::chain};
use atlashub_core::{AdminId, AdminRole, Caller, Digest, RequestId, Result, SessionId, token};
use atlashub_data::platform::AdminSession;
use time::{Duration, OffsetDateTime};

/// A session is made longer when it has lost this much of its time.
const RENEW_AFTER: Duration = Duration::minutes(15);

/// A signed-in admin.
#[derive(Clone, Debug)]
pub struct AdminIdentity {
    /// Who.
    pub admin: AdminId,
    /// What the admin may do.
    pub role: AdminRole,
    /// The admin's address.
    pub email: String,
    /// The session.
    pub session: SessionId,
    /// When the session ends unless it is used.
    pub expires_at: OffsetDateTime,
    pub(crate) token_hash: Digest,
}

impl AdminIdentity {
    /// Who makes a change, during `request`.
    pub(crate) fn actor(&self, request: Option<RequestId>) -> Actor {
        Actor {
            caller: Caller::Admin {
                id: Some(self.admin),
                role: self.role,
            },
            request,
        }
    }
}

impl App {
    /// The admin whose session has this token; `None` when there is no such
    /// session, or it is over.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn authenticate_admin(&self, token: &str) -> Result<Option<AdminIdentity>> {
        if !token.starts_with(TOKEN_PREFIX) || token.len() > 128 {
            return Ok(None);
        }
        let hash = token::hash(token);
        let now = self.clock().now();
        if let Some(found) = self.session_cache().get(&hash) {
            return Ok(Some(found).filter(|found| found.expires_at > now));
        }
        let epoch = self.session_cache().epoch();
        let Some((session, admin)) = self.platform().sessions().find_valid(&hash).await? else {
            return Ok(None);
        };
        let identity = AdminIdentity {
            admin: admin.id,
            role: admin.role,
            email: admin.email,
            session: session.id,
            expires_at: self.renew(&session, now).await,
            token_hash: hash,
        };
        self.session_cache().insert(epoch, hash, identity.clone());
        Ok(Some(identity))
    }

    /// Whether a session still holds, of somebody who is let in on it for
    /// longer than a request takes. Does not count as its use.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn session_holds(&self, identity: &AdminIdentity) -> Result<bool> {
        let hash = &identity.token_hash;
        if let Some(found) = self.session_cache().get(hash) {
            return Ok(found.expires_at > self.clock().now());
        }
        let epoch = self.session_cache().epoch();
        let Some((session, admin)) = self.platform().sessions().find_valid(hash).await? else {
            return Ok(false);
        };
        let found = AdminIdentity {
            role: admin.role,
            expires_at: session.expires_at,
            ..identity.clone()
        };
        self.session_cache().insert(epoch, *hash, found);
        Ok(true)
    }

    /// The admin whose session has a token with this hash; `None` when it is
    /// over. Does not count as its use.
    ///
    /// # Errors
    /// When the database cannot.
    pub(crate) async fn session_of(&self, hash: &Digest) -> Result<Option<AdminIdentity>> {
        let now = self.clock().now();
        if let Some(found) = self.session_cache().get(hash) {
            return Ok(Some(found).filter(|found| found.expires_at > now));
        }
        let epoch = self.session_cache().epoch();
        let Some((session, admin)) = self.platform().sessions().find_valid(hash).await? else {
            return Ok(None);
        };
        let found = AdminIdentity {
            admin: admin.id,
            role: admin.role,
            email: admin.email,
            session: session.id,
            expires_at: session.expires_at,
            token_hash: *hash,
        };
        self.session_cache().insert(epoch, *hash, found.clone());
        Ok(Some(found))
    }

    /// Moves a session's end, when that is worth a write. The end that holds.
    async fn renew(&self, session: &AdminSession, now: OffsetDateTime) -> OffsetDateTime {
        let idle = self.settings().admin_session;
        let Some(until) = renewed(session.created_at, session.expires_at, now, idle) else {
            return session.expires_at;
        };
        match self.platform().sessions().extend(session.id, until).await {
            Ok(()) => until,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "a session was not made longer");
                session.expires_at
            }
        }
    }
}

/// The new end of a session that is used at `now`, unless it would hardly
/// move.
fn renewed(
    created_at: OffsetDateTime,
    expires_at: OffsetDateTime,
    now: OffsetDateTime,
    idle: Duration,
) -> Option<OffsetDateTime> {
    let until = (now + idle).min(created_at + LONGEST);
    (until - expires_at >= RENEW_AFTER.min(idle / 4)).then_some(until)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn use_keeps_a_session_alive_for_thirty_days_at_most() {
        let begun = datetime!(2026-01-01 0:00 UTC);
        let idle = Duration::hours(12);
        let renewed = |ends, now| renewed(begun, ends, now, idle);
        assert_eq!(renewed(begun + idle, begun + Duration::minutes(5)), None);
        let later = begun + Duration::hours(6);
        assert_eq!(renewed(begun + idle, later), Some(later + idle));
        let near_the_end = begun + Duration::days(30) - Duration::hours(1);
        assert_eq!(
            renewed(near_the_end + Duration::minutes(1), near_the_end),
            Some(begun + LONGEST)
        );
        assert_eq!(renewed(begun + LONGEST, near_the_end), None);
    }

    #[test]
    fn a_short_session_is_kept_alive_by_use_too() {
        let begun = datetime!(2026-01-01 0:00 UTC);
        let idle = Duration::minutes(5);
        let used = begun + Duration::minutes(2);
        assert_eq!(renewed(begun, begun + idle, used, idle), Some(used + idle));
    }
}
