//! Sign-ins with others that are under way, so that any node can end what
//! another began. A project has so many at once; more push the oldest out.

use super::super::{
    changes::uuid,
    entity::oauth_sign_in::{ActiveModel, Column, Entity},
    failure::{failed, orphaned},
    instant,
    unit::{Db, returning},
};
use atlashub_core::{Digest, ProjectId, ProviderName, Result};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, sea_query::Query,
};
use std::time::Duration;

/// A sign-in that begins.
#[derive(Clone, Debug)]
pub struct NewOAuthSignIn {
    /// SHA-256 of its state.
    pub state_hash: Digest,
    /// With whom.
    pub provider: ProviderName,
    /// SHA-256 of the cookie of the browser that began it.
    pub browser_hash: Digest,
    /// What only this host may know of it, sealed.
    pub sealed_secrets: String,
    /// Where it leads in the end.
    pub redirect_to: String,
    /// What the application's verifier must hash to.
    pub code_challenge: String,
    /// How long it may take.
    pub lifetime: Duration,
}

/// A sign-in that was just taken up again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthSignIn {
    /// What only this host may know of it, sealed.
    pub sealed_secrets: String,
    /// Where it leads in the end.
    pub redirect_to: String,
    /// What the application's verifier must hash to.
    pub code_challenge: String,
}

/// Sign-ins with others that are under way.
pub struct OAuthSignIns<'a> {
    db: Db<'a>,
}

impl<'a> OAuthSignIns<'a> {
    pub(in crate::platform) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Keeps a sign-in. Of a project's, the newest `most` stay.
    ///
    /// # Errors
    /// `not_found` when there is no such project.
    pub async fn begin(&self, project: ProjectId, new: NewOAuthSignIn, most: u64) -> Result<()> {
        let unit = self.db.begin().await?;
        let context = failed("keep a sign-in");
        let now = unit.now();
        let surplus: Option<i64> = Entity::find()
            .select_only()
            .column(Column::CreatedAt)
            .filter(Column::ProjectId.eq(uuid(project)))
            .order_by_desc(Column::CreatedAt)
            .offset(most.saturating_sub(1))
            .limit(1)
            .into_tuple()
            .one(&unit.executor())
            .await
            .map_err(&context)?;
        if let Some(newest_surplus) = surplus {
            Entity::delete_many()
                .filter(Column::ProjectId.eq(uuid(project)))
                .filter(Column::CreatedAt.lte(newest_surplus))
                .exec(&unit.executor())
                .await
                .map_err(&context)?;
        }
        Entity::insert(ActiveModel {
            state_hash: Set(new.state_hash.as_bytes().to_vec()),
            project_id: Set(uuid(project)),
            provider: Set(new.provider.to_string()),
            browser_hash: Set(new.browser_hash.as_bytes().to_vec()),
            sealed_secrets: Set(new.sealed_secrets),
            redirect_to: Set(new.redirect_to),
            code_challenge: Set(new.code_challenge),
            created_at: Set(now),
            expires_at: Set(instant::later(now, new.lifetime)),
        })
        .exec_without_returning(&unit.executor())
        .await
        .map_err(orphaned("project", "keep a sign-in"))?;
        unit.commit().await
    }

    /// Takes a sign-in with `provider` up for the browser that began it, and
    /// for no other. It is gone then: of any number who try, one succeeds.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn take(
        &self,
        project: ProjectId,
        provider: &ProviderName,
        state_hash: &Digest,
        browser_hash: &Digest,
    ) -> Result<Option<OAuthSignIn>> {
        let mut query = Entity::delete_many()
            .filter(Column::StateHash.eq(state_hash.as_bytes().to_vec()))
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::Provider.eq(provider.as_str()))
            .filter(Column::BrowserHash.eq(browser_hash.as_bytes().to_vec()))
            .filter(Column::ExpiresAt.gt(self.db.now()));
        sea_orm::QueryTrait::query(&mut query).returning(Query::returning().columns([
            Column::SealedSecrets,
            Column::RedirectTo,
            Column::CodeChallenge,
        ]));
        let context = failed("take a sign-in up");
        let statement = sea_orm::QueryTrait::build(&query, self.db.backend());
        let row = returning(&self.db.write(), statement)
            .await
            .map_err(&context)?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(OAuthSignIn {
            sealed_secrets: row.try_get_by_index(0).map_err(&context)?,
            redirect_to: row.try_get_by_index(1).map_err(&context)?,
            code_challenge: row.try_get_by_index(2).map_err(&context)?,
        }))
    }

    /// Removes sign-ins that took too long; how many there were.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn sweep_expired(&self) -> Result<u64> {
        let result = Entity::delete_many()
            .filter(Column::ExpiresAt.lte(self.db.now()))
            .exec(&self.db.write())
            .await
            .map_err(failed("remove old sign-ins"))?;
        Ok(result.rows_affected)
    }
}
