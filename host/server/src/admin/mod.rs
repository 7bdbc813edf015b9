//! Who calls the admin interface, and whether they may: credentials are read
//! in [`credentials`], roles checked here and nowhere else.

pub(crate) mod credentials;
pub(crate) mod same_origin;

use crate::{problem::Problem, request_id::RequestTag, state::HostState};
use atlashub_app::{Actor, AdminIdentity, App};
use atlashub_core::{AdminId, AdminRole, Caller, Error, ErrorKind};
use axum::extract::FromRequestParts;
use http::{HeaderMap, Method, request::Parts};
use std::time::Duration;

/// How often whoever follows something is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A platform admin who made the request.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    /// Which one; `None` is the development token.
    pub(crate) id: Option<AdminId>,
    /// What the admin may do.
    pub(crate) role: AdminRole,
    /// The session, unless it is the development token or Access vouches.
    pub(crate) session: Option<AdminIdentity>,
}

/// An admin who may make this request: anybody may read, only `admin` and
/// `owner` may change.
#[derive(Clone, Debug)]
pub(crate) struct AdminCaller {
    /// Who.
    pub(crate) admin: Admin,
    /// Who, for the audit.
    pub(crate) actor: Actor,
}

/// An admin of any role, for what concerns the admin alone.
#[derive(Clone, Debug)]
pub(crate) struct AnyAdmin(pub(crate) AdminCaller);

/// An owner, for what concerns other admins.
#[derive(Clone, Debug)]
pub(crate) struct OwnerCaller(pub(crate) AdminCaller);

/// An admin of any role with a session, for what concerns the account.
#[derive(Clone, Debug)]
pub(crate) struct SignedInAdmin(pub(crate) AdminIdentity);

impl AdminCaller {
    /// The caller in one word, for keys that belong to it.
    pub(crate) fn name(&self) -> String {
        self.admin
            .id
            .map_or_else(|| "development".to_owned(), |id| id.to_string())
    }
}

/// Waits until the credentials of a request hold no more: the session was
/// ended, or the admin shut out. An answer that goes on ends then.
pub(crate) async fn end_of_credentials(app: App, admin: Admin, headers: HeaderMap) {
    loop {
        tokio::time::sleep(LOOK_AGAIN).await;
        let holds = match &admin.session {
            Some(session) => app.session_holds(session).await,
            None => credentials::find(&app, &headers, None)
                .await
                .map(|found| found.is_some()),
        };
        match holds {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) if error.kind() == ErrorKind::Unauthenticated => return,
            // Who could be asked does not answer: that says nothing of them.
            Err(_) => {}
        }
    }
}

impl FromRequestParts<HostState> for AnyAdmin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &HostState) -> Result<Self, Problem> {
        let request = parts.extensions.get::<RequestTag>().map(RequestTag::id);
        let found = credentials::find(&state.app, &parts.headers, request).await?;
        let Some(found) = found else {
            return Err(Problem(Error::unauthenticated(
                "sign in as an admin first: keys of a project are not taken here",
            )));
        };
        if found.by_itself && changes_state(&parts.method) {
            same_origin::check(&parts.headers, &state.app.settings().public_url)?;
        }
        let admin = found.admin;
        let actor = Actor {
            caller: Caller::Admin {
                id: admin.id,
                role: admin.role,
            },
            request,
        };
        Ok(Self(AdminCaller { admin, actor }))
    }
}

impl FromRequestParts<HostState> for OwnerCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &HostState) -> Result<Self, Problem> {
        let AnyAdmin(caller) = AnyAdmin::from_request_parts(parts, state).await?;
        require(caller.admin.role, AdminRole::Owner)?;
        Ok(Self(caller))
    }
}

impl FromRequestParts<HostState> for SignedInAdmin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &HostState) -> Result<Self, Problem> {
        let AnyAdmin(caller) = AnyAdmin::from_request_parts(parts, state).await?;
        let session = caller.admin.session;
        session.map(Self).ok_or_else(|| {
            Problem(Error::conflict(
                "no_password_here",
                "this concerns an account with a password: sign in with one",
            ))
        })
    }
}

impl FromRequestParts<HostState> for AdminCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &HostState) -> Result<Self, Problem> {
        let AnyAdmin(caller) = AnyAdmin::from_request_parts(parts, state).await?;
        check_role(caller.admin.role, &parts.method)?;
        Ok(caller)
    }
}

/// Whether a method may change something (RFC 9110, safe methods).
fn changes_state(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether an admin with `role` may make a request with `method`.
fn check_role(role: AdminRole, method: &Method) -> Result<(), Error> {
    let needed = if changes_state(method) {
        AdminRole::Admin
    } else {
        AdminRole::Viewer
    };
    require(role, needed)
}

fn require(role: AdminRole, needed: AdminRole) -> Result<(), Error> {
    if role >= needed {
        return Ok(());
    }
    Err(Error::forbidden(format!(
        "this needs the role `{}`, yours is `{}`",
        needed.as_str(),
        role.as_str()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_reads_and_changes_nothing() {
        for method in [Method::GET, Method::HEAD] {
            assert!(check_role(AdminRole::Viewer, &method).is_ok());
        }
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(
                check_role(AdminRole::Viewer, &method).unwrap_err().code(),
                "forbidden"
            );
            assert!(check_role(AdminRole::Admin, &method).is_ok());
            assert!(check_role(AdminRole::Owner, &method).is_ok());
        }
    }
}
