//! With whom the end users of a project may sign in.

use super::super::{
    changes::{ChangeKind, NewChange, uuid},
    entity::auth_provider::{ActiveModel, Column, Entity, Model},
    failure::{corrupt, failed, orphaned},
    instant,
    unit::Db,
};
use atlashub_core::{Error, ProjectId, ProviderName, Result};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, sea_query::OnConflict,
};
use std::str::FromStr;
use time::OffsetDateTime;

/// What protocol a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProviderKind {
    /// Google.
    Google,
    /// GitHub, or a GitHub Enterprise Server: OAuth without ID tokens.
    Github,
    /// Microsoft, one tenant or any.
    Microsoft,
    /// Any issuer of OpenID Connect.
    Oidc,
}

impl ProviderKind {
    /// The kind as it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Google => "google",
            Self::Github => "github",
            Self::Microsoft => "microsoft",
            Self::Oidc => "oidc",
        }
    }
}

impl FromStr for ProviderKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Google, Self::Github, Self::Microsoft, Self::Oidc]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| {
                Error::invalid(
                    "invalid_provider",
                    "`kind` must be `google`, `github`, `microsoft` or `oidc`",
                )
            })
    }
}

/// A provider of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthProvider {
    /// Whose it is.
    pub project: ProjectId,
    /// Its name in addresses, unique in the project.
    pub name: ProviderName,
    /// What it speaks.
    pub kind: ProviderKind,
    /// Who vouches, no slash at the end unless the issuer has one.
    pub issuer: String,
    /// What the project is called there.
    pub client_id: String,
    /// The secret that goes with it, sealed; `None` for a public client.
    pub sealed_client_secret: Option<String>,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// Whether one can sign in with it.
    pub enabled: bool,
    /// Whether somebody who is no user yet becomes one.
    pub sign_up: bool,
    /// When it was set up.
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    pub updated_at: OffsetDateTime,
}

/// A provider to be kept in place of what was there.
#[derive(Clone, Debug)]
pub struct PutProvider {
    /// What it speaks.
    pub kind: ProviderKind,
    /// Who vouches.
    pub issuer: String,
    /// What the project is called there.
    pub client_id: String,
    /// The secret that goes with it, sealed.
    pub sealed_client_secret: Option<String>,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// Whether one can sign in with it.
    pub enabled: bool,
    /// Whether somebody who is no user yet becomes one.
    pub sign_up: bool,
}

/// The providers of projects.
pub struct AuthProviders<'a> {
    db: Db<'a>,
}

impl<'a> AuthProviders<'a> {
    pub(in crate::platform) fn new(db: Db<'a>) -> Self {
        Self { db }
    }

    /// Keeps a provider, in place of one of that name; a project has `most`
    /// at most.
    ///
    /// # Errors
    /// `too_many_providers`; `not_found` when there is no such project.
    pub async fn put(
        &self,
        project: ProjectId,
        name: &ProviderName,
        wanted: PutProvider,
        most: u64,
    ) -> Result<AuthProvider> {
        let unit = self.db.begin().await?;
        let now = unit.now();
        let others = Entity::find()
            .filter(Column::ProjectId.eq(uuid(project)))
            .filter(Column::Name.ne(name.as_str()))
            .count(&unit.executor())
            .await
            .map_err(failed("count providers"))?;
        if others >= most {
            return Err(Error::conflict(
                "too_many_providers",
                format!("a project may have {most} providers, delete one first"),
            ));
        }
        Entity::insert(ActiveModel {
            project_id: Set(uuid(project)),
            name: Set(name.to_string()),
            kind: Set(wanted.kind.as_str().to_owned()),
            issuer: Set(wanted.issuer),
            client_id: Set(wanted.client_id),
            sealed_client_secret: Set(wanted.sealed_client_secret),
            scopes: Set(instant::to_json(&wanted.scopes)?),
            enabled: Set(wanted.enabled),
            sign_up: Set(wanted.sign_up),
            created_at: Set(now),
            updated_at: Set(now),
        })
        .on_conflict(
            OnConflict::columns([Column::ProjectId, Column::Name])
                .update_columns([
                    Column::Kind,
                    Column::Issuer,
                    Column::ClientId,
                    Column::SealedClientSecret,
                    Column::Scopes,
                    Column::Enabled,
                    Column::SignUp,
                    Column::UpdatedAt,
                ])
                .to_owned(),
        )
        .exec_without_returning(&unit.executor())
        .await
        .map_err(orphaned("project", "store a provider"))?;
        let stored = unit.auth_providers().find(project, name).await?;
        unit.announce(NewChange::project(project, ChangeKind::AuthChanged));
        unit.commit().await?;
        stored.ok_or_else(|| Error::not_found("provider"))
    }

    /// The provider of this name.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn find(
        &self,
        project: ProjectId,
        name: &ProviderName,
    ) -> Result<Option<AuthProvider>> {
        Entity::find_by_id((uuid(project), name.to_string()))
            .one(&self.db.read())
            .await
            .map_err(failed("find a provider"))?
            .map(record)
            .transpose()
    }

    /// All providers of a project, by name.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn list(&self, project: ProjectId) -> Result<Vec<AuthProvider>> {
        Entity::find()
            .filter(Column::ProjectId.eq(uuid(project)))
            .order_by_asc(Column::Name)
            .all(&self.db.read())
            .await
            .map_err(failed("list providers"))?
            .into_iter()
            .map(record)
            .collect()
    }

    /// Removes a provider; whether it was there. Who signed in with it stays
    /// known by the issuer.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn delete(&self, project: ProjectId, name: &ProviderName) -> Result<bool> {
        let unit = self.db.begin().await?;
        let result = Entity::delete_by_id((uuid(project), name.to_string()))
            .exec(&unit.executor())
            .await
            .map_err(failed("delete a provider"))?;
        unit.announce(NewChange::project(project, ChangeKind::AuthChanged));
        unit.commit().await?;
        Ok(result.rows_affected > 0)
    }
}

fn record(row: Model) -> Result<AuthProvider> {
    let stored = |error: Error| corrupt("provider")(Box::new(error));
    Ok(AuthProvider {
        project: ProjectId::from_uuid(row.project_id),
        name: row.name.parse().map_err(stored)?,
        kind: row.kind.parse().map_err(stored)?,
        issuer: row.issuer,
        client_id: row.client_id,
        sealed_client_secret: row.sealed_client_secret,
        scopes: instant::from_json("list of scopes", &row.scopes)?,
        enabled: row.enabled,
        sign_up: row.sign_up,
        created_at: instant::from_micros(row.created_at)?,
        updated_at: instant::from_micros(row.updated_at)?,
    })
}
