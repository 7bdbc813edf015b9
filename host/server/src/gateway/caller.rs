//! Who calls inside a project. Credentials that the host has checked do not
//! reach the plugin; what the host does not know is left to the plugin.

use super::address::{bearer, is_key};
use crate::admin::credentials;
use atlashub_app::{App, directory::KnownKey, page_tokens::is_page_token, users::SignedInUser};
use atlashub_core::{
    Caller, Error, PluginName, ProjectId, Result, capability::channel::CallerSession,
};
use http::{HeaderMap, HeaderName, header};
use std::sync::Arc;

const KEY_HEADERS: [HeaderName; 2] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("apikey"),
];

/// Who calls, and as which signed-in end user, if any.
pub(super) struct Identified {
    pub(super) caller: Caller,
    pub(super) user: Option<Arc<SignedInUser>>,
    pub(super) session: Option<CallerSession>,
    /// The end user of a session that awaits the second factor: it is nobody
    /// yet, and whatever key came beside it does not count.
    pub(super) awaiting: Option<Arc<SignedInUser>>,
    /// The only plugin whose routes may be called: a page of its calls, from
    /// the dashboard.
    pub(super) only: Option<PluginName>,
}

impl Identified {
    /// That the caller may call what belongs to `plugin`; `None` is the
    /// project's own.
    ///
    /// # Errors
    /// 403 for a page's token elsewhere.
    pub(super) fn may_call(&self, plugin: Option<&PluginName>) -> Result<()> {
        match &self.only {
            Some(only) if Some(only) != plugin => Err(Error::forbidden(format!(
                "the token is for the routes of the plugin `{only}` alone"
            ))),
            _ => Ok(()),
        }
    }
}

/// Finds the caller and takes the host's credentials out of `headers`. A
/// user's access token narrows whatever came beside it to that user.
pub(super) async fn identify(
    app: &App,
    headers: &mut HeaderMap,
    project: ProjectId,
    key: Option<&KnownKey>,
) -> Result<Identified> {
    if let Some(token) = bearer(headers).filter(|token| is_page_token(token)) {
        let page = app.page_caller(project, token).await?;
        headers.remove(header::AUTHORIZATION);
        for name in KEY_HEADERS {
            headers.remove(name);
        }
        credentials::strip(headers);
        return Ok(Identified {
            caller: page.caller,
            user: None,
            session: None,
            awaiting: None,
            only: Some(page.plugin),
        });
    }
    let (user, session) = match bearer(headers) {
        Some(token) if !is_hosts(token) && app.is_access_token(token) => {
            let (user, of) = app.authenticate_session(project, token).await?;
            headers.remove(header::AUTHORIZATION);
            (Some(user), Some(of))
        }
        _ => (None, None),
    };
    let (user, awaiting) = match user {
        Some(user) if user.awaits_factor() => (None, Some(user)),
        user => (user, None),
    };
    let admin = credentials::admin(app, headers).await?;
    if bearer(headers).is_some_and(is_hosts) {
        headers.remove(header::AUTHORIZATION);
    }
    for name in KEY_HEADERS {
        headers.remove(name);
    }
    credentials::strip(headers);
    let (admin, key) = match awaiting {
        Some(_) => (None, None),
        None => (admin, key),
    };
    let caller = match (&user, admin, key) {
        (Some(user), ..) => Caller::User(Arc::clone(&user.user)),
        (None, Some(admin), _) => Caller::Admin {
            id: admin.id,
            role: admin.role,
        },
        (None, None, Some(key)) => Caller::Key {
            id: key.id,
            kind: key.kind,
        },
        (None, None, None) => Caller::Nobody,
    };
    Ok(Identified {
        caller,
        user,
        session,
        awaiting,
        only: None,
    })
}

fn is_hosts(token: &str) -> bool {
    is_key(token) || credentials::is_session(token)
}
