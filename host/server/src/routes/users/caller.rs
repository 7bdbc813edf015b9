//! Who makes a request inside a project, as the gateway found out.

use crate::{
    admin::AdminCaller, client_address::ClientAddress, extract::Path, gateway::InProject,
    problem::Problem, request_id::RequestTag, state::HostState,
};
use atlashub_app::{
    Actor,
    users::{Client, SignedInUser, totp_required},
};
use atlashub_core::{AdminRole, Caller, Error, KeyKind, ProjectId};
use axum::extract::FromRequestParts;
use http::{Method, header, request::Parts};
use serde::Deserialize;
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

/// The project of the request.
pub(crate) struct Project(pub(crate) InProject);

impl Project {
    /// The project's id.
    pub(crate) fn id(&self) -> ProjectId {
        self.0.project.id
    }
}

/// The signed-in end user who makes the request.
pub(crate) struct Me(pub(crate) Arc<SignedInUser>);

/// As [`Me`], or whoever signed in and has yet to show the second factor: to
/// be taken by calls that show it, or tell whom it is about, and no others.
pub(crate) struct MeOrAwaiting(pub(crate) Arc<SignedInUser>);

/// Somebody who may look after the project's users: one of them with the role
/// `admin`, a secret key, or a platform admin, who only reads as `viewer`.
pub(crate) struct UserAdmin {
    /// The project.
    pub(crate) project: ProjectId,
    /// Who, for the audit.
    pub(crate) actor: Actor,
}

/// The program at the other end.
pub(crate) struct FromClient(pub(crate) Client);

impl FromRequestParts<HostState> for Project {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &HostState) -> Result<Self, Problem> {
        let found = parts.extensions.get::<InProject>().cloned();
        Ok(Self(found.ok_or_else(|| Error::not_found("project"))?))
    }
}

impl FromRequestParts<HostState> for Me {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &HostState) -> Result<Self, Problem> {
        let Project(found) = Project::from_request_parts(parts, state).await?;
        if found.awaiting.is_some() {
            return Err(Problem(totp_required()));
        }
        found.user.map(Self).ok_or_else(not_signed_in)
    }
}

impl FromRequestParts<HostState> for MeOrAwaiting {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &HostState) -> Result<Self, Problem> {
        let Project(found) = Project::from_request_parts(parts, state).await?;
        let me = found.user.or(found.awaiting);
        me.map(Self).ok_or_else(not_signed_in)
    }
}

/// A user as the one who did something, for the audit.
pub(crate) fn who(me: &SignedInUser, tag: Option<&RequestTag>) -> Actor {
    Actor {
        caller: Caller::User(Arc::clone(&me.user)),
        request: tag.map(RequestTag::id),
    }
}

fn not_signed_in() -> Problem {
    Problem(Error::unauthenticated(
        "sign in, and send the access token as `authorization: Bearer …`",
    ))
}

impl FromRequestParts<HostState> for UserAdmin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &HostState) -> Result<Self, Problem> {
        let Some(found) = parts.extensions.get::<InProject>().cloned() else {
            return by_platform_admin(parts, state).await;
        };
        if found.awaiting.is_some() {
            return Err(Problem(totp_required()));
        }
        let reads = parts.method == Method::GET || parts.method == Method::HEAD;
        let may = match &found.caller {
            Caller::User(user) => user.roles.iter().any(|role| role == "admin"),
            Caller::Key { kind, .. } => *kind == KeyKind::Secret,
            Caller::Admin { role, .. } => reads || *role != AdminRole::Viewer,
            Caller::Nobody => return Err(Problem(Error::unauthenticated("sign in first"))),
            Caller::Scheduler | Caller::Plugin(_) => false,
        };
        if !may {
            return Err(Problem(Error::forbidden(
                "looking after users needs the role `admin` in the project, or a secret key",
            )));
        }
        Ok(Self {
            project: found.project.id,
            actor: Actor {
                caller: found.caller,
                request: parts.extensions.get::<RequestTag>().map(RequestTag::id),
            },
        })
    }
}

/// The same calls below `/admin/v1/projects/{project}`.
async fn by_platform_admin(parts: &mut Parts, state: &HostState) -> Result<UserAdmin, Problem> {
    let caller = AdminCaller::from_request_parts(parts, state).await?;
    let Path(named) = Path::<Named>::from_request_parts(parts, state).await?;
    Ok(UserAdmin {
        project: state.app.project(&named.project).await?.id,
        actor: caller.actor,
    })
}

/// The project that a path names.
#[derive(Deserialize)]
struct Named {
    project: String,
}

impl FromRequestParts<HostState> for FromClient {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &HostState) -> Result<Self, Problem> {
        let address = parts
            .extensions
            .get::<ClientAddress>()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.0);
        let agent = parts
            .headers
            .get(header::USER_AGENT)
            .and_then(|value| value.to_str().ok());
        let request = parts.extensions.get::<RequestTag>().map(RequestTag::id);
        Ok(Self(Client::new(address, agent).during(request)))
    }
}
