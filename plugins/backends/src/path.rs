//! A place in a backend: names from its top on. What would climb, or mean
//! something else to a service, is no path.

use atlashub_sdk::prelude::*;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt;

/// Longest path, bytes.
const MAX_BYTES: usize = 2048;
/// Deepest place.
const MAX_DEPTH: usize = 64;

/// What stands as it is in a segment of an address (RFC 3986 §2.3), and in
/// what is signed for S3.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A name or a value, as it stands in an address.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// A place in a backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RemotePath(Vec<String>);

impl RemotePath {
    /// Reads names that slashes part; those around it mean nothing.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let text = text.trim_matches('/');
        if text.len() > MAX_BYTES {
            return Err(invalid("a path has 2048 bytes at most"));
        }
        let mut path = Self::default();
        if !text.is_empty() {
            for name in text.split('/') {
                path = path.join(name)?;
            }
        }
        Ok(path)
    }

    /// What is called `name` in it.
    pub(crate) fn join(&self, name: &str) -> Result<Self> {
        if !is_name(name) {
            return Err(invalid(
                "a name in a path is not empty, not `.` or `..`, and has neither slashes nor zeros",
            ));
        }
        if self.0.len() >= MAX_DEPTH {
            return Err(invalid("a path has 64 names at most"));
        }
        let mut names = self.0.clone();
        names.push(name.to_owned());
        Ok(Self(names))
    }

    /// The names, from the top on.
    pub(crate) fn names(&self) -> &[String] {
        &self.0
    }

    /// What it is called; the top has no name.
    pub(crate) fn name(&self) -> Option<&str> {
        self.0.last().map(String::as_str)
    }

    pub(crate) fn is_top(&self) -> bool {
        self.0.is_empty()
    }

    /// Where it lies; the top lies nowhere.
    pub(crate) fn parent(&self) -> Option<Self> {
        let (_, around) = self.0.split_last()?;
        Some(Self(around.to_vec()))
    }

    /// As a part of an address, without slashes around it.
    pub(crate) fn encoded(&self) -> String {
        let names: Vec<_> = self.0.iter().map(|name| encoded(name)).collect();
        names.join("/")
    }

    /// The names with slashes between them alone.
    pub(crate) fn plain(&self) -> String {
        self.0.join("/")
    }
}

impl fmt::Display for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.plain())
    }
}

/// Whether something can be called so; what a service lists and is called
/// otherwise is left out.
pub(crate) fn is_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0'])
}

fn invalid(detail: &'static str) -> Error {
    Error::invalid("invalid_path", detail)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn names_of_every_script_are_encoded_and_stay() {
        let path = RemotePath::parse("/Fotos/日本 & co/a%2Fb#?.txt/").unwrap();
        assert_eq!(path.to_string(), "/Fotos/日本 & co/a%2Fb#?.txt");
        assert_eq!(
            path.encoded(),
            "Fotos/%E6%97%A5%E6%9C%AC%20%26%20co/a%252Fb%23%3F.txt"
        );
        assert_eq!(path.name(), Some("a%2Fb#?.txt"));
        assert!(RemotePath::parse("/").unwrap().is_top());
    }

    #[test]
    fn what_climbs_is_no_path() {
        let deep = "a/".repeat(65);
        let long = "a".repeat(2049);
        for text in ["..", "a/../b", "./a", "a//b", "a/\0", &deep, &long] {
            let error = RemotePath::parse(text).unwrap_err();
            assert_eq!(error.code(), "invalid_path", "{text:?}");
        }
    }
}
