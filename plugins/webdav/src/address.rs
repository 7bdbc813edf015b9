//! Addresses: which file or folder a path names, and how clients see it.

use atlashub_sdk::prelude::*;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Where the plugin is mounted, as it sees it.
const MOUNT: &str = "/dav";
/// What a segment keeps as it is (RFC 3986 §2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A path in the caller's tree, without slashes at its ends; empty for the
/// top.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) path: String,
    /// Whether it was written as a folder's, with a slash at the end.
    pub(crate) as_folder: bool,
}

/// What a request is about, and what addresses in its answer start with.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) place: Place,
    /// The mount as the client sees it, encoded: `/p/demo/dav`.
    base: String,
}

impl Place {
    /// Reads what follows the mount in an address, encoded.
    fn read(rest: &str) -> Result<Self> {
        let mut segments = Vec::new();
        for segment in rest.split('/').filter(|segment| !segment.is_empty()) {
            let name = percent_decode_str(segment)
                .decode_utf8()
                .map_err(|_| refused("the address is not UTF-8, percent-encoded"))?;
            if name.contains(['/', '\0']) || name == "." || name == ".." {
                return Err(refused("a name in the address is none"));
            }
            segments.push(name.into_owned());
        }
        Ok(Self {
            as_folder: rest.ends_with('/') || segments.is_empty(),
            path: segments.join("/"),
        })
    }

    pub(crate) fn is_top(&self) -> bool {
        self.path.is_empty()
    }

    /// The folder around it, and the name in it.
    pub(crate) fn split(&self) -> (&str, &str) {
        self.path.rsplit_once('/').unwrap_or(("", &self.path))
    }
}

/// Whether `inner` lies somewhere below `outer`.
pub(crate) fn holds(outer: &str, inner: &str) -> bool {
    if outer.is_empty() {
        return !inner.is_empty();
    }
    inner
        .strip_prefix(outer)
        .is_some_and(|rest| rest.starts_with('/'))
}

impl Address {
    pub(crate) fn of(request: &Request) -> Result<Self> {
        let seen = request.path();
        let rest = seen.strip_prefix(MOUNT).unwrap_or(seen);
        let asked = request.header("x-forwarded-path").unwrap_or(seen);
        // Wherever an admin has mounted the plugin, what follows is the same.
        let base = asked.strip_suffix(rest).unwrap_or(MOUNT);
        Ok(Self {
            place: Place::read(rest)?,
            base: base.trim_end_matches('/').to_owned(),
        })
    }

    /// The address of something in the tree, for an answer.
    pub(crate) fn href(&self, path: &str, is_folder: bool) -> String {
        let mut href = self.base.clone();
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            href.push('/');
            href.extend(utf8_percent_encode(segment, ENCODED));
        }
        if is_folder || path.is_empty() {
            href.push('/');
        }
        href
    }

    /// The place that another address names, of a header: absolute, or a
    /// path. None when it is not in this tree. Which host it names is not
    /// looked at: behind a proxy that may be another.
    pub(crate) fn place_of(&self, address: &str) -> Result<Option<Place>> {
        let address = address.trim();
        let path = match address.split_once("://") {
            Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
            None => address,
        };
        let path = path.split(['?', '#']).next().unwrap_or_default();
        match path.strip_prefix(self.base.as_str()) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => Place::read(rest).map(Some),
            _ => Ok(None),
        }
    }

    /// Where a copy or a move goes.
    pub(crate) fn destination(&self, request: &Request) -> Result<Place> {
        let header = request.header("destination").ok_or_else(|| {
            Error::bad_request("destination_missing", "the header `Destination` is missing")
        })?;
        self.place_of(header)?.ok_or_else(|| {
            Error::new(
                StatusCode::BAD_GATEWAY,
                "destination_elsewhere",
                "the destination is not in this drive",
            )
        })
    }
}

fn refused(why: &str) -> Error {
    Error::bad_request("invalid_path", why)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn address(seen: &str, asked: Option<&str>) -> Address {
        let mut request = Request::get(seen);
        if let Some(asked) = asked {
            request = request.with_header("x-forwarded-path", asked);
        }
        Address::of(&request).unwrap()
    }

    #[test]
    fn addresses_are_the_clients_wherever_the_plugin_is_mounted() {
        let plain = address("/dav/a%20b/", None);
        assert_eq!(plain.place.path, "a b");
        assert!(plain.place.as_folder);
        assert_eq!(plain.href("a b", true), "/dav/a%20b/");
        let inside = address("/dav/x", Some("/p/demo/drive/x"));
        assert_eq!(inside.href("é/x", false), "/p/demo/drive/%C3%A9/x");
        assert_eq!(
            address("/dav", Some("/p/demo/dav")).href("", true),
            "/p/demo/dav/"
        );
    }

    #[test]
    fn destinations_are_of_this_drive() {
        let address = address("/dav/x", Some("/p/demo/dav/x"));
        let place = |text| address.place_of(text).unwrap().map(|place| place.path);
        assert_eq!(
            place("https://h.example/p/demo/dav/%F0%9F%8E%AF/y?z"),
            Some("🎯/y".to_owned())
        );
        assert_eq!(place("/p/demo/dav"), Some(String::new()));
        assert_eq!(place("/p/demo/davx/y"), None);
        assert_eq!(place("https://h.example/elsewhere"), None);
        assert!(address.place_of("/p/demo/dav/%2e%2e/y").is_err());
        assert!(address.place_of("/p/demo/dav/a%2Fb").is_err());
        assert!(address.place_of("/p/demo/dav/%FF").is_err());
    }

    #[test]
    fn a_folder_holds_what_is_below_it() {
        assert!(holds("", "a") && holds("a", "a/b") && holds("a", "a/b/c"));
        assert!(!holds("a", "a") && !holds("a", "ab") && !holds("", ""));
    }
}
