//! Addresses that users name, and that services lead to. The host refuses
//! private addresses; what is refused here would be no call to a service at
//! all.

use crate::{fault, settings::Settings};
use atlashub_sdk::prelude::*;
use url::Url;

/// Longest address, bytes.
const MAX_BYTES: usize = 2000;

/// An address of a server that a user names: nothing behind its path, and a
/// slash at its end.
pub(crate) fn of_server(text: &str, settings: &Settings) -> Result<Url> {
    let mut url = checked(text.trim(), settings)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(fault::address_refused(
            "the address has something behind its path: leave `?` and `#` out",
        ));
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

/// Any address that may be called: https, or http where the admin lets it be,
/// without credentials in it, and never that of another plugin.
pub(crate) fn checked(text: &str, settings: &Settings) -> Result<Url> {
    let refused = fault::address_refused;
    if text.len() > MAX_BYTES {
        return Err(refused("an address has 2000 bytes at most"));
    }
    let url = Url::parse(text).map_err(|_| refused("this is no address: write `https://…`"))?;
    match url.scheme() {
        "https" => {}
        "http" if settings.allow_plain_http => {}
        "http" => {
            return Err(refused(
                "the address begins with `http://`, where everybody could read along: it needs `https://`",
            ));
        }
        _ => {
            return Err(refused(
                "the address begins with neither `https://` nor `http://`",
            ));
        }
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused(
            "the address has a name or a password in it: give them beside it",
        ));
    }
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    let host = host.to_ascii_lowercase();
    // Plugins of the project have such addresses.
    if host.is_empty() || host == "internal" || host.ends_with(".internal") {
        return Err(refused("no service has this address"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn of(text: &str) -> Option<String> {
        match of_server(text, &Settings::default()) {
            Ok(url) => Some(url.to_string()),
            Err(error) => {
                assert_eq!(error.code(), "address_refused");
                None
            }
        }
    }

    #[test]
    fn an_address_ends_with_a_slash_and_its_host_is_ascii() {
        assert_eq!(
            of(" https://Wolke.Bücher.example:8443/dav/für mich").unwrap(),
            "https://wolke.xn--bcher-kva.example:8443/dav/f%C3%BCr%20mich/"
        );
        assert_eq!(of("https://a.example").unwrap(), "https://a.example/");
    }

    #[test]
    fn addresses_that_are_not_of_a_service_are_refused() {
        for text in [
            "",
            "cloud.example.com",
            "http://cloud.example.com/",
            "ftp://cloud.example.com/",
            "file:///etc/passwd",
            "https://ada:word@cloud.example.com/",
            "https://files.internal/",
            "https://FILES.INTERNAL./",
            "https://files%2Einternal/",
            "https://a.example/?x",
            "https://a.example/#x",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
        let plain = Settings {
            allow_plain_http: true,
            ..Settings::default()
        };
        assert!(of_server("http://nas.example/", &plain).is_ok());
        assert!(of_server("http://files.internal/", &plain).is_err());
    }
}
