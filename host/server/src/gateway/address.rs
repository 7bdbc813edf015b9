//! Which project a request names: by host, by path, by key, or by default.

use atlashub_app::directory::{Directory, KnownKey, ProjectEntry};
use atlashub_core::{Error, KeyKind, Result};
use http::{HeaderMap, Request, header};
use std::{borrow::Cow, sync::Arc};

/// The project of a request, and what named it.
pub(super) struct Target {
    pub(super) project: Arc<ProjectEntry>,
    pub(super) key: Option<Arc<KnownKey>>,
    /// Length of the path's `/p/<slug>`, bytes; 0 when there is none.
    pub(super) prefix: usize,
    /// Whether the host is one of the project's own.
    pub(super) by_host: bool,
}

/// Finds the project. The first of host, path, key, default that names one
/// wins; two that name different ones are refused.
pub(super) async fn resolve<B>(directory: &Directory, request: &Request<B>) -> Result<Target> {
    let unknown = || Error::not_found("project");
    let mut found: Option<Arc<ProjectEntry>> = None;
    let host = request.uri().host().or_else(|| {
        request
            .headers()
            .get(header::HOST)
            .and_then(|host| host.to_str().ok())
    });
    if let Some(host) = host {
        found = directory.by_host(host).await?;
    }
    let by_host = found.is_some();
    let path = request.uri().path();
    let slug = path
        .strip_prefix("/p/")
        .map(|rest| rest.split('/').next().unwrap_or_default());
    let prefix = slug.map_or(0, |slug| "/p/".len() + slug.len());
    if let Some(slug) = slug {
        let named = directory.by_slug(slug).await?.ok_or_else(unknown)?;
        agree(found.as_deref(), &named)?;
        found = Some(named);
    }
    let key = match token(request.headers())? {
        Some(token) => {
            let key = directory.key(token).await?.ok_or_else(|| {
                Error::unauthenticated(
                    "the API key is not valid: it is unknown, expired or revoked",
                )
            })?;
            match &found {
                Some(found) if found.id != key.project => return Err(conflict()),
                Some(_) => {}
                None => found = Some(directory.of_key(&key).await?.ok_or_else(unknown)?),
            }
            Some(key)
        }
        None => None,
    };
    let project = match found {
        Some(project) => project,
        None => directory.default_project().await?.ok_or_else(|| {
            Error::new(
                atlashub_core::ErrorKind::NotFound,
                "project_not_named",
                "the request names no project: use its domain, `/p/<slug>/…` or an API key",
            )
        })?,
    };
    project.open()?;
    Ok(Target {
        project,
        key,
        prefix,
        by_host,
    })
}

fn agree(found: Option<&ProjectEntry>, named: &ProjectEntry) -> Result<()> {
    match found {
        Some(found) if found.id != named.id => Err(conflict()),
        _ => Ok(()),
    }
}

fn conflict() -> Error {
    Error::bad_request(
        "project_conflict",
        "host, path and key name different projects: make them agree",
    )
}

/// The API key of a request. It may come in several headers, as some client
/// libraries send it, but then it has to be the same.
fn token(headers: &HeaderMap) -> Result<Option<&str>> {
    let plain = ["x-api-key", "apikey"]
        .into_iter()
        .filter_map(|name| headers.get(name)?.to_str().ok())
        .map(str::trim);
    let mut keys = plain.chain(bearer(headers).filter(|token| is_key(token)));
    let first = keys.next();
    if keys.any(|key| Some(key) != first) {
        return Err(Error::bad_request(
            "key_conflict",
            "the headers carry different API keys: send one",
        ));
    }
    Ok(first)
}

/// The bearer token of a request.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

/// Whether a token has the form of an API key.
pub(super) fn is_key(token: &str) -> bool {
    [KeyKind::Publishable, KeyKind::Secret]
        .iter()
        .any(|kind| token.starts_with(kind.prefix()))
}

/// A path and query without the first `prefix` bytes, `/` at least.
pub(super) fn without_prefix(whole: &str, prefix: usize) -> Cow<'_, str> {
    match whole.get(prefix..) {
        None | Some("") => Cow::Borrowed("/"),
        Some(rest) if rest.starts_with('/') => Cow::Borrowed(rest),
        Some(rest) => Cow::Owned(format!("/{rest}")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_prefix_is_stripped() {
        assert_eq!(without_prefix("/p/demo/files?a=1", 7), "/files?a=1");
        assert_eq!(without_prefix("/p/demo", 7), "/");
        assert_eq!(without_prefix("/p/demo?a=1", 7), "/?a=1");
        assert_eq!(without_prefix("/files", 0), "/files");
    }

    #[test]
    fn a_key_is_found_in_three_headers() {
        let headers = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            headers
        };
        let found = |name, value| token(&headers(name, value)).unwrap().map(str::to_owned);
        assert_eq!(found("x-api-key", "ahs_1").as_deref(), Some("ahs_1"));
        assert_eq!(found("apikey", "ahp_1").as_deref(), Some("ahp_1"));
        assert_eq!(
            found("authorization", "bearer ahp_1").as_deref(),
            Some("ahp_1")
        );
        assert_eq!(found("authorization", "Bearer eyJ.a.b"), None);
        assert_eq!(found("authorization", "Basic ahp_1"), None);
    }

    #[test]
    fn the_same_key_may_come_twice_and_two_may_not() {
        let mut headers = HeaderMap::new();
        headers.insert("apikey", "ahp_1".parse().unwrap());
        headers.insert("authorization", "Bearer ahp_1".parse().unwrap());
        assert_eq!(token(&headers).unwrap(), Some("ahp_1"));
        headers.insert("authorization", "Bearer ahs_2".parse().unwrap());
        assert!(token(&headers).is_err());
    }
}
