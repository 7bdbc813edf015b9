//! Grants: what a plugin may touch. A manifest requests them, an admin gives
//! them, the runtime checks them at every call.
//!
//! Written as text, `capability` or `capability:scope`:
//!
//! | text | lets the plugin |
//! | --- | --- |
//! | `sql` | use tables in a schema of its own |
//! | `kv` | keep small values |
//! | `audit` | add to the audit |
//! | `users` | look the project's users up, with their addresses |
//! | `database` | read and write the project's tables, with the caller's rights |
//! | `database:read` | read the project's tables, with the caller's rights |
//! | `blob:<bucket>` | read and write objects of the bucket |
//! | `blob:<bucket>:read` | read objects of the bucket |
//! | `http:<host>` · `http:<host>:<port>` · `http:*.<domain>` | call that host |
//! | `plugin:<name>` | call that plugin of the same project |
//! | `channel` | hold connections of clients, and push to them |
//! | `mail` | send mails to the project's users |
//! | `mail:<address>` | send mails to that address |
//! | `events:<name>` | be told of the events of that plugin of the same project |

use crate::{BucketName, Error, PluginName, Result};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt, str::FromStr};

/// One thing that a plugin may touch.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Grant {
    /// Tables in a schema of its own.
    Sql,
    /// Small values of its own.
    Kv,
    /// Adding to the audit.
    Audit,
    /// Looking the project's users up.
    Users,
    /// The project's own tables, with the rights of the caller.
    Database {
        /// Whether writing is included.
        write: bool,
    },
    /// Objects of a bucket.
    Blob {
        /// The bucket.
        bucket: BucketName,
        /// Whether writing is included.
        write: bool,
    },
    /// Outgoing HTTP to a host.
    Http(HostPattern),
    /// Calls to another plugin of the project.
    Plugin(PluginName),
    /// Events of another plugin of the project.
    Events(PluginName),
    /// Holding connections of clients, and pushing to them.
    Channel,
    /// Mails to the project's users.
    Mail,
    /// Mails to somebody else.
    MailTo(MailAddress),
}

/// An e-mail address that a plugin may send to, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MailAddress(String);

impl MailAddress {
    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MailAddress {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let is_fine = |c: char| !c.is_control() && !c.is_whitespace() && !"<>,;:\"".contains(c);
        match text.rsplit_once('@') {
            Some((name, domain))
                if !name.is_empty()
                    && !domain.is_empty()
                    && text.len() <= 254
                    && text.chars().all(is_fine) =>
            {
                Ok(Self(text.to_lowercase()))
            }
            _ => Err(Error::invalid(
                "invalid_address",
                format!("`{text}` is not an e-mail address"),
            )),
        }
    }
}

/// A host that a plugin may call: an exact name or address, or `*.domain`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPattern {
    host: String,
    port: Option<u16>,
}

impl HostPattern {
    /// Whether a call to `host` at `port` is covered. Without a port in the
    /// pattern the standard ports 80 and 443 are.
    #[must_use]
    pub fn matches(&self, host: &str, port: u16) -> bool {
        let port_matches = self
            .port
            .map_or(port == 80 || port == 443, |own| own == port);
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let host_matches = match self.host.strip_prefix("*.") {
            Some(domain) => host
                .strip_suffix(domain)
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
            None => host == self.host,
        };
        port_matches && host_matches
    }
}

impl FromStr for HostPattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = || {
            Error::invalid(
                "invalid_host",
                format!("`{text}` is not a host: write `name`, `name:port` or `*.domain`"),
            )
        };
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, Some(port.parse().map_err(|_| invalid())?))
            }
            _ => (text, None),
        };
        let name = host.strip_prefix("*.").unwrap_or(host);
        let allowed =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
        if name.is_empty()
            || name.starts_with('.')
            || !name.chars().all(allowed)
            || name.contains("..")
        {
            return Err(invalid());
        }
        Ok(Self {
            host: host.trim_end_matches('.').to_ascii_lowercase(),
            port,
        })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl Grant {
    /// What it lets the plugin do, for the admin who gives it.
    #[must_use]
    pub fn meaning(&self) -> String {
        match self {
            Self::Sql => "keep tables of its own".to_owned(),
            Self::Kv => "keep small values of its own".to_owned(),
            Self::Audit => "add to the audit, under its own name".to_owned(),
            Self::Users => "look the project's users up, with their e-mail addresses".to_owned(),
            Self::Database { write: true } => {
                "read and write the project's tables, with the rights of who calls".to_owned()
            }
            Self::Database { write: false } => {
                "read the project's tables, with the rights of who calls".to_owned()
            }
            Self::Blob {
                bucket,
                write: true,
            } => format!("read and write all objects of the bucket {bucket}"),
            Self::Blob {
                bucket,
                write: false,
            } => format!("read all objects of the bucket {bucket}"),
            Self::Http(host) => format!("send to {host}, and read what it answers"),
            Self::Plugin(name) => format!("call the plugin {name} for who calls"),
            Self::Events(name) => format!("be told what happens in the plugin {name}"),
            Self::Channel => "hold connections of clients, and push to them".to_owned(),
            Self::Mail => "send mails to the project's users".to_owned(),
            Self::MailTo(address) => format!("send mails to {}", address.as_str()),
        }
    }
}

