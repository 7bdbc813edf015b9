//! Who calls inside a project. Credentials that the host has checked do not
//! reach the plugin; what the host does not know is left to the plugin.

use super::address::{bearer, is_key};
use crate::admin::credentials;
use atlashub_app::{App, directory::KnownKey};
use atlashub_core::{Caller, Result};
use http::{HeaderMap, HeaderName, header};

const KEY_HEADERS: [HeaderName; 2] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("apikey"),
];

/// Finds the caller and takes the host's credentials out of `headers`.
pub(super) async fn identify(
    app: &App,
    headers: &mut HeaderMap,
    key: Option<&KnownKey>,
) -> Result<Caller> {
    let admin = credentials::admin(app, headers).await?;
    if bearer(headers).is_some_and(|token| is_key(token) || credentials::is_session(token)) {
        headers.remove(header::AUTHORIZATION);
    }
    for name in KEY_HEADERS {
        headers.remove(name);
    }
    credentials::strip(headers);
    Ok(match (admin, key) {
        (Some(admin), _) => Caller::Admin {
            id: admin.id,
            role: admin.role,
        },
        (None, Some(key)) => Caller::Key {
            id: key.id,
            kind: key.kind,
        },
        (None, None) => Caller::Nobody,
    })
}
