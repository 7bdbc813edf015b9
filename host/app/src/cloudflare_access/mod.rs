//! Admins who come through Cloudflare Access: a proxy in front of the host
//! has them signed in elsewhere and vouches for them with a signed assertion.
//!
//! An assertion is checked whole here (RS256, key by `kid`, exact issuer and
//! audience, times), then its address is looked up among the admins. What was
//! checked is remembered for half a minute, and forgotten when an admin is
//! changed; without an answer from the key server nobody comes in.

mod assertion;

use crate::{
    Actor, App,
    admins::email,
    changes::{ChangeBatch, ChangeListener, chain},
    key_set::KeySet,
    outgoing::{Outgoing, Reach},
    sessions::Remembered,
};
use assertion::{Assertion, Checker};
use async_trait::async_trait;
use atlashub_core::{AdminId, AdminRole, Caller, Error, ErrorKind, RequestId, Result, token};
use atlashub_data::platform::{Admin, NewAdmin};
use jsonwebtoken::Algorithm;
use moka::sync::Cache;
use serde_json::json;
use std::{sync::Arc, time::Duration};
use time::OffsetDateTime;
use url::Url;

/// Longest assertion that is looked at, bytes.
const MAX_BYTES: usize = 8 * 1_024;
/// Assertions whose first use was noted.
const NOTED: u64 = 10_000;

/// How Access vouches for admins.
#[derive(Clone, Debug)]
pub struct AccessSettings {
    /// The team's address, `https://<team>.cloudflareaccess.com`, no slash at
    /// the end.
    pub team: String,
    /// The audience tag of the application.
    pub audience: String,
    /// What somebody becomes whom Access lets in and who is no admin yet;
    /// `None` turns them away.
    pub default_role: Option<AdminRole>,
}

/// An admin whom Access vouches for.
#[derive(Clone, Debug)]
pub struct AccessIdentity {
    /// Who.
    pub admin: AdminId,
    /// What the admin may do.
    pub role: AdminRole,
    /// The admin's address.
    pub email: String,
    expires_at: OffsetDateTime,
}

/// Checks assertions of one application.
pub(crate) struct CloudflareAccess {
    settings: AccessSettings,
    checker: Checker,
    keys: KeySet,
    known: Remembered<AccessIdentity>,
    noted: Cache<atlashub_core::Digest, ()>,
}

impl CloudflareAccess {
    /// # Errors
    /// When the HTTP client cannot be set up, or the team has no address.
    pub(crate) fn new(settings: AccessSettings) -> Result<Self> {
        // The operator names the team.
        let outgoing = Arc::new(Outgoing::new(Reach::Everywhere)?);
        let certs = Url::parse(&format!("{}/cdn-cgi/access/certs", settings.team))
            .map_err(|error| Error::internal("read the address of the Access team", error))?;
        Ok(Self {
            checker: Checker::new(&settings.team, &settings.audience),
            keys: KeySet::new(outgoing, certs),
            known: Remembered::new(),
            noted: Cache::builder()
                .max_capacity(NOTED)
                .time_to_live(Duration::from_secs(24 * 3_600))
                .build(),
            settings,
        })
    }

    /// Forgets who was checked.
    pub(crate) fn forget(&self) {
        self.known.clear();
    }

    async fn check(&self, text: &str, now: OffsetDateTime) -> Result<Assertion> {
        let kid = self.checker.key_id(text)?;
        let found = self.keys.find(Some(&kid)).await.map_err(|error| {
            Error::new(
                ErrorKind::Unavailable,
                "access_unavailable",
                "the keys of Cloudflare Access cannot be fetched",
            )
            .with_retry_after(5)
            .with_source(error)
        })?;
        let key = found.filter(|key| key.takes(Algorithm::RS256));
        self.checker.check(text, &key.ok_or_else(refused)?.key, now)
    }
}

#[async_trait]
impl ChangeListener for CloudflareAccess {
    async fn take(&self, batch: &ChangeBatch) -> Result<()> {
        self.known.take(batch).await
    }
}

impl App {
    /// The admin whom an assertion of Access vouches for.
    ///
    /// # Errors
    /// 401 `invalid_credentials` when it does not hold, or none is expected;
    /// 403 `not_an_admin`; 503 when the key server does not answer.
    pub async fn authenticate_access(
        &self,
        assertion: &str,
        request: Option<RequestId>,
    ) -> Result<AccessIdentity> {
        let access = self.cloudflare_access().ok_or_else(refused)?;
        if assertion.len() > MAX_BYTES {
            return Err(refused());
        }
        let hash = token::hash(assertion);
        let now = self.clock().now();
        if let Some(known) = access.known.get(&hash) {
            return Some(known)
                .filter(|known| known.expires_at > now)
                .ok_or_else(refused);
        }
        let epoch = access.known.epoch();
        let checked = access.check(assertion, now).await?;
        let address = email(&checked.email).map_err(|_| refused())?;
        let admin = self.access_admin(access, &address, request).await?;
        let identity = AccessIdentity {
            admin: admin.id,
            role: admin.role,
            email: admin.email,
            expires_at: checked.expires_at,
        };
        if !access.noted.contains_key(&hash) {
            access.noted.insert(hash, ());
            self.note_entry(&identity, request).await;
        }
        access.known.insert(epoch, hash, identity.clone());
        Ok(identity)
    }

    async fn access_admin(
        &self,
        access: &CloudflareAccess,
        address: &str,
        request: Option<RequestId>,
    ) -> Result<Admin> {
        let found = self.platform().admins().find_by_email(address).await?;
        match (found, access.settings.default_role) {
            (Some(admin), _) if admin.disabled_at.is_none() => Ok(admin),
            (None, Some(role)) => match self.make_access_admin(address, role, request).await {
                // Another request of the same newcomer was first.
                Err(error) if error.code() == "email_taken" => {
                    let found = self.platform().admins().find_by_email(address).await?;
                    let found = found.filter(|admin| admin.disabled_at.is_none());
                    found.ok_or_else(stranger)
                }
                made => made,
            },
            _ => Err(stranger()),
        }
    }

    async fn make_access_admin(
        &self,
        address: &str,
        role: AdminRole,
        request: Option<RequestId>,
    ) -> Result<Admin> {
        let unit = self.platform().begin().await?;
        let admin = unit
            .admins()
            .create(NewAdmin {
                email: address.to_owned(),
                // Nobody signs in with it.
                password_hash: String::new(),
                role,
            })
            .await?;
        let actor = Actor {
            caller: Caller::Admin {
                id: Some(admin.id),
                role,
            },
            request,
        };
        let details = json!({ "email": admin.email, "role": role, "proof": "access" });
        unit.audit()
            .append(actor.did("admin.accept", None, admin.id.to_string(), details))
            .await?;
        unit.commit().await?;
        Ok(admin)
    }

    async fn note_entry(&self, identity: &AccessIdentity, request: Option<RequestId>) {
        let actor = Actor {
            caller: Caller::Admin {
                id: Some(identity.admin),
                role: identity.role,
            },
            request,
        };
        let event = actor.did("session.create", None, None, json!({ "proof": "access" }));
        if let Err(error) = self.platform().audit().append(event).await {
            tracing::warn!(error = %chain(&error), "an entry through Access was not noted");
        }
    }
}

fn refused() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "invalid_credentials",
        "the assertion of Cloudflare Access does not hold, or has run out",
    )
}

fn stranger() -> Error {
    Error::new(
        ErrorKind::Forbidden,
        "not_an_admin",
        "Cloudflare Access let you in, but you are no admin here: ask an owner for an invitation",
    )
}
