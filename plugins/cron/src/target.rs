//! Whom jobs may call: addresses by the project's list, and plugins. The host
//! refuses what is not on it as well; here it is said beforehand, in words
//! that help.

use crate::settings::Settings;
use atlashub_sdk::prelude::*;
use url::Url;

/// Longest address, bytes.
const MAX_BYTES: usize = 2_000;

/// An address that may be called.
pub(crate) fn checked(text: &str, settings: &Settings) -> Result<Url> {
    let url = parsed(text)?;
    check_allowed(&url, settings)?;
    Ok(url)
}

/// An address of a host, whether it may be called or not.
fn parsed(text: &str) -> Result<Url> {
    let invalid = |why: &str| Error::invalid("invalid_url", why);
    if text.len() > MAX_BYTES {
        return Err(invalid("an address has 2000 bytes at most"));
    }
    let url = Url::parse(text.trim()).map_err(|_| invalid("write the address as `https://…`"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid(
            "the address begins with neither `https://` nor `http://`",
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid(
            "the address has a name or a password in it, which would be seen: send a header `authorization`",
        ));
    }
    let host = host_of(&url);
    if host.is_empty() || host == "internal" || host.ends_with(".internal") {
        return Err(invalid(
            "this is no address of a host: plugins are called by jobs of the type `plugin`",
        ));
    }
    Ok(url)
}

/// Refuses an address that is not on the project's list.
pub(crate) fn check_allowed(url: &Url, settings: &Settings) -> Result<()> {
    let (host, port) = (host_of(url), port_of(url));
    let mut list = settings.allowed_targets.iter();
    if list.any(|entry| covers(entry, &host, port)) {
        return Ok(());
    }
    let wanted = if matches!(port, 80 | 443) {
        host
    } else {
        format!("{host}:{port}")
    };
    let detail = format!(
        "the project's list does not allow this target: add `{wanted}` to `allowed_targets` in the \
         configuration of the plugin `cron`"
    );
    Err(Error::bad_request("target_not_allowed", detail).with_field("allow", wanted))
}

/// Refuses a plugin that is not on the project's list.
pub(crate) fn check_plugin(name: &str, settings: &Settings) -> Result<()> {
    if settings.allowed_plugins.iter().any(|own| own == name) {
        return Ok(());
    }
    let detail = format!(
        "the project's list does not allow this plugin: add `{name}` to `allowed_plugins` in the \
         configuration of the plugin `cron`"
    );
    Err(Error::bad_request("target_not_allowed", detail).with_field("allow", name))
}

/// Scheme, host and port: who gets what is sent there.
pub(crate) fn origin(text: &str) -> Option<(String, String, u16)> {
    let url = Url::parse(text).ok()?;
    Some((url.scheme().to_owned(), host_of(&url), port_of(&url)))
}

fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    host.trim_end_matches('.').to_ascii_lowercase()
}

fn port_of(url: &Url) -> u16 {
    url.port_or_known_default().unwrap_or(0)
}

/// Whether an entry of the list covers a host at a port, as the host has it.
fn covers(entry: &str, host: &str, port: u16) -> bool {
    if entry.contains("://") {
        return Url::parse(entry)
            .is_ok_and(|url| (host_of(&url).as_str(), port_of(&url)) == (host, port));
    }
    let (name, own) = match entry.rsplit_once(':') {
        Some((name, own)) if !name.contains(':') || name.ends_with(']') => {
            let Ok(own) = own.parse::<u16>() else {
                return false;
            };
            (name, Some(own))
        }
        _ => (entry, None),
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let named = match name.strip_prefix("*.") {
        Some(domain) => host
            .strip_suffix(domain)
            .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        None => name == host,
    };
    named && own.map_or(matches!(port, 80 | 443), |own| own == port)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn code(text: &str, allowed: &[&str]) -> Option<String> {
        let settings = Settings {
            allowed_targets: allowed.iter().map(|&entry| entry.to_owned()).collect(),
            ..Settings::default()
        };
        let error = checked(text, &settings).err()?;
        Some(error.code().to_owned())
    }

    #[test]
    fn what_is_on_the_list_may_be_called() {
        for (text, entry) in [
            ("https://api.example.com/x", "api.example.com"),
            ("http://API.example.com/x?y", "api.example.com"),
            ("http://api.example.com:8443/", "Api.example.com:8443"),
            ("https://a.b.example.com/", "*.example.com"),
            ("http://127.0.0.1:9000/", "127.0.0.1:9000"),
            ("http://[::1]:9000/", "[::1]:9000"),
            ("http://127.0.0.1:9000/y", "http://127.0.0.1:9000/x"),
        ] {
            assert_eq!(code(text, &[entry]), None, "{text} {entry}");
        }
    }

    #[test]
    fn what_is_not_on_the_list_is_named() {
        for (text, entry) in [
            ("https://example.com/", "*.example.com"),
            ("https://badexample.com/", "*.example.com"),
            ("https://api.example.com:8443/", "api.example.com"),
            ("https://api.example.com/", "api.example.com:8443"),
            ("https://api.example.com/", "*"),
        ] {
            let refused = code(text, &[entry]);
            assert_eq!(refused.as_deref(), Some("target_not_allowed"), "{text}");
        }
        let error = checked("https://a.example:8443/", &Settings::default()).unwrap_err();
        assert_eq!(error.fields().get("allow").unwrap(), "a.example:8443");
        assert!(error.detail().contains("`a.example:8443`"));
    }

    #[test]
    fn what_is_no_address_of_a_host_is_refused() {
        for text in [
            "",
            "api.example.com",
            "ftp://api.example.com/",
            "https://a:b@api.example.com/",
            "http://files.internal/",
        ] {
            let refused = code(text, &["*.example.com", "files.internal"]);
            assert_eq!(refused.as_deref(), Some("invalid_url"), "{text}");
        }
    }
}
