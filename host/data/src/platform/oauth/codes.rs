//! Codes with which an application fetches the tokens of a user who signed in
//! with somebody else: each works once, for a short time, for whoever has the
//! verifier that goes with its challenge (RFC 7636).

use super::super::{
    changes::uuid,
    entity::oauth_code::{ActiveModel, Column, Entity},
    failure::{failed, orphaned},
    instant,
    unit::Db,
};
use crate::platform::NewIdentity;
use atlashub_core::{Digest, ProjectId, ProviderName, Result, UserId};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Codes that a user has at once; another one voids the oldest.
const AT_ONCE: u64 = 5;

/// A code to be kept.
#[derive(Clone, Debug)]
pub struct NewOAuthCode {
    /// SHA-256 of the code.
    pub code_hash: Digest,
    /// Whose tokens it gets.
    pub user: UserId,
    /// What the application's verifier must hash to.
    pub code_challenge: String,
    /// Whether the tokens are for who forgot a password.
    pub recovers: bool,
    /// What is to be linked to the user when the code is used.
    pub links: Option<NewIdentity>,
    /// How long it works.
    pub lifetime: Duration,
}

/// A code that would work now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthCode {
    /// Whose tokens it gets.
    pub user: UserId,
    /// What the application's verifier must hash to.
    pub code_challenge: String,
    /// Whether the tokens are for who forgot a password.
    pub recovers: bool,
    /// What is to be linked to the user when the code is used.
    pub links: Option<NewIdentity>,
}

/// An identity as a code keeps it.
#[derive(Serialize, Deserialize)]
struct Links {
    provider: ProviderName,
    issuer: String,
    subject: String,
    email: Option<String>,
}

/// Codes that get tokens.
pub struct OAuthCodes<'a> {
    db: Db<'a>,
}

impl<'a> OAuthCodes<'a> {
    pub(in crate::platform) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Keeps a code.
    ///
    /// # Errors
    /// `not_found` when there is no such user.
    pub async fn create(&self, project: ProjectId, new: NewOAuthCode) -> Result<()> {
        let links = new.links.map(|identity| Links {
            provider: identity.provider,
            issuer: identity.issuer,
            subject: identity.subject,
            email: identity.email,
        });
        let links = links.as_ref().map(instant::to_json).transpose()?;
        let unit = self.db.begin().await?;
        let context = failed("keep a code");
        let now = unit.now();
        let user = *new.user.as_uuid();
        let kept = Entity::find()
            .select_only()
            .column(Column::CodeHash)
            .filter(Column::UserId.eq(user))
            .order_by_desc(Column::CreatedAt)
            .limit(AT_ONCE - 1)
            .into_tuple::<Vec<u8>>()
            .all(&unit.executor())
            .await
            .map_err(&context)?;
        Entity::delete_many()
            .filter(Column::UserId.eq(user))
            .filter(Column::CodeHash.is_not_in(kept))
            .exec(&unit.executor())
            .await
            .map_err(&context)?;
        Entity::insert(ActiveModel {
            code_hash: Set(new.code_hash.as_bytes().to_vec()),
            project_id: Set(uuid(project)),
            user_id: Set(user),
            code_challenge: Set(new.code_challenge),
            created_at: Set(now),
            expires_at: Set(instant::later(now, new.lifetime)),
            recovers: Set(new.recovers),
            links: Set(links),
        })
        .exec_without_returning(&unit.executor())
        .await
        .map_err(orphaned("user", "keep a code"))?;
        unit.commit().await
    }

    /// What a code is good for that would work now. It stays.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn peek(&self, project: ProjectId, code_hash: &Digest) -> Result<Option<OAuthCode>> {
        let row = Entity::find_by_id(code_hash.as_bytes().to_vec())
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::ExpiresAt.gt(self.db.now()))
            .one(&self.db.read())
            .await
            .map_err(failed("look a code up"))?;
        let Some(row) = row else { return Ok(None) };
        let user = UserId::from_uuid(row.user_id);
        let links: Option<Links> = row
            .links
            .map(|text| instant::from_json("identity", &text))
            .transpose()?;
        Ok(Some(OAuthCode {
            user,
            code_challenge: row.code_challenge,
            recovers: row.recovers,
            links: links.map(|links| NewIdentity {
                user,
                provider: links.provider,
                issuer: links.issuer,
                subject: links.subject,
                email: links.email,
            }),
        }))
    }

    /// Uses a code up; whether it was there. Of any number who try, one
    /// succeeds.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn take(&self, project: ProjectId, code_hash: &Digest) -> Result<bool> {
        let result = Entity::delete_many()
            .filter(Column::CodeHash.eq(code_hash.as_bytes().to_vec()))
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::ExpiresAt.gt(self.db.now()))
            .exec(&self.db.write())
            .await
            .map_err(failed("use a code"))?;
        Ok(result.rows_affected > 0)
    }

    /// Removes codes that ran out; how many there were.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn sweep_expired(&self) -> Result<u64> {
        let result = Entity::delete_many()
            .filter(Column::ExpiresAt.lte(self.db.now()))
            .exec(&self.db.write())
            .await
            .map_err(failed("remove old codes"))?;
        Ok(result.rows_affected)
    }
}
