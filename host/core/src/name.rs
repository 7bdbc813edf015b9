//! Names that people give, made once at the edge by parsing.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $separators:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                check($what, text, $max, $separators)?;
                Ok(Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

fn check(what: &'static str, text: &str, max: usize, separators: &[u8]) -> Result<()> {
    let refuse = |why: String| Err(Error::invalid("invalid_name", format!("{what} {why}")));
    if text.is_empty() || text.len() > max {
        return refuse(format!("must have 1 to {max} characters"));
    }
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || separators.contains(&byte);
    if !text.bytes().all(allowed) {
        return refuse("may only have lower-case letters, digits and single dashes".to_owned());
    }
    let starts_well = text
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase());
    let ends_well = text
        .bytes()
        .last()
        .is_some_and(|byte| !separators.contains(&byte));
    if !starts_well || !ends_well {
        return refuse("must start with a letter and end with a letter or a digit".to_owned());
    }
    let doubled = text
        .as_bytes()
        .windows(2)
        .any(|pair| pair.iter().all(|byte| separators.contains(byte)));
    if doubled {
        return refuse("may not have two separators in a row".to_owned());
    }
    Ok(())
}

name! {
    /// A project's name in addresses: 1 to 40 lower-case letters, digits and
    /// single dashes, starting with a letter (a DNS label).
    Slug, "a slug", 40, b"-"
}
name! {
    /// A plugin's name: 1 to 32 lower-case letters, digits and single dashes,
    /// starting with a letter. Its schema has the same name with underscores.
    PluginName, "a plugin name", 32, b"-"
}
name! {
    /// A bucket's name: 1 to 40 lower-case letters, digits and single dashes,
    /// starting with a letter.
    BucketName, "a bucket name", 40, b"-"
}

name! {
    /// The name of somebody else with whom end users sign in: 1 to 32
    /// lower-case letters, digits and single dashes, starting with a letter.
    ProviderName, "a provider name", 32, b"-"
}

/// Slugs that would collide with the host's own addresses.
const RESERVED_SLUGS: &[&str] = &[
    "admin",
    "api",
    "auth",
    "dashboard",
    "www",
    "metrics",
    "status",
];

/// Schema names that belong to the database or to the project itself.
const RESERVED_PLUGINS: &[&str] = &[
    "main",
    "temp",
    "public",
    "information-schema",
    "pg-catalog",
    "host",
    "internal",
];

impl Slug {
    /// Makes a slug out of a project's display name: letters and digits kept,
    /// the rest turned into dashes.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let mut text = String::new();
        for c in name.chars().flat_map(char::to_lowercase) {
            if c.is_ascii_alphanumeric() {
                text.push(c);
            } else if !text.is_empty() && !text.ends_with('-') {
                text.push('-');
            }
            if text.len() == 40 {
                break;
            }
        }
        text.trim_matches('-').parse().ok()
    }

    /// Refuses names that the host uses itself.
    ///
    /// # Errors
    /// `reserved_name` when the slug is one of them.
    pub fn check_free(&self) -> Result<()> {
        if RESERVED_SLUGS.contains(&self.as_str()) {
            return Err(Error::invalid(
                "reserved_name",
                format!("the slug `{self}` is reserved, choose another"),
            ));
        }
        Ok(())
    }
}

impl PluginName {
    /// Refuses names that would collide with a database's own schemas.
    ///
    /// # Errors
    /// `reserved_name` when the name is one of them.
    pub fn check_free(&self) -> Result<()> {
        if RESERVED_PLUGINS.contains(&self.as_str())
            || self.as_str().starts_with("pg-")
            || self.as_str().starts_with("sqlite-")
        {
            return Err(Error::invalid(
                "reserved_name",
                format!("the plugin name `{self}` is reserved, choose another"),
            ));
        }
        Ok(())
    }

    /// The schema that holds this plugin's tables: the name with underscores.
    #[must_use]
    pub fn schema(&self) -> String {
        self.as_str().replace('-', "_")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubtful_names_are_refused() {
        for text in ["", "-a", "a-", "a--b", "A", "1a", "a b", "a/b", "a.b", "ä"] {
            assert!(text.parse::<Slug>().is_err(), "{text:?} was accepted");
        }
        assert!("a".repeat(41).parse::<Slug>().is_err());
        assert!("demo-2".parse::<Slug>().is_ok());
    }

    #[test]
    fn a_slug_is_made_from_a_name() {
        assert_eq!(
            Slug::from_name("Äpfel & Birnen").map(String::from),
            Some("pfel-birnen".into())
        );
        assert_eq!(
            Slug::from_name("My Shop!").map(String::from),
            Some("my-shop".into())
        );
        assert_eq!(Slug::from_name("!!!"), None);
    }
}