impl FromStr for Grant {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (capability, scope) = match text.split_once(':') {
            Some((capability, scope)) => (capability, Some(scope)),
            None => (text, None),
        };
        match (capability, scope) {
            ("sql", None) => Ok(Self::Sql),
            ("kv", None) => Ok(Self::Kv),
            ("audit", None) => Ok(Self::Audit),
            ("users", None) => Ok(Self::Users),
            ("database", None) => Ok(Self::Database { write: true }),
            ("database", Some("read")) => Ok(Self::Database { write: false }),
            ("blob", Some(scope)) => match scope.split_once(':') {
                None => Ok(Self::Blob {
                    bucket: scope.parse()?,
                    write: true,
                }),
                Some((bucket, "read")) => Ok(Self::Blob {
                    bucket: bucket.parse()?,
                    write: false,
                }),
                Some(_) => Err(unknown(text)),
            },
            ("http", Some(host)) => Ok(Self::Http(host.parse()?)),
            ("plugin", Some(name)) => Ok(Self::Plugin(name.parse()?)),
            ("events", Some(name)) => Ok(Self::Events(name.parse()?)),
            ("channel", None) => Ok(Self::Channel),
            ("mail", None) => Ok(Self::Mail),
            ("mail", Some(address)) => Ok(Self::MailTo(address.parse()?)),
            _ => Err(unknown(text)),
        }
    }
}

fn unknown(text: &str) -> Error {
    Error::invalid(
        "unknown_grant",
        format!(
            "`{text}` is not a grant: write `sql`, `kv`, `audit`, `users`, `database`, `database:read`, \
             `blob:<bucket>`, `blob:<bucket>:read`, `http:<host>`, `plugin:<name>`, \
             `events:<plugin>`, `channel`, `mail` or `mail:<address>`"
        ),
    )
}

impl TryFrom<String> for Grant {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Grant> for String {
    fn from(grant: Grant) -> Self {
        grant.to_string()
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sql => f.write_str("sql"),
            Self::Kv => f.write_str("kv"),
            Self::Audit => f.write_str("audit"),
            Self::Users => f.write_str("users"),
            Self::Database { write: true } => f.write_str("database"),
            Self::Database { write: false } => f.write_str("database:read"),
            Self::Blob {
                bucket,
                write: true,
            } => write!(f, "blob:{bucket}"),
            Self::Blob {
                bucket,
                write: false,
            } => write!(f, "blob:{bucket}:read"),
            Self::Http(host) => write!(f, "http:{host}"),
            Self::Plugin(name) => write!(f, "plugin:{name}"),
            Self::Events(name) => write!(f, "events:{name}"),
            Self::Channel => f.write_str("channel"),
            Self::Mail => f.write_str("mail"),
            Self::MailTo(address) => write!(f, "mail:{}", address.as_str()),
        }
    }
}

/// The grants of one installation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GrantSet(BTreeSet<Grant>);

impl GrantSet {
    /// The grants in order.
    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.0.iter()
    }

    /// Whether exactly this grant is there.
    #[must_use]
    pub fn contains(&self, grant: &Grant) -> bool {
        self.0.contains(grant)
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// What is here and not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0).cloned().collect())
    }

    /// Whether nothing is granted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the project's own tables may be read, or written.
    #[must_use]
    pub fn allows_database(&self, write: bool) -> bool {
        self.0.iter().any(
            |grant| matches!(grant, Grant::Database { write: may_write } if *may_write || !write),
        )
    }

    /// Whether objects of `bucket` may be read, or written.
    #[must_use]
    pub fn allows_blob(&self, bucket: &BucketName, write: bool) -> bool {
        self.0.iter().any(|grant| {
            matches!(grant, Grant::Blob { bucket: own, write: may_write }
                if own == bucket && (*may_write || !write))
        })
    }

    /// Whether an outgoing call to `host` at `port` is allowed.
    #[must_use]
    pub fn allows_http(&self, host: &str, port: u16) -> bool {
        self.0
            .iter()
            .any(|grant| matches!(grant, Grant::Http(pattern) if pattern.matches(host, port)))
    }

    /// Whether the plugin `name` may be called.
    #[must_use]
    pub fn allows_plugin(&self, name: &PluginName) -> bool {
        self.0
            .iter()
            .any(|grant| matches!(grant, Grant::Plugin(own) if own == name))
    }
}

impl FromIterator<Grant> for GrantSet {
    fn from_iter<I: IntoIterator<Item = Grant>>(grants: I) -> Self {
        Self(grants.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_read_and_written_alike() {
        for text in [
            "sql",
            "kv",
            "audit",
            "users",
            "database",
            "database:read",
            "blob:private",
            "blob:private:read",
            "http:api.example.com",
            "http:*.example.com",
            "http:127.0.0.1:9000",
            "http:[::1]:80",
            "plugin:files",
            "channel",
            "mail",
            "mail:ops@example.com",
        ] {
            let grant: Grant = text.parse().unwrap();
            assert_eq!(grant.to_string(), text);
        }
        for text in [
            "",
            "sql:x",
            "users:read",
            "blob",
            "blob:a:write",
            "database:write",
            "http:",
            "http:*",
            "http:a b",
            "http:x:99999",
            "exec:sh",
            "channel:x",
            "mail:nobody",
            "mail:a@b,c@d",
        ] {
            assert!(text.parse::<Grant>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn a_wildcard_covers_names_below_the_domain_only() {
        let pattern: HostPattern = "*.example.com".parse().unwrap();
        assert!(pattern.matches("API.example.com", 443));
        assert!(pattern.matches("a.b.example.com.", 80));
        assert!(!pattern.matches("example.com", 443));
        assert!(!pattern.matches("badexample.com", 443));
        assert!(!pattern.matches("api.example.com", 8080));
    }
}
