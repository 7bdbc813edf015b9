//! Tokens for the pages that plugins bring into the dashboard. Such a page runs
//! in a sandboxed frame, without the admin's cookie; what it gets instead lets
//! it call the routes of its own plugin in its own project, as the admin who
//! looks at it, for a few minutes.
//!
//! A token is signed, not stored. It ends with the session behind it, and the
//! role is read anew with each use: who was shut out is out here, too.

use crate::{AdminIdentity, App};
use atlashub_core::{
    AdminId, AdminRole, Caller, Digest, Error, ErrorKind, PluginName, ProjectId, Result,
};
use atlashub_storage::links::{LinkKey, sign_subject, verify_subject};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use time::OffsetDateTime;

/// How long a token is valid; a page asks for the next before.
const VALID_FOR: Duration = Duration::from_secs(300);
/// How a token starts.
const PREFIX: &str = "ahpt_";
/// What its signature is for.
const PURPOSE: &str = "page";

/// A token that was made.
#[derive(Clone, Debug)]
pub struct PageToken {
    /// The token.
    pub token: String,
    /// When it ends.
    pub expires_at: OffsetDateTime,
}

/// Who calls with a token.
#[derive(Clone, Debug)]
pub struct PageCaller {
    /// The plugin whose routes may be called.
    pub plugin: PluginName,
    /// The admin.
    pub caller: Caller,
}

/// What a token says.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    project: ProjectId,
    plugin: PluginName,
    admin: Option<AdminId>,
    role: AdminRole,
    /// The digest of the session's token; none for an admin without a session.
    session: Option<Digest>,
}

impl App {
    /// A token for the pages of a plugin that is enabled in a project.
    ///
    /// # Errors
    /// 404 when it is not installed, `no_pages` (409) when it brings no pages
    /// or is switched off.
    pub async fn issue_page_token(
        &self,
        project: ProjectId,
        plugin: &PluginName,
        admin: Option<AdminId>,
        role: AdminRole,
        session: Option<&AdminIdentity>,
    ) -> Result<PageToken> {
        let installed = self.installed_plugin(project, plugin).await?;
        let has_pages = !installed.revision.manifest.pages.is_empty();
        if !has_pages || !installed.installation.state.enabled {
            return Err(Error::conflict(
                "no_pages",
                format!("the plugin `{plugin}` brings no pages, or is switched off"),
            ));
        }
        let claims = Claims {
            project,
            plugin: plugin.clone(),
            admin,
            role,
            session: session.map(|session| session.token_hash),
        };
        let subject = serde_json::to_string(&claims)
            .map_err(|error| Error::internal("write a token's claims", error))?;
        let key = LinkKey::new(self.sealer().derive("page-tokens"));
        let clock = self.clock();
        let token = sign_subject(&key, PURPOSE, &subject, VALID_FOR, clock)?;
        Ok(PageToken {
            token: format!("{PREFIX}{token}"),
            expires_at: clock.now() + VALID_FOR,
        })
    }

    /// Who calls with a token in `project`.
    ///
    /// # Errors
    /// 401 `invalid_page_token` when it is none, is over, is of another
    /// project, or the session behind it has ended.
    pub async fn page_caller(&self, project: ProjectId, token: &str) -> Result<PageCaller> {
        let signed = token.strip_prefix(PREFIX).ok_or_else(invalid)?;
        let keys = self.sealer().derive_all("page-tokens");
        let subject = keys
            .into_iter()
            .find_map(|key| verify_subject(&LinkKey::new(key), PURPOSE, signed, self.clock()).ok())
            .ok_or_else(invalid)?;
        let claims: Claims = serde_json::from_str(&subject).map_err(|_| invalid())?;
        if claims.project != project {
            return Err(invalid());
        }
        let role = match &claims.session {
            Some(hash) => {
                let session = self.session_of(hash).await?.ok_or_else(invalid)?;
                session.role.min(claims.role)
            }
            None => claims.role,
        };
        Ok(PageCaller {
            plugin: claims.plugin,
            caller: Caller::Admin {
                id: claims.admin,
                role,
            },
        })
    }
}

/// Whether a bearer token has the form of a page's.
#[must_use]
pub fn is_page_token(token: &str) -> bool {
    token.starts_with(PREFIX)
}

fn invalid() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "invalid_page_token",
        "the page's token has run out, or is for another project: ask the dashboard for a new one",
    )
}
